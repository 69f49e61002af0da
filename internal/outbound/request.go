package outbound

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Get returns the body of a 200 answer that says it is JSON (application/json,
// or application/…+json as RFC 6839 §3.1 has it). Whether it is, the caller
// finds out. Every error is an *Error.
func (c *Client) Get(ctx context.Context, rawURL string) ([]byte, error) {
	body, _, err := c.get(ctx, rawURL, acceptJSON, isJSON)
	return body, err
}

const acceptJSON = "application/json, application/jwk-set+json"

// GetFresh is Get that also returns for how long the answer says that it may be
// kept (RFC 9111 §5.2.2.1); 0 if it says nothing, or that it must not be.
func (c *Client) GetFresh(ctx context.Context, rawURL string) (body []byte, keep time.Duration, err error) {
	return c.get(ctx, rawURL, acceptJSON, isJSON)
}

// GetJWT is Get for a 200 answer that says it is a JWT: application/jwt,
// application/…+jwt (RFC 7519 §10.3, RFC 9101 §10.2) or application/jose.
func (c *Client) GetJWT(ctx context.Context, rawURL string) ([]byte, error) {
	body, _, err := c.get(ctx, rawURL, "application/oauth-authz-req+jwt, application/jwt", isJWT)
	return body, err
}

func (c *Client) get(ctx context.Context, rawURL, accept string, fits func(contentType string) bool) (body []byte, keep time.Duration, err error) {
	header := http.Header{"Accept": {accept}}
	err = c.do(ctx, http.MethodGet, rawURL, header, nil, func(ctx context.Context, t *target, r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return badStatus(t, r.StatusCode)
		}
		if err := judgeHead(t, r.Header, fits); err != nil {
			return err
		}
		keep = maxAge(r.Header.Values("Cache-Control"))
		var err error
		body, err = c.read(ctx, t, r)
		return err
	})
	return body, keep, err
}

func maxAge(lines []string) time.Duration {
	var age time.Duration
	for d := range strings.SplitSeq(strings.ToLower(strings.Join(lines, ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if n, err := strconv.ParseUint(value, 10, 31); err == nil {
				age = time.Duration(n) * time.Second
			}
		}
	}
	return age
}

// PostJSON sends body and succeeds with any 2xx answer, whose body is not
// read. header holds what the caller has to add, such as a signature; it may
// be nil. Every error is an *Error. Nothing is tried twice.
func (c *Client) PostJSON(ctx context.Context, rawURL string, header map[string]string, body []byte) error {
	with := map[string]string{}
	for name, value := range header {
		if !strings.EqualFold(name, "Content-Type") {
			with[name] = value
		}
	}
	with["Content-Type"] = "application/json"
	return c.Post(ctx, rawURL, with, body)
}

// do sends one request and hands its answer to accept.
func (c *Client) do(ctx context.Context, method, rawURL string, header http.Header, body []byte,
	accept func(context.Context, *target, *http.Response) error,
) error {
	t, err := c.parse(rawURL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	leave, err := c.slots.enter(ctx, t.host())
	if err != nil {
		return failed(ctx, t, ReasonBusy, err)
	}
	defer leave()
	header.Set("User-Agent", "sallyport")
	r, err := http.NewRequestWithContext(ctx, method, t.url.String(), bytes.NewReader(body))
	if err != nil {
		return &Error{Reason: ReasonRequest, Host: t.host()}
	}
	r.Header = header
	conn, err := c.open(ctx, t)
	if err != nil {
		return failed(ctx, t, ReasonConnect, err)
	}
	defer func() { _ = conn.Close() }()
	answer, err := over(conn).RoundTrip(r)
	if err != nil {
		return failed(ctx, t, ReasonResponse, err)
	}
	defer func() { _ = answer.Body.Close() }() // whatever is left of it is not wanted
	return accept(ctx, t, answer)
}

func badStatus(t *target, status int) error {
	e := &Error{Reason: ReasonStatus, Host: t.host(), Status: status}
	if status >= 300 && status < 400 {
		e.Reason = ReasonRedirect
	}
	return e
}

func judgeHead(t *target, h http.Header, fits func(contentType string) bool) error {
	for _, v := range h.Values("Content-Encoding") {
		if !strings.EqualFold(v, "identity") {
			return &Error{Reason: ReasonEncoding, Host: t.host()}
		}
	}
	kinds := h.Values("Content-Type")
	if len(kinds) != 1 || !fits(kinds[0]) {
		return &Error{Reason: ReasonType, Host: t.host()}
	}
	return nil
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

func isJWT(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/jwt" || kind == "application/jose" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+jwt"))
}

// read counts what arrives, whatever the answer said that it would be.
func (c *Client) read(ctx context.Context, t *target, r *http.Response) ([]byte, error) {
	tooLarge := &Error{Reason: ReasonSize, Host: t.host()}
	if r.ContentLength > c.maxBody {
		return nil, tooLarge
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, c.maxBody+1))
	if err != nil {
		return nil, failed(ctx, t, ReasonResponse, err)
	}
	if int64(len(b)) > c.maxBody {
		return nil, tooLarge
	}
	return b, nil
}

// framing are headers that would change what the request is, or where it goes.
var framing = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Te", "Upgrade", "Expect", "Cookie",
	"Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Content-Encoding", "Accept-Encoding",
}

// mayBeSet knows header fields of RFC 9110 §5.1 and §5.5 that are not framing.
func mayBeSet(name, value string) bool {
	if name == "" || strings.ContainsFunc(name, notToken) {
		return false
	}
	for _, f := range framing {
		if strings.EqualFold(f, name) {
			return false
		}
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func notToken(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}
