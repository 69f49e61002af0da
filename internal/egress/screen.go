package egress

import (
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/gateway"
)

// Reasons of refusals, for the log.
const (
	reasonParameter  = "egress_parameter"   // a parameter that is not in the list
	reasonOwned      = "egress_owned_name"  // the client sent what belongs to the credential
	reasonUpgrade    = "egress_upgrade"     // another protocol was asked for
	reasonBody       = "egress_body"        // a body where none belongs, or one that broke off
	reasonType       = "egress_type"        // of the request body
	reasonSize       = "egress_size"        // of the request body
	reasonBusy       = "egress_busy"        // too many calls at once
	reasonQuota      = "egress_quota"       // the person has used up what they may use
	reasonAllQuota   = "egress_quota_all"   // all of them together have
	reasonNoCount    = "egress_not_counted" // nobody can tell what was used
	reasonTimeout    = "egress_timeout"
	reasonAddress    = "egress_address" // the upstream is at an address that is refused
	reasonUpstream   = "egress_upstream"
	reasonRedirect   = "egress_redirect"
	reasonCredential = "egress_credential_refused" //nolint:gosec // a word
	reasonAnswer     = "egress_answer_status"
	reasonAnswerType = "egress_answer_type"
	reasonEncoding   = "egress_answer_encoding"
	reasonAnswerSize = "egress_answer_size"
	reasonSlow       = "egress_answer_slow"
	reasonEchoed     = "egress_secret_echoed" //nolint:gosec // a word
)

func malformed(reason string) *gateway.Refused {
	return &gateway.Refused{Answer: gateway.AnswerMalformed, Reason: reason}
}

// Screen implements gateway.API.Screen: what a client may say is in lists, and
// whoever says more is told so, before it costs anything.
func (c *Connector) Screen(r *http.Request, query string, by gateway.Caller) *gateway.Refused {
	for name := range r.Header {
		if name != "Authorization" && c.owned[fold(name)] {
			return malformed(reasonOwned)
		}
	}
	if no := c.screenQuery(query, by.Operation); no != nil {
		return no
	}
	if len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect {
		return malformed(reasonUpgrade)
	}
	return c.screenBody(r)
}

func (c *Connector) screenQuery(query string, operation int) *gateway.Refused {
	for rest := query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		name, _, _ := strings.Cut(pair, "=")
		if operation < len(c.query) && c.query[operation][name] {
			continue
		}
		if plain, err := url.QueryUnescape(name); err == nil && c.ownsParameter(plain) {
			return malformed(reasonOwned)
		}
		return malformed(reasonParameter)
	}
	return nil
}

func (c *Connector) screenBody(r *http.Request) *gateway.Refused {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return malformed(reasonBody)
	}
	media, charset := mediaType(r.Header["Content-Type"])
	switch {
	case len(r.Header["Content-Encoding"]) > 0 || !fits(c.requestTypes, media) || !readable[charset]:
		return &gateway.Refused{Answer: gateway.AnswerType, Reason: reasonType}
	case r.ContentLength > c.o.MaxRequest:
		return &gateway.Refused{Answer: gateway.AnswerTooLarge, Reason: reasonSize}
	}
	return nil
}

// screenForm looks for names of the credential in a form: some servers take
// parameters from there too.
func (c *Connector) screenForm(r *http.Request, body []byte) *gateway.Refused {
	if media, _ := mediaType(r.Header["Content-Type"]); len(c.parameters) == 0 || media != "application/x-www-form-urlencoded" {
		return nil
	}
	for pair := range strings.FieldsFuncSeq(string(body), func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil || c.ownsParameter(plain) {
			return malformed(reasonOwned)
		}
	}
	return nil
}
