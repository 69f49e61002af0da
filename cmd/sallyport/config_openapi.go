package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"sallyport/internal/contract"
)

// maxDocument is the longest file of an OpenAPI document, in bytes.
const maxDocument = 4 << 20

// documents reads the OpenAPI documents of the APIs and puts their operations
// behind those of the configuration, as if they had been written there.
func (r *reader) documents(c *config) {
	for i := range c.APIs {
		a, at := &c.APIs[i], fmt.Sprintf("apis[%d]", i)
		if a.OpenAPI == "" || r.broken[at+".openapi"] {
			continue
		}
		m := &merge{r: r, c: c, api: a, at: at}
		if err := m.read(); err != nil {
			for _, one := range split(err) {
				r.addf(c.lineOf(at+".openapi"), at+".openapi", "%s", one)
			}
		}
	}
}

// merge is one document being put into one API.
type merge struct {
	r   *reader
	c   *config
	api *apiConfig
	at  string
}

func (m *merge) read() error {
	file := m.c.file(m.api.OpenAPI)
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return errors.New("its folder cannot be opened")
	}
	defer root.Close()
	doc, err := contract.Read(filepath.Base(file), func(name string) ([]byte, error) { return readIn(root, name) })
	if err != nil {
		return err
	}
	listed, err := doc.Operations()
	if err != nil {
		return err
	}
	upstream, _ := url.Parse(m.api.Upstream)
	if upstream == nil {
		upstream = &url.URL{}
	}
	prefix, err := doc.Prefix(m.api.Path, upstream.EscapedPath())
	if err != nil {
		return fmt.Errorf("%s: %w", m.api.OpenAPI, err)
	}
	m.api.document, m.api.listed = doc, map[int]contract.Listed{}
	known := make([]string, 0, len(listed))
	own := len(m.api.Operations)
	retired := map[int]bool{}
	var problems []error
	for _, l := range listed {
		l.Path = prefix + l.Path
		known = append(known, l.Method+" "+l.Path)
		if err := m.operation(l, own, retired); err != nil {
			problems = append(problems, err)
		}
	}
	for k := range own {
		if _, described := m.api.listed[k]; !described && m.api.Operations[k].Match != "" && !retired[k] {
			at := fmt.Sprintf("%s.operations[%d].match", m.at, k)
			m.r.addf(m.c.lineOf(at), at, "%q is not in %s%s", m.api.Operations[k].Match, m.api.OpenAPI, suggest(m.api.Operations[k].Match, known))
		}
	}
	return errors.Join(problems...)
}

// readIn reads a file of a folder, and none elsewhere: links are followed only inside.
func readIn(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, errors.New("cannot be read: there is no such file in its folder")
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxDocument+1))
}

// operation adds one of the document, or fills in the one of the configuration
// that matches the same calls.
func (m *merge) operation(l contract.Listed, own int, retired map[int]bool) error {
	where := fmt.Sprintf("%s:%d: %s %s", l.File, l.Line, l.Method, l.Path)
	o, err := m.extension(l)
	if err != nil {
		return err
	}
	o.Match = l.Method + " " + l.Path
	k := slices.IndexFunc(m.api.Operations[:own], func(c operationConfig) bool { return sameCalls(c.Match, o.Match) })
	if k >= 0 {
		fill(reflect.ValueOf(&m.api.Operations[k]).Elem(), reflect.ValueOf(o))
		l.Path = strings.TrimPrefix(m.api.Operations[k].Match, l.Method+" ")
		if l.Path != strings.TrimPrefix(o.Match, l.Method+" ") {
			at := fmt.Sprintf("%s.operations[%d].match", m.at, k)
			m.r.addf(m.c.lineOf(at), at, "names its parameters otherwise than %s: write %s", m.api.OpenAPI, o.Match)
		}
		o = m.api.Operations[k]
	}
	switch {
	case o.Retired:
		if k >= 0 {
			retired[k] = true
			m.r.addf(m.c.lineOf(fmt.Sprintf("%s.operations[%d]", m.at, k)), fmt.Sprintf("%s.operations[%d].retired", m.at, k),
				"is for the document: write x-sallyport: {retired: true} at the operation there, and remove it here")
		}
		return nil
	case o.Scope != "":
	case l.Problem != nil:
		return l.Problem
	case len(l.Scopes) == 1:
		o.Scope = l.Scopes[0]
	case len(l.Scopes) == 0:
		return fmt.Errorf("%s: security: names no scope of oauth2 or openIdConnect, and everybody could call it: add one, or scope under x-sallyport", where)
	default:
		return fmt.Errorf("%s: security: names %s: one is asked for: name it as scope under x-sallyport", where, strings.Join(l.Scopes, ", "))
	}
	if k >= 0 {
		m.api.Operations[k].Scope = o.Scope
	} else {
		k = len(m.api.Operations)
		m.api.Operations = append(m.api.Operations, o)
		m.c.origins[fmt.Sprintf("%s.operations[%d]", m.at, k)] = where
	}
	m.api.listed[k] = l
	return nil
}

// extension reads x-sallyport with the settings of an operation.
func (m *merge) extension(l contract.Listed) (operationConfig, error) {
	var o operationConfig
	r := &reader{lines: map[string]int{}, broken: map[string]bool{}}
	r.defaults(reflect.ValueOf(&o).Elem())
	if l.Extension == nil {
		return o, nil
	}
	r.value(l.Extension.YAML(), reflect.ValueOf(&o).Elem(), reflect.StructField{}, "")
	if o.Match != "" {
		r.addf(l.Extension.Line, "match", "is what the document says itself: remove it")
	}
	var problems []error
	for _, p := range r.problems {
		p.Path = join("x-sallyport", p.Path)
		problems = append(problems, errors.New(p.in(l.File)))
	}
	return o, errors.Join(problems...)
}

// sameCalls reports whether two matches are of one method and one path, whatever
// the parameters are called.
func sameCalls(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	return len(as) == len(bs) && slices.EqualFunc(as, bs, func(x, y string) bool {
		return x == y || strings.HasPrefix(x, "{") && strings.HasPrefix(y, "{")
	})
}

// fill sets what the configuration leaves open to what the document says.
func fill(into, from reflect.Value) {
	for _, f := range fields(into.Type()) {
		switch v := into.FieldByIndex(f.Index); {
		case v.IsZero(), v.Kind() == reflect.Struct && isDefault(v):
			v.Set(from.FieldByIndex(f.Index))
		}
	}
}

// isDefault reports whether nothing in a group of settings was written.
func isDefault(v reflect.Value) bool {
	plain := reflect.New(v.Type()).Elem()
	(&reader{}).defaults(plain)
	return v.Comparable() && v.Equal(plain)
}

// contractFiles are those that the documents refer to.
func (c *config) contractFiles() []namedFile {
	var list []namedFile
	for i := range c.APIs {
		a := &c.APIs[i]
		if a.document == nil {
			continue
		}
		for _, name := range a.document.Files() {
			file := filepath.Join(filepath.Dir(c.file(a.OpenAPI)), name)
			if file != c.file(a.OpenAPI) {
				list = append(list, namedFile{fmt.Sprintf("apis[%d].openapi", i), file, true})
			}
		}
	}
	return list
}

// originOf says which operation of a document a setting came from, or "".
func (c *config) originOf(path string) string {
	for at, where := range c.origins {
		if path == at || within(path, at) {
			return where
		}
	}
	return ""
}
