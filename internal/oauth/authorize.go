package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/internal/secret"
)

// Authorization is a valid authorization request, waiting for a person.
type Authorization struct {
	ClientID    string    `json:"c"`
	RedirectURI string    `json:"r"`
	State       string    `json:"s,omitempty"`
	Nonce       string    `json:"n,omitempty"`
	Scope       string    `json:"o"`
	Challenge   string    `json:"p"`
	Prompt      []string  `json:"q,omitempty"`
	MaxAge      *int64    `json:"m,omitempty"` // seconds
	LoginHint   string    `json:"h,omitempty"`
	ExpiresAt   int64     `json:"e"`
	LoginBy     secret.ID `json:"l"`           // the session that was made for this request
	GrantID     secret.ID `json:"g"`           // what it leads to, however often the person agrees
	HintSubject string    `json:"u,omitempty"` // who id_token_hint is about
	JKT         string    `json:"j,omitempty"` // dpop_jkt: the only key that may redeem the code
	ACR         []string  `json:"a,omitempty"` // acr_values
	ACRNeeded   []string  `json:"b,omitempty"` // a sign-in of none of these classes is not enough
	UILocales   string    `json:"i,omitempty"` // ui_locales
	Mode        string    `json:"w,omitempty"` // response_mode; empty: query
	Pushed      secret.ID `json:"x,omitzero"`  // the pushed request that it is, which is used up with the code
	Terms       Terms     `json:"t,omitzero"`

	Elsewhere *Elsewhere `json:"d,omitempty"` // what asks is not this browser; nil: it is

	client   *Client
	agreedBy string   // who has agreed to all of it before, when Next has asked
	declined []string // what the person has left out
}

// Client returns the client that asks.
func (a *Authorization) Client() Client { return *a.client }

// flowLife is how long a person may take to sign in and decide.
const flowLife = 30 * time.Minute

const (
	maxState     = 4096
	maxNonce     = 512
	maxLoginHint = 320
	maxLocales   = 256
)

// authorizeParams are the parameters that count; a repeated one is an error.
var authorizeParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method", "prompt", "max_age", "acr_values", "login_hint", "display", "ui_locales", "claims",
	"id_token_hint", "registration", "dpop_jkt", "authorization_details",
}

var promptValues = []string{"none", "login", "consent", "select_account"}

// Authorize reads an authorization request (OAuth 2.1 §4.1.1, OpenID Connect
// Core §3.1.2.1), whether its parameters are outer itself, a request object or
// what was pushed before. It returns a *PageError as long as the redirect URI is
// not known to be the client's, and a *RedirectError afterwards.
func (s *Service) Authorize(ctx context.Context, outer url.Values) (*Authorization, error) {
	client, page, err := s.asking(ctx, outer)
	if page != nil {
		return nil, page
	}
	if err != nil {
		return nil, err
	}
	in, perr, err := s.unpack(ctx, client, outer)
	if err != nil {
		return nil, err
	}
	if perr != nil {
		return nil, s.refuseOuter(ctx, client, outer, perr)
	}
	a, page := s.begin(client, in.params)
	if page != nil {
		return nil, page
	}
	if in.pushed != nil {
		// However often it is opened, it leads to one grant.
		a.Pushed, a.GrantID, a.ExpiresAt = in.pushed.ID, in.pushed.ID, in.pushed.KeptUntil.Unix()
		a.Terms.ClientKey = in.instance
	}
	if perr := s.readAuthorize(ctx, a, in); perr != nil {
		return nil, s.refuseRequest(ctx, a, in.params, perr)
	}
	if in.pushed == nil { // those were looked at when they were pushed
		s.constants.look(ctx, a)
	}
	return a, nil
}

// asked is an authorization request whose parameters have been found.
type asked struct {
	params url.Values
	signed bool    // they were in a request object
	push   bool    // they are being pushed
	pushed *Pushed // they were pushed before

	instance string // that has pushed them, if it was attested
}

// asking is the client that asks for an authorization.
func (s *Service) asking(ctx context.Context, outer url.Values) (*Client, *PageError, error) {
	if len(outer["client_id"]) > 1 {
		return nil, &PageError{InvalidRequest, "client_id is repeated"}, nil
	}
	client, err := s.clients.get(ctx, outer.Get("client_id"))
	switch {
	case errors.Is(err, ErrNotFound), err == nil && client.Disabled:
		return nil, &PageError{InvalidClient, "no client has this client_id"}, nil
	case err != nil:
		return nil, nil, unavailable("find client", err)
	case client.Type == ServiceClient:
		return nil, &PageError{UnauthorizedClient, "this client cannot act for a person"}, nil
	}
	return client, nil, nil
}

