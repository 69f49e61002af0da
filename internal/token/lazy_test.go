package token_test

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

func (h *house) count(p token.Purpose) (n int) {
	h.t.Helper()
	states, err := h.keeper.States(h.t.Context())
	h.ok(err)
	for _, s := range states {
		if s.Purpose == p {
			n++
		}
	}
	return n
}

// An RSA key takes long to make, so no start waits for one.
func TestRSAKeysAreMadeWhenTheyAreWanted(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	if n := h.count(token.SignIDTokenRSA) + h.count(token.SignSET) + h.tend(); n != 0 {
		t.Fatalf("%d keys that nobody wants", n)
	}
	h.keeper.Wants = []token.Purpose{token.SignIDTokenRSA}
	if n := h.tend() + h.tend(); n != 1 || h.count(token.SignIDTokenRSA) != 1 || h.count(token.SignSET) != 0 {
		t.Fatalf("%d made", n)
	}
	h.ok(ring.Reload(t.Context()))
	if got := ring.Signer(token.SignIDTokenRSA).KeyID; got != h.maker(token.SignIDTokenRSA).ID.String() {
		t.Errorf("%s signs", got)
	}
	h.advance(time.Second)
	next, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDTokenRSA), false)
	h.ok(err)
	if want := h.now().Add(policy(t, token.SignIDTokenRSA).Lead); !next.ActiveAt.Equal(want) {
		t.Errorf("a rotated key signs from %v, want it published before, until %v", next.ActiveAt, want)
	}
}

// Whoever needs a key first waits for it, and there is one, on however many nodes.
func TestRSAKeysAreMadeByTheFirstWhoNeedsThem(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	nodes := []*token.Ring{h.node(), h.node()}
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = nodes[i%2].Signer(token.SignSET).KeyID })
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("signed by %q", ids)
		}
	}
	if n := h.count(token.SignSET); n != 1 {
		t.Errorf("%d keys", n)
	}
}

func TestRV20MD04TheRSAKeysArePublishedAndVerify(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	for _, p := range []token.Purpose{token.SignIDTokenRSA, token.SignSET} {
		jwt, err := ring.Signer(p).Sign("secevent+jwt", fmt.Appendf(nil, `{"iss":"https://i","aud":"a","iat":%d}`, h.now().Unix()))
		h.ok(err)
		raw, err := ring.JWKS(p)
		h.ok(err)
		set, err := jose.ParseKeySet(raw)
		h.ok(err)
		var doc struct{ Keys []map[string]string }
		h.ok(json.Unmarshal(raw, &doc))
		key := doc.Keys[0]
		if len(doc.Keys) != 1 || len(key) != 6 || key["alg"] != "RS256" || key["use"] != "sig" || key["kty"] != "RSA" {
			t.Errorf("%s: %s", p, raw)
		}
		if bits := set.Keys()[0].Public().(*rsa.PublicKey).N.BitLen(); bits < 2048 {
			t.Errorf("%s: %d bits", p, bits)
		}
		verify := func(keys jose.KeySource) error {
			v, err := jose.NewVerifier(jose.Profile{
				Purpose: "test", Types: []string{"secevent+jwt"}, Algorithms: []jose.Algorithm{jose.RS256}, Keys: keys,
				Issuer: jose.Exactly("https://i"), Audience: jose.Any(), MaxAge: time.Minute, Now: h.now,
			})
			h.ok(err)
			_, err = v.Verify(t.Context(), jwt)
			return err
		}
		h.ok(verify(set))
		h.ok(verify(ring.KeySource(token.SignIDToken, p)))
		if verify(ring.KeySource(token.SignIDToken, token.SignAccess)) == nil {
			t.Errorf("%s: verified by the keys of another purpose", p)
		}
	}
}
