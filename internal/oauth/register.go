package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Registered is the answer to a registration (RFC 7591 §3.2.1, RFC 7592 §3).
type Registered struct {
	Client    Client
	Secret    secret.Value // made just now; zero: none
	Token     secret.Value // registration access token, made just now; zero: the client has it
	URI       string       // registration_client_uri
	Statement string
}

// ErrRegistrationClosed is the answer where nobody may register.
var ErrRegistrationClosed = fail(AccessDenied, "registration is closed")

var errRegistrar = fail(InvalidToken, "an access token for registration is needed, and none that counts was sent")

// Register registers the client that body describes (RFC 7591 §3).
func (s *Service) Register(ctx context.Context, r Request, body []byte) (*Registered, error) {
	if !s.registrar.open() {
		return nil, ErrRegistrationClosed
	}
	now := s.now()
	initial, err := s.mayRegister(ctx, r, now)
	if err != nil {
		return nil, err
	}
	c, m, err := s.readClient(ctx, body)
	if err != nil {
		return nil, err
	}
	c.ID, c.Epoch, c.CreatedAt = secret.NewID(now).String(), secret.NewID(now), now
	if initial != nil || m.Statement != "" {
		c.Origin = OriginVouched
	}
	out := &Registered{Client: *c, Token: secret.NewHandle(secret.Registration), URI: s.registrationURI(c.ID), Statement: m.Statement}
	out.makeSecret(now, s.registrar.SecretLife)
	reg := Registration{Client: out.Client, Token: out.Token.Hash(), Statement: m.Statement}
	if s.registrar.UnusedLife > 0 {
		reg.ExpiresAt = now.Add(s.registrar.UnusedLife)
	}
	most := s.registrar.MaxClients
	if initial != nil {
		most = math.MaxInt64 // the token bounds them; strangers who fill the room shut no partner out
	}
	err = s.store.Register(ctx, reg, initial, most, token.KeepRevocation(now))
	switch {
	case errors.Is(err, ErrStale):
		return nil, errRegistrar // somebody else was the last whom it let in
	case errors.Is(err, ErrFull):
		return nil, fail(TemporarilyUnavailable, "there is no room for more clients at the moment")
	case err != nil:
		return nil, unavailable("register client", err)
	}
	if err := s.applied(ctx); err != nil {
		return nil, err
	}
	note(ctx, audit.Event{Name: audit.ClientRegistered, Client: c.ID})
	return out, nil
}

// makeSecret gives the client a secret if it proves with one who it is.
func (d *Registered) makeSecret(now time.Time, life time.Duration) {
	d.Client.Secrets = nil
	if !d.Client.UsesSecret() {
		return
	}
	d.Secret = secret.NewHandle(secret.ClientSecret)
	made := ClientSecret{Hash: d.Secret.Hash(), CreatedAt: now}
	if life > 0 {
		made.ExpiresAt = now.Add(life)
	}
	d.Client.Secrets = []ClientSecret{made}
}

func (s *Service) registrationURI(clientID string) string {
	return s.issuer + "/oauth/register/" + clientID
}

// mayRegister finds the initial access token of a request, which the policy may
// demand. One that is sent must count, whatever the policy.
func (s *Service) mayRegister(ctx context.Context, r Request, now time.Time) (*secret.Hash, error) {
	sent, ok := bearerOf(r)
	if !ok || sent.IsZero() && s.registrar.Policy == RegisterToken {
		return nil, errRegistrar
	}
	if sent.IsZero() {
		return nil, nil
	}
	if _, err := secret.Decode(secret.InitialAccess, sent.Reveal()); err != nil {
		return nil, errRegistrar
	}
	h := sent.Hash()
	_, err := s.store.InitialToken(ctx, h, now)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, errRegistrar
	case err != nil:
		return nil, unavailable("find initial access token", err)
	}
	return &h, nil
}

// bearerOf is the bearer token of a request (RFC 6750 §2.1), zero if there is no
// Authorization header; false for anything else in it.
func bearerOf(r Request) (secret.Value, bool) {
	if len(r.Authorization) == 0 {
		return secret.Value{}, true
	}
	scheme, value, _ := strings.Cut(r.Authorization[0], " ")
	if len(r.Authorization) > 1 || !strings.EqualFold(scheme, "Bearer") || value == "" || len(value) > secret.MaxHandle {
		return secret.Value{}, false
	}
	return secret.New(value), true
}

// readClient makes a client of what it says of itself, as the policy allows.
func (s *Service) readClient(ctx context.Context, body []byte) (*Client, *clientMetadata, error) {
	m := &clientMetadata{}
	if perr := m.read(body); perr != nil {
		return nil, nil, perr
	}
	if m.Statement == "" && s.registrar.Policy == RegisterStatement {
		return nil, nil, fail(InvalidSoftwareStatement, "software_statement is missing")
	}
	if m.Statement != "" {
		claims, perr := s.registrar.statement(ctx, m.Statement)
		if perr != nil {
			return nil, nil, perr
		}
		if perr := m.overrule(claims); perr != nil {
			return nil, nil, perr
		}
	}
	c, perr := s.registrar.client(m)
	if perr == nil {
		perr = s.judgeStranger(ctx, s.registrar, c)
	}
	if perr != nil {
		return nil, nil, perr
	}
	return c, m, nil
}

// metadata is the client as its metadata has it.
func (d *Registered) metadata() any {
	c := &d.Client
	type answer struct {
		ClientID               string          `json:"client_id"`
		ClientSecret           string          `json:"client_secret,omitempty"`
		IssuedAt               int64           `json:"client_id_issued_at"`
		SecretExpiresAt        *int64          `json:"client_secret_expires_at,omitempty"`
		URI                    string          `json:"registration_client_uri"`
		Token                  string          `json:"registration_access_token,omitempty"`
		Name                   string          `json:"client_name,omitempty"`
		RedirectURIs           []string        `json:"redirect_uris,omitempty"`
		PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty"`
		ResponseTypes          []string        `json:"response_types"`
		Scope                  string          `json:"scope"`
		Contacts               []string        `json:"contacts,omitempty"`
		DPoPBound              bool            `json:"dpop_bound_access_tokens"`
		CertificateBound       bool            `json:"tls_client_certificate_bound_access_tokens"`
		Statement              string          `json:"software_statement,omitempty"`
		JWKS                   json.RawMessage `json:"jwks,omitempty"`
		Settings
	}
	a := answer{
		ClientID: c.ID, ClientSecret: d.Secret.Reveal(), IssuedAt: c.CreatedAt.Unix(), URI: d.URI, Token: d.Token.Reveal(), Name: c.Name,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, ResponseTypes: []string{}, Scope: c.Scope, Contacts: c.Contacts,
		DPoPBound: c.DPoPBound, CertificateBound: c.CertificateBound, Statement: d.Statement, JWKS: json.RawMessage(c.Settings.JWKS), Settings: c.Settings,
	}
	if c.needsRedirect() {
		a.ResponseTypes = []string{"code"}
	}
	if len(c.Secrets) > 0 {
		at := int64(0) // never, RFC 7591 §3.2.1
		if end := c.Secrets[len(c.Secrets)-1].ExpiresAt; !end.IsZero() {
			at = end.Unix()
		}
		a.SecretExpiresAt = &at
	}
	return a
}

// JSON is the body of the answer: all that is registered.
func (d *Registered) JSON() ([]byte, error) {
	b, err := json.Marshal(d.metadata())
	if err != nil {
		return nil, unavailable("write registration", err)
	}
	return b, nil
}
