package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/audit"
)

func (h *house) credentials() url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {h.secret.Reveal()}}
}

func TestTK01TK02TheTokenEndpointTakesOneForm(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	good := h.credentials().Encode()
	const form = "application/x-www-form-urlencoded"
	cases := []struct {
		name, method, path, contentType, body string
		status                                int
		code                                  string
	}{
		{"a form", "POST", "/oauth/token", form, good, 200, ""},
		{"a form with charset", "POST", "/oauth/token", form + "; charset=utf-8", good, 200, ""},
		{"an empty parameter counts as absent", "POST", "/oauth/token", form, good + "&scope=", 200, ""},
		{"an unknown parameter is ignored", "POST", "/oauth/token", form, good + "&foo=1", 200, ""},
		{"an unknown query is ignored", "POST", "/oauth/token?tenant=1", form, good, 200, ""},
		{"TK01 GET", "GET", "/oauth/token?" + good, "", "", 405, "invalid_request"},
		{"TK01 PUT", "PUT", "/oauth/token", form, good, 405, "invalid_request"},
		{"TK01 HEAD", "HEAD", "/oauth/token", "", "", 405, ""},
		{"TK01 JSON", "POST", "/oauth/token", "application/json", `{"grant_type":"client_credentials"}`, 415, "invalid_request"},
		{"TK01 multipart", "POST", "/oauth/token", "multipart/form-data; boundary=x", good, 415, "invalid_request"},
		{"TK01 no content type", "POST", "/oauth/token", "", good, 415, "invalid_request"},
		{"TK01 another charset", "POST", "/oauth/token", form + "; charset=utf-16", good, 415, "invalid_request"},
		{"TK01 G10 everything in the URL", "POST", "/oauth/token?" + good, form, "", 400, "invalid_request"},
		{"TK01 G10 the secret in the URL", "POST", "/oauth/token?client_secret=x", form, good, 400, "invalid_request"},
		{"TK01 G10 a code in the URL", "POST", "/oauth/token?code=x", form, good, 400, "invalid_request"},
		{"TK01 G10 grant_type in the URL", "POST", "/oauth/token?grant_type=client_credentials", form, good, 400, "invalid_request"},
		{"TK02 two grant_type", "POST", "/oauth/token", form, good + "&grant_type=client_credentials", 400, "invalid_request"},
		{"TK02 two code", "POST", "/oauth/token", form, good + "&code=a&code=b", 400, "invalid_request"},
		{"TK02 one of them empty", "POST", "/oauth/token", form, good + "&scope=&scope=catalog.read", 400, "invalid_request"},
		{"a bad escape", "POST", "/oauth/token", form, good + "&x=%zz", 400, "invalid_request"},
		{"NUL", "POST", "/oauth/token", form, good + "&x=%00", 400, "invalid_request"},
		{"not UTF-8", "POST", "/oauth/token", form, good + "&x=%ff", 400, "invalid_request"},
		{"too many parameters", "POST", "/oauth/token", form, good + strings.Repeat("&a=b", 100), 400, "invalid_request"},
		{"too large", "POST", "/oauth/token", form, good + "&x=" + strings.Repeat("a", 65<<10), 413, "invalid_request"},
		{"no body", "POST", "/oauth/token", form, "", 400, "invalid_request"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := b.request(c.method, c.path, "")
			if c.method != "GET" && c.method != "HEAD" {
				req = b.request(c.method, c.path, "x")
				req.Body, req.ContentLength = nopBody(c.body), int64(len(c.body))
			}
			req.Header.Del("Content-Type")
			if c.contentType != "" {
				req.Header.Set("Content-Type", c.contentType)
			}
			r := b.do(req)
			wantStatus(t, r, c.status)
			if c.code != "" && r.json(t)["error"] != c.code {
				t.Errorf("error = %v, want %s", r.json(t)["error"], c.code)
			}
			if r.Header.Get("Cache-Control") != "no-store" || c.method != "HEAD" && r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("TK10 headers: %v", r.Header)
			}
			if c.status == 405 && r.Header.Get("Allow") != "POST" {
				t.Errorf("Allow = %q", r.Header.Get("Allow"))
			}
		})
	}
	if n := strings.Count(h.log.String(), string(audit.TokenInURL)); n < 3 {
		t.Errorf("%d events say that a credential came in a URL, want one for each", n)
	}
}

