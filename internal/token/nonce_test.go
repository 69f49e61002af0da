package token_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/internal/token"
)

func TestPP13Nonces(t *testing.T) {
	t.Parallel()
	ring, store, master := newRing(t)
	c := &proofClock{now}
	p := proofsOf(t, ring, c, token.NewReplayTable(0, c.now))
	key := es256(t)
	again, err := token.OpenRing(t.Context(), store, master, clock)
	if err != nil {
		t.Fatal(err)
	}
	foreign, _ := newProofs(t, c)
	node := proofsOf(t, again, c, token.NewReplayTable(0, c.now))
	good := p.Nonce(token.NonceGateway)
	for _, tt := range []struct {
		name   string
		nonce  any
		later  time.Duration
		need   bool
		reason string
		renew  bool
	}{
		{"needed and there", good, 0, true, "", false},
		{"there though not needed", good, 0, false, "", false},
		{"needed and missing", nil, 0, true, "proof_nonce_missing", false},
		{"not needed and missing", nil, 0, false, "", false},
		{"from the other node", node.Nonce(token.NonceGateway), 0, true, "", false},
		{"of the issuer", p.Nonce(token.NonceIssuer), 0, true, "proof_nonce_stale", false},
		{"of the issuer, not needed", p.Nonce(token.NonceIssuer), 0, false, "proof_nonce_stale", false},
		{"of a stranger's ring", foreign.Nonce(token.NonceGateway), 0, true, "proof_nonce_stale", false},
		{"of another time, same MAC", "AAAAAA" + good[6:], 0, true, "proof_nonce_stale", false},
		{"cut", good[:47], 0, true, "proof_nonce_stale", false},
		{"longer", good + "A", 0, true, "proof_nonce_stale", false},
		{"with a line break", good[:46] + "\n" + good[47:], 0, true, "proof_nonce_stale", false},
		{"one bit", flipBit(good), 0, true, "proof_nonce_stale", false},
		{"empty", "", 0, true, "proof_nonce_stale", false},
		{"not a string", 1, 0, true, "proof_nonce", false},
		{"after two minutes", good, 2 * time.Minute, true, "", false},
		{"after half of its life it is replaced", good, 151 * time.Second, true, "", true},
		{"after five minutes", good, 5 * time.Minute, true, "", true},
		{"after six", good, 6 * time.Minute, true, "proof_nonce_stale", false},
		{"on a node whose clock is behind", good, -30 * time.Second, true, "", false},
		{"from far ahead", good, -2 * time.Minute, true, "proof_nonce_stale", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.at = now.Add(tt.later)
			d := newDraft(key)
			d.claims = with(with(d.claims, "nonce", tt.nonce), "iat", c.at.Unix())
			r := d.request(t)
			r.NeedNonce = tt.need
			proof, err := p.Check(t.Context(), r)
			checkReason(t, err, tt.reason)
			if err == nil && proof.Renew != tt.renew {
				t.Errorf("renew %v", proof.Renew)
			}
		})
	}
}

// One that the gateway handed out means nothing to the issuer either.
func TestPP13GatewayNonceAtTheIssuer(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	for who, reason := range map[string]string{token.NonceIssuer: "", token.NonceGateway: "proof_nonce_stale"} {
		d := newDraft(es256(t))
		setClaim("nonce", p.Nonce(who))(d)
		r := d.request(t)
		r.NonceFor, r.NeedNonce = token.NonceIssuer, true
		_, err := p.Check(t.Context(), r)
		checkReason(t, err, reason)
	}
}

func flipBit(s string) string {
	b := []byte(s)
	if b[20] == 'A' {
		b[20] = 'B'
	} else {
		b[20] = 'A'
	}
	return string(b)
}

func TestNoncesChangeWithTimeAndPlace(t *testing.T) {
	t.Parallel()
	c := &proofClock{now}
	p, _ := newProofs(t, c)
	first := p.Nonce(token.NonceGateway)
	if first != p.Nonce(token.NonceGateway) {
		t.Error("two nonces in one step")
	}
	if first == p.Nonce(token.NonceIssuer) {
		t.Error("issuer and gateway share a nonce")
	}
	if len(first) > 64 || strings.ContainsAny(first, "\" \\=") {
		t.Errorf("%q does not fit nonce of RFC 9449 §8.1", first)
	}
	c.at = now.Add(30 * time.Second)
	if first == p.Nonce(token.NonceGateway) {
		t.Error("the nonce does not change")
	}
}

// Only a client whose proof is right otherwise is told to come again.
func TestNonceIsTheLastQuestion(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	d := newDraft(es256(t))
	setClaim("htm", "PUT")(d)
	r := d.request(t)
	r.NeedNonce = true
	_, err := p.Check(t.Context(), r)
	checkReason(t, err, "proof_htm")
}
