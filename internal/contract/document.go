package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of documents. Whoever writes one may not be who runs the gateway.
const (
	maxFile      = 4 << 20 // bytes, of one file
	maxFiles     = 32
	maxNodes     = 200_000 // values, of all files
	maxDocDepth  = 100
	maxProblems  = 50
	maxRefs      = 32 // of references that lead to references
	maxOperation = 5_000
)

// Problem is something wrong in a document.
type Problem struct {
	File string
	Line int // 0 where it stands nowhere
	Text string
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// Document is an OpenAPI document (3.0 or 3.1) with the files that it refers to.
// It is read once and never changed: safe for concurrent use.
type Document struct {
	file    string
	three0  bool
	root    *node
	files   map[string]*node
	open    func(name string) ([]byte, error)
	nodes   int
	servers []string // paths of servers, each once
}

// Files are those that were read for it so far, in order.
func (d *Document) Files() []string { return slices.Sorted(maps.Keys(d.files)) }

// node is a value of a document with its place.
type node struct {
	file   string
	line   int
	scalar any // nil, bool, json.Number, string
	list   []*node
	fields map[string]*node
	order  []string // names of fields
	kind   yaml.Kind
}

// Read reads the document named file. open returns files of its folder, which
// it alone decides about: names have no slash. The error is a *Problem, or a
// join of them.
func Read(file string, open func(name string) ([]byte, error)) (*Document, error) {
	d := &Document{file: file, files: map[string]*node{}, open: open}
	root, err := d.load(file)
	if err != nil {
		return nil, err
	}
	if err := d.loadAll(root); err != nil {
		return nil, err
	}
	d.root, d.open = root, nil
	version, _ := root.get("openapi").text()
	switch {
	case three0.MatchString(version):
		d.three0 = true
	case three1.MatchString(version):
		if dialect, ok := root.get("jsonSchemaDialect").text(); ok && !slices.Contains(dialects, dialect) {
			return nil, root.get("jsonSchemaDialect").problem("jsonSchemaDialect: only that of OpenAPI 3.1 and JSON Schema 2020-12 are read")
		}
	default:
		return nil, root.problem("openapi: %s is no version that is read: write an OpenAPI document of 3.0 or 3.1", show(version))
	}
	if root.get("paths").kind != yaml.MappingNode {
		return nil, root.problem("paths: missing: there is nothing to call")
	}
	return d, d.readServers()
}

var (
	three0   = regexp.MustCompile(`^3\.0\.\d{1,3}$`)
	three1   = regexp.MustCompile(`^3\.1\.\d{1,3}$`)
	dialects = []string{"https://spec.openapis.org/oas/3.1/dialect/base", "https://json-schema.org/draft/2020-12/schema"}
)

// show is text of a document in a message: short, and on one line.
func show(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strconv.Quote(s)
}

// load reads a file once.
func (d *Document) load(file string) (*node, error) {
	if n := d.files[file]; n != nil {
		return n, nil
	}
	if len(d.files) == maxFiles {
		return nil, &Problem{file, 0, fmt.Sprintf("is one file more than the %d that a document may have", maxFiles)}
	}
	text, err := d.open(file)
	if err != nil {
		return nil, &Problem{file, 0, err.Error()}
	}
	if len(text) > maxFile {
		return nil, &Problem{file, 0, fmt.Sprintf("is larger than %d MiB", maxFile>>20)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, &Problem{file, 0, "is neither YAML nor JSON: " + strings.TrimPrefix(err.Error(), "yaml: ")}
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &Problem{file, 0, "has more than one document"}
	}
	n, err := d.convert(file, doc.Content[0], 0)
	if err != nil {
		return nil, err
	}
	d.files[file] = n
	return n, nil
}

// loadAll reads the files that references lead to, and so on.
func (d *Document) loadAll(n *node) error {
	if ref, is := n.get("$ref").text(); is {
		file, _, _ := strings.Cut(strings.TrimPrefix(ref, "./"), "#")
		if file != "" && isFileName(file) && d.files[file] == nil {
			next, err := d.load(file)
			if err != nil {
				return n.get("$ref").problem("$ref: %s", err.Error())
			}
			if err := d.loadAll(next); err != nil {
				return err
			}
		}
	}
	for _, item := range n.list {
		if err := d.loadAll(item); err != nil {
			return err
		}
	}
	for _, name := range n.order {
		if name == "example" || name == "examples" {
			continue // values, not references
		}
		if err := d.loadAll(n.fields[name]); err != nil {
			return err
		}
	}
	return nil
}

// isFileName reports whether a reference names a file of the same folder.
func isFileName(s string) bool {
	return !strings.ContainsAny(s, `/\:%?*`) && !strings.HasPrefix(s, ".")
}

func (d *Document) convert(file string, y *yaml.Node, depth int) (*node, error) {
	n := &node{file: file, line: y.Line, kind: y.Kind}
	if d.nodes++; d.nodes > maxNodes || depth > maxDocDepth {
		return nil, n.problem("the document is too large or too deep: %d values, %d levels are read", maxNodes, maxDocDepth)
	}
	switch y.Kind {
	case yaml.AliasNode:
		return nil, n.problem("YAML aliases are not read: use $ref")
	case yaml.SequenceNode:
		for _, item := range y.Content {
			v, err := d.convert(file, item, depth+1)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, v)
		}
	case yaml.MappingNode:
		n.fields = make(map[string]*node, len(y.Content)/2)
		for i := 0; i+1 < len(y.Content); i += 2 {
			key := y.Content[i]
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
				return nil, (&node{file: file, line: key.Line}).problem("a name must be text; merging by << is not read")
			}
			if n.fields[key.Value] != nil {
				return nil, (&node{file: file, line: key.Line}).problem("%s is there twice", show(key.Value))
			}
			v, err := d.convert(file, y.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			n.fields[key.Value] = v
			n.order = append(n.order, key.Value)
		}
	default:
		n.scalar = scalar(y)
	}
	return n, nil
}

// scalar is a single value as JSON has it: YAML 1.2 knows no dates.
func scalar(y *yaml.Node) any {
	switch y.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return y.Value == "true" || y.Value == "True" || y.Value == "TRUE"
	case "!!int", "!!float":
		if v, code := ParseJSON([]byte(y.Value)); code == "" {
			if n, ok := v.(json.Number); ok {
				return n
			}
		}
		var i int64
		if y.Decode(&i) == nil {
			return json.Number(strconv.FormatInt(i, 10))
		}
	}
	return y.Value
}

