package bff_test

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/bff"
	"sallyport/internal/secret"
)

func TestBF05SignInIsOfThisBrowser(t *testing.T) {
	t.Run("code with PKCE, state and nonce, and one strict cookie", func(t *testing.T) {
		f := newFixture(t)
		q := f.begin("?return_to=/cart")
		p := f.issuer.params
		if p.Get("response_type") != "code" || p.Get("code_challenge_method") != "S256" || len(p.Get("nonce")) != 43 || p.Get("redirect_uri") != origin+"/bff/callback" {
			t.Errorf("asked with %v", p)
		}
		res := f.do("GET", "/bff/callback?"+q.Encode(), visit)
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK || !strings.Contains(string(body), `url=/cart"`) {
			t.Errorf("%d %s", res.StatusCode, body)
		}
		if sum := sha256.Sum256([]byte(f.issuer.verifier)); base64.RawURLEncoding.EncodeToString(sum[:]) != p.Get("code_challenge") {
			t.Error("the verifier does not fit the challenge")
		}
		if len(f.cookies) != 1 || f.cookies[cookieName] == "" {
			t.Errorf("the browser keeps %v", f.cookies)
		}
		t.Run("BF03 T139 Secure, HttpOnly, SameSite=Strict, Path=/, no Domain", func(t *testing.T) {
			for _, c := range res.Cookies() {
				if c.Name != cookieName {
					continue
				}
				if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
					t.Errorf("%v", c)
				}
			}
		})
	})
	for _, c := range []struct {
		name   string
		change func(f *fixture, q url.Values)
		want   string
	}{
		{"another browser has no part in it", func(f *fixture, _ url.Values) { clear(f.cookies) }, "sign_in_other_browser"},
		{"a state of another sign-in is none of this one", func(f *fixture, q url.Values) {
			clear(f.cookies)
			f.begin("")
			_ = q
		}, "sign_in_other_browser"},
		{"a cookie under the name of another sign-in is none", func(f *fixture, q url.Values) {
			other := f.begin("").Get("state")
			name := func(state string) string { return cookieName + "-flow-" + strings.Split(state, ".")[0] }
			f.cookies[name(q.Get("state"))] = f.cookies[name(other)]
		}, "sign_in_other_browser"},
		{"too late is too late", func(f *fixture, _ url.Values) { f.advance(31 * time.Minute) }, "sign_in_other_browser"},
		{"BF06 another issuer is refused", func(_ *fixture, q url.Values) { q.Set("iss", "https://evil.example.com") }, "sign_in_issuer"},
		{"BF06 no issuer is refused", func(_ *fixture, q url.Values) { q.Del("iss") }, "sign_in_issuer"},
		{"a code that was for another sign-in is refused by its nonce", func(f *fixture, _ url.Values) { f.issuer.nonce = "other" }, "sign_in_nonce"},
		{"a parameter twice is refused", func(_ *fixture, q url.Values) { q.Add("code", "d") }, "sign_in_malformed"},
		{"no code is refused", func(_ *fixture, q url.Values) { q.Del("code") }, "sign_in_malformed"},
		{"a refusal of the person signs nobody in", func(_ *fixture, q url.Values) { q.Set("error", "access_denied") }, "sign_in_denied"},
		{"an error signs nobody in", func(_ *fixture, q url.Values) { q.Set("error", "server_error") }, "sign_in_error"},
		{"a code that the issuer refuses signs nobody in", func(f *fixture, _ url.Values) { f.issuer.fail = bff.ErrEnded }, "sign_in_code"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			q := f.begin("")
			c.change(f, q)
			res := f.do("GET", "/bff/callback?"+q.Encode(), visit)
			if res.StatusCode != http.StatusBadRequest || f.reason() != c.want || f.cookies[cookieName] != "" || len(f.store.all()) != 0 {
				t.Errorf("%d, %q, want %q; cookies %v", res.StatusCode, f.reason(), c.want, f.cookies)
			}
		})
	}
	t.Run("an answer counts once", func(t *testing.T) {
		f := newFixture(t)
		q := f.begin("")
		f.do("GET", "/bff/callback?"+q.Encode(), visit)
		if res := f.do("GET", "/bff/callback?"+q.Encode(), visit); res.StatusCode != http.StatusBadRequest || f.reason() != "sign_in_other_browser" {
			t.Errorf("replayed: %d %s", res.StatusCode, f.reason())
		}
	})
	t.Run("tabs do not disturb each other", func(t *testing.T) {
		f := newFixture(t)
		first := f.begin("?return_to=/one")
		nonce := f.issuer.params
		f.begin("?return_to=/two")
		f.issuer.params = nonce
		if res := f.do("GET", "/bff/callback?"+first.Encode(), visit); res.StatusCode != http.StatusOK {
			t.Errorf("first tab: %d %s", res.StatusCode, f.reason())
		}
	})
	t.Run("cookies do not pile up", func(t *testing.T) {
		f := newFixture(t)
		for range 40 {
			f.advance(time.Second)
			f.begin("")
		}
		if len(f.cookies) > 6 {
			t.Errorf("%d cookies", len(f.cookies))
		}
	})
	for name, h := range map[string]as{
		"a frame": visit.but("Sec-Fetch-Dest", "iframe"), "a picture": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, "a fetch": page,
	} {
		t.Run(name+" begins and ends nothing", func(t *testing.T) {
			f := newFixture(t)
			q := f.begin("")
			for _, path := range []string{"/bff/login", "/bff/callback?" + q.Encode()} {
				if res := f.do("GET", path, h); res.StatusCode != http.StatusForbidden || res.Header.Get("Location") != "" {
					t.Errorf("%s: %d", path, res.StatusCode)
				}
			}
		})
	}
}

