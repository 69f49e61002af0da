package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/oauth"
)

const clientDocument = "https://mcp.example.com/client.json"

// sendFrom is the status of a request of an address.
func (h *house) sendFrom(address, method, target, body string, header ...string) int {
	h.t.Helper()
	r := httptest.NewRequest(method, issuer+target, strings.NewReader(body))
	r.RemoteAddr = address + ":4711"
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.handler.ServeHTTP(rec, r)
	return rec.Code
}

func TestCL15AStrangerDoesNotUseUpWhatAllMayAskAddresses(t *testing.T) {
	var asked atomic.Int64
	begin := func(h *house, address, id string) int {
		u, err := url.Parse(authorizeURL("client_id", id, "redirect_uri", "http://127.0.0.1:4711/cb", "scope", "openid"))
		if err != nil {
			t.Fatal(err)
		}
		return h.sendFrom(address, "GET", u.RequestURI(), "")
	}
	published := func() *house {
		asked.Store(0)
		return newHouse(t, options{change: func(o *oauth.Options) {
			o.Documents = oauth.DocumentPolicy{On: true}
			o.FetchDocument = func(_ context.Context, uri string) ([]byte, time.Duration, error) {
				if asked.Add(1); uri != clientDocument {
					return nil, 0, errors.New("nobody there")
				}
				return []byte(`{"client_id":"` + uri + `","redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`), time.Hour, nil
			}
		}})
	}
	for name, ask := range map[string]func(h *house, id string) int{
		"authorization": func(h *house, id string) int { return begin(h, "198.51.100.9", id) },
		"token": func(h *house, id string) int {
			return h.sendFrom("198.51.100.9", "POST", "/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {id}}.Encode())
		},
		"in a header": func(h *house, id string) int {
			r := httptest.NewRequest("GET", "/", nil)
			r.SetBasicAuth(url.QueryEscape(id), "x")
			return h.sendFrom("198.51.100.9", "POST", "/oauth/introspect", "token=x", "Authorization", r.Header.Get("Authorization"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := published()
			last := 0
			for i := range 400 {
				last = ask(h, fmt.Sprintf("https://h%d.example.net/c", i))
			}
			if n := asked.Load(); last != 429 || n > 50 || n == 0 {
				t.Errorf("status %d after %d addresses were asked", last, n)
			}
			if got := begin(h, "203.0.113.5", clientDocument); got != 303 {
				t.Errorf("somebody else: %d", got)
			}
			if got := begin(h, "198.51.100.9", clientDocument); got != 303 {
				t.Errorf("what is known costs nothing: %d", got)
			}
		})
	}
}

func TestCL15RequestURIsAreAskedWithinALimit(t *testing.T) {
	var asked atomic.Int64
	h := openHouse(t, func(o *oauth.Options) {
		o.FetchRequest = func(context.Context, string) ([]byte, error) {
			asked.Add(1)
			return nil, errors.New("nobody there")
		}
	})
	const at = "https://new.example.com/request.jwt"
	m := h.browser().json("POST", "/oauth/register", strings.Replace(metadataOfShop, "{", `{"request_uris":["`+at+`"],`, 1)).json(t)
	query := "/oauth/authorize?" + url.Values{"client_id": {m["client_id"].(string)}, "request_uri": {at}}.Encode()
	last := 0
	for range 200 {
		last = h.sendFrom("198.51.100.9", "GET", query, "")
	}
	if n := asked.Load(); last != 429 || n != 50 {
		t.Errorf("status %d after %d requests to an address of a stranger", last, n)
	}
	if got := h.sendFrom("203.0.113.5", "GET", query, ""); got == 429 || asked.Load() != 51 {
		t.Errorf("somebody else: %d", got)
	}
	if got := h.sendFrom("198.51.100.9", "GET", "/oauth/authorize?request_uri=urn:ietf:params:oauth:request_uri:x&client_id=web", ""); got == 429 {
		t.Error("requests that were pushed are none of these")
	}
}

func TestCL16UpdatesOfARegistrationAreBoundedForEachClient(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	make := func() (uri, token, body string) {
		m := b.json("POST", "/oauth/register", metadataOfShop).json(t)
		return m["registration_client_uri"].(string), m["registration_access_token"].(string),
			strings.Replace(metadataOfShop, "{", `{"client_id":"`+m["client_id"].(string)+`",`, 1)
	}
	uri, token, body := make()
	for range 100 { // who has not the token cannot use up what the client may
		b.json("PUT", uri, body, "Authorization", "Bearer x")
	}
	good, last := 0, reply{}
	for range 40 {
		if last = b.json("PUT", uri, body, "Authorization", "Bearer "+token); last.StatusCode == 200 {
			token = last.json(t)["registration_access_token"].(string)
			good++
		}
	}
	if good != 20 || last.StatusCode != 429 || last.Header.Get("Retry-After") == "" {
		t.Errorf("%d updates at once, then %d", good, last.StatusCode)
	}
	uri, token, body = make()
	wantStatus(t, b.json("PUT", uri, body, "Authorization", "Bearer "+token), 200)
}
