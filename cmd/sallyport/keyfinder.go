package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"sallyport/internal/outbound"
	"sallyport/internal/token/jose"
)

// keyFinder finds the keys that tokens are encrypted to.
type keyFinder struct {
	now     func() time.Time
	clients *jose.RemoteSet
}

// maxKeyOwners is how many clients' keys are held that lie at an address.
const maxKeyOwners = 1000

// newKeyFinder asks addresses of clients by the strictest rules: a client is
// registered with an address, and nobody may turn that into a way inside. An
// issuer on this machine may ask this machine.
func newKeyFinder(c *config, now func() time.Time) (*keyFinder, error) {
	door := outbound.NewClient(outbound.Options{AllowLoopback: isLoopback(c.issuerHost())})
	clients, err := jose.NewRemoteSet(maxKeyOwners, jose.RemoteOptions{Fetch: door.Get, Now: now})
	return &keyFinder{now, clients}, err
}

// ofClient returns the keys that a client publishes.
func (k *keyFinder) ofClient(clientID, uri string) (jose.KeySource, error) {
	keys, err := k.clients.Keys(clientID, uri)
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// ofAPI returns the keys of an API: those of its file, or those at its address,
// which the operator wrote down and so may lie in networks of the operator's.
func (k *keyFinder) ofAPI(c *config, a *apiConfig) (jose.KeySource, error) {
	if a.JWKSURI == "" {
		jwks, err := readKeys(c.file(a.JWKSFile))
		if err != nil {
			return nil, err
		}
		return jose.ParseKeySet([]byte(jwks))
	}
	u, err := url.Parse(a.JWKSURI)
	if err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	o := outbound.Options{AllowLoopback: isLoopback(u.Hostname()), Ports: portOf(u)}
	for _, network := range a.JWKSNetworks {
		p, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("jwks_networks: %w", err)
		}
		o.AllowNetworks = append(o.AllowNetworks, p)
	}
	return jose.NewRemoteKeys(jose.RemoteOptions{URL: a.JWKSURI, Fetch: outbound.NewClient(o).Get, Now: k.now})
}

// portOf is the port that a URL names, or nothing for the usual ones.
func portOf(u *url.URL) []uint16 {
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return nil
	}
	return []uint16{uint16(n)}
}
