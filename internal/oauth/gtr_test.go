package oauth_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

func (r *rig) revoker() *oauth.Service {
	return r.node(r.feed, func(o *oauth.Options) {
		o.GlobalRevocation = true
		hashed := []oauth.ClientSecret{{Hash: r.secret.Hash()}}
		o.Clients = append(o.Clients, oauth.Client{ID: "watch", Type: oauth.ServiceClient, Scope: oauth.GlobalRevocationScope + " catalog.read", Secrets: hashed})
	})
}

func TestRV15GlobalRevocationEndsAllThatAPersonHas(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]func(r *rig) string{
		"opaque": func(r *rig) string { return `{"sub_id":{"format":"opaque","id":"` + r.user.ID + `"}}` },
		"iss_sub": func(r *rig) string {
			return `{"sub_id":{"format":"iss_sub","iss":"` + issuer + `","sub":"` + r.user.ID + `"}}`
		},
		"email, in another case": func(*rig) string { return `{"sub_id":{"format":"email","email":"Ada@Example.com"}}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			offline, err := r.redeem(r.code("scope", "openid catalog.read offline_access"))
			if err != nil {
				t.Fatal(err)
			}
			r.signIn() // another device
			second := r.tokens()
			pending := r.code()
			if _, err := r.revoker().RevokeGlobally(t.Context(), "watch", []byte(body(r))); err != nil {
				t.Fatal(err)
			}
			for what, res := range map[string]*oauth.TokenResponse{"offline_access": offline, "another device": second} {
				if r.active(res.AccessToken) {
					t.Errorf("%s: the access token lives on", what)
				}
				if _, err := r.refresh(res.RefreshToken); err == nil {
					t.Errorf("%s: the refresh token lives on", what)
				}
			}
			if _, err := r.redeem(pending); err == nil {
				t.Error("a code from before is redeemed")
			}
			r.clock.advance(time.Second)
			r.signIn()
			if !r.active(r.tokens().AccessToken) {
				t.Error("she cannot sign in again")
			}
		})
	}
}

// Who is meant shows in nothing that comes back.
func TestRV15GlobalRevocationDoesNotSayWhoIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tok := r.tokens()
	for name, body := range map[string]string{
		"an unknown account":       `{"sub_id":{"format":"opaque","id":"` + secret.NewID(r.clock.now()).String() + `"}}`,
		"what is no account":       `{"sub_id":{"format":"opaque","id":"%' OR 1=1"}}`,
		"another tenant's":         `{"sub_id":{"format":"iss_sub","iss":"https://other.example","sub":"` + r.user.ID + `"}}`,
		"an unknown address":       `{"sub_id":{"format":"email","email":"nobody@example.com"}}`,
		"a pattern for an address": `{"sub_id":{"format":"email","email":"%"}}`,
	} {
		if took, err := r.revoker().RevokeGlobally(t.Context(), "watch", []byte(body)); err != nil || took < 100*time.Millisecond {
			t.Errorf("%s: %v %v, want the answer for somebody", name, took, err)
		}
	}
	if !r.active(tok.AccessToken) {
		t.Error("somebody else was signed out")
	}
}

func TestRV15WhoMayRevokeGlobally(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.revoker()
	tok, err := s.Token(t.Context(), oauth.Request{Params: r.form("grant_type", "client_credentials").Params, Authorization: []string{basic("watch", r.secret.Reveal())}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(tok.Scope, oauth.GlobalRevocationScope) {
		t.Errorf("a token has the scope %q", tok.Scope)
	}
	for name, c := range map[string]struct {
		authorization []string
		code          string
	}{
		"the partner":                {[]string{basic("watch", r.secret.Reveal())}, ""},
		"a wrong secret":             {[]string{basic("watch", "x")}, oauth.InvalidClient},
		"a client without the scope": {[]string{basic("job", r.secret.Reveal())}, oauth.UnauthorizedClient},
		"an ordinary token":          {[]string{"Bearer " + tok.AccessToken.Reveal()}, oauth.InvalidClient},
		"nothing":                    {nil, oauth.InvalidClient},
	} {
		_, err := s.GlobalRevoker(t.Context(), oauth.Request{Authorization: c.authorization, Params: r.form("client_id", "watch", "client_secret", r.secret.Reveal()).Params})
		var oe *oauth.Error
		if c.code == "" && err != nil || c.code != "" && (!errors.As(err, &oe) || oe.Code != c.code) {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

var badSubjects = []string{
	``, `{}`, `[]`, `{"sub_id":null}`, `{"sub_id":{}}`, `{"sub_id":{"format":"opaque"}}`, `{"sub_id":{"format":"opaque","id":""}}`,
	`{"sub_id":{"format":"iss_sub","sub":"x"}}`, `{"sub_id":{"format":"phone_number","phone_number":"+1"}}`, `{"sub_id":{"format":"opaque","id":7}}`,
	`{"sub_id":{"format":"opaque","id":"a"}}{}`, `{"sub_id":{"format":"opaque","id":"a","id":"b"}}`, `{"sub_id":{"format":"opaque","id":"a","ID":"b"}}`,
	`{"sub_id":{"format":"opaque","id":"a"},"sub_id":{"format":"opaque","id":"b"}}`, `{"sub_id":{"format":"email","email":"a\u0000b"}}`, "{\"sub_id\":{\"format\":\"opaque\",\"id\":\"\xff\"}}",
}

func TestRV15SubjectIdentifiersAreReadStrictly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.revoker()
	for _, body := range append(badSubjects, `{"sub_id":{"format":"opaque","id":"`+strings.Repeat("a", oauth.MaxSubjectID)+`"}}`) {
		_, err := s.RevokeGlobally(t.Context(), "watch", []byte(body))
		var oe *oauth.Error
		if !errors.As(err, &oe) || oe.Code != oauth.InvalidRequest {
			t.Errorf("%.100s: %v, want invalid_request", body, err)
		}
	}
}

func FuzzSubjectID(f *testing.F) {
	for _, body := range append(badSubjects, `{"sub_id":{"format":"opaque","id":"a"}}`, `{"sub_id":{"format":"email","email":"a@b.example"},"x":[1,{"y":[]}]}`) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		format, perr := oauth.ReadSubjectFormat(body)
		if perr == nil && format != "opaque" && format != "iss_sub" && format != "email" {
			t.Errorf("%q was read as %q", body, format)
		}
	})
}

func basic(id, key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+key))
}
