package gateway

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/secret"
)

// maxForm is the longest form that is read for a token, before it is known who
// sends it.
const maxForm = 64 << 10

// readForm takes the access token from the body of a form (RFC 6750 §2.2), where
// the operation says so: off by default, never with GET or DPoP, for clients that
// can set no header. The token is cut out of the body: it is for this door and
// not for what is behind it. no and why are what is said of the header: a token
// there and here are two.
func (c *call) readForm(no *problem, why string) (*problem, string) {
	r := c.r
	lines := r.Header["Content-Type"]
	if r.Method == http.MethodGet || r.Method == http.MethodHead || len(lines) != 1 || r.Header["Content-Encoding"] != nil {
		return no, why
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	if charset := params["charset"]; err != nil || kind != "application/x-www-form-urlencoded" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return no, why
	}
	if r.ContentLength > maxForm {
		return no, why
	}
	body, refused := c.readBody()
	if refused.refused() {
		return refused.problem, refused.reason
	}
	tok, rest, wrong := cutFormToken(body)
	switch {
	case len(body) > maxForm, wrong == "" && tok == "":
		return no, why
	case wrong != "":
		return invalidRequest, wrong
	case no == nil:
		return invalidRequest, "repeated_credential"
	case r.Header["Dpop"] != nil || isAPIKey(tok):
		return invalidRequest, "credential_in_form"
	}
	c.whole = rest
	c.r.Body, c.r.ContentLength = io.NopCloser(bytes.NewReader(rest)), int64(len(rest))
	c.cred = credential{schemeBearer, secret.New(tok)}
	return nil, ""
}

// cutFormToken returns the one access_token of a form and the form without it,
// otherwise byte for byte. Whatever some reader might take for a second one is
// refused, as is a body that is not plain ASCII (RFC 6750 §2.2).
func cutFormToken(body []byte) (tok string, rest []byte, why string) {
	rest = make([]byte, 0, len(body))
	for pair := range bytes.SplitSeq(body, []byte{'&'}) {
		for _, b := range pair {
			if b <= 0x20 || b >= 0x7f || b == ';' {
				return "", nil, "body_malformed"
			}
		}
		key, value, _ := bytes.Cut(pair, []byte{'='})
		if !isParameter(string(key), "access_token") {
			if len(rest) > 0 {
				rest = append(rest, '&')
			}
			rest = append(rest, pair...)
			continue
		}
		plain, err := url.QueryUnescape(string(value))
		switch {
		case string(key) != "access_token" || tok != "":
			return "", nil, "repeated_credential"
		case err != nil || len(plain) > secret.MaxHandle || !isB64Token(plain):
			return "", nil, "malformed_credential"
		}
		tok = plain
	}
	return tok, rest, ""
}
