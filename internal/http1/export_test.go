package http1

import "net/http"

// ParsePlain reads the head of a request as Front does, up to its empty line.
// size is that of the head with its empty line; 0 if it is not plain.
func ParsePlain(b []byte) (r *http.Request, size int) {
	for i := 0; i+4 <= len(b) && i < maxPlain; i++ {
		if string(b[i:i+4]) == "\r\n\r\n" {
			r = &http.Request{Header: http.Header{}}
			if hasBareLF(b[:i+2]) || !parsePlain(r, string(b[:i+2])) {
				return nil, 0
			}
			return r, i + 4
		}
	}
	return nil, 0
}
