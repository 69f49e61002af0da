package web

import (
	"mime"
	"strconv"
	"strings"
)

// prefers reports whether a request whose Accept has these lines names want, and
// does not want other more (RFC 9110 §12.5.1). A range with a star names nobody:
// who does not say want by name gets other. What cannot be read counts as not said.
func prefers(accept []string, want, other string) bool {
	var wanted, otherwise float64
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			q := 1.0
			if text, has := params["q"]; has {
				if q, err = strconv.ParseFloat(text, 64); err != nil || !(q >= 0 && q <= 1) {
					continue
				}
			}
			switch media {
			case want:
				wanted = max(wanted, q)
			case other:
				otherwise = max(otherwise, q)
			}
		}
	}
	return wanted > 0 && wanted >= otherwise
}
