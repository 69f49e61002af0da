package theme_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"sallyport/internal/theme"
)

func TestColoursThatCannotBeReadAreRefusedWithTheNearestThatCan(t *testing.T) {
	for _, c := range []struct {
		name string
		v    theme.Values
		want []string // in the error; none: it passes
	}{
		{"nothing is set", theme.Values{}, nil},
		{"ours", theme.Values{Accent: theme.Day.Accent, AccentDark: theme.Night.Accent, Paper: theme.Day.Paper, PaperDark: theme.Night.Paper}, nil},
		{"blue", theme.Values{Accent: "#0b57d0", AccentDark: "#a8c7fa"}, nil},
		{"capitals", theme.Values{Accent: "#0B57D0"}, nil},
		{"yellow links on white", theme.Values{Accent: "#ffcc00"}, []string{"accent: #ffcc00 has a contrast of 1.51:1", "the card behind it", "4.5:1", "the nearest colour that has it is #"}},
		{"navy links at night", theme.Values{AccentDark: "#101060"}, []string{"accent_dark: #101060", "nearest"}},
		{"paper of grey", theme.Values{Paper: "#808080"}, []string{"paper: #808080", "4.5:1"}},
		{"paper that hides the edges of buttons only", theme.Values{Paper: "#eeeeee"}, []string{"the edges of buttons", "3.0:1"}},
		{"night of white", theme.Values{PaperDark: "#ffffff"}, []string{"paper_dark"}},
		{"links that do not stand out from paper", theme.Values{Accent: "#757575", Paper: "#f6f5f2"}, []string{"paper, #f6f5f2"}},
		{"a word", theme.Values{Accent: "red"}, []string{`accent: "red" is no colour: write #rrggbb`}},
		{"short", theme.Values{Paper: "#fff"}, []string{"paper"}},
		{"a way out of the stylesheet", theme.Values{Accent: "#0b57d;}"}, []string{"is no colour"}},
		{"a sign", theme.Values{Accent: "#+b57d0"}, []string{"is no colour"}},
		{"a long name", theme.Values{Name: strings.Repeat("n", 41)}, []string{"name has 41 characters"}},
		{"a name that turns", theme.Values{Name: "Shop\u202e"}, []string{"U+202E"}},
		{"all at once", theme.Values{Accent: "#ffff00", Paper: "#000000"}, []string{"accent:", "paper:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := theme.New(c.v)
			if (err == nil) != (c.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if err == nil {
				return
			}
			if _, better, found := strings.Cut(err.Error(), "the nearest colour that has it is "); found && !strings.Contains(better, "\n") {
				fixed := c.v
				for _, at := range []*theme.Colour{&fixed.Accent, &fixed.AccentDark, &fixed.Paper, &fixed.PaperDark} {
					if *at != "" && strings.Contains(err.Error(), string(*at)+" has") {
						*at = theme.Colour(better)
					}
				}
				if _, err := theme.New(fixed); err != nil {
					t.Errorf("what was proposed is refused: %v", err)
				}
			}
		})
	}
}

func TestTheStylesheetHasBothColoursOfEachPair(t *testing.T) {
	th, err := theme.New(theme.Values{Name: "Example", Accent: "#0B57D0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--accent: #0b57d0;", "--accent: light-dark(#0b57d0, " + string(theme.Night.Accent) + ");", "--accent-strong: light-dark(#0946a6, ",
	} {
		if !strings.Contains(string(th.Style), want) {
			t.Errorf("%s lacks %s", th.Style, want)
		}
	}
	if strings.Contains(string(th.Style), "paper") {
		t.Errorf("%s changes what was not set", th.Style)
	}
	if th, err := theme.New(theme.Values{Name: "Example"}); err != nil || th.Style != nil {
		t.Errorf("a name alone makes a stylesheet: %v", err)
	}
}

const plain = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#123456" d="M0 0h8v8z"></path></svg>`

func TestLogosAreCleaned(t *testing.T) {
	wrap := func(inner string) string {
		return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8">` + inner + `</svg>`
	}
	for _, c := range []struct{ name, in, out string }{
		{"a picture stays", plain, plain},
		{"notes of a drawing program go", `<?xml version="1.0" encoding="UTF-8"?><!-- by hand --><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">` +
			`<svg xmlns="http://www.w3.org/2000/svg" xmlns:i="http://www.inkscape.org/" i:version="1" viewBox="0 0 8 8"><i:grid><i:a/></i:grid><metadata>x</metadata><path fill="#123456" d="M0 0h8v8z"/></svg>`, plain},
		{
			"parts of itself stay", wrap(`<defs><circle id="c" r="1"/></defs><use xlink:href="#c" fill="url(#g)"/>`),
			`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><defs><circle id="c" r="1"></circle></defs><use href="#c" fill="url(#g)"></use></svg>`,
		},
		{"unknown attributes go", wrap(`<path d="M0 0" data-x="1" tabindex="0"/>`), `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0"></path></svg>`},
		{"a script", wrap(`<script>alert(1)</script>`), ""},
		{"a script of another space", wrap(`<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>`), ""},
		{"a handler", wrap(`<path d="M0 0" onload="alert(1)"/>`), ""},
		{"a handler in capitals", wrap(`<path d="M0 0" ONLOAD="alert(1)"/>`), ""},
		{"a page inside", wrap(`<foreignObject><p/></foreignObject>`), ""},
		{"a picture from elsewhere", wrap(`<image href="https://evil.example/x.png"/>`), ""},
		{"a link", wrap(`<a href="https://evil.example/"><path d="M0 0"/></a>`), ""},
		{"use from elsewhere", wrap(`<use xlink:href="https://evil.example/x.svg#a"/>`), ""},
		{"use of data", wrap(`<use href="data:image/svg+xml,x#a"/>`), ""},
		{"a fill from elsewhere", wrap(`<path fill="url(https://evil.example/x)"/>`), ""},
		{"a fill from elsewhere, in capitals and quotes", wrap(`<path fill="URL( 'https://evil.example/x')"/>`), ""},
		{"a fill that hides", wrap(`<path style="fill:u\72l(https://evil.example/x)"/>`), ""},
		{"a stylesheet", wrap(`<style>@import "https://evil.example/x.css"</style>`), ""},
		{"an animation", wrap(`<animate attributeName="href" to="javascript:alert(1)"/>`), ""},
		{"entities", `<!DOCTYPE svg [<!ENTITY a "aaaa">]>` + plain, ""},
		{"cut", plain[:40], ""},
		{"HTML", `<html></html>`, ""},
		{"another root", `<svg/>`, ""},
		{"two roots", plain + plain, ""},
		{"nothing", " ", ""},
		{"too much", wrap(strings.Repeat(" ", theme.MaxLogo)), ""},
		{"too deep", wrap(strings.Repeat("<g>", 40) + strings.Repeat("</g>", 40)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			th, err := theme.New(theme.Values{Logo: []byte(c.in)})
			if c.out == "" {
				if err == nil {
					t.Fatalf("it passes as %s", th.Logo)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(th.Logo) != c.out || th.Kind != theme.SVG {
				t.Errorf("%s %s, want %s", th.Kind, th.Logo, c.out)
			}
		})
	}
}

func TestPicturesAreWrittenAnew(t *testing.T) {
	var b bytes.Buffer
	picture := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	picture.Set(1, 1, color.NRGBA{R: 200, A: 255})
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	noted := append(b.Bytes()[:33:33], chunk("tEXt", "Author\x00Ada")...)
	th, err := theme.New(theme.Values{Logo: append(noted, b.Bytes()[33:]...)})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(th.Logo, []byte("Ada")) || th.Kind != theme.PNG {
		t.Error("what stands beside the picture is still there")
	}
	if again, err := png.Decode(bytes.NewReader(th.Logo)); err != nil || again.At(1, 1) != picture.At(1, 1) {
		t.Errorf("the picture is another one: %v", err)
	}
	huge := bytes.Clone(b.Bytes())
	binary.BigEndian.PutUint32(huge[16:], 40000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	for name, in := range map[string][]byte{"cut": b.Bytes()[:40], "40000 pixels wide": huge} {
		if _, err := theme.New(theme.Values{Logo: in}); err == nil {
			t.Errorf("a PNG that is %s passes", name)
		}
	}
}

func chunk(kind, data string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// Whatever comes in, what comes out loads and runs nothing, and cleaning it again
// changes nothing.
func FuzzLogo(f *testing.F) {
	f.Add([]byte(plain))
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><g style="fill:url(#a)"><text>&lt;script></text></g></svg>`))
	f.Add([]byte(`<svg xmlns="http://www.w3.org/2000/svg"><svg onload=""/></svg>`))
	f.Add([]byte("\x89PNG\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		th, err := theme.New(theme.Values{Logo: b})
		if err != nil || th.Kind != theme.SVG {
			return
		}
		low := strings.ToLower(string(th.Logo))
		for _, bad := range []string{"<script", "<foreignobject", "<image", "<a>", "<a ", "<!", "<?"} {
			if strings.Contains(low, bad) {
				t.Fatalf("%q became %q, which has %s", b, th.Logo, bad)
			}
		}
		if len(th.Logo) > theme.MaxLogo {
			return
		}
		again, err := theme.New(theme.Values{Logo: th.Logo})
		if err != nil || !bytes.Equal(again.Logo, th.Logo) {
			t.Fatalf("%q became %q and then %v, %v", b, th.Logo, again, err)
		}
	})
}
