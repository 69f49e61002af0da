package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const (
	// MostAuthenticators is how many of them a person may have.
	MostAuthenticators = 5
	// MaxFactorName is how many characters the name of a factor may have.
	MaxFactorName = 60
	// enrolmentLife is how long the secret of a new one may be shown.
	enrolmentLife = 30 * time.Minute
)

var errNoRing = errors.New("authenticators need a key ring")

// Enrolment is a secret that is on its way into an app. It proves nothing until a
// code of it was right.
type Enrolment struct {
	ID     string
	Secret secret.Value // base32 in groups, to be typed
	URI    secret.Value // otpauth:, to be shown as a picture
}

// Authenticators returns the person's confirmed ones, the oldest first.
func (s *Service) Authenticators(ctx context.Context, userID string) ([]Authenticator, error) {
	list, err := s.store.Authenticators(ctx, userID)
	if err != nil {
		return nil, err
	}
	var confirmed []Authenticator
	for _, a := range list {
		if !a.ConfirmedAt.IsZero() {
			confirmed = append(confirmed, a)
		}
	}
	return confirmed, nil
}

// StartAuthenticator draws a secret for a new authenticator, in the place of one
// that was not confirmed. ErrTooMany, ErrNotFound. The caller has made sure that
// the person has just signed in for it (AU07, AU15).
func (s *Service) StartAuthenticator(ctx context.Context, userID string) error {
	if s.ring == nil {
		return errNoRing
	}
	now := s.now()
	a := Authenticator{ID: secret.NewID(now).String(), UserID: userID, CreatedAt: seconds(now)}
	var err error
	if a.Sealed, err = s.ring.SealStored(seedLabel(a), secret.Random(seedBytes)); err != nil {
		return fmt.Errorf("seal secret: %w", err)
	}
	if err := s.store.AddAuthenticator(ctx, a, MostAuthenticators); err != nil {
		return fmt.Errorf("start authenticator: %w", err)
	}
	return nil
}

// Enrolment is the one that waits for its first code, as issuer calls itself.
// ErrNotFound: none, or it is too old.
func (s *Service) Enrolment(ctx context.Context, userID, issuer string) (Enrolment, error) {
	a, seed, err := s.waiting(ctx, userID)
	if err != nil {
		return Enrolment{}, err
	}
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return Enrolment{}, fmt.Errorf("find user: %w", err)
	}
	return Enrolment{
		ID: a.ID, Secret: secret.New(inGroups(seedText.EncodeToString(seed), " ")), URI: seedURI(seed, issuer, user.Username),
	}, nil
}

func (s *Service) waiting(ctx context.Context, userID string) (Authenticator, []byte, error) {
	list, err := s.store.Authenticators(ctx, userID)
	if err != nil {
		return Authenticator{}, nil, err
	}
	for _, a := range list {
		if a.ConfirmedAt.IsZero() && s.now().Sub(a.CreatedAt) < enrolmentLife {
			seed, err := s.openSeed(a)
			return a, seed, err
		}
	}
	return Authenticator{}, nil, ErrNotFound
}

// NeedSecond reports whether nobody may be left without a second factor.
func (s *Service) NeedSecond() bool { return s.needSecond }

// CancelAuthenticator forgets the one that waits for its first code.
func (s *Service) CancelAuthenticator(ctx context.Context, userID string) error {
	a, _, err := s.waiting(ctx, userID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = s.store.RemoveAuthenticator(ctx, a.ID, s.removal(Session{UserID: userID}))
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("cancel authenticator: %w", err)
	}
	return nil
}

// ConfirmAuthenticator makes the one that waits count, if the code is right. It
// returns ErrNotFound if none with this ID waits, ErrWrongCredentials for another
// code, *InvalidError for a name that breaks the rules, ErrTooMany.
func (s *Service) ConfirmAuthenticator(ctx context.Context, v Visit, userID, id, name, code string) error {
	a, seed, err := s.waiting(ctx, userID)
	if err == nil && a.ID != id {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	if a.Name, err = FactorName(name); err != nil {
		return err
	}
	now := s.now()
	step, ok := stepOf(seed, tightened(code), now, 0)
	if !ok {
		return ErrWrongCredentials
	}
	a.LastStep, a.ConfirmedAt = step, seconds(now)
	if err := s.store.ConfirmAuthenticator(ctx, a, MostAuthenticators); err != nil {
		return fmt.Errorf("confirm authenticator: %w", err)
	}
	s.Happened(ctx, userID, FactorAdded, &v, a.Name)
	return nil
}

// RemoveAuthenticator takes one away. The session in which that is done stays, and
// so do those that were opened without a code; the others end, as whoever has the
// app may sit in them. ErrNotFound, ErrLastFactor.
func (s *Service) RemoveAuthenticator(ctx context.Context, v Visit, session Session, id string) error {
	a, err := s.store.RemoveAuthenticator(ctx, id, s.removal(session))
	if err != nil {
		return fmt.Errorf("remove authenticator: %w", err)
	}
	if !a.ConfirmedAt.IsZero() {
		s.Happened(ctx, session.UserID, FactorRemoved, &v, a.Name)
	}
	return nil
}

func (s *Service) removal(session Session) Removal {
	now := s.now()
	return Removal{UserID: session.UserID, Spare: session, Needed: s.needSecond, Now: now, Keep: token.KeepRevocation(now)}
}

// ResetFactors takes away every passkey, authenticator and recovery code of a person
// who has lost them, and ends every session and grant: for operators. The person
// then signs in with the password alone. ErrNotFound for nobody.
func (s *Service) ResetFactors(ctx context.Context, userID string) error {
	now := s.now()
	if err := s.store.ResetFactors(ctx, userID, now, token.KeepRevocation(now)); err != nil {
		return fmt.Errorf("reset factors: %w", err)
	}
	s.Happened(ctx, userID, FactorRemoved, nil, "")
	return nil
}

// FactorName is the form in which the name of a factor is kept, or *InvalidError.
func FactorName(name string) (string, error) {
	name = norm.NFC.String(strings.TrimSpace(name))
	switch {
	case name == "":
		return "", invalid("factor", "empty", "has no name")
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxFactorName || strings.ContainsFunc(name, invisible):
		return "", beyond("factor", "form", MaxFactorName, "has a name of more than 60 characters, or with invisible ones")
	}
	return name, nil
}

// seedLabel binds a sealed secret to its place, so that a row which somebody has
// copied to another person opens nothing.
func seedLabel(a Authenticator) string { return "authenticator " + a.UserID + " " + a.ID }

func (s *Service) openSeed(a Authenticator) ([]byte, error) {
	if s.ring == nil {
		return nil, errNoRing
	}
	seed, err := s.ring.OpenStored(seedLabel(a), a.Sealed)
	if err != nil {
		return nil, fmt.Errorf("open secret of authenticator %s: %w", a.ID, err)
	}
	return seed, nil
}
