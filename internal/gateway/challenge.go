package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/audit"
)

// refusal is why a call goes no further. Only problem, challenge and allow are
// for the caller; reason is one of a fixed set of words, for the audit record.
type refusal struct {
	problem   *problem
	reason    string
	event     audit.Name // empty for audit.RequestRefused
	challenge string     // WWW-Authenticate
	allow     string     // Allow
}

func (no refusal) refused() bool { return no.problem != nil }

// handled says that the answer has been written and nothing is left to do.
var handled = refusal{}

// refuse writes the answer and notes why.
func (c *call) refuse(no refusal) {
	c.note()
	event := audit.Event{Name: no.event, Reason: no.reason}
	if event.Name == "" {
		event.Name = audit.RequestRefused
	}
	if c.opened {
		event.Client, event.Subject, event.Grant = c.access.ClientID, c.access.Subject, c.grant()
	}
	c.rec.Add(event)
	if c.w.wrote {
		return
	}
	h := c.w.Header()
	c.setCORS(h)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(no.problem.body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if no.challenge != "" {
		h.Set("WWW-Authenticate", no.challenge)
	}
	if no.allow != "" {
		h.Set("Allow", no.allow)
	}
	if no.problem.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	c.w.WriteHeader(no.problem.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(no.problem.body)
	}
}

// challenges are the WWW-Authenticate values of an API or operation (RFC 6750
// §3, RFC 9728 §5.1, RFC 9470 §3). They are built once, from configuration
// that was checked to hold no quotes, so nothing of a request gets into them.
type challenges struct {
	missing        string // RFC 6750 §3.1: no error code where no credential was sent
	invalidRequest string
	invalidToken   string
	scope          string
	stepUp         string
}

func newChallenges(metadata string, op Operation, acr string) challenges {
	var out challenges
	link := `resource_metadata="` + metadata + `"`
	out.missing = "Bearer " + link
	withError := func(code string, params ...string) string {
		return "Bearer " + strings.Join(append(append([]string{`error="` + code + `"`}, params...), link), ", ")
	}
	out.invalidRequest = withError(invalidRequest.code)
	out.invalidToken = withError(invalidToken.code)
	out.scope = withError(noScope.code, `scope="`+op.Scope+`"`)
	var wants []string
	if acr != "" {
		wants = append(wants, `acr_values="`+acr+`"`)
	}
	if op.MaxAge > 0 {
		wants = append(wants, `max_age="`+strconv.FormatInt(int64(op.MaxAge/time.Second), 10)+`"`)
	}
	out.stepUp = withError(stepUp.code, wants...)
	return out
}
