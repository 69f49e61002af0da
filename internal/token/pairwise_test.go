package token_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token"
)

func TestID02PairwiseSubjects(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	const ada, bob = "0123456789abcdefghijklmnop", "0123456789abcdefghijklmnoq"
	sub := ring.Pairwise("shop.example.com", ada)
	for name, ok := range map[string]bool{
		"is the same each time":                        sub == ring.Pairwise("shop.example.com", ada),
		"is another for another sector":                sub != ring.Pairwise("bank.example.com", ada),
		"is another for another person":                sub != ring.Pairwise("shop.example.com", bob),
		"does not show the account":                    !strings.Contains(sub, ada[:8]),
		"has at most 255 characters, for long IDs too": len(ring.Pairwise("shop.example.com", strings.Repeat("x", 128))) <= 255,
		"is ASCII without spaces":                      !strings.ContainsFunc(sub, func(r rune) bool { return r <= ' ' || r > '~' }),
	} {
		if !ok {
			t.Errorf("a pairwise subject %s: %s", name, sub)
		}
	}
	if a, b := sub, ring.Pairwise("bank.example.com", ada); common(a, b) > 6 {
		t.Errorf("subjects of two sectors begin alike: %s %s", a, b)
	}
	if got, ok := ring.Person(sub); !ok || got != ada {
		t.Errorf("it leads back to %q, %t", got, ok)
	}
	other, _, _ := newRing(t)
	for name, text := range map[string]string{
		"an account ID": ada, "nothing": "", "the mark alone": "p.", "another deployment's": other.Pairwise("shop.example.com", ada),
		"cut": sub[:len(sub)-2], "longer": sub + "AA", "changed": flip(sub, len(sub)-3), "with another IV": flip(sub, 5), "padded": sub + "=",
		"too short to have an account": "p." + strings.Repeat("A", 42), "endless": "p." + strings.Repeat("A", 1<<16),
	} {
		if got, ok := ring.Person(text); ok {
			t.Errorf("%s leads to %q", name, got)
		}
	}
}

// What a client has stored as a person must never change.
func TestID02ThePairwiseKeyIsNeverRotated(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	before := h.node().Pairwise("shop.example.com", "ada")
	h.advance(20 * 365 * 24 * time.Hour)
	if _, err := h.keeper.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.advance(time.Hour)
	if after := h.node().Pairwise("shop.example.com", "ada"); after != before {
		t.Errorf("twenty years later %s is %s", before, after)
	}
	if _, err := h.keeper.RotateNow(t.Context(), policy(t, token.MACPairwise), true); !errors.Is(err, token.ErrLasting) {
		t.Errorf("rotation by hand: %v", err)
	}
}

func FuzzPerson(f *testing.F) {
	ring, _, _ := newRing(f)
	f.Add(ring.Pairwise("shop.example.com", "ada"))
	f.Add("p.")
	f.Add("p." + strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := ring.Person(text); ok && got != "ada" {
			t.Errorf("%q leads to %q", text, got)
		}
	})
}

func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func flip(s string, i int) string {
	c := byte('A')
	if s[i] == 'A' {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}
