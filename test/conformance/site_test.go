package conformance_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"sallyport/test/rig"
)

// site is the https server of a relying party on this machine, with a certificate
// that the issuer trusts.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]string // by path
	types map[string]string
}

// newSite starts a site. The server that is to trust it has to be started after
// that, and so its test cannot run beside others.
func newSite(t *testing.T, s *rig.Server, more http.Handler) *site {
	t.Helper()
	t.Setenv("SSL_CERT_FILE", s.CAFile)
	cert, err := tls.LoadX509KeyPair(filepath.Join(s.State, "cert.pem"), filepath.Join(s.State, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	x := &site{files: map[string]string{}, types: map[string]string{}}
	x.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		body, found := x.files[r.URL.Path]
		kind := x.types[r.URL.Path]
		x.mu.Unlock()
		switch {
		case found:
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		case more != nil:
			more.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	x.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	x.StartTLS()
	t.Cleanup(x.Close)
	return x
}

// put publishes something and returns its address.
func (x *site) put(path, contentType, body string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.files[path], x.types[path] = body, contentType
	return x.URL + path
}
