package web_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/web"
)

// refusals sends n requests with tokens that are nothing, from address.
func (h *house) refusals(n int, address string) {
	h.t.Helper()
	for range n {
		r := httptest.NewRequest("GET", issuer+"/oauth/userinfo", nil)
		r.RemoteAddr = address + ":4711"
		r.Header.Set("Authorization", "Bearer "+secret.NewHandle(secret.AccessToken).Reveal())
		rec := httptest.NewRecorder()
		h.handler.ServeHTTP(rec, r)
		if rec.Code != 401 {
			h.t.Fatalf("status %d", rec.Code)
		}
	}
}

func TestJ137AFloodOfBadTokensFillsNoLogAndLosesNoCount(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	const flood, burst = 3000, 200
	h.refusals(flood, "198.51.100.9")
	if got := len(h.lines()); got != burst {
		t.Errorf("%d refused requests wrote %d lines, want %d", flood, got, burst)
	}
	h.refusals(1, "203.0.113.5")
	if got := h.lastLine(); len(h.lines()) != burst+1 || got["remote"] != "203.0.113.5" || got["lines_left_out"] != float64(flood-burst) {
		t.Errorf("another network's line is %v", got)
	}
	wantCount := func(want int) {
		t.Helper()
		rec := httptest.NewRecorder()
		web.Ops(web.OpsOptions{Gatherer: h.registry}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		if line := fmt.Sprintf("sallyport_http_requests_total{route=\"/oauth/userinfo\",status=\"4xx\"} %d\n", want); !strings.Contains(rec.Body.String(), line) {
			t.Errorf("the metrics lack %s", line)
		}
		if line := fmt.Sprintf("sallyport_log_lines_left_out_total %d\n", flood-burst); !strings.Contains(rec.Body.String(), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	wantCount(flood + 1)
	t.Run("what somebody must see always has its line", func(t *testing.T) {
		n := len(h.lines())
		b.post("/oauth/token", h.credentials())
		b.submit(b.loginPage("prompt", "login"), "username", "ada", "password", "wrong")
		b.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {"wrong"}})
		text := h.log.String()
		if len(h.lines()) < n+3 || !strings.Contains(text, "login.failed") || !strings.Contains(text, "client.auth_failed") {
			t.Errorf("lines are missing: %v", h.lines()[n:])
		}
	})
	t.Run("later there is room again", func(t *testing.T) {
		n := len(h.lines())
		h.clock.advance(time.Second)
		h.refusals(15, "198.51.100.77") // of the same network
		if got := len(h.lines()) - n; got != 10 {
			t.Errorf("a second later %d lines were written, want 10", got)
		}
	})
}

func TestJ137AFloodFromManyNetworksHasOneLimit(t *testing.T) {
	h := newHouse(t, options{})
	for i := range 3000 {
		h.refusals(1, fmt.Sprintf("10.%d.%d.1", i/250, i%250))
	}
	if got := len(h.lines()); got != 2000 {
		t.Errorf("3000 networks wrote %d lines, want 2000", got)
	}
}
