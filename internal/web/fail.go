package web

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

// fail writes an error, once. Whatever the handler had prepared is dropped.
func (s *site) fail(w *answer, r *http.Request, rules *rules, err error) {
	var back *oauth.RedirectError
	if errors.As(err, &back) && rules.page {
		if err = s.end(w, r, back.Outcome); err == nil {
			w.refused = true
			explain(r, back.Code, back.Description)
			return
		}
	}
	p := problemOf(r, err, rules)
	rec := audit.FromContext(r.Context())
	if p.status >= http.StatusInternalServerError {
		p.id = w.shortID()
		rec.Set(slog.String("error_id", p.id), slog.String("cause", err.Error()))
	}
	if p.code != "" {
		explain(r, p.code, p.description)
	}
	if p.reason != "" {
		rec.Set(slog.String("error_reason", p.reason))
	}
	if w.wrote() {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
	h := w.Header()
	rules.headers(s, h)
	h.Set("Cache-Control", "no-store") // an error is never cacheable (TK10), also where the success is
	h.Del("ETag")
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.nonce != "" {
		h.Set("DPoP-Nonce", p.nonce)
	}
	if p.challenge != "" {
		h[challengeHeader] = []string{p.challenge}
	}
	if p.retryAfter > 0 {
		setRetryAfter(h, p.retryAfter)
	}
	if p.status == statusClientGone {
		w.status = statusClientGone
		return
	}
	if rules.page {
		s.writeErrorPage(w, r, p)
		return
	}
	challenge(h, r, rules, p)
	writeErrorJSON(w, r, p)
}

// challenge sets WWW-Authenticate: Bearer and DPoP where access tokens are used
// (RFC 6750 §3, RFC 9449 §7.1), the error with the scheme that was used; Basic where the client tried the Authorization header (RFC 6749
// §5.2), otherwise none.
func challenge(h http.Header, r *http.Request, rules *rules, p problem) {
	switch {
	case rules.bearer && p.status < 500 && p.status != http.StatusMethodNotAllowed && p.status != http.StatusMisdirectedRequest:
		what := ""
		if p.code != "" {
			what = `, error="` + p.code + `", error_description="` + quotable(p.description) + `"`
		}
		if p.code == oauth.InsufficientScope {
			what += `, scope="` + rules.scope + `"`
		}
		if rules.plainBearer {
			if p.status == http.StatusUnauthorized {
				h["Www-Authenticate"] = []string{`Bearer realm="sallyport"` + what}
			}
			return
		}
		bearer, dpop := `Bearer realm="sallyport"`, `DPoP realm="sallyport", algs="`+oauth.ProofAlgorithms()+`"` //nolint:gosec // challenges, not credentials
		if usesDPoP(r) {
			h["Www-Authenticate"] = []string{dpop + what, bearer}
		} else {
			h["Www-Authenticate"] = []string{bearer + what, dpop}
		}
	case p.status == http.StatusUnauthorized && len(r.Header["Authorization"]) > 0:
		h.Set("WWW-Authenticate", `Basic realm="sallyport", charset="UTF-8"`)
	}
}

func usesDPoP(r *http.Request) bool {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return false
	}
	scheme, _, _ := strings.Cut(lines[0], " ")
	return strings.EqualFold(scheme, "DPoP")
}

// quotable keeps the characters that error_description may have (RFC 6749 §5.2).
func quotable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, s)
}

func writeErrorJSON(w http.ResponseWriter, r *http.Request, p problem) {
	if p.code == "" {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(p.status)
		return
	}
	b := token.AppendJSONString([]byte(`{"error":`), p.code)
	if d := quotable(p.description); d != "" {
		if p.id != "" {
			d += " (" + p.id + ")"
		}
		b = token.AppendJSONString(append(b, `,"error_description":`...), d)
	}
	if p.reason != "" {
		b = token.AppendJSONString(append(b, `,"error_reason":`...), p.reason)
	}
	writeJSON(w, r, p.status, append(b, '}'))
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	writeBody(w, r, status, "application/json", body)
}

func writeBody(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) //nolint:gosec // of our own making, with nosniff
	}
}

// explain notes what was wrong. The description is from our own tables, but for
// that of a scope, which names what was asked for.
func explain(r *http.Request, code, description string) {
	rec := audit.FromContext(r.Context())
	rec.Set(slog.String("error", code))
	if description != "" && code != oauth.InvalidScope {
		rec.Set(slog.String("why", description))
	}
}
