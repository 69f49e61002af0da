package contract

import (
	"net/http"
	"slices"
	"strings"
)

// CompileOptions say how strictly an operation is held to its description.
type CompileOptions struct {
	// Closed refuses parameters of the query and members of bodies that the
	// document does not name, unless it says that others are welcome.
	Closed bool
	// Stream passes bodies on without reading them: only their type is held.
	Stream bool
}

// Operation is the compiled description of an operation. Safe for concurrent use.
type Operation struct {
	closed    bool
	params    []parameter
	body      *bodyContract
	responses map[string]*answerContract // by status, 4XX or default
}

// bodyContract is a compiled Request Body Object.
type bodyContract struct {
	required bool
	media    []Media
}

// Compile compiles one of the operations of d.
func (d *Document) Compile(l Listed, o CompileOptions) (*Operation, error) {
	c := newCompiler(d, ofRequest, o.Closed)
	op := &Operation{closed: o.Closed}
	var err error
	if op.params, err = c.parameters(l.item, l.op, l.Path); err != nil {
		return nil, err
	}
	body, err := d.follow(l.op.get("requestBody"))
	if err != nil {
		return nil, err
	}
	if body.there() {
		op.body = &bodyContract{required: body.get("required").isTrue()}
		if op.body.media, err = c.content(body.get("content"), o.Stream); err != nil {
			return nil, err
		}
		if len(op.body.media) == 0 {
			return nil, body.problem("requestBody: content is missing")
		}
	}
	if err := c.circles(); err != nil {
		return nil, err
	}
	answers := newCompiler(d, ofResponse, o.Closed)
	if op.responses, err = answers.responses(l.op.get("responses")); err != nil {
		return nil, err
	}
	return op, answers.circles()
}

// Closed reports whether what the document does not name is refused.
func (o *Operation) Closed() bool { return o.closed }

// NeededHeaders are the headers without which a request is refused.
func (o *Operation) NeededHeaders() []string {
	var list []string
	for i := range o.params {
		if p := &o.params[i]; p.in == "header" && p.required {
			list = append(list, p.name)
		}
	}
	return list
}

// Unbounded are the parameters that look like the size of a page and have no
// maximum: who asks for everything gets it.
func (o *Operation) Unbounded() []string {
	var list []string
	for i := range o.params {
		p := &o.params[i]
		if p.in == "query" && slices.Contains(pageSizes, p.folded) && p.schema != nil && p.schema.high == nil && p.schema.enum == nil && p.schema.ref == nil {
			list = append(list, p.name)
		}
	}
	return list
}

var pageSizes = []string{"limit", "page_size", "pagesize", "per_page", "perpage", "size", "count", "first", "last", "top", "$top", "max_results", "maxresults", "take"}

// CheckHead holds path and query, as they came, and the header against the
// description. path is that below the template's root.
func (o *Operation) CheckHead(path, query string, header http.Header) []Fault {
	if len(o.params) == 0 && (query == "" || !o.closed) {
		return nil
	}
	var faults []Fault
	list, ok := pairs(query)
	if !ok {
		return []Fault{{"query", "", "encoding"}}
	}
	for i := range o.params {
		p := &o.params[i]
		v, there, code := p.read(path, list, header)
		switch {
		case code != "":
			faults = append(faults, Fault{p.in, p.name, code})
		case !there && p.required:
			faults = append(faults, Fault{p.in, p.name, "required"})
		case there && p.schema != nil:
			faults = p.judge(v, faults)
		}
	}
	for i := range list {
		if !list[i].used {
			faults = o.unknown(list[i].name, faults)
		}
	}
	return faults[:min(len(faults), maxFaults)]
}

// unknown judges a parameter of the query that nothing describes. One that some
// readers take for a described one is refused in any case.
func (o *Operation) unknown(name string, faults []Fault) []Fault {
	folded := fold(name)
	for i := range o.params {
		if p := &o.params[i]; p.in == "query" && p.folded == folded {
			return append(faults, Fault{"query", p.name, "duplicate"})
		}
	}
	if o.closed {
		return append(faults, Fault{"query", "", "unknown_parameter"}) // strangers choose its name
	}
	return faults
}

func (p *parameter) read(path string, list []pair, header http.Header) (v any, there bool, code string) {
	switch p.in {
	case "query":
		return p.fromPairs(list)
	case "header":
		lines := header.Values(p.name)
		if len(lines) == 0 {
			return nil, false, ""
		}
		if len(lines) > 1 && !p.shape.isArray() {
			return nil, true, "duplicate"
		}
		v, code = p.build(p.split(strings.Join(lines, ",")))
		return v, true, code
	}
	v, code = p.build(p.split(segment(path, p.segment)))
	return v, true, code
}

func segment(path string, n int) string {
	rest := strings.TrimPrefix(path, "/")
	for ; n > 0; n-- {
		_, rest, _ = strings.Cut(rest, "/")
	}
	seg, _, _ := strings.Cut(rest, "/")
	return seg
}

// judge holds a value against the schema. Places inside it follow the name.
func (p *parameter) judge(v any, faults []Fault) []Fault {
	n := len(faults)
	faults = p.schema.validate(p.in, v, faults)
	for i := n; i < len(faults); i++ {
		faults[i].Pointer = p.name + faults[i].Pointer
	}
	return faults
}

// CheckMedia finds what the body has to be. size is Content-Length, -1 if it is
// not known. No media and no fault: there is no body.
func (o *Operation) CheckMedia(header http.Header, size int64) (*Media, []Fault) {
	switch {
	case size == 0 && o.body != nil && o.body.required:
		return nil, []Fault{{"body", "", "required"}}
	case size == 0:
		return nil, nil
	case o.body == nil:
		return nil, []Fault{{"body", "", "body_unexpected"}}
	}
	m := match(o.body.media, header)
	if m == nil {
		return nil, []Fault{{"header", "Content-Type", "media_type"}}
	}
	if m.reads() && header["Content-Encoding"] != nil {
		return nil, []Fault{{"header", "Content-Encoding", "media_type"}}
	}
	return m, nil
}