func TestBF07SessionIsNewWithEachSignIn(t *testing.T) {
	f := newFixture(t)
	planted := secret.Encode(secret.BrowserSession, make([]byte, 48)).Reveal()
	f.cookies[cookieName] = planted
	f.signIn()
	first := f.cookies[cookieName]
	if first == planted || len(f.store.all()) != 1 {
		t.Fatalf("the planted cookie is the session: %v", f.cookies)
	}
	refresh := len(f.issuer.revoked)
	f.signIn()
	rows := f.store.all()
	if f.cookies[cookieName] == first || len(rows) != 1 || len(f.issuer.revoked) != refresh+1 {
		t.Errorf("%d sessions, %d revoked", len(rows), len(f.issuer.revoked))
	}
	if payload, err := secret.Decode(secret.BrowserSession, f.cookies[cookieName]); err != nil || len(payload) != 16+32 {
		t.Errorf("handle of %d bytes: %v", len(payload), err)
	}
	if rows[0].Hash != secret.New(f.cookies[cookieName]).Hash() {
		t.Error("the row has not the hash of the cookie")
	}
	if _, why, _ := f.call(f.service, page); why != "" {
		t.Errorf("own call: %s", why)
	}
	f.cookies[cookieName] = first
	if _, why, _ := f.call(f.service, page); why != bff.NoSession {
		t.Errorf("the cookie before: %q", why)
	}
}

func TestBF07StoredTokensAreSealedForTheirRow(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	mine := f.cookies[cookieName]
	access, _, err := f.call(f.service, page)
	if err != nil || access.IsZero() {
		t.Fatal(err)
	}
	if strings.Contains(f.store.all()[0].Tokens, access.Reveal()) {
		t.Error("the access token is stored as it is")
	}
	clear(f.cookies)
	f.signIn()
	id := func(cookie string) secret.ID {
		payload, err := secret.Decode(secret.BrowserSession, cookie)
		if err != nil {
			t.Fatal(err)
		}
		return secret.ID(payload[:16])
	}
	// Somebody who can write into the database puts the tokens of one person into
	// the row of another.
	row := f.store.rows[id(f.cookies[cookieName])]
	row.Tokens = f.store.rows[id(mine)].Tokens
	f.store.rows[row.ID] = row
	if _, why, _ := f.call(f.service, page); why != bff.NoSession {
		t.Errorf("tokens of another row: %q", why)
	}
}

