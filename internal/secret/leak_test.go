package secret_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"expvar"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"testing"
	texttemplate "text/template"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"sallyport/internal/secret"
)

// plain is long enough that none of its forms turns up by chance.
const plain = "correct-horse-4711-battery-staple"

// forms are the spellings in which a printer could show b.
func forms(b string) []string {
	list := []string{
		b, fmt.Sprintf("%x", b), fmt.Sprintf("%X", b), fmt.Sprintf("% x", b), fmt.Sprintf("% X", b), fmt.Sprintf("%#x", []byte(b)),
		strings.Trim(fmt.Sprintf("%d", []byte(b)), "[]"), strings.Trim(fmt.Sprintf("%o", []byte(b)), "[]"), fmt.Sprintf("%+q", b),
		base64.StdEncoding.EncodeToString([]byte(b))[:40], base64.URLEncoding.EncodeToString([]byte(b))[:40], reversed(b),
	}
	for at := 0; at+8 <= len(b); at++ { // as a traceback prints words of memory
		list = append(list, b[at:at+8], hex.EncodeToString([]byte(b[at:at+8])),
			strconv.FormatUint(binary.LittleEndian.Uint64([]byte(b[at:])), 16), strconv.FormatUint(binary.LittleEndian.Uint64([]byte(b[at:])), 10))
	}
	return list
}

func reversed(s string) string {
	b := []byte(s)
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
	return string(b)
}

