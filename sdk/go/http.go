package sallyport

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Require lets only calls with a valid inner token through to next, and puts
// the Caller into the request's context. All others get the same 401 (RFC 6750
// §3), or 503 while the gateway's keys cannot be had. The Authorization header
// is taken away: the token has done its duty, and nothing that next logs or
// sends on can hold it.
func (v *Verifier) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := bearer(r.Header["Authorization"])
		var c Caller
		if err == nil {
			c, err = v.Verify(r.Context(), token)
		}
		if err != nil {
			if v.refused != nil {
				v.refused(r, err)
			}
			answer(w, err)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), contextKey{}, c))
		r.Header = r.Header.Clone()
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

// RequireScope lets only calls with all of the scopes through: 403 for others
// (RFC 6750 §3.1). It stands inside of Require, and refuses without it.
func RequireScope(next http.Handler, scopes ...string) http.Handler {
	challenge := `Bearer error="insufficient_scope", scope="` + strings.Join(scopes, " ") + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := CallerFrom(r.Context())
		if !ok {
			answer(w, refuse(ReasonMissing))
			return
		}
		for _, s := range scopes {
			if !c.HasScope(s) {
				w.Header().Set("WWW-Authenticate", challenge)
				http.Error(w, "insufficient scope", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// bearer takes the token from exactly one header line (RFC 6750 §2.1). The
// scheme is compared without case (RFC 9110 §11.1).
func bearer(lines []string) (string, error) {
	if len(lines) == 0 {
		return "", refuse(ReasonMissing)
	}
	scheme, token, ok := strings.Cut(lines[0], " ")
	if len(lines) > 1 || !ok || !strings.EqualFold(scheme, "bearer") || !ascii(scheme) {
		return "", refuse(ReasonHeader)
	}
	return token, nil
}

// answer is the one thing that the outside learns of a refusal.
func answer(w http.ResponseWriter, err error) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if errors.Is(err, ErrKeysUnavailable) {
		h.Set("Retry-After", "1")
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	challenge := `Bearer error="invalid_token"`
	var e *Error
	if errors.As(err, &e) && e.Reason == ReasonMissing {
		challenge = "Bearer" // RFC 6750 §3.1: no error where no token was sent
	}
	h.Set("WWW-Authenticate", challenge)
	http.Error(w, "unauthorized", http.StatusUnauthorized)
}
