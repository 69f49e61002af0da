package oauth

import (
	"strings"

	"sallyport/internal/secret"
)

// suspect is one credential that a found string may be.
type suspect struct {
	kind  secret.Prefix // jwtKind and foreignKind for what is no handle
	value secret.Value
	found *Found
}

const (
	jwtKind     secret.Prefix = "jwt"
	foreignKind secret.Prefix = "foreign" // a secret of the configuration that we did not make
)

// jwtHead begins every JWT of ours: {"alg": comes first in each header.
const jwtHead = "eyJhbGciOi"

// suspects lists what stands in the found strings, each once, most at most. It
// looks at form alone, so it costs and counts the same for what is ours and what
// only looks so. maybe reports whether a word is a secret of the configuration.
func suspects(found []Found, most int, maybe func(secret.Hash) bool) []suspect {
	var list []suspect
	seen := map[string]bool{}
	add := func(kind secret.Prefix, value string, f *Found) {
		if !seen[value] && len(list) <= most {
			seen[value] = true
			list = append(list, suspect{kind, secret.New(value), f})
		}
	}
	for i := range found {
		text, f := found[i].Secret.Reveal(), &found[i]
		for _, s := range secret.Find(text, most+1) {
			add(s.Prefix, text[s.Start:s.End], f)
		}
		eachJWT(text, func(jwt string) { add(jwtKind, jwt, f) })
		eachWord(text, func(word string) {
			if _, ours := secret.Kind(word); !ours && maybe(secret.New(word).Hash()) {
				add(foreignKind, word, f)
			}
		})
	}
	return list
}

const (
	maxJWTHeader = 512
	// sigLen is the base64url of the 64 bytes that ES256 and EdDSA signatures have.
	sigLen = 86
)

// eachJWT finds compact JWS with a signature as long as ours.
func eachJWT(text string, f func(string)) {
	for at := 0; ; {
		next := strings.Index(text[at:], jwtHead)
		if next < 0 {
			return
		}
		start := at + next
		at = start + len(jwtHead)
		end := start
		for part := range 3 {
			n := 0
			for end+n < len(text) && b64Byte(text[end+n]) && !(part == 0 && n > maxJWTHeader) && !(part == 2 && n == sigLen) {
				n++
			}
			end += n
			if part == 2 {
				if n == sigLen {
					f(text[start:end])
					at = end
				}
				break
			}
			if n == 0 || end >= len(text) || text[end] != '.' {
				break
			}
			end++
		}
	}
}

func b64Byte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

const (
	leastWord = 43 // the shortest secret that the configuration takes
	maxWords  = 64 // of one string
)

// eachWord calls f for what could be a secret in a line of configuration or
// code: words between white space and quotes, and what follows = or : in them.
func eachWord(text string, f func(string)) {
	words := strings.FieldsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("\"'`<>(){}[],;", c) })
	for i, w := range words {
		if i == maxWords {
			return
		}
		for len(w) >= leastWord {
			f(w)
			cut := strings.IndexAny(w, "=:")
			if cut < 0 {
				break
			}
			w = w[cut+1:]
		}
	}
}
