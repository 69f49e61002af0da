package contract_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sallyport/internal/contract"
)

func TestParseJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ rule, text, code string }{
		{"an object", `{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00"]}`, ""},
		{"white space around", " \t\r\n{ } \n", ""},
		{"nothing", ``, "json"},
		{"two values", `{} {}`, "json"},
		{"a comma too much", `[1,]`, "json"},
		{"a comma too much in an object", `{"a":1,}`, "json"},
		{"a comment", `{/*x*/}`, "json"},
		{"single quotes", `{'a':1}`, "json"},
		{"NaN", `NaN`, "json"},
		{"a leading zero", `01`, "json"},
		{"a plus", `+1`, "json"},
		{"a point without digits", `1.`, "json"},
		{"a control character", "\"a\nb\"", "json"},
		{"no end of a string", `"a`, "json"},
		{"an escape that there is not", `"\x41"`, "json"},
		{"a byte order mark", "\xef\xbb\xbf{}", "json"},
		{"NUL at the end", "{}\x00", "json"},
		{"a name twice", `{"a":1,"a":2}`, "duplicate_name"},
		{"a name twice, escaped", `{"a":1,"\u0061":2}`, "duplicate_name"},
		{"a name twice, deep inside", `[{"x":{"a":1,"a":1}}]`, "duplicate_name"},
		{"bytes that are not UTF-8", "\"\xff\"", "utf8"},
		{"half a surrogate pair", `"\ud83d"`, "surrogate"},
		{"the wrong half", `"\ude00\ud83d"`, "surrogate"},
		{"32 levels", strings.Repeat("[", 32) + "1" + strings.Repeat("]", 32), ""},
		{"T180 33 levels", strings.Repeat("[", 33) + "1" + strings.Repeat("]", 33), "too_deep"},
		{"T180 half a million levels", strings.Repeat("[", 500_000), "too_deep"},
		{"many items", "[" + strings.Repeat("1,", contract.MaxItems) + "1]", "too_many_items"},
		{"many names", names(contract.MaxNames + 1), "too_many_names"},
		{"a number of 400 digits", strings.Repeat("9", 400), "number_too_large"},
		{"a number that would be a billion digits", `1e999999999`, "number_too_large"},
		{"a power that does not fit", `1e99999999999999999999`, "number_too_large"},
		{"a long string", `"` + strings.Repeat("a", contract.MaxString+1) + `"`, "string_too_long"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			v, code := contract.ParseJSON([]byte(tc.text))
			if code != tc.code {
				t.Errorf("%.60s: %q, want %q", tc.text, code, tc.code)
			}
			if code == "" && !reflect.DeepEqual(v, standard(tc.text)) {
				t.Errorf("%.60s: %v, want %v", tc.text, v, standard(tc.text))
			}
		})
	}
}

func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// standard is what encoding/json reads.
func standard(text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return "not JSON"
	}
	return v
}

// What passes is what encoding/json reads too: one value for every reader.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"\ud83d\ude00"],"b":{"c":null}}`, `[[[[]]]]`, `{"a":1,"a":2}`, `"\ud800"`, "\xff", `1e400`, `-0`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, code := contract.ParseJSON(text)
		if code != "" {
			if code == "json" && json.Valid(text) {
				t.Errorf("%q is JSON", text)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is not JSON", text)
		}
		if want := standard(string(text)); !reflect.DeepEqual(v, want) {
			t.Errorf("%q: %v, want %v", text, v, want)
		}
	})
}
