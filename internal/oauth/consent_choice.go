package oauth

import (
	"encoding/json"
	"slices"
	"strings"
)

// optionalScopes are what people may leave out of what they agree to: what an app
// learns about them (OpenID Connect Core §5.4). It gets along without, and hears in
// the scope of the answer what it has got (RFC 6749 §5.1).
var optionalScopes = []string{"profile", "email"}

// optional reports whether the person may leave a scope out. What another device
// asks for is sealed in its request, so there it is all or nothing.
func (a *Authorization) optional(scope string) bool {
	return a.Elsewhere == nil && slices.Contains(optionalScopes, scope) && contains(a.Scope, "openid")
}

// LeaveOut takes scopes that the person does not agree to out of the request, and
// the claims behind them. Those that are not optional stay.
func (a *Authorization) LeaveOut(scopes []string) {
	asked := a.toAgree()
	scopes = slices.DeleteFunc(slices.Clone(scopes), func(m string) bool { return !a.optional(m) || !slices.Contains(asked, m) })
	if len(scopes) == 0 {
		return
	}
	a.declined = scopes
	kept := slices.DeleteFunc(fields(a.Scope), func(m string) bool { return slices.Contains(scopes, m) })
	a.Scope = strings.Join(kept, " ")
	a.Terms.leaveOut(scopes)
}

// leaveOut takes the claims of scopes out of those that are asked for by name.
func (t *Terms) leaveOut(scopes []string) {
	if len(t.Claims) == 0 {
		return
	}
	var all map[string]map[string]any
	if json.Unmarshal(t.Claims, &all) != nil {
		t.Claims = nil // we wrote it; what cannot be read is not given
		return
	}
	for where, claims := range all {
		for name := range claims {
			if slices.Contains(scopes, scopeOfClaim(name)) {
				delete(claims, name)
			}
		}
		if len(claims) == 0 {
			delete(all, where)
		}
	}
	if len(all) == 0 {
		t.Claims = nil
		return
	}
	if b, err := json.Marshal(all); err == nil {
		t.Claims = b
	}
}
