package oauth

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// identityScopes are the scopes that the issuer itself serves, with what they
// allow in words (OpenID Connect Core §5.4).
var identityScopes = map[string]string{
	"openid":         "Know that it is you",
	"profile":        "See your name",
	"email":          "See your e-mail address",
	"offline_access": "Stay signed in when you are away",
}

// unheldScopes are scopes of OpenID Connect Core §5.4 about data that is not
// held here. Clients that are written for many issuers ask for them: they are
// left out of what is granted (RFC 6749 §3.3), which the answer's scope says.
var unheldScopes = []string{"address", "phone"}

const maxScopes = 64

// parseScope splits a scope parameter (RFC 6749 §3.3) and drops repeats. It
// refuses other separators than single spaces and characters outside %x21,
// %x23-5B and %x5D-7E.
func parseScope(s string) ([]string, bool) {
	if s == "" {
		return nil, true
	}
	members := strings.Split(s, " ")
	if len(members) > maxScopes {
		return nil, false
	}
	var out []string
	for _, m := range members {
		if !validScope(m) {
			return nil, false
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out, true
}

func validScope(m string) bool {
	if m == "" || len(m) > 128 {
		return false
	}
	for i := range len(m) {
		if c := m[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func fields(list string) []string { return strings.Fields(list) }

func contains(list, member string) bool {
	for m := range strings.SplitSeq(list, " ") {
		if m == member {
			return true
		}
	}
	return false
}

// within returns the scopes asked for if the client or grant that holds have
// may have every one of them.
func within(asked, have string) (string, *Error) {
	members, ok := parseScope(asked)
	if !ok {
		return "", fail(InvalidScope, "scope is malformed")
	}
	members = slices.DeleteFunc(members, func(m string) bool { return slices.Contains(unheldScopes, m) })
	for _, m := range members {
		if !contains(have, m) || slices.Contains(PartnerScopes, m) { // which is for no token
			return "", fail(InvalidScope, "scope "+m+" is not available to this client")
		}
	}
	return strings.Join(members, " "), nil
}

// narrow returns the scopes of granted that are in allowed too.
func narrow(granted, allowed string) string {
	members := strings.Fields(granted)
	kept := slices.DeleteFunc(slices.Clone(members), func(m string) bool { return !contains(allowed, m) })
	if len(kept) == len(members) {
		return granted
	}
	return strings.Join(kept, " ")
}

// reach is what a set of scopes leads to.
type reach struct {
	audience  string
	tier      token.Tier
	lifetime  time.Duration
	format    token.Format
	recipient *jose.Recipient // of FormatNested
	mixed     bool            // no single token can serve all of the APIs
}

// reach finds the audiences of the scopes and the numbers of the riskiest one.
// The issuer itself is an audience where userinfo or signals are allowed.
func (s *Service) reach(scope string) reach { return s.reachOf(scope, nil) }

// reachOf is reach of a scope and authorization_details, which lead to the APIs
// among their locations.
func (s *Service) reachOf(scope string, details json.RawMessage) reach {
	r := reach{lifetime: token.TierStandard.Limits().AccessToken, tier: token.TierStandard}
	var audiences []string
	var apis []*Resource
	add := func(audience string, tier token.Tier, res *Resource) {
		if res != nil && !slices.Contains(apis, res) {
			apis = append(apis, res)
		}
		if len(audiences) == 0 || tier > r.tier {
			r.tier = tier
		}
		if !slices.Contains(audiences, audience) {
			audiences = append(audiences, audience)
		}
	}
	for m := range strings.SplitSeq(scope, " ") {
		if s.servedHere(m) {
			add(s.issuer, token.TierStandard, nil)
		} else if res := s.byScope[m]; res != nil {
			add(res.Audience, res.Tier, res)
		}
	}
	for _, audience := range locationsOf(details) {
		if res := s.byAudience(audience); res != nil {
			add(audience, res.Tier, res)
		}
	}
	if len(audiences) > 0 {
		r.lifetime = r.tier.Limits().AccessToken
	}
	r.audience = strings.Join(audiences, " ")
	r.write(apis)
	return r
}

func (s *Service) byAudience(audience string) *Resource {
	for i := range s.resources {
		if s.resources[i].Audience == audience {
			return &s.resources[i]
		}
	}
	return nil
}

// write decides the format of a token for these APIs. Sealed wins over JWT: it
// tells the app least, and the gateway opens both. A nested token is readable by
// one API alone, so it has that one audience: userinfo is asked with a token of
// its own, and several APIs are refused.
func (r *reach) write(apis []*Resource) {
	jwts, nested := 0, 0
	for _, res := range apis {
		switch res.Format {
		case token.FormatSealed:
		case token.FormatJWT:
			jwts++
		case token.FormatNested:
			nested++
		}
	}
	switch {
	case len(apis) == 0:
	case nested > 0 && len(apis) > 1:
		r.mixed = true
	case nested > 0:
		r.format, r.audience, r.recipient = token.FormatNested, apis[0].Audience, apis[0].Recipient
	case jwts == len(apis):
		r.format = token.FormatJWT
	}
}

var errMixed = fail(InvalidScope, "scope names an API whose tokens only it can read, together with another API: ask for one at a time")
