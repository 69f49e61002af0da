package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/secret"
)

const (
	// RecoveryCodeCount is how many are made at once.
	RecoveryCodeCount = 10
	// FewRecoveryCodes is how many are left when the person should make new ones.
	FewRecoveryCodes = 3
	// recoveryLetters of 5 bits each make 120 bits: with the 112 that AU08 asks for a
	// fast hash is enough, as nobody can try them all.
	recoveryLetters = 24
)

// recoveryAlphabet is Crockford's base32 in small letters: no i, l, o and u, so
// that nothing in it looks like something else.
const recoveryAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// MakeRecoveryCodes draws new ones in the place of all before, and returns them as
// people write them down, the only time that anybody sees them. The caller has made
// sure that the person has just signed in for it. ErrNotFound for nobody.
func (s *Service) MakeRecoveryCodes(ctx context.Context, v Visit, userID string) ([]secret.Value, error) {
	codes := make([]secret.Value, RecoveryCodeCount)
	hashes := make([]string, RecoveryCodeCount)
	for i := range codes {
		letters := secret.Random(recoveryLetters)
		for j, b := range letters {
			letters[j] = recoveryAlphabet[b%32]
		}
		codes[i] = secret.New(inGroups(string(letters), "-"))
		hashes[i] = recoveryHash(userID, string(letters))
	}
	if err := s.store.ReplaceRecoveryCodes(ctx, userID, hashes, seconds(s.now())); err != nil {
		return nil, fmt.Errorf("make recovery codes: %w", err)
	}
	s.Happened(ctx, userID, RecoveryCodesMade, &v, "")
	return codes, nil
}

// RecoveryCodesMade is when the person's unused recovery codes were made; zero:
// there are none.
func (s *Service) RecoveryCodesMade(ctx context.Context, userID string) (time.Time, error) {
	return s.store.RecoveryCodesMade(ctx, userID)
}

// useRecoveryCode spends one; ErrNotFound if it is none, or spent.
func (s *Service) useRecoveryCode(ctx context.Context, v Visit, user User, code string) error {
	letters, ok := recoveryForm(code)
	if !ok {
		return ErrNotFound
	}
	if _, err := s.store.UseRecoveryCode(ctx, user.ID, recoveryHash(user.ID, letters)); err != nil {
		return err
	}
	s.Happened(ctx, user.ID, RecoveryCodeUsed, &v, "")
	return nil
}

// recoveryForm reads what people make of a code: large letters, and those that look
// like a digit of it.
func recoveryForm(code string) (string, bool) {
	if len(code) != recoveryLetters {
		return "", false
	}
	code = strings.NewReplacer("o", "0", "i", "1", "l", "1").Replace(strings.ToLower(code))
	return code, len(code) == recoveryLetters && strings.Trim(code, recoveryAlphabet) == ""
}

// recoveryHash is what is kept of a code. It is of one person.
func recoveryHash(userID, letters string) string {
	sum := sha256.Sum256([]byte("recovery code\x00" + userID + "\x00" + letters))
	return hex.EncodeToString(sum[:])
}
