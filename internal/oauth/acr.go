package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/token"
)

// reachableACR is the strongest authentication that sign-in offers.
const reachableACR = token.ACRPhishing

// Limits of acr_values.
const (
	maxACRs = 10
	maxACR  = 256 // bytes of one
)

// readACR takes over how strongly a person has to sign in, and how lately: by
// acr_values and max_age, by the claim acr, or by what the client is registered
// with (OpenID Connect Core §5.5.1.1, Registration §2, RFC 9470 §4).
//
// Classes of ours that are asked for are needed, because whoever names them has
// them from us: a challenge of the gateway, or our metadata. Classes that nobody
// here knows are a wish in acr_values, and an error where they are essential.
func readACR(_ *Service, _ context.Context, a *Authorization, p url.Values) *Error {
	a.ACR = strings.Fields(p.Get("acr_values"))
	if len(a.ACR) == 0 {
		a.ACR = a.client.Settings.DefaultACR
	}
	if a.MaxAge == nil && a.client.Settings.DefaultMaxAge > 0 {
		age := int64(a.client.Settings.DefaultMaxAge)
		a.MaxAge = &age
	}
	if len(a.ACR) > maxACRs || slices.ContainsFunc(a.ACR, func(acr string) bool { return len(acr) > maxACR }) {
		return fail(InvalidRequest, "acr_values is too long")
	}
	asked, err := readACRClaim(p.Get("claims"))
	if err != nil {
		return errClaims
	}
	switch {
	case asked == nil:
		if len(a.ACR) > 0 && !slices.ContainsFunc(a.ACR, foreignACR) {
			a.ACRNeeded = a.ACR
		}
	case asked.Essential:
		a.ACRNeeded = asked.wanted()
	default:
		a.ACR = append(slices.Clip(a.ACR), asked.wanted()...)
	}
	if len(a.ACRNeeded) > maxACRs {
		return errClaims
	}
	if len(a.ACRNeeded) > 0 && !meetsACR(reachableACR, a.ACRNeeded) {
		return errUnmetACR // signing in would not help
	}
	return nil
}

var errUnmetACR = fail(UnmetAuthentication, "none of the acr_values can be reached")

func foreignACR(acr string) bool { return !slices.Contains(token.ACRs, acr) }

// meetsACR reports whether a sign-in of class have is enough for one of needed.
func meetsACR(have string, needed []string) bool {
	return len(needed) == 0 || slices.ContainsFunc(needed, func(want string) bool { return want != "" && token.ACRSatisfies(have, want) })
}
