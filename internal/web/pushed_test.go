package web_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
	"sallyport/internal/store/storetest/pgtest"
)

// pushParams is a pushed request of the client web with nothing wrong.
func (h *house) pushParams(change ...string) url.Values {
	return authorizeParams(append([]string{"client_id", "web", "client_secret", h.secret.Reveal()}, change...)...)
}

func (b *browser) push(change ...string) string {
	b.t.Helper()
	r := b.post("/oauth/par", b.pushParams(change...))
	if r.StatusCode != http.StatusCreated {
		b.t.Fatalf("status %d: %s", r.StatusCode, r.body)
	}
	uri, _ := r.json(b.t)["request_uri"].(string)
	return uri
}

func openURL(client, uri string) string {
	return "/oauth/authorize?" + url.Values{"client_id": {client}, "request_uri": {uri}}.Encode()
}

func TestPR01PushedRequestEndpoint(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	r := b.post("/oauth/par", h.pushParams())
	wantStatus(t, r, http.StatusCreated)
	m := r.json(t)
	if uri, _ := m["request_uri"].(string); !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") || m["expires_in"] != float64(90) || len(m) != 2 {
		t.Errorf("%v", m)
	}
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Type") != "application/json" {
		t.Error(r.Header)
	}
	wantStatus(t, b.get("/oauth/par"), http.StatusMethodNotAllowed)
	for what, c := range map[string]struct {
		params url.Values
		status int
		code   string
	}{
		"no authentication":    {h.pushParams("client_secret", ""), 401, "invalid_client"},
		"wrong authentication": {h.pushParams("client_secret", "no"), 401, "invalid_client"},
		"PR02 request_uri":     {h.pushParams("request_uri", "urn:ietf:params:oauth:request_uri:x"), 400, "invalid_request"},
		"PR06 scope":           {h.pushParams("scope", "root"), 400, "invalid_scope"},
		"PR07 a megabyte":      {h.pushParams("scope", strings.Repeat("x", 1<<20)), 413, "invalid_request"},
		"repeated": {func() url.Values {
			p := h.pushParams()
			p.Add("state", "two")
			return p
		}(), 400, "invalid_request"},
	} {
		r := b.post("/oauth/par", c.params)
		if r.StatusCode != c.status || r.json(t)["error"] != c.code || r.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", what, r.StatusCode, r.body)
		}
	}
	if r := b.post("/oauth/par?client_id=web", h.pushParams()); r.StatusCode != 400 {
		t.Errorf("a parameter in the URL: %d", r.StatusCode)
	}
	if r := b.post("/oauth/par", h.pushParams("client_secret", ""), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("web:"+h.secret.Reveal()))); r.StatusCode != http.StatusCreated {
		t.Errorf("Basic: %d %s", r.StatusCode, r.body)
	}
	meta := b.get("/.well-known/openid-configuration").json(t)
	if meta["pushed_authorization_request_endpoint"] != issuer+"/oauth/par" || meta["request_parameter_supported"] != true || meta["require_request_uri_registration"] != true {
		t.Errorf("metadata: %v", meta)
	}
}

func TestPR03PushedRequestThroughSignInAndConsent(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	uri := b.push()
	for range 3 { // a browser loads ahead, a person reloads
		wantStatus(t, b.follow(b.get(openURL("web", uri))), http.StatusOK)
	}
	page := b.follow(b.submit(b.follow(b.get(openURL("web", uri))), "username", "ada", "password", password))
	r := b.submit(page, "decision", "allow")
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" || u.Query().Get("iss") != issuer {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	over := b.get(openURL("web", uri))
	wantStatus(t, over, http.StatusBadRequest)
	if over.Header.Get("Location") != "" || !strings.Contains(over.body, "invalid_request_uri") {
		t.Errorf("AZ03 PR03: %v %s", over.Header, over.body)
	}
	if r := b.get(openURL("shop", b.push())); r.StatusCode != http.StatusBadRequest || r.Header.Get("Location") != "" {
		t.Errorf("another client: %d", r.StatusCode)
	}
}

// Everybody who opens the handle is signed in and has agreed before: the only
// thing that decides is the row.
func TestPR03HundredOpenOneHandleAndOneGetsTheCode(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.New(t) }} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, options{store: dsn()})
			b := h.browser()
			b.callback("client_id", "web")
			uri := b.push()
			var codes, refused atomic.Int32
			at(100, func(int) {
				switch r := b.get(openURL("web", uri)); {
				case strings.HasPrefix(r.Header.Get("Location"), callback+"?code="):
					codes.Add(1)
				case r.StatusCode == http.StatusBadRequest && strings.Contains(r.body, "invalid_request_uri"):
					refused.Add(1)
				default:
					t.Errorf("%d %s", r.StatusCode, r.body)
				}
			})
			if codes.Load() != 1 || refused.Load() != 99 {
				t.Errorf("%d codes, %d refused", codes.Load(), refused.Load())
			}
		})
	}
}

func TestPR07PushedRequestsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	limit := 0
	for _, l := range ratelimit.Limits {
		if l.Name == ratelimit.PushedPublic {
			limit = l.Burst
		}
	}
	push := func() reply { return b.post("/oauth/par", h.pushParams("client_id", "shop", "client_secret", "")) }
	for range limit {
		if r := push(); r.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	r := push()
	wantStatus(t, r, http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") == "" || r.json(t)["error"] != "too_many_requests" {
		t.Errorf("%v %s", r.Header, r.body)
	}
	b.push() // another client is served
	h.clock.advance(time.Second)
	wantStatus(t, push(), http.StatusCreated)
}

// AZ24: who can make clients himself gets no more room by making many.
func TestAZ24ClientsOfStrangersShareALimit(t *testing.T) {
	t.Parallel()
	limits := map[ratelimit.Name]int{}
	for _, l := range ratelimit.Limits {
		limits[l.Name] = l.Burst
	}
	var clients []oauth.Client
	for i := range limits[ratelimit.PushedStranger]/limits[ratelimit.PushedPublic] + 2 {
		c := hostile
		c.ID = fmt.Sprint("made", i)
		clients = append(clients, c)
	}
	h := newHouse(t, options{clients: clients})
	b := h.browser()
	push := func(client string) reply {
		return b.post("/oauth/par", h.pushParams("client_id", client, "client_secret", "", "redirect_uri", clients[0].RedirectURIs[0]))
	}
	kept, last := 0, reply{}
	for _, c := range clients {
		for range limits[ratelimit.PushedPublic] {
			if last = push(c.ID); last.StatusCode == http.StatusCreated {
				kept++
			}
		}
	}
	wantStatus(t, last, http.StatusTooManyRequests)
	if kept != limits[ratelimit.PushedStranger] {
		t.Errorf("%d rows were made, want %d", kept, limits[ratelimit.PushedStranger])
	}
	b.push() // a client that somebody vouches for is served
}

func TestAZ24FloodOfRequestsLeavesNothing(t *testing.T) {
	h := newHouse(t, options{log: discard{}})
	b := h.browser()
	ask := func(n int) {
		for range n {
			if r := b.get(authorizeURL()); r.StatusCode != http.StatusSeeOther {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	rows := func() int64 {
		n, err := h.store.Expire(t.Context(), h.clock.now().Add(365*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	ask(2000)
	rows()
	before := heap()
	ask(20000)
	if after := heap(); after > before+4<<20 {
		t.Errorf("20,000 requests left %d KiB", (after-before)>>10)
	}
	if n := rows(); n != 0 {
		t.Errorf("20,000 requests left %d rows", n)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
