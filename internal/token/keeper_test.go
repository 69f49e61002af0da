package token_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// house is a database, a clock, and what keeps the keys in it.
type house struct {
	t      *testing.T
	mu     sync.Mutex
	at     time.Time
	store  *store.Store
	master secret.Value
	keeper *token.Keeper
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, at: now, master: secret.NewHandle(secret.MasterKey)}
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: h.now})
	if err == nil {
		err = s.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	h.store = s
	h.keeper = &token.Keeper{Store: s.Keys(), Master: h.read, Now: h.now}
	return h
}

func (h *house) now() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.at }

func (h *house) advance(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.at = h.at.Add(d) }

func (h *house) read() (*token.Master, error) { return token.NewMaster(h.master) }

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// node is one more ring over the same database.
func (h *house) node() *token.Ring {
	h.t.Helper()
	master, err := h.read()
	h.ok(err)
	ring, err := token.OpenRing(h.t.Context(), h.store.Keys(), master, h.now)
	h.ok(err)
	ring.FollowMaster(h.read)
	return ring
}

func policy(t *testing.T, p token.Purpose) token.Policy {
	t.Helper()
	policy, ok := token.PolicyOf(p)
	if !ok {
		t.Fatal(p)
	}
	return policy
}

func (h *house) tend() int {
	h.t.Helper()
	made, err := h.keeper.Tend(h.t.Context())
	h.ok(err)
	return len(made)
}

// maker is the key of p that is active by the records.
func (h *house) maker(p token.Purpose) token.KeyState {
	h.t.Helper()
	states, err := h.keeper.States(h.t.Context())
	h.ok(err)
	for _, s := range states {
		if s.Purpose == p && s.State == token.Active {
			return s
		}
	}
	h.t.Fatalf("no active %s key", p)
	return token.KeyState{}
}

// The waits of the table cover what they are for.
func TestMD05PoliciesOutlastWhatTheKeysMake(t *testing.T) {
	t.Parallel()
	longest := token.TierLow.Limits()
	for _, tier := range token.Tiers {
		l := tier.Limits()
		longest.RefreshIdle, longest.AccessToken = max(longest.RefreshIdle, l.RefreshIdle), max(longest.AccessToken, l.AccessToken)
		longest.SessionAbsolute = max(longest.SessionAbsolute, l.SessionAbsolute)
	}
	const maxAge, pages, idToken, inner = 5 * time.Minute, 30 * time.Minute, 5 * time.Minute, time.Minute
	for p, want := range map[token.Purpose]token.Policy{
		token.SealAccess:  {Keep: longest.AccessToken},
		token.SealFlow:    {Keep: pages},
		token.MACForm:     {Keep: pages},
		token.MACNonce:    {Keep: maxAge},
		token.MACRefresh:  {Keep: 2 * longest.RefreshIdle}, // the token before the last is answered while that is unused
		token.SignIDToken: {Keep: longest.SessionAbsolute, Lead: maxAge, Publish: idToken + maxAge},
		token.SignAccess:  {Keep: longest.AccessToken, Lead: maxAge, Publish: longest.AccessToken},
		token.SealBrowser: {Keep: longest.SessionAbsolute},
		token.SignInner:   {Keep: inner, Lead: maxAge, Publish: inner + maxAge},

		token.SignIDTokenRSA: {Keep: longest.SessionAbsolute, Lead: maxAge, Publish: idToken + maxAge},
		token.SignSET:        {Keep: token.EventLifetime, Lead: maxAge, Publish: token.EventLifetime + maxAge},
	} {
		got := policy(t, p)
		if got.Keep <= want.Keep || got.Lead <= want.Lead || got.Publish < want.Publish || got.Lead < time.Minute {
			t.Errorf("%s: lead %v keep %v publish %v, needed are more than %v %v %v", p, got.Lead, got.Keep, got.Publish, want.Lead, want.Keep, want.Publish)
		}
		if got.Rotate <= got.Lead || got.Loss == "" || got.Group == "" {
			t.Errorf("%s: %+v", p, got)
		}
	}
	lasting := 0
	for _, p := range token.Policies {
		if p.Rotate > 0 {
			continue
		}
		lasting++
		if p.Purpose != token.MACPairwise && p.Purpose != token.MACPassword && p.Purpose != token.SealStored && p.Purpose != token.SealSecret || p.Group != "" || p.Loss == "" || p.Lead < time.Minute || p.Keep < 50*365*24*time.Hour {
			t.Errorf("%s is never rotated: %+v", p.Purpose, p)
		}
	}
	if len(token.Policies)-lasting != 11 {
		t.Errorf("%d purposes: this test must know each", len(token.Policies))
	}
}