func (n *node) problem(format string, args ...any) *Problem {
	return &Problem{n.file, n.line, fmt.Sprintf(format, args...)}
}

// none is what a missing field is: empty, of no kind.
var none = &node{}

// get returns a field, none if there is no such.
func (n *node) get(names ...string) *node {
	for _, name := range names {
		next := n.fields[name]
		if next == nil {
			return none
		}
		n = next
	}
	return n
}

func (n *node) there() bool { return n.kind != 0 }

func (n *node) text() (string, bool) {
	s, ok := n.scalar.(string)
	return s, ok && n.kind == yaml.ScalarNode
}

func (n *node) isTrue() bool { return n.scalar == true }

// value is n as ParseJSON would have it.
func (n *node) value() any {
	switch n.kind {
	case yaml.SequenceNode:
		list := make([]any, len(n.list))
		for i, item := range n.list {
			list[i] = item.value()
		}
		return list
	case yaml.MappingNode:
		m := make(map[string]any, len(n.fields))
		for name, v := range n.fields {
			m[name] = v.value()
		}
		return m
	}
	return n.scalar
}

// follow returns what a Reference Object leads to, n itself if it is none.
func (d *Document) follow(n *node) (*node, error) {
	for range maxRefs {
		ref := n.get("$ref")
		if !ref.there() {
			return n, nil
		}
		next, err := d.target(ref)
		if err != nil {
			return nil, err
		}
		n = next
	}
	return nil, n.problem("references lead in a circle, or too far")
}

// target finds what a $ref names: in this file, or in one of the same folder.
func (d *Document) target(ref *node) (*node, error) {
	s, ok := ref.text()
	if !ok {
		return nil, ref.problem("$ref: must be text")
	}
	file, pointer, hasPointer := strings.Cut(s, "#")
	n := d.files[ref.file]
	if file = strings.TrimPrefix(file, "./"); file != "" {
		if n = d.files[file]; n == nil {
			return nil, ref.problem("$ref: %s is not a file of the same folder", show(file))
		}
	}
	if n == nil || hasPointer && pointer != "" && pointer[0] != '/' {
		return nil, ref.problem("$ref: %s: write #/components/…; anchors are not read", show(s))
	}
	if pointer == "" {
		return n, nil
	}
	for _, part := range strings.Split(pointer[1:], "/") {
		plain, err := unescape(part)
		if err != nil {
			return nil, ref.problem("$ref: %s is not well-formed", show(s))
		}
		n = n.step(plain)
		if !n.there() {
			return nil, ref.problem("$ref: there is no %s", show(s))
		}
	}
	return n, nil
}

func (n *node) step(name string) *node {
	if n.kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.list) {
			return n.list[i]
		}
	}
	return n.get(name)
}
