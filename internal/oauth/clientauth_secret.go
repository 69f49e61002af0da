package oauth

import "context"

// proveNothing: a public client is identified and no more. One that sends a
// secret is refused before: the secret proves nothing, and it has leaked.
func (s *Service) proveNothing(context.Context, *Client, *Request, *presented) error { return nil }

// proveSecret compares with every secret of the client that lives, in the same
// time whichever it is (RFC 6749 §2.3.1).
func (s *Service) proveSecret(_ context.Context, c *Client, _ *Request, p *presented) error {
	hash, now, ok := p.secret.Hash(), s.now(), false
	for _, known := range c.Secrets {
		live := known.ExpiresAt.IsZero() || now.Before(known.ExpiresAt)
		ok = (known.Hash.Equal(hash) && live) || ok
	}
	if !ok {
		return errSecret
	}
	return nil
}
