package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/secret"
)

// Start is a browser that is to sign in elsewhere.
type Start struct {
	Browser secret.Value // that it is known by
	Flow    string       // of ours that waits; empty: none
	Link    string       // the session that wants to link an identity; empty: it is a sign-in
	// Fresh: the person is to prove who they are now, whatever they did before.
	Fresh   bool
	Locales string // of pages, BCP 47, separated by spaces
	Hint    string // who the person may be
}

// Departure is where the browser goes, and what it must bring back.
type Departure struct {
	Location string
	Cookie   secret.Value // for awayLife
}

// AwayLife is for how long a sign-in elsewhere may take.
const AwayLife = 15 * time.Minute

const awayLabel = "upstream sign-in"

// away is what a browser carries while it is at a provider. It is sealed; nothing is
// kept here, so that there is nothing that a flood could fill (AZ24).
type away struct {
	Provider  string `json:"p"`
	State     []byte `json:"s"` // digest
	Verifier  string `json:"v"`
	Nonce     string `json:"n"`
	Browser   []byte `json:"b"` // digest
	Flow      []byte `json:"f"` // digest
	Link      string `json:"l,omitempty"`
	Fresh     bool   `json:"x,omitempty"`
	ExpiresAt int64  `json:"e"`
}

// Begin makes the authorization request (OpenID Connect Core §3.1.2.1): code, with
// PKCE (RFC 7636), state and nonce. State and verifier are bound to this browser.
func (s *Service) Begin(ctx context.Context, name string, start Start) (Departure, error) {
	p, err := s.provider(name)
	if err != nil {
		return Departure{}, err
	}
	m, err := p.metadata(ctx)
	if err != nil {
		return Departure{}, err
	}
	state, verifier, nonce := random(), random(), random()
	plain, err := json.Marshal(away{
		Provider: name, State: digest(state), Verifier: verifier, Nonce: nonce, Browser: digest(start.Browser.Reveal()), Flow: digest(start.Flow),
		Link: start.Link, Fresh: start.Fresh, ExpiresAt: s.now().Add(AwayLife).Unix(),
	})
	if err != nil {
		return Departure{}, fail(ErrUnavailable, "seal", err)
	}
	cookie, err := s.ring.Seal(secret.PendingSignIn, awayLabel, plain)
	if err != nil {
		return Departure{}, fail(ErrUnavailable, "seal", err)
	}
	location, err := p.authorizationURL(ctx, m, p.authorizationRequest(start, state, verifier, nonce))
	return Departure{location, cookie}, err
}

func (p *provider) authorizationRequest(start Start, state, verifier, nonce string) url.Values {
	challenge := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {p.ClientID}, "redirect_uri": {p.redirectURI}, "scope": {strings.Join(p.scopes(), " ")},
		"state": {state}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	for name, value := range kinds[p.Kind].hints {
		q.Set(name, value)
	}
	if p.Kind == GitHub {
		return q
	}
	q.Set("nonce", nonce)
	if start.Locales != "" {
		q.Set("ui_locales", start.Locales)
	}
	if start.Hint != "" {
		q.Set("login_hint", start.Hint)
	}
	switch {
	case start.Fresh && kinds[p.Kind].dated:
		q.Set("prompt", "login")
		q.Set("max_age", "0")
	case start.Fresh && p.Kind == Microsoft:
		q.Set("prompt", "login")
	case p.Kind == Google || start.Link != "" && p.Kind == Microsoft: // who has several chooses
		q.Set("prompt", "select_account")
	}
	return q
}

// authorizationURL is where the browser goes: with the request in it, or with the name
// that the provider gave to it when it was pushed (RFC 9126 §4).
func (p *provider) authorizationURL(ctx context.Context, m *metadata, q url.Values) (string, error) {
	u, err := url.Parse(m.authorization)
	if err != nil {
		return "", refuse("metadata_address")
	}
	if m.pushed != "" {
		name, err := p.push(ctx, m, q)
		if err != nil {
			return "", err
		}
		q = url.Values{"client_id": {p.ClientID}, "request_uri": {name}}
	}
	own := u.Query() // RFC 6749 §3.1: what the endpoint has stays
	for name, values := range q {
		own[name] = values
	}
	u.RawQuery = own.Encode()
	return u.String(), nil
}

func (p *provider) push(ctx context.Context, m *metadata, q url.Values) (string, error) {
	answer, err := p.askAs(ctx, m, m.pushed, q, "pushed")
	if err != nil {
		return "", err
	}
	name, err := answer.text("request_uri")
	if err != nil || name == "" || len(name) > 1024 {
		return "", refuse("pushed_form")
	}
	return name, nil
}

const randomBytes = 32

func random() string { return base64.RawURLEncoding.EncodeToString(secret.Random(randomBytes)) }

func digest(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}
