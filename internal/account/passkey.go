package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
)

const (
	// MostPasskeys is how many a person can have.
	MostPasskeys = 20

	challengeBytes = 32
	challengeLife  = 5 * time.Minute
	ceremonyLabel  = "account passkey"
)

// Ceremony is what a page asks the browser for.
type Ceremony struct {
	Options string       // JSON for the script
	State   secret.Value // the challenge and what it is for, sealed: the form brings it back
}

// ceremony is what is sealed. A challenge counts for one purpose and person, in
// one browser, once, for five minutes. Nothing is kept until it is used.
type ceremony struct {
	Challenge []byte          `json:"c"`
	Purpose   ceremonyPurpose `json:"p"`
	UserID    string          `json:"u,omitempty"`
	Browser   []byte          `json:"b"` // digest
	ExpiresAt int64           `json:"e"`
}

type ceremonyPurpose string

const (
	forSignIn ceremonyPurpose = "sign_in" // of whoever has a passkey
	forStep   ceremonyPurpose = "step"    // of one person, who has proven something or is signed in
	forNew    ceremonyPurpose = "new"     // of one person
)

// MayUsePasskeys reports whether there are passkeys here at all.
func (s *Service) MayUsePasskeys() bool { return s.webauthn != nil && s.ring != nil }

// AskPasskey starts a sign-in with a passkey. v.Browser must be what the browser
// will be known by.
func (s *Service) AskPasskey(_ context.Context, v Visit) (Ceremony, error) {
	return s.ask(v, forSignIn, "", func(challenge []byte) (string, error) { return s.webauthn.Request(challenge, nil) })
}

// AskPasskeyOf is AskPasskey of one person, whose sign-in is under way.
func (s *Service) AskPasskeyOf(ctx context.Context, v Visit, userID string) (Ceremony, error) {
	list, err := s.store.Passkeys(ctx, userID)
	if err != nil {
		return Ceremony{}, fmt.Errorf("find passkeys: %w", err)
	}
	return s.ask(v, forStep, userID, func(challenge []byte) (string, error) { return s.webauthn.Request(challenge, list) })
}

// AskNewPasskey starts the making of a passkey for a person.
func (s *Service) AskNewPasskey(ctx context.Context, v Visit, userID string) (Ceremony, error) {
	user, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return Ceremony{}, fmt.Errorf("find user: %w", err)
	}
	list, err := s.store.Passkeys(ctx, userID)
	if err != nil {
		return Ceremony{}, fmt.Errorf("find passkeys: %w", err)
	}
	who := PasskeyOwner{Handle: userHandle(userID), Name: user.Username, DisplayName: user.Name}
	if who.DisplayName == "" {
		who.DisplayName = user.Username
	}
	return s.ask(v, forNew, userID, func(challenge []byte) (string, error) { return s.webauthn.Creation(challenge, who, list) })
}

// userHandle is what authenticators keep of a person. Whoever reads one learns
// neither who it is nor when the account was made.
func userHandle(userID string) []byte {
	h := sha256.Sum256([]byte("sallyport user handle\x00" + userID))
	return h[:]
}

func (s *Service) ask(v Visit, purpose ceremonyPurpose, userID string, options func([]byte) (string, error)) (Ceremony, error) {
	if !s.MayUsePasskeys() {
		return Ceremony{}, errors.New("ask for a passkey: there are none here")
	}
	c := ceremony{
		Challenge: secret.Random(challengeBytes), Purpose: purpose, UserID: userID,
		Browser: digest(v.Browser), ExpiresAt: s.now().Add(challengeLife).Unix(),
	}
	o, err := options(c.Challenge)
	if err != nil {
		return Ceremony{}, fmt.Errorf("ask for a passkey: %w", err)
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return Ceremony{}, fmt.Errorf("seal challenge: %w", err)
	}
	state, err := s.ring.Seal(secret.PendingSignIn, ceremonyLabel, plain)
	return Ceremony{Options: o, State: state}, err
}

// opened returns what a form has brought back, if it is of this browser, of now
// and for one of purposes.
func (s *Service) opened(v Visit, state secret.Value, purposes ...ceremonyPurpose) (ceremony, error) {
	var c ceremony
	plain, err := s.ring.Open(secret.PendingSignIn, ceremonyLabel, state.Reveal())
	if err == nil {
		err = json.Unmarshal(plain, &c)
	}
	switch {
	case err != nil || len(c.Challenge) != challengeBytes:
		return ceremony{}, &WebAuthnError{Reason: "state", Err: err}
	case s.now().Unix() >= c.ExpiresAt:
		return ceremony{}, &WebAuthnError{Reason: "expired"}
	case subtle.ConstantTimeCompare(c.Browser, digest(v.Browser)) != 1:
		return ceremony{}, &WebAuthnError{Reason: "other_browser"}
	case !slices.Contains(purposes, c.Purpose):
		return ceremony{}, &WebAuthnError{Reason: "purpose"}
	}
	return c, nil
}

