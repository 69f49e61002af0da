package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// hello is what a server process prints when it is ready.
type hello struct {
	URL           string   `json:"url"`
	ClientID      string   `json:"client_id"`
	ClientSecret  string   `json:"client_secret"`
	RefreshClient string   `json:"refresh_client"`
	AccessToken   string   `json:"access_token"`
	RefreshTokens []string `json:"refresh_tokens"` // one chain a worker
	FlowClients   []string `json:"flow_clients"`   // have the same secret; several where one is limited
	FlowCookies   []string `json:"flow_cookies"`   // of somebody who is signed in and has agreed, one a worker
}

// maxWorkers is the most connections that a measurement uses.
const maxWorkers = 64

type server struct {
	role string
	cmd  *exec.Cmd
	hello
}

func (s *server) readHello(r io.Reader) error { return json.NewDecoder(r).Decode(&s.hello) }

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
}

// cpu is the user and system time of the process so far, in clock ticks of 10 ms.
func (s *server) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

type workload struct {
	name       string
	peer, bare bool // only beside the peer, or only beside the bare handler
	// request makes the next request of a worker; last is the body of its
	// previous answer.
	request func(s *server, worker int, last []byte) (*http.Request, error)
	// flow makes all the requests of one run, where there are several.
	flow func(ctx context.Context, client *http.Client, s *server, worker int) error
}

var workloads = []workload{
	{name: "client_credentials", request: func(s *server, _ int, _ []byte) (*http.Request, error) {
		return s.form("/oauth/token", true, "grant_type", "client_credentials", "scope", "catalog.read")
	}},
	{name: "client_credentials_es256", peer: true, request: func(s *server, _ int, _ []byte) (*http.Request, error) {
		return s.form("/oauth/token", true, "grant_type", "client_credentials", "scope", "reports.read")
	}},
	{name: "introspection", request: func(s *server, _ int, _ []byte) (*http.Request, error) {
		return s.form("/oauth/introspect", true, "token", s.AccessToken)
	}},
	{name: "par_code_flow", peer: true, flow: codeFlow},
	{name: "refresh", request: func(s *server, worker int, last []byte) (*http.Request, error) {
		tok := s.RefreshTokens[worker]
		if last != nil {
			var res struct {
				RefreshToken string `json:"refresh_token"`
			}
			if err := json.Unmarshal(last, &res); err != nil {
				return nil, err
			}
			tok = res.RefreshToken
			s.RefreshTokens[worker] = tok
		}
		return s.form("/oauth/token", false, "grant_type", "refresh_token", "client_id", s.RefreshClient, "refresh_token", tok)
	}},
	{name: "discovery", bare: true, request: func(s *server, _ int, _ []byte) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, s.URL+"/.well-known/openid-configuration", nil)
	}},
	{name: "jwks", bare: true, request: func(s *server, _ int, _ []byte) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, s.URL+"/.well-known/jwks.json", nil)
	}},
}

func (s *server) form(path string, basic bool, pairs ...string) (*http.Request, error) {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, s.URL+path, strings.NewReader(v.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		s.authenticate(req, s.ClientID)
	}
	return req, nil
}

func (s *server) authenticate(req *http.Request, clientID string) {
	req.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(s.ClientSecret))
}

type sample struct {
	cpuMicros float64
	rate      float64
}

// measure keeps workers busy for window, after a short warm-up. Any answer but
// 200 is an error: a benchmark of refusals is none.
func measure(ctx context.Context, s *server, w workload, workers int, window time.Duration) (sample, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: maxWorkers, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var done atomic.Int64
	errs := make(chan error, workers)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { errs <- work(ctx, client, s, w, i, &done, &stop) })
	}
	time.Sleep(300 * time.Millisecond)
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	n0, t0 := done.Load(), time.Now()
	time.Sleep(window)
	after, err := s.cpu()
	n, elapsed := done.Load()-n0, time.Since(t0)
	stop.Store(true)
	wg.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	if err != nil {
		return sample{}, err
	}
	if n == 0 {
		return sample{}, errors.New("nothing was answered")
	}
	return sample{float64((after - before).Microseconds()) / float64(n), float64(n) / elapsed.Seconds()}, nil
}

func work(ctx context.Context, client *http.Client, s *server, w workload, worker int, done *atomic.Int64, stop *atomic.Bool) error {
	var last []byte
	for !stop.Load() {
		if w.flow != nil {
			if err := w.flow(ctx, client, s, worker); err != nil {
				return err
			}
			done.Add(1)
			continue
		}
		req, err := w.request(s, worker, last)
		if err != nil {
			return err
		}
		res, err := client.Do(req.WithContext(ctx))
		if err != nil {
			return err
		}
		last, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d: %s", res.StatusCode, last)
		}
		done.Add(1)
	}
	if w.name == "refresh" { // remember where the chain ended, for the next round
		_, err := w.request(s, worker, last)
		return err
	}
	return nil
}
