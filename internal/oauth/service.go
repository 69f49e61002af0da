package oauth

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// Feed is what the service needs of the revocation feed.
type Feed interface {
	// CatchUp returns when everything committed before the call is in force here.
	CatchUp(context.Context) error
	// Revoked reports whether the token is dead.
	Revoked(*token.Access) bool
	// Fresh reports whether the feed was read lately enough for the tier.
	Fresh(token.Tier) bool
}

// Resource is an API as the issuer sees it.
type Resource struct {
	Name     string
	Audience string // absolute URI
	Tier     token.Tier
	Scopes   []string
	// Format is how its access tokens are written. Recipient is whom those of
	// FormatNested are encrypted for; the others have none.
	Format    token.Format
	Recipient *jose.Recipient
}

// Options configure a Service. All fields but ScopeText, Clients, MutualTLS and
// IsMaster are needed.
type Options struct {
	Issuer    string // absolute https URI without a trailing slash
	Store     Store
	Users     Users
	Ring      *token.Ring
	Feed      Feed
	Proofs    Proofs
	Resources []Resource
	ScopeText map[string]string // what a scope allows, in words for people
	// DetailsTypes are the types of authorization_details. Without one, none is accepted.
	DetailsTypes []DetailsType
	Clients      []Client // from the configuration; they win over stored ones
	MutualTLS    string   // base URL of the listener that asks for client certificates; empty: there is none
	Now          func() time.Time
	IsMaster     func(secret.Value) bool // knows the master key when it is found; nil: nobody does
	// KeysAt finds the keys that a client publishes at an address: keys of two
	// owners never meet. Without it, nothing is encrypted for clients that have a
	// jwks_uri.
	KeysAt func(owner, uri string) (jose.KeySource, error)
	// Tell is called with what has just happened to a person and to which client, so
	// that they can be told. nil: nobody is.
	Tell func(ctx context.Context, userID string, what Told, clientID string)
	// Replay remembers what a client has signed for one use: assertions, attestation
	// proofs, request objects that say so. Without it none is accepted.
	Replay token.Replay
	// AssertionLife is how long a client assertion may live; 0 for five minutes.
	AssertionLife time.Duration
	// ClientCAs sign the certificates of clients of tls_client_auth; nil: there are none.
	ClientCAs *x509.CertPool
	Attesters []Attester
	// Fetch asks an address that came from a client, by the strictest rules. Without
	// it none is asked.
	Fetch jose.Fetch
	// AssertionIssuers say who services are (RFC 7523).
	AssertionIssuers []AssertionIssuer
	// FetchRequest is Fetch for request objects, which are JWTs. Without it none is
	// fetched, and request_uri is for pushed requests alone.
	FetchRequest jose.Fetch
	// RequirePushed makes every client push its authorization requests.
	RequirePushed bool
	// MayFetch judges such an address without asking it; an error says why Fetch
	// never will. Without it no client can register one.
	MayFetch func(url string) error
	// Registration says who may register a client by itself. The zero value lets
	// nobody in.
	Registration RegistrationPolicy
	// Documents says whether a client_id may be the address of the client's
	// metadata, and whose. FetchDocument asks that address; it needs Documents.On.
	Documents     DocumentPolicy
	FetchDocument FetchDocument
	// Signals says that receivers of signals are served.
	Signals bool
	// MinACR is the weakest sign-in that any app gets a person with; empty: any. The
	// pages of this server, where factors are set up, ask for less.
	MinACR string
	// GlobalRevocation lets partners end all that a person has.
	GlobalRevocation bool
}

// Service is the authorization server. Safe for concurrent use.
type Service struct {
	issuer string
	store  Store
	users  Users
	ring   *token.Ring
	reader *token.AccessReader
	hints  *jose.Verifier
	inner  *jose.Verifier

	assertions map[string]*assertions // by their issuer

	leaked           []*jose.Verifier
	feed             Feed
	proofs           Proofs
	mutualTLS        string
	resources        []Resource
	byScope          map[string]*Resource
	scopeText        map[string]string
	globalRevocation bool

	detailsTypes map[string]*detailsType

	now        func() time.Time
	clients    *clientCache
	rotated    grantCache
	recipients recipients
	keySets    keySets
	told       toldOnce
	tells      func(ctx context.Context, userID string, what Told, clientID string)
	polls      polls
	isMaster   func(secret.Value) bool
	metadata   []byte
	replay     token.Replay
	fetch      jose.Fetch

	fetchRequest  jose.Fetch
	requirePushed bool
	constants     constants
	mayFetch      func(string) error
	registrar     *registrar
	origins       browserOrigins
	documents     *documents
	assertionLife time.Duration
	clientCAs     *x509.CertPool
	attesters     map[string]*Attester // by their issuer
	signals       bool
	minACR        string
}

