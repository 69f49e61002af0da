package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/idempotency"
	"sallyport/internal/token"
)

// orderOps are operations that should happen once.
func orderOps() []gateway.Operation {
	return []gateway.Operation{
		{Method: "POST", Path: "/orders", Scope: "catalog.read"},
		{Method: "PUT", Path: "/orders/{id}", Scope: "catalog.read", Idempotency: gateway.IdempotencyRequired},
		{Method: "POST", Path: "/off", Scope: "catalog.read", Idempotency: gateway.IdempotencyOff},
		{Method: "GET", Path: "/orders/{id}", Scope: "catalog.read", Idempotency: gateway.IdempotencyRequired},
	}
}

// counting answers each call with its number.
func counting(n *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Location", "/orders/1")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Other", "not kept")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"n":%d}`, n.Add(1))
	}
}

const key1 = "Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324"

func TestT158TheSameKeyHasOneEffect(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	f := newFixture(t, counting(&n), withOperations(orderOps()...))
	auth := f.bearer()
	post := func(body string, lines ...string) answer {
		return f.send("POST", "/orders", auth, body, append(lines, jsonType)...)
	}
	first := post(`{"a":1}`, key1)
	if first.Status != 201 || first.Body != `{"n":1}` || first.Header.Get("Idempotent-Replayed") != "" || first.Header.Get("Location") != "/catalog/orders/1" {
		t.Fatalf("the first: %d %s %v", first.Status, first.Body, first.Header)
	}
	for _, key := range []string{key1, `Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"`} {
		again := f.send("POST", "/orders", f.bearer(), `{"a":1}`, key, jsonType, "Origin: https://app.example.com")
		if again.Status != 201 || again.Body != first.Body || again.Header.Get("Location") != "/catalog/orders/1" || again.Header.Get("Idempotent-Replayed") != "true" ||
			again.Header.Get("Content-Type") != "application/json" || again.Header.Get("Access-Control-Allow-Origin") == "" || again.Header.Get("X-Other") != "" ||
			len(again.Header["Vary"]) != 1 || again.Header.Get("Vary") != "Origin" {
			t.Errorf("again with %s: %d %s %v", key, again.Status, again.Body, again.Header)
		}
	}
	if n.Load() != 1 {
		t.Errorf("the backend was called %d times", n.Load())
	}
	for rule, tc := range map[string]struct {
		got  answer
		want int
		code string
	}{
		"another body":                   {post(`{"a":2}`, key1), 422, "idempotency_key_reused"},
		"another query":                  {f.send("POST", "/orders?x=1", auth, `{"a":1}`, key1, jsonType), 422, "idempotency_key_reused"},
		"another operation":              {f.send("PUT", "/orders/1", auth, `{"a":1}`, key1, jsonType), 422, "idempotency_key_reused"},
		"another type":                   {f.send("POST", "/orders", auth, `{"a":1}`, key1, "Content-Type: text/json"), 422, "idempotency_key_reused"},
		"without the right to do it":     {f.send("POST", "/orders", f.bearer(func(a *token.Access) { a.Scope = "other" }), `{"a":1}`, key1, jsonType), 403, "insufficient_scope"},
		"without a token":                {f.call("POST", "/catalog/orders", key1), 401, "unauthorized"},
		"no key where one is needed":     {f.send("PUT", "/orders/2", auth, `{}`, jsonType), 400, "idempotency_key_required"},
		"an empty key":                   {post("{}", "Idempotency-Key:"), 400, "invalid_request"},
		"a key of quotes":                {post("{}", `Idempotency-Key: ""`), 400, "invalid_request"},
		"two keys":                       {post("{}", "Idempotency-Key: a", "Idempotency-Key: b"), 400, "invalid_request"},
		"a list of keys":                 {post("{}", "Idempotency-Key: a, b"), 400, "invalid_request"},
		"a key with a parameter":         {post("{}", `Idempotency-Key: "a";b=1`), 400, "invalid_request"},
		"a key of 256 characters":        {post("{}", "Idempotency-Key: "+strings.Repeat("k", 256)), 400, "invalid_request"},
		"a key that is not ASCII":        {post("{}", "Idempotency-Key: k\xc3\xa9y"), 400, "invalid_request"},
		"a key of 255 characters is one": {post("{}", "Idempotency-Key: "+strings.Repeat("k", 255)), 201, ""},
		"somebody else's same key":       {f.send("POST", "/orders", f.bearer(func(a *token.Access) { a.Subject = "u2" }), `{"a":1}`, key1, jsonType), 201, ""},
		"the same person's other app":    {f.send("POST", "/orders", f.bearer(func(a *token.Access) { a.ClientID = "app2" }), `{"a":1}`, key1, jsonType), 201, ""},
		"GET needs none":                 {f.send("GET", "/orders/1", auth, ""), 201, ""},
		"a key where it is off":          {f.send("POST", "/off", auth, "{}", key1, jsonType), 201, ""},
	} {
		if tc.got.Status != tc.want || tc.got.Code != tc.code || tc.got.Header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: %d %s %v, want %d %s", rule, tc.got.Status, tc.got.Body, tc.got.Header, tc.want, tc.code)
		}
	}
	f.ahead.Add(int64(24*time.Hour + time.Second))
	f.catchUp()
	if a := f.send("POST", "/orders", f.bearer(), `{"a":1}`, key1, jsonType); a.Status != 201 || a.Header.Get("Idempotent-Replayed") != "" {
		t.Errorf("a day later: %d %s", a.Status, a.Body)
	}
}

