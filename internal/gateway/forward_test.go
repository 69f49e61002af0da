package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// post sends a body of n bytes with its length told or not.
func (f *fixture) post(n int, chunked bool) (answer, error) {
	var body io.Reader = bytes.NewReader(bytes.Repeat([]byte("x"), n))
	if chunked {
		body = io.MultiReader(body) // hides the length
	}
	req, err := http.NewRequest("POST", f.front.URL+"/catalog/items", body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", f.bearer(withScope("catalog.write")))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	return read(f.t, res), nil
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	var forwarded atomic.Int64
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.MaxBodyBytes = 1 << 20
		next := gateway.NewTransport(time.Second)
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			forwarded.Add(1)
			return next.RoundTrip(r)
		})
	})
	for _, tt := range []struct {
		name    string
		n       int
		chunked bool
		status  int
	}{
		{"at the limit", 1 << 20, false, 200},
		{"at the limit, chunked", 1 << 20, true, 200},
		{"over", 1<<20 + 1, false, 413},
		{"over, chunked", 1<<20 + 1, true, 413},
		{"far over, chunked", 8 << 20, true, 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.taken()
			forwarded.Store(0)
			got, err := f.post(tt.n, tt.chunked)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != tt.status || (tt.status == 413) != (got.Code == "content_too_large") {
				t.Errorf("got %d %s", got.Status, got.Code)
			}
			if tt.status == 413 && !tt.chunked && forwarded.Load() != 0 {
				t.Error("it was forwarded, though its length was told")
			}
			for _, r := range f.taken() {
				if len(r.Body) > 1<<20 {
					t.Errorf("the backend got %d bytes", len(r.Body))
				}
			}
		})
	}
}

func TestUpstreamFailuresTellNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change change
		status int
		reason string
	}{
		{"nobody listens", func(o *gateway.Options) { o.APIs[0].Upstream = &url.URL{Scheme: "http", Host: "127.0.0.1:1"} }, 502, "upstream_dial"},
		{"no such host", func(o *gateway.Options) {
			o.APIs[0].Upstream = &url.URL{Scheme: "http", Host: "backend.invalid"}
		}, 502, "upstream_name"},
		{"not TLS", func(o *gateway.Options) { o.APIs[0].Upstream.Scheme = "https" }, 502, "upstream_failed"},
		{"silent", func(o *gateway.Options) { o.UpstreamTimeout = 50 * time.Millisecond }, 504, "upstream_timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(http.ResponseWriter, *http.Request) { time.Sleep(300 * time.Millisecond) }, tt.change)
			got := f.get("/catalog/items/1", f.bearer())
			if got.Status != tt.status || f.reasons()[0] != "request.refused "+tt.reason {
				t.Errorf("got %d %v", got.Status, f.reasons())
			}
			for _, leak := range []string{"127.0.0.1", "backend", "dial", "tls", "refused"} {
				if strings.Contains(got.Body, leak) {
					t.Errorf("the answer tells %q: %s", leak, got.Body)
				}
			}
		})
	}
	t.Run("hangs up", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		if got := f.get("/catalog/items/1", f.bearer()); got.Status != 502 || got.Code != "upstream_failed" {
			t.Errorf("got %d %s", got.Status, got.Code)
		}
	})
	t.Run("hangs up in the middle: half an answer does not look whole", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		req, _ := http.NewRequest("GET", f.front.URL+"/catalog/items/1", nil)
		req.Header.Set("Authorization", f.bearer())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("read %q without an error", body)
		}
	})
}

func TestRedirectsArePassedOnNotFollowed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/items/secret", http.StatusFound) })
	got := f.get("/catalog/items/1", f.bearer())
	if got.Status != 302 || got.Header.Get("Location") != "/catalog/items/secret" || len(f.taken()) != 1 {
		t.Errorf("got %d %v", got.Status, got.Header)
	}
}

// broken panics where it is told to.
type broken struct {
	gateway.Feed
	where string
}

func (b *broken) Fresh(t token.Tier) bool {
	if b.where == "fresh" {
		panic("spat_secret")
	}
	return b.Feed.Fresh(t)
}

func (b *broken) Revoked(a *token.Access) bool {
	if b.where == "revoked" {
		a = (*token.Access)(nil)
		return a.Expired(time.Time{}) // a runtime error
	}
	return b.Feed.Revoked(a)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLG07J138PanicsFailClosed(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"fresh", "revoked", "clock", "transport", "answer"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			b, armed := &broken{where: where}, false
			f := newFixture(t, nil, func(o *gateway.Options) {
				b.Feed = o.Feed
				o.Feed = b
				now := o.Now
				switch where {
				case "clock":
					o.Now = func() time.Time {
						if armed {
							panic("clock")
						}
						return now()
					}
				case "transport":
					o.Transport = roundTrip(func(*http.Request) (*http.Response, error) { panic("transport") })
				case "answer":
					o.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil })
				}
			})
			authorization := f.bearer()
			armed = true
			got := f.get("/catalog/items/1", authorization)
			if got.Status != 500 || got.Code != "server_error" || len(f.taken()) != 0 {
				t.Errorf("got %d %s", got.Status, got.Code)
			}
			if why := f.reasons(); len(why) != 1 || why[0] != "request.refused panic" {
				t.Errorf("reasons %v", why)
			}
			for _, a := range f.record.Attrs() {
				if strings.Contains(a.Value.String(), "spat_") {
					t.Errorf("the record holds the value of the panic: %s", a)
				}
			}
		})
	}
}

// halfBody fails in the middle.
type halfBody struct{ begun bool }

func (b *halfBody) Read(p []byte) (int, error) {
	if b.begun {
		panic("half")
	}
	b.begun = true
	return copy(p, "half"), nil
}

func (*halfBody) Close() error { return nil }

func TestLG07PanicInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Request: r, ContentLength: -1, Header: http.Header{}, Body: &halfBody{}}, nil
		})
	})
	req, _ := http.NewRequest("GET", f.front.URL+"/catalog/items/1", nil)
	req.Header.Set("Authorization", f.bearer())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("read %q without an error", body)
	}
}

// statusOf notes the status that the gateway chose, whether or not it arrives.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (w *statusOf) WriteHeader(status int) { w.status = status }

// A client that leaves is no failure of the backend, and no 5xx to wake anybody.
func TestClientGoneIsNoFailureOfOurs(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	f := newFixture(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-arrived; leave() }()
	r := httptest.NewRequestWithContext(ctx, "GET", "/catalog/items/1", nil)
	r.Header.Set("Authorization", f.bearer())
	w := &statusOf{ResponseWriter: httptest.NewRecorder()}
	f.handler().ServeHTTP(w, r)
	if w.status != 499 || f.reasons()[0] != "request.refused client_gone" {
		t.Errorf("got %d %v", w.status, f.reasons())
	}
}

func TestClientGoneEndsTheUpstreamCall(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	f := newFixture(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", f.front.URL+"/catalog/items/1", nil)
	req.Header.Set("Authorization", f.bearer())
	if res, err := http.DefaultClient.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		_ = res.Body.Close()
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the call to the backend goes on")
	}
}
