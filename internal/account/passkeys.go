package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// maxPasskeyName is how many characters the name of a passkey can have.
const maxPasskeyName = 60

// AddPasskey takes the answer to AskNewPasskey and keeps the passkey under a name.
// It returns *InvalidError for a name, ErrTooMany beyond MostPasskeys, ErrNotFound
// for nobody, and ErrWrongCredentials for whatever is wrong with the answer; the
// reason is noted. The person is told.
func (s *Service) AddPasskey(ctx context.Context, v Visit, userID string, state secret.Value, response, name string) (Credential, error) {
	if !s.MayUsePasskeys() {
		return Credential{}, ErrWrongCredentials
	}
	name, err := passkeyName(name)
	if err != nil {
		return Credential{}, err
	}
	c, err := s.created(ctx, v, userID, state, response, name)
	var wrong *WebAuthnError
	if errors.As(err, &wrong) {
		note(ctx, audit.PasskeyRefused, userID, wrong.Reason)
		return Credential{}, ErrWrongCredentials
	}
	if err != nil {
		return Credential{}, err
	}
	s.Happened(ctx, userID, FactorAdded, &v, c.Name)
	return c, nil
}

func (s *Service) created(ctx context.Context, v Visit, userID string, state secret.Value, response, name string) (Credential, error) {
	asked, err := s.opened(v, state, forNew)
	if err != nil {
		return Credential{}, err
	}
	if asked.UserID != userID {
		return Credential{}, &WebAuthnError{Reason: "other_person"}
	}
	c, err := s.webauthn.Created(response, asked.Challenge)
	if err != nil {
		return Credential{}, err
	}
	c.UserID, c.Name, c.CreatedAt = userID, name, seconds(s.now())
	spent, until := asked.spent()
	err = s.store.AddPasskey(ctx, c, spent, until, MostPasskeys)
	if errors.Is(err, ErrExists) { // the challenge, or the credential: of whomever, that is not said
		return Credential{}, &WebAuthnError{Reason: "replayed", Err: err}
	}
	if err != nil {
		return Credential{}, fmt.Errorf("add passkey: %w", err)
	}
	return c, nil
}

// Passkeys are those of a person, the oldest first.
func (s *Service) Passkeys(ctx context.Context, userID string) ([]Credential, error) {
	return s.store.Passkeys(ctx, userID)
}

// RenamePasskey gives a passkey of the person another name. *InvalidError for a
// name, ErrNotFound if they do not have the passkey.
func (s *Service) RenamePasskey(ctx context.Context, userID, id, name string) error {
	name, err := passkeyName(name)
	if err != nil {
		return err
	}
	if err := s.store.RenamePasskey(ctx, userID, id, name); err != nil {
		return fmt.Errorf("rename passkey: %w", err)
	}
	return nil
}

// RemovePasskey takes a passkey away from the person of session, who is told. That
// session stays; others that were opened with such a passkey end, as whoever has it
// may sit in them, and sign-ins that are under way start again. ErrNotFound,
// ErrLastFactor.
func (s *Service) RemovePasskey(ctx context.Context, v Visit, session Session, id string) error {
	c, err := s.store.RemovePasskey(ctx, id, s.removal(session))
	if err != nil {
		return fmt.Errorf("remove passkey: %w", err)
	}
	s.Happened(ctx, session.UserID, FactorRemoved, &v, c.Name)
	return nil
}

func passkeyName(name string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", &InvalidError{Field: "passkey", Reason: "empty", Problem: "needs a name"}
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxPasskeyName:
		return "", &InvalidError{Field: "passkey", Reason: "long", Problem: "has a name that is too long", Limit: maxPasskeyName}
	case strings.ContainsFunc(name, invisible):
		return "", &InvalidError{Field: "passkey", Reason: "control", Problem: "has a name with invisible characters"}
	}
	return name, nil
}

// AcceptedPasskeys is what a browser may be told of a person's passkeys, so that
// it forgets those that are gone (WebAuthn §5.1.10.3): their user handle and the
// credential IDs, base64url.
func (s *Service) AcceptedPasskeys(userID string, list []Credential) (handle []byte, ids []string) {
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return userHandle(userID), ids
}
