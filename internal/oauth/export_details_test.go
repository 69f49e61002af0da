package oauth

import (
	"context"
	"net/url"
)

// ReadDetails reads authorization_details for a client that is registered for types.
func (s *Service) ReadDetails(text string, types ...string) (canonical string, ok bool) {
	d, perr := s.parseDetails(&Client{Settings: Settings{DetailsTypes: types}}, text)
	return string(d), perr == nil
}

// NewDetailsReader returns a Service that knows types of authorization_details
// and nothing else.
func NewDetailsReader(resources []Resource, types []DetailsType) (*Service, error) {
	s := &Service{resources: resources}
	return s, s.compileDetails(types)
}

// ReadClaims reads the parameter claims for a client that may have all scopes.
func (s *Service) ReadClaims(text string) (kept string, ok bool) {
	a := &Authorization{Scope: "openid", client: &Client{Scope: "openid profile email"}, HintSubject: "somebody"}
	p := url.Values{"claims": {text}}
	perr := readClaims(s, context.Background(), a, p)
	if perr == nil {
		perr = readACR(s, context.Background(), a, p)
	}
	return string(a.Terms.Claims), perr == nil
}

// CheckSector asks sector_identifier_uri.
func (s *Service) CheckSector(ctx context.Context, c *Client) error {
	if perr := s.checkSector(ctx, c); perr != nil {
		return perr
	}
	return nil
}
