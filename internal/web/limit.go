package web

import (
	"net/http"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// allow counts a request against a limit. Past it the request is refused with
// 429 and Retry-After, and the refusal is noted; tooMany says of what there are
// too many.
func (s *site) allow(w http.ResponseWriter, r *http.Request, limit ratelimit.Name, key, tooMany string) error {
	ok, wait := s.limits.Allow(s.now(), limit, key)
	if ok {
		return nil
	}
	note(r, audit.RequestRefused, string(limit))
	setRetryAfter(w.Header(), wait)
	return &oauth.Error{Code: oauth.TooManyRequests, Description: "too many " + tooMany + "; wait before the next"}
}
