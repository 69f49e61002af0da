package egress_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sallyport/internal/egress"
)

func typed(kind string, body []byte, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		if kind == "" {
			w.Header()["Content-Type"] = nil
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		_, _ = w.Write(body)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

func deflated(text string) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

const jsonType = "application/json"

// written are the ways in which the key comes back; each must be found.
func written() map[string]string {
	m := map[string]string{
		"plain": key, "hex": hex.EncodeToString([]byte(key)), "url": url.QueryEscape(key), "JSON": strings.ReplaceAll(key, "/", `\/`), "cut": key[3:22],
	}
	for before := range 3 {
		m[fmt.Sprint("base64 ", before)] = base64.StdEncoding.EncodeToString([]byte("abc"[:before] + key))
		m[fmt.Sprint("base64url ", before)] = base64.RawURLEncoding.EncodeToString([]byte("abc"[:before] + key))
	}
	return m
}

// gives reports whether any way of writing the key is in what a client sees.
func gives(text string) bool {
	for i := range len(key) - 15 {
		part := key[i : i+16]
		for _, form := range []string{part, hex.EncodeToString([]byte(part)), url.QueryEscape(part), strings.ReplaceAll(part, "/", `\/`)} {
			if strings.Contains(text, form) {
				return true
			}
		}
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			if form := enc.EncodeToString([]byte("abc"[:before] + key)); strings.Contains(text, form[4:32]) {
				return true
			}
		}
	}
	return false
}

func TestEG03TheKeyDoesNotComeBack(t *testing.T) {
	t.Parallel()
	for name, echo := range written() {
		body := []byte(`{"seen":"` + echo + `"}`)
		for how, answer := range map[string]http.HandlerFunc{
			"body": typed(jsonType, body), "header": typed(jsonType, []byte("{}"), "ETag", `"`+echo+`"`), "gzip": typed(jsonType, gzipped(body), "Content-Encoding", "gzip"),
			"deflate": typed(jsonType, deflated(string(body)), "Content-Encoding", "deflate"), "error": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(403)
				_, _ = w.Write(body)
			},
			"chunks": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", jsonType)
				for i := range body {
					_, _ = w.Write(body[i : i+1])
					w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // it is one
				}
			},
			"trailer": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Trailer", "Etag")
				w.Header().Set("Content-Type", jsonType)
				_, _ = w.Write(body)
				w.Header().Set("Etag", echo)
			},
		} {
			t.Run(name+" in "+how, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t, setup{answer: answer})
				a := h.get("/egress/maps/v1/geocode")
				<-h.ended
				if a.Status != 200 && a.Status != 403 || a.Cut || gives(a.all()) {
					t.Errorf("%d, cut off: %v\n%s", a.Status, a.Cut, a.all())
				}
				if !strings.Contains(a.all(), "****") || !strings.Contains(h.events(), "egress.secret_echoed") {
					t.Errorf("nobody is told: %s\n%s", h.events(), a.all())
				}
			})
		}
	}
}

