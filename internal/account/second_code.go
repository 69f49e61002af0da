package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
)

// MostWrongCodes is how many wrong codes in a row an account takes before codes of
// its apps no longer count (NIST SP 800-63B-4 §3.2.2, AU04).
const MostWrongCodes = 100

// freeCodes may be wrong before anybody waits: people mistype.
const freeCodes = 5

// waitAfter is how long no code is looked at after a number of wrong ones in a row:
// from the fifth on 15 seconds, then twice as long each time, at most 15 minutes.
// The hundredth comes after a day; whoever guesses all of it is right with a chance
// of 3 in 10,000 for each app, and the person was written to many times.
func waitAfter(failed int) time.Duration {
	if failed < freeCodes {
		return 0
	}
	return min(15*time.Second<<min(failed-freeCodes, 10), 15*time.Minute)
}

// told reports whether a person hears of so many wrong codes in a row. One alone is
// a slip of a finger.
func told(failed int) bool { return failed == 2 || failed == 5 || failed%10 == 0 }

// checkCode says which of ways the code proves. Only somebody who has proven a first
// factor gets here, so what it refuses locks out nobody at the wish of a stranger
// (AU04). A try is spent before the code is looked at, so that many at once are no
// more than one after the other.
func (s *Service) checkCode(ctx context.Context, v Visit, user User, ways []Method, typed string) (Method, error) {
	code := tightened(typed)
	m := Recovery
	if len(code) <= codeDigits {
		m = TOTP
	}
	if !slices.Contains(ways, m) {
		note(ctx, audit.LoginFailed, user.ID, "no_such_factor")
		return "", ErrWrongCredentials
	}
	a, err := s.beginCode(ctx, v, user, m)
	if err != nil {
		return "", err
	}
	tries, err := s.spendTry(ctx, user, m)
	if err != nil {
		return "", err
	}
	switch m {
	case Recovery:
		err = s.useRecoveryCode(ctx, v, user, code)
	default:
		err = s.useCode(ctx, user, code)
	}
	switch {
	case err == nil:
		a.refund()
		return m, nil
	case !errors.Is(err, ErrNotFound):
		return "", err
	}
	note(ctx, audit.LoginFailed, user.ID, "wrong_code")
	if told(tries.Failed) {
		s.Happened(ctx, user.ID, SecondFactorFailed, &v, "")
	}
	return "", ErrWrongCredentials
}

// beginCode asks the limits. The one for an account holds what comes between two
// times that the person is right, and is no reason to refuse a recovery code, which
// nobody guesses.
func (s *Service) beginCode(ctx context.Context, v Visit, user User, m Method) (*attempt, error) {
	list := []spending{{ratelimit.FactorAddress, ratelimit.Address(v.Remote)}}
	if m == TOTP {
		list = append(list, spending{ratelimit.FactorAccount, user.ID})
	}
	return s.spendAll(ctx, user.ID, list...)
}

func (s *Service) spendTry(ctx context.Context, user User, m Method) (Tries, error) {
	now := s.now()
	wait, most := waitAfter, MostWrongCodes
	if m == Recovery {
		wait, most = func(int) time.Duration { return 0 }, 0
	}
	tries, err := s.store.SpendTry(ctx, user.ID, m, seconds(now), wait, most)
	switch {
	case errors.Is(err, ErrTooSoon):
		note(ctx, audit.LoginThrottled, user.ID, "wrong_codes")
		return tries, &ThrottledError{RetryAfter: max(time.Second, tries.Next.Sub(now))}
	case errors.Is(err, ErrCodesStopped):
		note(ctx, audit.LoginThrottled, user.ID, "codes_stopped")
		return tries, ErrCodesStopped
	case err != nil:
		return tries, fmt.Errorf("count code: %w", err)
	}
	return tries, nil
}

// useCode spends a code of one of the person's apps; ErrNotFound if it is none.
func (s *Service) useCode(ctx context.Context, user User, code string) error {
	list, err := s.Authenticators(ctx, user.ID)
	if err != nil {
		return err
	}
	now := s.now()
	for _, a := range list {
		seed, err := s.openSeed(a)
		if err != nil {
			return err
		}
		step, ok := stepOf(seed, code, now, a.LastStep)
		if !ok {
			continue
		}
		err = s.store.UseStep(ctx, user.ID, a.ID, step, seconds(now))
		if !errors.Is(err, ErrNotFound) { // else it was spent since we read it
			return err
		}
	}
	return ErrNotFound
}

// tightened is a code without what people and apps put between its parts.
func tightened(typed string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '-', '\u2013', '\u00a0', '\u202f':
			return -1
		}
		return r
	}, typed)
}
