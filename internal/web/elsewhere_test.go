package web_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/store/storetest/pgtest"
	"sallyport/internal/web"
)

const tokenEndpoint = issuer + "/oauth/token"

// allowDevice lets a person allow what a device has asked for.
func (h *house) allowDevice(asked map[string]any) {
	h.t.Helper()
	person := h.browser()
	code, ok := asked["user_code"].(string)
	if !ok {
		h.t.Fatalf("the device may not ask: %v", asked)
	}
	wantStatus(h.t, person.submit(person.compare(code), "decision", "allow"), http.StatusOK)
}

// A proof with the first request, or dpop_jkt, binds the device code: whoever has
// the code and another key gets nothing, and does not spend it.
func TestPP15DeviceCodesAreBoundToTheKey(t *testing.T) {
	h := newDeviceHouse(t)
	tv, owner, thief := h.browser(), h.prover(), h.prover()
	form := url.Values{"client_id": {"tv"}, "scope": {"openid catalog.read"}}
	for name, ask := range map[string]func() map[string]any{
		"by a proof": func() map[string]any {
			return tv.post("/oauth/device", form, "DPoP", owner.proof("POST", issuer+"/oauth/device")).json(t)
		},
		"by dpop_jkt": func() map[string]any { return tv.askDevice("dpop_jkt", owner.thumbprint()) },
		"by both": func() map[string]any {
			return tv.post("/oauth/device", url.Values{"client_id": {"tv"}, "scope": {"openid catalog.read"}, "dpop_jkt": {owner.thumbprint()}}, "DPoP", owner.proof("POST", issuer+"/oauth/device")).json(t)
		},
		"tv-bound, by": func() map[string]any { return tv.askDevice("client_id", "tv-bound", "dpop_jkt", owner.thumbprint()) },
	} {
		t.Run("PP15 "+name, func(t *testing.T) {
			client := "tv"
			if strings.HasPrefix(name, "tv-bound") {
				client = "tv-bound"
			}
			asked := ask()
			h.allowDevice(asked)
			code := asked["device_code"].(string)
			if r := tv.poll(client, code); r.StatusCode != http.StatusBadRequest {
				t.Errorf("without a proof: %d %s", r.StatusCode, r.body)
			}
			if r := tv.poll(client, code, "DPoP", thief.proof("POST", tokenEndpoint)); r.StatusCode != http.StatusBadRequest || strings.Contains(r.body, "access_token") {
				t.Errorf("with another key: %d %s", r.StatusCode, r.body)
			}
			r := tv.poll(client, code, "DPoP", owner.proof("POST", tokenEndpoint))
			if wantStatus(t, r, http.StatusOK); r.json(t)["token_type"] != "DPoP" {
				t.Errorf("%s", r.body)
			}
			refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {r.json(t)["refresh_token"].(string)}}
			if r := tv.post("/oauth/token", refresh, "DPoP", thief.proof("POST", tokenEndpoint)); r.StatusCode != http.StatusBadRequest {
				t.Errorf("PP17 renewed with another key: %d %s", r.StatusCode, r.body)
			}
			wantStatus(t, tv.post("/oauth/token", refresh, "DPoP", owner.proof("POST", tokenEndpoint)), http.StatusOK)
		})
	}
	t.Run("PP15 a proof and a dpop_jkt of two keys", func(t *testing.T) {
		p := url.Values{"client_id": {"tv"}, "scope": {"openid"}, "dpop_jkt": {thief.thumbprint()}}
		tv.post("/oauth/device", p, "DPoP", owner.proof("POST", issuer+"/oauth/device")).wantError(t, "PP15", "invalid_dpop_proof")
	})
	t.Run("PP07 a proof for another address", func(t *testing.T) {
		tv.post("/oauth/device", form, "DPoP", owner.proof("POST", tokenEndpoint)).wantError(t, "PP07", "invalid_dpop_proof")
	})
	t.Run("PP09 a proof twice", func(t *testing.T) {
		proof := owner.proof("POST", issuer+"/oauth/device")
		wantStatus(t, tv.post("/oauth/device", form, "DPoP", proof), http.StatusOK)
		tv.post("/oauth/device", form, "DPoP", proof).wantError(t, "PP09", "invalid_dpop_proof")
	})
}

