package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// GrantJWTBearer is the grant type of RFC 7523 §2.1.
const GrantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// AssertionIssuer is somebody who says who a service is: a cluster, a build
// server. It says so of the subjects listed and of no others.
type AssertionIssuer struct {
	Issuer     string // iss, exactly
	Keys       jose.KeySource
	Algorithms []jose.Algorithm // nil: AssertionAlgorithms
	// Repeatable lets an assertion be presented again as long as it lives: a
	// cluster writes it into a file, and every start of a service reads it.
	Repeatable bool
	Subjects   map[string]string // sub, exactly, to the client_id of a service client
}

// AssertionAlgorithms are those that assertions of others may be signed with.
var AssertionAlgorithms = []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

// MaxAssertionLife is the longest that an assertion of others may live.
const MaxAssertionLife = time.Hour

var errAssertion = fail(InvalidGrant, "assertion is not valid here")

// assertions is an issuer with what verifies its assertions.
type assertions struct {
	AssertionIssuer
	verifier *jose.Verifier
}

// assertionVerifiers makes a verifier for each issuer: signed by it, for this
// issuer alone (RFC 7523 §3; as RFC 10070 has it, one audience), short-lived, and
// of no type that says that it is another kind of token.
func (s *Service) assertionVerifiers(issuers []AssertionIssuer) error {
	s.assertions = map[string]*assertions{}
	for _, i := range issuers {
		algs := i.Algorithms
		if algs == nil {
			algs = AssertionAlgorithms
		}
		if i.Issuer == s.issuer || s.assertions[i.Issuer] != nil {
			return fmt.Errorf("assertion issuer %q is this one, or there twice", i.Issuer)
		}
		v, err := jose.NewVerifier(jose.Profile{
			Purpose: "assertion", Types: []string{"", "jwt"}, Algorithms: algs, Keys: i.Keys, Issuer: jose.Exactly(i.Issuer),
			Audience: jose.Exactly(s.issuer), MaxLife: MaxAssertionLife, Skew: authSkew, Require: []string{"sub"}, Now: s.now,
		})
		if err != nil {
			return err
		}
		s.assertions[i.Issuer] = &assertions{i, v}
	}
	return nil
}

// callerOf authenticates the client of a token request. Where an assertion says
// who the service is, and the request brings no other authentication, the
// assertion is all there is (RFC 7521 §4.1): the client is the one that it names,
// and the exchange verifies that it does.
func (s *Service) callerOf(ctx context.Context, grant string, r Request) (*Client, error) {
	alone := len(r.Authorization) == 0 && len(r.Attestation) == 0 && !r.Params.Has("client_secret") && !r.Params.Has("client_assertion")
	if grant != GrantJWTBearer || !alone {
		return s.authenticate(ctx, r)
	}
	from, sub := s.claimedBy(r.param("assertion"))
	if from == nil || from.Subjects[sub] == "" {
		return nil, s.assertionRefused(ctx, "", "subject")
	}
	id := from.Subjects[sub]
	if named := r.param("client_id"); named != "" && named != id {
		return nil, s.assertionRefused(ctx, "", "client")
	}
	c, err := s.clients.get(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && c.Disabled:
		return nil, s.assertionRefused(ctx, id, "client")
	case err != nil:
		return nil, unavailable("find client", err)
	case c.profile().authMethods != nil: // such a client proves itself too, whoever vouches for it
		return s.authenticate(ctx, r)
	}
	return c, nil
}

// claimedBy reads an assertion before it is verified, to find who can.
func (s *Service) claimedBy(assertion string) (*assertions, string) {
	if !token.LooksLikeJWT(assertion) || len(assertion) > maxAssertion {
		return nil, ""
	}
	var iss, sub string
	if json.Unmarshal([]byte(memberOf(assertion, "iss")), &iss) != nil || json.Unmarshal([]byte(memberOf(assertion, "sub")), &sub) != nil {
		return nil, ""
	}
	return s.assertions[iss], sub
}

const maxAssertion = 8 << 10

// exchangeJWTBearer gives a service a token for itself, as client_credentials
// does, on the word of who runs it (RFC 7523 §2.1).
func (s *Service) exchangeJWTBearer(ctx context.Context, c *Client, r Request) (*TokenResponse, error) {
	presented := r.param("assertion")
	if presented == "" {
		return nil, fail(InvalidRequest, "assertion is missing")
	}
	from, _ := s.claimedBy(presented)
	if from == nil {
		return nil, s.assertionRefused(ctx, c.ID, "issuer")
	}
	claims, err := from.verifier.Verify(ctx, presented)
	switch {
	case errors.Is(err, jose.ErrKeysUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, &Error{Code: TemporarilyUnavailable, Description: "the keys of the issuer of the assertion cannot be had at the moment", cause: err}
	case err != nil:
		return nil, s.assertionRefused(ctx, c.ID, string(jose.ReasonOf(err)))
	case from.Subjects[claims.Subject] != c.ID:
		return nil, s.assertionRefused(ctx, c.ID, "subject")
	}
	return s.ownToken(ctx, c, r, "jwt_bearer", func() error { return s.spendAssertion(ctx, c, from, claims, presented) })
}

// spendAssertion uses up an assertion: by its jti, or, where it has none, by what is
// signed of it. The signature does not count: of one by ES256 anybody can make a
// second that is as good.
func (s *Service) spendAssertion(ctx context.Context, c *Client, from *assertions, claims *jose.Claims, presented string) error {
	if from.Repeatable {
		return nil
	}
	name := claims.ID
	if name == "" || len(name) > maxJTI {
		sum := sha256.Sum256([]byte(presented[:strings.LastIndexByte(presented, '.')]))
		name = "\x00" + string(sum[:])
	}
	id := token.ReplayID(sha256.Sum256([]byte(c.ID)), []byte("sallyport assertion v1\x00"+from.Issuer+"\x00"+name))
	err := s.spend(ctx, id, time.Unix(claims.ExpiresAt, 0).Add(authSkew))
	if errors.Is(err, errUsed) {
		return s.assertionRefused(ctx, c.ID, "used")
	}
	return err
}

func (s *Service) assertionRefused(ctx context.Context, clientID, reason string) error {
	note(ctx, audit.Event{Name: audit.AssertionRefused, Client: clientID, Reason: reason})
	return errAssertion
}

// jwtBearerProblem: who registers himself is not spoken for by others.
func (c *Client) jwtBearerProblem() (setting, why string) {
	if slices.Contains(c.Settings.GrantTypes, GrantJWTBearer) && c.Origin != OriginAdmin {
		return "grant_types", GrantJWTBearer + " is for an administrator to set"
	}
	return "", ""
}
