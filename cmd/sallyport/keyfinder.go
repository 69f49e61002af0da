package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/token/jose"
)

// keyFinder finds the keys that tokens are encrypted to.
type keyFinder struct {
	now     func() time.Time
	clients *jose.RemoteSet
	door    *outbound.Client // to addresses that clients are registered with
}

// maxKeyOwners is how many clients' keys are held that lie at an address.
const maxKeyOwners = 1000

// newKeyFinder asks addresses of clients by the strictest rules: a client is
// registered with an address, and nobody may turn that into a way inside. An
// issuer on this machine may ask this machine.
func newKeyFinder(c *config, now func() time.Time) (*keyFinder, error) {
	door := outbound.NewClient(c.clientDoor())
	clients, err := jose.NewRemoteSet(maxKeyOwners, jose.RemoteOptions{Fetch: door.Get, Now: now})
	return &keyFinder{now, clients, door}, err
}

// clientDoor is how addresses of clients may be asked.
func (c *config) clientDoor() outbound.Options {
	return outbound.Options{AllowLoopback: isLoopback(c.issuerHost())}
}

// documentDoor asks client_ids that are addresses, for no more than such a
// document may be.
func (c *config) documentDoor() *outbound.Client {
	o := c.clientDoor()
	o.MaxBody = oauth.MaxDocument
	return outbound.NewClient(o)
}

// fetchDocument tells a document that was taken away from a host that is down.
func fetchDocument(door *outbound.Client) oauth.FetchDocument {
	return func(ctx context.Context, uri string) ([]byte, time.Duration, error) {
		body, keep, err := door.GetFresh(ctx, uri)
		var answered *outbound.Error
		if errors.As(err, &answered) && (answered.Status == http.StatusNotFound || answered.Status == http.StatusGone) {
			err = fmt.Errorf("%w: %w", oauth.ErrNoDocument, err)
		}
		return body, keep, err
	}
}

// keysDoor is how the address of an API's keys may be asked.
func (a *apiConfig) keysDoor() (outbound.Options, error) {
	u, err := url.Parse(a.JWKSURI)
	if err != nil {
		return outbound.Options{}, errors.New("jwks_uri is not an address") // url's own error quotes it
	}
	return outbound.Options{AllowLoopback: isLoopback(u.Hostname()), Ports: portOf(u), AllowNetworks: networks(a.JWKSNetworks)}, nil
}

// networks are those of the list that may be allowed; the rules name the others.
func networks(list []string) []netip.Prefix {
	var found []netip.Prefix
	for _, text := range list {
		if p, err := outbound.ParseNetwork(text); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// unaskedProblem says why a URL will never be asked, or nothing; a name may still
// lead to an address that is not. setting is where networks could be allowed, if
// they could.
func unaskedProblem(o outbound.Options, uri, setting string) string {
	err := outbound.NewClient(o).Check(uri)
	var refused *outbound.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &refused) || refused.Reason != outbound.ReasonAddress:
		return "will never be asked: " + strings.TrimPrefix(err.Error(), "outbound request: url: ")
	case setting != "" && refused.Detail() == outbound.KindPrivate:
		return fmt.Sprintf("%s is a private address, which is not asked: if that is meant, allow its network in %s", refused.Host, setting)
	}
	return fmt.Sprintf("%s is an address that is never asked: %s", refused.Host, refused.Detail())
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
	o, err := a.keysDoor()
	if err != nil {
		return nil, err
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
