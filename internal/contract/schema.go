package contract

import (
	"regexp"
	"slices"
)

// schema is a compiled Schema Object: JSON Schema 2020-12 as OpenAPI 3.1 has it,
// or the older kind of 3.0. nil fields ask for nothing.
type schema struct {
	refuse string // not empty: no value is right, and this is the code
	types  typeSet

	enum     []any
	constant *any
	low      *bound
	high     *bound
	multiple *bound

	minLength, maxLength int // characters, -1: none; so are the next
	pattern              *regexp.Regexp
	format               func(any) bool

	minItems, maxItems       int
	unique                   bool
	prefix                   []*schema
	items                    *schema
	contains                 *schema
	minContains, maxContains int

	minNames, maxNames int
	members            map[string]*schema
	patterns           []patternMember
	others             *schema // additionalProperties
	names              *schema
	required           []string
	alsoRequired       map[string][]string
	alsoHolds          map[string]*schema

	ref               *schema
	allOf             []*schema
	anyOf             []*schema
	oneOf             []*schema
	not               *schema
	cond, then, other *schema

	rest     *schema // unevaluatedProperties
	closed   bool    // a member that nothing has evaluated is an unknown field
	branched bool    // there are schemas in place
	tracks   bool    // rest or closed has to know what the schemas in place have evaluated
}

type patternMember struct {
	pattern *regexp.Regexp
	schema  *schema
}

// inPlace are the schemas that judge the same value.
func (s *schema) inPlace() []*schema {
	list := slices.Concat(s.allOf, s.anyOf, s.oneOf)
	for _, one := range []*schema{s.ref, s.not, s.cond, s.then, s.other} {
		if one != nil {
			list = append(list, one)
		}
	}
	for _, one := range s.alsoHolds {
		list = append(list, one)
	}
	return list
}

// typeSet is a set of JSON types, 0 for any.
type typeSet uint8

const (
	typeNull typeSet = 1 << iota
	typeBool
	typeInteger
	typeNumber // integers too
	typeString
	typeArray
	typeObject
)

var typeNames = map[string]typeSet{
	"null": typeNull, "boolean": typeBool, "integer": typeInteger, "number": typeNumber | typeInteger,
	"string": typeString, "array": typeArray, "object": typeObject,
}

// direction says which properties are out of place: readOnly in requests,
// writeOnly in answers.
type direction uint8

const (
	ofRequest direction = iota
	ofResponse
)

// maxSchemas is how many a document may compile to.
const maxSchemas = 50_000

// compiler makes schemas for one direction.
type compiler struct {
	d      *Document
	of     direction
	closed bool // members that the document does not name are refused
	made   map[schemaKey]*schema

	keywords keywordTable
}

type schemaKey struct {
	n     *node
	value bool
}

func newCompiler(d *Document, of direction, closed bool) *compiler {
	return &compiler{d: d, of: of, closed: closed, made: map[schemaKey]*schema{}, keywords: keywords()}
}

// compile returns the schema of a whole value.
func (c *compiler) compile(n *node) (*schema, error) {
	s, err := c.value(n)
	if err != nil {
		return nil, err
	}
	return s, c.circles()
}

// value compiles a schema that has a value for itself, which the schemas in
// place (allOf and the like) share. Only here can a member be unknown.
func (c *compiler) value(n *node) (*schema, error) {
	if n.get("$ref").there() && (c.d.three0 || len(n.fields) == 1) {
		target, err := c.d.follow(n)
		if err != nil {
			return nil, err
		}
		return c.value(target)
	}
	return c.make(n, true)
}

func (c *compiler) make(n *node, value bool) (*schema, error) {
	key := schemaKey{n, value && c.closed}
	if s := c.made[key]; s != nil {
		return s, nil
	}
	if len(c.made) == maxSchemas {
		return nil, n.problem("the document has more than %d schemas", maxSchemas)
	}
	s := &schema{minLength: -1, maxLength: -1, minItems: -1, maxItems: -1, minContains: -1, maxContains: -1, minNames: -1, maxNames: -1}
	c.made[key] = s
	if b, is := n.scalar.(bool); is {
		if !b {
			s.refuse = "not_allowed"
		}
		return s, nil
	}
	if n.fields == nil {
		return nil, n.problem("a schema must be fields with values")
	}
	if ref := n.get("$ref"); ref.there() {
		target, err := c.d.follow(n)
		if err != nil {
			return nil, err
		}
		s.branched = true
		if s.ref, err = c.make(target, false); err != nil || c.d.three0 {
			return s, err // 3.0: what stands beside $ref is ignored
		}
	}
	for _, name := range n.order {
		if err := c.keyword(s, n, name); err != nil {
			return nil, err
		}
	}
	c.direction(s, n)
	s.branched = len(s.inPlace()) > 0
	s.closed = key.value && c.describesObject(n, map[*node]bool{})
	s.tracks = s.rest != nil || s.closed
	return s, nil
}

// direction takes the properties out that go the other way.
func (c *compiler) direction(s *schema, n *node) {
	flag, code := "readOnly", "read_only"
	if c.of == ofResponse {
		flag, code = "writeOnly", "write_only"
	}
	for _, name := range n.get("properties").order {
		if c.flagged(n.fields["properties"].fields[name], flag) {
			s.members[name] = &schema{refuse: code}
			s.required = slices.DeleteFunc(s.required, func(r string) bool { return r == name })
		}
	}
}

func (c *compiler) flagged(n *node, flag string) bool {
	for range maxRefs {
		if n.get(flag).isTrue() {
			return true
		}
		if !n.get("$ref").there() {
			return false
		}
		next, err := c.d.target(n.get("$ref"))
		if err != nil {
			return false
		}
		n = next
	}
	return false
}

// describesObject reports whether a schema says something of members. One that
// does not ("any value") leaves them open.
func (c *compiler) describesObject(n *node, seen map[*node]bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	for _, t := range append(n.get("type").list, n.get("type")) {
		if name, _ := t.text(); name == "object" {
			return true
		}
	}
	for _, name := range []string{"properties", "required", "patternProperties", "additionalProperties"} {
		if n.get(name).there() {
			return true
		}
	}
	if n.get("$ref").there() {
		if target, err := c.d.follow(n); err == nil && c.describesObject(target, seen) {
			return true
		}
	}
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		for _, branch := range n.get(name).list {
			if c.describesObject(branch, seen) {
				return true
			}
		}
	}
	return false
}

// circles refuses schemas that judge the same value again and again.
func (c *compiler) circles() error {
	const open, done = 1, 2
	state := map[*schema]int{}
	var walk func(*schema) bool
	walk = func(s *schema) bool {
		switch state[s] {
		case open:
			return false
		case done:
			return true
		}
		state[s] = open
		for _, next := range s.inPlace() {
			if !walk(next) {
				return false
			}
		}
		state[s] = done
		return true
	}
	for key, s := range c.made {
		if !walk(s) {
			return key.n.problem("the schema contains itself without anything between: no value could be judged")
		}
	}
	return nil
}