// New returns a Service, or an error that says which option is wrong.
func New(o Options) (*Service, error) {
	if o.Issuer == "" || o.Store == nil || o.Users == nil || o.Ring == nil || o.Feed == nil || o.Proofs == nil || o.Now == nil {
		return nil, errors.New("oauth: incomplete options")
	}
	s := &Service{
		globalRevocation: o.GlobalRevocation,
		issuer:           o.Issuer, store: o.Store, users: o.Users, ring: o.Ring, feed: o.Feed,
		proofs: o.Proofs, mutualTLS: o.MutualTLS,
		resources: o.Resources, byScope: map[string]*Resource{}, scopeText: o.ScopeText, now: o.Now,
		recipients: recipients{keysAt: o.KeysAt}, isMaster: o.IsMaster,
		replay: o.Replay, fetch: o.Fetch, fetchRequest: o.FetchRequest, requirePushed: o.RequirePushed, minACR: o.MinACR, mayFetch: o.MayFetch,
		assertionLife: cmp.Or(o.AssertionLife, defaultAssertionLife), clientCAs: o.ClientCAs, attesters: map[string]*Attester{},
		signals: o.Signals, tells: o.Tell,
	}
	for i := range o.Attesters {
		s.attesters[o.Attesters[i].Issuer] = &o.Attesters[i]
	}
	for i := range s.resources {
		if nested := s.resources[i].Format == token.FormatNested; nested != (s.resources[i].Recipient != nil) {
			return nil, fmt.Errorf("oauth: API %q: nested tokens and a recipient go together", s.resources[i].Name)
		}
		for _, scope := range s.resources[i].Scopes {
			if other := s.byScope[scope]; other != nil || identityScopes[scope] != "" || slices.Contains(PartnerScopes, scope) || IsSignalsScope(scope) {
				return nil, fmt.Errorf("oauth: scope %q belongs to more than one API; scopes name one API each", scope)
			}
			s.byScope[scope] = &s.resources[i]
		}
	}
	if err := s.compileDetails(o.DetailsTypes); err != nil {
		return nil, err
	}
	s.clients = newClientCache(o.Store, o.Clients)
	var err error
	if s.registrar, err = newRegistrar(o.Registration, o.Now); err != nil {
		return nil, err
	}
	if s.documents, err = newDocuments(s, o.Documents, o.FetchDocument); err != nil {
		return nil, err
	}
	s.clients.docs = s.documents
	s.origins.own = originsOf(o.Clients)
	if s.reader, err = token.NewAccessReader(s.ring, s.issuer, s.now); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	if s.hints, err = s.hintVerifier(); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	if s.inner, err = s.innerVerifier(); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	if err = s.assertionVerifiers(o.AssertionIssuers); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	if s.leaked, err = s.jwtVerifiers(); err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	s.metadata, err = s.buildMetadata()
	return s, err
}

// JWKS returns the key set that verifies ID tokens and access tokens in the JWT
// form (RFC 9068 §4), as of now: keys come and go.
func (s *Service) JWKS() ([]byte, error) {
	return s.ring.JWKS(token.SignIDToken, token.SignAccess, token.SignIDTokenRSA)
}

// Metadata returns the discovery document (RFC 8414, OpenID Connect Discovery
// §3). Do not change it.
func (s *Service) Metadata() []byte { return s.metadata }

// Issuer returns the issuer identifier.
func (s *Service) Issuer() string { return s.issuer }

// ForgetClient drops what is remembered of a client, after the feed said that
// it has changed.
func (s *Service) ForgetClient(clientID string) {
	s.clients.forget(clientID)
	s.origins.forget()
}

// Forget drops all that is remembered of clients and grants: the store may have
// gone back to an earlier state.
func (s *Service) Forget() {
	s.clients.forgetAll()
	s.origins.forget()
	s.rotated.forgetAll()
}

func note(ctx context.Context, e audit.Event) { audit.FromContext(ctx).Add(e) }

// applied returns when what was just revoked is in force on this node.
func (s *Service) applied(ctx context.Context) error {
	if err := s.feed.CatchUp(ctx); err != nil {
		return unavailable("apply revocation", err)
	}
	return nil
}

// needFresh fails closed: what is issued or confirmed rests on knowing what
// has been revoked.
func (s *Service) needFresh(tier token.Tier) error {
	if s.feed.Fresh(tier) {
		return nil
	}
	return fail(TemporarilyUnavailable, "revocations cannot be read at the moment")
}

const maxClientID = 256
