package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/token/jose"
)

// requestObjectLife is how long a request object may live, and how old it may be
// (FAPI 2.0 Message Signing §5.3.1).
const requestObjectLife = time.Hour

// typeRequestObject is the typ of request objects (RFC 9101 §10.8). Older clients
// send JWT or none; the typ of another purpose is refused.
const typeRequestObject = "oauth-authz-req+jwt"

// unpack finds the parameters of an authorization request: as they are, in a
// request object (RFC 9101 §5), or where they were pushed to (RFC 9126 §4). Where
// they are not outer itself, nothing in outer but client_id counts.
func (s *Service) unpack(ctx context.Context, c *Client, outer url.Values) (*asked, *Error, error) {
	for _, name := range []string{"request", "request_uri"} {
		if len(outer[name]) > 1 {
			return nil, fail(InvalidRequest, name+" is repeated"), nil
		}
	}
	request, uri := outer.Get("request"), outer.Get("request_uri")
	fetched := false
	switch {
	case request != "" && uri != "":
		return nil, fail(InvalidRequest, "request and request_uri exclude each other"), nil
	case strings.HasPrefix(uri, pushedURN):
		return s.openPushed(ctx, c, uri)
	case uri != "":
		var perr *Error
		if request, perr = s.fetchRequestObject(ctx, c, uri); perr != nil {
			return nil, perr, nil
		}
		fetched = true
	case request == "":
		return &asked{params: outer}, nil, nil
	}
	params, perr := s.readRequestObject(ctx, c, request, fetched)
	if perr == nil && outer.Has("response_type") && outer.Get("response_type") != params.Get("response_type") {
		perr = fail(InvalidRequest, "response_type differs from the request object") // OpenID Connect Core §6.1
	}
	return &asked{params: params, signed: true}, perr, nil
}

// fetchRequestObject gets a request object from where its client has registered
// that it may be (RFC 9101 §5.2, §10.4): no other address is asked.
func (s *Service) fetchRequestObject(ctx context.Context, c *Client, uri string) (string, *Error) {
	switch {
	case s.fetchRequest == nil:
		return "", fail(RequestURINotSupported, "request objects are not fetched here")
	case !slices.Contains(c.Settings.RequestURIs, uri):
		return "", fail(InvalidRequestURI, "request_uri is not registered for this client")
	}
	address, _, _ := strings.Cut(uri, "#") // OpenID Connect Core §6.2: only says that the content has changed
	body, err := s.fetchRequest(ctx, address)
	if err != nil {
		note(ctx, audit.Event{Name: audit.RequestObjectRefused, Client: c.ID, Reason: "unreachable"})
		return "", &Error{Code: InvalidRequestURI, Description: "request_uri gives no request object", cause: err}
	}
	return strings.TrimSpace(string(body)), nil
}

// FetchedRequest reports whether a request_uri is an address, which may have to
// be asked, and not a request that was pushed.
func FetchedRequest(uri string) bool { return uri != "" && !strings.HasPrefix(uri, pushedURN) }

// openRequestObject is readRequestObject for one that a client has sent.
func (s *Service) openRequestObject(ctx context.Context, c *Client, jwt string) (url.Values, *Error) {
	return s.readRequestObject(ctx, c, jwt, false)
}

// readRequestObject verifies a request object of the client (RFC 9101 §6) and
// returns the parameters in it. It is signed: alg none does not exist here. One
// that was fetched from the client this moment may have no exp with the profile
// oidc-basic, as OpenID Connect Core §6.1 knows none.
func (s *Service) readRequestObject(ctx context.Context, c *Client, jwt string, fetched bool) (url.Values, *Error) {
	if strings.Count(jwt, ".") == 4 {
		return nil, fail(InvalidRequestObject, "encrypted request objects are not supported")
	}
	claims, err := s.verifyRequestObject(ctx, c, jwt, fetched && c.profile().name == ProfileOIDCBasic)
	if errors.Is(err, jose.ErrKeysUnavailable) {
		return nil, &Error{Code: TemporarilyUnavailable, Description: "the client's keys cannot be read at the moment", cause: err}
	}
	if err != nil {
		note(ctx, audit.Event{Name: audit.RequestObjectRefused, Client: c.ID, Reason: string(jose.ReasonOf(err))})
		return nil, &Error{Code: InvalidRequestObject, Description: "the request object is not one of this client for this issuer, or not of this hour", cause: err}
	}
	params, why := requestParams(claims.JSON())
	switch {
	case why != "":
		return nil, fail(InvalidRequestObject, why)
	case params.Has("client_id") && params.Get("client_id") != c.ID:
		return nil, fail(InvalidRequestObject, "client_id differs from the request object")
	}
	params.Set("client_id", c.ID)
	return params, nil
}

