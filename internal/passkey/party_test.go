package passkey_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sallyport/internal/account"
	"sallyport/internal/passkey"
)

const issuer = "https://auth.example.com:8443/at"

func party(t testing.TB) *passkey.Party {
	t.Helper()
	p, err := passkey.New(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPasskeysNeedADomain(t *testing.T) {
	for issuer, id := range map[string]string{
		"https://auth.example.com": "auth.example.com", "https://auth.example.com:8443/at": "auth.example.com", "https://localhost:8443": "localhost",
		"https://127.0.0.1:8443": "", "https://[::1]:8443": "", "http://auth.example.com": "",
	} {
		p, err := passkey.New(issuer)
		if id == "" && !errors.Is(err, passkey.ErrNoDomain) || id != "" && (err != nil || p.ID() != id) {
			t.Errorf("New(%q) = %v, %v; want RP ID %q", issuer, p, err, id)
		}
	}
}

// What a browser is asked for: a discoverable credential with user verification,
// no attestation, the algorithms that are on every authenticator.
func TestAU09WhatBrowsersAreAskedFor(t *testing.T) {
	challenge := make([]byte, 32)
	known := account.Credential{ID: base64.RawURLEncoding.EncodeToString([]byte("known")), Transports: []string{"internal"}}
	got, err := party(t).Creation(challenge, account.PasskeyOwner{Handle: []byte("handle"), Name: "ada", DisplayName: "Ada L."}, []account.Credential{known})
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		RP          struct{ ID, Name string }
		User        struct{ ID, Name, DisplayName string }
		Challenge   string
		Timeout     int
		Attestation string
		Params      []struct{ Alg int } `json:"pubKeyCredParams"`
		Selection   struct {
			ResidentKey, UserVerification string
			RequireResidentKey            bool
		} `json:"authenticatorSelection"`
		Exclude []struct {
			ID         string
			Transports []string
		} `json:"excludeCredentials"`
	}
	if err := json.Unmarshal([]byte(got), &o); err != nil {
		t.Fatal(err)
	}
	if o.RP.ID != "auth.example.com" || o.RP.Name == "" || o.User.ID != "aGFuZGxl" || o.User.Name != "ada" || o.User.DisplayName != "Ada L." ||
		len(o.Challenge) != 43 || o.Timeout != 300000 || o.Attestation != "none" || len(o.Params) != 3 || o.Params[0].Alg != -8 || o.Params[1].Alg != -7 || o.Params[2].Alg != -257 ||
		o.Selection.ResidentKey != "required" || !o.Selection.RequireResidentKey || o.Selection.UserVerification != "required" ||
		len(o.Exclude) != 1 || o.Exclude[0].ID != known.ID || o.Exclude[0].Transports[0] != "internal" {
		t.Errorf("creation options: %s", got)
	}
	got, err = party(t).Request(challenge, nil)
	if err != nil || !strings.Contains(got, `"rpId":"auth.example.com"`) || !strings.Contains(got, `"userVerification":"required"`) || strings.Contains(got, "allowCredentials") {
		t.Errorf("request options: %s, %v", got, err)
	}
	got, err = party(t).Request(challenge, []account.Credential{known})
	if err != nil || !strings.Contains(got, `"allowCredentials":[{`) {
		t.Errorf("request options for one person: %s, %v", got, err)
	}
}
