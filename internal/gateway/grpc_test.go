package gateway_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"sallyport/internal/gateway"
)

// message is one of gRPC: no compression, length, bytes.
func message(text string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text)))
	return append(b, text...)
}

func readMessage(r io.Reader) (string, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// echoService answers each message with itself, as they come, and then with a
// status in the trailer.
func echoService(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc" {
		http.Error(w, "not gRPC", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(w)
	_ = rc.Flush()
	for {
		text, err := readMessage(r.Body)
		if err != nil {
			break
		}
		_, _ = w.Write(message("echo " + text))
		_ = rc.Flush()
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	w.Header().Set(http.TrailerPrefix+"Set-Cookie", "evil=1")
}

// newGRPC is a gateway over TLS with HTTP/2 in front of an h2c backend.
func newGRPC(t *testing.T) (*fixture, *httptest.Server) {
	t.Helper()
	backend := httptest.NewUnstartedServer(http.HandlerFunc(echoService))
	backend.Config.Protocols = &http.Protocols{}
	backend.Config.Protocols.SetUnencryptedHTTP2(true)
	backend.Start()
	t.Cleanup(backend.Close)
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.APIs[0].Upstream, _ = url.Parse(backend.URL + "/echo.Echo")
		o.APIs[0].Path, o.APIs[0].Backend = "/echo.Echo", gateway.Backend{Protocol: gateway.H2C}
		o.APIs[0].Operations = []gateway.Operation{{Method: "POST", Path: "/Say", Scope: "catalog.read"}, {Method: "POST", Path: "/Admin", Scope: "catalog.admin"}}
	})
	front := httptest.NewUnstartedServer(f.handler())
	front.EnableHTTP2 = true
	front.Config.ReadTimeout, front.Config.WriteTimeout = plainTimeout, plainTimeout
	front.StartTLS()
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	return f, front
}

func (f *fixture) grpc(t *testing.T, front *httptest.Server, method, authorization string, body io.Reader) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "POST", front.URL+"/echo.Echo/"+method, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	res, err := front.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestGRPCPassesBothWays(t *testing.T) {
	t.Parallel()
	f, front := newGRPC(t)
	t.Run("unary", func(t *testing.T) {
		res := f.grpc(t, front, "Say", f.bearer(), bytes.NewReader(message("hi")))
		text, err := readMessage(res.Body)
		_, _ = io.Copy(io.Discard, res.Body)
		if err != nil || text != "echo hi" || res.ProtoMajor != 2 || res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Set-Cookie") != "" {
			t.Errorf("%q %v, trailer %v", text, err, res.Trailer)
		}
	})
	t.Run("both at once, longer than a plain request may take", func(t *testing.T) {
		out, in := io.Pipe()
		res := f.grpc(t, front, "Say", f.bearer(), out)
		for _, text := range []string{"one", "two", "three"} {
			if _, err := in.Write(message(text)); err != nil {
				t.Fatal(err)
			}
			if got, err := readMessage(res.Body); err != nil || got != "echo "+text {
				t.Fatalf("%q %v", got, err)
			}
			time.Sleep(plainTimeout/2 + 100*time.Millisecond)
		}
		_ = in.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		if res.Trailer.Get("Grpc-Status") != "0" {
			t.Errorf("trailer %v", res.Trailer)
		}
	})
}

func TestGW26GRPCStreamsEndWithTheirGrant(t *testing.T) {
	t.Parallel()
	f, front := newGRPC(t)
	a := f.access()
	out, in := io.Pipe()
	defer in.Close()
	res := f.grpc(t, front, "Say", "Bearer "+f.seal(a), out)
	if _, err := in.Write(message("one")); err != nil {
		t.Fatal(err)
	}
	if got, err := readMessage(res.Body); err != nil || got != "echo one" {
		t.Fatalf("%q %v", got, err)
	}
	begin := time.Now()
	f.log.add(revocationOf(a))
	f.catchUp()
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the stream ended as if it were whole")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestGRPCRefusalsAreItsOwn(t *testing.T) {
	t.Parallel()
	f, front := newGRPC(t)
	for _, tt := range []struct{ name, method, authorization, status, message string }{
		{"no credential", "Say", "", "16", "unauthorized"},
		{"bad token", "Say", "Bearer x", "16", "invalid_token"},
		{"wrong scope", "Admin", f.bearer(), "7", "insufficient_scope"},
		{"no such method", "Nothing", f.bearer(), "12", "not_found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := f.grpc(t, front, tt.method, tt.authorization, bytes.NewReader(message("hi")))
			body, _ := io.ReadAll(res.Body)
			h := res.Header
			if res.StatusCode != 200 || h.Get("Content-Type") != "application/grpc" || h.Get("Grpc-Status") != tt.status || h.Get("Grpc-Message") != tt.message || len(body) != 0 {
				t.Errorf("%d %v %q", res.StatusCode, h, body)
			}
			if (tt.status != "12") != (h.Get("WWW-Authenticate") != "") {
				t.Errorf("challenge %q", h["Www-Authenticate"])
			}
		})
	}
}
