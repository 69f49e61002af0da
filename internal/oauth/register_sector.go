package oauth

import (
	"context"
	"encoding/json"
	"slices"

	"sallyport/internal/token/jose"
)

// checkSector fetches the sector identifier and looks for all redirect URIs of
// the client in it (OpenID Connect Registration §5): otherwise anybody could name
// the sector of somebody else, and learn the identifiers that people have there.
func (s *Service) checkSector(ctx context.Context, c *Client) *Error {
	if c.Settings.SectorURI == "" {
		return nil
	}
	if s.fetch == nil {
		return fail(InvalidClientMetadata, "sector_identifier_uri cannot be asked from here")
	}
	body, err := s.fetch(ctx, c.Settings.SectorURI)
	if err != nil {
		e := fail(InvalidClientMetadata, "sector_identifier_uri cannot be read")
		e.cause = err
		return e
	}
	list, ok := readTexts(body)
	if !ok {
		return fail(InvalidClientMetadata, "sector_identifier_uri is not a JSON array of addresses")
	}
	for _, uri := range c.RedirectURIs {
		if !slices.Contains(list, uri) {
			return fail(InvalidClientMetadata, "sector_identifier_uri does not list all redirect_uris")
		}
	}
	return nil
}

// readTexts reads a JSON array of texts, strictly.
func readTexts(body []byte) ([]string, bool) {
	var list []string
	err := scanArray(body, func(raw []byte) error { return json.Unmarshal(raw, &list) })
	return list, err == nil
}

// scanArray hands over a JSON array that has passed the scanner for objects.
func scanArray(body []byte, f func(raw []byte) error) error {
	wrapped := append(append([]byte(`{"a":`), body...), '}')
	members := 0
	return jose.ScanObject(wrapped, func(_ string, value []byte) error {
		if members++; members > 1 || len(value) == 0 || value[0] != '[' {
			return errNotArray
		}
		return f(value)
	})
}
