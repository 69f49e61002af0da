package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// RFC 8693 §2.2.2 asks for invalid_request where a token is not good; what is
// wrong with it is for our own record alone.
var (
	errSubjectToken = fail(InvalidRequest, "subject_token is not valid here")
	errActorToken   = fail(InvalidRequest, "actor_token is not valid here")
)

// presentedToken is a token that was opened to be exchanged.
type presentedToken struct {
	access token.Access
	inner  bool   // it is an inner token: the gateway has checked what it was bound to
	mayAct string // may_act, JSON (RFC 8693 §4.4); or empty
}

// exchangeTokens opens what is presented and asks for each whether it is alive,
// whether those whom it is about still are, and whether this client may present
// it. It changes nothing.
func (s *Service) exchangeTokens(ctx context.Context, x *exchanging, r Request) error {
	reason, err := s.openPresented(ctx, &x.subject, r.param("subject_token"), r.param("subject_token_type"))
	if err == nil && reason == "" {
		reason = s.mayPresent(x.client, &x.subject)
	}
	if err != nil || reason != "" {
		return x.refuse(ctx, errSubjectToken, reason, err)
	}
	if r.Params.Has("actor_token") {
		x.actor = &presentedToken{}
		reason, err = s.openPresented(ctx, x.actor, r.param("actor_token"), r.param("actor_token_type"))
		if err == nil && reason == "" && !x.actor.ownOf(x.client) {
			reason = "actor_of_another"
		}
		if err != nil || reason != "" {
			return x.refuse(ctx, errActorToken, reason, err)
		}
	}
	if !x.subject.mayBeActedForBy(x.actorSubject()) {
		return x.refuse(ctx, errSubjectToken, "subject_may_act", nil)
	}
	return nil
}

// ownOf reports whether a token was issued to the client and came of no exchange:
// one that did ends with two already, and a third has no place.
func (p *presentedToken) ownOf(c *Client) bool {
	a := &p.access
	return a.ClientID == c.ID && a.Actor == "" && a.Exchanger.IsZero() && !p.inner
}

func (x *exchanging) refuse(ctx context.Context, outside *Error, reason string, err error) error {
	if err != nil {
		return err
	}
	note(ctx, audit.Event{Name: audit.ExchangeRefused, Client: x.client.ID, Reason: reason})
	return outside
}

// openPresented opens a token that was presented with its type. reason says why
// it does not count; an error, that this cannot be known now, or that tokens of
// the type are not exchanged at all.
func (s *Service) openPresented(ctx context.Context, p *presentedToken, tok, typ string) (reason string, err error) {
	switch typ {
	case typeAccessToken:
		reason, err = s.openExchanged(ctx, p, tok)
	case typeJWT:
		reason, err = s.openInner(ctx, p, tok)
	default:
		return "", fail(InvalidRequest, "only access tokens, "+typeAccessToken+", and what the gateway gives to backends, "+typeJWT+", are exchanged")
	}
	if err != nil || reason != "" {
		return reason, err
	}
	if err := s.needFresh(p.access.Tier); err != nil {
		return "", err
	}
	if s.feed.Revoked(&p.access) {
		return "revoked", nil
	}
	return s.standing(ctx, &p.access)
}

func (s *Service) openExchanged(ctx context.Context, p *presentedToken, tok string) (string, error) {
	format, alive, err := s.openAccess(ctx, tok, &p.access)
	switch {
	case err != nil:
		return "", err
	case !alive || p.access.IssuedAt > s.now().Unix()+maxAhead:
		return "not_alive", nil
	case format == token.FormatJWT:
		p.mayAct = memberOf(tok, "may_act")
	}
	return "", nil
}

// innerLife is the longest that an inner token lives.
const innerLife = time.Minute

// innerVerifier reads what the gateway gives to backends. They may exchange it,
// because they see nothing else of whoever calls.
func (s *Service) innerVerifier() (*jose.Verifier, error) {
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "inner token", Types: []string{token.TypeInner}, Algorithms: []jose.Algorithm{jose.EdDSA}, Keys: s.ring.KeySource(token.SignInner),
		Issuer: jose.Exactly(s.issuer), Audience: jose.Any(), // mayPresent checks it
		MaxLife: innerLife, Require: []string{"sub", "client_id", "jti"}, Now: s.now,
	})
	if err != nil {
		return nil, fmt.Errorf("read inner tokens: %w", err)
	}
	return v, nil
}

