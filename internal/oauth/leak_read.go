package oauth

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"sallyport/internal/secret"
)

// Found is a string that somebody came upon where it should not be.
type Found struct {
	Secret secret.Value // alone, or in the middle of other text
	URL    string       // where
	Source string       // what kind of place that is, in the finder's words
}

// Limits of a report.
const (
	MaxLeakReport = 1 << 20 // bytes of the body
	maxFound      = 100
	maxFoundText  = 8 << 10
	maxFoundURL   = 2 << 10
	maxSource     = 64
	// maxCredentials bounds what one report can make the store look for. A
	// credential counts by its form alone, ours or not.
	maxCredentials = 2000
)

func badReport(text string) *Error { return fail(InvalidRequest, text) }

// readLeakReport reads {"found":[{"secret":"…","url":"…","source":"…"}]}. Names
// are exact, none is repeated or unknown, and secret is needed. The error says
// nothing that stood in the body.
func readLeakReport(body []byte) ([]Found, *Error) {
	if len(body) > MaxLeakReport || !utf8.Valid(body) {
		return nil, badReport("the body is larger than 1 MiB or is not UTF-8")
	}
	r := reportReader{dec: json.NewDecoder(bytes.NewReader(body))}
	var found []Found
	seen := false
	r.object(func(name string) bool {
		if name != "found" || seen {
			return false
		}
		seen = true
		return r.array(func() bool {
			f, ok := r.found()
			found = append(found, f)
			return ok && len(found) <= maxFound
		})
	})
	r.end()
	if r.bad || !seen {
		return nil, badReport("the body must be a JSON object with found: at most 100 objects with secret, url and source, each once, as text of at most 8 KiB, 2 KiB and 64 bytes")
	}
	return found, nil
}

// reportReader walks JSON token by token: encoding/json would take other
// spellings of a name and the last of two.
type reportReader struct {
	dec *json.Decoder
	bad bool
}

func (r *reportReader) next() json.Token {
	if r.bad {
		return nil
	}
	t, err := r.dec.Token()
	r.bad = err != nil
	return t
}

func (r *reportReader) must(ok bool) bool {
	r.bad = r.bad || !ok
	return !r.bad
}

// object calls f for each name, which reads the value.
func (r *reportReader) object(f func(name string) bool) bool {
	if !r.must(r.next() == json.Delim('{')) {
		return false
	}
	for r.dec.More() {
		name, ok := r.next().(string)
		if !r.must(ok && f(name)) {
			return false
		}
	}
	return r.must(r.next() == json.Delim('}'))
}

func (r *reportReader) array(f func() bool) bool {
	if !r.must(r.next() == json.Delim('[')) {
		return false
	}
	for r.dec.More() {
		if !r.must(f()) {
			return false
		}
	}
	return r.must(r.next() == json.Delim(']'))
}

func (r *reportReader) found() (Found, bool) {
	texts := map[string]string{}
	limits := map[string]int{"secret": maxFoundText, "url": maxFoundURL, "source": maxSource}
	ok := r.object(func(name string) bool {
		_, twice := texts[name]
		text, isText := r.next().(string)
		texts[name] = text
		return !twice && isText && len(text) <= limits[name] && limits[name] > 0
	})
	_, has := texts["secret"]
	return Found{Secret: secret.New(texts["secret"]), URL: texts["url"], Source: texts["source"]}, ok && has
}

// end refuses what follows the object.
func (r *reportReader) end() {
	if r.bad {
		return
	}
	_, err := r.dec.Token()
	r.bad = err == nil || r.dec.More()
}

// lineAnchor is the only fragment that is kept: it says where in a file.
var lineAnchor = regexp.MustCompile(`^L[0-9]{1,7}(-L[0-9]{1,7})?$`)

// cleanURL is what may be kept and mailed of where something was found: no
// query, no user, no credential in the path, and ASCII only. What is no address
// of the web is dropped.
func cleanURL(raw string, found secret.Value) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsFunc(u.Host, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return ""
	}
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if lineAnchor.MatchString(u.Fragment) {
		clean.Fragment = u.Fragment
	}
	text := strings.TrimSpace(found.Reveal())
	if hidesCredential(u.Host+u.Path, text) {
		clean.Path, clean.Fragment = "/", ""
	}
	if hidesCredential(u.Host, text) {
		return ""
	}
	return clean.String()
}

// hidesCredential looks at the text as it stands and with its escapes undone,
// some times over.
func hidesCredential(text, found string) bool {
	const rounds = 3
	for range rounds {
		if len(secret.Find(text, 1)) > 0 || strings.Contains(text, jwtHead) || len(found) >= leastQuoted && strings.Contains(text, found) {
			return true
		}
		plain, err := url.PathUnescape(text)
		if err != nil || plain == text {
			break
		}
		text = plain
	}
	return false
}

// leastQuoted is the shortest found string that is looked for in an address.
const leastQuoted = 16

// cleanSource keeps a word or two.
func cleanSource(s string) string {
	kept := strings.Map(func(c rune) rune {
		if c < 0x7f && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune(" ._/:-", c)) {
			return c
		}
		return -1
	}, s)
	if hidesCredential(kept, "\x00") {
		return ""
	}
	return kept
}
