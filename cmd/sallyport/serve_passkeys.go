package main

import (
	"errors"

	"sallyport/internal/account"
	"sallyport/internal/passkey"
)

// passkeys speaks WebAuthn for the issuer; nil where no browser would: an issuer
// that is an IP address.
func (c *config) passkeys() (account.WebAuthn, error) {
	p, err := passkey.New(c.Issuer)
	if errors.Is(err, passkey.ErrNoDomain) {
		return nil, nil //nolint:nilnil // without passkeys
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}
