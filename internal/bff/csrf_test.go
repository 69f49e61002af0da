package bff_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/bff"
	"sallyport/internal/secret"
)

// attacks are requests that a browser sends for another page than the app's, or
// that lack one of the three signs.
var attacks = []struct {
	name   string
	h      as
	method string
	want   string
}{
	{"T141 without the header", post.but("X-Sallyport-Csrf", ""), "POST", "csrf_header"},
	{"T141 without Sec-Fetch-Site", post.but("Sec-Fetch-Site", ""), "POST", "csrf_site"},
	{"T141 missing Origin", post.but("Origin", ""), "POST", "csrf_origin"},
	{"T009 a form of another site", as{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Sec-Fetch-Mode": "navigate"}, "POST", "csrf_site"},
	{"T009 text/plain JSON of another site", as{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "Content-Type": "text/plain"}, "POST", "csrf_site"},
	{"a sibling sub-domain", post.but("Sec-Fetch-Site", "same-site").but("Origin", "https://evil.example.com"), "POST", "csrf_site"},
	{"a sibling that says same-origin by itself", post.but("Origin", "https://evil.example.com"), "POST", "csrf_origin"},
	{"Origin null", post.but("Origin", "null"), "POST", "csrf_origin"},
	{"the same host at another port", post.but("Origin", origin+":8443"), "POST", "csrf_origin"},
	{"the same host without TLS", post.but("Origin", "http://shop.example.com"), "POST", "csrf_origin"},
	{"a link, which is a GET", as{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, "GET", "csrf_site"},
	{"a picture, which is a GET", as{"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, "GET", "csrf_site"},
	{"a picture on the app's own page", as{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, "GET", "csrf_header"},
	{"an empty header", page.but("X-Sallyport-Csrf", " "), "GET", ""},
	{"a WebSocket of a sibling", as{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.com", "Upgrade": "websocket"}, "GET", "csrf_site"},
	{"a WebSocket without an origin", as{"Sec-Fetch-Site": "same-origin", "Upgrade": "websocket"}, "GET", "csrf_header"},
}

func TestBF04CallsComeFromPagesOfTheApp(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	for _, c := range attacks {
		t.Run(c.name, func(t *testing.T) {
			before := f.store.reads
			access, why, err := f.service.Gate("catalog").AccessToken(f.request(c.method, "/catalog/items/1", c.h))
			if c.want == "" {
				return
			}
			if why != c.want || !access.IsZero() || err != nil {
				t.Errorf("%q %v, want %q", why, err, c.want)
			}
			if f.store.reads != before {
				t.Error("the session was looked up before the request was judged")
			}
		})
	}
	for name, r := range map[string]*http.Request{
		"GET": f.request("GET", "/catalog/items/1", page), "POST": f.request("POST", "/catalog/items", post),
		"GET with its own origin": f.request("GET", "/catalog/items/1", post), "WebSocket": f.request("GET", "/catalog/live", post.but("X-Sallyport-Csrf", "").but("Upgrade", "websocket")),
	} {
		if access, why, err := f.service.Gate("catalog").AccessToken(r); access.IsZero() || why != "" || err != nil {
			t.Errorf("the app's own %s: %q %v", name, why, err)
		}
	}
	t.Run("a header twice is none", func(t *testing.T) {
		for _, name := range []string{"Sec-Fetch-Site", "Origin", "X-Sallyport-Csrf"} {
			r := f.request("POST", "/catalog/items", post)
			r.Header.Add(name, r.Header.Get(name))
			if _, why, _ := f.service.Gate("catalog").AccessToken(r); !strings.HasPrefix(why, "csrf_") {
				t.Errorf("%s twice: %q", name, why)
			}
		}
	})
}

func TestBF03CookiesThatAreNotOurs(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	mine := f.cookies[cookieName]
	for _, c := range []struct{ name, cookies, want string }{
		{"tossed beside ours", cookieName + "=x; " + cookieName + "=" + mine, bff.ManyCookies},
		{"the same one twice", cookieName + "=" + mine + "; " + cookieName + "=" + mine, bff.ManyCookies},
		{"a name that browsers do not protect", "shop=" + mine, bff.NoSession},
		{"the plain prefix", "__Host-shop=" + mine, bff.NoSession},
		{"another case of the name", "__host-http-shop=" + mine, bff.NoSession},
		{"no handle", cookieName + "=x", bff.NoSession},
		{"oversize", cookieName + "=" + mine + strings.Repeat("A", 6000), bff.NoSession},
		{"a session cookie of the issuer", cookieName + "=" + secret.NewHandle(secret.SessionCookie).Reveal(), bff.NoSession},
		{"an access token", cookieName + "=" + secret.NewHandle(secret.AccessToken).Reveal(), bff.NoSession},
		{"BF07 the right session with another secret", cookieName + "=" + guess(t, mine), bff.NoSession},
		{"empty", cookieName + "=", bff.NoSession},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := f.request("GET", "/catalog/items/1", page)
			r.Header.Set("Cookie", c.cookies)
			if access, why, err := f.service.Gate("catalog").AccessToken(r); why != c.want || !access.IsZero() || err != nil {
				t.Errorf("%q %v, want %q", why, err, c.want)
			}
		})
	}
	t.Run("ours among others", func(t *testing.T) {
		r := f.request("GET", "/catalog/items/1", page)
		r.Header.Set("Cookie", "a=b; "+cookieName+"="+mine+"; c=d")
		if _, why, err := f.service.Gate("catalog").AccessToken(r); why != "" || err != nil {
			t.Errorf("%q %v", why, err)
		}
	})
	t.Run("another API", func(t *testing.T) {
		if f.service.Gate("payments") != nil {
			t.Error("an API that is not the app's takes its cookie")
		}
	})
	t.Run("another host", func(t *testing.T) {
		r := f.request("GET", "/catalog/items/1", page)
		r.Host = "auth.example.com"
		if f.service.Gate("catalog").Has(r) {
			t.Error("a cookie counts at another host")
		}
	})
}

// guess is a handle of the same session.
func guess(t *testing.T, handle string) string {
	payload, err := secret.Decode(secret.BrowserSession, handle)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Encode(secret.BrowserSession, append(payload[:16:16], secret.Random(32)...)).Reveal()
}

func TestBF15SessionTellsPagesOfTheAppAlone(t *testing.T) {
	f := newFixture(t)
	get := func(h as) (int, map[string]any, string) {
		res := f.do("GET", "/bff/session", h)
		body, _ := io.ReadAll(res.Body)
		var m map[string]any
		_ = json.Unmarshal(body, &m)
		if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("headers %v", res.Header)
		}
		return res.StatusCode, m, string(body)
	}
	if status, m, _ := get(page); status != 200 || m["signed_in"] != false {
		t.Errorf("nobody: %d %v", status, m)
	}
	f.signIn()
	status, m, body := get(page)
	claims, _ := m["claims"].(map[string]any)
	if status != 200 || m["signed_in"] != true || claims["name"] != "Ada" || len(claims) != 2 || m["idle_seconds"] != 3600.0 || m["session_seconds"] != 86400.0 {
		t.Errorf("%d %s", status, body)
	}
	if strings.Contains(body, "spat_") || strings.Contains(body, "sprt_") || strings.Contains(body, "spbs_") || strings.Contains(body, "ada@example.com") || strings.Contains(body, "at_hash") {
		t.Errorf("it tells too much: %s", body)
	}
	for name, h := range map[string]as{
		"another site": page.but("Sec-Fetch-Site", "cross-site"), "a sibling": page.but("Sec-Fetch-Site", "same-site"), "an address bar": visit, "a request without the header": page.but("X-Sallyport-Csrf", ""),
	} {
		if status, _, body := get(h); status != 403 || strings.Contains(body, "Ada") {
			t.Errorf("%s reads %d %s", name, status, body)
		}
	}
}

func TestScriptIsSmall(t *testing.T) {
	f := newFixture(t)
	res := f.do("GET", "/bff/bff.js", page)
	script, _ := io.ReadAll(res.Body)
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(script)
	_ = z.Close()
	if b.Len() >= 1000 || len(script) < 300 {
		t.Errorf("%d bytes, %d compressed, want less than 1000", len(script), b.Len())
	}
	for _, word := range []string{"localStorage", "sessionStorage", "indexedDB", "document.cookie", "import "} {
		if strings.Contains(string(script), word) {
			t.Errorf("the script has %s", word)
		}
	}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/javascript") {
		t.Error(res.Header)
	}
}
