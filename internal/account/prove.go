package account

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// ErrTicket: what was proven before no longer counts, so the sign-in starts again.
var ErrTicket = errors.New("the sign-in took too long, or something about it has changed")

const ticketLabel = "account ticket"

// ticket is what somebody has proven so far. It is sealed, and travels in a cookie;
// nothing is kept here, so there is nothing that a flood could fill.
type ticket struct {
	UserID    string  `json:"u"`
	Version   int64   `json:"v"`
	Methods   Methods `json:"m"`
	Since     int64   `json:"s"`           // when the first was proven
	Browser   []byte  `json:"b"`           // digest
	Purpose   string  `json:"a,omitempty"` // the act that it was proven for
	Keep      bool    `json:"k,omitempty"`
	Provider  string  `json:"p,omitempty"` // that was one of them
	SID       string  `json:"i,omitempty"` // there
	Danger    string  `json:"d,omitempty"`
	ExpiresAt int64   `json:"e"`
}

// prove adds one method to what a person has proven in this visit. It either opens
// a session or says how to go on. Every way of signing in ends here, so that none
// goes around a second factor (AZ25). The caller has checked the method itself.
func (s *Service) prove(ctx context.Context, v Visit, user User, m Method) (Progress, error) {
	if user.Disabled {
		return Progress{}, ErrWrongCredentials
	}
	now := seconds(s.now())
	proven, since := s.carried(&v, user, now)
	if proven = proven.With(m); proven.ACR() == "" { // a second factor without a first
		return Progress{}, ErrTicket
	}
	next, err := s.missing(ctx, v, user, proven)
	if err != nil {
		return Progress{}, err
	}
	if len(next) == 0 {
		return s.complete(ctx, v, user, proven, since)
	}
	if m == Password && slices.Contains(next, Email) {
		if err := s.mailDanger(ctx, &v, user); err != nil {
			return Progress{}, err
		}
	}
	sealed, err := s.sealTicket(ticket{
		UserID: user.ID, Version: user.Version, Methods: proven, Since: since.Unix(), Browser: digest(v.Browser),
		Purpose: v.Demand.Purpose, Keep: v.Demand.Keep, ExpiresAt: now.Add(ticketLife).Unix(), Provider: v.Provider, SID: v.ProviderSID, Danger: v.danger,
	})
	return Progress{User: user, Ticket: sealed, Next: next}, err
}

func (s *Service) complete(ctx context.Context, v Visit, user User, proven Methods, since time.Time) (Progress, error) {
	session, cookie, err := s.open(ctx, v, user, proven, since)
	if errors.Is(err, ErrNotFound) { // disabled, gone, or another password meanwhile
		note(ctx, audit.LoginFailed, user.ID, "changed_meanwhile")
		return Progress{}, ErrWrongCredentials
	}
	if err != nil {
		return Progress{}, err
	}
	note(ctx, audit.LoginSucceeded, user.ID, "")
	s.met(ctx, &v, user)
	if v.danger != "" && proven == Methods(Password) {
		s.Happened(ctx, user.ID, PasswordOnly, &v, "")
	}
	return Progress{User: user, Session: session, Cookie: cookie}, nil
}

// carried is what this person has proven in this browser before, and since when.
// Their wish to stay signed in comes along.
func (s *Service) carried(v *Visit, user User, now time.Time) (Methods, time.Time) {
	if t, err := s.openTicket(*v); err == nil && t.UserID == user.ID && t.Version == user.Version {
		v.Demand.Keep, v.danger = v.Demand.Keep || t.Keep, cmp.Or(v.danger, t.Danger)
		v.elsewhere(t.Provider, t.SID)
		return t.Methods, time.Unix(t.Since, 0).UTC()
	}
	if c := v.Current; c != nil && c.UserID == user.ID && s.recent(c) {
		v.Demand.Keep = v.Demand.Keep || c.Keep
		v.elsewhere(c.Provider, c.ProviderSID)
		return c.Methods, c.AuthTime
	}
	return "", now
}

// elsewhere remembers where part of what counts was proven, so that the session ends
// when that at the provider does.
func (v *Visit) elsewhere(provider, sid string) {
	if v.Provider == "" {
		v.Provider, v.ProviderSID = provider, sid
	}
}

