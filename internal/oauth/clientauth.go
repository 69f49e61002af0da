package oauth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// Request is a request to a protocol endpoint, as the edge decoded it.
type Request struct {
	Params        url.Values // of the form body alone, each at most once
	Authorization []string   // the header's lines
	Remote        netip.Addr

	DPoP        []string          // the header's lines
	Method      string            // as in the request line
	URL         string            // of the endpoint as clients call it: from configuration, never from the request
	Certificate *x509.Certificate // that this connection has proven, valid now; nil for none
}

func (r Request) param(name string) string { return r.Params.Get(name) }

// authMethods are the ways in which a client authenticates, as in metadata.
var authMethods = []string{"none", "client_secret_basic", "client_secret_post"}

// presented is what a request offers as client authentication.
type presented struct {
	method   string
	clientID string
	secret   secret.Value
}

var errClientAuth = fail(InvalidClient, "client authentication failed")

// authenticate finds the client and checks that it is who it says (RFC 6749
// §2.3, §3.2.1). Unknown client, wrong secret and wrong method share one
// answer. A public client is identified, not authenticated.
func (s *Service) authenticate(ctx context.Context, r Request) (*Client, error) {
	p, perr := readClientAuth(r)
	if perr != nil {
		return nil, perr
	}
	client, err := s.clients.get(ctx, p.clientID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable("find client", err)
	}
	known := "" // what is not a client's name may be anything, a password too
	if err == nil {
		known = client.ID
	}
	if err != nil || client.Disabled || !s.proves(client, p) {
		note(ctx, audit.Event{Name: audit.ClientAuthFailed, Client: known, Reason: p.method})
		return nil, errClientAuth
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

// proves checks the secret. A public client that sends one is refused: the
// secret proves nothing, and it has leaked.
func (s *Service) proves(c *Client, p presented) bool {
	if c.Type.Public() {
		return p.method == "none"
	}
	if p.method == "none" {
		return false
	}
	hash, now, ok := p.secret.Hash(), s.now(), false
	for _, known := range c.Secrets {
		live := known.ExpiresAt.IsZero() || now.Before(known.ExpiresAt)
		ok = (known.Hash.Equal(hash) && live) || ok
	}
	return ok
}

// readClientAuth finds the one authentication of a request. More than one is
// an error (RFC 6749 §2.3).
func readClientAuth(r Request) (presented, *Error) {
	bodyID, hasSecret := r.param("client_id"), r.Params.Has("client_secret")
	if len(bodyID) > maxClientID {
		return presented{}, errClientAuth
	}
	if r.Params.Has("client_assertion") || r.Params.Has("client_assertion_type") {
		return presented{}, fail(InvalidClient, "client_assertion is not supported")
	}
	if len(r.Authorization) == 0 {
		switch {
		case bodyID == "":
			return presented{}, fail(InvalidClient, "client authentication is missing")
		case hasSecret:
			return presented{"client_secret_post", bodyID, secret.New(r.param("client_secret"))}, nil
		default:
			return presented{method: "none", clientID: bodyID}, nil
		}
	}
	if hasSecret || len(r.Authorization) > 1 {
		return presented{}, fail(InvalidRequest, "more than one client authentication")
	}
	p, ok := readBasic(r.Authorization[0])
	if !ok {
		return presented{}, fail(InvalidClient, "Authorization must be Basic with form-encoded client_id and secret")
	}
	if bodyID != "" && bodyID != p.clientID {
		return presented{}, fail(InvalidRequest, "client_id differs from the Authorization header")
	}
	return p, nil
}

// readBasic decodes client_id and secret, each form-urlencoded before they
// were joined (RFC 6749 §2.3.1).
func readBasic(header string) (presented, bool) {
	scheme, b64, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") || len(b64) > 4096 {
		return presented{}, false
	}
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return presented{}, false
	}
	id, sec, found := strings.Cut(string(raw), ":")
	if !found {
		return presented{}, false
	}
	id, err1 := url.QueryUnescape(id)
	sec, err2 := url.QueryUnescape(sec)
	if err1 != nil || err2 != nil || id == "" || len(id) > maxClientID {
		return presented{}, false
	}
	return presented{"client_secret_basic", id, secret.New(sec)}, true
}

// ClaimedClient is the client that a request says it is from, unproven; "" if
// it says none. It is for counting failures: every spelling that authenticates
// as a client counts as that client.
func ClaimedClient(r Request) string {
	p, _ := readClientAuth(r)
	return p.clientID
}
