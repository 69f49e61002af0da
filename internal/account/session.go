package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// touchEvery is how often the use of a session is written down: not with every
// request, since each time is a write that must be durable.
const touchEvery = time.Minute

const sessionSecretBytes = 32

// open stores a new session and returns it with its cookie: the ID and 256
// random bits, of which only a hash is kept. ErrNotFound if what was proven no
// longer counts.
func (s *Service) open(ctx context.Context, v Visit, user User, proven Methods, since time.Time) (Session, secret.Value, error) {
	now := seconds(s.now())
	limits := v.Demand.Tier.Limits()
	id := secret.NewID(s.now())
	cookie := secret.Encode(secret.SessionCookie, append(id[:], secret.Random(sessionSecretBytes)...))
	session := Session{
		ID: id, SID: id, Hash: cookie.Hash(), UserID: user.ID, UserVersion: user.Version,
		Methods: proven, ACR: proven.ACR(), AMR: proven.AMR(), AuthTime: since, CreatedAt: now, LastSeen: now,
		IdleUntil: now.Add(min(limits.SessionIdle, limits.SessionAbsolute)), AbsoluteUntil: since.Add(limits.SessionAbsolute),
		Tier: v.Demand.Tier, Keep: v.Demand.Keep && v.Demand.Tier < token.TierHigh, Most: s.maxSessions, Purpose: v.Demand.Purpose,
		Device: v.Device, Place: s.place(v.Remote),
		Provider: v.Provider, ProviderSID: v.ProviderSID,
	}
	if session.IdleUntil.After(session.AbsoluteUntil) {
		session.IdleUntil = session.AbsoluteUntil
	}
	if previous := v.Previous; !previous.IsZero() {
		before, err := s.store.Session(ctx, previous)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Session{}, secret.Value{}, fmt.Errorf("find session: %w", err)
		}
		if err == nil && before.UserID == user.ID { // signing out must end what either has led to
			session.SID = before.SID
			if session.Provider == "" {
				session.Provider, session.ProviderSID = before.Provider, before.ProviderSID
			}
		}
	}
	if err := s.store.AddSession(ctx, session, v.Previous); err != nil {
		return Session{}, secret.Value{}, fmt.Errorf("open session: %w", err)
	}
	return session, cookie, nil
}

// Session returns the session of a cookie, and notes at most once a minute
// that it is in use. A cookie that is malformed, unknown or forged, and a
// session that has ended or expired, give ErrNotFound alike.
func (s *Service) Session(ctx context.Context, cookie secret.Value) (Session, error) {
	return s.SessionOn(ctx, cookie, "")
}

// SessionOn is Session for a request from a device, as DeviceName calls it. A
// cookie that turns up with another kind of device than it was given to is as
// good as none: the person signs in anew (AU18). Another network alone is what
// every phone shows several times a day.
func (s *Service) SessionOn(ctx context.Context, cookie secret.Value, device string) (Session, error) {
	session, err := s.find(ctx, cookie)
	if err != nil {
		return Session{}, err
	}
	if session.Device != "" && device != "" && session.Device != device {
		s.moved(ctx, session, device)
		return Session{}, ErrNotFound
	}
	now := s.now()
	if !now.Before(session.IdleUntil) || !now.Before(session.AbsoluteUntil) {
		return Session{}, ErrNotFound
	}
	idle := now.Sub(session.LastSeen)
	if idle >= touchEvery {
		if session, err = s.touch(ctx, session, seconds(now)); err != nil {
			return Session{}, err
		}
	}
	session.Idle = idle
	return session, nil
}

// Previous returns the ID of the session that a cookie was given for, also if it
// has timed out, so that a new sign-in can take its place; zero if there is none.
func (s *Service) Previous(ctx context.Context, cookie secret.Value) (secret.ID, error) {
	session, err := s.find(ctx, cookie)
	if errors.Is(err, ErrNotFound) {
		return secret.ID{}, nil
	}
	return session.ID, err
}

// Former returns the session of a cookie, also if it has timed out: enough to end
// it, and for nothing else. ErrNotFound as Session.
func (s *Service) Former(ctx context.Context, cookie secret.Value) (Session, error) {
	return s.find(ctx, cookie)
}

// find returns the stored session of a cookie, alive or not.
func (s *Service) find(ctx context.Context, cookie secret.Value) (Session, error) {
	payload, err := secret.Decode(secret.SessionCookie, cookie.Reveal())
	if err != nil || len(payload) != len(secret.ID{})+sessionSecretBytes {
		return Session{}, ErrNotFound
	}
	session, err := s.store.Session(ctx, secret.ID(payload[:len(secret.ID{})]))
	if errors.Is(err, ErrNotFound) || err == nil && !session.Hash.Equal(cookie.Hash()) {
		return Session{}, ErrNotFound
	}
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	return session, nil
}

// touch moves the idle limit by its own length, but never past the absolute.
func (s *Service) touch(ctx context.Context, session Session, now time.Time) (Session, error) {
	idle := session.IdleUntil.Sub(session.LastSeen)
	session.LastSeen, session.IdleUntil = now, now.Add(idle)
	if session.IdleUntil.After(session.AbsoluteUntil) {
		session.IdleUntil = session.AbsoluteUntil
	}
	err := s.store.TouchSession(ctx, session.ID, session.LastSeen, session.IdleUntil)
	if errors.Is(err, ErrNotFound) { // ended since we read it
		return Session{}, ErrNotFound
	}
	if err != nil {
		return Session{}, fmt.Errorf("touch session: %w", err)
	}
	return session, nil
}
