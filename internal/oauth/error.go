package oauth

import (
	"context"
	"fmt"
	"net/url"
)

// Code is an error code of the protocol and where it comes from.
type Code struct {
	Code   string
	Status int    // at a protocol endpoint; pages and redirects choose their own
	Source string // RFC and section
	When   string
}

// The error codes.
const (
	InvalidRequest              = "invalid_request"
	InvalidClient               = "invalid_client"
	InvalidGrant                = "invalid_grant"
	UnauthorizedClient          = "unauthorized_client"
	UnsupportedGrantType        = "unsupported_grant_type"
	InvalidScope                = "invalid_scope"
	UnsupportedTokenType        = "unsupported_token_type"
	InvalidToken                = "invalid_token"
	InsufficientScope           = "insufficient_scope"
	ServerError                 = "server_error"
	TemporarilyUnavailable      = "temporarily_unavailable"
	AccessDenied                = "access_denied"
	UnsupportedResponseType     = "unsupported_response_type"
	LoginRequired               = "login_required"
	ConsentRequired             = "consent_required"
	InvalidRequestObject        = "invalid_request_object"
	InvalidRequestURI           = "invalid_request_uri"
	RequestURINotSupported      = "request_uri_not_supported"
	RegistrationNotSupported    = "registration_not_supported"
	UnmetAuthentication         = "unmet_authentication_requirements"
	TooManyRequests             = "too_many_requests"
	InvalidDPoPProof            = "invalid_dpop_proof"
	UseDPoPNonce                = "use_dpop_nonce"
	InvalidTarget               = "invalid_target"
	InvalidAuthorizationDetails = "invalid_authorization_details"
	InvalidClientMetadata       = "invalid_client_metadata"
	InvalidRedirectURI          = "invalid_redirect_uri"
	InvalidSoftwareStatement    = "invalid_software_statement"
	UnapprovedSoftwareStatement = "unapproved_software_statement"

	InvalidAttestation      = "invalid_client_attestation"
	UseAttestationChallenge = "use_attestation_challenge"
	UseFreshAttestation     = "use_fresh_attestation"
	NotFound                = "not_found"
	StreamExists            = "stream_exists"
)

// The error codes of requests that are decided elsewhere.
const (
	AuthorizationPending  = "authorization_pending"
	SlowDown              = "slow_down"
	ExpiredToken          = "expired_token"
	InvalidBindingMessage = "invalid_binding_message"
)

