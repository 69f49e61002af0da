package contract

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Listed is an operation of a document, as the gateway's configuration would
// have it.
type Listed struct {
	Method string // upper case
	Path   string // template, below the servers' path
	Scopes []string
	// Scopes are those of security, without doubles. None: it needs no sign-in.
	// More than one: the document leaves open which is meant, or needs several.
	Problem   *Problem // what is wrong with it, nil: nothing
	Extension *Extension
	Line      int
	File      string

	item, op *node
}

// Extension is what stands under x-sallyport, for who reads settings.
type Extension struct {
	File string
	Line int
	node *node
}

// YAML is the extension with its lines.
func (e *Extension) YAML() *yaml.Node { return e.node.yaml() }

func (n *node) yaml() *yaml.Node {
	y := &yaml.Node{Kind: n.kind, Line: n.line}
	switch n.kind {
	case yaml.SequenceNode:
		for _, item := range n.list {
			y.Content = append(y.Content, item.yaml())
		}
	case yaml.MappingNode:
		for _, name := range n.order {
			y.Content = append(y.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: n.fields[name].line}, n.fields[name].yaml())
		}
	default:
		y.Tag = "!!str"
		switch v := n.scalar.(type) {
		case nil:
			y.Tag = "!!null"
		case bool:
			y.Tag, y.Value = "!!bool", fmt.Sprint(v)
		case string:
			y.Value = v
		default:
			y.Tag, y.Value = "!!int", fmt.Sprint(v)
		}
	}
	return y
}

// httpMethods that a Path Item may have. OPTIONS belongs to CORS and TRACE
// echoes credentials: neither is ever served.
var httpMethods = []string{"get", "head", "post", "put", "patch", "delete"}

// Operations lists what the document says can be called, in its order.
func (d *Document) Operations() ([]Listed, error) {
	var list []Listed
	paths := d.root.get("paths")
	for _, path := range paths.order {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		item, err := d.follow(paths.fields[path])
		if err != nil {
			return nil, err
		}
		for _, name := range item.order {
			op := item.fields[name]
			switch {
			case name == "trace":
				return nil, op.problem("paths.%s.trace: TRACE echoes headers: remove it", path)
			case !slices.Contains(httpMethods, name):
				continue
			case op.kind != yaml.MappingNode:
				return nil, op.problem("paths.%s.%s: must be fields with values", path, name)
			case len(list) == maxOperation:
				return nil, op.problem("paths: more than %d operations", maxOperation)
			}
			l := Listed{Method: strings.ToUpper(name), Path: path, File: op.file, Line: op.line, item: item, op: op}
			l.Scopes, l.Problem = d.scopes(op)
			if x := op.get("x-sallyport"); x.there() {
				l.Extension = &Extension{x.file, x.line, x}
			}
			list = append(list, l)
		}
	}
	return list, nil
}

// scopes are those of the security of an operation, or of the document.
func (d *Document) scopes(op *node) ([]string, *Problem) {
	security := op.get("security")
	if !security.there() {
		security = d.root.get("security")
	}
	var list []string
	for _, alternative := range security.list {
		for _, scheme := range alternative.order {
			def, err := d.follow(d.root.get("components", "securitySchemes", scheme))
			if err != nil || !def.there() {
				return nil, alternative.problem("security: there is no security scheme %s", show(scheme))
			}
			kind, _ := def.get("type").text()
			how, _ := def.get("scheme").text()
			if kind != "oauth2" && kind != "openIdConnect" && (kind != "http" || !strings.EqualFold(how, "bearer")) {
				continue // keys and certificates are no scopes
			}
			for _, s := range alternative.fields[scheme].list {
				if scope, ok := s.text(); ok && !slices.Contains(list, scope) {
					list = append(list, scope)
				}
			}
		}
	}
	return list, nil
}

// readServers takes the paths of all servers.
func (d *Document) readServers() error {
	for _, s := range d.root.get("servers").list {
		address, ok := s.get("url").text()
		if !ok {
			return s.problem("servers: url is missing")
		}
		for _, name := range s.get("variables").order {
			value, _ := s.get("variables", name, "default").text()
			address = strings.ReplaceAll(address, "{"+name+"}", value)
		}
		u, err := url.Parse(address)
		if err != nil || strings.ContainsAny(address, "{}") || u.RawQuery != "" || u.Fragment != "" {
			return s.problem("servers: %s is not an address", show(address))
		}
		path := strings.TrimSuffix(u.EscapedPath(), "/")
		if path == "." || path != "" && path[0] != '/' {
			path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, "."), "/")
			path = strings.TrimSuffix(path, "/")
		}
		if !slices.Contains(d.servers, path) {
			d.servers = append(d.servers, path)
		}
	}
	return nil
}

// ErrServers: the servers of a document do not lead to one path.
var ErrServers = errors.New("servers: their paths differ: leave those of one version")

// Prefix is what to put before the document's paths to have them below an API at
// mount, whose upstream has a path of its own: what the servers' path has more
// than either. "" for none.
func (d *Document) Prefix(mount, upstream string) (string, error) {
	prefix, first := "", true
	for _, path := range d.servers {
		for _, base := range []string{strings.TrimSuffix(mount, "/"), strings.TrimSuffix(upstream, "/")} {
			if rest, under := strings.CutPrefix(path, base); base != "" && under && (rest == "" || rest[0] == '/') {
				path = rest
				break
			}
		}
		if !first && path != prefix {
			return "", ErrServers
		}
		prefix, first = path, false
	}
	return prefix, nil
}

// unescape reads a part of a JSON Pointer in a URI fragment (RFC 6901 §6).
func unescape(part string) (string, error) {
	plain, err := url.PathUnescape(part)
	return strings.ReplaceAll(strings.ReplaceAll(plain, "~1", "/"), "~0", "~"), err
}