// shown returns the first form of the secret that is in text, or "".
func shown(text string) string {
	for _, form := range forms(plain) {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

type holder struct {
	Public  secret.Value
	private secret.Value
}

type deep struct {
	Any    any
	Ptr    *secret.Value
	List   []secret.Value
	Map    map[string]secret.Value
	Array  [1]secret.Value
	Err    error
	Func   func() secret.Value `json:"-" xml:"-" yaml:"-"`
	Chan   chan secret.Value   `json:"-" xml:"-" yaml:"-"`
	Holder *holder
	inner  *holder
	any    any
	list   []secret.Value
	hidden map[string]*secret.Value
}

type failure struct {
	cause error
	token secret.Value
}

func (f *failure) Error() string { return fmt.Sprintf("failed with %v", f.token) }
func (f *failure) Unwrap() error { return f.cause }

// samples are the ways in which code holds a secret.
func samples() map[string]any {
	v := secret.New(plain)
	h := holder{Public: v, private: v}
	c := make(chan secret.Value, 1)
	c <- v
	d := deep{
		Any: v, Ptr: &v, List: []secret.Value{v}, Map: map[string]secret.Value{"k": v}, Array: [1]secret.Value{v}, Err: &failure{token: v},
		Func: func() secret.Value { return v }, Chan: c, Holder: &h, inner: &h, any: &v, list: []secret.Value{v}, hidden: map[string]*secret.Value{"k": &v},
	}
	return map[string]any{
		"value": v, "pointer": &v, "struct": h, "pointer to struct": &h, "slice": []secret.Value{v}, "array": [1]secret.Value{v},
		"map": map[string]secret.Value{"k": v}, "pointers in map": map[string]*secret.Value{"k": &v}, "any": []any{v, &v, h},
		"deep": d, "pointer to deep": &d, "func": func() secret.Value { return v }, "result": func() secret.Value { return v }(), "channel": c,
		"error": &failure{token: v}, "wrapped": fmt.Errorf("a: %w", &failure{token: v}), "joined": errors.Join(errors.New("a"), &failure{token: v}),
		"said": fmt.Errorf("token %v %+v %#v %s %q %x", v, v, v, v, v, v), "reflected": reflect.ValueOf(h), "method": v.IsZero,
	}
}

func TestLG03ValueNeverPrints(t *testing.T) {
	t.Parallel()
	const verbs = "vTtbcdoOqxXUeEfFgGsp!zw"
	for name, sample := range samples() {
		for _, verb := range verbs {
			for _, flags := range []string{"", "+", "-", "#", " ", "0", "+#", "# ", "20", ".3", "20.40", "[1]", "+20.3"} {
				format := "%" + flags + string(verb)
				if text := fmt.Sprintf(format, sample); shown(text) != "" {
					t.Errorf("%s: %s shows %q: %s", name, format, shown(text), text)
				}
			}
		}
	}
}

func TestLG03NoEncoderLooksInside(t *testing.T) {
	t.Parallel()
	plainText := texttemplate.Must(texttemplate.New("t").Parse(`{{.}} {{print .}} {{printf "%#v" .}} {{html .}} {{js .}} {{urlquery .}}`))
	page := template.Must(template.New("p").Parse(`<a title="{{.}}" href="/x?{{.}}" onclick="f({{.}})">{{.}}</a>`))
	for name, sample := range samples() {
		var out bytes.Buffer
		fmt.Fprintln(&out, sample, sample)
		fmt.Fprint(&out, sample)
		fmt.Fprintln(&out, string(fmt.Append(nil, sample)), errors.Join(fmt.Errorf("x: %v", sample), nil))
		log.New(&out, "", log.LstdFlags).Println(sample)
		for encoder, encode := range map[string]func() error{
			"json":   func() error { return json.NewEncoder(&out).Encode(sample) },
			"indent": func() error { b, err := json.MarshalIndent(sample, "", " "); out.Write(b); return err },
			"xml":    func() error { return xml.NewEncoder(&out).Encode(sample) },
			"yaml":   func() error { return yaml.NewEncoder(&out).Encode(sample) },
			"gob":    func() error { return gob.NewEncoder(&out).Encode(sample) },
			"text":   func() error { return plainText.Execute(&out, sample) },
			"html":   func() error { return page.Execute(&out, sample) },
			"expvar": func() error {
				_, err := out.WriteString(expvar.Func(func() any { return sample }).String())
				return err
			},
			"go-cmp":  func() error { _, err := out.WriteString(compare(sample)); return err },
			"slog":    func() error { logEveryWay(&out, sample); return nil },
			"walking": func() error { walk(&out, reflect.ValueOf(sample), 0); return nil },
		} {
			err := func() (err error) { // some encoders panic on functions and channels
				defer func() {
					if v := recover(); v != nil {
						err = fmt.Errorf("%v %#v", v, v)
					}
				}()
				return encode()
			}()
			fmt.Fprintln(&out, err)
			if form := shown(out.String()); form != "" {
				t.Fatalf("%s: %s shows %q:\n%s", name, encoder, form, out.String())
			}
		}
	}
}

// compare is a diff in which secrets differ, so that the printer looks for the
// difference.
func compare(sample any) string {
	other := secret.New("another-secret-of-another-person")
	all := cmp.Exporter(func(reflect.Type) bool { return true })
	return cmp.Diff(sample, any(other), all) + cmp.Diff(&holder{private: other}, sample, all) + cmp.Diff(holder{other, other}, sample, all) +
		cmp.Diff(map[string]secret.Value{"k": other}, sample, all) + cmp.Diff([]secret.Value{other}, sample, all)
}

func logEveryWay(out *bytes.Buffer, sample any) {
	o := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	for _, h := range []slog.Handler{slog.NewTextHandler(out, o), slog.NewJSONHandler(out, o)} {
		l := slog.New(h)
		l.Debug("x", "v", sample, slog.Any("any", sample))
		l.With("v", sample).WithGroup("g").With("w", sample).WithGroup("h").Info("x", slog.Group("i", slog.Group("j", slog.Any("v", sample))))
		l.Error("x", "err", fmt.Errorf("a: %v", sample), "list", []any{sample}, "map", map[string]any{"k": sample}, "pointer", &sample)
		l.Info(fmt.Sprint(sample), sample)
	}
}

// walk prints all that reflection reaches, as spew does: through pointers,
// interfaces and maps, into unexported fields, calling no method.
func walk(out *bytes.Buffer, v reflect.Value, depth int) {
	if depth > 12 || !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		walk(out, v.Elem(), depth+1)
	case reflect.Struct:
		addressable := reflect.New(v.Type()).Elem()
		if v.CanInterface() {
			addressable.Set(v)
		} else if v.CanAddr() {
			addressable = v
		}
		for i := range v.NumField() {
			f := addressable.Field(i)
			walk(out, reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(out, v.Index(i), depth+1)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(out, k, depth+1)
			walk(out, v.MapIndex(k), depth+1)
		}
	case reflect.String:
		fmt.Fprintf(out, "%s\n", v.String())
	default:
		fmt.Fprintf(out, "%v\n", v.Kind())
	}
}

// The pair of the tests above: what they look for is found where a string is
// held and not a Value.
func TestTheseTestsSeeAString(t *testing.T) {
	t.Parallel()
	type careless struct{ in *struct{ s string } }
	sample := careless{&struct{ s string }{plain}}
	var out bytes.Buffer
	walk(&out, reflect.ValueOf(sample), 0)
	if shown(out.String()) == "" || shown(compare(sample)) == "" || shown(fmt.Sprintf("%x", plain)) == "" || shown(fmt.Sprintf("%d", []byte(plain))) == "" {
		t.Error("a secret in the open is not found")
	}
	if v := secret.New(plain); v.Reveal() != plain {
		t.Error("Reveal lost the secret")
	}
}
