package outbound_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/outbound"
)

var quiet = log.New(io.Discard, "", 0)

const (
	pathSecret  = "p4th-s3cret"
	querySecret = "qu3ry-s3cret"
	bodySecret  = "b0dy-s3cret"
)

// wantSilent fails if an error shows what may be a credential.
func wantSilent(t *testing.T, err error) {
	t.Helper()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for e := err; e != nil; e = errors.Unwrap(e) {
			text := fmt.Sprintf(format, e)
			for _, s := range []string{pathSecret, querySecret, bodySecret} {
				if strings.Contains(text, s) {
					t.Errorf("%s shows %s: %s", format, s, text)
				}
			}
		}
	}
}

var bomb = func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 100<<20))
	_ = z.Close()
	return b.Bytes()
}()

// badServers are answers of J132 and MD08, each with the reason it ends with.
var badServers = map[string]struct {
	reason outbound.Reason
	serve  func(w http.ResponseWriter, r *http.Request)
}{
	"301":                       {outbound.ReasonRedirect, redirect(301)},
	"302":                       {outbound.ReasonRedirect, redirect(302)},
	"303":                       {outbound.ReasonRedirect, redirect(303)},
	"307":                       {outbound.ReasonRedirect, redirect(307)},
	"308":                       {outbound.ReasonRedirect, redirect(308)},
	"304":                       {outbound.ReasonRedirect, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }},
	"404":                       {outbound.ReasonStatus, status(404)},
	"500":                       {outbound.ReasonStatus, status(500)},
	"204":                       {outbound.ReasonStatus, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }},
	"206":                       {outbound.ReasonStatus, status(206)},
	"100 MB, announced":         {outbound.ReasonSize, flood(true)},
	"100 MB, unannounced":       {outbound.ReasonSize, flood(false)},
	"one byte too many":         {outbound.ReasonSize, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, strings.Repeat("1", 256<<10+1)) }},
	"slow drip":                 {outbound.ReasonTimeout, drip},
	"no head at all":            {outbound.ReasonTimeout, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	"gzip bomb":                 {outbound.ReasonEncoding, gzipped},
	"HTML":                      {outbound.ReasonType, typed("text/html")},
	"plain text":                {outbound.ReasonType, typed("text/plain; charset=utf-8")},
	"JSON in name only":         {outbound.ReasonType, typed("application/json-ish")},
	"text/x+json":               {outbound.ReasonType, typed("text/x+json")},
	"no type":                   {outbound.ReasonType, typed()},
	"two types":                 {outbound.ReasonType, typed("application/json", "text/html")},
	"header of 1 MB":            {outbound.ReasonResponse, hugeHeader},
	"shorter than announced":    {outbound.ReasonResponse, raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{" + bodySecret)},
	"not HTTP":                  {outbound.ReasonResponse, raw("220 " + bodySecret + " ESMTP\r\n")},
	"two lengths":               {outbound.ReasonResponse, raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nContent-Length: 20\r\n\r\n{}" + bodySecret)},
	"length and chunks differ":  {outbound.ReasonResponse, raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5;" + bodySecret + "\r\n{}")},
	"many interim answers":      {outbound.ReasonResponse, raw(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <"+bodySecret+">\r\n\r\n", 1000) + "HTTP/1.1 200 OK\r\n\r\n")},
	"switches to another world": {outbound.ReasonStatus, raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + bodySecret)},
}

func redirect(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		http.Redirect(w, r, "/elsewhere?"+bodySecret, code)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `{"keys":["`+bodySecret+`"]}`)
	}
}

var flooded atomic.Int64 // bytes that the last flood could send

func flood(announced bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if announced {
			w.Header().Set("Content-Length", fmt.Sprint(100<<20))
		}
		chunk := bytes.Repeat([]byte(bodySecret), 1<<10)
		for sent := 0; sent < 100<<20; sent += len(chunk) {
			n, err := w.Write(chunk)
			flooded.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, " ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func gzipped(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bomb)
}

func typed(types ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = types
		_, _ = io.WriteString(w, `{"keys":["`+bodySecret+`"]}`)
	}
}

func hugeHeader(w http.ResponseWriter, _ *http.Request) {
	for i := range 64 {
		w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 16<<10))
	}
	writeJSON(w, `{}`)
}

func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

func TestMD08J132BadAnswers(t *testing.T) {
	for name, tc := range badServers {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			s := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); tc.serve(w, r) })
			c := outbound.NewClient(outbound.Options{AllowLoopback: true, RootCAs: rootsOf(s), Timeout: 400 * time.Millisecond})
			flooded.Store(0)
			body, err := c.Get(t.Context(), s.URL+"/"+pathSecret+"?"+querySecret)
			wantReason(t, err, tc.reason)
			wantSilent(t, err)
			if body != nil {
				t.Errorf("a body beside an error: %.40q", body)
			}
			if asked.Load() != 1 {
				t.Errorf("asked %d times, want once", asked.Load())
			}
			if n := flooded.Load(); n > 16<<20 {
				t.Errorf("%d bytes were sent", n)
			}
			if tc.reason != outbound.ReasonTimeout {
				return
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v is not context.DeadlineExceeded", err)
			}
		})
	}
}

func TestGoodAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ kind, body string }{
		"JSON":          {"application/json", `{"keys":[]}`},
		"a set of keys": {"application/jwk-set+json; charset=utf-8", `{}`},
		"the most":      {"Application/JSON", strings.Repeat("1", 256<<10)},
		"empty":         {"application/json", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != 1 || r.Header.Get("Accept-Encoding") != "" || r.Header.Get("Cookie") != "" || r.Referer() != "" {
					t.Errorf("got %s with %v", r.Proto, r.Header)
				}
				if r.RequestURI != "/keys%2F1?a=b" {
					t.Errorf("asked for %s", r.RequestURI)
				}
				w.Header().Set("Set-Cookie", "a=b; Path=/")
				w.Header().Set("Content-Type", tc.kind)
				_, _ = io.WriteString(w, tc.body)
			})
			c := near(s)
			for range 2 {
				got, err := c.Get(t.Context(), s.URL+"/keys%2F1?a=b")
				if err != nil || string(got) != tc.body {
					t.Fatalf("got %.40q, %v", got, err)
				}
			}
		})
	}
}

func TestJWTTypes(t *testing.T) {
	t.Parallel()
	for kind, ok := range map[string]bool{
		"application/oauth-authz-req+jwt": true, "application/jwt; charset=utf-8": true, "application/jose": true,
		"application/json": false, "text/plain": false, "text/html": false, "": false,
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{kind}
			_, _ = io.WriteString(w, "a.b.c")
		})
		got, err := near(s).GetJWT(t.Context(), s.URL)
		if (err == nil) != ok || ok && string(got) != "a.b.c" {
			t.Errorf("PR11 %q: %q, %v", kind, got, err)
		}
		if _, err := near(s).Get(t.Context(), s.URL); (err == nil) != (kind == "application/json") {
			t.Errorf("%q as JSON: %v", kind, err)
		}
	}
}

// G19: http.Client would carry DPoP and X-Api-Key along to another host.
func TestG19RedirectsCarryNothingAway(t *testing.T) {
	t.Parallel()
	var second atomic.Int64
	other := serve(t, func(http.ResponseWriter, *http.Request) { second.Add(1) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		first := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			if r.Header.Get("X-Api-Key") != "key" || r.Header.Get("DPoP") != "proof" || r.Header.Get("Content-Type") != "application/json" || string(b) != `{"a":1}` {
				t.Errorf("got %v and %q", r.Header, b)
			}
			http.Redirect(w, r, other.URL+"/", code)
		})
		pool := rootsOf(first)
		pool.AddCert(other.Certificate())
		c := outbound.NewClient(outbound.Options{AllowLoopback: true, RootCAs: pool})
		err := c.PostJSON(t.Context(), first.URL, map[string]string{"X-Api-Key": "key", "DPoP": "proof", "Authorization": "Bearer x"}, []byte(`{"a":1}`))
		wantReason(t, err, outbound.ReasonRedirect)
	}
	if n := second.Load(); n != 0 {
		t.Errorf("%d requests reached the other host", n)
	}
}

func TestPostJSON(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.WriteHeader(202) })
	c := near(s)
	if err := c.PostJSON(t.Context(), s.URL, nil, []byte(`{}`)); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{
		"Host": "inside", "content-length": "1", "Transfer-Encoding": "chunked", "Connection": "X-Signature", "Cookie": "a=b", "": "x",
		"X\r\nY": "x", "X-A": "x\r\nHost: inside", "X-B": "x\x00", "X C": "x", "Upgrade": "h2c", "X-D": "x\x7f", "Expect": "100-continue",
	} {
		err := c.PostJSON(t.Context(), s.URL, map[string]string{name: value}, []byte(`{}`))
		wantReason(t, err, outbound.ReasonRequest)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	bad := serve(t, status(503))
	err := near(bad).PostJSON(t.Context(), bad.URL+"/"+pathSecret, map[string]string{"X-Signature": querySecret}, []byte(bodySecret))
	wantReason(t, err, outbound.ReasonStatus)
	wantSilent(t, err)
}

func TestTLSMustHold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config *tls.Config
		host   string
		roots  bool
		want   outbound.Reason
	}{
		"TLS 1.1":               {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "", true, outbound.ReasonTLS},
		"CBC":                   {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}}, "", true, outbound.ReasonTLS},
		"RSA key exchange":      {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, "", true, outbound.ReasonTLS},
		"unknown authority":     {&tls.Config{}, "", false, outbound.ReasonTLS},
		"another name":          {&tls.Config{}, "other.example", true, outbound.ReasonTLS},
		"TLS 1.2 with GCM":      {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, "", true, outbound.ReasonOK},
		"TLS 1.3":               {&tls.Config{MinVersion: tls.VersionTLS13}, "", true, outbound.ReasonOK},
		"the name that it says": {&tls.Config{}, "example.com", true, outbound.ReasonOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) }))
			s.TLS, s.Config.ErrorLog = tc.config, quiet
			s.StartTLS()
			t.Cleanup(s.Close)
			o := outbound.Options{AllowLoopback: true, Resolver: loop{}}
			if tc.roots {
				o.RootCAs = rootsOf(s)
			}
			to := s.URL
			if tc.host != "" {
				_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
				to = "https://" + tc.host + ":" + port
			}
			_, err := outbound.NewClient(o).Get(t.Context(), to)
			wantReason(t, err, tc.want)
		})
	}
}