func TestKY08APendingKeyMakesWithoutAReload(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	first := ring.Signer(token.SignIDToken).KeyID
	h.advance(time.Second)
	next, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), false)
	h.ok(err)
	h.ok(ring.Reload(t.Context()))
	for _, c := range []struct {
		after time.Duration
		maker string
	}{
		{0, first}, {policy(t, token.SignIDToken).Lead - time.Second, first}, {time.Second, next.ID.String()}, {time.Hour, next.ID.String()},
	} {
		h.advance(c.after)
		if got := ring.Signer(token.SignIDToken).KeyID; got != c.maker {
			t.Errorf("%v after the last: %s signs, want %s", c.after, got, c.maker)
		}
	}
	if _, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), false); err != nil {
		t.Fatal(err)
	}
	if _, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), false); !errors.Is(err, token.ErrPending) {
		t.Errorf("a second successor: %v", err)
	}
	pulled, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), true)
	h.ok(err)
	h.ok(ring.Reload(t.Context()))
	if got := ring.Signer(token.SignIDToken).KeyID; got != pulled.ID.String() {
		t.Errorf("after rotate --now %s signs, want %s", got, pulled.ID)
	}
}

func TestKY08KeysRotateWhenDueAndOnlyThen(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.node()
	p := policy(t, token.SealAccess)
	if n := h.tend(); n != 0 {
		t.Fatalf("%d keys made at the start", n)
	}
	h.advance(p.Rotate - p.Lead - time.Second)
	if n := h.tend(); n != 0 {
		t.Fatalf("%d keys made too early", n)
	}
	h.advance(time.Second)
	if n := h.tend(); n != 4 { // seal_access, seal_flow, mac_form and mac_nonce
		t.Fatalf("%d keys made, want 4", n)
	}
	if n := h.tend(); n != 0 {
		t.Fatalf("%d keys made again", n)
	}
	h.advance(10 * p.Rotate) // nobody was there to rotate
	if n := h.tend(); n != 4 {
		t.Fatalf("%d keys made after a long pause, want 4", n)
	}
	states, err := h.keeper.States(t.Context())
	h.ok(err)
	var got []string
	for _, s := range states {
		if s.Purpose == p.Purpose {
			got = append(got, string(s.State))
		}
	}
	if text := strings.Join(got, " "); text != "active pending" {
		t.Errorf("states %q: the first key should have ended, the third be pending", text)
	}
}

// A node that has read the keys before they were compromised, whose store then
// fails, or that reads an old copy, does not accept them again.
func TestKY08NothingRevivesACompromisedKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	frozen := &oldCopy{KeyStore: h.store.Keys()}
	master, err := h.read()
	h.ok(err)
	h.node()
	ring, err := token.OpenRing(t.Context(), frozen, master, h.now)
	h.ok(err)
	a := sample()
	sealed, err := ring.SealAccess(&a)
	h.ok(err)
	for range 3 { // until the derived key is remembered
		h.ok(ring.OpenAccess(sealed.Reveal(), &a))
	}
	frozen.freeze(t)
	id := h.maker(token.SealAccess).ID
	done, err := h.keeper.Compromise(t.Context(), policy(t, token.SealAccess), id)
	h.ok(err)
	if len(done.Dead) != 1 || done.Dead[0] != id || done.Successor == nil {
		t.Fatalf("compromised %+v", done)
	}
	ring.Drop(id) // what the feed says
	for name, step := range map[string]func() error{
		"at once":           func() error { return nil },
		"after an old copy": func() error { return ring.Reload(t.Context()) },
		"after a store that fails": func() error {
			frozen.fail = true
			defer func() { frozen.fail = false }()
			if ring.Reload(t.Context()) == nil {
				return errors.New("no error")
			}
			return nil
		},
	} {
		if err := step(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := ring.OpenAccess(sealed.Reveal(), &a); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("%s: a token of a compromised key: %v", name, err)
		}
		if _, err := ring.SealAccess(&a); !errors.Is(err, token.ErrNoKey) {
			t.Errorf("%s: a token is made with no key: %v", name, err)
		}
	}
	frozen.thaw()
	h.advance(time.Second) // the ring does not ask more often for what it lacks
	again, err := ring.SealAccess(&a)
	h.ok(err)
	if err := ring.OpenAccess(again.Reveal(), &a); err != nil {
		t.Errorf("the successor does not open what it made: %v", err)
	}
	if ring.OpenAccess(sealed.Reveal(), &a) == nil {
		t.Error("the old token opens again")
	}
	if ring.Drops() != 1 {
		t.Errorf("%d drops", ring.Drops())
	}
	for _, r := range records(t, h) {
		if r.ID == id && len(r.Wrapped) > 0 {
			t.Error("the wrapped key is still there")
		}
	}
}

