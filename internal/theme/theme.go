package theme

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Values are the six values. Each may be empty: then ours stands.
type Values struct {
	Name       string // beside the address of the server; at most MaxName characters
	Logo       []byte // SVG or PNG, at most MaxLogo bytes
	Accent     Colour // of links and buttons, by day
	AccentDark Colour // and by night
	Paper      Colour // behind everything, by day
	PaperDark  Colour // and by night
}

// MaxName bounds a name, in characters.
const MaxName = 40

// Theme is what pages need of the values. It is never changed.
type Theme struct {
	Name  string
	Style []byte // a stylesheet that stands after ours; nil: no colour is changed
	Logo  []byte // cleaned; nil: none
	Kind  Kind   // of Logo
}

// New checks the values and says everything that is wrong with them, with the
// nearest colour that is right.
func New(v Values) (*Theme, error) {
	t := &Theme{Name: v.Name}
	var problems []error
	if err := checkName(v.Name); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, checkColours(v)...)
	if len(v.Logo) > 0 {
		var err error
		if t.Logo, t.Kind, err = cleanLogo(v.Logo); err != nil {
			problems = append(problems, fmt.Errorf("logo: %w", err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	t.Style = stylesheet(v)
	return t, nil
}

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n > MaxName {
		return fmt.Errorf("name has %d characters, at most %d fit", n, MaxName)
	}
	for _, c := range name {
		if c == utf8.RuneError || c != ' ' && !unicode.IsGraphic(c) || unicode.Is(unicode.Zs, c) && c != ' ' {
			return fmt.Errorf("name has the character %U, which nobody sees", c)
		}
	}
	return nil
}
