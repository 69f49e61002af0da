package token_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// cacheLife is the max-age of key sets: so long others do not look again.
const cacheLife = 5 * time.Minute

// relying is somebody else who verifies our signatures.
type relying struct {
	keys    *jose.KeySet
	fetched time.Time
}

// see returns the keys that it knows, and reads them from node only if what it
// has is too old.
func (c *relying) see(h *house, node *token.Ring) *jose.KeySet {
	if c.keys == nil || h.now().Sub(c.fetched) >= cacheLife {
		raw, err := node.JWKS(token.SignIDToken, token.SignAccess, token.SignInner)
		h.ok(err)
		set, err := jose.ParseKeySet(raw)
		h.ok(err)
		c.keys, c.fetched = set, h.now()
	}
	return c.keys
}

// living is something made earlier that must still be accepted.
type living struct {
	until time.Time
	check func(*token.Ring) error
}

// Two nodes over one database, one of which hears of changes half a minute
// late, rotate all keys again and again by schedule. Ten clients keep the key
// set for its whole max-age, each from another moment on, and never look
// sooner. Nothing valid is refused.
func TestMD05NothingIsRefusedDuringScheduledRotations(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.keeper.Rotate = map[string]time.Duration{token.GroupSealing: time.Hour, token.GroupSigning: 4 * time.Hour, token.GroupRefresh: 4 * time.Hour}
	m := &rotations{house: h, nodes: []*token.Ring{h.node(), h.node()}, clients: make([]relying, 10), signers: map[string]bool{}}
	made := 0
	const step, total = 30 * time.Second, 14 * time.Hour
	for i := range int(total / step) {
		h.advance(step)
		h.ok(m.nodes[1].Reload(t.Context()))
		made += h.tend()
		h.ok(m.nodes[0].Reload(t.Context()))
		m.sign(i)
		m.share(i)
	}
	if len(m.signers) < 12 || made < 50 {
		t.Errorf("only %d signing keys and %d keys in all: too few rotations to prove anything", len(m.signers), made)
	}
	t.Logf("%d checks over %d new keys, and none failed; %d keys have signed", m.checks, made, len(m.signers))
}

type rotations struct {
	*house
	nodes   []*token.Ring
	clients []relying
	signers map[string]bool
	alive   []living
	checks  int
}

// sign lets both nodes sign and all clients verify; that they know the key
// always, and now and then the signature too, because those cost.
func (m *rotations) sign(i int) {
	m.t.Helper()
	for n, maker := range m.nodes {
		for _, p := range []token.Purpose{token.SignIDToken, token.SignAccess, token.SignInner} {
			signer := maker.Signer(p)
			m.signers[signer.KeyID] = true
			for c := range min(len(m.clients), i) { // they come one after the other
				if _, err := m.clients[c].see(m.house, m.nodes[c%2]).Key(m.t.Context(), signer.KeyID, ""); err != nil {
					m.t.Fatalf("step %d: node %d signs with a %s key that client %d does not know: %v", i, n, p, c, err)
				}
				m.checks++
			}
			if i > len(m.clients) && i%60 == 0 {
				m.verify(signer, i)
			}
		}
	}
}

func (m *rotations) verify(signer *token.Signer, i int) {
	m.t.Helper()
	jwt, err := signer.Sign("JWT", fmt.Appendf(nil, `{"iss":"i","aud":"a","iat":%d,"exp":%d}`, m.now().Unix(), m.now().Add(time.Minute).Unix()))
	m.ok(err)
	for c := range m.clients {
		v, err := jose.NewVerifier(jose.Profile{
			Purpose: "test", Types: []string{"jwt"}, Algorithms: []jose.Algorithm{jose.ES256, jose.EdDSA}, Keys: m.clients[c].see(m.house, m.nodes[c%2]),
			Issuer: jose.Exactly("i"), Audience: jose.Exactly("a"), MaxLife: time.Hour, Now: m.now,
		})
		m.ok(err)
		if _, err := v.Verify(m.t.Context(), jwt); err != nil {
			m.t.Fatalf("step %d: client %d refuses a token of this moment: %v", i, c, err)
		}
		m.checks++
	}
}

// share lets each node judge what the other has made, just now and long ago.
func (m *rotations) share(i int) {
	m.t.Helper()
	for n, maker := range m.nodes {
		made := m.make(maker)
		m.judge(i, m.nodes[1-n], made)
		if i%10 == 0 {
			m.alive = append(m.alive, made...)
		}
	}
	if i%40 == 0 {
		m.alive = slices.DeleteFunc(m.alive, func(l living) bool { return m.now().After(l.until) })
		for _, node := range m.nodes {
			m.judge(i, node, m.alive)
		}
	}
}

func (m *rotations) judge(i int, node *token.Ring, things []living) {
	m.t.Helper()
	for n, l := range things {
		if err := l.check(node); err != nil {
			m.t.Fatalf("step %d: thing %d, which lives until %v, is refused: %v", i, n, l.until, err)
		}
		m.checks++
	}
}

// make makes one thing of each private kind, as old as they get.
func (h *house) make(ring *token.Ring) []living {
	a := sample()
	tok, err := ring.SealAccess(&a)
	h.ok(err)
	flow, err := ring.Seal(secret.PendingSignIn, "flow", []byte("x"))
	h.ok(err)
	form, grant, salt := ring.MAC(token.MACForm, []byte("f")), secret.NewID(h.now()), secret.Random(16)
	refresh, err := token.ParseRefresh(ring.RefreshToken(grant, 1, salt).Reveal())
	h.ok(err)
	when := func(ok bool) error {
		if !ok {
			return token.ErrInvalid
		}
		return nil
	}
	return []living{
		{h.now().Add(token.MaxAccessLifetime), func(r *token.Ring) error { var a token.Access; return r.OpenAccess(tok.Reveal(), &a) }},
		{h.now().Add(30 * time.Minute), func(r *token.Ring) error { _, err := r.Open(secret.PendingSignIn, "flow", flow.Reveal()); return err }},
		{h.now().Add(6 * time.Hour), func(r *token.Ring) error { return when(r.CheckMAC(token.MACForm, form, []byte("f"))) }},
		{h.now().Add(90 * 24 * time.Hour), func(r *token.Ring) error { return when(r.CheckRefresh(refresh, salt)) }},
	}
}
