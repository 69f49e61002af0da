package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Identity is who a person is at another OpenID provider: issuer and subject together,
// and nothing else (GW12, ID09). An address is what it had once, for showing.
type Identity struct {
	Provider string // its issuer, exactly
	Subject  string
	UserID   string
	Name     string // how its owner knows it: an address or a login there
	LinkedAt time.Time
	LastUsed time.Time
}

// ElsewhereVisit is a sign-in at another provider that has just been verified.
type ElsewhereVisit struct {
	Provider    string // its issuer
	Subject     string
	Name        string
	SID         string // of the session there; empty: unsaid
	MultiFactor bool   // two factors there, and that is believed
}

// ErrLastWay: what is to be taken away is the last thing that a person can sign in with.
var ErrLastWay = errors.New("it is the last way to sign in")

// MostIdentities is how many a person may have.
const MostIdentities = 20

// IdentityStore keeps who people are elsewhere.
type IdentityStore interface {
	// Identity returns ErrNotFound for one that belongs to nobody.
	Identity(ctx context.Context, provider, subject string) (Identity, error)
	// Identities lists those of a person, in the order in which they were linked.
	Identities(ctx context.Context, userID string) ([]Identity, error)
	// LinkIdentity gives i to a person. ErrExists if it belongs to somebody, ErrNotFound
	// if the person is gone or disabled or has MostIdentities already.
	LinkIdentity(ctx context.Context, i Identity) error
	// UseIdentity notes a use, and the name that it has now.
	UseIdentity(ctx context.Context, i Identity) error
	// UnlinkIdentity takes an identity from a person and ends the sessions that were
	// opened by that provider, but for the one called keepSID. ErrLastWay if there is
	// nothing else that the person could sign in with, ErrNotFound if it is not theirs.
	UnlinkIdentity(ctx context.Context, i Identity, keepSID secret.ID, now, keep time.Time) error
	// AddUserElsewhere adds a person and their first identity. ErrExists if the name or
	// the identity is taken.
	AddUserElsewhere(ctx context.Context, u User, i Identity) error
	// PeopleByVerifiedEmail returns the IDs of those whose address it is, made sure of.
	PeopleByVerifiedEmail(ctx context.Context, email string) ([]string, error)
	// EndElsewhere ends what a provider says is over, once: ErrExists if e.Once was used.
	EndElsewhere(ctx context.Context, e EndedElsewhere, now, keep time.Time) (userIDs []string, err error)
}

// EndedElsewhere is the end of a session at another provider (OpenID Connect
// Back-Channel Logout 1.0 §2.7).
type EndedElsewhere struct {
	Provider string // its issuer
	Subject  string // empty: unsaid
	SID      string // empty: all sessions of Subject
	Once     secret.Hash
	Until    time.Time // for how long Once is remembered
}

// WithIdentity signs in the person whose identity has been verified at a provider.
// ErrNotFound: it belongs to nobody here. A second factor is still asked for, unless
// the provider's word on two factors is believed; somebody who is disabled stays out.
func (s *Service) WithIdentity(ctx context.Context, v Visit, e ElsewhereVisit) (Progress, error) {
	i, err := s.store.Identity(ctx, e.Provider, e.Subject)
	if err != nil {
		return Progress{}, fmt.Errorf("find identity: %w", err)
	}
	user, err := s.store.UserByID(ctx, i.UserID)
	if err != nil {
		return Progress{}, fmt.Errorf("find user: %w", err)
	}
	i.Name, i.LastUsed = tidy(e.Name), seconds(s.now())
	if err := s.store.UseIdentity(ctx, i); err != nil && !errors.Is(err, ErrNotFound) {
		return Progress{}, fmt.Errorf("use identity: %w", err)
	}
	v.Provider, v.ProviderSID = e.Provider, e.SID
	return s.prove(ctx, v, user, e.method())
}

func (e *ElsewhereVisit) method() Method {
	if e.MultiFactor {
		return ElsewhereMF
	}
	return Elsewhere
}