func (s *Service) openInner(ctx context.Context, p *presentedToken, tok string) (string, error) {
	c, err := s.inner.Verify(ctx, tok)
	switch {
	case errors.Is(err, jose.ErrKeysUnavailable):
		return "", unavailable("verify inner token", err)
	case err != nil:
		return "not_alive", nil //nolint:nilerr // what does not verify is not alive
	}
	a := token.Access{Subject: c.Subject, IssuedAt: c.IssuedAt, Lifetime: c.ExpiresAt - c.IssuedAt, Tier: token.TierHigh}
	for _, res := range s.resources {
		if len(c.Audience) == 1 && c.Audience[0] == res.Audience {
			a.Audience, a.Tier = res.Audience, res.Tier
		}
	}
	var grant string
	var amr []string
	var errs [6]error
	a.ClientID, errs[0] = c.String("client_id")
	a.Scope, errs[1] = c.String("scope")
	a.ACR, errs[2] = c.String("acr")
	amr, errs[3] = c.Strings("amr")
	a.AuthTime, errs[4] = c.Int("auth_time")
	grant, errs[5] = c.String("grant")
	a.AMR, a.Details, a.Actor = strings.Join(amr, " "), string(c.Raw("authorization_details")), string(c.Raw("act"))
	if grant != "" {
		if a.GrantID, err = secret.ParseID(grant); err != nil {
			return "not_alive", nil //nolint:nilerr // our own key signed what is no inner token
		}
	}
	if errors.Join(errs[:]...) != nil || a.IssuedAt == 0 || a.Audience == "" {
		return "not_alive", nil //nolint:nilerr // likewise
	}
	*p = presentedToken{access: a, inner: true, mayAct: string(c.Raw("may_act"))}
	return "", nil
}

// standing asks for the person and the client of a token. That they were disabled
// has ended the token already; this does not rest on it.
func (s *Service) standing(ctx context.Context, a *token.Access) (string, error) {
	c, err := s.clients.get(ctx, a.ClientID)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && c.Disabled:
		return "client_ended", nil
	case err != nil:
		return "", unavailable("find client", err)
	case !a.IsPerson():
		return "", nil
	}
	u, err := s.users.User(ctx, a.Subject)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && u.Disabled:
		return "person_ended", nil
	case err != nil:
		return "", unavailable("find user", err)
	}
	return "", nil
}

// mayPresent decides who may exchange a token: the client that it was issued to;
// a resource server that it is for, which was called with it; and a client that
// the policy lets present tokens of the other. Where the policy names clients, a
// resource server may present theirs alone. Only a resource server may present a
// token that is bound to a key of somebody else: whoever called it has proved the
// key to it.
func (s *Service) mayPresent(c *Client, p *presentedToken) (reason string) {
	a, named := &p.access, c.Settings.Exchange.Subjects
	if a.ClientID == c.ID && !p.inner {
		return ""
	}
	called := slices.ContainsFunc(s.resources, func(res Resource) bool {
		return slices.Contains(c.Resources, res.Name) && a.HasAudience(res.Audience)
	})
	switch listed := slices.Contains(named, a.ClientID); {
	case len(named) > 0 && !listed && a.ClientID != c.ID:
		return "subject_client"
	case called:
		return ""
	case p.inner || !listed:
		return "subject_audience"
	case a.Confirm.Method != token.ConfirmNone:
		return "subject_bound"
	}
	return ""
}

// mayBeActedForBy honours may_act (RFC 8693 §4.4). Our tokens have none; one that
// has it says who alone may act.
func (p *presentedToken) mayBeActedForBy(actor string) bool {
	if p.mayAct == "" {
		return true
	}
	who := token.Actors(p.mayAct)
	return len(who) == 1 && who[0] == actor
}

// memberOf is the JSON of a claim of a JWT that has been verified.
func memberOf(jwt, claim string) (found string) {
	_, rest, _ := strings.Cut(jwt, ".")
	payload, _, _ := strings.Cut(rest, ".")
	raw, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	_ = jose.ScanObject(raw, func(name string, value []byte) error {
		if name == claim {
			found = string(value)
		}
		return nil
	})
	return found
}

// exchangedDetails are those of the subject's authorization_details that name
// APIs of the new token alone, and of them those that the request asks for. One
// that is good elsewhere too would take the token there.
func (s *Service) exchangedDetails(x *exchanging, r Request, targets map[*Resource]bool) *Error {
	list, perr := s.scanDetails(x.subject.access.Details)
	if perr != nil {
		return errSubjectToken
	}
	kept := slices.DeleteFunc(list, func(d map[string]any) bool {
		return slices.ContainsFunc(locationsOf(writeDetails([]map[string]any{d})), func(audience string) bool {
			_, meant := targets[s.byAudience(audience)]
			return !meant
		})
	})
	var have json.RawMessage
	if len(kept) > 0 {
		have = writeDetails(kept)
	}
	narrowed, perr := s.narrowDetails(r.param("authorization_details"), have)
	x.details = string(narrowed)
	return perr
}
