package gateway

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/contract"
	"sallyport/internal/ratelimit"
)

// ObjectRule says whose objects an operation may touch: what the call names
// must be what the token says, exactly (API1:2023, ASVS 8.2.2). A call that does
// not name it is refused.
type ObjectRule struct {
	In ObjectPlace
	// Name is the parameter of the template, of the query or of the header; in a
	// body a JSON Pointer in which "*" stands for every item of an array,
	// "/items/*/owner".
	Name string
	// Claim is one of ObjectClaims, or authorization_details.TYPE.FIELD (RFC 9396),
	// which is what the person agreed to and not what is theirs.
	Claim string
	// Node is the type of global identifiers as GraphQL servers make them,
	// base64 of "TYPE:ID"; empty for identifiers as they are.
	Node     string
	Optional bool // a call that does not name it passes
}

// ObjectPlace is where a call names an object.
type ObjectPlace uint8

// The places.
const (
	InPath ObjectPlace = iota
	InQuery
	InHeader
	InBody
)

// ObjectClaims are what an access token says that objects can belong to.
var ObjectClaims = []string{"sub", "client_id", "grant_id", "install_id"}

// objectRules are the compiled rules of an operation.
type objectRules struct {
	list []objectRule
	body bool            // one of them looks into the body
	form bool            // one of them is beaten by a form in the body
	kept map[string]bool // names that the query must not have: some frameworks merge it
}

type objectRule struct {
	ObjectRule
	segment int      // of the template
	folded  string   // name as isParameter compares it
	pointer []string // unescaped
}

func compileObjects(template string, rules []ObjectRule) *objectRules {
	if len(rules) == 0 {
		return nil
	}
	o := &objectRules{kept: map[string]bool{}}
	asked := map[string]bool{}
	for _, r := range rules {
		c := objectRule{ObjectRule: r}
		switch r.In {
		case InPath:
			for i, seg := range strings.Split(template[1:], "/") {
				if seg == "{"+r.Name+"}" {
					c.segment = i
				}
			}
			o.kept[foldName(r.Name)] = true
		case InQuery:
			c.folded, o.form = foldName(r.Name), true
			asked[c.folded] = true
		case InHeader:
			c.Name = http.CanonicalHeaderKey(r.Name)
		case InBody:
			c.pointer, o.body = pointerOf(r.Name), true
			o.kept[foldName(c.pointer[0])] = true
		}
		o.list = append(o.list, c)
	}
	for name := range asked {
		delete(o.kept, name)
	}
	return o
}

// foldName is name in the form that isParameter compares with.
func foldName(name string) string {
	return strings.NewReplacer(".", "_", "-", "_", " ", "_").Replace(strings.ToLower(name))
}

