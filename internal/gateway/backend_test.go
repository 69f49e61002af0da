package gateway_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

func withBackend(b gateway.Backend) change {
	return func(o *gateway.Options) { o.APIs[0].Backend = b }
}

// saying answers with what the header lines of the request named Say… say.
func saying(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	for _, line := range r.Header["Say"] {
		name, value, _ := strings.Cut(line, "=")
		if name == "status" {
			_, _ = fmt.Sscan(value, &status)
			continue
		}
		w.Header().Add(name, value)
	}
	w.WriteHeader(status)
}

func say(lines ...string) []string {
	out := make([]string, 0, len(lines))
	for _, l := range lines {
		out = append(out, "Say: "+l)
	}
	return out
}

func TestGW16InnerTokenInAHeaderOfItsOwn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withBackend(gateway.Backend{InnerHeader: "x-assertion"}))
	spellings := []string{"X-Assertion", "x-assertion", "X_Assertion", "X.Assertion", "X-ASSERTION", "X!Assertion", "X~Assertion", "X-assertion_"}
	for _, name := range spellings {
		for _, extra := range [][]string{nil, {name + ": evil"}, {"Connection: X-Assertion, " + name}} {
			got := f.call("GET", "/catalog/items/1", append(extra, name+": evil", "Authorization: "+f.bearer())...)
			calls := f.taken()
			if got.Status != 200 || len(calls) != 1 {
				t.Fatalf("%s: status %d", name, got.Status)
			}
			h := calls[0].Header
			if v := h["X-Assertion"]; len(v) != 1 || !strings.HasPrefix(v[0], "eyJ") || h["Authorization"] != nil {
				t.Errorf("%s: the backend got %q and Authorization %q", name, v, h["Authorization"])
			}
			if strings.Contains(fmt.Sprint(h), "evil") {
				t.Errorf("%s arrived: %v", name, h)
			}
		}
	}
}

func TestGW19AtTierHighAnInnerTokenIsForOneRequest(t *testing.T) {
	t.Parallel()
	for _, tier := range []token.Tier{token.TierStandard, token.TierHigh} {
		f := newFixture(t, nil, func(o *gateway.Options) {
			o.APIs[0].Operations[0].Tier = &tier
			o.APIs[0].Operations[0].ACR = ""
		})
		f.stopped = time.Now()
		f.catchUp()
		d := f.device()
		tok := d.token(strong)
		lines := func(target string) []string {
			path, _, _ := strings.Cut(target, "?")
			return d.lines(tok, claim("htu", "https://api.example.com"+path), claim("nonce", newProofs(t, f.ring, f.now).Nonce(token.NonceGateway)))
		}
		claims := map[string]map[string]any{}
		for _, target := range []string{"/catalog/items/1", "/catalog/items/2", "/catalog/items/2?a=b%20c", "/catalog/items/2?"} {
			got := f.call("GET", target, lines(target)...)
			calls := f.taken()
			if got.Status != 200 || len(calls) != 1 {
				t.Fatalf("%s %s: status %d %s", tier, target, got.Status, got.Body)
			}
			_, payload, _ := strings.Cut(strings.TrimPrefix(calls[0].Header.Get("Authorization"), "Bearer "), ".")
			payload, _, _ = strings.Cut(payload, ".")
			raw, err := base64.RawURLEncoding.DecodeString(payload)
			if err != nil {
				t.Fatal(err)
			}
			var c map[string]any
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			claims[target] = c
			sum := sha256.Sum256([]byte("GET " + calls[0].URI))
			want := base64.RawURLEncoding.EncodeToString(sum[:])
			if tier == token.TierHigh && c["req"] != want {
				t.Errorf("%s: req %v, want that of %s", target, c["req"], calls[0].URI)
			}
			if tier != token.TierHigh && c["req"] != nil {
				t.Errorf("%s %s: bound without need", tier, target)
			}
		}
		if a, b := claims["/catalog/items/1"]["jti"], claims["/catalog/items/2"]["jti"]; (a == b) != (tier != token.TierHigh) {
			t.Errorf("%s: inner tokens %v and %v", tier, a, b)
		}
	}
}