// begin reads what decides where a response may go.
func (s *Service) begin(client *Client, params url.Values) (*Authorization, *PageError) {
	uri := params.Get("redirect_uri")
	switch {
	case len(params["redirect_uri"]) > 1:
		return nil, &PageError{InvalidRequest, "redirect_uri is repeated"}
	case uri == "":
		return nil, &PageError{InvalidRequest, "redirect_uri is missing"}
	case !matchRedirect(client, uri):
		return nil, &PageError{InvalidRequest, "redirect_uri is not registered for this client"}
	}
	now := s.now()
	return &Authorization{
		ClientID: client.ID, RedirectURI: uri, State: params.Get("state"), Nonce: params.Get("nonce"), Mode: params.Get("response_mode"),
		Challenge: params.Get("code_challenge"), LoginHint: params.Get("login_hint"), JKT: params.Get("dpop_jkt"), UILocales: params.Get("ui_locales"),
		ExpiresAt: now.Add(flowLife).Unix(), GrantID: secret.NewID(now), client: client,
	}, nil
}

// refuseRequest is how a request ends in which something is wrong. A client that
// nobody has looked at gets no redirect from us before the person has signed in:
// else whoever registers one has an open redirector in our name (OAuth 2.1
// §7.13.2, RFC 9700 §4.11.2).
func (s *Service) refuseRequest(ctx context.Context, a *Authorization, params url.Values, perr *Error) error {
	if a.client.lessTrusted() {
		return &PageError{perr.Code, perr.Description}
	}
	if len(a.State) > maxState || len(params["state"]) > 1 {
		a.State = ""
	}
	return s.redirectError(ctx, a, perr.Code, perr.Description)
}

// refuseOuter is how a request ends whose parameters could not be found: where
// the parameters beside them name a redirect URI of the client, there.
func (s *Service) refuseOuter(ctx context.Context, client *Client, outer url.Values, perr *Error) error {
	a, page := s.begin(client, outer)
	if page != nil || strings.HasPrefix(outer.Get("request_uri"), pushedURN) {
		return &PageError{perr.Code, perr.Description}
	}
	if e := a.readMode(outer.Get("response_mode")); e != nil {
		a.Mode = ""
	}
	return s.refuseRequest(ctx, a, outer, perr)
}

func (s *Service) readAuthorize(ctx context.Context, a *Authorization, in *asked) *Error {
	params := in.params
	// First, because it also decides how what follows is answered.
	if perr := a.readMode(params.Get("response_mode")); perr != nil {
		return perr
	}
	for _, name := range authorizeParams {
		if len(params[name]) > 1 {
			return fail(InvalidRequest, name+" is repeated")
		}
		if !utf8.ValidString(params.Get(name)) {
			return fail(InvalidRequest, name+" is not UTF-8")
		}
	}
	if perr := s.wayProblem(a.client, in); perr != nil {
		return perr
	}
	switch {
	case params.Get("registration") != "":
		return fail(RegistrationNotSupported, "registration is not supported")
	case len(a.State) > maxState:
		return fail(InvalidRequest, "state is too long")
	case len(a.Nonce) > maxNonce:
		return fail(InvalidRequest, "nonce is too long")
	case len(a.LoginHint) > maxLoginHint:
		return fail(InvalidRequest, "login_hint is too long")
	case len(a.UILocales) > maxLocales:
		return fail(InvalidRequest, "ui_locales is too long")
	case params.Get("response_type") == "":
		return fail(InvalidRequest, "response_type is missing")
	case params.Get("response_type") != "code":
		return fail(UnsupportedResponseType, "only response_type=code is supported")
	case a.JKT != "" && !validThumbprint(a.JKT):
		return fail(InvalidRequest, "dpop_jkt must be the SHA-256 thumbprint of a key, 43 base64url characters")
	}
	if perr := a.readChallenge(params.Get("code_challenge_method")); perr != nil {
		return perr
	}
	if perr := a.readPrompt(params); perr != nil {
		return perr
	}
	if perr := a.readScope(params); perr != nil {
		return perr
	}
	if perr := a.needNonce(); perr != nil {
		return perr
	}
	if perr := s.readAuthorizeHint(ctx, a, params.Get("id_token_hint")); perr != nil {
		return perr
	}
	if perr := s.readExtensions(ctx, a, params); perr != nil {
		return perr
	}
	if plain, err := marshal(a); err != nil || len(plain) > maxPending {
		return fail(InvalidRequest, "the request is too long")
	}
	return nil
}

