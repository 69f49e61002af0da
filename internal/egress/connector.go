package egress

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Options say what a Connector may be asked, and for whom.
type Options struct {
	Name       string   // of the API at the gateway
	Upstream   *url.URL // scheme, host and port of every request
	Operations []Operation
	Inject     Injector
	Transport  http.RoundTripper // to the upstream; follows no redirects
	State      *State
	Now        func() time.Time

	Query         []string // names of parameters that a client may send with any operation
	Headers       []string // of a client that are passed on, besides Accept, Accept-Language and Content-Type
	AnswerHeaders []string // of the upstream that are passed on, besides those of answerHeaders
	RequestTypes  []string // media types of request bodies; nil: application/json
	AnswerTypes   []string // of answers, "image/*" for all of a kind; nil: application/json and application/problem+json

	MaxRequest int64         // bytes of a request body; 0: 1 MiB
	MaxAnswer  int64         // bytes of an answer, when decompressed; 0: 10 MiB
	Timeout    time.Duration // from the request to the last byte of its answer; 0: 30 s
	CacheFor   time.Duration // how long a person gets the same answer again; 0: never

	Quota      Quota
	UserHeader string                      // tells the upstream who calls, by a pseudonym; "": nothing does
	Pseudonym  func(subject string) string // needed with UserHeader
}

// Operation is what a connector knows of an operation of its API, by index.
type Operation struct {
	Query []string // names of parameters besides those of all
	Cost  int      // of a call, in units of the budget; 1 if 0
}

// The limits where Options name none.
const (
	DefaultMaxRequest = 1 << 20
	DefaultMaxAnswer  = 10 << 20
	DefaultTimeout    = 30 * time.Second
)

// Connector asks one upstream for the gateway: as API.Transport it sends calls
// that were found to be allowed, as API.Screen it judges them before. Safe for
// concurrent use.
type Connector struct {
	o            Options
	query        []map[string]bool // by operation, as a client may spell them
	headers      map[string]bool   // canonical
	answers      map[string]bool   // canonical
	owned        map[string]bool   // header names, folded, that belong to the credential
	parameters   []string          // that belong to it, folded
	requestTypes []string
	answerTypes  []string
	known        atomic.Pointer[searched] // what was looked for last
}

// New returns a Connector. Its error joins all that is wrong with the options,
// each after the name of the setting that it is about.
func New(o Options) (*Connector, error) {
	if o.MaxRequest == 0 {
		o.MaxRequest = DefaultMaxRequest
	}
	if o.MaxAnswer == 0 {
		o.MaxAnswer = DefaultMaxAnswer
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.RequestTypes == nil {
		o.RequestTypes = []string{"application/json"}
	}
	if o.AnswerTypes == nil {
		o.AnswerTypes = []string{"application/json", "application/problem+json"}
	}
	c := &Connector{o: o, headers: set(passed), answers: set(answerHeaders), owned: map[string]bool{}, requestTypes: o.RequestTypes, answerTypes: o.AnswerTypes}
	if owner, is := o.Inject.(Owner); is {
		own := owner.Owns()
		for _, name := range own.Headers {
			c.owned[fold(name)] = true
		}
		for _, name := range own.Parameters {
			c.parameters = append(c.parameters, fold(name))
		}
	}
	if o.UserHeader != "" {
		c.owned[fold(o.UserHeader)] = true
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, op := range o.Operations {
		names := map[string]bool{}
		for _, name := range slices.Concat(o.Query, op.Query) {
			names[name], names[url.QueryEscape(name)] = true, true
		}
		c.query = append(c.query, names)
	}
	for _, name := range o.Headers {
		c.headers[http.CanonicalHeaderKey(name)] = true
	}
	for _, name := range o.AnswerHeaders {
		c.answers[http.CanonicalHeaderKey(name)] = true
	}
	return c, nil
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// fold spells a name as the laxest reader that we know does: without case, and
// with "_" and "." for "-" (CGI, PHP).
func fold(name string) string {
	return strings.NewReplacer("_", "-", ".", "-", " ", "-", "+", "-").Replace(strings.ToLower(strings.TrimSpace(name)))
}

func (c *Connector) check() error {
	var wrong []error
	bad := func(setting, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: %w", setting, fmt.Errorf(format, args...)))
	}
	for i, name := range c.o.Query {
		c.checkParameter(bad, fmt.Sprintf("query[%d]", i), name)
	}
	for k, op := range c.o.Operations {
		for i, name := range op.Query {
			c.checkParameter(bad, fmt.Sprintf("operations[%d].query[%d]", k, i), name)
		}
	}
	for i, name := range c.o.Headers {
		c.checkHeader(bad, fmt.Sprintf("headers[%d]", i), name, neverSent)
	}
	for i, name := range c.o.AnswerHeaders {
		c.checkHeader(bad, fmt.Sprintf("answer_headers[%d]", i), name, neverAnswered)
	}
	if h := c.o.UserHeader; h != "" && (!isToken(h) || slices.ContainsFunc(neverSent, matches(h))) {
		bad("user_header", "%q cannot be set", h)
	}
	for _, list := range []struct {
		setting string
		types   []string
	}{{"request_types", c.requestTypes}, {"answer_types", c.answerTypes}} {
		for i, t := range list.types {
			switch at := fmt.Sprintf("%s[%d]", list.setting, i); {
			case !isMediaType(t):
				bad(at, "%q is not a media type: write for example application/json", t)
			case list.setting == "answer_types" && slices.Contains(active, t):
				bad(at, "%s can hold programs, which would run with the rights of this server's pages", t)
			}
		}
	}
	return errors.Join(wrong...)
}

func (c *Connector) checkParameter(bad func(string, string, ...any), at, name string) {
	switch {
	case name == "" || !visible(name):
		bad(at, "%q is not the name of a parameter", name)
	case c.ownsParameter(name):
		bad(at, "%s belongs to the credential: no client may send it", name)
	}
}

func (c *Connector) checkHeader(bad func(string, string, ...any), at, name string, never []string) {
	switch {
	case !isToken(name):
		bad(at, "%q is not the name of a header", name)
	case c.owned[fold(name)]:
		bad(at, "%s belongs to the credential or is set here: it cannot be passed on", name)
	case slices.ContainsFunc(never, matches(name)):
		bad(at, "%s is never passed on", name)
	}
}

// matches compares with names of a list, in which a trailing "*" is any rest.
func matches(name string) func(string) bool {
	name = strings.ToLower(name)
	return func(listed string) bool {
		prefix, wide := strings.CutSuffix(listed, "*")
		return name == listed || wide && strings.HasPrefix(name, prefix)
	}
}

func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// isToken: RFC 9110 §5.6.2, without "_", which some readers take for "-".
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^`|~", r))
	})
}

// ownsParameter reports whether a reader that folds names could take name for a
// parameter of the credential; "[" and NUL end a name for some.
func (c *Connector) ownsParameter(name string) bool {
	if len(c.parameters) == 0 {
		return false
	}
	if i := strings.IndexAny(name, "[\x00"); i >= 0 {
		name = name[:i]
	}
	return slices.Contains(c.parameters, fold(name))
}
