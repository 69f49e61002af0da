package chaos_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"
)

// load calls all the time.
type load struct {
	h     *house
	h1    *http.Client
	h2    *http.Client
	end   context.CancelFunc
	done  sync.WaitGroup
	slots chan struct{}

	mu     sync.Mutex
	number map[string]int
	errors map[string][]string
}

// kind is a kind of call; token returns what it carries.
type kind struct {
	name, method, path string
	token              func() string
}

func (h *house) kinds() []kind {
	item := func() string { return h.tokens.Load().items }
	return []kind{
		{"item", "GET", "/steady/items/1", item},
		{"item", "GET", "/steady/items/2", item},
		{"pay", "POST", "/steady/payments", func() string { return h.tokens.Load().pay }},
		{"fragile", "GET", "/fragile/items/1", func() string { return h.tokens.Load().fragile }},
		{"gone", "GET", "/gone/items/1", func() string { return h.tokens.Load().gone }},
		{"revoked", "GET", "/steady/items/1", func() string { return h.revoked }},
		{"nobody", "GET", "/steady/items/1", func() string { return "" }},
		{"forged", "GET", "/steady/items/1", func() string { s := item(); return s[:len(s)-8] + "AAAAAAAA" }},
		{"other scope", "POST", "/steady/payments", item},
		{"unlisted", "GET", "/steady/admin", item},
		{"compromised", "GET", "/steady/items/1", func() string { return *h.compromised.Load() }},
	}
}

func (h *house) load(rate int) *load {
	ctx, end := context.WithCancel(h.t.Context())
	one := h.Transport.Clone()
	one.ForceAttemptHTTP2 = false
	one.TLSClientConfig.NextProtos = []string{"http/1.1"}
	one.MaxIdleConnsPerHost = 64
	l := &load{
		h: h, end: end, slots: make(chan struct{}, 128), number: map[string]int{}, errors: map[string][]string{},
		h1: &http.Client{Transport: one, Timeout: 20 * time.Second}, h2: &http.Client{Transport: h.Transport, Timeout: 20 * time.Second},
	}
	h.t.Cleanup(one.CloseIdleConnections)
	kinds := h.kinds()
	l.done.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			k, client := kinds[i%len(kinds)], l.h1
			if i%3 == 0 {
				client = l.h2
			}
			l.slots <- struct{}{}
			l.done.Go(func() { l.call(k, client); <-l.slots })
		}
	})
	l.done.Go(func() { l.watchIssuer(ctx) })
	return l
}

func (l *load) stop() {
	l.end()
	l.done.Wait()
}

func (l *load) call(k kind, client *http.Client) {
	req, err := http.NewRequest(k.method, l.h.Issuer+k.path, http.NoBody)
	if err != nil {
		panic(err)
	}
	req.Header.Set(tag, k.name)
	if tok := k.token(); tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	start := time.Now()
	status, text, err := do(client, req)
	wrong := l.h.truths[k.name].judge(start, time.Now(), status, err)
	if wrong != "" {
		wrong = fmt.Sprintf("%s (%s %s) at %s: %s %s", k.name, k.method, k.path, start.Format("05.000"), wrong, text)
	}
	l.note(k.name, wrong)
}

func do(client *http.Client, req *http.Request) (status int, text string, err error) {
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// watchIssuer: tokens are made all the time, and the key set is served.
func (l *load) watchIssuer(ctx context.Context) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for kind, ask := range map[string]func() (*http.Request, error){
			"token": func() (*http.Request, error) {
				req, err := http.NewRequest("POST", l.h.Issuer+"/oauth/token", strings.NewReader("grant_type=client_credentials&scope=steady.read"))
				if err == nil {
					req.SetBasicAuth(l.h.ServiceClientID, l.h.secret)
					req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				return req, err
			},
			"keys": func() (*http.Request, error) {
				return http.NewRequest("GET", l.h.Issuer+"/.well-known/jwks.json", http.NoBody)
			},
		} {
			req, err := ask()
			if err != nil {
				panic(err)
			}
			status, text, err := do(l.h1, req)
			wrong := ""
			if err != nil || status != 200 {
				wrong = fmt.Sprintf("%s at %s: %d %v %s", kind, time.Now().Format("05.000"), status, err, text)
			}
			l.note(kind, wrong)
		}
	}
}

func (l *load) note(kind, wrong string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.number[kind]++
	if wrong != "" {
		l.errors[kind] = append(l.errors[kind], wrong)
	}
}

func (l *load) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.number)
}

// wrong are the first few of each kind.
func (l *load) wrong() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, all := range l.errors {
		list = append(list, fmt.Sprintf("%s: %d of %d calls are not as they must be:\n\t%s", kind, len(all), l.number[kind], strings.Join(all[:min(5, len(all))], "\n\t")))
	}
	return list
}
