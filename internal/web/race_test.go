package web_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/store/storetest/pgtest"
)

// at runs f for each of n goroutines at once.
func at(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}

// A hundred present one code, and one refresh token, through the whole server:
// one wins, on either engine, and those who are wrong about anything spend nothing.
func TestTK07TK08TK12OneWinnerOverHTTP(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.New(t) }} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, options{store: dsn()})
			b := h.browser()
			redemption := url.Values{
				"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {b.callback("scope", "openid catalog.read offline_access").Get("code")},
				"code_verifier": {verifier}, "redirect_uri": {callback},
			}
			wrong := func(change string, to string) url.Values {
				p := url.Values{}
				for k, v := range redemption {
					p[k] = v
				}
				p.Set(change, to)
				return p
			}
			strangers := []url.Values{wrong("code_verifier", strings.Repeat("a", 43)), wrong("redirect_uri", "com.example.shop:/cb"), wrong("code", "spac_x"), wrong("client_id", "nobody")}
			at(100, func(i int) {
				if got := h.browser().post("/oauth/token", strangers[i%len(strangers)]); got.StatusCode == http.StatusOK {
					t.Errorf("TK06 a wrong request won: %v", strangers[i%len(strangers)])
				}
			})
			var wins, losses atomic.Int64
			var won sync.Map
			at(100, func(int) {
				switch got := h.browser().post("/oauth/token", redemption); {
				case got.StatusCode == http.StatusOK:
					wins.Add(1)
					won.Store("tokens", got.json(t))
				case strings.Contains(got.body, "invalid_grant"):
					losses.Add(1)
				default:
					t.Errorf("%d %s", got.StatusCode, got.body)
				}
			})
			if wins.Load() != 1 || losses.Load() != 99 {
				t.Fatalf("TK08 %d winners and %d losers of one code", wins.Load(), losses.Load())
			}
			// The losers' replays were right in everything: what the winner got is dead.
			tokens, _ := won.Load("tokens")
			refresh := func(tok any) reply {
				return h.browser().post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"shop"}, "refresh_token": {fmt.Sprint(tok)}})
			}
			if got := refresh(tokens.(map[string]any)["refresh_token"]); got.StatusCode == http.StatusOK {
				t.Error("TK07 the grant outlives a valid replay of its code")
			}
			redemption.Set("code", h.browser().callback("scope", "openid catalog.read offline_access").Get("code"))
			fresh := b.post("/oauth/token", redemption).json(t)["refresh_token"]
			var next sync.Map
			at(100, func(int) {
				if got := refresh(fresh); got.StatusCode == http.StatusOK {
					next.Store(got.json(t)["refresh_token"], true)
				} else {
					t.Errorf("TK13 %d %s", got.StatusCode, got.body)
				}
			})
			// Repeating the question gives the same answer again, never a second family.
			families := 0
			next.Range(func(any, any) bool { families++; return true })
			if families != 1 {
				t.Errorf("TK13 one refresh token has %d successors", families)
			}
		})
	}
}

// TK30: what one request says or gets never shows up in another.
func TestTK30TenThousandInterleavedRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{log: io.Discard})
	const workers, each = 20, 500
	var serials sync.Map
	at(workers, func(i int) {
		b := h.browser()
		id, scope := "job", "catalog.read"
		for n := range each {
			if (i+n)%5 == 0 { // somebody else's wrong secret in between
				p := h.credentials()
				p.Set("client_secret", "wrong")
				if got := b.post("/oauth/token", p); got.StatusCode == http.StatusOK {
					t.Error("TK30 a wrong secret was taken")
				}
				continue
			}
			got := b.post("/oauth/token", h.credentials())
			if got.StatusCode != http.StatusOK {
				t.Errorf("TK30 %d %s", got.StatusCode, got.body)
				return
			}
			tok := got.json(t)["access_token"].(string) //nolint:forcetypeassert // of our own answer
			if _, twice := serials.LoadOrStore(tok, i); twice {
				t.Error("TK30 one token for two requests")
			}
			if n%10 != 0 {
				continue
			}
			told := b.post("/oauth/introspect", url.Values{"client_id": {"rs"}, "client_secret": {h.secret.Reveal()}, "token": {tok}}).json(t)
			if told["client_id"] != id || told["sub"] != "client:"+id || told["scope"] != scope {
				t.Errorf("TK30 %v", told)
			}
		}
	})
}

