package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
)

// noisy is one of each credential: of ours, of others, and what people type.
func noisy(t *testing.T, r *reloaded) map[string]string {
	t.Helper()
	segment := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	// What stands for a signature is not one, so that nobody else's scanner cries.
	jwt := segment(map[string]any{"alg": "ES256", "typ": "dpop+jwt"}) + "." + segment(map[string]any{"jti": "noisy", "htm": "GET"}) + "." + strings.Repeat("Zm9v", 16)
	all := map[string]string{
		"client secret": r.secret, "access token": r.token(), "proof": jwt, "password": "correct-horse-battery-staple-9",
		"cookie value": "Q29va2llVmFsdWVPZk5vS2luZA", "code verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		"key of a third party": "AIzaSyNoisyNoisyNoisyNoisyNoisyNoisy123",
	}
	for _, p := range secret.Prefixes {
		all["handle "+string(p)] = secret.NewHandle(p).Reveal()
	}
	return all
}

// places are where a client can put something. A credential has no business in
// most of them, and people put it there.
func places(value string) map[string]func(*http.Request) {
	header := func(name, v string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = []string{v} }
	}
	form := func(name string) func(*http.Request) {
		return func(r *http.Request) {
			body := url.Values{name: {value}, "grant_type": {"authorization_code"}, "client_id": {"job"}}.Encode()
			r.Method, r.Body, r.ContentLength = "POST", newBody(body), int64(len(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	basic := base64.StdEncoding.EncodeToString([]byte("job:" + value))
	return map[string]func(*http.Request){
		"bearer": header("Authorization", "Bearer "+value), "dpop": header("Authorization", "DPoP "+value), "basic": header("Authorization", "Basic "+basic),
		"no scheme": header("Authorization", value), "proof": header("Dpop", value), "cookie": header("Cookie", "__Host-sallyport="+value),
		"user agent": header("User-Agent", value), "referer": header("Referer", "https://app.example/?t="+value), "origin": header("Origin", value),
		"a header": header("X-Api-Key", value), "connection": header("Connection", value), "content type": header("Content-Type", value),
		"idempotency key": header("Idempotency-Key", value), "traceparent": header("Traceparent", value), "accept": header("Accept", value),
		"forwarded": header("X-Forwarded-For", value), "language": header("Accept-Language", value),
		"query": func(r *http.Request) { r.URL.RawQuery = "access_token=" + url.QueryEscape(value) },
		"odd query": func(r *http.Request) {
			r.URL.RawQuery = "x=" + url.QueryEscape(value) + "&" + url.QueryEscape(value) + "=1"
		},
		"path":   func(r *http.Request) { r.URL.Path += "/" + value; r.RequestURI = r.URL.Path },
		"method": func(r *http.Request) { r.Method = value },
		"host":   func(r *http.Request) { r.Host = value },
		"json": func(r *http.Request) {
			r.Method, r.Body = "POST", newBody(`{"token":"`+value+`"}`)
			r.Header.Set("Content-Type", "application/json")
		},
		"code": form("code"), "token": form("token"), "password": form("password"), "client_id": form("client_id"), "scope": form("scope"),
		"grant_type": form("grant_type"), "redirect_uri": form("redirect_uri"), "client_secret": form("client_secret"), "state": form("state"),
		"refresh_token": form("refresh_token"), "a name": form(value), "username": form("username"), "flow": form("flow"),
	}
}

// unlimited is a table of limits that nobody reaches.
func unlimited() *ratelimit.Table {
	var limits []ratelimit.Limit
	for _, l := range ratelimit.Limits {
		l.Burst = 1 << 20
		limits = append(limits, l)
	}
	return ratelimit.New(ratelimit.Options{Limits: limits})
}

// ownAddress is where a page says its own address to its reader, who knows it.
var ownAddress = regexp.MustCompile(`<input name="return" [^>]*>`)

type body struct{ *strings.Reader }

func (body) Close() error { return nil }

func newBody(s string) body { return body{strings.NewReader(s)} }

// LG03, T145: whatever a client puts wherever, and whatever the upstream does,
// the log at its most talkative, the metrics and what is refused have nothing of
// it. LG04: one request is one line.
func TestLG03T145NoisyTrafficLeavesNoCredential(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Echo", req.Header.Get("User-Agent"))
		if !strings.HasSuffix(req.URL.Path, "/2") {
			w.WriteHeader(http.StatusTeapot)
		}
	})
	r.n.limits = unlimited() // all lines are written
	r.change("apis:", "log: {level: debug}\napis:")
	if !r.n.log.Enabled(t.Context(), slog.LevelDebug) {
		t.Fatal("the log is not at debug")
	}
	credentials := noisy(t, r)
	requests := 0
	var refused bytes.Buffer
	before := strings.Count(r.log.String(), "\n")
	for _, value := range credentials {
		for _, target := range []string{"/a/x/1", "/a/nothing", "/oauth/token", "/oauth/authorize", "/oauth/userinfo", "/login", "/nowhere"} {
			for place, put := range places(value) {
				req := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
				req.Host = "localhost"
				put(req)
				w := httptest.NewRecorder()
				r.n.public.Handler.ServeHTTP(w, req)
				if requests++; w.Code >= 400 {
					refused.WriteString(place + target + ownAddress.ReplaceAllString(w.Body.String(), ""))
				}
			}
		}
	}
	log := r.log.String()
	metrics := httptest.NewRecorder()
	r.n.ops.Handler.ServeHTTP(metrics, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for sink, text := range map[string]string{"log": log, "metrics": metrics.Body.String(), "answers": refused.String()} {
		if len(text) < 1000 {
			t.Errorf("the %s have %d bytes: nothing was searched", sink, len(text))
		}
		for kind, value := range credentials {
			for _, form := range []string{value, value[:len(value)/2], value[len(value)/2:], base64.StdEncoding.EncodeToString([]byte("job:" + value))} {
				if i := strings.Index(text, form); i >= 0 {
					t.Errorf("%s: %s in %s", sink, kind, text[max(0, i-200):min(len(text), i+60)])
					break
				}
			}
		}
	}
	if lines := strings.Count(log, "\n") - before; lines != requests {
		t.Errorf("LG04 %d requests wrote %d lines", requests, lines)
	}
}

// LG04: text that would write lines, colours or another direction.
func TestLG04HostileTextIsOneLineOfPlainText(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	const hostile = "x\r\n{\"msg\":\"forged\"}\u2028\u202e\x1b[31m\x00"
	for _, put := range places(hostile) {
		for _, target := range []string{"/a/x/1", "/oauth/token", "/oauth/authorize"} {
			req := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
			req.Host = "localhost"
			put(req)
			r.n.public.Handler.ServeHTTP(httptest.NewRecorder(), req)
		}
	}
	for line := range strings.Lines(r.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if m["msg"] == "forged" {
			t.Errorf("a request wrote a line of its own: %q", line)
		}
		if strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n\x1b\x00\u2028\u202e") || strings.Contains(line, `\u001b`) || strings.Contains(line, `\u2028`) || strings.Contains(line, `\r`) {
			t.Errorf("marks: %q", line)
		}
	}
}

func TestTheLevelOfTheLogChangesWithoutARestart(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(http.ResponseWriter, *http.Request) {})
	for _, c := range []struct {
		text string
		want bool
	}{{"log: {level: debug}\napis:", true}, {"apis:", false}} {
		r.change("apis:", c.text)
		if got := r.n.log.Enabled(t.Context(), slog.LevelDebug); got != c.want {
			t.Errorf("%q: debug is %v", c.text, got)
		}
	}
}
