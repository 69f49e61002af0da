package oauth

import (
	"context"
	"math"
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

// suspects lists what stands in the found strings, each once, and counts it. It
// counts by form alone, so that what is ours and what only looks so cost the
// same: every handle, every JWT and every word that is as long as a secret. It
// stops when there are more than most. With most 0 there is no limit, and words
// are not counted. maybe reports whether a word is a secret of the configuration;
// nil says that there is none.
func suspects(ctx context.Context, found []Found, most int, maybe func(secret.Hash) bool) (list []suspect, count int, err error) {
	seen := map[string]bool{}
	fresh := func(value string) bool {
		if seen[value] || most > 0 && len(seen) > most {
			return false
		}
		seen[value] = true
		return true
	}
	limit := math.MaxInt
	if most > 0 {
		limit = most + 1
	}
	words := 0
	for i := range found {
		if ctx.Err() != nil || most > 0 && len(seen) > most {
			break
		}
		text, f := found[i].Secret.Reveal(), &found[i]
		add := func(kind secret.Prefix, value string) { list = append(list, suspect{kind, secret.New(value), f}) }
		for _, s := range secret.Find(text, limit) {
			if value := text[s.Start:s.End]; fresh(value) {
				add(s.Prefix, value)
			}
		}
		eachJWT(text, func(jwt string) {
			if fresh(jwt) {
				add(jwtKind, jwt)
			}
		})
		if maybe == nil {
			continue
		}
		eachWord(text, func(word string) bool {
			if words++; words%wordsPerLook == 0 && ctx.Err() != nil {
				return false
			}
			if _, ours := secret.Kind(word); ours {
				return true // found above, if it is whole
			}
			if most > 0 && !fresh(word) {
				return len(seen) <= most
			}
			if maybe(secret.New(word).Hash()) && (most > 0 || fresh(word)) {
				add(foreignKind, word)
			}
			return true
		})
	}
	return list, len(seen), ctx.Err()
}

// wordsPerLook is after how many words it is looked whether anybody still waits.
const wordsPerLook = 1024

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
