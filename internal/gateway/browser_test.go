package gateway_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// cookies are BrowserSessions that answer as they are told.
type cookies struct {
	token secret.Value
	why   string
	err   error
	asked int
}

func (c *cookies) Has(r *http.Request) bool { return r.Header.Get("Cookie") != "" }

func (c *cookies) AccessToken(*http.Request) (secret.Value, string, error) {
	c.asked++
	return c.token, c.why, c.err
}

func (c *cookies) Login(r *http.Request) string {
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		return "/bff/login"
	}
	return ""
}

func TestBF04CookiesAtTheGateway(t *testing.T) {
	c := &cookies{}
	f := newFixture(t, nil, func(o *gateway.Options) { o.APIs[0].Browser = c })
	good := secret.New(f.seal(f.access()))
	for _, x := range []struct {
		name, cookie, bearer, mode string
		why                        string
		err                        error
		status                     int
		location                   string
	}{
		{"a cookie is a credential", "s=1", "", "", "", nil, 200, ""},
		{"a bearer token still is", "", "yes", "", "", nil, 200, ""},
		{"both are none", "s=1", "yes", "", "", nil, 400, ""},
		{"neither is none", "", "", "", "", nil, 401, ""},
		{"another site is refused", "s=1", "", "", "csrf_site", nil, 403, ""},
		{"a call of a page learns that nobody is signed in", "s=1", "", "cors", "no_session", nil, 401, ""},
		{"a person who opens the address signs in", "s=1", "", "navigate", "no_session", nil, 303, "/bff/login"},
		{"also without a cookie", "", "", "navigate", "", nil, 303, "/bff/login"},
		{"cookies that came twice are refused", "s=1", "", "", "many_cookies", nil, 400, ""},
		{"what cannot be known is refused", "s=1", "", "", "", errors.New("away"), 503, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			c.token, c.why, c.err = good, x.why, x.err
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/catalog/items/1", nil)
			if x.cookie != "" {
				r.Header.Set("Cookie", x.cookie)
			}
			if x.bearer != "" {
				r.Header.Set("Authorization", "Bearer "+good.Reveal())
			}
			if x.mode != "" {
				r.Header.Set("Sec-Fetch-Mode", x.mode)
			}
			r.Header.Set("X-Sallyport-Csrf", "1")
			w := httptest.NewRecorder()
			f.gateway.ServeHTTP(w, r)
			if w.Code != x.status || w.Header().Get("Location") != x.location {
				t.Errorf("%d %q, want %d %q: %s", w.Code, w.Header().Get("Location"), x.status, x.location, w.Body)
			}
			calls := f.taken()
			if passed := len(calls) == 1; passed != (x.status == 200) {
				t.Fatalf("%d calls reached the backend", len(calls))
			}
			if len(calls) == 1 && (calls[0].Header.Get("Cookie") != "" || calls[0].Header.Get("X-Sallyport-Csrf") != "") {
				t.Errorf("the backend sees %v", calls[0].Header)
			}
		})
	}
}

func TestACookieIsNotEnoughForTierHigh(t *testing.T) {
	c := &cookies{}
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.APIs[0].Browser = c
		high := token.TierHigh
		o.APIs[0].Operations[0].Tier = &high
	})
	c.token = secret.New(f.seal(f.access()))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/catalog/items/1", nil)
	r.Header.Set("Cookie", "s=1")
	w := httptest.NewRecorder()
	f.gateway.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