func TestT158SixtyFourAtOnce(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	slow := counting(&n)
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(100 * time.Millisecond)
		slow(w, r)
	}, withOperations(orderOps()...))
	var made, running atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			switch a := f.send("POST", "/orders", f.bearer(), "{}", key1, jsonType); {
			case a.Status == 201:
				made.Add(1)
			case a.Status == 409 && a.Code == "idempotency_key_in_use" && a.Header.Get("Retry-After") == "1":
				running.Add(1)
			default:
				t.Errorf("%d %s", a.Status, a.Body)
			}
		})
	}
	all.Wait()
	if n.Load() != 1 || made.Load()+running.Load() != 64 || made.Load() == 0 {
		t.Errorf("%d calls, %d answers, %d told to wait", n.Load(), made.Load(), running.Load())
	}
	if a := f.send("POST", "/orders", f.bearer(), "{}", key1, jsonType); a.Body != `{"n":1}` {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}

func TestT158AClientThatLeavesGetsItsAnswerLater(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	arrived, leave := make(chan struct{}), make(chan struct{})
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Load() == 0 {
			close(arrived)
			<-leave
			time.Sleep(50 * time.Millisecond) // its client is gone, and the server has noticed
		}
		counting(&n)(w, r)
	}, withOperations(orderOps()...))
	conn, err := net.Dial("tcp", f.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, strings.Join([]string{"POST /catalog/orders HTTP/1.1", "Host: api.example.com", "Authorization: " + f.bearer(), key1, jsonType, "Content-Length: 2", "", "{}"}, "\r\n"))
	<-arrived
	_ = conn.Close()
	close(leave)
	for range 50 {
		a := f.send("POST", "/orders", f.bearer(), "{}", key1, jsonType)
		if a.Status == 409 && a.Code == "idempotency_key_in_use" {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if a.Status != 201 || a.Body != `{"n":1}` || n.Load() != 1 {
			t.Errorf("%d %s after %d calls", a.Status, a.Body, n.Load())
		}
		return
	}
	t.Error("it is never answered")
}