// wayProblem refuses a request that did not come the way that the server, the
// client or its profile wants.
func (s *Service) wayProblem(c *Client, in *asked) *Error {
	profile := c.profile()
	switch {
	case !in.push && in.pushed == nil && (s.requirePushed || c.Settings.RequirePushed || profile.pushed):
		return fail(InvalidRequest, "authorization requests of this client must be pushed (RFC 9126)")
	case !in.signed && (c.Settings.RequireSignedRequest || profile.signedRequest):
		return fail(InvalidRequest, "authorization requests of this client must be signed (RFC 9101)")
	}
	return nil
}

// readChallenge wants PKCE with S256 (RFC 7636) of every client but those that
// cannot be changed: see needNonce and ADR 0017.
func (a *Authorization) readChallenge(method string) *Error {
	switch {
	case a.Challenge == "" && method == "" && a.client.mayOmitPKCE():
		return nil
	case a.Challenge == "":
		return fail(InvalidRequest, "PKCE is required: code_challenge is missing")
	case method != "S256":
		return fail(InvalidRequest, "code_challenge_method must be S256")
	case !validChallenge(a.Challenge):
		return fail(InvalidRequest, "code_challenge must be 43 base64url characters")
	}
	return nil
}

// mayOmitPKCE reports whether the client may leave out code_challenge. A public
// client never may.
func (c *Client) mayOmitPKCE() bool {
	return c.Type == Server && (c.Settings.PKCE == "optional" || c.profile().pkceOptional)
}

// needNonce wants what stands in for PKCE: the nonce that the client finds again
// in the ID token (OAuth 2.1 §7.5.1). Clients of the profile oidc-basic may have
// neither, as OpenID Connect Core §3.1.2.1 has it.
func (a *Authorization) needNonce() *Error {
	if a.Challenge != "" || a.client.profile().pkceOptional {
		return nil
	}
	if a.Nonce == "" || !contains(a.Scope, "openid") {
		return fail(InvalidRequest, "without code_challenge, nonce and the scope openid are needed")
	}
	return nil
}

func (a *Authorization) readScope(params url.Values) *Error {
	scope, perr := within(params.Get("scope"), a.client.Scope)
	if perr != nil {
		return perr
	}
	if scope == "" && params.Get("authorization_details") == "" { // RFC 9396 §3: either says what is asked for
		return fail(InvalidScope, "scope is missing")
	}
	a.Scope = scope
	return nil
}

// validThumbprint checks the form of dpop_jkt (RFC 9449 §10). There is one way
// to write a thumbprint: the last character holds two bits that are zero.
func validThumbprint(jkt string) bool {
	const size = 32
	b, err := base64.RawURLEncoding.Strict().DecodeString(jkt)
	return err == nil && len(b) == size && base64.RawURLEncoding.EncodeToString(b) == jkt
}

// maxPending is how long a request may be once it is written down, in bytes, so
// that its handle fits into an address.
const maxPending = 5 << 10

// readAuthorizeHint takes the person whom the client means from an ID token of
// ours, which may have expired. One in which the person has another name than for
// this client is about nobody: two clients could find out with it who is whom.
func (s *Service) readAuthorizeHint(ctx context.Context, a *Authorization, jwt string) *Error {
	hint, page := s.readHint(ctx, jwt)
	if page != nil {
		return fail(page.Code, page.Description)
	}
	if hint != nil {
		a.HintSubject = s.personOf(a.client, hint.Told)
	}
	return nil
}

func (a *Authorization) readPrompt(params url.Values) *Error {
	a.Prompt = strings.Fields(params.Get("prompt"))
	for _, p := range a.Prompt {
		if !slices.Contains(promptValues, p) {
			return fail(InvalidRequest, "prompt must be none, login, consent or select_account")
		}
	}
	if slices.Contains(a.Prompt, "none") && len(a.Prompt) > 1 {
		return fail(InvalidRequest, "prompt=none stands alone")
	}
	if n := int64(a.client.Settings.DefaultMaxAge); n > 0 { // OpenID Connect Registration §2
		a.MaxAge = &n
	}
	if v := params.Get("max_age"); v != "" {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return fail(InvalidRequest, "max_age must be a number of seconds")
		}
		a.MaxAge = &n
	}
	return nil
}
