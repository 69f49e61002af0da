package egress

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/gateway"
)

// Options configure a Connector. Name, Upstream, Inject, Transport, Meter and Now are
// needed; what is zero has the default that is named.
type Options struct {
	Name       string
	Upstream   *url.URL // scheme, host, port and a path that stands before that of each operation
	Operations []Operation
	Inject     Injector
	Transport  http.RoundTripper // outbound.NewTransport, but in tests

	Query         []string // parameters that may be sent with any operation
	Headers       []string // that a client may send, besides Accept, Accept-Language, Content-Type and the conditions of RFC 9110 §13.1
	AnswerHeaders []string // that a client may be told, besides those of answerHeaders
	RequestTypes  []string // media types of bodies; application/json
	AnswerTypes   []string // application/json, application/problem+json, text/plain

	MaxRequest int64         // bytes of a body; 64 KiB
	MaxAnswer  int64         // bytes of a body, unpacked; 4 MiB
	Timeout    time.Duration // of the whole exchange; 30 s
	MinRate    int           // bytes a second that an answer must come with, once it has taken ten seconds; 64

	UserHeader string                      // in which the upstream is told who calls, by a name of its own; empty: not told
	Pseudonym  func(subject string) string // that name

	Meter *Meter
	Now   func() time.Time
}

// Operation is what a connector knows of an operation of its API, by index.
type Operation struct {
	Query []string // parameters besides those of all
	Cost  int      // of a call, in units of the budget; 1 if 0
}

// Connector is the way to one upstream: the Screen and the Transport of its API at the
// gateway. It is never changed after New. Safe for concurrent use.
type Connector struct {
	o             Options
	query         []map[string]bool // by operation
	headers       map[string]bool   // canonical
	answerHeaders map[string]bool
	owned         Owned
}

// New returns a Connector.
func New(o Options) *Connector {
	o.MaxRequest, o.MaxAnswer = cmp.Or(o.MaxRequest, 64<<10), cmp.Or(o.MaxAnswer, 4<<20)
	o.Timeout, o.MinRate = cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.MinRate, 64)
	if len(o.RequestTypes) == 0 {
		o.RequestTypes = []string{"application/json"}
	}
	if len(o.AnswerTypes) == 0 {
		o.AnswerTypes = []string{"application/json", "application/problem+json", "text/plain"}
	}
	c := &Connector{o: o, headers: canonical(requestHeaders, o.Headers), answerHeaders: canonical(answerHeaders, o.AnswerHeaders)}
	for _, op := range o.Operations {
		names := map[string]bool{}
		for _, n := range slices.Concat(o.Query, op.Query) {
			names[n] = true
		}
		c.query = append(c.query, names)
	}
	if owner, ok := o.Inject.(Owner); ok {
		c.owned = owner.Owns()
	}
	if o.UserHeader != "" {
		c.owned.Headers = append(slices.Clone(c.owned.Headers), o.UserHeader)
	}
	return c
}

// What passes by itself: names that speak of a body, and of what the client understands.
// Range does not: parts of an answer could not be searched for the credential.
var (
	requestHeaders = []string{"Accept", "Accept-Language", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
	answerHeaders  = []string{"Content-Type", "Content-Language", "Content-Disposition", "Cache-Control", "Expires", "Etag", "Last-Modified", "Retry-After"}
)

func canonical(lists ...[]string) map[string]bool {
	set := map[string]bool{}
	for _, n := range slices.Concat(lists...) {
		set[http.CanonicalHeaderKey(n)] = true
	}
	return set
}

// Screen implements gateway.Screen: it refuses what a client may not choose, before
// anything is counted.
func (c *Connector) Screen(r *http.Request, query string, by gateway.Caller) *gateway.Refused {
	for name := range r.Header {
		if c.ownsHeader(name) {
			return &gateway.Refused{Answer: gateway.AnswerMalformed, Reason: "egress_own_header"}
		}
	}
	if no := c.screenQuery(query, by.Operation); no != nil {
		return no
	}
	switch hasBody := r.ContentLength != 0; {
	case r.ContentLength > c.o.MaxRequest:
		return &gateway.Refused{Answer: gateway.AnswerTooLarge, Reason: "egress_request_size"}
	case hasBody && !typeAmong(r.Header["Content-Type"], c.o.RequestTypes):
		return &gateway.Refused{Answer: gateway.AnswerType, Reason: "egress_request_type"}
	case r.Header["Range"] != nil:
		return &gateway.Refused{Answer: gateway.AnswerMalformed, Reason: "egress_range"}
	}
	return nil
}

// ownsHeader reports whether a client's header comes near one of the credential, as
// servers read it that do not tell _ from -. Authorization is where the client's own
// token is, which goes nowhere.
func (c *Connector) ownsHeader(name string) bool {
	for _, own := range c.owned.Headers {
		if folded(name) == folded(own) && !strings.EqualFold(name, "Authorization") {
			return true
		}
	}
	return false
}

func folded(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "-")) }

// screenQuery takes each parameter that is listed, once.
func (c *Connector) screenQuery(query string, operation int) *gateway.Refused {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		raw, _, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(raw)
		for _, own := range c.owned.Parameters {
			if err == nil && folded(strings.TrimSpace(name)) == folded(own) {
				return &gateway.Refused{Answer: gateway.AnswerMalformed, Reason: "egress_own_parameter"}
			}
		}
		if err != nil || operation >= len(c.query) || !c.query[operation][name] || seen[name] {
			return &gateway.Refused{Answer: gateway.AnswerMalformed, Reason: "egress_parameter"}
		}
		seen[name] = true
	}
	return nil
}

// typeAmong reports whether there is one media type, and it is listed.
func typeAmong(lines, list []string) bool {
	if len(lines) != 1 {
		return false
	}
	media, _, _ := strings.Cut(lines[0], ";")
	return slices.Contains(list, strings.ToLower(strings.TrimSpace(media)))
}

func refused(answer gateway.Answer, reason string) *gateway.Refused {
	return &gateway.Refused{Answer: answer, Reason: reason}
}

func echoed() *gateway.Refused {
	return &gateway.Refused{Answer: gateway.AnswerUpstream, Reason: "egress_secret_echoed", Event: audit.EgressSecretEchoed}
}
