// Command flood measures what a flood of sign-ins does to the gateway: it starts
// the built program with sallyport dev, calls an API at a steady rate, and prints
// percentiles of three spans: idle, while thousands of sign-ins arrive, and while
// they wait for their password hash. The crowd is a process of its own at the lowest
// priority: its cores would not be the server's. It needs Linux, where 127.0.0.0/8
// has sixteen million addresses to come from.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	bin := flag.String("bin", "bin/sallyport", "the built `PROGRAM`")
	n := flag.Int("people", 2000, "sign-ins at once")
	rate := flag.Int("rate", 100, "calls of the API a second")
	window := flag.Duration("window", 20*time.Second, "how long to measure when idle")
	most := flag.Duration("most", 3*time.Minute, "how long to measure at most while sign-ins wait")
	crowd := flag.Bool("crowd", false, "be the crowd: what a run of this program starts")
	flag.Parse()
	var err error
	if *crowd {
		err = beCrowd(*n)
	} else {
		err = run(*bin, *n, *rate, *window, *most)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// deployment is what sallyport dev says of itself.
type deployment struct {
	Issuer     string `json:"issuer"`
	CAFile     string `json:"ca_file"`
	ClientID   string `json:"service_client_id"`
	SecretFile string `json:"service_secret_file"`
	APIs       []struct {
		URL string `json:"url"`
	} `json:"apis"`

	roots *x509.CertPool
}

func run(bin string, n, rate int, window, most time.Duration) error {
	state, err := os.MkdirTemp("", "sign-ins-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d, wait, err := start(ctx, bin, state)
	if err != nil {
		return err
	}
	defer wait()
	defer cancel()
	call, err := d.caller()
	if err != nil {
		return err
	}
	c, err := d.startCrowd(ctx, n)
	if err != nil {
		return err
	}
	idle := steady(call, rate, window, nil)
	began := time.Now()
	if err := c.send(); err != nil {
		return err
	}
	arriving := steady(call, rate, most, c.queued)
	waited := time.Now()
	queued := steady(call, rate, most, c.over)
	fmt.Printf("idle      %s\narriving  %s, over %s\nqueued    %s, over %s\n", summary(idle),
		summary(arriving), waited.Sub(began).Round(time.Millisecond), summary(queued), time.Since(waited).Round(time.Millisecond))
	fmt.Printf("%d sign-ins at once: %s\n", n, c.answers)
	fmt.Printf("p99 is %.2f of idle while they arrive, %.2f while they are queued\n",
		float64(at(arriving, 99))/float64(at(idle, 99)), float64(at(queued, 99))/float64(at(idle, 99)))
	return nil
}

func start(ctx context.Context, bin, state string) (*deployment, func(), error) {
	cmd := exec.CommandContext(ctx, bin, "dev", "--json", "--state", state)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return nil, nil, fmt.Errorf("sallyport dev did not start: %w", err)
	}
	d := &deployment{roots: x509.NewCertPool()}
	if err := json.Unmarshal(line, d); err != nil {
		return nil, nil, err
	}
	ca, err := os.ReadFile(d.CAFile)
	if err != nil || !d.roots.AppendCertsFromPEM(ca) {
		return nil, nil, errors.Join(err, errors.New("no CA"))
	}
	return d, func() { _ = cmd.Wait() }, nil
}

// client comes from its own address.
func (d *deployment) client(from net.IP, jar http.CookieJar) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	return &http.Client{
		Jar: jar, Timeout: 2 * time.Minute,
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: d.roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// caller returns a call of the first API with a token.
func (d *deployment) caller() (func() error, error) {
	secret, err := os.ReadFile(d.SecretFile)
	if err != nil {
		return nil, err
	}
	c := d.client(net.IPv4(127, 0, 0, 1), nil)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"catalog.read"}}
	req, err := http.NewRequest(http.MethodPost, d.Issuer+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(d.ClientID, strings.TrimSpace(string(secret)))
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.AccessToken == "" {
		return nil, fmt.Errorf("no token: %s, %w", resp.Status, err)
	}
	return func() error {
		req, err := http.NewRequest(http.MethodGet, d.APIs[0].URL+"/items/1", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token.AccessToken)
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return err
	}, nil
}

var field = regexp.MustCompile(`name="(flow|csrf)"[^>]*value="([^"]*)"`)

// people open n sign-in pages, each from an address of its own; it returns what
// sends the passwords.
func (d *deployment) people(n int) ([]func(context.Context) int, error) {
	list := make([]func(context.Context) int, n)
	for i := range list {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		c := d.client(net.IPv4(127, byte(1+i/250), byte(1+i%250), 1), jar)
		query := url.Values{
			"client_id": {"demo-app"}, "redirect_uri": {"http://127.0.0.1/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
		}
		page, address, err := follow(c, d.Issuer+"/oauth/authorize?"+query.Encode())
		if err != nil {
			return nil, err
		}
		form := url.Values{"username": {fmt.Sprint("nobody", i)}, "password": {"seven brown otters juggle"}}
		for _, m := range field.FindAllStringSubmatch(page, -1) {
			if !form.Has(m[1]) { // the form of the language picker has its own
				form.Set(m[1], m[2])
			}
		}
		list[i] = func(ctx context.Context) int { return post(ctx, c, address, form) }
	}
	return list, nil
}

// follow goes where a page sends it and returns the last one.
func follow(c *http.Client, address string) (page, at string, err error) {
	for range 5 {
		resp, err := c.Get(address)
		if err != nil {
			return "", "", err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return "", "", err
		}
		next, err := resp.Location()
		if err != nil {
			return string(body), address, nil //nolint:nilerr // this is the last
		}
		address = next.String()
	}
	return "", "", errors.New("too many redirects")
}

func post(ctx context.Context, c *http.Client, address string, form url.Values) int {
	u, err := url.Parse(address)
	if err != nil {
		return 0
	}
	u.RawQuery = ""
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", u.Scheme+"://"+u.Host)
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// steady calls at a rate, whether earlier calls have ended or not, until the window
// or over ends, and returns how long each took, counted from when it was due.
func steady(call func() error, rate int, window time.Duration, over <-chan struct{}) []time.Duration {
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	end := time.After(window)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-end:
		case <-over:
		case due := <-tick.C:
			wg.Go(func() {
				if err := call(); err != nil {
					fmt.Fprintln(os.Stderr, "call:", err)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(due))
			})
			continue
		}
		wg.Wait()
		slices.Sort(took)
		return took
	}
}

func at(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

func summary(took []time.Duration) string {
	return fmt.Sprintf("%5d calls  p50 %s  p90 %s  p99 %s", len(took), at(took, 50).Round(10*time.Microsecond), at(took, 90).Round(10*time.Microsecond), at(took, 99).Round(10*time.Microsecond))
}
