package contract

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Bounds of forms.
const (
	maxFields  = 256
	maxParts   = 100
	maxBound   = 70 // characters of a boundary, RFC 2046 §5.1.1
	maxPartTop = 20 // header lines of a part
)

// form reads application/x-www-form-urlencoded as an object. Whatever is there
// twice must be an array.
func (m *Media) form(body string) (any, string) {
	list, ok := pairs(body)
	if !ok {
		return nil, "encoding"
	}
	if len(list) > maxFields {
		return nil, "too_many_fields"
	}
	f := fields{m: m, values: map[string]any{}}
	for _, p := range list {
		text, err := url.QueryUnescape(p.raw)
		if err != nil || !utf8.ValidString(text) {
			return nil, "encoding"
		}
		if code := f.add(p.name, text); code != "" {
			return nil, code
		}
	}
	return f.values, ""
}

// fields are the values of a form so far.
type fields struct {
	m      *Media
	values map[string]any
}

func (f *fields) add(name, text string) string {
	types := f.m.shape.members[name]
	if isList(types) {
		return f.put(name, convert(text, f.m.shape.lists[name]), types)
	}
	return f.put(name, convert(text, types), types)
}

func isList(types typeSet) bool { return types&typeArray != 0 && types&typeString == 0 }

func (f *fields) put(name string, v any, types typeSet) string {
	if isList(types) {
		list, _ := f.values[name].([]any)
		f.values[name] = append(list, v)
		return ""
	}
	if _, twice := f.values[name]; twice {
		return "duplicate_name"
	}
	f.values[name] = v
	return ""
}

// multipart reads multipart/form-data (RFC 7578) as an object. A file is a text
// of its bytes.
func (m *Media) multipart(body []byte) (any, string) {
	if m.boundary == "" || len(m.boundary) > maxBound || !bytes.HasPrefix(body, []byte("--"+m.boundary)) {
		return nil, "multipart" // what comes before the first part is read by some
	}
	r := multipart.NewReader(bytes.NewReader(body), m.boundary)
	f := fields{m: m, values: map[string]any{}}
	for n := 0; ; n++ {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return f.values, ""
		}
		if err != nil {
			return nil, "multipart"
		}
		if n == maxParts {
			return nil, "too_many_parts"
		}
		if code := f.part(part); code != "" {
			return nil, code
		}
	}
}

func (f *fields) part(part *multipart.Part) string {
	h := part.Header
	name := part.FormName()
	if len(h) > maxPartTop || len(h["Content-Disposition"]) != 1 || len(h["Content-Type"]) > 1 || name == "" || !utf8.ValidString(name) {
		return "multipart"
	}
	if encoding := strings.ToLower(h.Get("Content-Transfer-Encoding")); encoding != "" && encoding != "binary" && encoding != "8bit" && encoding != "7bit" {
		return "multipart"
	}
	data, err := io.ReadAll(part)
	if err != nil {
		return "multipart"
	}
	types := f.m.shape.members[name]
	if kind, _, ok := MediaType(h.Get("Content-Type")); ok && isJSONKind(kind) {
		v, code := ParseJSON(data)
		if code != "" {
			return code
		}
		return f.put(name, v, types)
	}
	if part.FileName() != "" {
		return f.put(name, string(data), types)
	}
	if !utf8.Valid(data) {
		return "utf8"
	}
	return f.add(name, string(data))
}
