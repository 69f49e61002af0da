package gateway

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// innerLife is the longest that an inner token lives, in seconds.
const innerLife = 60

// mint sets the inner token of the call (design: Tokens). The backend learns
// from it who calls and what they may do there; the front door refuses it.
func (c *call) mint() refusal {
	var err error
	if c.api.noInner {
		return handled
	}
	if c.op.innerBound {
		if c.bearer, err = c.signBound(); err != nil {
			return refusal{problem: internalError, reason: "inner_token"}
		}
		return handled
	}
	c.bearer, err = c.g.state.inner.get(innerKey{c.access.Serial, c.api}, c)
	if err != nil {
		return refusal{problem: internalError, reason: "inner_token"}
	}
	return handled
}

// innerClaims writes the claims by hand: every string is escaped, so nothing in
// a client_id or subject can add a claim.
func (c *call) innerClaims(now, exp int64) []byte {
	a := &c.access
	b := make([]byte, 0, 512)
	b = token.AppendJSONString(append(b, `{"iss":`...), c.g.issuer)
	b = token.AppendJSONString(append(b, `,"aud":`...), c.api.audience)
	b = token.AppendJSONString(append(b, `,"sub":`...), a.Subject)
	b = token.AppendJSONString(append(b, `,"client_id":`...), a.ClientID)
	b = token.AppendJSONString(append(b, `,"scope":`...), c.api.knownScopes(a.Scope))
	b = strconv.AppendInt(append(b, `,"iat":`...), now, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), exp, 10)
	b = token.AppendJSONString(append(b, `,"jti":`...), secret.NewID(time.Unix(now, 0)).String())
	if a.IsPerson() {
		b = token.AppendJSONString(append(b, `,"acr":`...), a.ACR)
		b = append(b, `,"amr":[`...)
		for i, m := range strings.Fields(a.AMR) {
			if i > 0 {
				b = append(b, ',')
			}
			b = token.AppendJSONString(b, m)
		}
		b = strconv.AppendInt(append(b, `],"auth_time":`...), a.AuthTime, 10)
	}
	if !a.GrantID.IsZero() {
		b = token.AppendJSONString(append(b, `,"grant":`...), a.GrantID.String())
	}
	seen := token.Access{Details: token.DetailsFor(a.Details, c.api.audience), Actor: a.Actor}
	b = seen.AppendDelegation(b)
	if c.op.innerBound {
		b = append(append(append(b, `,"req":"`...), c.requestHash()...), '"')
	}
	return append(b, '}')
}

// knownScopes is the part of a scope that this API's operations ask for. What
// the token may do elsewhere is not this backend's business.
func (api *route) knownScopes(scope string) string {
	b := make([]byte, 0, len(scope))
	for m := range strings.SplitSeq(scope, " ") {
		if !api.scopes[m] {
			continue
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, m...)
	}
	return string(b)
}

// innerCache keeps inner tokens for nine tenths of their life, and makes the next
// one before that in the background: a signature is paid once a minute for a token
// and an API, and no call waits for it but the first. It
// is bounded: a full shard forgets, and forgetting costs a signature. Safe for
// concurrent use.
type innerCache struct {
	shards [innerShards]innerShard
}

const (
	innerShards = 16
	innerMax    = 4096 // entries in a shard, of some 1 KiB
	innerSweep  = 60   // seconds between looks for expired entries
)

type innerKey struct {
	serial secret.ID
	api    *route // of one configuration: the next may know other scopes
}

type innerShard struct {
	mu    sync.RWMutex
	m     map[innerKey]*innerEntry
	swept int64
}

type innerEntry struct {
	iat, exp, until int64 // Unix seconds; until is when it leaves
	renew           int64 // when the next one is made, beside the calls that have this one
	renewing        atomic.Bool
	drops           uint64 // of the ring: a compromised key may have signed it otherwise
	once            sync.Once
	bearer          []string
	err             error
}

func (t *innerCache) get(key innerKey, c *call) ([]string, error) {
	now, drops := c.g.now().Unix(), c.g.ring.Drops()
	s := &t.shards[key.serial[15]%innerShards]
	s.mu.RLock()
	e := s.m[key]
	s.mu.RUnlock()
	if !e.counts(now, drops) {
		e = s.add(key, now, min(now+innerLife, c.access.ExpiresAt()), drops)
	}
	// Whoever comes first signs; the others of the same key wait for it.
	e.once.Do(func() { e.sign(c.g, c.innerClaims(e.iat, e.exp)) })
	if now >= e.renew && e.err == nil && e.renewing.CompareAndSwap(false, true) {
		t.renew(key, c, now, drops)
	}
	return e.bearer, e.err
}

// renew makes the next inner token while calls go on with the one that is there.
// An access token that ends first needs none.
func (t *innerCache) renew(key innerKey, c *call, now int64, drops uint64) {
	exp := min(now+innerLife, c.access.ExpiresAt())
	next := newInner(now, exp, drops)
	g, claims := c.g, c.innerClaims(now, exp) // the call may end before it is signed
	go func() {
		next.once.Do(func() { next.sign(g, claims) })
		if next.err == nil { // else the next call that finds none says so
			t.shards[key.serial[15]%innerShards].replace(key, next)
		}
	}()
}

func (e *innerEntry) sign(g *Gateway, claims []byte) {
	jwt, err := g.ring.Signer(token.SignInner).Sign(token.TypeInner, claims)
	e.bearer, e.err = []string{"Bearer " + jwt}, err
}

func (e *innerEntry) counts(now int64, drops uint64) bool {
	return e != nil && now < e.until && now >= e.iat && e.drops == drops
}

func (s *innerShard) add(key innerKey, now, exp int64, drops uint64) *innerEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.m[key]; e.counts(now, drops) {
		return e
	}
	if s.m == nil {
		s.m = make(map[innerKey]*innerEntry)
	}
	if now-s.swept >= innerSweep || len(s.m) >= innerMax {
		s.swept = now
		for k, e := range s.m {
			if now >= e.until {
				delete(s.m, k)
			}
		}
	}
	if len(s.m) >= innerMax {
		clear(s.m)
	}
	e := newInner(now, exp, drops)
	s.m[key] = e
	return e
}

// replace puts e in the place of one that is there. What was forgotten in the
// meantime stays so.
func (s *innerShard) replace(key innerKey, e *innerEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m[key] != nil {
		s.m[key] = e
	}
}

// newInner makes room for an inner token that is given out for nine tenths of
// its life and renewed from eight tenths on.
func newInner(iat, exp int64, drops uint64) *innerEntry {
	life := exp - iat
	return &innerEntry{iat: iat, exp: exp, until: exp - life/10, renew: exp - life/5, drops: drops}
}
