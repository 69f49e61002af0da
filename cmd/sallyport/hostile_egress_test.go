package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/secret"
	secrets "sallyport/internal/vault"
)

const hostileKey = "AIzaHostileUpstream-4f9Zq81LmX0vB7t"

// hostile is an upstream that does all that it should not, by the path that is
// asked. It speaks on bare connections, so that nothing mends what it says.
type hostile struct {
	net.Listener
	sent  atomic.Int64 // bytes of the flood
	ended atomic.Int64 // floods that were cut off
	asked sync.Map     // paths
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go h.serve(conn)
		}
	}()
	return h
}

func (h *hostile) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		h.asked.Store(req.URL.Path, true)
		if !h.answer(conn, strings.TrimPrefix(req.URL.Path, "/"), req.Header.Get("X-Api-Key")) {
			return
		}
	}
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// answer reports whether the connection may be used again.
func (h *hostile) answer(w io.Writer, how, key string) bool {
	whole := func(head, body string) bool {
		_, err := fmt.Fprintf(w, "%sContent-Length: %d\r\n\r\n%s", okHead+head, len(body), body)
		return err == nil
	}
	endless := func(head string, every time.Duration, piece func() string) bool {
		_, err := io.WriteString(w, head)
		for err == nil {
			time.Sleep(every)
			_, err = io.WriteString(w, piece())
		}
		return false
	}
	switch how {
	case "good":
		return whole("", `{"ok":true}`)
	case "echo":
		return whole("ETag: \""+key+"\"\r\nX-Key: "+key+"\r\nSet-Cookie: k="+key+"\r\n", `{"key":"`+key+`"}`)
	case "base64":
		return whole("", `{"key":"`+base64.StdEncoding.EncodeToString([]byte("u:"+key))+`"}`)
	case "gzip":
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, `{"key":"`+key+`"}`)
		_ = z.Close()
		return whole("Content-Encoding: gzip\r\n", b.String())
	case "split":
		_, _ = io.WriteString(w, okHead+"Transfer-Encoding: chunked\r\n\r\n")
		for _, b := range []byte(`{"key":"` + key + `"}`) {
			_, _ = fmt.Fprintf(w, "1;ext=%s\r\n%c\r\n", key, b)
		}
		_, err := io.WriteString(w, "0\r\nX-Trailer: "+key+"\r\n\r\n")
		return err == nil
	case "redirect":
		_, err := fmt.Fprintf(w, "HTTP/1.1 302 %s\r\nLocation: http://127.0.0.1:1/?k=%s\r\nContent-Length: 0\r\n\r\n", key, key)
		return err == nil
	case "after":
		_ = whole("", `{"ok":true}`)
		_, err := fmt.Fprintf(w, "HTTP/1.1 200 %s\r\n%s: %s\r\n\r\n", key, key, key)
		time.Sleep(100 * time.Millisecond)
		return err == nil
	case "garbage":
		_, _ = io.WriteString(w, key+"\r\n"+key+"\r\n\r\n")
		return false
	case "drip":
		return endless(okHead+"\r\n", 200*time.Millisecond, func() string { return " " })
	case "silent":
		time.Sleep(20 * time.Second)
		return false
	case "headers":
		return endless("HTTP/1.1 200 OK\r\n", 50*time.Millisecond, func() string { return "X-A: " + key + "\r\n" })
	case "interim":
		return endless("", time.Millisecond, func() string { return "HTTP/1.1 103 Early Hints\r\nLink: <" + key + ">\r\n\r\n" })
	case "flood":
		const all = 5 << 30
		_, err := io.WriteString(w, okHead+"\r\n")
		piece := bytes.Repeat([]byte(" "), 64<<10)
		for n := 0; err == nil && n < all; n += len(piece) {
			_, err = w.Write(piece)
			h.sent.Add(int64(len(piece)))
		}
		if err != nil {
			h.ended.Add(1)
		}
	}
	return false
}

