package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
)

// errNoCaller: the request is none of the gateway's, so nobody has judged it.
var errNoCaller = errors.New("egress: nobody calls")

// RoundTrip implements http.RoundTripper. The request is one that the gateway has judged
// and Screen has passed. Whatever goes wrong is a *gateway.Refused: the errors of
// others name addresses, and might quote what was sent.
func (c *Connector) RoundTrip(r *http.Request) (*http.Response, error) {
	by, ok := gateway.CallerOf(r.Context())
	if !ok || by.Operation >= len(c.o.Operations) {
		return nil, errNoCaller
	}
	body, no := c.readBody(r)
	if no != nil {
		return nil, no
	}
	if no := c.o.Meter.spend(c.o.Now(), by.Subject, c.o.Operations[by.Operation].Cost); no != nil {
		return nil, no
	}
	ctx, end := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(c.o.Timeout, func() { end(errTooLong) })
	cancel := func(why error) { timer.Stop(); end(why) }
	res, sent, err := c.exchange(ctx, r, body, by)
	if err != nil {
		defer cancel(nil)
		return nil, c.failure(ctx, err)
	}
	out, err := c.answer(ctx, res, sent, by, cancel)
	if err != nil {
		_ = res.Body.Close()
		cancel(nil)
		return nil, err
	}
	return out, nil
}

var (
	errTooLong = errors.New("the exchange takes too long")
	errTooSlow = errors.New("the answer comes too slowly")
	errTooBig  = errors.New("the answer is too long")
)

func (c *Connector) readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, c.o.MaxRequest+1))
	switch {
	case err != nil:
		return nil, err // of the client's connection: the gateway knows it
	case int64(len(body)) > c.o.MaxRequest:
		return nil, refused(gateway.AnswerTooLarge, "egress_request_size")
	}
	return body, nil
}

// exchange asks the upstream, and once more if the credential had ended before its time.
func (c *Connector) exchange(ctx context.Context, r *http.Request, body []byte, by gateway.Caller) (*http.Response, []secret.Value, error) {
	for first := true; ; first = false {
		out := c.request(ctx, r, body, by)
		sent, err := c.o.Inject.Inject(ctx, out, body)
		if err != nil {
			return nil, nil, &gateway.Refused{Answer: gateway.AnswerUnavailable, Reason: reasonOf(err)}
		}
		res, err := c.o.Transport.RoundTrip(out)
		if err != nil {
			return nil, nil, err
		}
		renewer, can := c.o.Inject.(Renewer)
		if !first || !can || res.StatusCode != http.StatusUnauthorized || !renewer.Renew(ctx, res.StatusCode, sent) {
			return res, sent, nil
		}
		_ = res.Body.Close()
	}
}

// request is what the upstream is sent, but for the credential.
func (c *Connector) request(ctx context.Context, r *http.Request, body []byte, by gateway.Caller) *http.Request {
	u := *r.URL
	u.ForceQuery = false
	out := (&http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept-Encoding": {"identity"}, "User-Agent": {"sallyport"}}, ContentLength: int64(len(body)),
	}).WithContext(ctx)
	for name, lines := range r.Header {
		if c.headers[name] && !c.ownsHeader(name) {
			out.Header[name] = lines
		}
	}
	if c.o.UserHeader != "" {
		out.Header[http.CanonicalHeaderKey(c.o.UserHeader)] = []string{c.o.Pseudonym(by.Subject)}
	}
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return out
}

// failure says what an error of the exchange means, without its text.
func (c *Connector) failure(ctx context.Context, err error) error {
	var told *gateway.Refused
	var barred *outbound.Error
	var timeout net.Error
	switch cause := context.Cause(ctx); {
	case errors.As(err, &told):
		return told
	case errors.Is(cause, errTooLong):
		return refused(gateway.AnswerTimeout, "egress_timeout")
	case errors.Is(cause, errTooSlow):
		return refused(gateway.AnswerTimeout, "egress_answer_slow")
	case errors.Is(cause, errTooBig):
		return refused(gateway.AnswerUpstream, "egress_answer_size")
	case cause != nil:
		return err // the client is gone, or its token has ended: the gateway knows
	case errors.As(err, &barred):
		return refused(gateway.AnswerUpstream, "egress_"+string(barred.Reason))
	case errors.As(err, &timeout) && timeout.Timeout():
		return refused(gateway.AnswerTimeout, "egress_timeout")
	}
	return refused(gateway.AnswerUpstream, "egress_failed")
}
