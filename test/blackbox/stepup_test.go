package blackbox_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// The configuration of docs/guide/what-tokens-say.md, with an operation that
// wants a fresh sign-in.
const stepUpConfig = `issuer: %[1]s
listen: %[2]s
metrics_listen: %[3]s
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
apis:
  - name: catalog
    audience: https://api.example.com/catalog
    path: /catalog
    upstream: %[4]s
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
      - {match: "PUT /items/{id}", scope: catalog.read, max_age: 2s}
  - name: billing
    audience: https://api.example.com/billing
    path: /billing
    upstream: %[4]s
    operations:
      - {match: "GET /items/{id}", scope: billing.read}
authorization_details_types:
  - type: invoice
    apis: [billing]
    text: "Pay {amount.value} {amount.currency} to {creditor}"
    fields:
      - {name: amount.value, label: Amount, required: true, pattern: "[0-9]{1,9}[.][0-9]{2}"}
      - {name: amount.currency, label: Currency, required: true, enum: [EUR, USD]}
      - {name: creditor, label: To, required: true, max: 70}
      - {name: urgent, label: Urgent, kind: boolean}
clients:
  - {client_id: %[5]s, type: native, redirect_uris: ["%[6]s"], scope: "openid catalog.read billing.read", authorization_details_types: [invoice]}
`

// inner is what the backend learned last, from its inner token.
type inner struct {
	Audience string `json:"aud"`
	Scope    string
	AuthTime int64           `json:"auth_time"`
	Details  json.RawMessage `json:"authorization_details"`
}

func stepUpHouse(t *testing.T) (*rig.Server, *rig.Person, chan inner) {
	t.Helper()
	got := make(chan inner, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var i inner
		parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
		if len(parts) == 3 {
			plain, _ := base64.RawURLEncoding.DecodeString(parts[1])
			_ = json.Unmarshal(plain, &i)
		}
		got <- i
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(backend.Close)
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	next := s.ServeText(t, fmt.Sprintf(stepUpConfig, s.Issuer, s.Listen, rig.FreeAddr(t), backend.URL, s.ClientID, s.RedirectURI))
	return next, next.Person(t), got
}

func signInFor(t *testing.T, s *rig.Server, p *rig.Person, extra url.Values, more url.Values) rig.Tokens {
	t.Helper()
	address, verifier := s.AuthorizeURL("openid catalog.read billing.read")
	back := p.Authorize(t, address+"&"+extra.Encode(), s.RedirectURI)
	params := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {s.RedirectURI}, "code_verifier": {verifier}}
	for name, values := range more {
		params[name] = values
	}
	tok, err := s.Token(params)
	if err != nil || tok.Status != http.StatusOK {
		t.Fatalf("%v %+v, back at %s", err, tok, back)
	}
	return tok
}

// RFC 9470: the app learns from the gateway what is missing, sends the person
// through the authorization endpoint with it, and passes.
func TestAZ20StepUpFromTheChallengeToThePass(t *testing.T) {
	s, p, got := stepUpHouse(t)
	item := s.Issuer + "/catalog/items/1"
	tok := signInFor(t, s, p, url.Values{}, nil)
	if status, _, body := s.Call(t, http.MethodGet, item, tok.AccessToken); status != http.StatusNoContent {
		t.Fatalf("reading: %d %s", status, body)
	}
	<-got
	time.Sleep(3 * time.Second)
	status, header, _ := s.Call(t, http.MethodPut, item, tok.AccessToken)
	challenge := header.Get("WWW-Authenticate")
	if status != http.StatusUnauthorized || !strings.Contains(challenge, `error="insufficient_user_authentication"`) || !strings.Contains(challenge, `max_age="2"`) && !strings.Contains(challenge, `max_age=2`) {
		t.Fatalf("an old sign-in: %d %q", status, challenge)
	}
	silent, _ := s.AuthorizeURL("openid catalog.read billing.read")
	if page := p.Go(t, silent+"&max_age=2&prompt=none", s.RedirectURI); page.URL.Query().Get("error") != "login_required" {
		t.Errorf("silently: %s", page.URL)
	}
	fresh := signInFor(t, s, p, url.Values{"max_age": {"2"}}, nil)
	if status, header, body := s.Call(t, http.MethodPut, item, fresh.AccessToken); status != http.StatusNoContent {
		t.Fatalf("a fresh sign-in: %d %q %s", status, header.Get("WWW-Authenticate"), body)
	}
	if i := <-got; time.Since(time.Unix(i.AuthTime, 0)) > 30*time.Second {
		t.Errorf("the backend hears of a sign-in at %d", i.AuthTime)
	}
}

// What a person has agreed to in detail reaches the backend that it is for, and no other.
func TestPR13DetailsReachTheirBackend(t *testing.T) {
	s, p, got := stepUpHouse(t)
	const details = `[{"type":"invoice","amount":{"value":"123.50","currency":"EUR"},"creditor":"Merchant A"}]`
	const want = `[{"amount":{"currency":"EUR","value":"123.50"},"creditor":"Merchant A","locations":["https://api.example.com/billing"],"type":"invoice"}]`
	tok := signInFor(t, s, p, url.Values{"authorization_details": {details}}, nil)
	for path, expected := range map[string]string{"/billing": want, "/catalog": ""} {
		if status, _, body := s.Call(t, http.MethodGet, s.Issuer+path+"/items/1", tok.AccessToken); status != http.StatusNoContent {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		if i := <-got; string(i.Details) != expected {
			t.Errorf("%s learns of %s, want %s", path, i.Details, expected)
		}
	}
	alone, err := s.Token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.RefreshToken}, "resource": {"https://api.example.com/catalog"}})
	if err != nil || alone.Status != http.StatusOK || alone.Scope != "catalog.read" {
		t.Fatalf("for one API: %+v, %v", alone, err)
	}
	if status, _, _ := s.Call(t, http.MethodGet, s.Issuer+"/billing/items/1", alone.AccessToken); status != http.StatusUnauthorized && status != http.StatusForbidden {
		t.Errorf("PR15 at the other API: %d", status)
	}
}
