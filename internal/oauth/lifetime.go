package oauth

import (
	"fmt"
	"slices"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// lives are the lifetimes of a client's tokens in a tier: its own, under the caps
// of the tier.
type lives struct {
	own            time.Duration // of access tokens; 0: the tier's
	idle, absolute time.Duration
}

func (c *Client) lives(tier token.Tier) lives {
	limits := tier.Limits()
	return lives{
		own: c.Settings.AccessTokenLife.length(), idle: shorter(c.Settings.RefreshIdle.length(), limits.RefreshIdle),
		absolute: shorter(c.Settings.RefreshAbsolute.length(), limits.RefreshAbsolute),
	}
}

// access is how long an access token lives that may live for limit.
func (l lives) access(limit time.Duration) time.Duration { return shorter(l.own, limit) }

func shorter(own, limit time.Duration) time.Duration {
	if own > 0 {
		return min(own, limit)
	}
	return limit
}

func (n Seconds) length() time.Duration { return time.Duration(n) * time.Second }

// Fits returns the first setting of the client that this deployment cannot keep,
// by its registration name, and why; or nothing. A lifetime must be under the
// caps of every API that the client's scope reaches: one that would be cut
// silently promises what nobody keeps.
func (c *Client) Fits(resources []Resource, types []DetailsType) (setting, why string) {
	for _, name := range c.Settings.DetailsTypes {
		if !slices.ContainsFunc(types, func(t DetailsType) bool { return t.Type == name }) {
			return "authorization_details_types", fmt.Sprintf("%q is no type of authorization_details here", name)
		}
	}
	for _, r := range c.reached(resources, types) {
		limits := r.Tier.Limits()
		for _, l := range c.lifetimes(limits) {
			if l.own > l.limit {
				return l.name, fmt.Sprintf("is %s, and %s, of tier %s, allows %s", l.own, r.Name, r.Tier, l.limit)
			}
		}
	}
	return "", ""
}

func (s *Service) fits(c *Client) (setting, why string) {
	types := make([]DetailsType, 0, len(s.detailsTypes))
	for _, t := range s.detailsTypes {
		types = append(types, t.DetailsType)
	}
	return c.Fits(s.resources, types)
}

// reached are the APIs that the client can get tokens for. Where there is none it
// is the issuer alone.
func (c *Client) reached(resources []Resource, types []DetailsType) []Resource {
	var list []Resource
	for _, r := range resources {
		byScope := slices.ContainsFunc(r.Scopes, func(m string) bool { return contains(c.Scope, m) })
		byDetails := slices.ContainsFunc(types, func(t DetailsType) bool {
			return slices.Contains(c.Settings.DetailsTypes, t.Type) && slices.Contains(t.APIs, r.Name)
		})
		if byScope || byDetails {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		list = append(list, Resource{Name: "the issuer", Tier: token.TierStandard})
	}
	return list
}

type lifetime struct {
	name       string
	own, limit time.Duration
}

func (c *Client) lifetimes(limits token.Limits) []lifetime {
	return []lifetime{
		{"access_token_lifetime", c.Settings.AccessTokenLife.length(), limits.AccessToken},
		{"refresh_token_idle_lifetime", c.Settings.RefreshIdle.length(), limits.RefreshIdle},
		{"refresh_token_lifetime", c.Settings.RefreshAbsolute.length(), limits.RefreshAbsolute},
	}
}

// lifetimesProblem judges what is true anywhere: no tier allows more than the lowest.
func (c *Client) lifetimesProblem() (setting, why string) {
	for _, l := range c.lifetimes(token.TierLow.Limits()) {
		switch {
		case l.own < 0:
			return l.name, "is less than nothing"
		case l.own > l.limit:
			return l.name, fmt.Sprintf("is %s, and no tier allows more than %s", l.own, l.limit)
		}
	}
	if r := &c.Settings; r.RefreshIdle > 0 && r.RefreshAbsolute > 0 && r.RefreshIdle > r.RefreshAbsolute {
		return "refresh_token_idle_lifetime", "is longer than refresh_token_lifetime"
	}
	if c.Settings.DefaultMaxAge < 0 {
		return "default_max_age", "is less than nothing"
	}
	return "", ""
}

// algorithmProblem: RS256 is for clients that know nothing else, and FAPI 2.0
// forbids it (§5.4.1).
func (c *Client) algorithmProblem() (setting, why string) {
	for _, a := range []struct {
		name string
		alg  jose.Algorithm
	}{
		{"id_token_signed_response_alg", c.Settings.IDTokenSig},
		{"userinfo_signed_response_alg", c.Settings.UserInfoSig},
		{"introspection_signed_response_alg", c.Settings.IntrospectionSig},
	} {
		switch {
		case a.alg == "":
		case !slices.Contains(SignedBy, a.alg):
			return a.name, fmt.Sprintf("%q is not one of %v", a.alg, SignedBy)
		case !slices.Contains(c.profile().algorithms, a.alg):
			return a.name, fmt.Sprintf("must not be %s with profile %s", a.alg, c.profile().name)
		}
	}
	return "", ""
}
