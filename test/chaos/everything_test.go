package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// Limits have tests of their own: here all load comes from one address and one
// service, on a machine that does other things too, and none of it may be
// refused for being too much.
const config = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {steady.read: See it, steady.pay: Pay, fragile.read: See it, gone.read: See it}
log: {access: refused}
gateway: {failures_per_address: "off", max_delay: 0s}
apis:
  - name: steady
    audience: %[1]s/steady
    path: /steady
    upstream: http://%[4]s
    limits: {per_user: "off"}
    operations:
      - {match: "GET /items/{id}", scope: steady.read}
      - {match: "GET /events", scope: steady.read}
      - {match: "POST /payments", scope: steady.pay}
  - name: fragile
    audience: %[1]s/fragile
    path: /fragile
    upstream: http://%[5]s
    limits: {per_user: "off"}
    operations:
      - {match: "GET /items/{id}", scope: fragile.read}
  - name: gone
    audience: %[1]s/gone
    path: /gone
    upstream: http://%[4]s
    limits: {per_user: "off"}
    operations:
      - {match: "GET /items/{id}", scope: gone.read}
clients:
  - {client_id: demo-service, type: service, secret_file: demo-service.secret, scope: steady.read steady.pay fragile.read gone.read}
`

// short is what make test runs; make chaos takes longer and asks more.
func settings() (rate int, rounds int) {
	if os.Getenv("SALLYPORT_CHAOS") == "full" {
		return 300, 8
	}
	return 120, 1
}

// Everything changes at once under load: no wrong allow, no failure of calls that
// have nothing to do with a change (GW27, TL07, RV07, T018).
func TestGW27T018TL07EverythingChangesAtOnce(t *testing.T) {
	rate, rounds := settings()
	h := start(t)
	load := h.load(rate)
	for range rounds {
		changes := []func(){h.rotateKeys, h.replaceCertificate, h.moveTier, h.offerBadConfigurations, h.killBackend, h.removeAPI}
		rand.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		for _, change := range changes {
			change()
		}
		h.killBackendWhile(h.moveTier)
		h.compromiseKeys()
	}
	load.stop()
	h.wantTruth(load)
}

// start runs serve with backends of this test.
func start(t *testing.T) *house {
	t.Helper()
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("dev ended with %d", code)
	}
	h := &house{
		t: t, steady: newBackend(t), fragile: newBackend(t), ops: rig.FreeAddr(t),
		truths: map[string]*truth{
			"item": begins(open), "pay": begins(open), "fragile": begins(open), "gone": begins(open),
			"revoked": begins(shut), "nobody": begins(shut), "forged": begins(shut), "other scope": begins(shut), "unlisted": begins(shut),
			"compromised": begins(shut),
		},
	}
	h.text = fmt.Sprintf(config, s.Issuer, s.Listen, h.ops, h.steady.address, h.fragile.address)
	h.Server = s.ServeText(t, h.text)
	h.file = s.State + "/serve.yaml"
	h.secret = h.ServiceSecret(t)
	h.newTokens()
	h.revoked = h.token("steady.read").AccessToken
	if res, err := h.Post("/oauth/revoke", map[string][]string{"token": {h.revoked}}, h.ServiceClientID, h.secret); err != nil || res.StatusCode != 200 {
		t.Fatalf("revoke: %v %v", err, res)
	}
	h.compromised.Store(&h.revoked)
	return h
}

// wantTruth ends the test: what the load has seen is as it must be, and the load
// was there.
func (h *house) wantTruth(l *load) {
	h.t.Helper()
	for _, wrong := range l.wrong() {
		h.t.Error(wrong)
	}
	for kind, n := range l.counts() {
		if n < 20 {
			h.t.Errorf("only %d calls of kind %q: nothing was shown", n, kind)
		}
	}
	for _, kind := range []string{"revoked", "nobody", "forged", "other scope", "unlisted", "compromised"} {
		if n := h.steady.executed(kind) + h.fragile.executed(kind); n > 0 {
			h.t.Errorf("a backend executed %d calls of kind %q", n, kind)
		}
	}
	if n := h.steady.bare.Load() + h.fragile.bare.Load(); n > 0 {
		h.t.Errorf("%d calls reached a backend without an inner token", n)
	}
	h.t.Logf("calls: %v", l.counts())
	if _, log := h.Whole(); strings.Contains(log, `"panic"`) {
		h.t.Error("there was a panic")
	}
}

const soon = 6 * time.Second
