package bff

import (
	"log/slog"
	"net/http"
	"strconv"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// problem is a refusal as application/problem+json (RFC 9457). Its body is fixed.
type problem struct {
	status int
	body   []byte
}

func newProblem(status int, code, detail string) *problem {
	b := append([]byte(nil), `{"type":"about:blank","title":`...)
	b = token.AppendJSONString(b, http.StatusText(status))
	b = strconv.AppendInt(append(b, `,"status":`...), int64(status), 10)
	b = token.AppendJSONString(append(b, `,"detail":`...), detail)
	b = token.AppendJSONString(append(b, `,"code":`...), code)
	return &problem{status, append(b, '}')}
}

var (
	badCookie   = newProblem(400, "invalid_request", "The cookie of this app came more than once. Clear the cookies of this site.")
	foreign     = newProblem(403, "cross_site_request", "This is for the pages of this app alone.")
	notAVisit   = newProblem(403, "cross_site_request", "This address is for a browser to go to, and for nothing else.")
	notFound    = newProblem(404, "not_found", "There is nothing here.")
	wrongMethod = newProblem(405, "method_not_allowed", "This path does not have that method.")
	unavailable = newProblem(503, "temporarily_unavailable", "This cannot be known now. Try again.")
)

// refuse answers a request with a problem, and notes why.
func refuse(w http.ResponseWriter, r *http.Request, p *problem, why string) {
	refused(r, why)
	h := w.Header()
	dataHeaders(h)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(p.body)))
	if p == unavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(p.body)
	}
}

// fault notes what has failed here. It names no credential: errors of this program
// have none.
func fault(r *http.Request, err error) {
	audit.FromContext(r.Context()).Set(slog.String("error", err.Error()))
}

// commonHeaders are of every answer (BF13).
func commonHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// dataHeaders are of what only pages of the app may read.
func dataHeaders(h http.Header) {
	commonHeaders(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Vary", "Cookie, Origin, Sec-Fetch-Site")
}

// pageHeaders are of our own pages, on which nothing runs.
func pageHeaders(h http.Header) {
	commonHeaders(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
