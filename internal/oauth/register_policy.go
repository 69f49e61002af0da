package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/token/jose"
)

// Who may register a client (RFC 7591 §3).
const (
	RegisterClosed    = "closed"             // nobody
	RegisterToken     = "token"              // who has an initial access token
	RegisterStatement = "software_statement" // who has a software statement of a trusted issuer
	RegisterOpen      = "open"               // anybody
)

// RegistrationPolicy says who may register and for what. The zero value lets
// nobody in.
type RegistrationPolicy struct {
	Policy     string // "" is RegisterClosed
	Profile    Profile
	Scope      string // the most that a client may ask for; empty: the scopes of the issuer itself
	Types      []ClientType
	GrantTypes []string
	Details    []string // types of authorization_details
	MaxClients int64
	UnusedLife time.Duration // a client that has not been given a token by then is removed; 0: never
	SecretLife time.Duration // of client secrets; 0: for ever
	Statements []StatementIssuer
	// AppLinks asks the hosts of the https redirect URIs of a native client that
	// names its app whether they know the app.
	AppLinks bool
}

// StatementIssuer is whose software statements are trusted (RFC 7591 §2.3).
type StatementIssuer struct {
	Issuer string
	Keys   jose.KeySource
}

func (p *RegistrationPolicy) open() bool { return p.Policy != "" && p.Policy != RegisterClosed }

// registrar is the policy at work.
type registrar struct {
	RegistrationPolicy
	statements map[string]*jose.Verifier // by issuer
}

const (
	statementAge     = 366 * 24 * time.Hour
	defaultMost      = 10_000
	defaultUnused    = 30 * 24 * time.Hour
	identityCeiling  = "openid profile email offline_access"
	statementPurpose = "software statement"
)

func newRegistrar(p RegistrationPolicy, now func() time.Time) (*registrar, error) {
	r := &registrar{RegistrationPolicy: p, statements: map[string]*jose.Verifier{}}
	if !slices.Contains([]string{"", RegisterClosed, RegisterToken, RegisterStatement, RegisterOpen}, p.Policy) {
		return nil, fmt.Errorf("oauth: no registration policy is called %q", p.Policy)
	}
	if r.Scope == "" {
		r.Scope = identityCeiling
	}
	if len(r.Types) == 0 {
		r.Types = forPeople
	}
	if len(r.GrantTypes) == 0 {
		r.GrantTypes = []string{"authorization_code", "refresh_token"}
	}
	if r.MaxClients == 0 {
		r.MaxClients = defaultMost
	}
	for _, i := range p.Statements {
		v, err := jose.NewVerifier(jose.Profile{
			Purpose: statementPurpose, Types: []string{"", "jwt", "software-statement+jwt"}, Algorithms: append([]jose.Algorithm{jose.RS256}, fapiAlgorithms...),
			Keys: i.Keys, Issuer: jose.Exactly(i.Issuer), Audience: jose.Any(), MaxAge: statementAge, Skew: statementSkew, Now: now,
		})
		if err != nil {
			return nil, fmt.Errorf("oauth: %w", err)
		}
		r.statements[i.Issuer] = v
	}
	if p.Policy == RegisterStatement && len(p.Statements) == 0 {
		return nil, errors.New("oauth: registration by software statement needs issuers that are trusted")
	}
	return r, nil
}

const statementSkew = 30 * time.Second

// statement returns the claims of a software statement of a trusted issuer
// (RFC 7591 §3.1.1).
func (g *registrar) statement(ctx context.Context, jwt string) ([]byte, *Error) {
	issuer, ok := unverifiedIssuer(jwt)
	if !ok {
		return nil, fail(InvalidSoftwareStatement, "software_statement is not a signed JWT")
	}
	v := g.statements[issuer]
	if v == nil {
		return nil, fail(UnapprovedSoftwareStatement, "nobody of whom statements are accepted here has issued the software_statement")
	}
	c, err := v.Verify(ctx, jwt)
	switch {
	case errors.Is(err, jose.ErrKeysUnavailable):
		return nil, fail(TemporarilyUnavailable, "the keys of the issuer of software_statement cannot be had at the moment")
	case err != nil:
		e := fail(InvalidSoftwareStatement, "software_statement is malformed, expired or wrongly signed")
		e.cause = err
		return nil, e
	}
	return c.JSON(), nil
}
