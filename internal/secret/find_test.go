package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"sallyport/internal/secret"
)

func TestLG02T032FindHandlesInText(t *testing.T) {
	t.Parallel()
	one, two := secret.NewHandle(secret.ClientSecret).Reveal(), secret.Encode(secret.AccessToken, secret.Random(401)).Reveal()
	cut, changed := one[:len(one)-1], one[:10]+"*"+one[11:]
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"alone":                       {one, []string{one}},
		"in a line of code":           {`const key = "` + one + `"; // ` + two, []string{one, two}},
		"in a URL":                    {"https://x/?a=" + two + "&b=" + one + "#x", []string{two, one}},
		"no separator between them":   {one + two + one, []string{one, two, one}},
		"letters on both sides":       {"abc" + one + "xyz", []string{one}},
		"handle characters after it":  {one + "-_A_" + two + "_", []string{one, two}},
		"after a false beginning":     {"spcs_spat_" + one, []string{one}},
		"after an underscore":         {"a_" + one, []string{one}},
		"in bytes that are no text":   {"\xff\x00" + one + "\xfe", []string{one}},
		"a kind that does not exist":  {"spxx" + one[4:], nil},
		"cut":                         {cut, nil},
		"changed":                     {changed, nil},
		"nothing":                     {"", nil},
		"a prefix only":               {"spcs_", nil},
		"too short to be a secret":    {secret.Encode(secret.ClientSecret, secret.Random(8)).Reveal(), nil},
		"in capitals":                 {strings.ToUpper(one), nil},
		"with a line break inside it": {one[:20] + "\n" + one[20:], nil},
	} {
		var got []string
		for _, s := range secret.Find(c.text, 10) {
			got = append(got, c.text[s.Start:s.End])
			if kind, ok := secret.Kind(c.text[s.Start:s.End]); !ok || kind != s.Prefix {
				t.Errorf("%s: %q is called %s", name, c.text[s.Start:s.End], s.Prefix)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: found %q, want %q in %q", name, got, c.want, c.text)
		}
	}
	if got := secret.Find(strings.Repeat(one+" ", 5), 3); len(got) != 3 {
		t.Errorf("found %d, want the 3 that were asked for", len(got))
	}
}

func TestFindEveryKindAndLength(t *testing.T) {
	t.Parallel()
	for _, p := range secret.Prefixes {
		for n := 16; n < 200; n++ {
			h := secret.Encode(p, secret.Random(n)).Reveal()
			got := secret.Find("x="+h+"zz", 2)
			if len(got) != 1 || got[0] != (secret.Span{Prefix: p, Start: 2, End: 2 + len(h)}) {
				t.Fatalf("%s: %+v", h, got)
			}
		}
	}
}

// A text that was made to be slow costs no more than its length allows, and
// hides nothing outside of its own run.
func TestFindIsBounded(t *testing.T) {
	t.Parallel()
	h := secret.NewHandle(secret.ClientSecret).Reveal()
	for name, c := range map[string]struct {
		beginnings int
		between    string
		want       int
	}{
		"slow, in another run": {200_000, " ", 1},
		// 64 steps for each byte are spent before the handle is reached; whoever
		// finds it has gone 8192 steps from each beginning.
		"slow, in the same run": {200_000, "", 0},
		"short, in the same":    {20, "", 1},
	} {
		text := strings.Repeat("spat_", c.beginnings) + c.between + h
		got := secret.Find(text, 10)
		if len(got) != c.want || c.want == 1 && text[got[0].Start:got[0].End] != h {
			t.Errorf("%s: found %+v, want %d", name, got, c.want)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("key="+secret.NewHandle(secret.AccessToken).Reveal()+";", "spcs_")
	f.Add("spat_spat_", "_")
	f.Add(strings.Repeat("spse_", 40), "\n")
	f.Fuzz(func(t *testing.T, text, more string) {
		last := 0
		for _, s := range secret.Find(text, 50) {
			if s.Start < last || s.End <= s.Start || s.End > len(text) {
				t.Fatalf("%+v in %d bytes", s, len(text))
			}
			last = s.End
			if kind, ok := secret.Kind(text[s.Start:s.End]); !ok || kind != s.Prefix {
				t.Errorf("%q is no handle", text[s.Start:s.End])
			}
		}
		h := secret.Encode(secret.ClientSecret, []byte("0123456789abcdef")).Reveal()
		if len(more) > 100 {
			return
		}
		whole, found := more+" "+h+" "+more, false
		for _, s := range secret.Find(whole, 50) {
			found = found || whole[s.Start:s.End] == h
		}
		if !found {
			t.Errorf("the handle is not found in %q", whole)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("x = some_ordinary.code_with(names) + other_names\n", 200) + secret.NewHandle(secret.ClientSecret).Reveal()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if len(secret.Find(text, 5)) != 1 {
			b.Fatal("not found")
		}
	}
}
