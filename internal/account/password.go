package account

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/breached"
	"sallyport/internal/secret"
)

// The length of a new password, in characters after NFC. NIST SP 800-63B-4
// §3.1.1.2 asks for at least 15 while a password is the only factor, and for 8
// beside a second one.
const (
	minPassword       = 15
	minPasswordBeside = 8
	maxPassword       = 1024
)

// normalPassword returns the form that is hashed, NFC, or false for what no
// account can have as its password: nothing, no text, or far too much.
func normalPassword(v secret.Value) (string, bool) {
	s := v.Reveal()
	if s == "" || len(s) > maxPassword*utf8.UTFMax || !utf8.ValidString(s) {
		return "", false
	}
	s = norm.NFC.String(s)
	return s, utf8.RuneCountInString(s) <= maxPassword
}

// PasswordLimit is how many characters a new password of a person must have at
// least; userID may be empty for somebody who is not there yet.
func (s *Service) PasswordLimit(ctx context.Context, userID string) (int, error) {
	if userID == "" {
		return minPassword, nil
	}
	f, err := s.store.Factors(ctx, userID)
	if err != nil {
		return 0, fmt.Errorf("find factors: %w", err)
	}
	if f.Passkeys > 0 || f.Authenticators > 0 { // then prove always asks for one
		return minPasswordBeside, nil
	}
	return minPassword, nil
}

// checkNew checks what u wants as a password and returns the form to hash. There
// are no composition rules (NIST SP 800-63B-4 §3.1.1.2).
func (s *Service) checkNew(ctx context.Context, v secret.Value, u User) (string, error) {
	least, err := s.PasswordLimit(ctx, u.ID)
	if err != nil {
		return "", err
	}
	normal, err := newPassword(v, least, u.Username, u.Name, u.Email)
	if err != nil {
		return "", err
	}
	switch found, err := s.breached.Contain(normal); {
	case err != nil:
		return "", err
	case found:
		return "", invalid("password", "breached", "is on a list of passwords that have leaked somewhere, so it will be tried")
	}
	return normal, nil
}

// newPassword applies the rules that need no list; context are words that somebody
// who knows the person would try first.
func newPassword(v secret.Value, least int, context ...string) (string, error) {
	s, ok := normalPassword(v)
	switch n := utf8.RuneCountInString(s); {
	case v.IsZero():
		return "", invalid("password", "empty", "is empty")
	case !ok:
		return "", beyond("password", "long", maxPassword, "has more than 1024 characters or is not text")
	case n < least:
		return "", beyond("password", "short", least, fmt.Sprintf("has fewer than %d characters", least))
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", invalid("password", "control", "has control characters")
	case guessable(s, context):
		return "", invalid("password", "guessable", "is too easy to guess: it is common, repeats itself or is made of your name or ours")
	}
	return s, nil
}

// filters are the bundled one and those of the operator.
func filters(own []*breached.Filter) breached.Filters {
	return append(breached.Filters{breached.Bundled()}, own...)
}