// EG03, EG06, AP07, LG03: whatever the upstream does, its key does not get out, and
// who has nothing to do with it notices nothing.
func TestEG03EG06LG03AHostileUpstream(t *testing.T) {
	t.Parallel()
	r := newReloaded(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	r.n.limits = unlimited() // all lines are written
	h := newHostile(t)
	change := secrets.Change{Name: "hostile_key", Value: secret.New(hostileKey), Keep: keep(time.Now())}
	if _, err := secrets.Set(t.Context(), r.n.store.Vault(), r.n.keys.Ring, time.Now(), change); err != nil {
		t.Fatal(err)
	}
	connector := "{upstream: \"http://" + h.Addr().String() + "\", inject: {header: X-Api-Key, secret: hostile_key}, allow: [\"GET /{how}\"], allow_clients: true, timeout: 6s, name: "
	text := strings.Replace(r.text, "web.secret, scope: a.read}", "web.secret, scope: a.read egress.hostile egress.fine}", 1)
	text = strings.Replace(text, "clients:\n", "log: {level: debug}\negress:\n  - "+connector+"hostile}\n  - "+connector+"fine}\nclients:\n", 1)
	r.n.reloads.reload(t.Context(), []byte(text))
	front := httptest.NewServer(r.n.public.Handler)
	t.Cleanup(front.Close)
	tokens := map[string]string{"a": r.tokenFor("https://localhost/a")}
	for _, name := range []string{"hostile", "fine"} {
		tokens[name] = r.tokenFor("https://localhost/egress/" + name)
	}
	var seen bytes.Buffer // by the client
	var mu sync.Mutex
	get := func(path, token string) (status int, body string, whole bool) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+path, nil)
		if err != nil {
			t.Error(err)
			return 0, "", false
		}
		req.Host = "localhost"
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return 0, "", false
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		mu.Lock()
		defer mu.Unlock()
		_ = res.Header.Write(&seen)
		seen.Write(b[:min(len(b), 64<<10)])
		return res.StatusCode, string(b), err == nil
	}
	for _, tt := range []struct {
		how    string
		status int
	}{{"good", 200}, {"echo", 200}, {"base64", 200}, {"gzip", 200}, {"split", 200}, {"redirect", 502}, {"after", 200}, {"good", 200}, {"garbage", 502}, {"interim", 502}} {
		if status, body, whole := get("/egress/hostile/"+tt.how, tokens["hostile"]); status != tt.status || !whole {
			t.Errorf("%s: %d, whole: %v, %s", tt.how, status, whole, body)
		}
	}
	var slow sync.WaitGroup
	for _, how := range []string{"drip", "silent", "headers", "flood"} {
		for range 4 {
			slow.Go(func() {
				began := time.Now()
				status, body, whole := get("/egress/hostile/"+how, tokens["hostile"])
				if took := time.Since(began); whole && status < 500 || len(body) > 11<<20 || took > 15*time.Second {
					t.Errorf("%s: %d, whole: %v, %d bytes, after %s", how, status, whole, len(body), took)
				}
			})
		}
	}
	for range 100 { // until all of them are under way
		if _, begun := h.asked.Load("/silent"); begun {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	var longest time.Duration
	for range 100 {
		for path, token := range map[string]string{"/egress/fine/good": tokens["fine"], "/a/x/1": tokens["a"]} {
			began := time.Now()
			if status, body, _ := get(path, token); status != 200 {
				t.Errorf("%s meanwhile: %d %s", path, status, body)
			}
			longest = max(longest, time.Since(began))
		}
	}
	if longest > 2*time.Second {
		t.Errorf("others wait for %s", longest)
	}
	slow.Wait()
	if n := h.sent.Load(); n > 4*(64<<20) || h.ended.Load() != 4 {
		t.Errorf("the flood sent %d bytes, %d of 4 were cut off", n, h.ended.Load())
	}
	if status, _, _ := get("/egress/hostile/good", tokens["hostile"]); status != 200 {
		t.Errorf("afterwards: %d", status)
	}
	metrics := httptest.NewRecorder()
	r.n.ops.Handler.ServeHTTP(metrics, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for sink, text := range map[string]string{"log": r.log.String(), "metrics": metrics.Body.String(), "client": seen.String()} {
		if len(text) < 1000 {
			t.Errorf("the %s has %d bytes: nothing was searched", sink, len(text))
		}
		for _, form := range []string{hostileKey, hostileKey[:16], base64.StdEncoding.EncodeToString([]byte("u:" + hostileKey))[8:40]} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("the %s has the key: %s", sink, text[max(0, i-200):i+16])
			}
		}
	}
	for _, want := range []string{"egress.secret_echoed", `"api":"hostile"`, `"upstream_status":302`, `"cost":1`, `"subject":"client:job"`} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log has no %s", want)
		}
	}
	if log.Writer() != io.Discard {
		t.Error("libraries write to the standard error")
	}
}

// tokenFor is a token of the client for another API.
func (r *reloaded) tokenFor(resource string) string {
	r.t.Helper()
	status, body := r.do("POST", "/oauth/token", "", map[string][]string{
		"grant_type": {"client_credentials"}, "client_id": {"job"}, "client_secret": {r.secret}, "resource": {resource},
	})
	_, rest, found := strings.Cut(body, `"access_token":"`)
	if status != 200 || !found {
		r.t.Fatalf("token for %s: %d %s", resource, status, body)
	}
	tok, _, _ := strings.Cut(rest, `"`)
	return tok
}
