package theme

import "fmt"

// Palette is what pages are painted with, by day or by night, as it stands in
// their stylesheet. Ink is of text, Soft of what matters less, Edge around
// controls, Card behind text.
type Palette struct {
	Card, Ink, Soft, Edge, Paper, Accent, AccentInk Colour
}

// Ours, with which the values of an operator have to get along.
var (
	Day   = Palette{Card: "#ffffff", Ink: "#1f252c", Soft: "#58626d", Edge: "#858c93", Paper: "#f6f5f2", Accent: "#1f5f53", AccentInk: "#ffffff"}
	Night = Palette{Card: "#1c2127", Ink: "#e8eaec", Soft: "#a3adb7", Edge: "#737e89", Paper: "#14181c", Accent: "#7fc8b8", AccentInk: "#0d211d"}
)

const (
	readable = 4.5 // text (WCAG 2.2 §1.4.3)
	visible  = 3.0 // edges of controls and signs (WCAG 2.2 §1.4.11)
)

// pair is two colours that stand on each other, one of which the operator chose.
type pair struct {
	what  string
	other Colour
	least float64
}

// choice is a colour of the operator and what it has to stand out from.
type choice struct {
	name  string
	value Colour
	end   rgb // where a better one is to be looked for
	pairs []pair
}

func checkColours(v Values) []error {
	day, night := Day, Night
	day.Accent, night.Accent = or(v.Accent, day.Accent), or(v.AccentDark, night.Accent)
	day.Paper, night.Paper = or(v.Paper, day.Paper), or(v.PaperDark, night.Paper)
	accent := func(p Palette) []pair {
		return []pair{{"the card behind it, " + string(p.Card), p.Card, readable}, {"paper, " + string(p.Paper), p.Paper, readable}, {"the text on buttons, " + string(p.AccentInk), p.AccentInk, readable}}
	}
	paper := func(p Palette) []pair {
		return []pair{{"text, " + string(p.Ink), p.Ink, readable}, {"small text, " + string(p.Soft), p.Soft, readable}, {"the edges of buttons, " + string(p.Edge), p.Edge, visible}}
	}
	var problems []error
	for _, c := range []choice{
		{"paper", v.Paper, white, paper(day)},
		{"paper_dark", v.PaperDark, black, paper(night)},
		{"accent", v.Accent, black, accent(day)},
		{"accent_dark", v.AccentDark, white, accent(night)},
	} {
		if err := c.check(); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

func or(c, ours Colour) Colour {
	if _, ok := parse(c); !ok {
		return ours
	}
	return c
}

func (c choice) check() error {
	if c.value == "" {
		return nil
	}
	mine, ok := parse(c.value)
	if !ok {
		return fmt.Errorf("%s: %q is no colour: write #rrggbb", c.name, c.value)
	}
	var bad *pair
	right := func(mixed rgb) bool {
		for i, p := range c.pairs {
			if other, _ := parse(p.other); contrast(mixed, other) < p.least {
				bad = &c.pairs[i]
				return false
			}
		}
		return true
	}
	if right(mine) {
		return nil
	}
	first := *bad
	other, _ := parse(first.other)
	text := fmt.Sprintf("%s: %s has a contrast of %.2f:1 with %s; it needs %.1f:1", c.name, c.value, contrast(mine, other), first.what, first.least)
	if better, found := nearest(mine, c.end, right); found {
		return fmt.Errorf("%s; the nearest colour that has it is %s", text, better)
	}
	return fmt.Errorf("%s", text)
}
