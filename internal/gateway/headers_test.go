package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestGW16GW17GW18ForgedHeadersNeverArrive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	forged := []string{
		"Cookie", "DPoP", "Proxy-Authorization", "Proxy-Anything", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Uri",
		"X-Forwarded-Prefix", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Real-IP", "X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "Via", "X-Sallyport-Sub", "X-Internal-Jwt",
		"X-User", "X-User-Id", "X-Userinfo", "X-UserId", "X-Auth-Request-Email", "X-Authenticated-User", "X-Auth-Token", "X-Remote-User", "X-Remote-Addr", "Remote-User",
		"X-Client-Cert", "X-Client-Cert-Dn", "Client-Cert", "SSL-Client-S-Dn", "X-SSL-Client-Verify", "X-Jwt-Assertion", "X-Consumer-Id", "True-Client-IP", "CF-Connecting-IP",
		"X-Webauth-User", "X-Goog-Authenticated-User-Email", "X-Amzn-Oidc-Data", "X-Ms-Client-Principal", "X-Host", "X-Access-Token", "Http2-Settings", "Keep-Alive", "Proxy-Connection",
	}
	spell := []func(string) string{
		func(s string) string { return s },
		strings.ToLower,
		strings.ToUpper,
		func(s string) string { return strings.ReplaceAll(s, "-", "_") },
		func(s string) string { return strings.Replace(strings.ToLower(s), "-", "_", 1) },
	}
	folded := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	ours := []string{"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
	for _, name := range forged {
		for _, sp := range spell {
			spelled := sp(name)
			// Twice, and once declared hop-by-hop together with what the gateway adds.
			for _, extra := range [][]string{nil, {spelled + ": evil"}, {"Connection: Authorization, X-Forwarded-For, " + spelled}} {
				got := f.call("GET", "/catalog/items/1", append(extra, spelled+": evil", "Authorization: "+f.bearer())...)
				calls := f.taken()
				if got.Status != 200 || len(calls) != 1 {
					t.Fatalf("%s: status %d", spelled, got.Status)
				}
				for h, vv := range calls[0].Header {
					if folded(h) == folded(name) && !slices.Contains(ours, folded(name)) || slices.Contains(vv, "evil") || strings.Contains(h, "_") {
						t.Errorf("%s arrived as %s: %q", spelled, h, vv)
					}
				}
				if a := calls[0].Header["Authorization"]; len(a) != 1 || !strings.HasPrefix(a[0], "Bearer eyJ") {
					t.Errorf("%s: Authorization at the backend is %q", spelled, a)
				}
				if x := calls[0].Header["X-Forwarded-For"]; len(x) != 1 || x[0] != "127.0.0.1" {
					t.Errorf("%s: X-Forwarded-For at the backend is %q", spelled, x)
				}
			}
		}
	}
}

// CL11: a backend that believes in such a header believes the gateway.
func TestCL11ForwardedCertificatesNeverArrive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, name := range []string{"X-Client-Cert", "X_Client_Cert", "X-Client-Cert-Chain", "Client-Cert", "SSL_CLIENT_CERT", "X-Forwarded-Client-Cert", "OAuth-Client-Attestation", "OAuth-Client-Attestation-PoP"} {
		got := f.call("GET", "/catalog/items/1", name+": spoofed", "Authorization: "+f.bearer())
		calls := f.taken()
		if got.Status != 200 || len(calls) != 1 {
			t.Fatalf("%s: status %d", name, got.Status)
		}
		for header, values := range calls[0].Header {
			if slices.Contains(values, "spoofed") {
				t.Errorf("%s arrived as %s", name, header)
			}
		}
	}
}

func TestOrdinaryHeadersArrive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	f.call("GET", "/catalog/items/1", "Authorization: "+f.bearer(), "Accept: a/b", "Accept-Language: de", "If-None-Match: \"x\"", "X-Request-Id: 7", "Traceparent: 00-1", "Range: bytes=0-1")
	calls := f.taken()
	for name, want := range map[string]string{"Accept": "a/b", "Accept-Language": "de", "If-None-Match": `"x"`, "X-Request-Id": "7", "Traceparent": "00-1", "Range": "bytes=0-1", "X-Forwarded-Host": "api.example.com", "X-Forwarded-Proto": "http"} {
		if got := calls[0].Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if _, compressed := calls[0].Header["Accept-Encoding"]; compressed {
		t.Error("the gateway asks for compression that the client did not ask for")
	}
	if "http://"+calls[0].Host != f.backend.URL {
		t.Errorf("Host %q", calls[0].Host)
	}
}

func TestGW16TrailersNeverArrive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	got := f.raw("POST /catalog/items HTTP/1.1", "Host: a", "Connection: close", "Authorization: "+f.bearer(withScope("catalog.write")), "Transfer-Encoding: chunked",
		"Trailer: X-User-Id, X_Internal_Jwt, Authorization2", "", "2", "hi", "0", "X-User-Id: evil", "X_Internal_Jwt: evil", "Authorization2: evil")
	calls := f.taken()
	if got.Status != 200 || len(calls) != 1 || calls[0].Body != "hi" {
		t.Fatalf("status %d, calls %v", got.Status, calls)
	}
	if len(calls[0].Trailer) != 0 || strings.Contains(fmt.Sprint(calls[0].Header), "evil") {
		t.Errorf("trailer %v, header %v", calls[0].Trailer, calls[0].Header)
	}
}

