package contract

import (
	"mime"
	"net/http"
	"slices"
	"strings"
)

// MediaType reads a Content-Type (RFC 9110 §8.3): its type in lower case and its
// parameters. ok is false if readers may disagree on it.
func MediaType(line string) (kind string, params map[string]string, ok bool) {
	if strings.IndexByte(line, ',') >= 0 {
		return "", nil, false // a list for some
	}
	if line == "application/json" {
		return line, nil, true
	}
	kind, params, err := mime.ParseMediaType(line)
	return kind, params, err == nil && strings.IndexByte(kind, '/') > 0
}

func isJSONKind(kind string) bool {
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

// Media is a compiled Media Type Object.
type Media struct {
	kind     string // application/json, image/*, */*
	reader   reader
	schema   *schema
	shape    shape
	boundary string // of multipart, of one request
}

// reader makes a value of a body.
type reader uint8

const (
	passes reader = iota // it is not read
	readsJSON
	readsForm
	readsMultipart
)

func (m *Media) reads() bool { return m.reader != passes }

// Reads reports whether Check needs the body.
func (m *Media) Reads() bool { return m.reads() }

func (c *compiler) content(n *node, stream bool) ([]Media, error) {
	var list []Media
	for _, kind := range n.order {
		plain, _, ok := MediaType(kind)
		if !ok {
			return nil, n.fields[kind].problem("content: %s is no media type", show(kind))
		}
		m := Media{kind: plain}
		switch {
		case stream || plain == "application/json-seq":
		case isJSONKind(plain):
			m.reader = readsJSON
		case plain == "application/x-www-form-urlencoded":
			m.reader = readsForm
		case plain == "multipart/form-data":
			m.reader = readsMultipart
		}
		if schema := n.fields[kind].get("schema"); schema.there() && m.reads() {
			var err error
			if m.schema, err = c.value(schema); err != nil {
				return nil, err
			}
			m.shape = c.shape(schema)
		}
		list = append(list, m)
	}
	// The most exact first.
	slices.SortStableFunc(list, func(a, b Media) int { return strings.Count(a.kind, "*") - strings.Count(b.kind, "*") })
	return list, nil
}

// match finds the description of the one Content-Type of a message, nil if there
// is none. What is read must be UTF-8.
func match(list []Media, header http.Header) *Media {
	lines := header["Content-Type"]
	if len(lines) != 1 {
		return nil
	}
	kind, params, ok := MediaType(lines[0])
	if !ok {
		return nil
	}
	for i := range list {
		m := &list[i]
		if m.kind != kind && m.kind != "*/*" && (!strings.HasSuffix(m.kind, "/*") || !strings.HasPrefix(kind, strings.TrimSuffix(m.kind, "*"))) {
			continue
		}
		if charset := params["charset"]; m.reads() && charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil
		}
		if m.reader == readsMultipart {
			one := *m
			one.boundary = params["boundary"]
			return &one
		}
		return m
	}
	return nil
}

// Check holds a whole body against the description.
func (m *Media) Check(body []byte) []Fault {
	var v any
	var code string
	switch m.reader {
	case readsJSON:
		v, code = ParseJSON(body)
	case readsForm:
		v, code = m.form(string(body))
	case readsMultipart:
		v, code = m.multipart(body)
	default:
		return nil
	}
	switch {
	case code != "":
		return []Fault{{"body", "", code}}
	case m.schema == nil:
		return nil
	}
	return m.schema.validate("body", v, nil)
}
