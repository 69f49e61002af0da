package contract

import (
	"mime"
	"strings"
)

// MediaType reads a Content-Type (RFC 9110 §8.3): its type in lower case and its
// parameters. ok is false if readers may disagree on it.
func MediaType(line string) (kind string, params map[string]string, ok bool) {
	if strings.IndexByte(line, ',') >= 0 {
		return "", nil, false // a list for some
	}
	if line == "application/json" {
		return line, nil, true
	}
	kind, params, err := mime.ParseMediaType(line)
	return kind, params, err == nil && strings.IndexByte(kind, '/') > 0
}
