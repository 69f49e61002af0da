package web

import (
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// revokeGlobally ends all that a person has. The answer is the same, and takes as
// long, whether there is such a person or not.
func (s *site) revokeGlobally(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if !s.oauth.GlobalRevocation() {
		return errNotFound
	}
	return s.guardClient(w, r, nil, func(req oauth.Request) error {
		caller, err := s.oauth.GlobalRevoker(r.Context(), req)
		if err != nil {
			return err
		}
		client(r, caller)
		if err := s.allow(w, r, ratelimit.GlobalRevocation, ratelimit.Key(caller), "revocations"); err != nil {
			return err
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
