package contract

import (
	"encoding/json"
	"strings"
)

// GraphQL bounds what one request may make a GraphQL server do (API4:2023), for
// documents of the October 2021 edition. A limit of 0 is that of DefaultGraphQL.
type GraphQL struct {
	Depth         int  // fields inside fields
	Aliases       int  // in all operations and fragments
	Fields        int  // after fragments are put in their places
	Batch         int  // requests in one array
	PageSize      int  // of first, last, limit and the like, written in the document or in a variable of that name
	Introspection bool // __schema and __type may be asked for
	// Variables refuses texts and numbers in the document: identifiers come in
	// variables, where rules about objects look.
	Variables bool
}

// DefaultGraphQL is what ordinary apps need.
var DefaultGraphQL = GraphQL{Depth: 10, Aliases: 20, Fields: 500, Batch: 1, PageSize: 100}

const maxTokens = 10_000 // of one document

// CheckRequest judges the JSON value of a request: an object with query and
// variables, or an array of them.
func (g *GraphQL) CheckRequest(body any) []Fault {
	list, batch := body.([]any)
	if !batch {
		list = []any{body}
	}
	if len(list) == 0 || len(list) > max(g.Batch, 1) {
		return []Fault{{"body", "", "graphql_batch"}}
	}
	for _, one := range list {
		request, _ := one.(map[string]any)
		query, is := request["query"].(string)
		if !is {
			return []Fault{{"body", "/query", "required"}}
		}
		p, code := g.document(query)
		if code != "" {
			return []Fault{{"body", "/query", code}}
		}
		variables, _ := request["variables"].(map[string]any)
		for name := range p.sizes {
			if !g.fitsVariable(variables[name]) {
				return []Fault{{"body", "/variables", "graphql_page_size"}}
			}
			if !g.fits(p.defaults[name]) {
				return []Fault{{"body", "/query", "graphql_page_size"}}
			}
		}
	}
	return nil
}

// fitsVariable reports whether a variable may be the size of a page. What is no
// number the server has to refuse.
func (g *GraphQL) fitsVariable(v any) bool {
	n, is := v.(json.Number)
	return !is || g.fits(n.String())
}

func isPageSize(name string) bool {
	switch strings.ToLower(strings.ReplaceAll(name, "_", "")) {
	case "first", "last", "limit", "pagesize", "perpage", "take", "top", "count":
		return true
	}
	return false
}

func (g *GraphQL) fits(number string) bool {
	n := 0
	for i := range len(number) {
		if !isDigit(number[i]) || n > g.PageSize {
			return false
		}
		n = n*10 + int(number[i]-'0')
	}
	return n <= g.PageSize
}

// document judges a query document.
func (g *GraphQL) document(text string) (*graphQLParser, string) {
	p := &graphQLParser{limits: g, lexer: lexer{text: text}, fragments: map[string]*selection{}, sizes: map[string]bool{}, defaults: map[string]string{}}
	p.next()
	var operations []*selection
	for p.code == "" && p.token != "" {
		switch p.token {
		case "{":
			operations = append(operations, p.set(1))
		case "query", "mutation", "subscription":
			p.until("{")
			operations = append(operations, p.set(1))
		case "fragment":
			p.next()
			name := p.token
			p.until("{")
			if p.fragments[name] != nil {
				return nil, "graphql"
			}
			p.fragments[name] = p.set(1)
		default:
			return nil, "graphql" // type definitions are for servers
		}
	}
	switch {
	case p.code != "":
		return nil, p.code
	case len(operations) == 0:
		return nil, "graphql"
	}
	for _, op := range operations {
		if code := p.weigh(op); code != "" {
			return nil, code
		}
	}
	return p, ""
}

// selection is what counts of a selection set: how deep it goes and how many
// fields it has without fragments, and which of these stand at which depth.
type selection struct {
	depth, fields int
	spreads       []spread
	state         int // 0: not put together, 1: on the way, 2: done
}

type spread struct {
	name  string
	depth int // of fields around it
}

type graphQLParser struct {
	limits    *GraphQL
	lexer     lexer
	token     string
	fragments map[string]*selection
	aliases   int
	sizes     map[string]bool   // variables that are the size of a page
	defaults  map[string]string // of variables, where they are numbers
	code      string
}

func (p *graphQLParser) fail(code string) {
	if p.code == "" {
		p.code = code
	}
	p.token = ""
}

func (p *graphQLParser) next() {
	if p.code != "" {
		return
	}
	token, ok := p.lexer.next()
	if !ok {
		p.fail("graphql")
		return
	}
	p.token = token
}

// until goes on to a brace of a selection set, over variables and directives.
func (p *graphQLParser) until(end string) {
	for p.code == "" && p.token != end {
		switch p.token {
		case "":
			p.fail("graphql")
		case "(":
			p.arguments(false)
		default:
			p.next()
		}
	}
}

// set reads a selection set at a depth, whose brace is next.
func (p *graphQLParser) set(depth int) *selection {
	s := &selection{}
	if depth > p.limits.Depth {
		p.fail("graphql_depth")
	}
	p.next()
	for p.code == "" && p.token != "}" {
		switch {
		case p.token == "...":
			p.spread(s, depth)
		case isGraphQLName(p.token):
			p.field(s, depth)
		default:
			p.fail("graphql")
		}
	}
	p.next()
	return s
}

func (p *graphQLParser) field(s *selection, depth int) {
	name := p.token
	p.next()
	if p.token == ":" {
		if p.aliases++; p.aliases > p.limits.Aliases {
			p.fail("graphql_aliases")
		}
		p.next()
		name = p.token
		if !isGraphQLName(name) {
			p.fail("graphql")
		}
		p.next()
	}
	if (name == "__schema" || name == "__type") && !p.limits.Introspection {
		p.fail("graphql_introspection")
	}
	s.depth, s.fields = max(s.depth, depth), s.fields+1
	if p.token == "(" {
		p.arguments(true)
	}
	p.directives()
	if p.token == "{" {
		p.merge(s, p.set(depth+1))
	}
}

