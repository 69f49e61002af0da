package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// table is the compiled configuration: APIs by prefix, longest first, each
// with a tree of templates per method. It is never changed after New.
type table []*route

// route is a compiled API.
type route struct {
	index      int
	name       string
	audience   string
	prefix     string // API.Path; "" for "/"
	upstream   *url.URL
	base       string            // escaped path of upstream without the last slash
	external   []external        // where clients find the API; the first is the one to tell them
	demands                      // of the API's tier, where no operation has been found
	transport  http.RoundTripper // to the upstream
	noInner    bool              // the upstream gets no inner token
	screen     Screen
	peopleOnly bool // clients that act for themselves are refused
	apiKeys    bool
	browser    BrowserSessions // nil: cookies are no credential
	backend    backend
	limits     Limits
	capacity   capacity
	scopes     map[string]bool
	scopeList  []string
	scopeOf    map[string]string // by the label of an operation
	details    []string
	origins    map[string]bool
	methods    []string // in the order of the configuration
	trees      map[string]*node
	meter      Meter // of calls that fit no operation; nil: they are not counted
}

// demands are what a tier asks of a credential.
type demands struct {
	tier        token.Tier
	bound       bool  // tokens are bound to a key or a certificate
	needNonce   bool  // DPoP proofs carry a nonce
	innerBound  bool  // inner tokens are for one request
	maxLifetime int64 // of an access token, in seconds
}

func demandsOf(t token.Tier) demands {
	limits := t.Limits()
	return demands{t, limits.Bound, limits.ProofNonce, limits.InnerBound, int64(limits.AccessToken / time.Second)}
}

// operation is a compiled Operation.
type operation struct {
	demands                  // of its own tier, or the API's
	index       int          // in the API
	objects     *objectRules // nil: none
	limiter     *limiter     // nil: none
	capacity    capacity
	contract    *Contract
	idempotency Idempotency
	label       string // "GET /items/{id}", for logs
	scope       string
	acr         string
	personACR   string // the stronger of acr and the tier's
	maxAge      time.Duration
	formToken   bool
	challenges  challenges
	meter       Meter // nil: calls are not counted
}

// node is a place in the tree of the templates of one method. Its literal
// children are found by folded name.
type node struct {
	name    string // as configured, for the exact comparison
	literal map[string]*node
	param   *node
	op      *operation
}

func compile(o *Options) table {
	var t table
	for i, a := range o.APIs {
		t = append(t, compileAPI(o, i, a))
	}
	slices.SortStableFunc(t, func(a, b *route) int { return len(b.prefix) - len(a.prefix) })
	return t
}

func compileAPI(opt *Options, index int, a API) *route {
	up := *a.Upstream
	r := &route{
		index: index, name: a.Name, audience: a.Audience, prefix: strings.TrimSuffix(a.Path, "/"),
		upstream: &up, base: strings.TrimSuffix(up.EscapedPath(), "/"), external: externals(opt, a),
		demands: demandsOf(a.Tier), transport: a.Transport, noInner: a.NoInner, screen: a.Screen, peopleOnly: a.PeopleOnly, apiKeys: a.APIKeys, browser: a.Browser,
		backend: compileBackend(opt, &a), limits: a.Limits, capacity: opt.State.capacity(a.Name, a.Limits.Concurrency),
		details: a.DetailsTypes, scopes: map[string]bool{}, scopeOf: map[string]string{}, origins: map[string]bool{}, trees: map[string]*node{},
	}
	for _, o := range a.CORSOrigins {
		r.origins[o] = true
	}
	if r.transport == nil {
		r.transport = newUpstream(opt, &a.Backend)
	}
	if r.transport == nil {
		r.transport = opt.Transport
	}
	if opt.Meters != nil {
		r.meter = opt.Meters.Operation(a.Name, noOperation)
	}
	for i, o := range a.Operations {
		if !r.scopes[o.Scope] {
			r.scopes[o.Scope] = true
			r.scopeList = append(r.scopeList, o.Scope)
		}
		if r.trees[o.Method] == nil {
			r.methods = append(r.methods, o.Method)
			r.trees[o.Method] = &node{}
		}
		tier := a.Tier
		if o.Tier != nil {
			tier = *o.Tier
		}
		demands := demandsOf(tier)
		r.scopeOf[o.Method+" "+o.Path] = o.Scope
		person := stronger(o.ACR, tier.Limits().ACR)
		op := &operation{
			demands: demands, index: i, objects: compileObjects(o.Path, o.Objects), limiter: opt.State.limiter(a.Name, o.Method+" "+o.Path, &o.Limits, &a.Limits),
			capacity: opt.State.capacity(a.Name+" "+o.Method+" "+o.Path, o.Limits.Concurrency), contract: o.Contract, idempotency: o.Idempotency.resolved(o.Method, demands),
			label: o.Method + " " + o.Path, scope: o.Scope, acr: o.ACR, personACR: person, maxAge: o.MaxAge, formToken: o.FormToken,
			challenges: newChallenges(newOffer(opt, r, demands.bound), o, person),
		}
		if opt.Meters != nil {
			op.meter = opt.Meters.Operation(a.Name, op.label)
		}
		r.trees[o.Method].add(o.Path, op)
	}
	return r
}

