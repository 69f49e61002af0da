package oauth

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// GrantTokenExchange is the grant type of RFC 8693.
const GrantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// Token type identifiers (RFC 8693 §3).
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt" // the inner token that the gateway gave to a backend
)

// The modes of ExchangePolicy.
const (
	modeDelegation    = "delegation"
	modeImpersonation = "impersonation"
)

// exchanging is a token exchange whose tokens have been found good.
type exchanging struct {
	client  *Client
	subject presentedToken
	actor   *presentedToken // nil: the client itself
	act     string          // of the new token
	mode    string
	scope   string
	details string
	to      reach
}

// exchangeToken gives a client a token for another API, in place of one that it
// was called with, or of its own (RFC 8693). What comes out is never more than
// what went in, but for the scopes that the policy of the client names: not in
// scope, not in authorization_details, not in life. It ends with the grant of
// the subject, and with the client. See ADR 0022.
func (s *Service) exchangeToken(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	if perr := readExchange(r); perr != nil {
		return nil, perr
	}
	x := &exchanging{client: c}
	if err := s.exchangeTokens(ctx, x, r); err != nil {
		return nil, err
	}
	if perr := x.delegate(r); perr != nil {
		return nil, perr
	}
	if perr := s.exchangeTarget(x, r); perr != nil {
		return nil, perr
	}
	if err := s.needFresh(x.to.tier); err != nil {
		return nil, err
	}
	held, err := s.possess(ctx, c, r, x.to.tier, x.need())
	if err != nil {
		return nil, err
	}
	if !x.heldBy(held.confirm) {
		return nil, errSubjectToken
	}
	a, perr := x.access(s.now())
	if perr != nil {
		return nil, perr
	}
	a.Confirm = held.confirm
	res, err := s.respond(ctx, &a, x.to)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, c.ID, held); err != nil {
		return nil, err
	}
	res.IssuedTokenType, res.Nonce = typeAccessToken, s.nextNonce(held)
	note(ctx, audit.Event{Name: audit.TokenExchanged, Client: c.ID, Subject: a.Subject, Grant: a.GrantID.String(), Actor: x.actorSubject(), Reason: x.mode})
	return res, nil
}

// readExchange judges the parameters that say what is presented and wanted (RFC
// 8693 §2.1).
func readExchange(r Request) *Error {
	switch {
	case r.param("subject_token") == "" || r.param("subject_token_type") == "":
		return fail(InvalidRequest, "subject_token and subject_token_type are needed")
	case r.Params.Has("actor_token") != r.Params.Has("actor_token_type"):
		return fail(InvalidRequest, "actor_token and actor_token_type go together")
	}
	switch want := r.param("requested_token_type"); want {
	case "", typeAccessToken:
		return nil
	}
	return fail(InvalidRequest, "requested_token_type: only access tokens are issued, "+typeAccessToken)
}

// need is the key that the request must prove: that of the client's own tokens.
func (x *exchanging) need() token.Confirmation {
	if x.actor != nil && x.actor.access.Confirm.Method != token.ConfirmNone {
		return x.actor.access.Confirm
	}
	if x.subject.access.ClientID == x.client.ID {
		return x.subject.access.Confirm
	}
	return token.Confirmation{}
}

// heldBy reports whether key is the one of each token of the client's own that is
// bound.
func (x *exchanging) heldBy(key token.Confirmation) bool {
	fits := func(p *presentedToken) bool {
		c := p.access.Confirm
		return p.access.ClientID != x.client.ID || c.Method == token.ConfirmNone || c == key
	}
	return fits(&x.subject) && (x.actor == nil || fits(x.actor))
}

// actorSubject is who acts with the new token.
func (x *exchanging) actorSubject() string {
	if x.actor != nil {
		return x.actor.access.Subject
	}
	return token.ClientSubject(x.client.ID)
}

