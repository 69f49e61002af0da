package bff

import (
	"net/http"
	"strings"
	"time"

	"sallyport/internal/secret"
)

// cookiePrefix begins the names of our cookies. A browser that knows __Host-Http-
// keeps one only from a Set-Cookie header with HttpOnly, so no script can plant
// it; one that does not know it still sees __Host-, and keeps it only for this
// host, from a secure connection (RFC 6265bis §4.1.3). So one name is right for
// all, and the server accepts no other.
const cookiePrefix = "__Host-Http-"

// sessionSecretBytes are random; the ID before them is no secret.
const sessionSecretBytes = 32

// newCookie makes the value of the cookie of a new session.
func newCookie(now time.Time) (secret.ID, secret.Value) {
	id := secret.NewID(now)
	return id, secret.Encode(secret.BrowserSession, append(id[:], secret.Random(sessionSecretBytes)...))
}

// sessionOf is which session a cookie says it is.
func sessionOf(cookie secret.Value) (secret.ID, bool) {
	payload, err := secret.Decode(secret.BrowserSession, cookie.Reveal())
	if err != nil || len(payload) != len(secret.ID{})+sessionSecretBytes {
		return secret.ID{}, false
	}
	return secret.ID(payload[:len(secret.ID{})]), true
}

// readCookie returns the value of the one cookie of that name. Two are none: which
// of them is meant depends on the reader (G22).
func readCookie(lines []string, name string) (value string, n int) {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			key, v, found := strings.Cut(part, "=")
			if found && strings.Trim(key, " \t") == name {
				value = strings.Trim(v, " \t")
				n++
			}
		}
	}
	if n != 1 {
		value = ""
	}
	return value, n
}

func setCookie(w http.ResponseWriter, name string, value secret.Value, lifetime time.Duration, same http.SameSite) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value.Reveal(), Path: "/", MaxAge: int(lifetime / time.Second), Secure: true, HttpOnly: true, SameSite: same,
	})
}

func dropCookie(w http.ResponseWriter, name string, same http.SameSite) {
	setCookie(w, name, secret.Value{}, -time.Second, same) // MaxAge below zero: at once
}
