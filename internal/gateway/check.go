package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/outbound"
	"sallyport/internal/token"
)

// checker collects problems, so that one start shows all of them.
type checker struct{ problems []error }

func (k *checker) addf(format string, args ...any) {
	k.problems = append(k.problems, fmt.Errorf(format, args...))
}

// check refuses options that would leave something unguarded or ambiguous.
func (o *Options) check() error {
	if o.Ring == nil || o.Feed == nil || o.Proofs == nil || o.Now == nil {
		return errors.New("gateway: Ring, Feed, Proofs and Now are needed")
	}
	k := &checker{}
	if u, err := url.Parse(o.Issuer); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !isSafe(o.Issuer) {
		k.addf("issuer: %s is not an absolute URL: write for example https://auth.example.com", outbound.Show(o.Issuer))
	}
	if o.MaxBodyBytes < 0 || o.UpstreamTimeout < 0 {
		k.addf("limits: a negative limit allows nothing: leave it out for the default")
	}
	seen := map[string]string{}
	for i := range o.APIs {
		a := &o.APIs[i]
		where := fmt.Sprintf("api %q", a.Name)
		if a.Name == "" || !isSafe(a.Name) {
			where = fmt.Sprintf("apis[%d]", i)
			k.addf("%s: name: missing or not plain text: give each API a short name", where)
		}
		for _, u := range [...][2]string{{"name", a.Name}, {"audience", a.Audience}, {"path", strings.ToLower(strings.TrimSuffix(a.Path, "/"))}} {
			if other, taken := seen[u[0]+" "+u[1]]; taken {
				k.addf("%s: %s: the same as of %s: each API needs its own", where, u[0], other)
			}
			seen[u[0]+" "+u[1]] = where
		}
		k.api(where, a)
	}
	return errors.Join(k.problems...)
}

func (k *checker) api(where string, a *API) {
	if u, err := url.Parse(a.Audience); err != nil || u.Scheme == "" || u.Fragment != "" || !isSafe(a.Audience) {
		k.addf("%s: audience: %s is not an absolute URI without fragment: write for example https://api.example.com/catalog", where, outbound.Show(a.Audience))
	}
	if why := checkPath(a.Path); why != "" || strings.Contains(a.Path, "%") || len(a.Path) > 1 && strings.HasSuffix(a.Path, "/") {
		k.addf("%s: path: %q is not a plain path: write for example /catalog, without a slash at the end", where, a.Path)
	} else if first, _, _ := strings.Cut(a.Path[1:], "/"); strings.EqualFold(first, ".well-known") {
		k.addf("%s: path: %q is kept for metadata: choose another", where, a.Path)
	}
	k.upstream(where, a.Upstream)
	if a.Tier > token.TierHigh {
		k.addf("%s: tier: unknown: use low, standard or high", where)
	}
	for _, origin := range a.CORSOrigins {
		if !isOrigin(origin) {
			k.addf("%s: cors_origins: %s is not one exact origin: write for example https://app.example.com, without a path; "+
				"* and null are not possible, http only for this machine", where, outbound.Show(origin))
		}
	}
	if len(a.Operations) == 0 {
		k.addf("%s: operations: none, and everything unlisted is refused: list each as method, path and scope", where)
	}
	k.backend(where, a)
	for i := range a.Operations {
		k.operation(fmt.Sprintf("%s: operations[%d]", where, i), &a.Operations[i])
	}
	k.overlaps(where, a.Operations)
}

func (k *checker) upstream(where string, u *url.URL) {
	switch {
	case u == nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		k.addf("%s: upstream: not an http or https URL with a host: write for example http://127.0.0.1:9000", where)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		k.addf("%s: upstream: it may have neither user, query nor fragment: leave scheme, host and path", where)
	case u.EscapedPath() != "" && checkPath(u.EscapedPath()) != "":
		k.addf("%s: upstream: its path has segments that could be read in more than one way: write it plainly", where)
	}
}

// methods that an operation may have. TRACE echoes headers, CONNECT opens
// tunnels, OPTIONS belongs to CORS (ASVS 13.4.4).
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "QUERY"}

func (k *checker) operation(where string, o *Operation) {
	if !slices.Contains(methods, o.Method) {
		k.addf("%s: method: %q is not one of %s", where, o.Method, strings.Join(methods, ", "))
	}
	if why := checkTemplate(o.Path); why != "" {
		k.addf("%s: path: %q %s", where, o.Path, why)
	}
	switch {
	case o.Scope == "":
		k.addf("%s: scope: missing: every operation needs one, for example catalog.read", where)
	case !isScope(o.Scope):
		k.addf("%s: scope: %q is not one scope value: no spaces, quotes or backslashes", where, o.Scope)
	}
	k.objects(where, o)
	k.contract(where, o)
	if o.FormToken && (o.Method == "GET" || o.Method == "HEAD") {
		k.addf("%s: form_token: a %s has no form: remove it", where, o.Method)
	}
	if o.ACR != "" && !slices.Contains(token.ACRs, o.ACR) {
		k.addf("%s: acr: %q is unknown: use one of %s", where, o.ACR, strings.Join(token.ACRs, ", "))
	}
	if o.Tier != nil && *o.Tier > token.TierHigh {
		k.addf("%s: tier: unknown: use low, standard or high", where)
	}
	if o.MaxAge < 0 || o.MaxAge%time.Second != 0 {
		k.addf("%s: max_age: %s is not a number of whole seconds", where, o.MaxAge)
	}
}

