package locale

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var placeholder = regexp.MustCompile(`\{[a-z_]+\}`)

// Each language says everything, with the same values in it and the same markup.
func TestEveryLanguageSaysTheSame(t *testing.T) {
	tags := regexp.MustCompile(`<[^>]*>`)
	for _, l := range Languages {
		for key := range Default.messages {
			if _, ok := l.messages[key]; !ok {
				t.Errorf("%s lacks %s", l.Tag, key)
			}
		}
		for key, m := range l.messages {
			want, ok := Default.messages[key]
			if !ok {
				t.Errorf("%s has %s, which %s has not", l.Tag, key, Default.Tag)
				continue
			}
			if (m.forms == nil) != (want.forms == nil) {
				t.Errorf("%s: %s has plural forms in one language only", l.Tag, key)
				continue
			}
			for form, text := range texts(m) {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s: %s %s is empty", l.Tag, key, form)
				}
				model := want.text
				if m.forms != nil {
					model = want.forms["other"]
				}
				got, need := set(placeholder, text), set(placeholder, model)
				if m.forms != nil && (form == "one" || form == "two") { // may have the number in words
					got, need = without(got, "{n}"), without(need, "{n}")
				}
				if !slices.Equal(got, need) {
					t.Errorf("%s: %s %s fills %v, %s fills %v", l.Tag, key, form, got, Default.Tag, need)
				}
				if got, need := set(tags, text), set(tags, model); !slices.Equal(got, need) {
					t.Errorf("%s: %s has the markup %v, %s has %v", l.Tag, key, got, Default.Tag, need)
				}
				for _, tag := range tags.FindAllString(text, -1) {
					if !slices.Contains([]string{"<strong>", "</strong>", "<code>", "</code>", "<br>"}, tag) {
						t.Errorf("%s: %s has the markup %s", l.Tag, key, tag)
					}
				}
			}
		}
	}
}

func texts(m message) map[string]string {
	if m.forms != nil {
		return m.forms
	}
	return map[string]string{"": m.text}
}

func set(of *regexp.Regexp, text string) []string {
	m := map[string]bool{}
	for _, s := range of.FindAllString(text, -1) {
		m[s] = true
	}
	return slices.Sorted(maps.Keys(m))
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(list, func(have string) bool { return have == s })
}

// CLDR has six forms in Arabic; leaving one out would say something ungrammatical.
func TestPluralFormsAreComplete(t *testing.T) {
	need := map[string][]string{"en": {"one", "other"}, "de": {"one", "other"}, "ar": {"few", "many", "one", "other", "two", "zero"}}
	for _, l := range Languages {
		for key, m := range l.messages {
			if m.forms != nil && !slices.Equal(slices.Sorted(maps.Keys(m.forms)), need[l.Tag]) {
				t.Errorf("%s: %s has the forms %v", l.Tag, key, slices.Sorted(maps.Keys(m.forms)))
			}
		}
	}
}

func TestTheBestLanguageIsFound(t *testing.T) {
	for wanted, tag := range map[string]string{
		"": "en", "de": "de", "de-CH,fr;q=0.5": "de", "fr": "en", "ar-EG": "ar", "fr,de;q=0.3": "de", "fr de": "de",
		"en-GB": "en", "\x00": "en", strings.Repeat("x-", 9999): "en", "*": "en",
	} {
		if got := For(wanted); got.Tag != tag {
			t.Errorf("%.40q leads to %s, want %s", wanted, got.Tag, tag)
		}
	}
	if got := For("fr", "de"); got.Tag != "de" {
		t.Errorf("the second wish leads to %s", got.Tag)
	}
}

func TestValuesAreEscapedIsolatedAndFilledOnce(t *testing.T) {
	got := string(Default.HTML("login.lead", "app", `<b>{app}`))
	if want := "to continue to <strong><bdi>&lt;b&gt;{app}</bdi></strong>"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSpansAreRoundedUp(t *testing.T) {
	for in, want := range map[string]string{
		"1s": "1 second", "300ms": "1 second", "59s": "59 seconds", "1m": "1 minute", "10m": "10 minutes", "61s": "2 minutes",
		"1h": "1 hour", "24h": "1 day", "4320h": "180 days", "12h": "12 hours",
	} {
		d, err := time.ParseDuration(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := Default.Span(d); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
	}
}

func TestSpansAndMoments(t *testing.T) {
	at := time.Date(2026, 3, 9, 7, 5, 59, 0, time.UTC)
	for _, c := range []struct {
		tag, span, moment string
	}{
		{"en", "2 minutes", "9 March 2026, 07:05 UTC"},
		{"de", "2 Minuten", "9. März 2026, 07:05 UTC"},
		{"ar", "دقيقتان", "9 مارس 2026، 07:05 بالتوقيت العالمي"},
	} {
		l, _ := Named(c.tag)
		if got := l.Span(61 * time.Second); got != c.span {
			t.Errorf("%s: %q, want %q", c.tag, got, c.span)
		}
		if got := l.Moment(at); got != c.moment {
			t.Errorf("%s: %q, want %q", c.tag, got, c.moment)
		}
	}
}
