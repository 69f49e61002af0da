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
	"sallyport/internal/token"
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
	UILocales   string    `json:"i,omitempty"` // ui_locales
	Mode        string    `json:"w,omitempty"` // response_mode; empty: query
	Pushed      secret.ID `json:"x,omitzero"`  // the pushed request that it is, which is used up with the code
	Terms       Terms     `json:"t,omitzero"`

	client *Client
}

// Client returns the client that asks.
func (a *Authorization) Client() Client { return *a.client }

// flowLife is how long a person may take to sign in and decide.
const flowLife = 30 * time.Minute

const (
	maxState     = 4096
	maxNonce     = 512
	maxLoginHint = 320
)

// authorizeParams are the parameters that count; a repeated one is an error.
var authorizeParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method", "prompt", "max_age", "acr_values", "login_hint", "display", "ui_locales", "claims",
	"id_token_hint", "request", "request_uri", "registration", "dpop_jkt",
}

// refusedParams are parameters whose presence is an error of their own.
var refusedParams = []struct{ name, code string }{
	{"request", RequestNotSupported},
	{"request_uri", RequestURINotSupported},
	{"registration", RegistrationNotSupported},
}

var promptValues = []string{"none", "login", "consent", "select_account"}

// Authorize reads an authorization request (OAuth 2.1 §4.1.1, OpenID Connect
// Core §3.1.2.1). It returns a *PageError as long as the redirect URI is not
// known to be the client's, and a *RedirectError afterwards.
func (s *Service) Authorize(ctx context.Context, params url.Values) (*Authorization, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(params[name]) > 1 {
			return nil, &PageError{InvalidRequest, name + " is repeated"}
		}
	}
	client, err := s.clients.get(ctx, params.Get("client_id"))
	switch {
	case errors.Is(err, ErrNotFound), err == nil && client.Disabled:
		return nil, &PageError{InvalidClient, "no client has this client_id"}
	case err != nil:
		return nil, unavailable("find client", err)
	case client.Type == ServiceClient:
		return nil, &PageError{UnauthorizedClient, "this client cannot act for a person"}
	}
	uri := params.Get("redirect_uri")
	if uri == "" {
		return nil, &PageError{InvalidRequest, "redirect_uri is missing"}
	}
	if !matchRedirect(client, uri) {
		return nil, &PageError{InvalidRequest, "redirect_uri is not registered for this client"}
	}
	a := &Authorization{
		ClientID: client.ID, RedirectURI: uri, State: params.Get("state"), Nonce: params.Get("nonce"),
		Challenge: params.Get("code_challenge"), LoginHint: params.Get("login_hint"), JKT: params.Get("dpop_jkt"),
		ExpiresAt: s.now().Add(flowLife).Unix(), GrantID: secret.NewID(s.now()), client: client,
	}
	if perr := s.readAuthorize(ctx, a, params); perr != nil {
		state := a.State
		if len(state) > maxState || len(params["state"]) > 1 {
			state = ""
		}
		return nil, s.redirectError(uri, state, perr.Code, perr.Description)
	}
	return a, nil
}

func (s *Service) readAuthorize(ctx context.Context, a *Authorization, params url.Values) *Error {
	for _, name := range authorizeParams {
		if len(params[name]) > 1 {
			return fail(InvalidRequest, name+" is repeated")
		}
		if !utf8.ValidString(params.Get(name)) {
			return fail(InvalidRequest, name+" is not UTF-8")
		}
	}
	for _, p := range refusedParams {
		if params.Get(p.name) != "" {
			return fail(p.code, p.name+" is not supported")
		}
	}
	switch {
	case len(a.State) > maxState:
		return fail(InvalidRequest, "state is too long")
	case len(a.Nonce) > maxNonce:
		return fail(InvalidRequest, "nonce is too long")
	case len(a.LoginHint) > maxLoginHint:
		return fail(InvalidRequest, "login_hint is too long")
	case params.Get("response_type") == "":
		return fail(InvalidRequest, "response_type is missing")
	case params.Get("response_type") != "code":
		return fail(UnsupportedResponseType, "only response_type=code is supported")
	case params.Get("response_mode") != "" && params.Get("response_mode") != "query":
		return fail(InvalidRequest, "only response_mode=query is supported")
	case a.Challenge == "":
		return fail(InvalidRequest, "PKCE is required: code_challenge is missing")
	case params.Get("code_challenge_method") != "S256":
		return fail(InvalidRequest, "code_challenge_method must be S256")
	case !validChallenge(a.Challenge):
		return fail(InvalidRequest, "code_challenge must be 43 base64url characters")
	case a.JKT != "" && !validThumbprint(a.JKT):
		return fail(InvalidRequest, "dpop_jkt must be the SHA-256 thumbprint of a key, 43 base64url characters")
	}
	if perr := a.readPrompt(params); perr != nil {
		return perr
	}
	if perr := unmetACR(params.Get("acr_values")); perr != nil {
		return perr
	}
	scope, perr := within(params.Get("scope"), a.client.Scope)
	if perr != nil {
		return perr
	}
	if scope == "" {
		return fail(InvalidScope, "scope is missing")
	}
	if s.reach(scope).mixed {
		return errMixed
	}
	a.Scope = scope
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
// ours, which may have expired.
func (s *Service) readAuthorizeHint(ctx context.Context, a *Authorization, jwt string) *Error {
	hint, page := s.readHint(ctx, jwt)
	if page != nil {
		return fail(page.Code, page.Description)
	}
	if hint != nil {
		a.HintSubject = hint.Subject
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
	if v := params.Get("max_age"); v != "" {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return fail(InvalidRequest, "max_age must be a number of seconds")
		}
		a.MaxAge = &n
	}
	return nil
}

// reachableACR is the strongest authentication that sign-in offers.
const reachableACR = token.ACRPassword

// unmetACR refuses a request that asks only for classes of ours that cannot be
// reached: sign-in would not help. Unknown classes are a wish, as OpenID
// Connect has it.
func unmetACR(asked string) *Error {
	ours := false
	for _, acr := range strings.Fields(asked) {
		if !slices.Contains(token.ACRs, acr) {
			return nil
		}
		if token.ACRSatisfies(reachableACR, acr) {
			return nil
		}
		ours = true
	}
	if ours {
		return fail(UnmetAuthentication, "none of the acr_values can be reached")
	}
	return nil
}
