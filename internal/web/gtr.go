package web

import (
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// revokeGlobally ends all that a person has. The answer is the same, and takes as
// long, whether there is such a person or not.
func (s *site) revokeGlobally(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if !s.oauth.GlobalRevocation() {
		return &httpError{status: http.StatusNotFound, code: notFound, description: "there is nothing at this address"}
	}
	return s.guardClient(w, r, nil, func(req oauth.Request) error {
		caller, err := s.oauth.GlobalRevoker(r.Context(), req)
		if err != nil {
			return err
		}
		client(r, caller)
		if ok, wait := s.limits.Allow(s.now(), ratelimit.GlobalRevocation, ratelimit.Key(caller)); !ok {
			note(r, audit.RequestRefused, string(ratelimit.GlobalRevocation))
			setRetryAfter(w.Header(), wait)
			return &oauth.Error{Code: oauth.TooManyRequests, Description: "too many revocations; wait before the next"}
		}
		body, err := readJSON(w, r, oauth.MaxSubjectID, formTimeout)
		if err != nil {
			return err
		}
		begun := time.Now() //nolint:forbidigo // an answer is held on the clock of who waits for it
		atLeast, err := s.oauth.RevokeGlobally(r.Context(), caller, body)
		if err != nil {
			return err
		}
		hold(r, begun, atLeast)
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}
