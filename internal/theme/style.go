package theme

import (
	"fmt"
	"strings"
)

// strong is how far a button under the pointer goes towards black or white.
const strong = 0.2

// stylesheet names the custom properties of our stylesheet anew. Browsers without
// light-dark() have the colours of day, as ours gives them.
func stylesheet(v Values) []byte {
	var day, both strings.Builder
	add := func(name string, byDay, byNight, oursByDay, oursByNight Colour) {
		if byDay == "" && byNight == "" {
			return
		}
		light, _ := parse(or(byDay, oursByDay))
		dark, _ := parse(or(byNight, oursByNight))
		write := func(name string, light, dark rgb) {
			fmt.Fprintf(&day, "  --%s: %s;\n", name, light)
			fmt.Fprintf(&both, "    --%s: light-dark(%s, %s);\n", name, light, dark)
		}
		write(name, light, dark)
		if name == "accent" {
			write("accent-strong", light.towards(black, strong), dark.towards(white, strong))
		}
	}
	add("accent", v.Accent, v.AccentDark, Day.Accent, Night.Accent)
	add("paper", v.Paper, v.PaperDark, Day.Paper, Night.Paper)
	if day.Len() == 0 {
		return nil
	}
	return []byte(":root {\n" + day.String() + "}\n\n@supports (color: light-dark(#fff, #000)) {\n  :root {\n" + both.String() + "  }\n}\n")
}
