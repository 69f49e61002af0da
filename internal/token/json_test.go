package token_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sallyport/internal/token"
)

func TestJSONStringsHaveOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"client:shop-app":        `"client:shop-app"`,
		`a"b\c/d`:                `"a\"b\\c/d"`,
		"\b\t\n\f\r\x00\x1f\x7f": `"\b\t\n\f\r\u0000\u001f` + "\x7f" + `"`,
		"<&>\u2028é日\U0001f511":  `"<&>` + "\u2028é日\U0001f511" + `"`,
		"a\xffb":                 `"a` + "\ufffd" + `b"`,
	} {
		if got := string(token.AppendJSONString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{"a", "\x00\"\\\xff", "é\u2028\ufffd", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := token.AppendJSONString([]byte("x"), s)
		if err := json.Unmarshal(b[1:], &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && got != string([]rune(s)) {
			t.Fatalf("%q became %s, read back as %q: %v", s, b, got, err)
		}
	})
}
