package theme

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	svgSpace = "http://www.w3.org/2000/svg"
	maxDepth = 32
)

// drawing are the elements of SVG 2 that draw, and the attributes that nothing is
// loaded or run by. What is not in them does not get into the logo.
var drawing = set(`svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan
	linearGradient radialGradient stop clipPath mask pattern`)

var harmless = set(`id class version viewBox preserveAspectRatio x y x1 y1 x2 y2 cx cy r rx ry fx fy fr dx dy d points width height transform
	pathLength offset gradientUnits gradientTransform spreadMethod clipPathUnits maskUnits maskContentUnits patternUnits patternContentUnits
	patternTransform fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit
	stroke-dasharray stroke-dashoffset opacity stop-color stop-opacity color clip-path clip-rule mask display visibility overflow
	font-family font-size font-weight font-style letter-spacing text-anchor dominant-baseline vector-effect shape-rendering style href role aria-label`)

// refused are what would change the picture if it were only left out, or is there
// for nothing good.
var refused = map[string]string{
	"script": "it runs", "foreignObject": "it holds pages", "image": "it loads another picture", "style": "write fill and stroke on the elements themselves",
	"a": "it is a link", "animate": "it moves", "set": "it moves", "animateTransform": "it moves", "animateMotion": "it moves", "filter": "it is slow to draw",
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// cleanSVG writes a picture anew with the elements and attributes that we know.
func cleanSVG(b []byte) ([]byte, error) {
	d := xml.NewDecoder(bytes.NewReader(b))
	var out bytes.Buffer
	depth := 0
	for {
		tok, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && out.Len() > 0:
			return out.Bytes(), nil
		case err != nil && out.Len() == 0:
			return nil, errNoSVG
		case err != nil:
			return nil, fmt.Errorf("no SVG: %w", err)
		}
		switch tok := tok.(type) {
		case xml.Directive:
			if depth > 0 || bytes.ContainsAny(tok, "[") {
				return nil, errors.New("a document type declares entities: remove it")
			}
		case xml.StartElement:
			if skip, err := begin(&out, tok, depth); err != nil {
				return nil, err
			} else if skip {
				if err := d.Skip(); err != nil {
					return nil, fmt.Errorf("no SVG: %w", err)
				}
				continue
			}
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("more than %d elements are in each other", maxDepth)
			}
		case xml.EndElement:
			depth--
			out.WriteString("</" + tok.Name.Local + ">")
		case xml.CharData:
			if depth > 0 {
				if err := xml.EscapeText(&out, tok); err != nil {
					return nil, err
				}
			}
		}
	}
}

// begin writes the start of an element. It reports whether the element is left
// out with all that is in it, as what drawing programs note for themselves is.
func begin(out *bytes.Buffer, e xml.StartElement, depth int) (skip bool, err error) {
	name := e.Name.Local
	if depth == 0 && (name != "svg" || e.Name.Space != svgSpace || out.Len() > 0) {
		return false, errNoSVG
	}
	if why, bad := refused[name]; bad {
		return false, fmt.Errorf("an SVG logo has no <%s>: %s", name, why)
	}
	if e.Name.Space != svgSpace || !drawing[name] {
		return true, nil
	}
	out.WriteString("<" + name)
	if depth == 0 {
		out.WriteString(` xmlns="` + svgSpace + `"`)
	}
	for _, a := range e.Attr {
		if err := attribute(out, a); err != nil {
			return false, err
		}
	}
	out.WriteString(">")
	return false, nil
}

func attribute(out *bytes.Buffer, a xml.Attr) error {
	name := a.Name.Local
	if strings.HasPrefix(strings.ToLower(name), "on") && a.Name.Space == "" {
		return fmt.Errorf("an SVG logo has no %s: it runs", name)
	}
	link := name == "href" && (a.Name.Space == "" || a.Name.Space == "http://www.w3.org/1999/xlink")
	if !link && (a.Name.Space != "" || !harmless[name]) {
		return nil
	}
	if link && !strings.HasPrefix(a.Value, "#") || outside(a.Value) {
		return fmt.Errorf("an SVG logo refers to nothing outside of itself, and %s=%q does", name, short(a.Value))
	}
	out.WriteString(" " + name + `="`)
	if err := xml.EscapeText(out, []byte(a.Value)); err != nil {
		return err
	}
	out.WriteString(`"`)
	return nil
}

// outside reports whether a value of CSS refers to something else than a part of
// the same picture, or could hide that it does.
func outside(v string) bool {
	v = strings.ToLower(v)
	if strings.ContainsAny(v, `\@`) || strings.Contains(v, "/*") || strings.Contains(v, "image") || strings.Contains(v, "src(") || strings.Contains(v, "expression") {
		return true
	}
	for rest := v; ; {
		_, after, found := strings.Cut(rest, "url(")
		if !found {
			return false
		}
		if !strings.HasPrefix(strings.TrimLeft(after, ` "'`), "#") {
			return true
		}
		rest = after
	}
}

func short(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
