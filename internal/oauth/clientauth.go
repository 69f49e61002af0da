package oauth

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"net/url"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// Request is a request to a protocol endpoint, as the edge decoded it.
type Request struct {
	Params        url.Values // of the form body alone, each at most once
	Authorization []string   // the header's lines
	Remote        netip.Addr

	DPoP           []string          // the header's lines
	Attestation    []string          // the lines of OAuth-Client-Attestation
	AttestationPoP []string          // the lines of OAuth-Client-Attestation-PoP
	Method         string            // as in the request line
	URL            string            // of the endpoint as clients call it: from configuration, never from the request
	Certificate    *x509.Certificate // that this connection has proven, valid now; nil for none
	Intermediates  []*x509.Certificate
}

func (r Request) param(name string) string { return r.Params.Get(name) }

// authMethod is a way in which a client says or proves who it is. To add one,
// write its file and a line here: metadata, client checks and what a request may
// combine follow from the table.
type authMethod struct {
	name string // as in token_endpoint_auth_method
	// fits reports whether a client of this type may be registered for it.
	fits func(ClientType) bool
	// offered reports whether the service can do it, as it is configured.
	offered func(*Service) bool
	// prove checks that the request is from the client. It changes nothing but
	// what the request itself may use once, and does that last. An error is an
	// *Error, one of what is unavailable, or a refusal of which the client learns
	// nothing.
	prove func(s *Service, ctx context.Context, c *Client, r *Request, p *presented) error
}

// authMethods has one line for each method.
var authMethods = []authMethod{
	{methodNone, ClientType.Public, always, (*Service).proveNothing},
	{methodBasic, confidential, always, (*Service).proveSecret},
	{methodPost, confidential, always, (*Service).proveSecret},
	{methodPrivateKey, confidential, (*Service).remembers, (*Service).proveAssertion},
	{methodTLS, confidential, (*Service).knowsCAs, (*Service).proveCertificate},
	{methodSelfSigned, confidential, (*Service).asksCertificates, (*Service).proveOwnCertificate},
	{methodAttested, attestable, (*Service).knowsAttesters, (*Service).proveInstance},
	{methodAttestedDPoP, attestable, (*Service).knowsAttesters, (*Service).proveInstance},
}

const (
	methodNone         = "none"
	methodBasic        = "client_secret_basic"
	methodPost         = "client_secret_post"
	methodPrivateKey   = "private_key_jwt"
	methodTLS          = "tls_client_auth"
	methodSelfSigned   = "self_signed_tls_client_auth"
	methodAttested     = "attest_jwt_client_auth"
	methodAttestedDPoP = "attest_jwt_client_auth_dpop"
)

func always(*Service) bool { return true }

func confidential(t ClientType) bool { return !t.Public() }

func findMethod(name string) *authMethod {
	for i := range authMethods {
		if authMethods[i].name == name {
			return &authMethods[i]
		}
	}
	return nil
}

// AuthMethods lists the methods that clients can be registered for here, as in
// metadata.
func (s *Service) AuthMethods() []string {
	var names []string
	for i := range authMethods {
		if authMethods[i].offered(s) {
			names = append(names, authMethods[i].name)
		}
	}
	return names
}

// accepts reports whether the client may authenticate by a method: the one that
// it is registered for and no other; without one, by its secret in either place,
// or not at all if it is public.
func (c *Client) accepts(method string) bool {
	if m := findMethod(method); m == nil || !m.fits(c.Type) {
		return false
	}
	if c.Settings.AuthMethod != "" {
		return method == c.Settings.AuthMethod
	}
	return method == methodNone || method == methodBasic || method == methodPost
}

// presented is what a request offers as client authentication.
type presented struct {
	method      string
	clientID    string // claimed, until the method has proven it
	secret      secret.Value
	assertion   secret.Value
	attestation *attestation // verified; nil for other methods
}

var errClientAuth = fail(InvalidClient, "client authentication failed")

