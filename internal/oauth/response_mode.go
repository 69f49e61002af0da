package oauth

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// responseMode is a way to give a client its authorization response. None puts
// it into a fragment: scripts and histories read those.
type responseMode struct {
	name   string
	form   bool // posted by a form, OAuth 2.0 Form Post Response Mode 1.0
	signed bool // as a JWT, JARM §2.3
}

// responseModes are the modes of response_type=code; the first is the default.
var responseModes = []responseMode{
	{name: "query"},
	{name: "form_post", form: true},
	{name: "jwt", signed: true},
	{name: "query.jwt", signed: true},
	{name: "form_post.jwt", form: true, signed: true},
}

func findMode(name string) *responseMode {
	i := slices.IndexFunc(responseModes, func(m responseMode) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return &responseModes[i]
}

// modeFor is the mode in which a client gets a response that names none, or one
// that it may not have: signed where its profile wants that.
func (c *Client) modeFor(asked string) *responseMode {
	if m := findMode(asked); m != nil && (m.signed || !c.profile().signedResponse) {
		return m
	}
	if c.profile().signedResponse {
		return findMode("jwt")
	}
	return &responseModes[0]
}

// readMode refuses a mode that does not exist, that the client's profile does
// not allow, or that the redirect URI cannot take.
func (a *Authorization) readMode(asked string) *Error {
	m := a.client.modeFor(asked)
	switch {
	case asked != "" && findMode(asked) == nil:
		return fail(InvalidRequest, "response_mode must be query, form_post, jwt, query.jwt or form_post.jwt")
	case asked != "" && m.name != asked:
		return fail(InvalidRequest, "authorization responses of this client are signed: response_mode must be jwt, query.jwt or form_post.jwt")
	case m.form && !strings.HasPrefix(a.RedirectURI, "https:") && !strings.HasPrefix(a.RedirectURI, "http:"):
		a.Mode = ""
		return fail(InvalidRequest, "a form can only be posted to an http or https redirect_uri")
	}
	return nil
}

// answer makes the authorization response of params (RFC 6749 §4.1.2, with
// state and the iss of RFC 9207) in the mode of the request.
func (s *Service) answer(ctx context.Context, a *Authorization, params url.Values) (Outcome, error) {
	if a.State != "" {
		params.Set("state", a.State)
	}
	m := a.client.modeFor(a.Mode)
	if m.signed {
		jwt, err := s.signResponse(ctx, a.client, params)
		if err != nil {
			return Outcome{}, err
		}
		params = url.Values{"response": {jwt.Reveal()}}
	} else {
		params.Set("iss", s.issuer)
	}
	if m.form {
		return Outcome{Post: &FormPost{Action: a.RedirectURI, Params: params}}, nil
	}
	return Outcome{Location: withQuery(a.RedirectURI, params)}, nil
}

// responseLife is how long a signed response may be read. JARM §2.1 recommends
// ten minutes at most; a code in it lives for one.
const responseLife = 10 * time.Minute

// signResponse makes the JWT of a response (JARM §2.1): signed, and then
// encrypted for a client that wants that (§2.2). It has the typ of a plain JWT,
// because readers of JARM refuse others; it is no ID token, as it says nothing of
// a subject.
func (s *Service) signResponse(ctx context.Context, c *Client, params url.Values) (secret.Value, error) {
	b := token.AppendJSONString([]byte(`{"iss":`), s.issuer)
	b = token.AppendJSONString(append(b, `,"aud":`...), c.ID)
	b = appendInt(b, `,"exp":`, s.now().Add(responseLife).Unix())
	for _, name := range responseParams {
		if v := params.Get(name); v != "" {
			b = append(append(append(b, `,"`...), name...), `":`...)
			b = token.AppendJSONString(b, v)
		}
	}
	signer, err := s.clientSigner(c.Settings.ResponseAlg)
	if err != nil {
		return secret.Value{}, unavailable("sign authorization response", err)
	}
	jwt, err := signer.Sign(token.TypeID, append(b, '}'))
	if err != nil {
		return secret.Value{}, unavailable("sign authorization response", err)
	}
	return s.encryptFor(ctx, c, c.Settings.ResponseEncAlg, c.Settings.ResponseEnc, secret.New(jwt), "authorization response")
}

// responseParams are the parameters of a response that become claims.
var responseParams = []string{"code", "state", "error", "error_description"}

// responseProblem judges how the client wants its responses.
func (c *Client) responseProblem() (setting, why string) {
	switch alg := c.Settings.ResponseAlg; {
	case alg != "" && alg != jose.ES256 && alg != jose.RS256:
		return "authorization_signed_response_alg", fmt.Sprintf("%q is not ES256 or RS256", alg)
	case alg == jose.RS256 && !slices.Contains(c.profile().algorithms, alg):
		return "authorization_signed_response_alg", fmt.Sprintf("must be ES256 with profile %s", c.profile().name)
	}
	return "", ""
}
