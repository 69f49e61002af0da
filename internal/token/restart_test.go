package token_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/token"
)

// A node that has just started does not know what was used before. It asks for
// those proofs again, with a nonce, rather than take one twice.
func TestPP09J094ProofsFromBeforeARestartAreAskedForAgain(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	c := &proofClock{start}
	first, ring := newProofs(t, c)
	copied := newDraft(es256(t))
	copied.claims = with(copied.claims, "iat", start.Unix())
	if _, err := first.Verify(t.Context(), copied.request(t)); err != nil {
		t.Fatalf("before the restart: %v", err)
	}
	c.at = start.Add(2 * time.Second)
	second, err := token.NewProofs(token.ProofOptions{Ring: ring, Replay: token.NewReplayTable(0, c.now), Now: c.now, Since: c.at})
	if err != nil {
		t.Fatal(err)
	}
	_, err = second.Verify(t.Context(), copied.request(t))
	var refused *token.ProofError
	if !errors.Is(err, token.ErrUseNonce) || !errors.As(err, &refused) || refused.Reason != "proof_nonce_restart" {
		t.Errorf("the copy after the restart: %v, want ErrUseNonce", err)
	}
	fresh := newDraft(es256(t))
	fresh.claims = with(fresh.claims, "iat", c.at.Unix())
	if _, err := second.Verify(t.Context(), fresh.request(t)); err != nil {
		t.Errorf("the pair, a proof of now: %v", err)
	}
}
