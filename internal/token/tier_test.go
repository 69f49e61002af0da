package token_test

import (
	"testing"
	"time"

	"sallyport/internal/token"
)

// T018: the numbers of each tier, written out once more: a change of the table is a
// change of what is promised.
func TestT018TheNumbersOfEachTier(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for tier, want := range map[token.Tier]token.Limits{
		token.TierLow: {
			AccessToken: time.Hour, RefreshIdle: 90 * day, RefreshAbsolute: 365 * day, SessionIdle: 30 * day, SessionAbsolute: 30 * day, RevocationMaxAge: time.Minute,
		},
		token.TierStandard: {
			AccessToken: 10 * time.Minute, RefreshIdle: 30 * day, RefreshAbsolute: 180 * day, SessionIdle: time.Hour, SessionAbsolute: day, RevocationMaxAge: 10 * time.Second,
		},
		token.TierHigh: {
			AccessToken: 5 * time.Minute, RefreshIdle: 15 * time.Minute, RefreshAbsolute: 12 * time.Hour, SessionIdle: 15 * time.Minute, SessionAbsolute: 12 * time.Hour,
			RevocationMaxAge: time.Second, ACR: "urn:sallyport:mfa", Bound: true, ProofNonce: true, InnerBound: true,
		},
	} {
		if got := tier.Limits(); got != want {
			t.Errorf("tier %s: %+v, want %+v", tier, got, want)
		}
	}
	for _, unknown := range []token.Tier{token.TierHigh + 1, 255} {
		if unknown.Limits() != token.TierHigh.Limits() {
			t.Errorf("%s has other numbers than high", unknown)
		}
	}
	for i := 1; i < len(token.Tiers); i++ {
		a, b := token.Tiers[i-1].Limits(), token.Tiers[i].Limits()
		if b.AccessToken > a.AccessToken || b.RefreshIdle > a.RefreshIdle || b.RefreshAbsolute > a.RefreshAbsolute || b.SessionIdle > a.SessionIdle ||
			b.SessionAbsolute > a.SessionAbsolute || b.RevocationMaxAge > a.RevocationMaxAge || a.Bound && !b.Bound || a.ProofNonce && !b.ProofNonce || a.InnerBound && !b.InnerBound || !token.ACRSatisfies(b.ACR, a.ACR) {
			t.Errorf("%s allows more than %s", token.Tiers[i], token.Tiers[i-1])
		}
	}
}
