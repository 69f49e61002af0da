package jose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxAhead is how far iat and nbf may lie in the future: clocks differ a
// little.
const maxAhead = 10 * time.Second

// Expect says what a claim must be. Its zero value says nothing, and is refused.
type Expect struct {
	kind   expectation
	values []string
}

type expectation uint8

const (
	unsaid expectation = iota
	exactly
	includes
	absent
	anything
)

// Exactly expects this value. As an audience it must be the only one.
func Exactly(value string) Expect { return Expect{exactly, []string{value}} }

// OneOf expects one of these values. As an audience it must be the only one.
func OneOf(values ...string) Expect { return Expect{exactly, values} }

// Includes expects an audience that names value, among others perhaps.
func Includes(value string) Expect { return Expect{includes, []string{value}} }

// Absent expects that the claim is not there.
func Absent() Expect { return Expect{kind: absent} }

// Any takes the claim as it is, or its absence: the caller checks.
func Any() Expect { return Expect{kind: anything} }

func (e Expect) holds(have []string) bool {
	switch e.kind {
	case exactly:
		return len(have) == 1 && slices.Contains(e.values, have[0])
	case includes:
		return slices.Contains(have, e.values[0])
	case absent:
		return len(have) == 0
	case anything:
		return true
	case unsaid:
	}
	return false
}

// Profile is what one purpose demands of a token. NewVerifier refuses one that
// leaves a question open, so no token is ever verified for "whatever".
type Profile struct {
	Purpose    string      // for people, as in "client assertion"
	Types      []string    // accepted typ, lower case, without application/; "" lets it be missing
	Algorithms []Algorithm // accepted alg
	Keys       KeySource
	Issuer     Expect
	Audience   Expect
	// MaxAge is how long ago the token may have been issued; iat is then needed.
	// MaxLife is how long it may live in all; exp is then needed. At least one
	// of them is.
	MaxAge  time.Duration
	MaxLife time.Duration
	Skew    time.Duration // for exp and MaxAge; at most a minute
	// Undated lets exp be missing where MaxLife is set: the caller has just got the
	// token from its maker, and so knows that it is of now.
	Undated bool
	// AllowExpired is for ID tokens that hint at a session of long ago.
	AllowExpired bool
	Require      []string // further claims that must be there, as strings that are not empty
	Now          func() time.Time
}

// Verifier verifies tokens for one purpose. It has no state of its own: it may
// be made for a single token. Safe for concurrent use.
type Verifier struct{ p Profile }

// NewVerifier returns a verifier for p, or an error that names what p leaves
// open.
func NewVerifier(p Profile) (*Verifier, error) {
	var open []error
	need := func(ok bool, what string) {
		if !ok {
			open = append(open, fmt.Errorf("jose: the profile of a %s %s", p.Purpose, what))
		}
	}
	need(p.Purpose != "", "has no purpose")
	need(len(p.Types) > 0, "has no types")
	need(len(p.Algorithms) > 0, "has no algorithms")
	for _, a := range p.Algorithms {
		need(signatures[a].family != 0, "has an algorithm that does not exist: "+string(a))
		need(signatures[a].family != familySecret || len(p.Algorithms) == 1, "mixes HMAC with signatures")
	}
	need(p.Keys != nil, "has no keys")
	need(p.Issuer.sound(false), "does not say which issuer")
	need(p.Audience.sound(true), "does not say which audience")
	need(p.MaxAge > 0 || p.MaxLife > 0, "has neither age nor life limited")
	need(p.MaxAge >= 0 && p.MaxLife >= 0 && p.Skew >= 0 && p.Skew <= time.Minute, "has a limit out of range")
	need(p.Now != nil, "has no clock")
	if err := errors.Join(open...); err != nil {
		return nil, err
	}
	return &Verifier{p}, nil
}

func (e Expect) sound(audience bool) bool {
	if e.kind == unsaid || e.kind == includes && !audience {
		return false
	}
	if e.kind == exactly && len(e.values) == 0 {
		return false
	}
	return !slices.Contains(e.values, "")
}

// Verify returns the claims of a compact JWS that is all that the profile
// demands. Otherwise the error matches ErrInvalid, or ErrKeysUnavailable, or is
// that of ctx. Keys are looked up for a token only after everything that needs
// no key has been checked, and claims are read only after the signature.
func (v *Verifier) Verify(ctx context.Context, compact string) (*Claims, error) {
	s, err := split(compact)
	if err != nil {
		return nil, err
	}
	if s.header.hasCty {
		return nil, refuse(ReasonNested)
	}
	if !v.hasType(&s.header) {
		return nil, refuse(ReasonType)
	}
	key, err := s.verify(ctx, v.p.Keys, v.p.Algorithms)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(s.payload)
	if err != nil {
		return nil, err
	}
	c.key, c.typ, c.alg = key, s.header.typ, s.header.alg
	if err := v.judge(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (v *Verifier) hasType(h *header) bool {
	if !h.hasTyp {
		return slices.Contains(v.p.Types, "")
	}
	for _, t := range v.p.Types {
		if t == h.typ && t != "" {
			return true
		}
	}
	t := mediaType(h.typ)
	return t != "" && slices.Contains(v.p.Types, t)
}

func (v *Verifier) judge(c *Claims) error {
	p := &v.p
	var issuer []string
	if c.Has("iss") {
		issuer = []string{c.Issuer}
	}
	if !p.Issuer.holds(issuer) {
		return refuse(ReasonIssuer)
	}
	if !p.Audience.holds(c.Audience) {
		return refuse(ReasonAudience)
	}
	if err := v.judgeTimes(c); err != nil {
		return err
	}
	for _, name := range p.Require {
		if s, err := c.String(name); err != nil || s == "" {
			return refuse(ReasonMissing)
		}
	}
	return nil
}

func (v *Verifier) judgeTimes(c *Claims) error {
	p, now := &v.p, v.p.Now().Unix()
	skew, ahead := seconds(p.Skew), seconds(maxAhead)
	switch {
	case c.IssuedAt > now+ahead:
		return refuse(ReasonIssuedAt)
	case c.NotBefore > now+ahead:
		return refuse(ReasonNotBefore)
	case p.MaxAge > 0 && c.IssuedAt == 0:
		return refuse(ReasonIssuedAt)
	case p.MaxAge > 0 && !p.AllowExpired && now-c.IssuedAt > seconds(p.MaxAge)+skew:
		return refuse(ReasonAge)
	case c.ExpiresAt == 0 && p.MaxLife > 0 && !p.Undated:
		return refuse(ReasonExpiry)
	case c.ExpiresAt == 0:
		return nil
	case c.ExpiresAt <= c.IssuedAt || c.ExpiresAt <= c.NotBefore:
		return refuse(ReasonLifetime)
	case now >= c.ExpiresAt+skew && !p.AllowExpired:
		return refuse(ReasonExpired)
	}
	if p.MaxLife > 0 {
		from := c.IssuedAt
		if from == 0 {
			from = now - skew
		}
		if c.ExpiresAt-from > seconds(p.MaxLife)+skew {
			return refuse(ReasonLifetime)
		}
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
