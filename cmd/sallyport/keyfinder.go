package main

import (
	"time"

	"sallyport/internal/token/jose"
)

// keyFinder finds the keys that settings name.
type keyFinder struct{ now func() time.Time }

func newKeyFinder(now func() time.Time) *keyFinder { return &keyFinder{now: now} }

// of returns the keys of an API: those of its file.
func (k *keyFinder) of(c *config, a *apiConfig) (jose.KeySource, error) {
	jwks, err := readKeys(c.file(a.JWKSFile))
	if err != nil {
		return nil, err
	}
	return jose.ParseKeySet([]byte(jwks))
}