// LinkIdentity lets a person sign in by what has been verified at a provider. The
// caller has made sure that they want to: they are signed in, have just proven it with
// the best that they have, and have agreed. ErrExists, ErrNotFound as the store.
func (s *Service) LinkIdentity(ctx context.Context, v *Visit, userID string, e ElsewhereVisit, label string) error {
	now := seconds(s.now())
	err := s.store.LinkIdentity(ctx, Identity{Provider: e.Provider, Subject: e.Subject, UserID: userID, Name: tidy(e.Name), LinkedAt: now})
	if err != nil {
		return fmt.Errorf("link identity: %w", err)
	}
	s.Happened(ctx, userID, IdentityLinked, v, label)
	return nil
}

// UnlinkIdentity takes it away again. ErrLastWay, ErrNotFound as the store.
func (s *Service) UnlinkIdentity(ctx context.Context, v *Visit, userID, provider, subject string, keepSID secret.ID, label string) error {
	now := s.now()
	err := s.store.UnlinkIdentity(ctx, Identity{Provider: provider, Subject: subject, UserID: userID}, keepSID, now, token.KeepRevocation(now))
	if err != nil {
		return fmt.Errorf("unlink identity: %w", err)
	}
	s.Happened(ctx, userID, IdentityUnlinked, v, label)
	return nil
}

// Identities lists who a person is elsewhere.
func (s *Service) Identities(ctx context.Context, userID string) ([]Identity, error) {
	return s.store.Identities(ctx, userID)
}

// IdentityOwner returns the person of an identity, or ErrNotFound.
func (s *Service) IdentityOwner(ctx context.Context, provider, subject string) (string, error) {
	i, err := s.store.Identity(ctx, provider, subject)
	return i.UserID, err
}

// HasVerifiedEmail reports whether an address belongs to somebody here, made sure of.
func (s *Service) HasVerifiedEmail(ctx context.Context, email string) (bool, error) {
	list, err := s.store.PeopleByVerifiedEmail(ctx, email)
	return len(list) > 0, err
}

// JoinElsewhere makes an account for somebody whom a provider has vouched for, with an
// address that the provider has made sure of and whose domain it may speak for: the
// caller knows. They are called by their address. ErrExists if there is such a name or
// such an address already, or the identity belongs to somebody: then they sign in to
// that account and link it. They have no password.
func (s *Service) JoinElsewhere(ctx context.Context, v *Visit, n NewUser, e ElsewhereVisit, label string) (User, error) {
	now := s.now()
	u := User{
		ID: secret.NewID(now).String(), Username: norm.NFC.String(n.Username), Name: norm.NFC.String(n.Name),
		Email: n.Email, EmailVerified: true, CreatedAt: seconds(now), Locale: v.Locale,
	}
	if u.Email == "" {
		return User{}, invalid("email", "form", "is missing")
	}
	if err := checkUser(u); err != nil {
		return User{}, err
	}
	if taken, err := s.HasVerifiedEmail(ctx, u.Email); err != nil || taken {
		if err == nil {
			err = ErrExists
		}
		return User{}, fmt.Errorf("add user: %w", err)
	}
	i := Identity{Provider: e.Provider, Subject: e.Subject, UserID: u.ID, Name: tidy(e.Name), LinkedAt: seconds(now)}
	if err := s.store.AddUserElsewhere(ctx, u, i); err != nil {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	s.Happened(ctx, u.ID, IdentityLinked, v, label)
	return u, nil
}

// EndElsewhere ends the sessions here that came from one that has ended at a provider,
// and the grants that came from those, but for the ones that were made to last without
// anybody there (offline_access). It returns how many people that concerned.
// ErrExists: this was told before.
func (s *Service) EndElsewhere(ctx context.Context, e EndedElsewhere) (int, error) {
	now := s.now()
	people, err := s.store.EndElsewhere(ctx, e, now, token.KeepRevocation(now))
	if err != nil {
		return 0, fmt.Errorf("end sessions of a provider: %w", err)
	}
	for _, id := range people {
		s.Happened(ctx, id, SessionsEnded, nil, "")
	}
	return len(people), nil
}
