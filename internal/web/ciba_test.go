package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// bank is a client that asks by CIBA, with a key.
type bank struct {
	*browser
	key *ecdsa.PrivateKey
}

func newBank(t *testing.T) *bank {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	pub, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwks := fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":"k1","x":%q,"y":%q}]}`, b64(pub[1:33]), b64(pub[33:]))
	hash := secret.New("a secret of the bank").Hash()
	grants := []string{cibaGrant, "refresh_token"}
	client := func(id string, s oauth.Settings) oauth.Client {
		s.GrantTypes = grants
		return oauth.Client{ID: id, Name: "Bank", Type: oauth.Server, Scope: "openid profile offline_access catalog.read", Secrets: []oauth.ClientSecret{{Hash: hash}}, Settings: s}
	}
	h := newHouse(t, options{clients: []oauth.Client{
		client("bank", oauth.Settings{CIBAMode: "poll", JWKS: jwks}),
		client("bank2", oauth.Settings{CIBAMode: "poll"}),
		client("signs", oauth.Settings{CIBAMode: "poll", JWKS: jwks, CIBAAlg: "ES256"}),
		client("pinged", oauth.Settings{CIBAMode: "ping", CIBANotify: "https://bank.example.com/ping"}),
	}})
	return &bank{h.browser(), key}
}

func (b *bank) form(id string, change ...string) url.Values {
	p := url.Values{"client_id": {id}, "client_secret": {"a secret of the bank"}, "scope": {"openid catalog.read"}, "login_hint": {"ada"}, "binding_message": {"W4SCT"}}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			p.Del(change[i])
		} else {
			p.Set(change[i], change[i+1])
		}
	}
	return p
}

func (b *bank) ask(id string, change ...string) reply {
	b.t.Helper()
	return b.post("/oauth/bc-authorize", b.form(id, change...))
}

func (b *bank) poll(id, requestID string) reply {
	b.t.Helper()
	return b.post("/oauth/token", url.Values{"client_id": {id}, "client_secret": {"a secret of the bank"}, "grant_type": {cibaGrant}, "auth_req_id": {requestID}})
}

// decide signs in at the page of what waits, opens the newest and decides.
func (b *bank) decide(t *testing.T, person *browser, decision string) reply {
	t.Helper()
	list := person.follow(person.get("/ciba"))
	if strings.Contains(list.body, `id="login"`) {
		list = person.follow(person.submit(list, "username", "ada", "password", password))
	}
	_, rest, found := strings.Cut(list.body, `<a href="/ciba?request=`)
	if !found {
		t.Fatalf("nothing waits: %d: %s", list.StatusCode, list.body)
	}
	id, _, _ := strings.Cut(rest, `"`)
	page := person.follow(person.get("/ciba?request=" + id))
	for _, want := range []string{"Bank", "W4SCT", `id="binding_message"`, "192.0.2.7", `id="allow"`, `id="deny"`, "Go on only if you have started this yourself"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page that asks lacks %q:\n%s", want, page.body)
		}
	}
	return person.submit(page, "decision", decision)
}

func (b *bank) signed(change map[string]any) string {
	now := b.clock.now().Unix()
	claims := map[string]any{
		"iss": "signs", "aud": issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": secret.NewID(b.clock.now()).String(),
		"scope": "openid catalog.read", "login_hint": "ada", "binding_message": "W4SCT",
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return b.sign(b.key, `{"alg":"ES256","kid":"k1"}`, claims)
}

func (b *bank) sign(key *ecdsa.PrivateKey, header string, claims map[string]any) string {
	body, err := json.Marshal(claims)
	if err != nil {
		b.t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(header)) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		b.t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64(sig)
}

func TestTK21CIBAPoll(t *testing.T) {
	b := newBank(t)
	asked := b.ask("bank").json(t)
	id, _ := asked["auth_req_id"].(string)
	if payload, err := secret.Decode(secret.AuthRequestID, id); err != nil || len(payload) != 48 || asked["expires_in"] != 300.0 || asked["interval"] != 5.0 {
		t.Fatalf("%v", asked)
	}
	b.poll("bank", id).wantError(t, "nobody has answered", "authorization_pending")
	b.poll("bank", id).wantError(t, "at once again", "slow_down")
	b.poll("bank2", id).wantError(t, "another client", "invalid_grant")
	done := b.decide(t, b.house.browser(), "allow")
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "Access given") {
		t.Errorf("%d: %s", done.StatusCode, done.body)
	}
	tokens := b.poll("bank", id)
	wantStatus(t, tokens, http.StatusOK)
	if m := tokens.json(t); m["id_token"] == nil || m["access_token"] == nil || m["refresh_token"] == nil {
		t.Errorf("%v", m)
	}
	b.poll("bank", id).wantError(t, "a second time", "invalid_grant")

	id = b.ask("bank").json(t)["auth_req_id"].(string)
	b.decide(t, b.house.browser(), "deny")
	b.poll("bank", id).wantError(t, "refused", "access_denied")
	id = b.ask("bank", "requested_expiry", "30").json(t)["auth_req_id"].(string)
	b.clock.advance(30 * time.Second)
	b.poll("bank", id).wantError(t, "nobody in time", "expired_token")
}

