package contract

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parameter is a compiled Parameter Object.
type parameter struct {
	name     string
	folded   string // as lenient readers take it
	in       string // path, query, header
	required bool
	style    string
	explode  bool
	json     bool // content: its value is a JSON text
	schema   *schema
	shape    shape
	segment  int // of the template, for one of the path
}

// shape is what a text in a parameter is to be read as.
type shape struct {
	types   typeSet
	items   typeSet            // of an array
	members map[string]typeSet // of an object
	lists   map[string]typeSet // of the items of a member that is an array
}

func (s *shape) isArray() bool  { return isList(s.types) }
func (s *shape) isObject() bool { return s.types&typeObject != 0 && s.types&typeString == 0 }

// shape reads off a schema what its values can be, through references and branches.
func (c *compiler) shape(n *node) shape {
	s := shape{types: c.typesOf(n)}
	for _, part := range c.parts(n, 0) {
		if items := part.get("items"); items.there() {
			s.items |= c.typesOf(items)
		}
		for _, name := range part.get("properties").order {
			if s.members == nil {
				s.members, s.lists = map[string]typeSet{}, map[string]typeSet{}
			}
			member := part.get("properties", name)
			s.members[name] |= c.typesOf(member)
			for _, inner := range c.parts(member, 0) {
				s.lists[name] |= c.typesOf(inner.get("items"))
			}
		}
	}
	if s.members != nil && s.types == 0 {
		s.types = typeObject
	}
	return s
}

// parts are a schema and those in place of it.
func (c *compiler) parts(n *node, depth int) []*node {
	if depth > maxRefs {
		return nil
	}
	list := []*node{n}
	if n.get("$ref").there() {
		if target, err := c.d.follow(n); err == nil {
			list = append(list, c.parts(target, depth+1)...)
		}
	}
	for _, name := range []string{"allOf", "anyOf", "oneOf"} {
		for _, branch := range n.get(name).list {
			list = append(list, c.parts(branch, depth+1)...)
		}
	}
	return list
}

func (c *compiler) typesOf(n *node) (set typeSet) {
	for _, part := range c.parts(n, 0) {
		for _, t := range append(slices.Clone(part.get("type").list), part.get("type")) {
			name, _ := t.text()
			set |= typeNames[name]
		}
		for _, v := range append(slices.Clone(part.get("enum").list), part.get("const")) {
			if v.kind == yaml.ScalarNode && set == 0 {
				set |= typeOfScalar(v.scalar)
			}
		}
	}
	return set
}

func typeOfScalar(v any) typeSet {
	switch v.(type) {
	case string:
		return typeString
	case bool:
		return typeBool
	case json.Number:
		return typeNumber | typeInteger
	}
	return typeNull
}

// convert reads a text as the first of the types that it fits.
func convert(text string, types typeSet) any {
	if types&(typeInteger|typeNumber) != 0 {
		if v, code := ParseJSON([]byte(text)); code == "" {
			if n, is := v.(json.Number); is && n.String() == text {
				return n
			}
		}
	}
	if types&typeBool != 0 && (text == "true" || text == "false") {
		return text == "true"
	}
	return text
}

var styles = map[string][]string{
	"path":   {"simple"},
	"query":  {"form", "spaceDelimited", "pipeDelimited", "deepObject"},
	"header": {"simple"},
}

// ignoredHeaders are not parameters, whatever a document says (OpenAPI §4.8.12.2).
var ignoredHeaders = []string{"accept", "content-type", "authorization"}

// parameters compiles those of an operation and of its path; the operation's win.
func (c *compiler) parameters(item, op *node, template string) ([]parameter, error) {
	var list []parameter
	seen := map[string]bool{}
	for _, n := range slices.Concat(op.get("parameters").list, item.get("parameters").list) {
		n, err := c.d.follow(n)
		if err != nil {
			return nil, err
		}
		p, err := c.parameter(n)
		switch {
		case err != nil:
			return nil, err
		case seen[p.in+" "+p.name] || p.in == "":
			continue
		}
		seen[p.in+" "+p.name] = true
		if p.in == "path" {
			p.segment = slices.Index(strings.Split(strings.TrimPrefix(template, "/"), "/"), "{"+p.name+"}")
			if p.segment < 0 {
				return nil, n.problem("parameters: the path has no {%s}", p.name)
			}
		}
		list = append(list, p)
	}
	for seg := range strings.SplitSeq(template, "/") {
		if name, is := strings.CutPrefix(seg, "{"); is && !seen["path "+strings.TrimSuffix(name, "}")] {
			return nil, op.problem("parameters: %s of the path is not described", show(seg))
		}
	}
	return list, nil
}

// parameter compiles one; in is empty for one that says nothing.
func (c *compiler) parameter(n *node) (parameter, error) {
	p := parameter{required: n.get("required").isTrue()}
	p.name, _ = n.get("name").text()
	p.in, _ = n.get("in").text()
	switch {
	case p.name == "":
		return p, n.problem("parameters: name is missing")
	case p.in == "cookie" && p.required:
		return p, n.problem("parameters: the cookie %s is required, but cookies are not passed on", show(p.name))
	case p.in == "cookie", p.in == "header" && slices.Contains(ignoredHeaders, strings.ToLower(p.name)):
		return parameter{}, nil
	case styles[p.in] == nil:
		return p, n.problem("parameters: in: %s is no place", show(p.in))
	}
	p.folded = fold(p.name)
	schema := n.get("schema")
	if content := n.get("content"); len(content.order) == 1 {
		p.json, schema = true, content.fields[content.order[0]].get("schema")
		if kind, _, ok := MediaType(content.order[0]); !ok || !isJSONKind(kind) {
			return p, content.problem("parameters: %s: only JSON is read", show(p.name))
		}
	}
	p.style, p.explode = styles[p.in][0], p.in == "query"
	if style, ok := n.get("style").text(); ok {
		if !slices.Contains(styles[p.in], style) {
			return p, n.get("style").problem("parameters: style: %s is not read in %s: use %s", show(style), p.in, strings.Join(styles[p.in], ", "))
		}
		p.style, p.explode = style, style == "form"
	}
	if explode := n.get("explode"); explode.there() {
		p.explode = explode.isTrue()
	}
	if schema.there() {
		var err error
		if p.schema, err = c.value(schema); err != nil {
			return p, err
		}
		p.shape = c.shape(schema)
	}
	return p, nil
}