func TestT158WhatBecomesOfCallsThatFail(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rule          string
		backend       http.HandlerFunc
		first, second int
		code          string
	}{
		{"the backend ends in the middle", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, 409, "idempotency_outcome_unknown"},
		{"the backend is busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 503, 503, ""},
		{"the backend limits", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, 429, 429, ""},
		{"the backend fails, and says so", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 500, 500, ""},
		{"the answer is large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("a", 300<<10)) }, 200, 409, "idempotency_answer_gone"},
		{"the answer is a stream", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: a\n\n")
		}, 200, 409, "idempotency_answer_gone"},
		{"there is nothing to say", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, 204, ""},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, tc.backend, withOperations(orderOps()...))
			first := f.send("POST", "/orders", f.bearer(), "{}", key1, jsonType)
			second := f.send("POST", "/orders", f.bearer(), "{}", key1, jsonType)
			if first.Status != tc.first || second.Status != tc.second || second.Code != tc.code {
				t.Errorf("%d, then %d %s; want %d, then %d %s", first.Status, second.Status, second.Code, tc.first, tc.second, tc.code)
			}
			calls, replayed := len(f.taken()), second.Header.Get("Idempotent-Replayed") == "true"
			busy := tc.first == 503 || tc.first == 429
			if calls != map[bool]int{true: 2, false: 1}[busy] || replayed != (tc.code == "" && !busy) {
				t.Errorf("%d calls, replayed %v", calls, replayed)
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, nil, withOperations(orderOps()...))
		f.backend.Close()
		for range 2 {
			if a := f.send("POST", "/orders", f.bearer(), "{}", key1, jsonType); a.Status != 502 {
				t.Errorf("%d %s, want 502 each time: nothing can have happened", a.Status, a.Body)
			}
		}
	})
}

// A proof is for one request, a key for one effect.
func TestT158ProofsAndKeysInTierHigh(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	high := token.TierHigh
	f := newFixture(t, counting(&n), withOperations(gateway.Operation{Method: "POST", Path: "/orders", Scope: "catalog.read", Tier: &high}))
	f.stopped = time.Now()
	f.catchUp()
	d := f.device()
	tok := d.token(func(a *token.Access) { a.ACR, a.Tier, a.Lifetime = token.ACRMFA, token.TierHigh, 60 })
	nonce := ""
	lines := func() []string {
		return d.lines(tok, claim("htm", "POST"), claim("htu", "https://api.example.com/catalog/orders"), claim("nonce", nonce))
	}
	send := func(lines []string, more ...string) answer {
		head := append([]string{"POST /catalog/orders HTTP/1.1", "Host: api.example.com", "Connection: close", jsonType, "Content-Length: 2"}, append(lines, more...)...)
		return f.raw(append(head, "", "{}")...)
	}
	nonce = send(lines(), key1).Header.Get("DPoP-Nonce")
	if a := send(lines()); a.Status != 400 || a.Code != "idempotency_key_required" {
		t.Errorf("without a key: %d %s", a.Status, a.Body)
	}
	proof := lines()
	if a := send(proof, key1); a.Status != 201 {
		t.Fatalf("the first: %d %s %v", a.Status, a.Body, f.reasons())
	}
	if a := send(proof, key1); a.Status != 401 {
		t.Errorf("byte for byte the same: %d %s, want 401", a.Status, a.Body)
	}
	if a := send(lines(), key1); a.Status != 201 || a.Header.Get("Idempotent-Replayed") != "true" || n.Load() != 1 {
		t.Errorf("a new proof, the same key: %d %s after %d calls", a.Status, a.Body, n.Load())
	}
}

// bare keeps records as it gets them, as servers do that nodes share.
type bare struct {
	mu sync.Mutex
	m  map[idempotency.Key]idempotency.Record
}

func (b *bare) Claim(_ context.Context, key idempotency.Key, request idempotency.Request, _ string, _ time.Duration) (idempotency.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, ok := b.m[key]; ok {
		return r, nil
	}
	b.m[key] = idempotency.Record{State: idempotency.Running, Request: request}
	return idempotency.Record{State: idempotency.First}, nil
}

func (b *bare) Finish(_ context.Context, key idempotency.Key, r idempotency.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.m[key] = r
	return nil
}

func (b *bare) Forget(_ context.Context, key idempotency.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.m, key)
	return nil
}

func TestT158WhatIsRememberedSaysOfWhichRequestItIs(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	f := newFixture(t, counting(&n), withOperations(orderOps()...), func(o *gateway.Options) {
		o.Records = &bare{m: map[idempotency.Key]idempotency.Record{}}
	})
	for range 2 {
		if got := f.send("POST", "/orders", f.bearer(), `{"a":1}`, key1, jsonType); got.Status != 201 || got.Body != `{"n":1}` {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
	if got := f.send("POST", "/orders", f.bearer(), `{"a":2}`, key1, jsonType); got.Status != 422 {
		t.Errorf("another request with the key: %d %s", got.Status, got.Body)
	}
}
