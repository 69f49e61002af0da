package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/token"
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
}

// Options configure a Service. All fields but ScopeText and Clients are needed.
type Options struct {
	Issuer    string // absolute https URI without a trailing slash
	Store     Store
	Users     Users
	Ring      *token.Ring
	Feed      Feed
	Resources []Resource
	ScopeText map[string]string // what a scope allows, in words for people
	Clients   []Client          // from the configuration; they win over stored ones
	Now       func() time.Time
}

// Service is the authorization server. Safe for concurrent use.
type Service struct {
	issuer    string
	store     Store
	users     Users
	ring      *token.Ring
	feed      Feed
	resources []Resource
	byScope   map[string]*Resource
	scopeText map[string]string
	now       func() time.Time
	clients   *clientCache
	rotated   grantCache
	metadata  []byte
}

// New returns a Service, or an error that says which option is wrong.
func New(o Options) (*Service, error) {
	if o.Issuer == "" || o.Store == nil || o.Users == nil || o.Ring == nil || o.Feed == nil || o.Now == nil {
		return nil, errors.New("oauth: incomplete options")
	}
	s := &Service{
		issuer: o.Issuer, store: o.Store, users: o.Users, ring: o.Ring, feed: o.Feed,
		resources: o.Resources, byScope: map[string]*Resource{}, scopeText: o.ScopeText, now: o.Now,
	}
	for i := range s.resources {
		for _, scope := range s.resources[i].Scopes {
			if other := s.byScope[scope]; other != nil || identityScopes[scope] != "" {
				return nil, fmt.Errorf("oauth: scope %q belongs to more than one API; scopes name one API each", scope)
			}
			s.byScope[scope] = &s.resources[i]
		}
	}
	s.clients = newClientCache(o.Store, o.Clients)
	var err error
	s.metadata, err = s.buildMetadata()
	return s, err
}

// JWKS returns the key set that verifies ID tokens, as of now: keys come and go.
func (s *Service) JWKS() ([]byte, error) { return s.ring.JWKS(token.SignIDToken) }

// Metadata returns the discovery document (RFC 8414, OpenID Connect Discovery
// §3). Do not change it.
func (s *Service) Metadata() []byte { return s.metadata }

// Issuer returns the issuer identifier.
func (s *Service) Issuer() string { return s.issuer }

// ForgetClient drops what is remembered of a client, after the feed said that
// it has changed.
func (s *Service) ForgetClient(clientID string) { s.clients.forget(clientID) }

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

// clientCache remembers clients until the feed says that they changed.
type clientCache struct {
	store  Store
	static map[string]Client
	mu     sync.RWMutex
	m      map[string]*Client
	epoch  uint64 // moves with each forget, so that a slow read does not store what is old
}

// maxCachedClients bounds the cache; a full one is emptied.
const maxCachedClients = 10_000

func newClientCache(store Store, static []Client) *clientCache {
	c := &clientCache{store: store, static: map[string]Client{}, m: map[string]*Client{}}
	for _, client := range static {
		client.FromConfig = true
		c.static[client.ID] = client
		c.m[client.ID] = &client
	}
	return c
}

// get returns a client that must not be changed, or ErrNotFound.
func (c *clientCache) get(ctx context.Context, id string) (*Client, error) {
	c.mu.RLock()
	client, epoch := c.m[id], c.epoch
	c.mu.RUnlock()
	if client != nil {
		return client, nil
	}
	if len(id) == 0 || len(id) > maxClientID {
		return nil, ErrNotFound
	}
	stored, err := c.store.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		if len(c.m) >= maxCachedClients {
			c.reset()
		}
		c.m[id] = &stored
	}
	return &stored, nil
}

func (c *clientCache) reset() {
	c.m = make(map[string]*Client, len(c.static))
	for id, client := range c.static {
		c.m[id] = &client
	}
}

func (c *clientCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if _, static := c.static[id]; !static {
		delete(c.m, id)
	}
}

const maxClientID = 256