func (p *prover) thumbprint() string {
	p.h.t.Helper()
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		p.h.t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64(point[1:33]), b64(point[33:])))
	return b64(sum[:])
}

// resource and authorization_details go the way of the authorization endpoint: the
// person sees the details, and the tokens have them and nothing else.
func TestPR12PR14DevicesAskForDetailsAndResources(t *testing.T) {
	const catalog = "https://api.example.com/catalog"
	h := newHouse(t, options{clients: append(deviceClients(), oauth.Client{
		ID: "kiosk", Name: "Kiosk", Type: oauth.Native, Scope: "openid catalog.read",
		Settings: oauth.Settings{GrantTypes: []string{deviceGrant, "refresh_token"}, DetailsTypes: []string{"order"}},
	})})
	kiosk := h.browser()
	ask := func(change ...string) map[string]any {
		return kiosk.askDevice(append([]string{"client_id", "kiosk", "scope", "openid catalog.read"}, change...)...)
	}
	for what, c := range map[string]struct{ want, name, value string }{
		"PR14 a resource that is not ours": {"invalid_target", "resource", "https://evil.example"},
		"PR12 details of an unknown type":  {"invalid_authorization_details", "authorization_details", `[{"type":"pay"}]`},
		"PR12 details with unknown fields": {"invalid_authorization_details", "authorization_details", `[{"type":"order","item":"Tea","count":1,"price":"0"}]`},
		"PR12 details that are no JSON":    {"invalid_authorization_details", "authorization_details", `[`},
	} {
		if m := ask(c.name, c.value); m["error"] != c.want {
			t.Errorf("%s: %v", what, m)
		}
	}
	if m := kiosk.askDevice("authorization_details", `[{"type":"order","item":"Tea","count":1}]`); m["error"] != "invalid_authorization_details" {
		t.Errorf("PR12 a client that is not registered for the type: %v", m)
	}
	asked := ask("resource", catalog, "authorization_details", `[{"type":"order","item":"Tea, green","count":3}]`)
	person := h.browser()
	page := person.compare(asked["user_code"].(string))
	if !strings.Contains(page.body, "Order 3 times Tea, green") || !strings.Contains(page.body, catalog) {
		t.Errorf("the page does not say it:\n%s", page.body)
	}
	person.submit(page, "decision", "allow")
	poll := url.Values{"grant_type": {deviceGrant}, "client_id": {"kiosk"}, "device_code": {asked["device_code"].(string)}, "resource": {"https://evil.example"}}
	kiosk.post("/oauth/token", poll).wantError(t, "another resource when polling", "invalid_target")
	r := kiosk.poll("kiosk", asked["device_code"].(string))
	wantStatus(t, r, http.StatusOK)
	details, err := json.Marshal(r.json(t)["authorization_details"])
	if err != nil || !strings.Contains(string(details), `"item":"Tea, green"`) {
		t.Errorf("the answer does not have the details: %s", r.body)
	}
	seen := kiosk.post("/oauth/introspect", url.Values{"token": {r.json(t)["access_token"].(string)}, "client_id": {"rs"}, "client_secret": {h.secret.Reveal()}})
	if m := seen.json(t); m["active"] != true || !strings.Contains(seen.body, `"count":3`) || !strings.Contains(seen.body, catalog) {
		t.Errorf("the resource server sees %s", seen.body)
	}
}

