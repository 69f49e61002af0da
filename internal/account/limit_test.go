package account_test

import (
	"context"
	"errors"
	"testing"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// equipped is a store in which everybody has these factors.
type equipped struct {
	*memory
	factors account.Factors
}

func (e equipped) Factors(context.Context, string) (account.Factors, error) { return e.factors, nil }

// AU01: 15 characters alone, 8 beside a second factor. What is no second factor
// shortens nothing.
func TestAU01ShorterBesideASecondFactor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		factors account.Factors
		limit   int
	}{
		"none":                {account.Factors{}, 15},
		"recovery codes":      {account.Factors{RecoveryCodes: 10}, 15},
		"a sign-in elsewhere": {account.Factors{Identities: 1}, 15},
		"an authenticator":    {account.Factors{Authenticators: 1}, 8},
		"a passkey":           {account.Factors{Passkeys: 1}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			h := newHouse(t, equipped{m, c.factors})
			m.users["u1"] = account.User{ID: "u1", Username: "ada"}
			limit, err := h.PasswordLimit(t.Context(), "u1")
			if err != nil || limit != c.limit {
				t.Errorf("limit %d, %v, want %d", limit, err, c.limit)
			}
			for password, fits := range map[string]bool{"vtkqxwz": false, "vtkqxwzj": c.limit == 8, "vtkqxwzjplmrgh": c.limit == 8, "vtkqxwzjplmrghd": true} {
				err := h.SetPassword(t.Context(), "u1", secret.New(password))
				var invalid *account.InvalidError
				if fits && err != nil || !fits && (!errors.As(err, &invalid) || invalid.Reason != "short" || invalid.Limit != c.limit) {
					t.Errorf("%d characters: %v, want ok = %t", len(password), err, fits)
				}
			}
			if limit, err := h.PasswordLimit(t.Context(), ""); err != nil || limit != 15 {
				t.Errorf("somebody new: %d, %v", limit, err)
			}
		})
	}
}

// Each rule has a reason of its own, which pages have words for.
func TestAU02EachRefusalHasAReason(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory())
	for password, key := range map[string]string{
		"": "invalid.password.empty", "short": "invalid.password.short", "violet\x07giraffe boats": "invalid.password.control",
		"passwordpassword1": "invalid.password.guessable", "thisismypassword": "invalid.password.breached",
	} {
		_, err := h.AddUser(t.Context(), account.NewUser{Username: "ada", Password: secret.New(password)})
		var invalid *account.InvalidError
		if !errors.As(err, &invalid) || invalid.Key() != key {
			t.Errorf("%q: %v, want %s", password, err, key)
		}
	}
}