// fold makes names of parameters equal that some reader takes for the same.
func fold(name string) string {
	if i := strings.IndexAny(name, "[\x00"); i >= 0 {
		name = name[:i]
	}
	name = strings.Trim(name, " +\t\r\n")
	return strings.Map(func(r rune) rune {
		switch r {
		case '.', ' ', '+', '-':
			return '_'
		}
		return r
	}, strings.ToLower(name))
}

// pair is a parameter of a query or a form, the value as it came.
type pair struct {
	name, raw string
	used      bool
}

// pairs splits a query or a form; ok is false if readers may disagree.
func pairs(query string) (list []pair, ok bool) {
	for rest := query; rest != ""; {
		var one string
		one, rest, _ = strings.Cut(rest, "&")
		if one == "" {
			continue
		}
		key, value, _ := strings.Cut(one, "=")
		name, err := url.QueryUnescape(key)
		if err != nil || !utf8.ValidString(name) || strings.IndexByte(one, ';') >= 0 {
			return nil, false
		}
		list = append(list, pair{name: name, raw: value})
	}
	return list, true
}

// fromPairs returns the value of the parameter, there false if it is not there,
// and a code if it cannot be read.
func (p *parameter) fromPairs(list []pair) (v any, there bool, code string) {
	switch {
	case p.shape.isObject() && p.style == "deepObject":
		return p.members(list, func(name string) (string, bool) {
			inner, is := strings.CutPrefix(name, p.name+"[")
			return strings.TrimSuffix(inner, "]"), is && strings.HasSuffix(inner, "]")
		})
	case p.shape.isObject() && p.explode && !p.json:
		return p.members(list, func(name string) (string, bool) { _, is := p.shape.members[name]; return name, is })
	}
	var raws []string
	for i := range list {
		if list[i].name == p.name {
			list[i].used = true
			raws = append(raws, list[i].raw)
		}
	}
	if len(raws) == 0 {
		return nil, false, ""
	}
	exploded := p.shape.isArray() && p.explode && p.style == "form" && !p.json
	if len(raws) > 1 && !exploded {
		return nil, true, "duplicate"
	}
	if !exploded {
		raws = p.split(raws[0])
	}
	v, code = p.build(raws)
	return v, true, code
}

func (p *parameter) split(raw string) []string {
	if !p.shape.isArray() && !p.shape.isObject() || p.json {
		return []string{raw}
	}
	switch p.style {
	case "spaceDelimited":
		return strings.Split(strings.ReplaceAll(raw, "%20", "+"), "+")
	case "pipeDelimited":
		return strings.Split(strings.ReplaceAll(strings.ReplaceAll(raw, "%7C", "|"), "%7c", "|"), "|")
	}
	return strings.Split(raw, ",")
}

// build makes the value of escaped texts.
func (p *parameter) build(raws []string) (any, string) {
	texts := make([]string, len(raws))
	for i, raw := range raws {
		text, err := url.QueryUnescape(raw)
		if p.in == "path" {
			text, err = url.PathUnescape(raw)
		}
		if p.in == "header" {
			text, err = strings.TrimSpace(raw), nil
		}
		if err != nil || !utf8.ValidString(text) {
			return nil, "encoding"
		}
		texts[i] = text
	}
	switch {
	case p.json:
		return ParseJSON([]byte(texts[0]))
	case p.shape.isArray():
		if len(texts) > MaxItems {
			return nil, "too_many_items"
		}
		list := make([]any, len(texts))
		for i, text := range texts {
			list[i] = convert(text, p.shape.items)
		}
		return list, ""
	case p.shape.isObject():
		return p.alternating(texts)
	}
	return convert(texts[0], p.shape.types), ""
}

// alternating reads name,value,name,value or, exploded, name=value,name=value.
func (p *parameter) alternating(texts []string) (any, string) {
	m := map[string]any{}
	for len(texts) > 0 {
		name, value := texts[0], ""
		if p.explode {
			name, value, _ = strings.Cut(texts[0], "=")
			texts = texts[1:]
		} else if len(texts) == 1 {
			return nil, "encoding"
		} else {
			value, texts = texts[1], texts[2:]
		}
		if _, twice := m[name]; twice {
			return nil, "duplicate"
		}
		m[name] = convert(value, p.shape.members[name])
	}
	return m, ""
}

// members collects an object whose members have parameters of their own.
func (p *parameter) members(list []pair, member func(string) (string, bool)) (any, bool, string) {
	m := map[string]any{}
	for i := range list {
		name, is := member(list[i].name)
		if !is {
			continue
		}
		list[i].used = true
		text, err := url.QueryUnescape(list[i].raw)
		if _, twice := m[name]; twice || err != nil {
			return nil, true, "duplicate"
		}
		m[name] = convert(text, p.shape.members[name])
	}
	if len(m) == 0 {
		return nil, false, ""
	}
	return m, true, ""
}