func records(t *testing.T, h *house) []token.KeyRecord {
	t.Helper()
	list, err := h.store.Keys().Keys(t.Context())
	h.ok(err)
	return list
}

// oldCopy answers with what was there when it was frozen.
type oldCopy struct {
	token.KeyStore
	copy []token.KeyRecord
	fail bool
}

func (o *oldCopy) freeze(t *testing.T) {
	t.Helper()
	var err error
	if o.copy, err = o.KeyStore.Keys(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (o *oldCopy) thaw() { o.copy = nil }

func (o *oldCopy) Keys(ctx context.Context) ([]token.KeyRecord, error) {
	if o.fail {
		return nil, errors.New("the database is away")
	}
	if o.copy != nil {
		return o.copy, nil
	}
	return o.KeyStore.Keys(ctx)
}

// Of each purpose: what was made before is refused, what is made after is not.
func TestKY08CompromiseEndsWhatDependsOnTheKey(t *testing.T) {
	t.Parallel()
	grant, salt := secret.NewID(now), secret.Random(16)
	type proof func(*token.Ring) error
	refuse := errors.New("refused")
	when := func(ok bool) error {
		if ok {
			return nil
		}
		return refuse
	}
	mac := func(p token.Purpose) func(*house, *token.Ring) proof {
		return func(_ *house, r *token.Ring) proof {
			sum := r.MAC(p, []byte("form"))
			return func(r *token.Ring) error { return when(r.CheckMAC(p, sum, []byte("form"))) }
		}
	}
	sign := func(p token.Purpose, typ string) func(*house, *token.Ring) proof {
		return func(h *house, r *token.Ring) proof {
			claims := fmt.Sprintf(`{"iss":"i","aud":"a","sub":"s","iat":%d,"exp":%d}`, h.now().Unix(), h.now().Add(time.Minute).Unix())
			jwt, err := r.Signer(p).Sign(typ, []byte(claims))
			h.ok(err)
			return func(r *token.Ring) error {
				v, err := jose.NewVerifier(jose.Profile{
					Purpose: "test", Types: []string{strings.ToLower(typ)}, Algorithms: []jose.Algorithm{jose.ES256, jose.EdDSA, jose.RS256}, Keys: r.KeySource(p),
					Issuer: jose.Exactly("i"), Audience: jose.Exactly("a"), MaxLife: time.Hour, Now: h.now,
				})
				h.ok(err)
				_, err = v.Verify(h.t.Context(), jwt)
				return err
			}
		}
	}
	for p, prepare := range map[token.Purpose]func(*house, *token.Ring) proof{
		token.SealAccess: func(h *house, r *token.Ring) proof {
			a := sample()
			tok, err := r.SealAccess(&a)
			h.ok(err)
			return func(r *token.Ring) error { return r.OpenAccess(tok.Reveal(), &a) }
		},
		token.SealFlow: func(h *house, r *token.Ring) proof {
			code, err := r.Seal(secret.AuthCode, "code", []byte("x"))
			h.ok(err)
			return func(r *token.Ring) error { _, err := r.Open(secret.AuthCode, "code", code.Reveal()); return err }
		},
		token.MACRefresh: func(h *house, r *token.Ring) proof {
			parsed, err := token.ParseRefresh(r.RefreshToken(grant, 1, salt).Reveal())
			h.ok(err)
			return func(r *token.Ring) error { return when(r.CheckRefresh(parsed, salt)) }
		},
		token.SealSecret: func(h *house, r *token.Ring) proof {
			sealed, err := r.SealSecret("secret maps", []byte("x"))
			h.ok(err)
			return func(r *token.Ring) error { _, err := r.OpenSecret("secret maps", sealed); return err }
		},
		token.MACForm:     mac(token.MACForm),
		token.MACNonce:    mac(token.MACNonce),
		token.SignIDToken: sign(token.SignIDToken, token.TypeID),
		token.SignAccess:  sign(token.SignAccess, "at+jwt"),
		token.SignInner:   sign(token.SignInner, token.TypeInner),

		token.SignIDTokenRSA: sign(token.SignIDTokenRSA, token.TypeID),
		token.SignSET:        sign(token.SignSET, "secevent+jwt"),
	} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			here := h.node()
			before := prepare(h, here)
			there := h.node()
			h.ok(before(here))
			h.ok(before(there)) // the same, not attacked
			h.advance(time.Second)
			_, err := h.keeper.Compromise(t.Context(), policy(t, p), secret.ID{})
			h.ok(err)
			for name, ring := range map[string]*token.Ring{"a running node": there, "a new node": h.node()} {
				h.ok(ring.Reload(t.Context()))
				if before(ring) == nil {
					t.Errorf("%s accepts what the compromised key made", name)
				}
				if err := prepare(h, ring)(ring); err != nil {
					t.Errorf("%s refuses what the successor makes: %v", name, err)
				}
			}
			if set, err := there.JWKS(p); err != nil || strings.Contains(string(set), here.Signer(token.SignIDToken).KeyID) && p == token.SignIDToken {
				t.Errorf("the key set still has the compromised key: %s %v", set, err)
			}
		})
	}
}