func TestCIBANobodyLooksLikeSomebodyWhoDoesNotAnswer(t *testing.T) {
	b := newBank(t)
	if _, err := b.accounts.AddUser(t.Context(), account.NewUser{Username: "gone", Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	u, err := b.accounts.UserByName(t.Context(), "gone")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.accounts.SetDisabled(t.Context(), u.ID, true); err != nil {
		t.Fatal(err)
	}
	for _, hint := range []string{"nobody", "gone", "ada", "nobody@example.com"} {
		r := b.ask("bank", "login_hint", hint)
		m := r.json(t)
		if r.StatusCode != http.StatusOK || m["expires_in"] != 300.0 || m["interval"] != 5.0 || len(m) != 3 {
			t.Errorf("%s: %d %v", hint, r.StatusCode, m)
		}
		b.poll("bank", m["auth_req_id"].(string)).wantError(t, hint, "authorization_pending")
	}
	if list, err := b.store.OAuth().AskedOf(t.Context(), u.ID, b.clock.now()); err != nil || len(list) != 0 {
		t.Errorf("%d wait for somebody who is disabled, %v", len(list), err)
	}
	for range 19 {
		b.ask("bank", "login_hint", "nobody")
	}
	if m := b.ask("bank", "login_hint", "nobody").json(t); m["error"] != "too_many_requests" {
		t.Errorf("too many for nobody: %v", m)
	}
}

func TestCIBARequestsThatAreRefused(t *testing.T) {
	b := newBank(t)
	for what, c := range map[string]struct {
		client, want string
		change       []string
	}{
		"no hint":                       {"bank", "invalid_request", []string{"login_hint", ""}},
		"two hints":                     {"bank", "invalid_request", []string{"id_token_hint", "x"}},
		"a hint token":                  {"bank", "invalid_request", []string{"login_hint", "", "login_hint_token", "x"}},
		"no ID token of ours":           {"bank", "invalid_request", []string{"login_hint", "", "id_token_hint", "x"}},
		"no openid":                     {"bank", "invalid_scope", []string{"scope", "catalog.read"}},
		"no scope":                      {"bank", "invalid_scope", []string{"scope", ""}},
		"a scope that is not its":       {"bank", "invalid_scope", []string{"scope", "openid catalog.write"}},
		"a long message":                {"bank", "invalid_binding_message", []string{"binding_message", strings.Repeat("x", 65)}},
		"a message with a line break":   {"bank", "invalid_binding_message", []string{"binding_message", "a\nb"}},
		"a message that turns around":   {"bank", "invalid_binding_message", []string{"binding_message", "a\u202eb"}},
		"requested_expiry is no number": {"bank", "invalid_request", []string{"requested_expiry", "soon"}},
		"requested_expiry is nothing":   {"bank", "invalid_request", []string{"requested_expiry", "0"}},
		"no token for the ping":         {"pinged", "invalid_request", nil},
		"a long token for the ping":     {"pinged", "invalid_request", []string{"client_notification_token", strings.Repeat("x", 1025)}},
		"a token that ends a header":    {"pinged", "invalid_request", []string{"client_notification_token", "x\r\nHost: y"}},
		"a request that is not signed":  {"signs", "invalid_request", nil},
		"a client that may not":         {"web", "invalid_client", nil},
		"an ACR that nobody reaches":    {"bank", "unmet_authentication_requirements", []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"silver"}}}`}},
	} {
		if r := b.ask(c.client, c.change...); r.json(t)["error"] != c.want {
			t.Errorf("%s: %d %s, want %s", what, r.StatusCode, r.body, c.want)
		}
	}
	p := b.form("web")
	p.Set("client_secret", b.secret.Reveal())
	b.post("/oauth/bc-authorize", p).wantError(t, "TK20 a client that is not registered for it", "unauthorized_client")
	p.Del("client_secret")
	p.Set("client_id", "shop")
	b.post("/oauth/bc-authorize", p).wantError(t, "TK20 a public client", "unauthorized_client")
}

func TestCIBASignedRequests(t *testing.T) {
	b := newBank(t)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := b.clock.now().Unix()
	send := func(jwt string, more ...string) reply {
		p := url.Values{"client_id": {"signs"}, "client_secret": {"a secret of the bank"}, "request": {jwt}}
		for i := 0; i < len(more); i += 2 {
			p.Set(more[i], more[i+1])
		}
		return b.post("/oauth/bc-authorize", p)
	}
	good := b.signed(map[string]any{"requested_expiry": 60})
	r := send(good)
	if m := r.json(t); r.StatusCode != http.StatusOK || m["expires_in"] != 60.0 {
		t.Fatalf("the pair: %d %s", r.StatusCode, r.body)
	}
	if r := send(b.signed(map[string]any{"requested_expiry": "60"})); r.json(t)["expires_in"] != 60.0 {
		t.Errorf("as a text: %s", r.body)
	}
	send(good).wantError(t, "used before", "invalid_request")
	for what, change := range map[string]map[string]any{
		"no iss": {"iss": nil}, "another iss": {"iss": "bank"}, "no aud": {"aud": nil}, "another aud": {"aud": issuer + "/oauth/token"},
		"no exp": {"exp": nil}, "expired": {"iat": now - 400, "nbf": now - 400, "exp": now - 100}, "an exp of years": {"exp": int64(2145916800)},
		"no iat": {"iat": nil}, "an iat of last week": {"iat": now - 7*86400, "exp": now + 60}, "no jti": {"jti": nil}, "no nbf": {"nbf": nil},
		"an nbf to come": {"nbf": now + 200}, "an nbf of years ago": {"nbf": now - 86400}, "no hint": {"login_hint": nil}, "two hints": {"id_token_hint": "x"},
		"scope is a list": {"scope": []any{1}}, "requested_expiry is a fraction": {"requested_expiry": 1.5}, "requested_expiry is negative": {"requested_expiry": -5},
	} {
		if r := send(b.signed(change)); r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", what, r.StatusCode, r.body)
		}
	}
	claims := map[string]any{"iss": "signs", "aud": issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": "j", "scope": "openid", "login_hint": "ada"}
	for what, jwt := range map[string]string{
		"another key": b.sign(stranger, `{"alg":"ES256","kid":"k1"}`, claims), "alg none": b.sign(b.key, `{"alg":"none"}`, claims),
		"alg RS256": b.sign(b.key, `{"alg":"RS256","kid":"k1"}`, claims), "no JWT": "x", "another typ": b.sign(b.key, `{"alg":"ES256","kid":"k1","typ":"dpop+jwt"}`, claims),
	} {
		send(jwt).wantError(t, what, "invalid_request")
	}
	send(b.signed(nil), "login_hint", "ada").wantError(t, "a parameter outside too", "invalid_request")
}

func TestCIBAOnlyWhoIsMeantDecides(t *testing.T) {
	b := newBank(t)
	if _, err := b.accounts.AddUser(t.Context(), account.NewUser{Username: "eve", Password: secret.New(password)}); err != nil {
		t.Fatal(err)
	}
	id := b.ask("bank").json(t)["auth_req_id"].(string)
	rows, err := b.store.OAuth().AskedOf(t.Context(), b.user.ID, b.clock.now())
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	eve := b.house.browser()
	eve.signInAs("eve")
	if r := eve.get("/ciba"); !strings.Contains(r.body, `id="nothing"`) {
		t.Errorf("eve sees what waits for ada: %s", r.body)
	}
	page := eve.follow(eve.get("/ciba?request=" + rows[0].ID.String()))
	if !strings.Contains(page.body, `id="login"`) || strings.Contains(page.body, "W4SCT") {
		t.Fatalf("eve opens what is for ada: %d: %s", page.StatusCode, page.body)
	}
	if r := eve.follow(eve.submit(page, "username", "eve", "password", password)); r.StatusCode != http.StatusBadRequest || !strings.Contains(r.body, "login_required") {
		t.Errorf("eve signs in for it: %d: %s", r.StatusCode, r.body)
	}
	b.poll("bank", id).wantError(t, "ada has not answered", "authorization_pending")
	for what, r := range map[string]reply{
		"no ID": eve.get("/ciba?request=x"), "unknown": eve.get("/ciba?request=" + secret.NewID(b.clock.now()).String()),
	} {
		wantStatus(t, r, http.StatusBadRequest)
		if !strings.Contains(r.body, "invalid_request") {
			t.Errorf("%s: %s", what, r.body)
		}
	}
}

func (b *browser) signInAs(name string) {
	b.t.Helper()
	b.submit(b.follow(b.get("/ciba")), "username", name, "password", password)
}

func TestCIBAPing(t *testing.T) {
	b := newBank(t)
	id := b.ask("pinged", "client_notification_token", "token-of-the-bank").json(t)["auth_req_id"].(string)
	claim := func() (list []oauth.Message, payloads string) {
		posts, err := b.store.Outbox().ClaimPosts(t.Context(), b.clock.now().Add(time.Hour), b.clock.now().Add(2*time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range posts {
			payloads += string(p.Payload)
			m, err := b.oauth.MakePost(t.Context(), p.ID, oauth.PostKind(p.Kind), p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, m)
		}
		if err := b.store.Outbox().DonePosts(t.Context(), posts); err != nil {
			t.Fatal(err)
		}
		return list, payloads
	}
	if list, _ := claim(); len(list) != 0 {
		t.Errorf("pinged before anybody has answered: %v", list)
	}
	b.decide(t, b.house.browser(), "allow")
	list, payloads := claim()
	if len(list) != 1 || list[0].URL != "https://bank.example.com/ping" || list[0].ContentType != "application/json" ||
		list[0].Authorization.Reveal() != "Bearer token-of-the-bank" || list[0].Body.Reveal() != `{"auth_req_id":"`+id+`"}` {
		t.Fatalf("%+v", list)
	}
	if strings.Contains(payloads, "token-of-the-bank") || strings.Contains(payloads, id) {
		t.Error("what waits in the outbox holds the token or the auth_req_id")
	}
	wantStatus(t, b.poll("pinged", id), http.StatusOK)
	id = b.ask("pinged", "client_notification_token", "t2").json(t)["auth_req_id"].(string)
	b.decide(t, b.house.browser(), "deny")
	if list, _ := claim(); len(list) != 1 || list[0].Body.Reveal() != `{"auth_req_id":"`+id+`"}` {
		t.Errorf("a refusal: %+v", list)
	}
	_, err := b.oauth.MakePost(context.Background(), "x", oauth.PostPing, []byte(`{"client_id":"pinged","sealed":"x"}`))
	if !errors.Is(err, oauth.ErrNothingToSend) {
		t.Errorf("a key that has gone: %v", err)
	}
}

func TestCIBAMailSaysWhereAndNotWhat(t *testing.T) {
	b := newBank(t)
	b.ask("bank")
	notices, err := b.store.Outbox().Claim(t.Context(), b.clock.now().Add(time.Minute), b.clock.now().Add(2*time.Minute), 10)
	if err != nil || len(notices) != 1 || notices[0].To != "ask:"+b.user.ID {
		t.Fatal(notices, err)
	}
	body := string(notices[0].Body)
	if !strings.Contains(body, issuer+"/ciba?request=") || !strings.Contains(body, `"app":"Bank"`) || strings.Contains(body, "W4SCT") {
		t.Error(body)
	}
}