func TestBF11ReturnsWithinTheAppOnly(t *testing.T) {
	for _, to := range []string{
		"//evil", "/\\evil", "/%09/evil", "https:evil", "///", "///evil", "https://evil.example", "/\t/evil", "\\/evil", "javascript:alert(1)", "@evil", "",
		"https://shop.example.com@evil.example", "/%2f/evil", "/%5cevil", "/..//evil", "/a/../..//evil", "/%2e%2e//evil", "/\r\nSet-Cookie: a=b", "/ä", "evil", "?x",
		"/" + strings.Repeat("a", 2000), "/%0d%0aX: y", `/"><script>`, "/a//evil", "/.", "/./x",
	} {
		f := newFixture(t)
		q := f.begin("?return_to=" + url.QueryEscape(to))
		body, _ := io.ReadAll(f.do("GET", "/bff/callback?"+q.Encode(), visit).Body)
		if !strings.Contains(string(body), `content="0;url=/home"`) || strings.Contains(string(body), "evil") {
			t.Errorf("return_to %q leads to %s", to, body)
		}
	}
	for _, to := range []string{"/", "/cart", "/cart?id=1&x=%2F", "/a/b#part", "/a?next=//b"} {
		f := newFixture(t)
		q := f.begin("?return_to=" + url.QueryEscape(to))
		body, _ := io.ReadAll(f.do("GET", "/bff/callback?"+q.Encode(), visit).Body)
		if want := strings.ReplaceAll(to, "&", "&amp;"); !strings.Contains(string(body), `url=`+want+`"`) {
			t.Errorf("return_to %q is lost: %s", to, body)
		}
	}
}

func FuzzBF11Return(f *testing.F) {
	for _, s := range []string{"//evil", "/\\evil", "/%09/evil", "https:evil", "/ok?x#y"} {
		f.Add(s)
	}
	base, _ := url.Parse(origin + "/bff/callback")
	f.Fuzz(func(t *testing.T, s string) {
		if !bff.SafeReturn(s) {
			return
		}
		// As a browser resolves it: backslashes are slashes, tabs and line ends are nothing.
		cleaned := strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(s)
		at, err := base.Parse(cleaned)
		if err == nil && (at.Host != base.Host || at.Scheme != "https" || at.User != nil) {
			t.Errorf("%q leads to %s", s, at)
		}
	})
}

func TestBF13HeadersOfPages(t *testing.T) {
	f := newFixture(t)
	q := f.begin("")
	for name, res := range map[string]*http.Response{
		"login": f.do("GET", "/bff/login", visit), "callback": f.do("GET", "/bff/callback?"+q.Encode(), visit), "error": f.do("GET", "/bff/callback", visit),
		"page": f.do("GET", "/cart", visit), "script": f.do("GET", "/app.js", page), "session": f.do("GET", "/bff/session", page), "refused": f.do("GET", "/bff/session", visit),
	} {
		h := res.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Strict-Transport-Security") != "max-age=31536000; includeSubDomains" {
			t.Errorf("%s: %v", name, h)
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", name, csp)
		}
		if html := strings.HasPrefix(h.Get("Content-Type"), "text/html"); html && (!strings.Contains(csp, "object-src 'none'") || !strings.Contains(csp, "base-uri 'none'") || h.Get("Cross-Origin-Opener-Policy") != "same-origin") {
			t.Errorf("%s: %v", name, h)
		}
	}
}

func TestFilesOfAnApp(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "app"}, {"/cart/7", 200, "app"}, {"/app.js", 200, "1"}, {"/none.js", 404, "not_found"},
		{"/.env", 200, "app"}, {"/x/.env", 200, "app"}, {"/%2e%2e/%2e%2e/etc/passwd.txt", 200, "app"},
		{"/bff/none", 404, "not_found"}, {"/bff/", 404, "not_found"},
	} {
		res := f.do("GET", c.path, visit)
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != c.status || !strings.Contains(string(body), c.body) || strings.Contains(string(body), "SECRET") {
			t.Errorf("%s: %d %s", c.path, res.StatusCode, body)
		}
	}
	if f.service.Owns("shop.example.com", "/catalog/items/1") || f.service.Owns("other.example.com", "/") || !f.service.Serves("SHOP.example.com:443") {
		t.Error("the app owns what is not its own")
	}
}