func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</evil>; rel=preload")
		w.Header().Set("Set-Cookie", "early=1")
		w.WriteHeader(http.StatusEarlyHints)
		for _, name := range []string{"Set-Cookie", "Server", "X-Powered-By", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "WWW-Authenticate", "Alt-Svc", "X_Odd", "Proxy-Authenticate", "X-Sallyport-X", "Keep-Alive"} {
			w.Header().Set(name, "evil")
		}
		if cc := r.Header.Get("Want"); cc != "" {
			w.Header().Set("Cache-Control", cc)
		}
		w.Header().Set("Link", "fine")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "1")
		w.Header().Set(http.TrailerPrefix+"Access-Control-Allow-Origin", "evil")
		w.Header().Set(http.TrailerPrefix+"X-Powered-By", "evil")
	})
	for want, cc := range map[string]string{
		"": "no-store", "no-store": "no-store", "private, max-age=60": "private, max-age=60", "max-age=60": "private, max-age=60",
		"public, max-age=60": "private, max-age=60", "Public": "private", "s-maxage=60, max-age=1": "private, max-age=1", "no-cache": "private, no-cache", `private="x"`: `private, private="x"`,
	} {
		t.Run("GW28 Cache-Control "+want, func(t *testing.T) {
			req, _ := http.NewRequest("GET", f.front.URL+"/catalog/items/me.css", nil)
			req.Header.Set("Authorization", f.bearer())
			req.Header.Set("Want", want)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, res)
			if got.Status != 401 || got.Body != "body" || got.Header.Get("Link") != "fine" {
				t.Errorf("got %+v", got)
			}
			for h, vv := range got.Header {
				if strings.Contains(strings.Join(vv, ","), "evil") || strings.Contains(strings.Join(vv, ","), "early") {
					t.Errorf("%s: %q left the gateway", h, vv)
				}
			}
			for h, vv := range res.Trailer {
				if slices.Contains(vv, "evil") {
					t.Errorf("trailer %s: %q left the gateway", h, vv)
				}
			}
			if res.Trailer.Get("X-Sum") != "1" {
				t.Errorf("the announced trailer is lost: %v", res.Trailer)
			}
			if have := got.Header["Cache-Control"]; len(have) != 1 || have[0] != cc {
				t.Errorf("Cache-Control %q, want %q", have, cc)
			}
		})
	}
}

func TestEarlyHintsAreNotPassedOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "early=1")
		w.WriteHeader(http.StatusEarlyHints)
	})
	if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 { // the first answer on the wire
		t.Errorf("status %d with %v", got.Status, got.Header)
	}
}

func TestGW22J143NoSmuggling(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	auth := "Authorization: " + f.bearer(withScope("catalog.write catalog.read"))
	second := "GET /catalog/items/secret HTTP/1.1\r\nHost: a\r\n\r\n"
	for name, lines := range map[string][]string{
		"CL and TE":               {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Content-Length: 6", "Transfer-Encoding: chunked", "", "0", "", second},
		"TE and CL":               {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Transfer-Encoding: chunked", "Content-Length: 4", "", "0", "", second},
		"two lengths":             {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Content-Length: 0", "Content-Length: 44", "", second},
		"length list":             {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Content-Length: 0, 44", "", second},
		"folded header":           {"POST /catalog/items HTTP/1.1", "Host: a", auth, "X-A: b", " Transfer-Encoding: chunked", "Content-Length: 0", "", second},
		"space before colon":      {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Transfer-Encoding : chunked", "Content-Length: 0", "", second},
		"other transfer encoding": {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Transfer-Encoding: xchunked", "", second},
		"two transfer encodings":  {"POST /catalog/items HTTP/1.1", "Host: a", auth, "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "", "0", "", second},
		"h2c upgrade":             {"GET /catalog/items/1 HTTP/1.1", "Host: a", auth, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", "", second},
		"unknown upgrade":         {"GET /catalog/items/1 HTTP/1.1", "Host: a", auth, "Connection: Upgrade", "Upgrade: websocket, h2c", "", second},
		"upgrade with a body":     {"GET /catalog/items/1 HTTP/1.1", "Host: a", auth, "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 4", "", "abcd" + second},
	} {
		t.Run(name, func(t *testing.T) {
			f.rawAll(lines)
			for _, r := range f.taken() {
				if strings.Contains(r.URI, "secret") || r.Header.Get("Upgrade") != "" || strings.Contains(r.Body, "GET ") {
					t.Errorf("the backend got %s %s with body %q", r.Method, r.URI, r.Body)
				}
			}
		})
	}
}

// rawAll sends lines and reads all answers until the connection goes quiet.
func (f *fixture) rawAll(lines []string) []int {
	conn, err := net.Dial("tcp", f.front.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(300 * time.Millisecond))
	_, _ = io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n")
	var out []int
	for r := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return out
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		out = append(out, res.StatusCode)
	}
}