func TestKY06RunningNodesFollowAChangeOfTheMasterKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	old := h.master
	h.master = secret.NewHandle(secret.MasterKey)
	both, err := token.NewMaster(h.master, old)
	h.ok(err)
	h.ok(h.store.Keys().RewrapKeys(t.Context(), both.Fingerprints()[0], h.now(), both.Rewrap))
	h.advance(time.Second)
	next, err := h.keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), true)
	h.ok(err)
	h.ok(ring.Reload(t.Context())) // the new key is wrapped by a master key that the ring has not seen
	if got := ring.Signer(token.SignIDToken).KeyID; got != next.ID.String() {
		t.Errorf("%s signs, want %s", got, next.ID)
	}
	was, err := token.NewMaster(old)
	h.ok(err)
	_, err = token.OpenRing(t.Context(), h.store.Keys(), was, h.now)
	var wrong *token.MasterError
	if !errors.As(err, &wrong) || wrong.WrappedBy != both.Fingerprints()[0] || wrong.Have[0] != was.Fingerprints()[0] {
		t.Errorf("the old master key: %v", err)
	}
	h.node() // the new one alone opens all
}

// A key that a running node cannot unwrap does not stop the others.
func TestKY06AKeyThatDoesNotUnwrapIsLeftOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ring := h.node()
	a := sample()
	sealed, err := ring.SealAccess(&a)
	h.ok(err)
	stranger, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	h.ok(err)
	h.advance(time.Second)
	keeper := &token.Keeper{Store: &relabelled{h.store.Keys(), stranger.Fingerprints()[0]}, Now: h.now, Master: func() (*token.Master, error) { return stranger, nil }}
	if _, err := keeper.RotateNow(t.Context(), policy(t, token.SignIDToken), true); !errors.Is(err, token.ErrKeyStale) {
		t.Errorf("a key under another master key: %v, want ErrKeyStale", err)
	}
	h.ok(ring.Reload(t.Context()))
	if err := ring.OpenAccess(sealed.Reveal(), &a); err != nil {
		t.Error(err)
	}
}

// relabelled pretends that all keys were wrapped by another master key.
type relabelled struct {
	token.KeyAdmin
	by string
}

func (r *relabelled) Keys(ctx context.Context) ([]token.KeyRecord, error) {
	list, err := r.KeyAdmin.Keys(ctx)
	for i := range list {
		list[i].WrappedBy = r.by
	}
	return list, err
}

func TestKY06DatabaseWithoutMasterKeyIsUseless(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.node()
	seen := map[string]bool{}
	for _, r := range records(t, h) {
		if len(r.Wrapped) < 24+32+16 || seen[string(r.Wrapped[:24])] {
			t.Errorf("%s: %d bytes, or a nonce twice", r.Purpose, len(r.Wrapped))
		}
		seen[string(r.Wrapped[:24])] = true
	}
	for range 3 {
		guess, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
		h.ok(err)
		if _, err := token.OpenRing(t.Context(), h.store.Keys(), guess, h.now); !errors.Is(err, token.ErrMasterKey) {
			t.Errorf("another master key: %v", err)
		}
	}
}

func TestKY07PatternsAreNoMasterKeys(t *testing.T) {
	t.Parallel()
	pattern := func(f func(i int) byte) secret.Value {
		b := make([]byte, 32)
		for i := range b {
			b[i] = f(i)
		}
		return secret.Encode(secret.MasterKey, b)
	}
	for name, v := range map[string]secret.Value{
		"one byte":      pattern(func(int) byte { return 0x41 }),
		"counting":      pattern(func(i int) byte { return byte(i) }),
		"counting down": pattern(func(i int) byte { return byte(200 - 3*i) }),
		"two halves":    pattern(func(i int) byte { return byte(i % 8 * 31) }),
	} {
		if _, err := token.NewMaster(v); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for range 1000 {
		if _, err := token.NewMaster(secret.NewHandle(secret.MasterKey)); err != nil {
			t.Fatalf("a random key is refused: %v", err)
		}
	}
	v := secret.NewHandle(secret.MasterKey)
	if _, err := token.NewMaster(v, v); err == nil {
		t.Error("the same key twice is accepted")
	}
}
