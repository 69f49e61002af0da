package web

import (
	"fmt"
	"strconv"
	"strings"

	"rsc.io/qr"

	"sallyport/internal/secret"
)

// picture is a QR code as a page draws it: one path in a square of Size, with the
// four light modules around it that ISO/IEC 18004 §5.3.8 asks for. It is part of
// the page, so that no cache and no log of addresses ever has the secret.
type picture struct {
	Size int
	Path string
}

const quietZone = 4

func drawn(text secret.Value) (picture, error) {
	code, err := qr.Encode(text.Reveal(), qr.M)
	if err != nil {
		return picture{}, fmt.Errorf("draw QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x == from {
				continue
			}
			path.WriteString("M" + strconv.Itoa(from+quietZone) + " " + strconv.Itoa(y+quietZone) + "h" + strconv.Itoa(x-from) + "v1h-" + strconv.Itoa(x-from) + "z")
		}
	}
	return picture{Size: code.Size + 2*quietZone, Path: path.String()}, nil
}
