package token

import (
	"fmt"
	"time"
)

// Tier is the risk of an API or an operation. It sets lifetimes, factors and
// how stale a node's view of revocations may be.
type Tier uint8

// The tiers, lowest risk first, so that they compare with < and max.
const (
	TierLow Tier = iota
	TierStandard
	TierHigh
)

// Tiers lists every tier.
var Tiers = []Tier{TierLow, TierStandard, TierHigh}

// Limits are the numbers of a tier. They are hard caps: configuration may go
// below them, never above.
type Limits struct {
	AccessToken      time.Duration // lifetime of an access token
	RefreshIdle      time.Duration // a refresh token unused for so long is dead
	RefreshAbsolute  time.Duration // and however often it is rotated, so is its grant after this
	SessionIdle      time.Duration // of a person's session at the issuer
	SessionAbsolute  time.Duration
	RevocationMaxAge time.Duration // a node that has not read the feed for so long refuses the tier
	ACR              string        // weakest authentication of a person, "" for any
	Bound            bool          // access tokens are bound to a key or a certificate
	ProofNonce       bool          // DPoP proofs carry a nonce of the server (RFC 9449 §8)
	InnerBound       bool          // an inner token is for one method and address, and signed for each call
}

var limits = [...]Limits{
	TierLow: {
		AccessToken: time.Hour, RefreshIdle: 90 * day, RefreshAbsolute: 365 * day,
		SessionIdle: 30 * day, SessionAbsolute: 30 * day, RevocationMaxAge: time.Minute,
	},
	TierStandard: {
		AccessToken: 10 * time.Minute, RefreshIdle: 30 * day, RefreshAbsolute: 180 * day,
		SessionIdle: time.Hour, SessionAbsolute: day, RevocationMaxAge: 10 * time.Second,
	},
	TierHigh: {
		AccessToken: 5 * time.Minute, RefreshIdle: 15 * time.Minute, RefreshAbsolute: 12 * time.Hour,
		SessionIdle: 15 * time.Minute, SessionAbsolute: 12 * time.Hour, RevocationMaxAge: time.Second,
		ACR: ACRMFA, Bound: true, ProofNonce: true, InnerBound: true,
	},
}

const day = 24 * time.Hour

// MaxAccessLifetime is the longest that any access token lives.
const MaxAccessLifetime = time.Hour

// KeepRevocation is until when a revocation of now must be remembered: no token
// that it ends can be alive then, on a node whose clock is a little behind either.
func KeepRevocation(now time.Time) time.Time { return now.Add(MaxAccessLifetime + time.Minute) }

// Limits returns the numbers of t. An unknown tier has those of TierHigh.
func (t Tier) Limits() Limits {
	if int(t) >= len(limits) {
		t = TierHigh
	}
	return limits[t]
}

var tierNames = [...]string{TierLow: "low", TierStandard: "standard", TierHigh: "high"}

// String is the name used in configuration.
func (t Tier) String() string {
	if int(t) >= len(tierNames) {
		return fmt.Sprintf("tier(%d)", t)
	}
	return tierNames[t]
}

// MarshalText implements encoding.TextMarshaler.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Tier) UnmarshalText(b []byte) error {
	for i, name := range tierNames {
		if name == string(b) {
			*t = Tier(i)
			return nil
		}
	}
	return fmt.Errorf("unknown tier %q: use low, standard or high", b)
}

// Authentication context classes, weakest first (OpenID Connect Core §2, acr).
const (
	ACRPassword = "urn:sallyport:pwd" //nolint:gosec // a name, not a credential
	ACRMFA      = "urn:sallyport:mfa"
	ACRPhishing = "urn:sallyport:phr"
)

// ACRs lists the classes, weakest first.
var ACRs = []string{ACRPassword, ACRMFA, ACRPhishing}

// ACRSatisfies reports whether authentication of class have is enough where
// want is asked. An unknown class satisfies nothing and is satisfied by
// nothing; an empty want asks for nothing.
func ACRSatisfies(have, want string) bool {
	return want == "" || acrRank(want) > 0 && acrRank(have) >= acrRank(want)
}

func acrRank(acr string) int {
	for i, known := range ACRs {
		if acr == known {
			return i + 1
		}
	}
	return 0
}