// authenticate finds the client and checks that it is who it says (RFC 6749
// §2.3, §3.2.1). Unknown client, wrong proof and wrong method share one answer.
// A public client is identified, not authenticated. Of a client that its
// attestation has proven, what is returned is a copy that knows which instance
// of it speaks.
func (s *Service) authenticate(ctx context.Context, r Request) (*Client, error) {
	p, perr := readClientAuth(r)
	if perr != nil {
		return nil, perr
	}
	if p.method == methodAttested || p.method == methodAttestedDPoP {
		if err := s.readAttestation(ctx, &r, &p); err != nil {
			return nil, s.authRefused(ctx, nil, &p, err)
		}
	}
	client, err := s.clients.get(ctx, p.clientID)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, s.authRefused(ctx, nil, &p, err)
	case err != nil:
		return nil, unavailable("find client", err)
	}
	if p.method == methodNone && client.provesByCertificate() {
		p.method = client.Settings.AuthMethod // the certificate comes with the connection
	}
	if client.Disabled || !client.accepts(p.method) {
		return nil, s.authRefused(ctx, client, &p, errWrongMethod)
	}
	if err := findMethod(p.method).prove(s, ctx, client, &r, &p); err != nil {
		return nil, s.authRefused(ctx, client, &p, err)
	}
	if p.attestation != nil {
		return client.as(p.attestation), nil
	}
	return client, nil
}

// authenticateConfidential is authenticate for endpoints that public clients
// may not use.
func (s *Service) authenticateConfidential(ctx context.Context, r Request) (*Client, error) {
	client, err := s.authenticate(ctx, r)
	if err != nil {
		return nil, err
	}
	if client.Type.Public() {
		note(ctx, audit.Event{Name: audit.ClientAuthFailed, Client: client.ID, Reason: "public"})
		return nil, errClientAuth
	}
	return client, nil
}

// refusal is why a method does not prove a client, for our own log alone.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

const (
	errWrongMethod refusal = "method" // not the client's, or the client is disabled
	errSecret      refusal = "secret"
)

// authRefused is what a client learns of an authentication that failed. What
// cannot be known now is no verdict about it.
func (s *Service) authRefused(ctx context.Context, c *Client, p *presented, err error) error {
	known := "" // what is not a client's name may be anything, a password too
	if c != nil {
		known = c.ID
	}
	var shown *Error
	switch {
	case errors.As(err, &shown) && shown.Code != InvalidAttestation:
		return err
	case errors.Is(err, jose.ErrKeysUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: TemporarilyUnavailable, Description: "the keys of the client cannot be had at the moment", cause: err}
	}
	note(ctx, audit.Event{Name: audit.ClientAuthFailed, Client: known, Reason: p.reason(err)})
	if shown != nil {
		return shown
	}
	return &Error{Code: errClientAuth.Code, Description: errClientAuth.Description, cause: err}
}

// reason is the method and, where it is known, the check that failed.
func (p *presented) reason(err error) string {
	var why refusal
	switch r := jose.ReasonOf(err); {
	case r != "":
		return p.method + ":" + string(r)
	case errors.As(err, &why):
		return p.method + ":" + string(why)
	}
	return p.method
}

// spend uses up what a client has signed for one use. It is
// called when everything else of the authentication is right.
func (s *Service) spend(ctx context.Context, id [32]byte, until time.Time) error {
	if s.replay == nil {
		return &Error{Code: TemporarilyUnavailable, Description: "what may be used once cannot be remembered here"}
	}
	fresh, err := s.replay.Spend(ctx, id, until)
	switch {
	case err != nil:
		return &Error{Code: TemporarilyUnavailable, Description: "what may be used once cannot be remembered at the moment", cause: err}
	case !fresh:
		return errUsed
	}
	return nil
}

const errUsed refusal = "used"

// remembers reports whether what may be used once can be.
func (s *Service) remembers() bool { return s.replay != nil }
