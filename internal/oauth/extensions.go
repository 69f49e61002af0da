package oauth

import (
	"context"
	"net/url"
)

// extensions read what extensions of OAuth add to an authorization request,
// however it came, after the client, the redirect URI and the scope are known.
// The first error ends the request.
var extensions = []func(s *Service, ctx context.Context, a *Authorization, p url.Values) *Error{
	readDetails, readResource, // in this order: details lead to resources
	readClaims, readACR,
}

// readExtensions runs the table.
func (s *Service) readExtensions(ctx context.Context, a *Authorization, p url.Values) *Error {
	for _, read := range extensions {
		if perr := read(s, ctx, a, p); perr != nil {
			return perr
		}
	}
	return nil
}