func (p *graphQLParser) merge(s, inner *selection) {
	s.depth, s.fields = max(s.depth, inner.depth), s.fields+inner.fields
	s.spreads = append(s.spreads, inner.spreads...)
}

func (p *graphQLParser) spread(s *selection, depth int) {
	p.next()
	if isGraphQLName(p.token) && p.token != "on" {
		s.spreads = append(s.spreads, spread{p.token, depth - 1})
		p.next()
		p.directives()
		return
	}
	if p.token == "on" {
		p.next()
		p.next()
	}
	p.directives()
	if p.token != "{" {
		p.fail("graphql")
		return
	}
	p.merge(s, p.set(depth))
}

func (p *graphQLParser) directives() {
	for p.code == "" && p.token == "@" {
		p.next()
		p.next()
		if p.token == "(" {
			p.arguments(true)
		}
	}
}

// arguments reads to the closing parenthesis. Those of variables may have
// defaults; values are what the field is called with.
func (p *graphQLParser) arguments(values bool) {
	name, before, variable := "", "", ""
	for deep := 0; p.code == ""; p.next() {
		switch p.token {
		case "":
			p.fail("graphql")
		case "(", "[", "{":
			if deep++; deep > MaxDepth {
				p.fail("too_deep")
			}
		case ")", "]", "}":
			if deep--; deep == 0 {
				p.next()
				return
			}
		case ":":
			name = before
		case "$":
		default:
			if before == "$" {
				variable = p.token
				if values && isPageSize(name) {
					p.sizes[variable] = true
				}
				break
			}
			p.literal(name, variable, values)
		}
		before = p.token
	}
}

// literal judges a value that stands in the document: an argument's, or the
// default of a variable.
func (p *graphQLParser) literal(name, variable string, values bool) {
	first := p.token[0]
	number := isDigit(first) || first == '-'
	switch {
	case (number || first == '"') && p.limits.Variables:
		p.fail("graphql_literal")
	case number && values && isPageSize(name) && !p.limits.fits(p.token):
		p.fail("graphql_page_size")
	case number && !values:
		p.defaults[variable] = p.token
	}
}

// weigh puts fragments in their places: they may be used often, and in a circle.
func (p *graphQLParser) weigh(s *selection) string {
	switch s.state {
	case 1:
		return "graphql_circle"
	case 2:
		return ""
	}
	s.state = 1
	for _, sp := range s.spreads {
		f := p.fragments[sp.name]
		if f == nil {
			return "graphql"
		}
		if code := p.weigh(f); code != "" {
			return code
		}
		s.depth, s.fields = max(s.depth, sp.depth+f.depth), s.fields+f.fields
		if s.fields > p.limits.Fields {
			return "graphql_fields"
		}
	}
	s.state = 2
	switch {
	case s.depth > p.limits.Depth:
		return "graphql_depth"
	case s.fields > p.limits.Fields:
		return "graphql_fields"
	}
	return ""
}

// lexer splits a document into tokens (GraphQL §2.1); "" is its end.
type lexer struct {
	text  string
	at    int
	count int
}

func (l *lexer) next() (string, bool) {
	for l.at < len(l.text) {
		switch b := l.text[l.at]; {
		case b == ' ' || b == '\t' || b == '\r' || b == '\n' || b == ',':
			l.at++
			continue
		case strings.HasPrefix(l.text[l.at:], "\ufeff"):
			l.at += len("\ufeff")
			continue
		case b == '#':
			for l.at < len(l.text) && l.text[l.at] != '\n' && l.text[l.at] != '\r' {
				l.at++
			}
			continue
		}
		break
	}
	if l.at >= len(l.text) {
		return "", true
	}
	if l.count++; l.count > maxTokens {
		return "", false
	}
	start, b := l.at, l.text[l.at]
	switch {
	case strings.IndexByte("!$&()=:@[]{|}", b) >= 0:
		l.at++
	case strings.HasPrefix(l.text[l.at:], "..."):
		l.at += len("...")
	case b == '"':
		return l.str()
	case b == '-' || isDigit(b):
		for l.at++; l.at < len(l.text) && (isNameByte(l.text[l.at]) || strings.IndexByte(".+-", l.text[l.at]) >= 0); l.at++ {
		}
	case isNameByte(b):
		for ; l.at < len(l.text) && isNameByte(l.text[l.at]); l.at++ {
		}
	default:
		return "", false
	}
	return l.text[start:l.at], true
}

// str reads a string or a block string; its token is a quote.
func (l *lexer) str() (string, bool) {
	const block = `"""`
	if strings.HasPrefix(l.text[l.at:], block) {
		rest := l.text[l.at+len(block):]
		for from := 0; ; {
			end := strings.Index(rest[from:], block)
			if end < 0 {
				return "", false
			}
			if end += from; end > 0 && rest[end-1] == '\\' {
				from = end + len(block)
				continue
			}
			l.at += len(block) + end + len(block)
			return `"`, true
		}
	}
	for i := l.at + 1; i < len(l.text); i++ {
		switch l.text[i] {
		case '\\':
			i++
		case '\n', '\r':
			return "", false
		case '"':
			l.at = i + 1
			return `"`, true
		}
	}
	return "", false
}

func isNameByte(b byte) bool { return b == '_' || isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'z' }

func isGraphQLName(token string) bool {
	return token != "" && isNameByte(token[0]) && !isDigit(token[0])
}
