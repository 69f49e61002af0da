package oauth_test

import (
	"testing"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// sealed is a token that says what change makes of a good one for two APIs.
func (r *rig) sealed(change func(*token.Access)) secret.Value {
	r.t.Helper()
	now := r.clock.now()
	a := token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "app", Subject: r.user.ID, Audience: catalog + " " + pay, Scope: "catalog.read pay",
		IssuedAt: now.Unix(), Lifetime: 300, AuthTime: now.Unix(), ACR: token.ACRPassword, AMR: "pwd", Tier: token.TierStandard,
	}
	change(&a)
	tok, err := r.ring.SealAccess(&a)
	if err != nil {
		r.t.Fatal(err)
	}
	return tok
}

func TestIN05IntrospectionTellsActorAndDetails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tok := r.sealed(func(a *token.Access) {
		a.Details = `[{"type":"read","locations":["` + catalog + `"]},{"type":"payment","locations":["` + pay + `"]}]`
		a.Actor = `{"sub":"client:orders"}`
	})
	got := r.introspect("rs", tok)
	if act, _ := got["act"].(map[string]any); act["sub"] != "client:orders" || got["sub"] != r.user.ID {
		t.Errorf("IN05 sub %v, act %v", got["sub"], got["act"])
	}
	details, _ := got["authorization_details"].([]any)
	if len(details) != 1 || details[0].(map[string]any)["type"] != "read" {
		t.Errorf("IN04 details %v, want those for this API", details)
	}
	// The answer is for one caller: a resource server of another API learns nothing.
	if got := r.introspect("rs2", tok); len(got) != 1 {
		t.Errorf("IN04 %v", got)
	}
}
