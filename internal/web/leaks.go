package web

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/ratelimit"
)

// leaks takes strings that a partner has found. The answer is the same, and takes
// as long, whether one of them was ours or not: it says how many were received.
func (s *site) leaks(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	return s.guardClient(w, r, nil, func(req oauth.Request) error {
		reporter, err := s.oauth.LeakReporter(r.Context(), req)
		if err != nil {
			return err
		}
		client(r, reporter)
		if err := s.allow(w, r, ratelimit.LeakReport, ratelimit.Key(reporter), "reports"); err != nil {
			return err
		}
		body, err := readJSON(w, r, oauth.MaxLeakReport, reportTimeout)
		if err != nil {
			return err
		}
		begun := time.Now() //nolint:forbidigo // an answer is held on the clock of who waits for it
		received, atLeast, err := s.oauth.ReportLeaks(r.Context(), reporter, body)
		if err != nil {
			return err
		}
		hold(r, begun, atLeast)
		writeJSON(w, r, http.StatusAccepted, append(strconv.AppendInt([]byte(`{"received":`), int64(received), 10), '}'))
		return nil
	})
}

// hold waits until a whole number of steps have passed since begun, so that work
// which took longer than it should shows as little as can be.
func hold(r *http.Request, begun time.Time, step time.Duration) {
	took := time.Since(begun) //nolint:forbidigo // as above
	wait := time.NewTimer(step - took%step)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
	}
}

// reportTimeout is how long a partner may take to send 1 MiB.
const reportTimeout = 30 * time.Second

const jsonType = "application/json"

var errNotJSON = &httpError{status: http.StatusUnsupportedMediaType, code: invalidRequest, description: "the body must be " + jsonType}

// readJSON reads a body that says it is JSON, of at most maxBody bytes, within
// limit. Whether it is, the core finds out.
func readJSON(w http.ResponseWriter, r *http.Request, maxBody int64, limit time.Duration) ([]byte, error) {
	types := r.Header["Content-Type"]
	if len(types) != 1 || r.Header["Content-Encoding"] != nil {
		return nil, errNotJSON
	}
	if mediaType, params, err := mime.ParseMediaType(types[0]); err != nil || mediaType != jsonType || len(params) > 0 && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, errNotJSON
	}
	return readBody(w, r, maxBody, limit)
}
