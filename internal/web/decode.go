package web

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
)

const (
	maxQuery  = 32 << 10
	maxParams = 100
)

// knownParams are the parameters of the protocol: those that may be named in
// an error, and that have no business in the URL of a protocol endpoint.
// A true one is a credential.
var knownParams = map[string]bool{
	"client_id": false, "client_secret": true, "client_assertion": true, "client_assertion_type": false,
	"grant_type": false, "code": true, "code_verifier": true, "redirect_uri": false, "refresh_token": true,
	"access_token": true, "id_token": true, "id_token_hint": true, "token": true, "token_type_hint": false, "scope": false,
	"user_code": false, "auth_req_id": true, "client_notification_token": true, "login_hint_token": true, "binding_message": false,
	"requested_expiry": false,
	"username":         false, "password": true, "assertion": true, "device_code": true, "subject_token": true, "actor_token": true,
	"response_type": false, "response_mode": false, "state": false, "nonce": false, "code_challenge": false,
	"code_challenge_method": false, "prompt": false, "max_age": false, "acr_values": false, "login_hint": false,
	"request": false, "request_uri": false, "dpop_jkt": false, "ui_locales": false, "display": false,
	"flow": true, "csrf": true, "decision": false, "post_logout_redirect_uri": false, "logout_hint": false,
	"subject_token_type": false, "actor_token_type": false, "requested_token_type": false, "audience": false,
	"resource": false, "authorization_details": false, "claims": false, "logout_token": true,
}

// mayRepeat are parameters of extensions that a request may have more than
// once (RFC 8707 §2, RFC 8693 §2.1).
var mayRepeat = map[string]bool{"resource": true, "audience": true}

// decode is the one reader of parameters. An empty parameter counts as absent
// (RFC 6749 §3.1, §3.2). Its errors say nothing that came from the request but
// names that we know.
func (s *site) decode(w http.ResponseWriter, r *http.Request, rules *rules) (url.Values, error) {
	if len(r.Header["Authorization"]) > 1 {
		return nil, bad("more than one Authorization header")
	}
	if rules.noTokens {
		if err := refuseQuery(r); err != nil {
			return nil, err
		}
	}
	var p url.Values
	var err error
	fromURL := rules.params == fromBoth || rules.params == fromQuery && r.Method != http.MethodPost
	if fromURL {
		if p, err = readQuery(r); err != nil {
			return nil, err
		}
	}
	switch {
	case rules.params == fromNothing, rules.params == fromJSON:
	case r.Method == http.MethodPost && !(rules.bearer && r.ContentLength == 0): // userinfo needs no body
		body, err := readForm(w, r, rules.maxBody)
		if err != nil {
			return nil, err
		}
		p = merge(p, body)
	case r.ContentLength != 0:
		return nil, bad("a GET request has no body")
	}
	return tidy(p, rules.single)
}

// refuseQuery refuses parameters of ours in the URL of an endpoint that takes
// none there. A credential in it is noted: it is in logs and histories now.
func refuseQuery(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	var found error
	for name := range q {
		credential, known := knownParams[name]
		if credential {
			note(r, audit.TokenInURL, name)
			return bad("parameters belong into the body: " + name + " was in the URL")
		}
		if known {
			found = bad("parameters belong into the body, not into the URL")
		}
	}
	return found
}

func readQuery(r *http.Request) (url.Values, error) {
	if len(r.URL.RawQuery) > maxQuery {
		return nil, &httpError{status: http.StatusRequestURITooLong, code: invalidRequest, description: "the query is too long"}
	}
	return parse(r.URL.RawQuery)
}

// readForm reads a body of application/x-www-form-urlencoded and of nothing else.
func readForm(w http.ResponseWriter, r *http.Request, maxBody int64) (url.Values, error) {
	types := r.Header["Content-Type"]
	if len(types) != 1 || r.Header["Content-Encoding"] != nil {
		return nil, errNotAForm
	}
	if types[0] != formType { // the common spelling needs no parser
		mediaType, params, err := mime.ParseMediaType(types[0])
		if err != nil || mediaType != formType || len(params) > 1 || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
			return nil, errNotAForm
		}
	}
	body, err := readBody(w, r, maxBody, formTimeout)
	if err != nil {
		return nil, err
	}
	return parse(string(body))
}

// readBody reads at most maxBody bytes, within limit.
func readBody(w http.ResponseWriter, r *http.Request, maxBody int64, limit time.Duration) ([]byte, error) {
	var body []byte
	if n := r.ContentLength; n > maxBody {
		return nil, errTooLarge
	} else if n >= 0 {
		body = make([]byte, 0, n+1)
	}
	// Not every writer has deadlines; those that come from the network do.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit)) //nolint:forbidigo // connections know only the real clock
	body, err := appendAll(body, http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, bad("the body ended early")
	}
	return body, nil
}

// formTimeout is how long a client may take to send a form of at most 64 KiB.
const formTimeout = 10 * time.Second

const formType = "application/x-www-form-urlencoded"

// appendAll is io.ReadAll into a buffer that the Content-Length has sized.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

func parse(s string) (url.Values, error) {
	if strings.Count(s, "&") >= maxParams {
		return nil, bad("too many parameters")
	}
	p, err := url.ParseQuery(s)
	if err != nil {
		return nil, bad("the parameters are not form-urlencoded") // the cause quotes the request
	}
	for name, values := range p {
		if !clean(name) {
			return nil, bad("a parameter is not UTF-8 text")
		}
		for _, v := range values {
			if !clean(v) {
				return nil, bad("a parameter is not UTF-8 text")
			}
		}
	}
	return p, nil
}

func clean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func merge(p, more url.Values) url.Values {
	if p == nil {
		return more
	}
	for name, values := range more {
		p[name] = append(p[name], values...)
	}
	return p
}

// tidy refuses repeats where the class does, and drops what is empty. Where
// the core decides about repeats, a repeated empty parameter stays repeated.
func tidy(p url.Values, single bool) (url.Values, error) {
	for name, values := range p {
		if len(values) > 1 {
			if single && !mayRepeat[name] {
				if _, known := knownParams[name]; !known {
					name = "a parameter"
				}
				return nil, bad(name + " is repeated")
			}
			continue
		}
		if values[0] == "" {
			delete(p, name)
		}
	}
	return p, nil
}

// protocolRequest is what the core gets to see of a request.
func (s *site) protocolRequest(r *http.Request, p url.Values) oauth.Request {
	return oauth.Request{
		Params: p, Authorization: r.Header["Authorization"], Remote: remote(r),
		DPoP: r.Header["Dpop"], Method: r.Method, URL: s.address(r), Certificate: clientCertificate(r, s.now()), Intermediates: intermediates(r),
		Attestation: r.Header["Oauth-Client-Attestation"], AttestationPoP: r.Header["Oauth-Client-Attestation-Pop"],
	}
}

// remote is the address of the peer, or the zero Addr.
func remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
