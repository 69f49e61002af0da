package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// CallbackPath is where providers send browsers back to; the name follows. Each has
// its own, so that the answer of one is never taken for that of another (RFC 9700
// §4.4.2.2).
const CallbackPath = "/login/callback/"

// Service knows the providers. Safe for concurrent use.
type Service struct {
	issuer    string
	order     []string
	providers map[string]*provider
	ring      *token.Ring
	now       func() time.Time
	spend     func(ctx context.Context, name secret.Hash, until time.Time) (bool, error)
}

// New returns a Service. It asks nobody yet.
func New(o ServiceOptions) (*Service, error) {
	if o.Issuer == "" || o.Ring == nil || o.Now == nil || o.Spend == nil {
		return nil, errors.New("upstream: incomplete options")
	}
	s := &Service{issuer: o.Issuer, providers: map[string]*provider{}, ring: o.Ring, now: o.Now, spend: o.Spend}
	for _, p := range o.Providers {
		made, err := s.newProvider(p)
		if err != nil {
			return nil, err
		}
		if s.providers[p.Name] != nil {
			return nil, fmt.Errorf("upstream: two providers are called %s", p.Name)
		}
		s.order, s.providers[p.Name] = append(s.order, p.Name), made
	}
	return s, nil
}

// About is what pages say of a provider.
type About struct {
	Name, Label string
	FormPost    bool // it answers by a POST
}

// Providers lists them in the order of the configuration.
func (s *Service) Providers() []About {
	if s == nil {
		return nil
	}
	list := make([]About, 0, len(s.order))
	for _, name := range s.order {
		p := s.providers[name]
		list = append(list, About{name, p.label(), kinds[p.Kind].formPost})
	}
	return list
}

// MayJoin reports whether an account may be made for people of a provider.
func (s *Service) MayJoin(name string) bool {
	return s != nil && s.providers[name] != nil && s.providers[name].Joins
}

// Label is what people call the provider that has this issuer: the label of one that
// is configured, or the issuer.
func (s *Service) Label(issuer string) string {
	if s != nil {
		for _, name := range s.order {
			if p := s.providers[name]; p.speaksFor(issuer) {
				return p.label()
			}
		}
	}
	return issuer
}

func (s *Service) provider(name string) (*provider, error) {
	if s == nil || s.providers[name] == nil {
		return nil, fail(ErrUnknown, "provider", nil)
	}
	return s.providers[name], nil
}

// Try asks a provider for its metadata and keys, as check does when it is told to.
func (s *Service) Try(ctx context.Context, name string) error {
	p, err := s.provider(name)
	if err != nil {
		return err
	}
	m, err := p.metadata(ctx)
	if err != nil || m.keys == nil {
		return err
	}
	if _, err := m.keys.Set(ctx); err != nil {
		return fail(ErrUnavailable, "keys", errors.Join(err, m.keys.Status().Err))
	}
	return nil
}