// TK28: unknown, expired, revoked and spent codes are answered alike, and take alike
// long: t below 4.5 says that a hundred of each cannot be told apart by time.
func TestTK28CodesAreNoOracle(t *testing.T) {
	h := newHouse(t, options{log: io.Discard})
	b := h.browser()
	redeem := func(code string) (string, time.Duration) {
		p := url.Values{"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {code}, "code_verifier": {strings.Repeat("a", 43)}, "redirect_uri": {callback}}
		began := time.Now()
		got := b.post("/oauth/token", p)
		return fmt.Sprint(got.StatusCode, got.body), time.Since(began)
	}
	spent := b.callback("client_id", "shop").Get("code")
	b.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "client_id": {"shop"}, "code": {spent}, "code_verifier": {verifier}, "redirect_uri": {callback}})
	live := h.browser().callback("client_id", "shop").Get("code")
	flipped := live[:60] + string(live[60]^1) + live[61:]
	kinds := map[string]string{"unknown": "spac_AAAA", "forged": flipped, "spent": spent, "live, with a wrong verifier": live}
	want, _ := redeem("x")
	const rounds = 4 // a machine that is busy with other things may spoil some
	var score float64
	for range rounds {
		times := map[string][]float64{}
		for range 200 {
			for name, code := range kinds {
				got, took := redeem(code)
				if got != want {
					t.Fatalf("TK28 %s: %s, want %s", name, got, want)
				}
				times[name] = append(times[name], float64(took))
			}
		}
		// Both open, and differ in the store alone.
		if score = welch(middle(times["spent"]), middle(times["live, with a wrong verifier"])); math.Abs(score) < 4.5 {
			return
		}
	}
	t.Errorf("TK28 a spent code differs from a live one: t = %.1f", score)
}

// middle leaves out the slower half, which the machine has made slow.
func middle(x []float64) []float64 {
	slices.Sort(x)
	return x[:len(x)/2]
}

func welch(a, b []float64) float64 {
	mean := func(x []float64) (m, v float64) {
		for _, f := range x {
			m += f / float64(len(x))
		}
		for _, f := range x {
			v += (f - m) * (f - m) / float64(len(x)-1)
		}
		return m, v / float64(len(x))
	}
	ma, va := mean(a)
	mb, vb := mean(b)
	return (ma - mb) / math.Sqrt(va+vb)
}

func TestTK03TK10TK11AnswersOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	h := newHouse(t, options{})
	b := h.browser()
	basic := []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("job:"+h.secret.Reveal()))}
	form := url.Values{"grant_type": {"client_credentials"}}
	with := func(pairs ...string) url.Values {
		p := url.Values{"grant_type": {"client_credentials"}}
		for i := 0; i < len(pairs); i += 2 {
			p.Set(pairs[i], pairs[i+1])
		}
		return p
	}
	wrong := []string{"Authorization", "Basic am9iOndyb25n"} // job:wrong
	for _, c := range []struct {
		name      string
		form      url.Values
		header    []string
		status    int
		code      string
		challenge bool
	}{
		{"TK03 Basic", form, basic, 200, "", false},
		{"TK03 body", h.credentials(), nil, 200, "", false},
		{"TK03 Basic and body", h.credentials(), basic, 400, "invalid_request", false},
		{"TK03 Basic and assertion", with("client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), basic, 400, "invalid_request", false},
		{"TK03 nobody", form, nil, 401, "invalid_client", false},
		{"TK11 a wrong secret by Basic", form, wrong, 401, "invalid_client", true},
		{"TK11 a wrong secret in the body", with("client_id", "job", "client_secret", "wrong"), nil, 401, "invalid_client", false},
		{"TK11 another grant type", with("grant_type", "x", "client_id", "job", "client_secret", h.secret.Reveal()), nil, 400, "unsupported_grant_type", false},
		{"TK11 a scope of others", with("scope", "nothing", "client_id", "job", "client_secret", h.secret.Reveal()), nil, 400, "invalid_scope", false},
		{"TK19 the password grant", with("grant_type", "password", "username", "ada", "password", password, "client_id", "job", "client_secret", h.secret.Reveal()), nil, 400, "unsupported_grant_type", false},
		{"TK19 the implicit grant", with("grant_type", "implicit", "client_id", "job", "client_secret", h.secret.Reveal()), nil, 400, "unsupported_grant_type", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.post("/oauth/token", c.form, c.header...)
			wantStatus(t, got, c.status)
			m := got.json(t)
			if code, _ := m["error"].(string); code != c.code {
				t.Errorf("error %q, want %q", code, c.code)
			}
			if (got.Header.Get("WWW-Authenticate") != "") != c.challenge {
				t.Errorf("TK11 challenge %q", got.Header.Get("WWW-Authenticate"))
			}
			if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("TK10 %v", got.Header)
			}
			if c.status == 200 && (m["token_type"] != "Bearer" || m["expires_in"] == nil || m["scope"] != "catalog.read" || m["refresh_token"] != nil) {
				t.Errorf("TK10 TK18 %v", m)
			}
		})
	}
}