// A client whose tokens are bound to certificates asks and polls where those are
// asked for; elsewhere, or by another certificate, it gets no tokens.
func TestPP20CIBATokensAreBoundToTheCertificate(t *testing.T) {
	h := newHouse(t, options{mutualTLS: mutual, clients: []oauth.Client{{
		ID: "till", Name: "Bank", Type: oauth.Server, Scope: "openid catalog.read", CertificateBound: true, Secrets: []oauth.ClientSecret{{Hash: secret.New("a secret of the bank").Hash()}},
		Settings: oauth.Settings{GrantTypes: []string{cibaGrant, "refresh_token"}, CIBAMode: "poll"},
	}}})
	b := &bank{browser: h.browser()}
	now := h.clock.now()
	own, other := certificate(t, now.Add(-time.Hour), now.Add(time.Hour)), certificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	if status := h.by(own, "POST", mutual+"/oauth/bc-authorize", b.form("till", "binding_message", "OTHER")); status != http.StatusOK {
		t.Fatalf("asking where certificates are asked for: %d", status)
	}
	h.clock.advance(time.Second) // the next is the newest
	id := b.ask("till").json(t)["auth_req_id"].(string)
	form := url.Values{"client_id": {"till"}, "client_secret": {"a secret of the bank"}, "grant_type": {cibaGrant}, "auth_req_id": {id}}
	b.decide(t, h.browser(), "allow")
	if r := b.poll("till", id); r.StatusCode != http.StatusBadRequest || strings.Contains(r.body, "access_token") {
		t.Errorf("PP20 without a certificate: %d %s", r.StatusCode, r.body)
	}
	tokens := h.byCertificate(own, "/oauth/token", form)
	if tokens.StatusCode != http.StatusOK {
		t.Fatalf("with its certificate: %d %s", tokens.StatusCode, tokens.body)
	}
	refresh := url.Values{"client_id": {"till"}, "client_secret": {"a secret of the bank"}, "grant_type": {"refresh_token"}, "refresh_token": {tokens.json(t)["refresh_token"].(string)}}
	seen := b.post("/oauth/introspect", url.Values{"token": {tokens.json(t)["access_token"].(string)}, "client_id": {"rs"}, "client_secret": {h.secret.Reveal()}})
	sum := sha256.Sum256(own.Raw)
	if !strings.Contains(seen.body, `"x5t#S256":"`+b64(sum[:])+`"`) {
		t.Errorf("PP20 the token is not bound: %s", seen.body)
	}
	if r := h.byCertificate(other, "/oauth/token", form); r.StatusCode == http.StatusOK {
		t.Error("the auth_req_id works twice")
	}
	if r := h.byCertificate(own, "/oauth/token", refresh); r.StatusCode != http.StatusOK {
		t.Errorf("renewing: %d %s", r.StatusCode, r.body)
	}
}

// byCertificate sends a form to the listener that asks for certificates.
func (h *house) byCertificate(cert *x509.Certificate, path string, form url.Values) reply {
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, mutual+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	rec := httptest.NewRecorder()
	web.MutualTLS(h.handler).ServeHTTP(rec, r)
	return reply{rec.Result(), rec.Body.String()}
}

// A hundred polls of one code through the whole server, by its own client and by
// another, on either engine: one gets tokens.
func TestTK21OneWinnerOfADeviceCodeOverHTTP(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.New(t) }} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, options{store: dsn(), clients: deviceClients()})
			tv := h.browser()
			asked := tv.askDevice()
			person := h.browser()
			page := person.compare(asked["user_code"].(string))
			var said atomic.Int64
			at(20, func(i int) {
				decision := []string{"allow", "deny"}[i%2]
				if r := person.submit(page, "decision", decision); r.StatusCode == http.StatusOK {
					said.Add(1)
				}
			})
			if said.Load() != 1 {
				t.Errorf("TK21 %d decisions counted", said.Load())
			}
			asked = tv.askDevice()
			person.submit(person.typeCode(asked["user_code"].(string)), "decision", "allow")
			var wins, losses atomic.Int64
			at(100, func(i int) {
				client := []string{"tv", "tv", "tv", "tv2"}[i%4]
				switch r := h.browser().poll(client, asked["device_code"].(string)); {
				case r.StatusCode == http.StatusOK && client == "tv":
					wins.Add(1)
				case strings.Contains(r.body, "invalid_grant"):
					losses.Add(1)
				default:
					t.Errorf("%s: %d %s", client, r.StatusCode, r.body)
				}
			})
			if wins.Load() != 1 || losses.Load() != 99 {
				t.Errorf("TK21 %d winners and %d losers of one device code", wins.Load(), losses.Load())
			}
		})
	}
}
