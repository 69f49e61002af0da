package web_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"sallyport/internal/theme"
	"sallyport/internal/web"
)

func TestAThemeIsServedByItsContentAndHasNoPower(t *testing.T) {
	const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"></path></svg>`
	look, err := theme.New(theme.Values{Name: "Example <b>Bank</b>", Accent: "#0b57d0", Logo: []byte(logo)})
	if err != nil {
		t.Fatal(err)
	}
	b := newHouse(t, options{edge: func(o *web.Options) { o.Theme = look }}).browser()
	page := b.loginPage()
	for what, want := range map[string]*regexp.Regexp{
		"the name, as text":          regexp.MustCompile(`<strong><bdi>Example &lt;b&gt;Bank&lt;/b&gt;</bdi></strong>`),
		"the address all the same":   regexp.MustCompile(`<span dir="ltr">auth\.example\.com</span>`),
		"the stylesheet, after ours": regexp.MustCompile(`href="/static/style\.[0-9a-f]{10}\.css">\n<link rel="stylesheet" href="/static/theme\.[0-9a-f]{10}\.css">`),
		"the logo":                   regexp.MustCompile(`<img class="logo" src="/static/logo\.[0-9a-f]{10}\.svg" alt="" height="28">`),
	} {
		if !want.MatchString(page.body) {
			t.Errorf("the page lacks %s:\n%s", what, page.body)
		}
	}
	if csp := page.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
	for _, file := range []struct{ pattern, kind, has string }{
		{`/static/theme\.[0-9a-f]+\.css`, "text/css; charset=utf-8", "--accent: #0b57d0;"}, {`/static/logo\.[0-9a-f]+\.svg`, "image/svg+xml", logo},
	} {
		r := b.get(regexp.MustCompile(file.pattern).FindString(page.body))
		wantStatus(t, r, http.StatusOK)
		if r.Header.Get("Content-Type") != file.kind || !strings.Contains(r.body, file.has) {
			t.Errorf("%s: %s %s", file.pattern, r.Header.Get("Content-Type"), r.body)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Content-Security-Policy") != "default-src 'none'; frame-ancestors 'none'" {
			t.Errorf("%s: headers %v", file.pattern, r.Header)
		}
	}
	if page := newHouse(t, options{}).browser().loginPage(); strings.Contains(page.body, "/static/theme") || strings.Contains(page.body, "<img") {
		t.Errorf("a page without a theme has one:\n%s", page.body)
	}
}

// The colours that those of an operator are held against are those of the pages.
func TestThePaletteIsThatOfTheStylesheet(t *testing.T) {
	b, err := os.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	css := string(b)
	for name, pair := range map[string][2]theme.Colour{
		"card": {theme.Day.Card, theme.Night.Card}, "ink": {theme.Day.Ink, theme.Night.Ink}, "soft": {theme.Day.Soft, theme.Night.Soft},
		"edge": {theme.Day.Edge, theme.Night.Edge}, "paper": {theme.Day.Paper, theme.Night.Paper}, "accent": {theme.Day.Accent, theme.Night.Accent},
		"accent-ink": {theme.Day.AccentInk, theme.Night.AccentInk},
	} {
		for _, want := range []string{"--" + name + ": " + string(pair[0]) + ";", "--" + name + ": light-dark(" + string(pair[0]) + ", " + string(pair[1]) + ");"} {
			if !strings.Contains(css, want) {
				t.Errorf("style.css lacks %s", want)
			}
		}
	}
}

// Both directions of writing come from one stylesheet: it knows starts and ends,
// and neither left nor right.
func TestTheStylesheetKnowsNeitherLeftNorRight(t *testing.T) {
	b, err := os.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?m)^.*\b(?:left|right)\b.*$`).FindAllString(string(b), -1); found != nil {
		t.Errorf("these lines do: %q", found)
	}
	for line := range strings.Lines(string(b)) {
		for _, m := range regexp.MustCompile(`(?:padding|margin):\s*([^;]+);`).FindAllStringSubmatch(line, -1) {
			if v := regexp.MustCompile(`clamp\([^)]*\)`).ReplaceAllString(m[1], "x"); len(strings.Fields(v)) == 4 && strings.Fields(v)[1] != strings.Fields(v)[3] {
				t.Errorf("another left than right: %s", line)
			}
		}
	}
	if regexp.MustCompile(`@import|url\(|https?:`).MatchString(string(b)) {
		t.Error("the stylesheet loads something")
	}
}