func TestEG06AP07WhatAnUpstreamMayAnswer(t *testing.T) {
	t.Parallel()
	big := gzipped(make([]byte, 64<<20))
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		status int
		reason string // of the event, "" for none
	}{
		"JSON":                       {typed(jsonType, []byte("{}")), 200, ""},
		"JSON, with a character set": {typed("application/json; charset=UTF-8", []byte("{}")), 200, ""},
		"JSON, packed":               {typed(jsonType, gzipped([]byte("{}")), "Content-Encoding", "gzip"), 200, ""},
		"no content":                 {status(204), 204, ""},
		"an error as a page":         {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, key, 404) }, 404, ""},
		"HTML for JSON":              {typed("text/html", []byte("<script>")), 502, "egress_answer_type"},
		"no type":                    {typed("", []byte("{}")), 502, "egress_answer_type"},
		"two types":                  {typed(jsonType, []byte("{}"), "Content-Type", "text/html"), 502, "egress_answer_type"},
		"another character set":      {typed("application/json; charset=utf-7", []byte("{}")), 502, "egress_answer_type"},
		"brotli":                     {typed(jsonType, []byte("{}"), "Content-Encoding", "br"), 502, "egress_answer_encoding"},
		"packed twice":               {typed(jsonType, gzipped(gzipped([]byte("{}"))), "Content-Encoding", "gzip, gzip"), 502, "egress_answer_encoding"},
		"an announced 5 GB": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", jsonType)
			w.Header().Set("Content-Length", "5368709120")
			w.WriteHeader(200)
		}, 502, "egress_answer_size"},
		"301":                             {status(301, "Location", "https://evil.example/?k="+key), 502, "egress_redirect"},
		"307":                             {status(307, "Location", "/v1/other"), 502, "egress_redirect"},
		"304 that nobody asked for":       {status(304), 502, "egress_redirect"},
		"201 with a place":                {status(201, "Location", "https://evil.example/?k="+key), 201, ""},
		"401":                             {status(401, "WWW-Authenticate", "Bearer error=\"invalid_token\""), 502, "egress_credential_refused"},
		"407":                             {status(407), 502, "egress_credential_refused"},
		"a part":                          {status(206), 502, "egress_answer_status"},
		"a status that there is not":      {status(777), 502, "egress_answer_status"},
		"429 with a time":                 {status(429, "Retry-After", "7"), 429, ""},
		"500":                             {status(500), 500, ""},
		"a gzip bomb, announced as small": {typed(jsonType, big, "Content-Encoding", "gzip"), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, setup{answer: func(w http.ResponseWriter, r *http.Request) {
				for n, v := range map[string]string{
					"Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*", "Server": "x", "Link": "</x>; rel=preload", "Refresh": "0;url=/x", "Clear-Site-Data": `"*"`,
					"Service-Worker-Allowed": "/", "X-Mine": "1", "Content-Security-Policy": "default-src *",
				} {
					w.Header().Set(n, v)
				}
				tt.answer(w, r)
			}})
			a := h.get("/egress/maps/v1/geocode")
			<-h.ended
			if tt.status == 0 {
				if !a.Cut || len(a.Body) > 11<<20 {
					t.Errorf("%d, %d bytes, cut off: %v", a.Status, len(a.Body), a.Cut)
				}
				return
			}
			if a.Status != tt.status || a.Cut || tt.reason != "" && !strings.Contains(h.events(), tt.reason) {
				t.Errorf("%d, %s", a.Status, h.events())
			}
			for _, n := range []string{"Set-Cookie", "Access-Control-Allow-Origin", "Server", "Link", "Refresh", "Location", "Clear-Site-Data", "Service-Worker-Allowed", "X-Mine", "WWW-Authenticate", "Content-Encoding"} {
				if v := a.Header.Get(n); v != "" {
					t.Errorf("%s: %s is passed on", n, v)
				}
			}
			if tt.status == 200 && (a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") || strings.Contains(a.Header.Get("Content-Security-Policy"), "*")) {
				t.Errorf("%v", a.Header)
			}
			if gives(a.all()) {
				t.Error("the key comes back")
			}
		})
	}
}

func TestEG06WhatIsPackedWithoutSayingSoIsCutOff(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{answer: typed(jsonType, gzipped([]byte(key)))})
	if a := h.get("/egress/maps/v1/geocode"); !a.Cut || a.Body != "" {
		t.Errorf("%d %q", a.Status, a.Body)
	}
}

func TestEventsAreNotHeldUp(t *testing.T) {
	t.Parallel()
	go1 := make(chan struct{})
	h := newHouse(t, setup{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: one\n\n")
		w.(http.Flusher).Flush() //nolint:errcheck,forcetypeassert // it is one
		<-go1
		_, _ = io.WriteString(w, "data: "+key+"\n\n")
	}, change: func(o *egress.Options) { o.AnswerTypes = []string{"text/event-stream"} }})
	req, err := http.NewRequestWithContext(t.Context(), "GET", h.front.URL+"/egress/maps/v1/geocode", nil)
	h.ok(err)
	req.Header.Set("Authorization", "Bearer "+h.token("ada"))
	res, err := http.DefaultTransport.RoundTrip(req)
	h.ok(err)
	defer res.Body.Close()
	first := make([]byte, 11)
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: one\n\n" {
		t.Errorf("%q %v", first, err)
	}
	close(go1)
	rest, err := io.ReadAll(res.Body)
	if err != nil || gives(string(rest)) || !strings.Contains(string(rest), "***") {
		t.Errorf("%q %v", rest, err)
	}
}
