package theme

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
)

// Kind is the format of a logo.
type Kind string

// The formats of logos, by their endings.
const (
	SVG Kind = ".svg"
	PNG Kind = ".png"
)

const (
	// MaxLogo bounds a logo, in bytes.
	MaxLogo  = 64 << 10
	maxSide  = 2048 // pixels
	pngStart = "\x89PNG\r\n\x1a\n"
)

// cleanLogo reads a logo and writes it anew, so that nothing is left in it but a
// picture.
func cleanLogo(b []byte) ([]byte, Kind, error) {
	if len(b) > MaxLogo {
		return nil, "", fmt.Errorf("%d bytes are more than %d", len(b), MaxLogo)
	}
	if bytes.HasPrefix(b, []byte(pngStart)) {
		clean, err := cleanPNG(b)
		return clean, PNG, err
	}
	clean, err := cleanSVG(b)
	return clean, SVG, err
}

func cleanPNG(b []byte) ([]byte, error) {
	head, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("no PNG: %w", err)
	}
	if head.Width > maxSide || head.Height > maxSide { // before memory is taken for it
		return nil, fmt.Errorf("%d by %d pixels are more than %d", head.Width, head.Height, maxSide)
	}
	picture, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("no PNG: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, fmt.Errorf("write PNG: %w", err)
	}
	return out.Bytes(), nil
}

var errNoSVG = errors.New("neither a PNG nor an SVG")