// checkTemplate returns what is wrong with a template, or "".
func checkTemplate(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "does not start with a slash: write for example /items/{id}"
	}
	var seen []string
	for seg := range strings.SplitSeq(path[1:], "/") {
		if !strings.ContainsAny(seg, "{}") {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(seg, "{"), "}")
		if len(name) != len(seg)-2 || !isName(name) {
			return "has a parameter that is not one whole segment: write {name}"
		}
		if slices.Contains(seen, name) {
			return "names a parameter twice"
		}
		seen = append(seen, name)
	}
	literal := strings.NewReplacer("{", "", "}", "").Replace(path)
	if checkPath(literal) != "" || strings.Contains(literal, "%") {
		return "has segments that could be read in more than one way: write it plainly, without escapes"
	}
	return ""
}

// overlaps refuses templates of one method between which a request could not
// choose: the backend's router might choose the other one.
func (k *checker) overlaps(where string, ops []Operation) {
	for i := range ops {
		for j := range i {
			a, b := &ops[j], &ops[i]
			if a.Method != b.Method {
				continue
			}
			switch overlap(a.Path, b.Path) {
			case apart, nested:
			case same:
				k.addf("%s: operations[%d]: path: %s %s matches the same calls as operations[%d]: remove one", where, i, b.Method, b.Path, j)
			case crossing:
				if (a.Scope != b.Scope || a.ACR != b.ACR || a.MaxAge != b.MaxAge || !slices.Equal(a.Objects, b.Objects) || !sameTier(a.Tier, b.Tier)) && !lists(ops, a.Method, common(a.Path, b.Path)) {
					k.addf("%s: operations[%d]: path: %s %s and %s match some of the same calls, with different demands, and neither is "+
						"more specific: make the demands equal or list %s too", where, i, b.Method, b.Path, a.Path, common(a.Path, b.Path))
				}
			}
		}
	}
}

type overlapKind int

const (
	apart    overlapKind = iota
	nested               // one is more specific everywhere
	crossing             // each is more specific somewhere
	same
)

// overlap compares templates. A slash at the end and case do not keep two
// apart, because many backends ignore them.
func overlap(a, b string) overlapKind {
	as, bs := strings.Split(strings.TrimSuffix(a, "/"), "/"), strings.Split(strings.TrimSuffix(b, "/"), "/")
	if len(as) != len(bs) {
		return apart
	}
	moreA, moreB := false, false
	for i := range as {
		switch pa, pb := isParam(as[i]), isParam(bs[i]); {
		case pa && !pb:
			moreB = true
		case pb && !pa:
			moreA = true
		case !pa && !pb && fold(as[i]) != fold(bs[i]):
			return apart
		}
	}
	switch {
	case moreA && moreB:
		return crossing
	case moreA || moreB:
		return nested
	}
	return same
}

// common is the template of the calls that both templates match.
func common(a, b string) string {
	as, bs := strings.Split(strings.TrimSuffix(a, "/"), "/"), strings.Split(strings.TrimSuffix(b, "/"), "/")
	for i := range as {
		if isParam(as[i]) {
			as[i] = bs[i]
		}
	}
	return strings.Join(as, "/")
}

func sameTier(a, b *token.Tier) bool { return a == b || a != nil && b != nil && *a == *b }

func lists(ops []Operation, method, path string) bool {
	return slices.ContainsFunc(ops, func(o Operation) bool { return o.Method == method && overlap(o.Path, path) == same })
}

// isSafe reports whether s can stand in a quoted string of a header.
func isSafe(s string) bool {
	for i := range len(s) {
		if b := s[i]; b <= 0x20 || b >= 0x7f || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

// isScope is scope-token of RFC 6749 §3.3.
func isScope(s string) bool { return s != "" && len(s) <= 128 && isSafe(s) }

func isName(s string) bool {
	for i := range len(s) {
		b := s[i]
		if letter, digit := b == '_' || b|0x20 >= 'a' && b|0x20 <= 'z', b >= '0' && b <= '9'; !letter && (!digit || i == 0) {
			return false
		}
	}
	return s != ""
}

// isOrigin reports whether s is an origin as browsers write it (RFC 6454 §6.2)
// of a page that could not have been tampered with on its way: https, an app's
// own web view, or http on this machine.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != s || s != strings.ToLower(s) || !isSafe(s) || strings.ContainsAny(u.Host, "*,@") {
		return false
	}
	switch u.Scheme {
	case "https", "capacitor", "ionic":
		return true
	case "http":
		ip := net.ParseIP(u.Hostname())
		return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	return false
}
