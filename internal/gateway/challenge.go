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
	event     audit.Name    // empty for audit.RequestRefused
	challenge []string      // WWW-Authenticate, a line each
	allow     string        // Allow
	after     time.Duration // Retry-After
	location  string        // Location, with problem toLogin
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
	if no.challenge != nil {
		h["Www-Authenticate"] = no.challenge
	}
	if no.problem.status == http.StatusUnauthorized {
		c.offerNonce()
	}
	c.setNonce(h)
	c.setRate(h)
	if no.allow != "" {
		h.Set("Allow", no.allow)
	}
	if no.location != "" {
		h.Set("Location", no.location)
	}
	switch {
	case no.after > 0:
		h.Set("Retry-After", strconv.FormatInt(int64((no.after+time.Second-1)/time.Second), 10))
	case no.problem.status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	if c.isGRPC() {
		c.refuseGRPC(no.problem)
		return
	}
	c.w.WriteHeader(no.problem.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(no.problem.body)
	}
}

// offer is what the challenges of an API have in common.
type offer struct {
	bearer, dpop string // challenges without an error: scheme and parameters
	bound        bool
	mutualTLS    bool
}

func newOffer(o *Options, api *route, bound bool) offer {
	link := `resource_metadata="` + metadataURL(o.Issuer, o.APIs[api.index]) + `"`
	return offer{
		bearer: "Bearer " + link,
		// RFC 9449 §7.1: algs is a list with spaces.
		dpop:  `DPoP algs="` + strings.Join(proofAlgorithms(), " ") + `", ` + link,
		bound: bound, mutualTLS: o.MutualTLS != "",
	}
}

// challenges are the WWW-Authenticate values of an operation (RFC 6750 §3, RFC
// 9449 §7.1, RFC 9728 §5.1, RFC 9470 §3). They are built once, from
// configuration that was checked to hold no quotes, so nothing of a request
// gets into them.
type challenges struct {
	missing []string // no error code where no credential was sent (RFC 6750 §3.1)
	used    [2]schemeChallenges
	proof   []string
	nonce   []string
}

// schemeChallenges answer a credential with the scheme that it came with.
type schemeChallenges struct{ invalidRequest, invalidToken, scope, stepUp []string }

func newChallenges(o offer, op Operation, acr string) challenges {
	out := challenges{missing: []string{o.bearer, o.dpop}}
	if o.bound {
		out.missing = []string{o.dpop}
		if o.mutualTLS {
			out.missing = append(out.missing, o.bearer)
		}
	}
	out.used[schemeBearer] = newSchemeChallenges(o.bearer, op, acr)
	out.used[schemeDPoP] = newSchemeChallenges(o.dpop, op, acr)
	bearer := &out.used[schemeBearer]
	if o.bound {
		bearer.invalidToken = []string{withError(o.bearer, invalidToken.code, `error_description="only tokens that are bound to a key are accepted"`)}
	}
	// Whoever sends a DPoP-bound token as a bearer token has to learn of DPoP.
	bearer.invalidToken = append(bearer.invalidToken, o.dpop)
	out.proof = []string{withError(o.dpop, invalidProof.code)}
	out.nonce = []string{withError(o.dpop, useNonce.code)}
	return out
}

func newSchemeChallenges(plain string, op Operation, acr string) schemeChallenges {
	var wants []string
	if acr != "" {
		wants = append(wants, `acr_values="`+acr+`"`)
	}
	if op.MaxAge > 0 {
		wants = append(wants, `max_age="`+strconv.FormatInt(int64(op.MaxAge/time.Second), 10)+`"`)
	}
	return schemeChallenges{
		invalidRequest: []string{withError(plain, invalidRequest.code)},
		invalidToken:   []string{withError(plain, invalidToken.code)},
		scope:          []string{withError(plain, noScope.code, `scope="`+op.Scope+`"`)},
		stepUp:         []string{withError(plain, stepUp.code, wants...)},
	}
}

// withError puts an error and what belongs to it before the parameters of a
// challenge.
func withError(plain, code string, params ...string) string {
	scheme, rest, _ := strings.Cut(plain, " ")
	return scheme + " " + strings.Join(append(append([]string{`error="` + code + `"`}, params...), rest), ", ")
}

// challenges are those for the scheme that the call's credential came with.
func (c *call) challenges() *schemeChallenges { return &c.op.challenges.used[c.cred.scheme] }
