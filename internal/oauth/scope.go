package oauth

import (
	"slices"
	"strings"
	"time"

	"sallyport/internal/token"
)

// identityScopes are the scopes that the issuer itself serves, with what they
// allow in words (OpenID Connect Core §5.4).
var identityScopes = map[string]string{
	"openid":         "Know that it is you",
	"profile":        "See your name",
	"email":          "See your e-mail address",
	"offline_access": "Stay signed in when you are away",
}

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
	for _, m := range members {
		if !contains(have, m) || m == ReportScope { // which is for no token
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
	audience string
	tier     token.Tier
	lifetime time.Duration
}

// reach finds the audiences of the scopes and the numbers of the riskiest one.
// The issuer itself is an audience where userinfo is allowed.
func (s *Service) reach(scope string) reach {
	r := reach{lifetime: token.TierStandard.Limits().AccessToken}
	var audiences []string
	known := false
	for m := range strings.SplitSeq(scope, " ") {
		audience, tier := s.issuer, token.TierStandard
		if m != "openid" {
			res := s.byScope[m]
			if res == nil {
				continue
			}
			audience, tier = res.Audience, res.Tier
		}
		if !slices.Contains(audiences, audience) {
			audiences = append(audiences, audience)
		}
		if !known || tier > r.tier {
			r.tier = tier
		}
		known = true
	}
	if known {
		r.lifetime = r.tier.Limits().AccessToken
	} else {
		r.tier = token.TierStandard
	}
	r.audience = strings.Join(audiences, " ")
	return r
}
