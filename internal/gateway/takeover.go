package gateway

import (
	"errors"
	"reflect"

	"sallyport/internal/token"
)

// errPolicy: the stream would not be allowed any more, as it is.
var errPolicy = errors.New("the policy has changed")

// TakeOver makes g the gateway whose policy counts for streams, in the place of
// the one that had its State before. Those that it would not allow as they are
// end, also those that are just being opened under the policy before; the others
// go on. Calls that are under way end as they began.
func (g *Gateway) TakeOver() {
	before := g.state.streams.takeOver(g)
	g.state.rates.Keep("api.", g.table.limitNames())
	if before == nil || before == g {
		return
	}
	if t, ok := before.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (s *streams) takeOver(g *Gateway) (before *Gateway) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, s.current = s.current, g
	for c := range s.live {
		if !g.keeps(c) {
			c.end(errPolicy)
		}
	}
	return before
}

// keeps reports whether g lets a stream go on that another gateway has let begin:
// the operation is still there, it asks for no more than before or no more than
// the token has, and it leads to the same place.
func (g *Gateway) keeps(c *call) bool {
	if c.g == g {
		return true
	}
	now := &call{Context: c.Context, g: g, r: c.r, path: c.path, access: c.access}
	if now.findAPI().refused() || now.findOperation().refused() {
		return false
	}
	api, op, a := now.api, now.op, &c.access
	return api.audience == c.api.audience && api.upstream.String() == c.api.upstream.String() &&
		op.tier <= c.op.tier &&
		(a.IsPerson() || !api.peopleOnly) && (c.key == nil || api.allowsKey(c.key, op)) &&
		(c.key != nil || op.scope == c.op.scope || a.HasScope(op.scope)) &&
		token.ACRSatisfies(a.ACR, op.acrFor(a)) &&
		(op.maxAge == 0 || op.maxAge >= c.op.maxAge && c.op.maxAge > 0) &&
		(!c.cookie || api.browser != nil && api.browser.Has(c.r)) && (c.origin == "" || api.origins[c.origin]) &&
		reflect.DeepEqual(op.objects, c.op.objects)
}
