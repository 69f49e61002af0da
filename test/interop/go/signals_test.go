package interop_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"sallyport/test/rig"
)

const signalsConfig = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
signals: {enabled: true}
clients:
  - {client_id: shop, type: native, redirect_uris: ["%[4]s"], scope: openid offline_access}
  - {client_id: watcher, type: service, secret_file: watcher.secret, scope: ssf.read ssf.manage}
`

const (
	sessionRevoked = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	verification   = "https://schemas.openid.net/secevent/ssf/event-type/verification"
)

// watcher is a receiver that knows an issuer, its own client_id and secret.
type watcher struct {
	t      *testing.T
	s      *rig.Server
	secret string
	meta   map[string]any

	mu     sync.Mutex
	events []received
	away   bool // it answers 503
}

type received struct {
	at     time.Time
	event  string
	claims map[string]any
}

func newWatcher(t *testing.T, s *rig.Server, secret string) *watcher {
	t.Helper()
	w := &watcher{t: t, s: s, secret: secret}
	w.json("GET", s.Issuer+"/.well-known/ssf-configuration", "", "", 200, &w.meta)
	return w
}

// json makes a call and reads the answer, if one is wanted.
func (w *watcher) json(method, address, token, body string, want int, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.s.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		w.t.Fatalf("%s %s: %d, want %d: %s %v", method, address, res.StatusCode, want, b, err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *watcher) token() string {
	w.t.Helper()
	res, err := w.s.Post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"ssf.manage"}}, "watcher", w.secret)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil || m["access_token"] == nil {
		w.t.Fatalf("%v %v", m, err)
	}
	return m["access_token"].(string)
}

// read verifies a SET with go-jose by what jwks_uri has.
func (w *watcher) read(jwt string) received {
	w.t.Helper()
	var keys jose.JSONWebKeySet
	w.json("GET", w.meta["jwks_uri"].(string), "", "", 200, &keys)
	signed, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		w.t.Error(err)
		return received{}
	}
	header := signed.Signatures[0].Protected
	key := keys.Key(header.KeyID)
	if len(key) != 1 || header.ExtraHeaders[jose.HeaderType] != "secevent+jwt" {
		w.t.Errorf("%d keys for %s, typ %v", len(key), header.KeyID, header.ExtraHeaders)
		return received{}
	}
	payload, err := signed.Verify(key[0])
	if err != nil {
		w.t.Error(err)
	}
	r := received{at: time.Now()}
	if err := json.Unmarshal(payload, &r.claims); err != nil || r.claims["iss"] != w.s.Issuer || r.claims["aud"] != "watcher" || r.claims["sub"] != nil || r.claims["exp"] != nil {
		w.t.Errorf("%s %v", payload, err)
	}
	events, _ := r.claims["events"].(map[string]any)
	for name := range events {
		r.event = name
	}
	if len(events) != 1 {
		w.t.Errorf("%s", payload)
	}
	return r
}

// ServeHTTP is the push endpoint (RFC 8935 §2).
func (w *watcher) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	away := w.away
	w.mu.Unlock()
	if away {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Header.Get("Authorization") != "Bearer of-the-receiver" || r.Header.Get("Content-Type") != "application/secevent+jwt" {
		w.t.Errorf("pushed with %v", r.Header)
	}
	got := w.read(string(b))
	w.mu.Lock()
	w.events = append(w.events, got)
	w.mu.Unlock()
	rw.WriteHeader(http.StatusAccepted)
}

func (w *watcher) setAway(away bool) { w.mu.Lock(); defer w.mu.Unlock(); w.away = away }

// wait returns the first event of a kind, and forgets what it got until then.
func (w *watcher) wait(event string) received {
	w.t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		w.mu.Lock()
		i := slices.IndexFunc(w.events, func(r received) bool { return r.event == event })
		if i >= 0 {
			got := w.events[i]
			w.events = w.events[i+1:]
			w.mu.Unlock()
			return got
		}
		w.mu.Unlock()
	}
	w.t.Fatalf("no %s", event)
	return received{}
}

func (w *watcher) verify(id, state string) {
	w.t.Helper()
	w.json("POST", w.meta["verification_endpoint"].(string), w.token(), fmt.Sprintf(`{"stream_id":%q,"state":%q}`, id, state), 204, nil)
}

// signOut signs somebody in and out, and returns when.
func signOut(t *testing.T, s *rig.Server) time.Time {
	t.Helper()
	p := s.Person(t)
	address, _ := s.AuthorizeURL("openid offline_access")
	p.Authorize(t, address, s.RedirectURI)
	begun := time.Now()
	p.Logout(t, s.Issuer+"/oauth/logout")
	return begun
}

// A receiver hears that a session has ended: by push within a second, by poll, and
// after the server was killed between the sign-out and the delivery.
func TestRV17RV19RV21AReceiverHearsOfASignOut(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	t.Setenv("SSL_CERT_FILE", s.CAFile) // the issuer pushes to this machine
	secret := rig.Random()
	if err := os.WriteFile(filepath.Join(s.State, "watcher.secret"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.State, "serve.yaml")
	text := fmt.Sprintf(signalsConfig, s.Issuer, s.Listen, rig.FreeAddr(t), s.RedirectURI)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ClientID = "shop"
	s = s.Serve(t, config)
	w := newWatcher(t, s, secret)
	cert, err := tls.LoadX509KeyPair(filepath.Join(s.State, "cert.pem"), filepath.Join(s.State, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	rx := httptest.NewUnstartedServer(w)
	rx.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	rx.StartTLS()
	defer rx.Close()
	_, port, err := net.SplitHostPort(rx.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var stream map[string]any
	w.json("POST", w.meta["configuration_endpoint"].(string), w.token(), fmt.Sprintf(
		`{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://127.0.0.1:%s/events","authorization_header":"Bearer of-the-receiver"},"events_requested":[%q]}`, port, sessionRevoked), 201, &stream)
	id := stream["stream_id"].(string)

	w.verify(id, "it works")
	if got := w.wait(verification); got.claims["events"].(map[string]any)[verification].(map[string]any)["state"] != "it works" {
		t.Errorf("%v", got.claims)
	}
	begun := signOut(t, s)
	got := w.wait(sessionRevoked)
	took := got.at.Sub(begun)
	t.Logf("from the press of the button to the receiver: %v", took)
	if took > 5*time.Second { // a second on a machine that does nothing else
		t.Errorf("it took %v", took)
	}
	subject := got.claims["sub_id"].(map[string]any)
	if subject["format"] != "complex" || subject["user"].(map[string]any)["iss"] != s.Issuer || subject["session"].(map[string]any)["id"] == "" {
		t.Errorf("%v", subject)
	}

	w.setAway(true)
	signOut(t, s)
	s.Kill()
	s = s.Serve(t, config)
	w.s = s
	w.setAway(false)
	if again := w.wait(sessionRevoked); again.claims["jti"] == got.claims["jti"] {
		t.Error("an old event came instead of the one from before the kill")
	}

	w.json("PATCH", w.meta["configuration_endpoint"].(string), w.token(), fmt.Sprintf(`{"stream_id":%q,"delivery":{"method":"urn:ietf:rfc:8936"}}`, id), 200, &stream)
	poll := stream["delivery"].(map[string]any)["endpoint_url"].(string)
	signOut(t, s)
	var answer struct{ Sets map[string]string }
	w.json("POST", poll, w.token(), `{"maxEvents":10}`, 200, &answer)
	if len(answer.Sets) != 1 {
		t.Fatalf("%v", answer.Sets)
	}
	for jti, jwt := range answer.Sets {
		if r := w.read(jwt); r.event != sessionRevoked || r.claims["jti"] != jti {
			t.Errorf("%v", r)
		}
		var left struct{ Sets map[string]string }
		w.json("POST", poll, w.token(), fmt.Sprintf(`{"maxEvents":10,"returnImmediately":true,"ack":[%q]}`, jti), 200, &left)
		if len(left.Sets) != 0 {
			t.Errorf("acknowledged, and there is %v", left.Sets)
		}
	}
	if code := s.Stop(t); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
}
