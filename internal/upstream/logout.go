package upstream

import (
	"context"
	"encoding/json"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

const (
	logoutAge    = 5 * time.Minute
	logoutLife   = 15 * time.Minute
	logoutEvent  = "http://schemas.openid.net/event/backchannel-logout"
	maxLogoutJTI = 512 // bytes
)

// SignOut is what a provider tells: somebody has signed out there.
type SignOut struct {
	Provider string // name in the configuration
	Issuer   string
	Subject  string // empty: unsaid
	SID      string // empty: all of Subject's sessions
	// Once is the name of this message, which counts once until Until.
	Once  secret.Hash
	Until time.Time
}

// SignedOut verifies a logout token (OpenID Connect Back-Channel Logout 1.0 §2.6). The
// caller uses up Once in the transaction that ends the sessions, so that a message that
// could not be obeyed may come again. The error is of the class ErrRefused,
// ErrUnavailable or ErrUnknown.
func (s *Service) SignedOut(ctx context.Context, name, logoutToken string) (SignOut, error) {
	p, err := s.provider(name)
	if err != nil {
		return SignOut{}, err
	}
	if p.Kind == GitHub {
		return SignOut{}, fail(ErrUnknown, "provider", nil)
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return SignOut{}, err
	}
	// Without typ, as older providers send it, events and the absence of a nonce keep an
	// ID token from being taken for one (§4).
	v, err := p.verifier(m, "logout token", []string{"logout+jwt", "", "jwt"}, logoutAge, logoutLife)
	if err != nil {
		return SignOut{}, err
	}
	c, err := v.Verify(ctx, logoutToken)
	if err != nil {
		return SignOut{}, verdict("logout", err)
	}
	out, err := p.readSignOut(c)
	if err != nil {
		return SignOut{}, err
	}
	out.Once = spent("logout", c.Issuer+"\x00"+c.ID)
	out.Until = time.Unix(c.ExpiresAt, 0).Add(2 * skew)
	return out, nil
}

func (p *provider) readSignOut(c *jose.Claims) (SignOut, error) {
	sid, err := c.String("sid")
	switch {
	case !p.speaksFor(c.Issuer):
		return SignOut{}, refuse("logout_iss")
	case c.ID == "" || len(c.ID) > maxLogoutJTI:
		return SignOut{}, refuse("logout_jti")
	case c.Has("nonce"):
		return SignOut{}, refuse("logout_nonce")
	case !isLogoutEvent(c.Raw("events")):
		return SignOut{}, refuse("logout_events")
	case err != nil || len(sid) > maxIdentity || len(c.Subject) > maxIdentity || sid == "" && c.Subject == "":
		return SignOut{}, refuse("logout_whom")
	}
	return SignOut{Provider: p.Name, Issuer: c.Issuer, Subject: c.Subject, SID: sid}, nil
}

func isLogoutEvent(raw json.RawMessage) bool {
	events, err := parseMembers(raw)
	if err != nil {
		return false
	}
	_, err = parseMembers(events[logoutEvent])
	return err == nil
}