func TestOneAuthorizationHeader(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	basic := func(id, secret string) string {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", "/", nil)
		req.SetBasicAuth(id, secret)
		return req.Header.Get("Authorization")
	}
	good := basic("job", h.secret.Reveal())
	grant := url.Values{"grant_type": {"client_credentials"}}
	cases := []struct {
		name   string
		header []string
		form   url.Values
		status int
		basic  bool
	}{
		{"Basic", []string{"Authorization", good}, grant, 200, false},
		{"TK11 a wrong secret by Basic gets a challenge", []string{"Authorization", basic("job", "wrong")}, grant, 401, true},
		{"TK11 an unknown client by Basic gets a challenge", []string{"Authorization", basic("nobody", "wrong")}, grant, 401, true},
		{"TK11 Bearer gets a challenge", []string{"Authorization", "Bearer x"}, grant, 401, true},
		{"TK11 a wrong secret in the body gets none", nil, url.Values{"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {"wrong"}}, 401, false},
		{"G11 two headers", []string{"Authorization", good, "Authorization", good}, grant, 400, false},
		{"header and body", []string{"Authorization", good}, h.credentials(), 400, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := b.post("/oauth/token", c.form, c.header...)
			wantStatus(t, r, c.status)
			if got := r.Header.Get("WWW-Authenticate"); strings.HasPrefix(got, "Basic ") != c.basic {
				t.Errorf("WWW-Authenticate = %q, want a Basic challenge: %v", got, c.basic)
			}
		})
	}
}

func TestIN01IN11RV01RV02RV06ProtocolEndpoints(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	tok := b.post("/oauth/token", h.credentials()).json(t)["access_token"].(string)
	auth := func(id string, more ...string) url.Values {
		v := url.Values{"client_id": {id}, "client_secret": {h.secret.Reveal()}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	cases := []struct {
		name   string
		reply  func() reply
		status int
		body   string
	}{
		{"IN01 POST with the token in the body", func() reply { return b.post("/oauth/introspect", auth("rs", "token", tok)) }, 200, `"active":true`},
		{"IN01 anonymous", func() reply { return b.post("/oauth/introspect", url.Values{"token": {tok}}) }, 401, "invalid_client"},
		{"IN01 GET", func() reply { return b.get("/oauth/introspect?token=" + tok) }, 405, "invalid_request"},
		{"IN01 token in the query", func() reply { return b.post("/oauth/introspect?token="+tok, auth("rs")) }, 400, "invalid_request"},
		{"RV02 an unknown token is no error", func() reply { return b.post("/oauth/revoke", auth("job", "token", "unknown")) }, 200, ""},
		{"RV04 a wrong hint still finds it", func() reply {
			return b.post("/oauth/revoke", auth("job", "token", tok, "token_type_hint", "refresh_token"))
		}, 200, ""},
		{"RV03 and it is dead", func() reply { return b.post("/oauth/introspect", auth("rs", "token", tok)) }, 200, `{"active":false}`},
		{"RV01 GET", func() reply { return b.get("/oauth/revoke?token=" + tok) }, 405, "invalid_request"},
		{"RV06 no JSONP", func() reply { return b.get("/oauth/revoke?token=" + tok + "&callback=f") }, 405, "invalid_request"},
		{"RV04 a type that cannot be revoked", func() reply { return b.post("/oauth/revoke", auth("job", "token", h.secret.Reveal())) }, 400, "unsupported_token_type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := c.reply()
			wantStatus(t, r, c.status)
			if !strings.Contains(r.body, c.body) {
				t.Errorf("body = %s, want %s in it", r.body, c.body)
			}
			if r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("IN11 Cache-Control = %q", r.Header.Get("Cache-Control"))
			}
			if strings.Contains(h.log.String(), tok) {
				t.Error("LG03 the token is in the log")
			}
		})
	}
}

func TestRV05AFailedRevocationIs503(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	tok := b.post("/oauth/token", h.credentials()).json(t)["access_token"].(string)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	form := h.credentials()
	form.Set("token", tok)
	r := b.post("/oauth/revoke", form)
	wantStatus(t, r, http.StatusServiceUnavailable)
	if r.json(t)["error"] != "temporarily_unavailable" || r.Header.Get("Retry-After") == "" {
		t.Errorf("answer: %s %v", r.body, r.Header)
	}
	id := r.json(t)["error_description"].(string)
	id = id[strings.LastIndex(id, "(")+1 : len(id)-1]
	if len(id) != 8 || !strings.Contains(h.log.String(), `"error_id":"`+id+`"`) {
		t.Errorf("LG06 the log does not have the identifier %q of the answer:\n%s", id, h.log)
	}
	if strings.Contains(r.body, "closed") || strings.Contains(r.body, "store") {
		t.Errorf("LG06 the answer says what is inside: %s", r.body)
	}
}

func TestUserInfoTakesTheHeaderAlone(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	tok := b.tokens()["access_token"].(string)
	cases := []struct {
		name      string
		reply     func() reply
		status    int
		challenge string
	}{
		{"GET", func() reply { return b.get("/oauth/userinfo", "Authorization", "Bearer "+tok) }, 200, ""},
		{"POST without a body", func() reply { return b.do(b.request("POST", "/oauth/userinfo", "", "Authorization", "Bearer "+tok)) }, 200, ""},
		{"POST with a form", func() reply { return b.post("/oauth/userinfo", url.Values{"x": {"y"}}, "Authorization", "Bearer "+tok) }, 200, ""},
		{"nothing", func() reply { return b.get("/oauth/userinfo") }, 401, `Bearer realm="sallyport"`},
		{"a wrong token", func() reply { return b.get("/oauth/userinfo", "Authorization", "Bearer x") }, 401, `error="invalid_token"`},
		{"in the query", func() reply { return b.get("/oauth/userinfo?access_token=" + tok) }, 400, `error="invalid_request"`},
		{"in the body", func() reply { return b.post("/oauth/userinfo", url.Values{"access_token": {tok}}) }, 400, `error="invalid_request"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := c.reply()
			wantStatus(t, r, c.status)
			if got := r.Header.Get("WWW-Authenticate"); !strings.Contains(got, c.challenge) || c.challenge == "" && got != "" {
				t.Errorf("WWW-Authenticate = %q, want %q", got, c.challenge)
			}
			if c.name == "nothing" && (r.body != "" || strings.Contains(r.Header.Get("WWW-Authenticate"), "error")) {
				t.Errorf("RFC 6750 §3.1: no error where no credential was sent: %q %q", r.body, r.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

// A guesser is slowed down; the client itself, elsewhere or with the right
// secret for another name, is not.
func TestClientGuessingIsSlowedDown(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	wrong := h.credentials()
	wrong.Set("client_secret", "wrong")
	var last reply
	for range 30 {
		if last = b.post("/oauth/token", wrong); last.StatusCode != http.StatusUnauthorized {
			break
		}
	}
	wantStatus(t, last, http.StatusTooManyRequests)
	if last.json(t)["error"] != "too_many_requests" || last.Header.Get("Retry-After") == "" {
		t.Errorf("answer: %s %v", last.body, last.Header)
	}
	other := wrong
	other.Set("client_id", "rs")
	wantStatus(t, b.post("/oauth/token", other), http.StatusUnauthorized)
}

func TestMD11AZ09CORS(t *testing.T) {
	const app, stranger = "https://spa.example.com", "https://evil.example"
	h := newHouse(t, options{origins: []string{app}})
	b := h.browser()
	cases := []struct{ method, path, origin, want string }{
		{"GET", "/.well-known/openid-configuration", stranger, "*"},
		{"GET", "/.well-known/oauth-authorization-server", "null", "*"},
		{"GET", "/.well-known/jwks.json", app, "*"},
		{"POST", "/oauth/token", app, app},
		{"POST", "/oauth/revoke", app, app},
		{"GET", "/oauth/userinfo", app, app},
		{"POST", "/oauth/token", stranger, ""},
		{"POST", "/oauth/token", "null", ""},
		{"POST", "/oauth/token", app + ".evil.example", ""},
		{"POST", "/oauth/introspect", app, ""},
		{"GET", "/oauth/authorize", app, ""},
		{"OPTIONS", "/oauth/authorize", app, ""},
		{"OPTIONS", "/login", app, ""},
		{"OPTIONS", "/oauth/introspect", app, ""},
		{"OPTIONS", "/oauth/token", app, app},
		{"OPTIONS", "/oauth/token", stranger, ""},
		{"OPTIONS", "/oauth/token", "null", ""},
	}
	for _, c := range cases {
		t.Run(c.method+" "+c.path+" from "+c.origin, func(t *testing.T) {
			header := []string{"Origin", c.origin}
			if c.method == "OPTIONS" {
				header = append(header, "Access-Control-Request-Method", "POST")
			}
			body := ""
			if c.method == "POST" {
				body = "a=b"
			}
			r := b.do(b.request(c.method, c.path, body, header...))
			if got := r.Header.Get("Access-Control-Allow-Origin"); got != c.want {
				t.Errorf("Access-Control-Allow-Origin = %q, want %q", got, c.want)
			}
			if r.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
			if c.want != "*" && c.want != "" && r.Header.Get("Vary") == "" {
				t.Error("an answer that depends on the origin does not say so")
			}
			if c.method == "OPTIONS" && c.want == "" && r.StatusCode < 400 {
				t.Errorf("status %d", r.StatusCode)
			}
		})
	}
}

func TestMD01MD04Documents(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	for path, contentType := range map[string]string{
		"/.well-known/openid-configuration": "application/json", "/.well-known/oauth-authorization-server": "application/json",
		"/.well-known/jwks.json": "application/jwk-set+json",
	} {
		r := b.get(path)
		wantStatus(t, r, 200)
		if r.Header.Get("Content-Type") != contentType || r.Header.Get("Cache-Control") != "public, max-age=300" || r.Header.Get("ETag") == "" {
			t.Errorf("%s: headers %v", path, r.Header)
		}
		wantStatus(t, b.get(path, "If-None-Match", r.Header.Get("ETag")), http.StatusNotModified)
		head := b.do(b.request("HEAD", path, ""))
		if head.StatusCode != 200 || head.body != "" || head.Header.Get("Content-Length") != fmt.Sprint(len(r.body)) {
			t.Errorf("HEAD %s: %d, %d bytes, %v", path, head.StatusCode, len(head.body), head.Header)
		}
		wantStatus(t, b.post(path, url.Values{"a": {"b"}}), 405)
	}
	if got := b.get("/.well-known/openid-configuration").json(t)["issuer"]; got != issuer {
		t.Errorf("MD01 issuer = %v", got)
	}
	keys := b.get("/.well-known/jwks.json")
	if strings.Contains(keys.body, `"d"`) || !strings.Contains(keys.body, `"kid"`) {
		t.Errorf("MD04 %s", keys.body)
	}
	req := b.request("GET", "/.well-known/openid-configuration", "")
	req.Host = "evil.example"
	r := b.do(req)
	if r.StatusCode != http.StatusMisdirectedRequest || strings.Contains(r.body, "evil.example") {
		t.Errorf("MD01 another Host: %d %s", r.StatusCode, r.body)
	}
}

func TestMD01AnIssuerWithAPath(t *testing.T) {
	const tenant = issuer + "/tenant"
	h := newHouse(t, options{issuer: tenant, gateway: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(299) })})
	b := h.browser()
	for path, want := range map[string]int{
		"/tenant/.well-known/openid-configuration":       200,
		"/.well-known/openid-configuration/tenant":       200,
		"/tenant/.well-known/oauth-authorization-server": 200,
		"/.well-known/oauth-authorization-server/tenant": 200,
		"/tenant/.well-known/jwks.json":                  200,
		"/.well-known/openid-configuration":              299,
		"/oauth/authorize":                               299,
		"/tenant/other":                                  404,
	} {
		r := b.get(path)
		wantStatus(t, r, want)
		if want == 200 && strings.Contains(path, "configuration") && r.json(t)["issuer"] != tenant {
			t.Errorf("%s: issuer = %v", path, r.json(t)["issuer"])
		}
	}
	page := b.get("/tenant" + authorizeURL())
	if !strings.HasPrefix(page.Header.Get("Location"), "/tenant/login?flow=") {
		t.Errorf("Location = %q", page.Header.Get("Location"))
	}
	page = b.get(page.Header.Get("Location"))
	if !strings.Contains(page.body, `action="/tenant/login"`) || !strings.Contains(page.body, `href="/tenant/static/style.`) {
		t.Errorf("addresses on the page lack the issuer's path:\n%s", page.body)
	}
}

func TestG13PathsAreExact(t *testing.T) {
	reached := ""
	gateway := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached = r.URL.EscapedPath(); w.WriteHeader(299) })
	h := newHouse(t, options{gateway: gateway})
	b := h.browser()
	for path, want := range map[string]int{
		"/oauth/token/": 404, "/oauth//token": 404, "/oauth/./token": 404, "/oauth/../oauth/token": 404, "/oauth/%74oken": 404,
		"/oauth/token%2f": 404, "/oauth": 404, "/login/": 404, "/login/x": 404, "/static/": 404, "/static/../login": 404,
		"/login%2f": 404, "/login;x=1": 404, "/.well-known/openid-configuration/": 404, "/device/": 404, "/ciba/x": 404, "/admin/api": 404,
		"/catalog/items/1": 299, "/loginx": 299, "//login": 299, "/.well-known/oauth-protected-resource/catalog": 299, "/": 299,
	} {
		t.Run(path, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				req := b.request(method, "/", "")
				u, err := url.Parse(issuer)
				if err != nil {
					t.Fatal(err)
				}
				u.Path, _ = url.PathUnescape(path)
				u.RawPath = path
				req.URL = u
				reached = ""
				r := b.do(req)
				if r.StatusCode != want || r.Header.Get("Location") != "" {
					t.Errorf("AZ13 %s: %d to %q, want %d and no redirect", method, r.StatusCode, r.Header.Get("Location"), want)
				}
				if (reached != "") != (want == 299) {
					t.Errorf("%s: the gateway got %q", method, reached)
				}
			}
		})
	}
}

