package oauth

import (
	"fmt"
	"slices"
)

// exchangeProblem judges what a client may exchange tokens for. Nobody who
// registers himself may say that he acts for others.
func (c *Client) exchangeProblem() (setting, why string) {
	p, registered := &c.Settings.Exchange, slices.Contains(c.Settings.GrantTypes, GrantTokenExchange)
	set := len(p.Subjects)+len(p.Audiences)+len(p.Scopes)+len(p.Modes) > 0
	switch {
	case (registered || set) && c.Origin != OriginAdmin:
		return "token_exchange", "is for an administrator to set"
	case set && !registered:
		return "token_exchange", "is there, but grant_types does not have " + GrantTokenExchange
	case registered && len(p.Audiences) == 0:
		return "token_exchange.audiences", "is missing: without it, no token is to be had by " + GrantTokenExchange
	}
	for _, mode := range p.Modes {
		if mode != modeDelegation && mode != modeImpersonation {
			return "token_exchange.modes", fmt.Sprintf("%q is not delegation or impersonation", mode)
		}
	}
	for _, scope := range p.Scopes {
		if !contains(c.Scope, scope) {
			return "token_exchange.scopes", fmt.Sprintf("%q is not in the scope of the client", scope)
		}
	}
	return "", ""
}