func pointerOf(s string) []string {
	parts := strings.Split(strings.TrimPrefix(s, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts
}

var (
	notYours   = newProblem(http.StatusForbidden, "object_not_allowed", "The access token is not for this object.")
	tooManyIDs = newProblem(http.StatusTooManyRequests, "too_many_requests", "Too many calls for objects of others. Try again later.")
)

// checkObjects holds the objects that the call names against who calls. It is
// the same answer for objects that exist and for others: nobody was asked.
func (c *call) checkObjects() refusal {
	rules := c.op.objects
	if rules == nil {
		return handled
	}
	if rules.kept != nil && c.queryNames(rules.kept) {
		return refusal{problem: notYours, reason: "object_in_query", event: audit.ObjectRefused}
	}
	if rules.form && isForm(c.r.Header) {
		return refusal{problem: notYours, reason: "object_in_form", event: audit.ObjectRefused}
	}
	var body any
	if rules.body {
		var no refusal
		if body, no = c.readJSON(); no.refused() {
			return no
		}
	}
	for i := range rules.list {
		r := &rules.list[i]
		owner := c.claims(r.Claim)
		for j := range owner {
			owner[j] = r.node(owner[j])
		}
		found, wrong := c.named(r, body, owner)
		switch {
		case wrong != nil:
			return c.refuseObject(*wrong)
		case found == 0 && !r.Optional:
			return refusal{problem: notYours, reason: "object_missing", event: audit.ObjectRefused}
		}
	}
	return handled
}

// node is id as the rule's global identifier.
func (r *objectRule) node(id string) string {
	if r.Node == "" || id == "" {
		return id
	}
	return base64.StdEncoding.EncodeToString([]byte(r.Node + ":" + id))
}

// named counts the places where the call names the rule's object; wrong is the
// first that names another than one of owner.
func (c *call) named(r *objectRule, body any, owner []string) (found int, wrong *string) {
	judge := func(id string) bool {
		found++
		for _, o := range owner {
			if o != "" && o == id {
				return true
			}
		}
		if wrong == nil {
			wrong = &id
		}
		return false
	}
	switch r.In {
	case InPath:
		judge(c.segment(r.segment))
	case InQuery:
		c.eachQuery(r.folded, func(key, value string) {
			plus, _ := url.PathUnescape(value) // for some readers "+" is a space
			value, err := url.QueryUnescape(value)
			if key != r.Name || err != nil || plus != value || found > 0 {
				value = ""
			}
			judge(value)
		})
	case InHeader:
		lines := c.r.Header[r.Name]
		if len(lines) > 1 || hasToken(c.r.Header["Connection"], r.Name) {
			judge("")
		} else if len(lines) == 1 {
			judge(lines[0])
		}
	case InBody:
		walk(body, r.pointer, !r.Optional, judge)
	}
	return found, wrong
}

// segment is a segment of the path below the API, decoded once, as every backend does.
func (c *call) segment(n int) string {
	rest := c.rest[1:]
	for ; n > 0; n-- {
		_, rest, _ = strings.Cut(rest, "/")
	}
	seg, _, _ := strings.Cut(rest, "/")
	if strings.IndexByte(seg, '%') >= 0 {
		seg, _ = url.PathUnescape(seg) // was checked: escapes are valid
	}
	return seg
}

// eachQuery calls f for the parameters that any reader takes for name, with the
// decoded key and the value as it came.
func (c *call) eachQuery(name string, f func(key, value string)) {
	for rest := c.query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		key, value, _ := strings.Cut(pair, "=")
		if !isParameter(key, name) {
			continue
		}
		if plain, err := url.QueryUnescape(key); err == nil {
			key = plain
		}
		f(key, value)
	}
}

func (c *call) queryNames(kept map[string]bool) bool {
	if c.query == "" {
		return false
	}
	there := false
	for name := range kept {
		c.eachQuery(name, func(string, string) { there = true })
	}
	return there
}

// walk calls judge for what stands at pointer: a string, or a whole number. Any
// other shape, and a second name that a lenient reader takes for the same one,
// is judged as nobody's; so is an item of an array without it, where it is
// needed. It reports whether there was something to judge.
func walk(v any, pointer []string, needed bool, judge func(string) bool) bool {
	if len(pointer) == 0 {
		judge(identifier(v))
		return true
	}
	head, tail := pointer[0], pointer[1:]
	switch v := v.(type) {
	case []any:
		if head != "*" {
			break
		}
		for _, item := range v {
			if !walk(item, tail, needed, judge) && needed {
				judge("")
			}
		}
		return len(v) > 0
	case map[string]any:
		if head == "*" {
			break
		}
		there, folded := false, foldMember(head)
		for name, inner := range v {
			switch {
			case name == head:
				there = walk(inner, tail, needed, judge) || there
			case foldMember(name) == folded || strings.EqualFold(name, head):
				judge("")
				there = true
			}
		}
		return there
	}
	judge("")
	return true
}

// identifier is a string, or a whole number as it is written; "" for nobody's.
func identifier(v any) string {
	switch id := v.(type) {
	case string:
		return id
	case json.Number:
		if s := id.String(); !strings.ContainsAny(s, ".eE") && s != "-0" {
			return s
		}
	}
	return ""
}

// foldMember makes names of members equal that lenient readers take for the same:
// they fold case, and owner_id with ownerId.
func foldMember(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(strings.ToLower(strings.ToUpper(name)))
}

// readJSON reads a body that every backend takes for JSON.
func (c *call) readJSON() (any, refusal) {
	h := c.r.Header
	if types := h["Content-Type"]; len(types) != 1 || !isJSON(types[0]) || h["Content-Encoding"] != nil {
		return nil, refusal{problem: notYours, reason: "object_not_json", event: audit.ObjectRefused}
	}
	text, no := c.readBody()
	if no.refused() {
		return nil, no
	}
	v, code := contract.ParseJSON(text)
	if code != "" {
		return nil, refusal{problem: invalidRequest, reason: "body_" + code}
	}
	return v, handled
}

// isJSON reports whether a media type is JSON in UTF-8 (RFC 8259, RFC 6839 §3.1).
func isJSON(contentType string) bool {
	kind, params, ok := contract.MediaType(contentType)
	charset := params["charset"]
	return ok && (kind == "application/json" || strings.HasSuffix(kind, "+json")) && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

// isForm reports whether some frameworks would read parameters from the body.
func isForm(h http.Header) bool {
	for _, line := range h["Content-Type"] {
		kind, _, ok := contract.MediaType(line)
		if !ok || strings.HasPrefix(kind, "multipart/") || kind == "application/x-www-form-urlencoded" {
			return true
		}
	}
	return false
}

// Limits of refused objects. An app that asks again for the same one is not
// somebody who looks through them.
const (
	objectSeen   ratelimit.Name = "object_seen"
	objectPerson ratelimit.Name = "object_refused"
)

// refuseObject counts the different objects that somebody was refused, so that
// going through identifiers is seen and slowed (T190).
func (c *call) refuseObject(id string) refusal {
	now, who := c.g.now(), ratelimit.Key(c.access.Subject, c.access.ClientID)
	no := refusal{problem: notYours, reason: "object", event: audit.ObjectRefused}
	table := c.g.state.objects
	if fresh, _ := table.Allow(now, objectSeen, ratelimit.Key(who, c.op.label, id)); !fresh {
		return no
	}
	if ok, wait := table.Allow(now, objectPerson, who); !ok {
		c.w.Header().Set("Retry-After", retryAfter(wait))
		return refusal{problem: tooManyIDs, reason: "objects_enumerated", event: audit.ObjectsProbed}
	}
	return no
}