func TestStaticFilesAreNamedByTheirContent(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.loginPage().body
	at := strings.Index(page, "/static/style.")
	address := page[at : at+strings.Index(page[at:], `"`)]
	r := b.get(address)
	wantStatus(t, r, 200)
	if r.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("headers: %v", r.Header)
	}
	if slices.ContainsFunc(r.Cookies(), func(*http.Cookie) bool { return true }) {
		t.Error("a static file sets a cookie")
	}
	wantStatus(t, b.get("/static/style.css"), 404)
}

func TestIN06IN11AnswersAsJWTForWhoAcceptsThem(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	tok := b.post("/oauth/token", h.credentials()).json(t)["access_token"].(string)
	const jwt = "application/token-introspection+jwt"
	for _, c := range []struct{ accept, token, want string }{
		{"", tok, "application/json"}, {"*/*", tok, "application/json"}, {jwt, tok, jwt}, {jwt, "x", jwt}, {jwt + ";q=0.1, application/json", tok, "application/json"},
	} {
		req := b.request(http.MethodPost, "/oauth/introspect", url.Values{"client_id": {"rs"}, "client_secret": {h.secret.Reveal()}, "token": {c.token}}.Encode())
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		got := b.do(req)
		wantStatus(t, got, http.StatusOK)
		if got.Header.Get("Content-Type") != c.want || !slices.Contains(got.Header.Values("Vary"), "Accept") || got.Header.Get("Cache-Control") != "no-store" || (strings.Count(got.body, ".") == 2) != (c.want == jwt) {
			t.Errorf("Accept %q: %v %.80s", c.accept, got.Header, got.body)
		}
	}
}