// Codes lists every code that this server sends.
var Codes = []Code{
	{InvalidRequest, 400, "RFC 6749 §5.2, §4.1.2.1", "a parameter is missing, repeated, malformed or too long"},
	{InvalidClient, 401, "RFC 6749 §5.2", "the client is unknown, or its authentication is missing, wrong or of another kind than registered"},
	{InvalidGrant, 400, "RFC 6749 §5.2", "the code or refresh token is wrong, used, expired, revoked or another client's; error_reason says more where the app can act on it"},
	{UnauthorizedClient, 400, "RFC 6749 §5.2", "the client may not do this"},
	{UnsupportedGrantType, 400, "RFC 6749 §5.2", "the grant type does not exist here"},
	{InvalidScope, 400, "RFC 6749 §5.2", "a scope is unknown, malformed, or not the client's to ask for"},
	{UnsupportedTokenType, 400, "RFC 7009 §2.2.1", "the credential is of a kind that cannot be revoked"},
	{InvalidToken, 401, "RFC 6750 §3.1", "the access token is malformed, expired, revoked or meant for somebody else"},
	{InsufficientScope, 403, "RFC 6750 §3.1", "the access token lacks the scope"},
	{ServerError, 500, "RFC 6749 §4.1.2.1", "a fault of ours; the log has it under the identifier shown"},
	{TemporarilyUnavailable, 503, "RFC 6749 §4.1.2.1", "the server cannot know enough to answer safely; try again"},
	{TooManyRequests, 429, "RFC 6585 §4", "slow down; Retry-After says for how long"},
	{AccessDenied, 403, "RFC 6749 §4.1.2.1, RFC 8628 §3.5", "the person refused; 400 at the token endpoint"},
	{AuthorizationPending, 400, "RFC 8628 §3.5, CIBA Core §11", "nobody has answered yet: ask again after interval seconds"},
	{SlowDown, 400, "RFC 8628 §3.5, CIBA Core §11", "the same, and the interval is five seconds longer from now on"},
	{ExpiredToken, 400, "RFC 8628 §3.5, CIBA Core §11", "nobody has answered in time: start again"},
	{InvalidBindingMessage, 400, "CIBA Core §13", "binding_message is too long, or has characters that cannot be shown"},
	{UnsupportedResponseType, 400, "RFC 6749 §4.1.2.1", "only code is supported"},
	{LoginRequired, 400, "OpenID Connect Core §3.1.2.6", "prompt=none and nobody is signed in"},
	{ConsentRequired, 400, "OpenID Connect Core §3.1.2.6", "prompt=none and the person has not agreed yet"},
	{InvalidRequestObject, 400, "RFC 9101 §6, §7", "the request object is not signed as the client is registered, is too old or too long-lived, is for somebody else"},
	{InvalidRequestURI, 400, "RFC 9101 §7, RFC 9126 §2.2", "request_uri is unknown, used, expired or another client's, or is not registered, or gives no request object"},
	{RequestURINotSupported, 400, "OpenID Connect Core §3.1.2.6", "request objects are not fetched here"},
	{RegistrationNotSupported, 400, "OpenID Connect Core §3.1.2.6", "the registration parameter is not supported"},
	{UnmetAuthentication, 400, "OpenID Connect Unmet Authentication Requirements 1.0 §3", "the asked acr cannot be reached"},
	{InvalidDPoPProof, 400, "RFC 9449 §5, §7.1", "the DPoP proof is missing where one is needed, wrong, or used before; 401 where an access token is used"},
	{NotFound, 404, "SSF 1.0 §8.1", "there is no such stream, or it is another client's"},
	{StreamExists, 409, "SSF 1.0 §8.1.1.1", "the client has a stream of events already"},
	{UseDPoPNonce, 400, "RFC 9449 §8, §9", "the DPoP proof needs the nonce that DPoP-Nonce brings; 401 where an access token is used"},
	{InvalidTarget, 400, "RFC 8707 §2, RFC 8693 §2.2.2", "an API is unknown, or not the client's to ask for"},
	{InvalidAuthorizationDetails, 400, "RFC 9396 §5", "authorization_details are malformed, of an unknown type, or more than may be had"},
	{InvalidClientMetadata, 400, "RFC 7591 §3.2.2", "something else that the client says of itself is malformed, contradicts the rest or cannot be kept"},
	{InvalidRedirectURI, 400, "RFC 7591 §3.2.2", "a redirect URI cannot be registered for a client of this kind"},
	{InvalidSoftwareStatement, 400, "RFC 7591 §3.2.2", "the software statement is malformed, expired or wrongly signed"},
	{UnapprovedSoftwareStatement, 400, "RFC 7591 §3.2.2", "nobody of whom software statements are accepted has issued this one"},
	{InvalidAttestation, 401, "draft-ietf-oauth-attestation-based-client-auth-10 §7.4", "the client attestation or its proof is missing, wrong, or used before"},
	{UseAttestationChallenge, 400, "draft-ietf-oauth-attestation-based-client-auth-10 §7.4", "the proof beside the client attestation must answer the challenge that OAuth-Client-Attestation-Challenge brings"},
	{UseFreshAttestation, 400, "draft-ietf-oauth-attestation-based-client-auth-10 §7.4", "the client attestation has expired"},
}

// Error is an error of the protocol. Code and Description are for the client,
// the cause is ours and never shown.
type Error struct {
	Code        string
	Description string // ASCII without quotes and backslashes, RFC 6749 §5.2
	Reason      string // error_reason: one of a few words an app can act on, or empty
	Nonce       string // for DPoP-Nonce, or empty
	Status      int    // where it is not the one of the code; or 0
	Challenge   string // for OAuth-Client-Attestation-Challenge, or empty
	cause       error
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Code
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

func fail(code, description string) *Error { return &Error{Code: code, Description: description} }

// PageError is an error of an authorization or logout request that must be
// shown to the person and never sent to a redirect URI, because the URI is not
// known to be the client's (RFC 6749 §4.1.2.1).
type PageError struct {
	Code        string
	Description string
}

// Error implements error.
func (e *PageError) Error() string { return e.Code + ": " + e.Description }

// RedirectError is an error that goes back to the client. Outcome brings it the
// error, state and iss.
type RedirectError struct {
	Code        string
	Description string
	Outcome     Outcome
}

// Error implements error.
func (e *RedirectError) Error() string { return "redirect: " + e.Code }

// redirectError builds the error response (RFC 6749 §4.1.2.1, RFC 9207 §2) in the
// mode of the request.
func (s *Service) redirectError(ctx context.Context, a *Authorization, code, description string) error {
	if a.Elsewhere != nil { // there is nowhere to send the browser
		return &PageError{code, description}
	}
	params := url.Values{"error": {code}}
	if description != "" {
		params.Set("error_description", description)
	}
	outcome, err := s.answer(ctx, a, params)
	if err != nil {
		return err
	}
	return &RedirectError{Code: code, Description: description, Outcome: outcome}
}

// withQuery adds parameters to a registered redirect URI and keeps the rest of
// it byte for byte.
func withQuery(uri string, params url.Values) string {
	sep := "?"
	for i := range len(uri) {
		if uri[i] == '?' {
			sep = "&"
			break
		}
	}
	return uri + sep + params.Encode()
}

// unavailable says what was being done when the store, the feed or a key
// failed. It is no *Error: the client learns nothing of it.
func unavailable(doing string, err error) error { return fmt.Errorf("%s: %w", doing, err) }
