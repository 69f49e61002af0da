package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var inactive = []byte(`{"active":false}`)

// Introspect answers a resource server's question about a token (RFC 7662).
// It sees only tokens meant for an API that it stands for, and of those only
// its own scopes; a client also sees what was issued to itself. Whatever is
// not so is inactive, and all inactive answers are alike.
func (s *Service) Introspect(ctx context.Context, r Request) ([]byte, error) {
	caller, err := s.authenticateConfidential(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.introspect(ctx, caller, r)
}

func (s *Service) introspect(ctx context.Context, caller *Client, r Request) ([]byte, error) {
	presented := r.param("token")
	if presented == "" {
		return nil, fail(InvalidRequest, "token is missing")
	}
	if strings.HasPrefix(presented, string(secret.RefreshToken)) {
		return s.introspectRefresh(ctx, caller, presented)
	}
	var a token.Access
	format, alive, err := s.openAccess(ctx, presented, &a)
	if err != nil {
		return nil, err
	}
	if !alive || a.IssuedAt > s.now().Unix()+maxAhead {
		return inactive, nil
	}
	if err := s.needFresh(a.Tier); err != nil {
		return nil, err
	}
	audience, scope := s.visible(caller, &a)
	if audience == "" || s.feed.Revoked(&a) {
		return inactive, nil
	}
	note(ctx, audit.Event{Name: audit.TokenIntrospected, Client: caller.ID, Subject: a.Subject})
	if caller.ID == a.ClientID && a.IsPerson() { // resource servers go by the account
		a.Subject = s.subjectFor(caller, a.Subject)
	}
	return s.appendIntrospection(make([]byte, 0, 640), &a, tokenID(&a, format), audience, scope), nil
}

// IsInactive reports whether an answer of Introspect says that the token is
// not active.
func IsInactive(answer []byte) bool { return len(answer) == len(inactive) }

// maxAhead is how far in the future iat may lie, in seconds: nodes' clocks
// differ a little.
const maxAhead = 60

// visible returns the audiences and scopes of a that caller may know of.
func (s *Service) visible(caller *Client, a *token.Access) (audience, scope string) {
	if caller.ID == a.ClientID {
		return a.Audience, a.Scope
	}
	var audiences, scopes []string
	for i := range s.resources {
		res := &s.resources[i]
		if !slices.Contains(caller.Resources, res.Name) || !a.HasAudience(res.Audience) {
			continue
		}
		audiences = append(audiences, res.Audience)
		for _, m := range res.Scopes {
			if a.HasScope(m) {
				scopes = append(scopes, m)
			}
		}
	}
	return strings.Join(audiences, " "), strings.Join(scopes, " ")
}

// tokenID is the jti of a token, which a JWT says itself.
func tokenID(a *token.Access, format token.Format) string {
	if format == token.FormatSealed {
		return a.Serial.String()
	}
	return a.TokenID()
}

func (s *Service) appendIntrospection(b []byte, a *token.Access, jti, audience, scope string) []byte {
	b = append(b, `{"active":true,"iss":`...)
	b = token.AppendJSONString(b, s.issuer)
	b = append(b, `,"sub":`...)
	b = token.AppendJSONString(b, a.Subject)
	b = append(b, `,"client_id":`...)
	b = token.AppendJSONString(b, a.ClientID)
	b = append(b, `,"scope":`...)
	b = token.AppendJSONString(b, scope)
	b = append(b, `,"aud":`...)
	if strings.Contains(audience, " ") {
		b = appendJSONList(b, audience)
	} else {
		b = token.AppendJSONString(b, audience)
	}
	b = append(b, `,"token_type":"`...)
	b = append(b, tokenType(a.Confirm)...)
	b = append(b, `","jti":"`...)
	b = append(b, jti...)
	b = append(b, '"')
	b = appendInt(b, `,"iat":`, a.IssuedAt)
	b = appendInt(b, `,"exp":`, a.ExpiresAt())
	if a.AuthTime != 0 {
		b = appendInt(b, `,"auth_time":`, a.AuthTime)
	}
	if a.ACR != "" {
		b = append(b, `,"acr":`...)
		b = token.AppendJSONString(b, a.ACR)
	}
	if a.Confirm.Method != token.ConfirmNone { // RFC 9449 §6.2, RFC 8705 §3.2
		b = a.Confirm.AppendJSON(append(b, `,"cnf":`...))
	}
	seen := token.Access{Details: token.DetailsFor(a.Details, audience), Actor: a.Actor}
	return append(seen.AppendDelegation(b), '}')
}

// introspectRefresh tells a client about its own refresh token, and nobody
// else: a refresh token is no resource server's business.
func (s *Service) introspectRefresh(ctx context.Context, caller *Client, presented string) ([]byte, error) {
	parsed, err := token.ParseRefresh(presented)
	if err != nil {
		return inactive, nil //nolint:nilerr // a malformed token is an inactive token
	}
	g, err := s.store.Grant(ctx, parsed.GrantID)
	if errors.Is(err, ErrNotFound) {
		return inactive, nil
	}
	if err != nil {
		return nil, unavailable("find grant", err)
	}
	now := s.now()
	alive := g.RevokedAt.IsZero() && now.Before(g.IdleUntil) && now.Before(g.AbsoluteUntil)
	if g.ClientID != caller.ID || !s.ring.CheckRefresh(parsed, g.Salt) || !alive || parsed.Generation != g.Generation {
		return inactive, nil
	}
	until := g.IdleUntil
	if g.AbsoluteUntil.Before(until) {
		until = g.AbsoluteUntil
	}
	b := append(make([]byte, 0, 256), `{"active":true,"iss":`...)
	b = token.AppendJSONString(b, s.issuer)
	b = append(b, `,"sub":`...)
	b = token.AppendJSONString(b, s.subjectFor(caller, g.UserID))
	b = append(b, `,"client_id":`...)
	b = token.AppendJSONString(b, g.ClientID)
	b = append(b, `,"scope":`...)
	b = token.AppendJSONString(b, g.Scope)
	b = appendInt(b, `,"iat":`, g.RotatedAt.Unix())
	b = appendInt(b, `,"exp":`, until.Unix())
	return append(b, '}'), nil
}
