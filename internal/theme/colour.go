package theme

import (
	"fmt"
	"math"
	"strconv"
)

// Colour is #rrggbb, or empty.
type Colour string

// rgb are the channels of a colour, from 0 to 255.
type rgb [3]float64

func parse(c Colour) (rgb, bool) {
	var out rgb
	if len(c) != 7 || c[0] != '#' {
		return out, false
	}
	for i := range out {
		n, err := strconv.ParseUint(string(c[1+2*i:3+2*i]), 16, 8)
		if err != nil {
			return out, false
		}
		out[i] = float64(n)
	}
	return out, true
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02x%02x%02x", uint8(math.Round(c[0])), uint8(math.Round(c[1])), uint8(math.Round(c[2])))
}

// towards mixes a part, from 0 to 1, of another colour into c.
func (c rgb) towards(other rgb, part float64) rgb {
	for i := range c {
		c[i] = math.Round(c[i] + (other[i]-c[i])*part)
	}
	return c
}

// luminance is relative luminance (WCAG 2.2, definitions).
func (c rgb) luminance() float64 {
	linear := func(v float64) float64 {
		if v /= 255; v > 0.04045 {
			return math.Pow((v+0.055)/1.055, 2.4)
		}
		return v / 12.92
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the contrast ratio of two colours, from 1 to 21 (WCAG 2.2,
// definitions).
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

var (
	white = rgb{255, 255, 255}
	black = rgb{}
)

// nearest is the colour closest to c, between it and the given end, that is right.
func nearest(c, end rgb, right func(rgb) bool) (rgb, bool) {
	const steps = 255
	for i := range steps + 1 {
		if mixed := c.towards(end, float64(i)/steps); right(mixed) {
			return mixed, true
		}
	}
	return c, false
}
