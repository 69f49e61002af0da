package upstream

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// members is a strict JSON object of a stranger.
type members map[string]json.RawMessage

const maxMembers = 200

func parseMembers(body []byte) (members, error) {
	m := members{}
	err := jose.ScanObject(body, func(name string, value []byte) error {
		if len(m) == maxMembers {
			return errors.New("too many members")
		}
		m[name] = slices.Clone(value)
		return nil
	})
	return m, err
}

// text returns a member that is a string, "" if it is missing or null.
func (m members) text(name string) (string, error) {
	var s string
	if raw, ok := m[name]; ok {
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", errors.New("not a string")
		}
	}
	return s, nil
}

// tokens are what a token endpoint gives.
type tokens struct {
	access secret.Value
	id     string // empty with GitHub
}

// redeem exchanges the code (OpenID Connect Core §3.1.3).
func (p *provider) redeem(ctx context.Context, m *metadata, code, verifier string) (tokens, error) {
	answer, err := p.askAs(ctx, m, m.token, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.redirectURI}, "code_verifier": {verifier},
	}, "token")
	if err != nil {
		return tokens{}, err
	}
	return parseTokens(answer, p.Kind != GitHub)
}

func parseTokens(answer members, openID bool) (tokens, error) {
	access, err1 := answer.text("access_token")
	id, err2 := answer.text("id_token")
	if err := errors.Join(err1, err2); err != nil || access == "" || openID && id == "" {
		return tokens{}, refuse("token_form")
	}
	return tokens{secret.New(access), id}, nil
}

// askAs sends a form as the client that we are there. what begins the reason of an
// error.
func (p *provider) askAs(ctx context.Context, m *metadata, address string, form url.Values, what string) (members, error) {
	header, err := p.authenticate(m, form)
	if err != nil {
		return nil, err
	}
	status, body, err := p.Door.Ask(ctx, address, header, []byte(form.Encode()))
	if err != nil {
		return nil, fail(ErrUnavailable, what+"_endpoint", err)
	}
	answer, err := parseMembers(body)
	if err != nil {
		return nil, refuse(what + "_form")
	}
	// GitHub says no with status 200.
	if said, err := answer.text("error"); err != nil || said != "" || status < 200 || status > 299 {
		return nil, refuse(what + "_" + knownError(said))
	}
	return answer, nil
}

// knownErrors are those that may stand in a log as they are (RFC 6749 §5.2, and GitHub's).
var knownErrors = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "server_error",
	"temporarily_unavailable", "incorrect_client_credentials", "bad_verification_code", "redirect_uri_mismatch", "unverified_user_email",
}

func knownError(code string) string {
	if slices.Contains(knownErrors, code) {
		return code
	}
	return "refused"
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate proves who we are (OpenID Connect Core §9): with a key by
// private_key_jwt, with a secret by client_secret_basic, or by client_secret_post
// where the provider has only that.
func (p *provider) authenticate(m *metadata, form url.Values) (map[string]string, error) {
	form.Set("client_id", p.ClientID)
	switch {
	case p.Kind == Apple:
		made, err := p.sign(map[string]any{"iss": p.TeamID, "sub": p.ClientID, "aud": p.issuer()})
		form.Set("client_secret", made)
		return nil, err
	case p.Key != nil:
		made, err := p.sign(map[string]any{"iss": p.ClientID, "sub": p.ClientID, "aud": m.issuer, "jti": random()})
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", made)
		return nil, err
	case slices.Contains(m.methods, "client_secret_post") && !slices.Contains(m.methods, "client_secret_basic"):
		form.Set("client_secret", p.Secret.Reveal())
		return nil, nil
	}
	if !form.Has("response_type") { // what is pushed is an authorization request, which has it (RFC 9126 §2.1)
		form.Del("client_id")
	}
	pair := url.QueryEscape(p.ClientID) + ":" + url.QueryEscape(p.Secret.Reveal()) // RFC 6749 §2.3.1
	return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}, nil
}

const assertionSeconds = 60

func (p *provider) sign(claims map[string]any) (string, error) {
	now := p.now().Unix()
	claims["iat"], claims["exp"] = now, now+assertionSeconds
	plain, err := json.Marshal(claims)
	if err != nil {
		return "", fail(ErrUnavailable, "sign", err)
	}
	made, err := p.Key.Sign("JWT", plain)
	if err != nil {
		return "", fail(ErrUnavailable, "sign", err)
	}
	return made, nil
}

// get asks an API of the provider with an access token.
func (p *provider) get(ctx context.Context, address string, access secret.Value, what string) ([]byte, error) {
	header := map[string]string{"Authorization": "Bearer " + access.Reveal()}
	if p.Kind == GitHub {
		header["Accept"], header["X-Github-Api-Version"] = "application/vnd.github+json", "2022-11-28"
	}
	body, err := p.Door.GetWith(ctx, address, header)
	if err != nil {
		return nil, fail(ErrUnavailable, what, err)
	}
	return body, nil
}