// delegate decides whether the new token says who acts (RFC 8693 §1.1, §4.1).
// Whoever acted before stays in it either way: a chain is not cut by exchanging
// once more.
func (x *exchanging) delegate(r Request) *Error {
	modes := x.client.Settings.Exchange.Modes
	x.mode = modeDelegation
	if slices.Contains(modes, modeImpersonation) && (x.actor == nil || !slices.Contains(modes, modeDelegation)) {
		x.mode = modeImpersonation
	}
	x.act = x.subject.access.Actor
	chain := token.Actors(x.act)
	if x.act != "" && chain == nil {
		return errSubjectToken
	}
	actor := x.actorSubject()
	if x.client.Settings.SubjectType == "pairwise" && slices.ContainsFunc(append(slices.Clip(chain), actor), isPerson) {
		return errActorToken // act would tell the client whom others know by that name
	}
	if x.mode == modeImpersonation {
		if r.Params.Has("actor_token") {
			return fail(InvalidRequest, "actor_token: this client gets tokens that do not say who acts")
		}
		return nil
	}
	if len(chain) > 0 && chain[0] == actor {
		return nil
	}
	if len(chain) >= token.MaxActors {
		return fail(InvalidRequest, "too many have acted for the subject already")
	}
	act := token.AppendJSONString([]byte(`{"sub":`), actor)
	if x.act != "" {
		act = append(append(act, `,"act":`...), x.act...)
	}
	x.act = string(append(act, '}'))
	return nil
}

func isPerson(subject string) bool { return (&token.Access{Subject: subject}).IsPerson() }

// access is what the new token says: who the subject is and how they signed in
// as before, the rest as the exchange decided.
func (x *exchanging) access(now time.Time) (token.Access, *Error) {
	was := &x.subject.access
	until, ends := was.ExpiresAt(), x.client.Epoch
	if x.actor != nil {
		until = min(until, x.actor.access.ExpiresAt())
		ends = x.actor.access.GrantID
	}
	if ends == was.GrantID {
		ends = secret.ID{}
	}
	life := min(seconds(x.client.lives(x.to.tier).access(x.to.lifetime)), until-now.Unix())
	if life < 1 {
		return token.Access{}, errSubjectToken
	}
	return token.Access{
		GrantID: was.GrantID, Serial: secret.NewID(now), Exchanger: ends, ClientID: x.client.ID, Subject: was.Subject,
		Audience: x.to.audience, Scope: x.scope, IssuedAt: now.Unix(), Lifetime: life,
		AuthTime: was.AuthTime, ACR: was.ACR, AMR: was.AMR, Tier: x.to.tier, Details: x.details, Actor: x.act,
	}, nil
}

// exchangeTarget decides for which APIs the new token is and with which scopes
// (RFC 8693 §2.1, RFC 8707 §2). An API that is unknown and one that is not the
// client's to ask for are answered alike.
func (s *Service) exchangeTarget(x *exchanging, r Request) *Error {
	policy := &x.client.Settings.Exchange
	targets := map[*Resource]bool{} // true: asked for by name
	for _, name := range slices.Concat(r.Params["audience"], r.Params["resource"]) {
		i := slices.IndexFunc(s.resources, func(res Resource) bool {
			return res.Audience == name || res.Name == name && slices.Contains(r.Params["audience"], name)
		})
		if i < 0 || !slices.Contains(policy.Audiences, s.resources[i].Name) {
			return errTarget
		}
		targets[&s.resources[i]] = true
	}
	if len(targets) == 0 {
		for i := range s.resources {
			if slices.Contains(policy.Audiences, s.resources[i].Name) {
				targets[&s.resources[i]] = false
			}
		}
	}
	members, ok := parseScope(r.param("scope"))
	if !ok {
		return fail(InvalidScope, "scope is malformed")
	}
	var kept []string
	if len(members) == 0 {
		members = fields(x.client.Scope)
	}
	for _, m := range members {
		res := s.byScope[m]
		_, meant := targets[res]
		if res != nil && meant && x.mayHave(m) {
			kept = append(kept, m)
		} else if r.param("scope") != "" {
			return fail(InvalidScope, "scope "+m+" is not to be had by this exchange")
		}
	}
	x.scope = strings.Join(kept, " ")
	if perr := s.exchangedDetails(x, r, targets); perr != nil {
		return perr
	}
	x.to = s.reachOf(x.scope, json.RawMessage(x.details))
	for res, named := range targets {
		if named && !contains(x.to.audience, res.Audience) {
			return fail(InvalidScope, "the exchange gives no scope of "+res.Name)
		}
	}
	if x.to.audience == "" {
		return fail(InvalidScope, "the exchange gives no scope")
	}
	return nil
}

// mayHave reports whether the new token may have scope: the client is registered
// with it, and the subject's token has it or the policy says that it is added.
func (x *exchanging) mayHave(scope string) bool {
	return contains(x.client.Scope, scope) && !slices.Contains(PartnerScopes, scope) &&
		(x.subject.access.HasScope(scope) || slices.Contains(x.client.Settings.Exchange.Scopes, scope))
}

var errTarget = fail(InvalidTarget, "an API that was asked for is unknown, or not to be had by this client")
