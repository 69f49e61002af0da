package oauth

import "sallyport/internal/token/jose"

// keysOf are the public keys with which the client signs: assertions and request
// objects. They are those of the client and of no other, in its settings or at
// its jwks_uri. A client without keys has an empty set. The error matches
// jose.ErrKeysUnavailable if they cannot be had now.
func (s *Service) keysOf(c *Client) (jose.KeySource, error) {
	switch {
	case c.Settings.JWKS != "":
		return jose.ParseKeySet([]byte(c.Settings.JWKS))
	case c.Settings.JWKSURI == "":
		return jose.NewKeySet()
	case s.recipients.keysAt == nil:
		return nil, jose.ErrKeysUnavailable
	}
	return s.recipients.keysAt(c.ID, c.Settings.JWKSURI)
}