// spent is the name under which a challenge is used up, and until when that must
// be known.
func (c *ceremony) spent() (secret.Hash, time.Time) {
	return sha256.Sum256(append([]byte("passkey challenge\x00"), c.Challenge...)), time.Unix(c.ExpiresAt, 0).Add(time.Minute)
}

// WithPasskey takes the answer of an authenticator: it signs somebody in, or adds
// to a sign-in that is under way. It returns ErrTicket if that is over, and
// otherwise errors as SignIn: whatever is wrong with the answer is
// ErrWrongCredentials, and the reason is noted.
//
// Failures are limited by address and network, apart from those of passwords:
// nobody who guesses those takes the passkeys away from a whole office.
func (s *Service) WithPasskey(ctx context.Context, v Visit, state secret.Value, response string) (Progress, error) {
	if !s.MayUsePasskeys() {
		return Progress{}, ErrWrongCredentials
	}
	a, err := s.beginPasskey(ctx, v)
	if err != nil {
		return Progress{}, err
	}
	user, m, err := s.signed(ctx, v, state, response)
	var wrong *WebAuthnError
	if errors.As(err, &wrong) {
		note(ctx, audit.LoginFailed, user.ID, "passkey_"+wrong.Reason)
		return Progress{}, ErrWrongCredentials
	}
	a.refund()
	if err != nil {
		return Progress{}, err
	}
	return s.prove(ctx, v, user, m)
}

func (s *Service) beginPasskey(ctx context.Context, v Visit) (*attempt, error) {
	return s.spendAll(
		ctx, "",
		spending{ratelimit.PasskeyNetwork, ratelimit.Network(v.Remote)},
		spending{ratelimit.PasskeyAddress, ratelimit.Address(v.Remote)},
	)
}

// signed says who has signed. The user is also returned with an error, if known.
func (s *Service) signed(ctx context.Context, v Visit, state secret.Value, response string) (User, Method, error) {
	c, err := s.opened(v, state, forSignIn, forStep)
	if err != nil {
		return User{}, "", err
	}
	if c.Purpose == forStep {
		under, _, err := s.Underway(ctx, v)
		if err == nil && under.ID != c.UserID {
			err = ErrTicket
		}
		if err != nil {
			return User{}, "", err
		}
	}
	id, handle, err := s.webauthn.Named(response)
	if err != nil {
		return User{}, "", err
	}
	user, credential, err := s.owner(ctx, &c, id, handle)
	if err != nil {
		return user, "", err
	}
	after, err := s.webauthn.Signed(response, c.Challenge, credential)
	if err != nil {
		return user, "", err
	}
	return user, after.Method(), s.usePasskey(ctx, &c, after)
}

// owner finds the credential and whose it is. The user handle must be there where
// nobody is known yet (WebAuthn §7.2 step 6), and be the owner's wherever it is.
func (s *Service) owner(ctx context.Context, c *ceremony, id string, handle []byte) (User, Credential, error) {
	credential, err := s.store.Passkey(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return User{}, Credential{}, &WebAuthnError{Reason: "unknown"}
	}
	if err != nil {
		return User{}, Credential{}, fmt.Errorf("find passkey: %w", err)
	}
	user, err := s.store.UserByID(ctx, credential.UserID)
	if errors.Is(err, ErrNotFound) {
		return User{}, Credential{}, &WebAuthnError{Reason: "unknown"}
	}
	if err != nil {
		return User{}, Credential{}, fmt.Errorf("find user: %w", err)
	}
	switch {
	case c.Purpose == forStep && user.ID != c.UserID:
		return user, Credential{}, &WebAuthnError{Reason: "other_person"}
	case len(handle) == 0 && c.Purpose != forStep:
		return user, Credential{}, &WebAuthnError{Reason: "no_user_handle"}
	case len(handle) != 0 && subtle.ConstantTimeCompare(handle, userHandle(user.ID)) != 1:
		return user, Credential{}, &WebAuthnError{Reason: "user_handle"}
	case user.Disabled:
		return user, Credential{}, &WebAuthnError{Reason: "disabled"}
	}
	return user, credential, nil
}

// usePasskey spends the challenge and moves the counter, in one transaction.
func (s *Service) usePasskey(ctx context.Context, c *ceremony, after Credential) error {
	after.LastUsed = seconds(s.now())
	name, until := c.spent()
	err := s.store.UsePasskey(ctx, after, name, until)
	switch {
	case errors.Is(err, ErrExists):
		return &WebAuthnError{Reason: "replayed", Err: err}
	case errors.Is(err, ErrNotFound):
		return &WebAuthnError{Reason: "unknown", Err: err}
	case errors.Is(err, ErrRegressed):
		note(ctx, audit.PasskeyRegressed, after.UserID, "")
		return &WebAuthnError{Reason: "counter", Err: err}
	case err != nil:
		return fmt.Errorf("use passkey: %w", err)
	}
	return nil
}
