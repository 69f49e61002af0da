package certificates

import (
	"golang.org/x/crypto/acme/autocert"

	"sallyport/internal/token"
)

// NewCache is what a Manager keeps its certificates in.
func NewCache(s Store, ring *token.Ring) autocert.Cache { return cache{s, ring} }
