package oauth_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

// What had ended already is found, changes nothing, and tells nobody.
func TestT044WhatHadEndedTellsNobody(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig, *oauth.TokenResponse){
		"alive":   nil,
		"expired": func(r *rig, _ *oauth.TokenResponse) { r.clock.advance(2 * time.Hour) },
		"revoked": func(r *rig, res *oauth.TokenResponse) {
			if err := r.Revoke(r.t.Context(), r.form("client_id", "app", "token", res.AccessToken.Reveal())); err != nil {
				r.t.Fatal(err)
			}
		},
		"of a grant that was revoked": func(r *rig, res *oauth.TokenResponse) {
			if err := r.Revoke(r.t.Context(), r.form("client_id", "app", "token", res.RefreshToken.Reveal())); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			res := r.tokens()
			want, alive := audit.ActionTokenRevoked, true
			if end != nil {
				end(r, res)
				want, alive = audit.ActionNone, false
			}
			r.wantFinding(name, r.leaked(res.AccessToken.Reveal()), "access_token", want, "app", alive)
			if told := r.told(); (len(told) > 0) != alive {
				t.Errorf("told %v", told)
			}
		})
	}
}

// An inner token is a fault of a backend: the operator hears of it, and neither
// the client nor the person, who can do nothing about it.
func TestT044InnerTokensConcernTheOperatorAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sign := func(p token.Purpose, typ, aud string) string {
		at := r.clock.now().Unix()
		jwt, err := r.ring.Signer(p).Sign(typ, fmt.Appendf(nil, `{"iss":%q,"aud":%q,"sub":%q,"client_id":"app","iat":%d,"exp":%d}`,
			issuer, aud, r.user.ID, at, at+60))
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	r.wantFinding("inner token", r.leaked(sign(token.SignInner, token.TypeInner, "backend")), "inner_token", audit.ActionNone, "app", false)
	r.wantFinding("ID token", r.leaked(sign(token.SignIDToken, token.TypeID, "app")), "id_token", audit.ActionNone, "app", false)
	told := r.told()
	everybody := []string{oauth.ToOperator, oauth.ToRecord, oauth.ToWebhook}
	if got := slices.Sorted(slices.Values(told["inner_token"])); !slices.Equal(got, everybody) {
		t.Errorf("inner token: told %v, want %v", got, everybody)
	}
	want := slices.Sorted(slices.Values(append(everybody, oauth.ToClient+"app", oauth.ToUser+r.user.ID)))
	if got := slices.Sorted(slices.Values(told["id_token"])); !slices.Equal(got, want) {
		t.Errorf("the pair, an ID token: told %v, want %v", got, want)
	}
}