// GW28 of Location: an answer leads to its API, and elsewhere only where that is
// configured.
func TestHostileRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, saying, withBackend(gateway.Backend{Redirects: []string{"https://pay.example.com"}}))
	up, _ := url.Parse(f.backend.URL)
	for _, tt := range []struct{ location, want string }{
		{"/items/2", "/catalog/items/2"},
		{"/items/2?a=b#c", "/catalog/items/2?a=b#c"},
		{"/catalog/items/2", "/catalog/items/2"},
		{"2", "/catalog/items/2"},
		{"../items/2", "/catalog/items/2"},
		{"?page=2", "/catalog/items/1?page=2"},
		{"/", "/catalog/"},
		{"http://" + up.Host + "/items/2", "/catalog/items/2"},
		{"https://" + strings.ToUpper(up.Host) + "/items/2", "/catalog/items/2"},
		{"https://api.example.com/catalog/items/2", "https://api.example.com/catalog/items/2"},
		{"https://pay.example.com/x?y", "https://pay.example.com/x?y"},

		{"https://evil.example/", ""},
		{"https://pay.example.com.evil.example/", ""},
		{"https://pay.example.com@evil.example/", ""},
		{"https://pay.example.com:8443/", ""},
		{"http://pay.example.com/", ""},
		{"https://api.example.com/oauth/authorize", ""},
		{"https://api.example.com/catalogue", ""},
		{"https://auth.example.com/oauth/authorize?client_id=x", ""},
		{"//evil.example/", ""},
		{"///evil.example/", ""},
		{`/\evil.example/`, ""},
		{`\\evil.example/`, ""},
		{"/\tevil", ""},
		{"https:evil.example", ""},
		{"https:/evil.example", ""},
		{"javascript:alert(1)", ""},
		{"data:text/html,x", ""},
		{"com.example.app:/callback", ""},
		{"http://user@" + up.Host + "/", ""},
		{"/%2e%2e/oauth", ""},
		{"/a/..%2f..%2foauth", ""},
		{"/ü", ""},
		{"/a//b", ""},
	} {
		for _, status := range []string{"301", "302", "303", "307", "308", "201"} {
			got := f.call("GET", "/catalog/items/1", append(say("status="+status, "Location="+tt.location, "Content-Location="+tt.location), "Authorization: "+f.bearer())...)
			loc, content := got.Header.Get("Location"), got.Header.Get("Content-Location")
			if loc != tt.want || status == "201" && content != tt.want {
				t.Errorf("%s %q: Location %q, Content-Location %q, want %q", status, tt.location, loc, content, tt.want)
			}
			if refused := tt.want == "" && status != "201"; refused != (got.Status == 502) {
				t.Errorf("%s %q: answered %d", status, tt.location, got.Status)
			}
		}
	}
	for _, lines := range [][]string{{"Location=/a", "Location=https://evil.example/"}} {
		if got := f.call("GET", "/catalog/items/1", append(say(append(lines, "status=302")...), "Authorization: "+f.bearer())...); got.Status != 502 {
			t.Errorf("two of them: %d %v", got.Status, got.Header["Location"])
		}
	}
}

func TestBackendsSpeakForTheHostOnlyWhereConfigured(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"Set-Cookie=a=b", "Clear-Site-Data=\"*\"", "Strict-Transport-Security=max-age=0", "Refresh=0; url=https://evil.example", "Alt-Svc=h3=\":1\"",
		"Public-Key-Pins=x", "NEL={}", "Report-To={}", "Reporting-Endpoints=x=\"https://evil.example\"", "Service-Worker-Allowed=/", "SourceMap=x", "Accept-CH=x",
		"Timing-Allow-Origin=*", "Access-Control-Allow-Origin=https://evil.example", "Access-Control-Allow-Credentials=true", "Access-Control-Expose-Headers=*",
		"Access-Control-Allow-Private-Network=true", "X-Accel-Redirect=/x", "X-Sendfile=/etc/passwd", "Server=x", "X-Powered-By=x", "X.Odd=x", "Set-Cookie2=x", "Origin-Trial=x", "Permissions-Policy=x",
		"WWW-Authenticate=Basic", "DPoP-Nonce=x", "Proxy-Authenticate=x", "Activate-Storage-Access=retry",
	}
	f := newFixture(t, saying)
	got := f.call("GET", "/catalog/items/1", append(say(hostile...), "Authorization: "+f.bearer())...)
	for _, h := range hostile {
		name, _, _ := strings.Cut(h, "=")
		if v := got.Header.Values(name); v != nil {
			t.Errorf("%s: %q left the gateway", name, v)
		}
	}
	if got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("the answer may be sniffed")
	}
	allowed := newFixture(t, saying, withBackend(gateway.Backend{Cookies: true, Says: []string{"clear-site-data", "Refresh"}}))
	cookies := []string{
		"Set-Cookie=good=1; Path=/catalog; Secure", "Set-Cookie=__Host-sallyport=evil; Path=/; Secure", "Set-Cookie=__secure-x=evil", "Set-Cookie=wide=evil; Domain=example.com",
		"Set-Cookie==__Host-sallyport=evil",
	}
	got = allowed.call("GET", "/catalog/items/1", append(say(append(cookies, hostile...)...), "Authorization: "+allowed.bearer(), "Cookie: __Host-sallyport=secret; good=1; __Host-Http-x=secret", "Cookie: b=2")...)
	if v := got.Header["Set-Cookie"]; !slices.Equal(v, []string{"good=1; Path=/catalog; Secure", "a=b"}) {
		t.Errorf("Set-Cookie %q", v)
	}
	if got.Header.Get("Clear-Site-Data") == "" || got.Header.Get("Refresh") == "" || got.Header.Get("Alt-Svc") != "" || got.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("header %v", got.Header)
	}
	if c := allowed.taken()[0].Header["Cookie"]; !slices.Equal(c, []string{"good=1; b=2"}) {
		t.Errorf("the backend got the cookies %q", c)
	}
}

func TestAnswersHaveNoOriginAsPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, saying)
	for kind, sandboxed := range map[string]bool{
		"text/html": true, "TEXT/HTML; charset=utf-8": true, "image/svg+xml": true, "application/xml": true, "text/xml": true, "application/xhtml+xml": true, "multipart/x-mixed-replace": true,
		"application/json": false, "text/plain": false, "image/png": false,
	} {
		got := f.call("GET", "/catalog/items/1", append(say("Content-Type="+kind, "Content-Security-Policy=default-src *"), "Authorization: "+f.bearer())...)
		if csp := got.Header["Content-Security-Policy"]; slices.Contains(csp, "sandbox") != sandboxed || !slices.Contains(csp, "default-src *") {
			t.Errorf("%s: Content-Security-Policy %q", kind, csp)
		}
	}
}

func TestGW25CORSIsTheGateways(t *testing.T) {
	t.Parallel()
	f := newFixture(t, saying, withBackend(gateway.Backend{ExposeHeaders: []string{"X-Total-Count"}, PreflightAge: time.Hour}))
	for origin, ok := range map[string]bool{
		"https://app.example.com": true, "https://app.example.com.evil.example": false, "https://evilapp.example.com": false, "http://app.example.com": false,
		"null": false, "https://APP.example.com": false, "https://app.example.com:443": false, "https://app.example.com/": false, "*": false, "": false,
	} {
		got := f.call("GET", "/catalog/items/1", append(say("Access-Control-Allow-Origin="+origin, "Access-Control-Allow-Credentials=true"), "Origin: "+origin, "Authorization: "+f.bearer())...)
		want := ""
		if ok {
			want = origin
		}
		if h := got.Header; h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Credentials") != "" || !slices.Contains(h["Vary"], "Origin") ||
			ok != strings.Contains(h.Get("Access-Control-Expose-Headers"), "X-Total-Count") {
			t.Errorf("%q: %v", origin, h)
		}
		pre := f.call("OPTIONS", "/catalog/items/1", "Origin: "+origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization, x-user-id, x-page")
		if (pre.Status == 204) != ok || pre.Header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("preflight of %q: %d %v", origin, pre.Status, pre.Header)
		}
		if ok && (pre.Header.Get("Access-Control-Max-Age") != "3600" || pre.Header.Get("Access-Control-Allow-Headers") != "authorization, x-page") {
			t.Errorf("preflight %v", pre.Header)
		}
	}
}

func TestBackendSettingsThatContradictAreRefused(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]gateway.Backend{
		"protocol: \"h3\"":          {Protocol: "h3"},
		"protocol: h2 is":           {Protocol: gateway.H2},
		"inner_header: ":            {InnerHeader: "Cookie"},
		"inner_header: \"X_Token\"": {InnerHeader: "X_Token"},
		"inner_header: \"Host\"":    {InnerHeader: "Host"},
		"response_headers: \"Access-Control-Allow-Origin\"": {Says: []string{"Access-Control-Allow-Origin"}},
		"response_headers: \"ETag\" passes":                 {Says: []string{"ETag"}},
		"response_headers: for Set-Cookie":                  {Says: []string{"set-cookie"}},
		"redirects: \"https://a.example/x\"":                {Redirects: []string{"https://a.example/x"}},
		"redirects: \"*\"":                                  {Redirects: []string{"*"}},
		"cors_expose: ":                                     {ExposeHeaders: []string{"Set-Cookie"}},
		"cors_max_age: ":                                    {PreflightAge: 24 * time.Hour},
		"upstream_timeouts: ":                               {IdleTimeout: -1},
	} {
		up, _ := url.Parse("http://127.0.0.1:9000")
		_, err := gateway.New(gateway.Options{
			Issuer: issuer, Ring: newRing(t), Feed: newFixture(t, nil).feed, Proofs: newProofs(t, newRing(t), time.Now), Now: time.Now,
			APIs: []gateway.API{{Name: "catalog", Audience: audience, Path: "/catalog", Upstream: up, Operations: operations(), Backend: b}},
		})
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(name, "\"", "")) && !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want %s", b, err, name)
		}
	}
}

func TestLargeUploadsAreStreamed(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	got := make(chan int64, 1)
	f := newFixture(t, nil, withBackend(gateway.Backend{MaxBodyBytes: 2 * size}))
	backend := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
		_, _ = io.WriteString(w, "done")
	})
	f.backend.Config.Handler = backend
	req, _ := http.NewRequest("POST", f.front.URL+"/catalog/items", io.LimitReader(endless{}, size))
	req.ContentLength = size
	req.Header.Set("Authorization", f.bearer(withScope("catalog.write")))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if a := read(t, res); a.Status != 200 || <-got != size {
		t.Errorf("status %d %s", a.Status, a.Body)
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