func (n *node) add(template string, op *operation) {
	for seg := range strings.SplitSeq(strings.TrimPrefix(template, "/"), "/") {
		if isParam(seg) {
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
			continue
		}
		child := n.literal[fold(seg)]
		if child == nil {
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			child = &node{name: seg}
			n.literal[fold(seg)] = child
		}
		n = child
	}
	n.op = op
}

func isParam(seg string) bool { return strings.HasPrefix(seg, "{") }

// fold makes names that differ only in case equal. Plain lower-case names
// cost nothing.
func fold(s string) string {
	for i := range len(s) {
		if b := s[i]; b >= 'A' && b <= 'Z' || b >= 0x80 {
			return strings.ToLower(strings.ToUpper(s))
		}
	}
	return s
}

// find returns the most specific operation for rest, which starts with a
// slash: from the left, a literal wins over a parameter. Case is folded on the
// way, and exact says whether that was needed: a backend that folds case would
// run the literal's operation, so falling back to a parameter would judge
// another one than is run.
func (n *node) find(rest string) (op *operation, exact bool) {
	seg, tail := rest[1:], ""
	if i := strings.IndexByte(seg, '/'); i >= 0 {
		seg, tail = seg[:i], seg[i:]
	}
	if n.literal != nil {
		plain := seg
		if strings.IndexByte(seg, '%') >= 0 {
			plain, _ = url.PathUnescape(seg) // was checked: escapes are valid
		}
		if child := n.literal[fold(plain)]; child != nil {
			if op, exact := child.end(tail); op != nil {
				return op, exact && child.name == plain
			}
		}
	}
	if n.param != nil && seg != "" {
		return n.param.end(tail)
	}
	return nil, false
}

func (n *node) end(tail string) (op *operation, exact bool) {
	if tail == "" {
		return n.op, true
	}
	return n.find(tail)
}

// findAPI finds the API with the longest prefix, on a segment boundary.
func (c *call) findAPI() refusal {
	for _, api := range c.g.table {
		n := len(api.prefix)
		if len(c.path) < n || len(c.path) > n && c.path[n] != '/' || !strings.EqualFold(c.path[:n], api.prefix) {
			continue
		}
		if c.path[:n] != api.prefix {
			break
		}
		c.api, c.rest = api, c.path[n:]
		if c.rest == "" {
			c.rest = "/"
		}
		return handled
	}
	return probed
}

// probed answers a path that no operation has.
var probed = refusal{problem: notFound, reason: "unlisted_path", event: audit.RouteProbed}

// findOperation finds what the token must allow.
func (c *call) findOperation() refusal {
	op, exact := c.api.operation(c.r.Method, c.rest)
	switch {
	case op != nil && exact:
		c.op = op
		return handled
	case op != nil:
		return probed
	}
	if allow := c.api.allowed(c.rest); len(allow) > 0 {
		return refusal{problem: wrongMethod, reason: "unlisted_method", allow: strings.Join(allow, ", ")}
	}
	return probed
}

func (api *route) operation(method, rest string) (op *operation, exact bool) {
	if tree := api.trees[method]; tree != nil {
		if op, exact = tree.find(rest); op != nil {
			return op, exact
		}
	}
	if tree := api.trees[http.MethodGet]; tree != nil && method == http.MethodHead {
		return tree.find(rest)
	}
	return nil, false
}

// allowed lists the methods of a path, for Allow (RFC 9110 §10.2.1).
func (api *route) allowed(rest string) []string {
	var out []string
	for _, m := range api.methods {
		if op, exact := api.trees[m].find(rest); op == nil || !exact {
			continue
		}
		out = append(out, m)
	}
	if slices.Contains(out, http.MethodGet) && !slices.Contains(out, http.MethodHead) {
		out = append(out, http.MethodHead)
	}
	if len(out) > 0 && len(api.origins) > 0 {
		out = append(out, http.MethodOptions)
	}
	return out
}
