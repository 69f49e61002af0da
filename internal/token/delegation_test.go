package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	tokenDetails = `[{"type":"payment","locations":["https://api.example.com/pay"]}]`
	tokenActor   = `{"sub":"client:orders","act":{"sub":"client:shop"}}`
)

func delegated() token.Access {
	a := sample()
	a.Details, a.Actor, a.Exchanger = tokenDetails, tokenActor, secret.NewID(now)
	return a
}

// What a token says beyond version 1 comes back from every form, and a token that
// says nothing of it is written as it was before there was a version 2.
func TestDelegatedAccessRoundTrip(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	reader, err := token.NewAccessReader(ring, "https://auth.example.com", clock)
	if err != nil {
		t.Fatal(err)
	}
	only := func(change func(*token.Access)) token.Access { a := sample(); change(&a); return a }
	for name, c := range map[string]struct {
		access  token.Access
		version byte
	}{
		"nothing more":  {sample(), 1},
		"all":           {delegated(), 2},
		"details alone": {only(func(a *token.Access) { a.Details = tokenDetails }), 2},
		"actor alone":   {only(func(a *token.Access) { a.Actor = tokenActor }), 2},
		"epoch alone":   {only(func(a *token.Access) { a.Exchanger = secret.NewID(now) }), 2},
	} {
		sealed, err := ring.SealAccess(&c.access)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := secret.Decode(secret.AccessToken, sealed.Reveal())
		if err != nil || raw[0] != c.version {
			t.Errorf("%s: version %d, %v; want %d", name, raw[0], err, c.version)
		}
		got := delegated() // of the call before: nothing of it may stay
		if err := ring.OpenAccess(sealed.Reveal(), &got); err != nil || got != c.access {
			t.Errorf("%s, sealed: %v\n%s", name, err, cmp.Diff(c.access, got))
		}
		jwt, err := ring.SignAccess(&c.access, "https://auth.example.com")
		if err != nil {
			t.Fatal(err)
		}
		want := c.access
		want.Tier, want.InstallID = token.TierHigh, secret.ID{} // which a JWT does not say
		if _, err := reader.Open(t.Context(), jwt.Reveal(), &got); err != nil || got != want {
			t.Errorf("%s, JWT: %v\n%s", name, err, cmp.Diff(want, got))
		}
		// The version is authenticated: the other one does not open.
		raw[0] = 3 - raw[0]
		if err := ring.OpenAccess(secret.Encode(secret.AccessToken, raw).Reveal(), &got); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s, as the other version: %v", name, err)
		}
	}
	for name, a := range map[string]token.Access{
		"details that are an object": only(func(a *token.Access) { a.Details = `{"type":"payment"}` }),
		"an actor that is a text":    only(func(a *token.Access) { a.Actor = `"client:orders"` }),
	} {
		if _, err := ring.SealAccess(&a); err == nil {
			t.Errorf("%s is sealed", name)
		}
		if _, err := ring.SignAccess(&a, "https://auth.example.com"); err == nil {
			t.Errorf("%s is signed", name)
		}
	}
}

func TestJ097ActorsOfAClaim(t *testing.T) {
	t.Parallel()
	chain := func(n int) string {
		return strings.Repeat(`{"sub":"a","act":`, n-1) + `{"sub":"a"}` + strings.Repeat("}", n-1)
	}
	for name, c := range map[string]struct {
		act  string
		want int
	}{
		"J097 none":                     {"", 0},
		"J097 one":                      {`{"sub":"client:orders"}`, 1},
		"J097 one with other members":   {`{"iss":"https://auth.example.com","sub":"client:orders"}`, 1},
		"J097 as many as there may be":  {chain(token.MaxActors), token.MaxActors},
		"J097 one more":                 {chain(token.MaxActors + 1), 0},
		"J097 eleven":                   {chain(11), 0},
		"J097 without sub":              {`{"client_id":"orders"}`, 0},
		"J097 sub in another spelling":  {`{"Sub":"client:orders"}`, 0},
		"J097 sub twice":                {`{"sub":"client:orders","sub":"client:shop"}`, 0},
		"J097 the one before no object": {`{"sub":"client:orders","act":"client:shop"}`, 0},
		"J097 the one before is null":   {`{"sub":"client:orders","act":null}`, 0},
		"J097 an array":                 {`[{"sub":"client:orders"}]`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := token.Actors(c.act); len(got) != c.want {
				t.Errorf("Actors(%s) = %q, want %d", c.act, got, c.want)
			}
		})
	}
	if d := cmp.Diff([]string{"client:orders", "client:shop"}, token.Actors(tokenActor)); d != "" {
		t.Error(d)
	}
}

func TestDetailsForOneAPI(t *testing.T) {
	t.Parallel()
	const pay, shop = "https://api.example.com/pay", "https://api.example.com/shop"
	for name, c := range map[string]struct{ details, audiences, want string }{
		"none":                         {"", pay, ""},
		"no location is for all":       {`[{"type":"t"}]`, pay, `[{"type":"t"}]`},
		"its own location":             {tokenDetails, pay, tokenDetails},
		"one of its audiences":         {tokenDetails, shop + " " + pay, tokenDetails},
		"another's location":           {tokenDetails, shop, ""},
		"part":                         {`[{"type":"t"},{"type":"u","locations":["` + shop + `"]},{"type":"v"}]`, pay, `[{"type":"t"},{"type":"v"}]`},
		"the beginning of an URI":      {tokenDetails, pay + "/x", ""},
		"what is no array":             {`{"type":"t"}`, pay, ""},
		"an element that is no object": {`["t",{"type":"v"}]`, pay, `[{"type":"v"}]`},
		"locations that are no list":   {`[{"type":"t","locations":"` + pay + `"}]`, pay, ""},
	} {
		if got := token.DetailsFor(c.details, c.audiences); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