func (s *Service) verifyRequestObject(ctx context.Context, c *Client, jwt string, undated bool) (*jose.Claims, error) {
	keys, err := s.keysOf(c)
	if err != nil {
		return nil, err
	}
	algorithms := c.profile().algorithms
	if alg := c.Settings.RequestAlg; alg != "" {
		algorithms = []jose.Algorithm{alg}
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "request object", Types: []string{typeRequestObject, "jwt", ""}, Algorithms: algorithms, Keys: keys,
		Issuer: jose.Exactly(c.ID), Audience: jose.Includes(s.issuer), MaxLife: requestObjectLife, Undated: undated, Now: s.now,
	})
	if err != nil {
		return nil, err
	}
	claims, err := v.Verify(ctx, jwt)
	if err != nil {
		return nil, err
	}
	if claims.Subject == c.ID { // then it is a client assertion, RFC 9101 §10.8
		return nil, &jose.Error{Reason: jose.ReasonSubject}
	}
	return claims, s.requestObjectAge(c, claims)
}

// requestObjectAge judges nbf, which FAPI 2.0 Message Signing §5.3.1 needs.
func (s *Service) requestObjectAge(c *Client, claims *jose.Claims) error {
	const hour = int64(requestObjectLife / time.Second)
	switch {
	case claims.NotBefore == 0 && !c.profile().signedRequest:
		return nil
	case claims.NotBefore == 0, claims.NotBefore < s.now().Unix()-hour:
		return &jose.Error{Reason: jose.ReasonNotBefore}
	case claims.ExpiresAt-claims.NotBefore > hour:
		return &jose.Error{Reason: jose.ReasonLifetime}
	}
	return nil
}

// ofTheToken are claims that are about the request object and no parameters.
var ofTheToken = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// requestParams are the claims of a request object as the parameters that they
// stand for (RFC 9101 §4): strings as they are, other values as their JSON.
// Resources may be several (RFC 8707 §2).
func requestParams(claims []byte) (params url.Values, why string) {
	params = url.Values{}
	err := jose.ScanObject(claims, func(name string, value []byte) error {
		switch {
		case slices.Contains(ofTheToken, name):
		case name == "request" || name == "request_uri":
			why = name + " is not for request objects"
		case string(value) == "null":
			why = "a parameter in the request object is null"
		case value[0] == '"':
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return fmt.Errorf("read parameter: %w", err)
			}
			if strings.IndexByte(text, 0) >= 0 { // as in a form; no database takes it
				why = "a parameter in the request object has a NUL character"
			}
			if text != "" { // counts as absent, RFC 6749 §3.1
				params.Set(name, text)
			}
		case name == "resource" && value[0] == '[':
			var list []string
			if err := json.Unmarshal(value, &list); err != nil || slices.Contains(list, "") { // null reads as ""
				return fmt.Errorf("read resource: %w", err)
			}
			params[name] = list
		default:
			params.Set(name, string(value))
		}
		return nil
	})
	if err != nil {
		return nil, "a parameter in the request object cannot be read"
	}
	return params, why
}

// requestProblem judges how the client says that it makes requests.
func (c *Client) requestProblem() (setting, why string) {
	p, r := c.profile(), &c.Settings
	switch {
	case r.RequestAlg != "" && !slices.Contains(p.algorithms, r.RequestAlg):
		return "request_object_signing_alg", fmt.Sprintf("%q is not one of %v", r.RequestAlg, p.algorithms)
	case (r.RequireSignedRequest || p.signedRequest || r.RequestAlg != "") && r.JWKS == "" && r.JWKSURI == "":
		return "jwks", "is missing, and so is jwks_uri: there is no key to verify request objects with"
	}
	for _, uri := range r.RequestURIs {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(uri) > maxRequestURI {
			return "request_uris", fmt.Sprintf("%q is not an https URI", uri)
		}
	}
	if len(r.RequestURIs) > maxRequestURIs {
		return "request_uris", fmt.Sprintf("has more than %d", maxRequestURIs)
	}
	return "", ""
}

const (
	maxRequestURI  = 512
	maxRequestURIs = 20
)