// recent reports whether what a session has proven counts towards more.
func (s *Service) recent(c *Session) bool { return s.now().Sub(c.AuthTime) < stepUpWithin }

// missing says how a sign-in can go on; nothing: it is enough, or the person has
// nothing better. Whoever has set up a second factor is always asked for one.
func (s *Service) missing(ctx context.Context, v Visit, user User, proven Methods) ([]Method, error) {
	have := proven.ACR()
	if token.ACRSatisfies(have, token.ACRPhishing) {
		return nil, nil
	}
	f, err := s.store.Factors(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("find factors: %w", err)
	}
	var next []Method
	if f.Passkeys > 0 {
		next = append(next, Passkey)
	}
	if token.ACRSatisfies(have, token.ACRMFA) {
		if f.Passkeys > 0 && len(v.Demand.ACR) > 0 && !slices.ContainsFunc(v.Demand.ACR, func(want string) bool { return token.ACRSatisfies(have, want) }) {
			return next, nil // only a passkey is enough
		}
		return nil, nil
	}
	if f.Authenticators > 0 {
		next = append(next, TOTP)
	}
	if len(next) > 0 && f.RecoveryCodes > 0 {
		next = append(next, Recovery)
	}
	if len(next) == 0 && v.danger != "" && proven == Methods(Password) && s.mayMailCode(user) {
		next = append(next, Email)
	}
	return next, nil
}

func (s *Service) sealTicket(t ticket) (secret.Value, error) {
	if s.ring == nil {
		return secret.Value{}, errors.New("sign-in in two steps needs a key ring")
	}
	plain, err := json.Marshal(t)
	if err != nil {
		return secret.Value{}, fmt.Errorf("seal ticket: %w", err)
	}
	return s.ring.Seal(secret.PendingSignIn, ticketLabel, plain)
}

func (s *Service) openTicket(v Visit) (ticket, error) {
	if v.Ticket.IsZero() || s.ring == nil {
		return ticket{}, ErrTicket
	}
	plain, err := s.ring.Open(secret.PendingSignIn, ticketLabel, v.Ticket.Reveal())
	if err != nil {
		return ticket{}, ErrTicket
	}
	var t ticket
	if err := json.Unmarshal(plain, &t); err != nil {
		return ticket{}, ErrTicket
	}
	if s.now().Unix() >= t.ExpiresAt || t.Purpose != v.Demand.Purpose || subtle.ConstantTimeCompare(t.Browser, digest(v.Browser)) != 1 {
		return ticket{}, ErrTicket
	}
	return t, nil
}

// Underway returns whose sign-in it is that a visit goes on with, and how it can:
// the one of its ticket, or the session that is to prove more. Nothing means that
// the person has nothing better. ErrTicket: everything is proven anew.
func (s *Service) Underway(ctx context.Context, v Visit) (User, []Method, error) {
	id, version, proven, err := s.underway(&v)
	if err != nil {
		return User{}, nil, err
	}
	user, err := s.store.UserByID(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (user.Disabled || version != nil && user.Version != *version) {
		return User{}, nil, ErrTicket
	}
	if err != nil {
		return User{}, nil, fmt.Errorf("find user: %w", err)
	}
	next, err := s.missing(ctx, v, user, proven)
	return user, next, err
}

func (s *Service) underway(v *Visit) (id string, version *int64, proven Methods, err error) {
	if t, err := s.openTicket(*v); err == nil {
		v.danger = t.Danger
		return t.UserID, &t.Version, t.Methods, nil
	}
	if c := v.Current; c != nil && s.recent(c) {
		return c.UserID, nil, c.Methods, nil
	}
	return "", nil, "", ErrTicket
}

// Enrolled adds a method that the person of v.Current has just set up, by proving
// it, to what they have proven before.
func (s *Service) Enrolled(ctx context.Context, v Visit, m Method) (Progress, error) {
	if v.Current == nil {
		return Progress{}, ErrTicket
	}
	user, err := s.store.UserByID(ctx, v.Current.UserID)
	if errors.Is(err, ErrNotFound) {
		return Progress{}, ErrTicket
	}
	if err != nil {
		return Progress{}, fmt.Errorf("find user: %w", err)
	}
	return s.prove(ctx, v, user, m)
}

func digest(v secret.Value) []byte {
	h := v.Hash()
	return h[:]
}
