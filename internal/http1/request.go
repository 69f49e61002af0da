package http1

import (
	"net/http"
	"net/url"
	"strings"
)

// maxPlain is the size of what Front reads of a request by itself: of its head,
// and of its body. Larger ones are handed over.
const maxPlain = 16 << 10

// plainMethods are those that Front takes, and their one string.
var plainMethods = map[string]string{
	"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "PATCH": "PATCH", "DELETE": "DELETE", "OPTIONS": "OPTIONS",
}

// unusual are fields that change how a message or a connection is read. A
// request with one of them is not plain.
var unusual = [...]string{"Upgrade", "Expect", "Trailer", "Te", "Http2-Settings", "Transfer-Encoding"}

// parsePlain reads a head, with the CRLF of its last line and without the empty
// line, into r, whose header must be empty. It reports false for whatever it
// does not know for sure that net/http reads in the same way: r is of no use
// then. r.ContentLength is the size of the body that follows.
func parsePlain(r *http.Request, s string) bool {
	end := strings.IndexByte(s, '\r')
	if end < 0 || end+1 >= len(s) || s[end+1] != '\n' {
		return false
	}
	method, rest, _ := strings.Cut(s[:end], " ")
	target, version, _ := strings.Cut(rest, " ")
	known, ok := plainMethods[method]
	if !ok || version != "HTTP/1.1" {
		return false
	}
	u, ok := plainTarget(target)
	if !ok {
		return false
	}
	var h head
	h.reset(r.Header)
	if err := h.parse(s[end+2:]); err != nil || h.hosts != 1 || !isPlainHost(h.host) || h.chunked || h.options || h.length > maxPlain {
		return false
	}
	for _, name := range unusual {
		if _, there := r.Header[name]; there {
			return false
		}
	}
	if p := r.Header["Pragma"]; len(p) > 0 && p[0] == "no-cache" { // net/http does so
		if _, said := r.Header["Cache-Control"]; !said {
			r.Header["Cache-Control"] = noCache
		}
	}
	r.Method, r.URL, r.RequestURI, r.Host = known, u, target, h.host
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.ContentLength, r.Close = max(h.length, 0), h.close
	return true
}

var noCache = []string{"no-cache"}

// plainTarget reads a target in origin-form (RFC 9112 §3.2.1).
func plainTarget(s string) (*url.URL, bool) {
	if s == "" || s[0] != '/' || strings.HasPrefix(s, "//") || !isTarget(s) || strings.IndexByte(s, '#') >= 0 {
		return nil, false
	}
	path, query, has := strings.Cut(s, "?")
	for i := range len(path) {
		if !plainPath[path[i]] {
			u, err := url.ParseRequestURI(s)
			return u, err == nil
		}
	}
	return &url.URL{Path: path, RawQuery: query, ForceQuery: has && query == ""}, true
}

// plainPath are the bytes that mean themselves in a path for every reader.
var plainPath = func() (set [256]bool) {
	for _, b := range []byte("/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		set[b] = true
	}
	return set
}()

func isPlainHost(s string) bool {
	for i := range len(s) {
		if b := s[i]; !plainPath[b] && b != ':' && b != '[' && b != ']' || b == '/' || b == '~' {
			return false
		}
	}
	return s != ""
}
