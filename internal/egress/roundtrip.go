package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"

	"sallyport/internal/audit"
	"sallyport/internal/gateway"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
)

// RoundTrip implements http.RoundTripper for a gateway.API. Its errors are
// *gateway.Refused, whose words are fixed: none quotes a URL, which holds the
// credential in some APIs.
func (c *Connector) RoundTrip(r *http.Request) (*http.Response, error) {
	by, known := gateway.CallerOf(r.Context())
	if !known || by.Operation >= len(c.o.Operations) || !sameOrigin(r.URL, c.o.Upstream) {
		return nil, &gateway.Refused{Reason: reasonUpstream}
	}
	leave, free := c.o.State.enter(c.o.Name, by.Subject)
	if !free {
		return nil, &gateway.Refused{Answer: gateway.AnswerUnavailable, Reason: reasonBusy}
	}
	res, err := c.call(r, by, leave)
	if err != nil {
		leave()
		return nil, err
	}
	return res, nil
}

// call sends what was allowed. When it returns an answer, leave is called at the
// end of its body.
func (c *Connector) call(r *http.Request, by gateway.Caller, leave func()) (*http.Response, error) {
	body, no := c.readBody(r)
	if no != nil {
		return nil, no
	}
	if no := c.screenForm(r, body); no != nil {
		return nil, no
	}
	key, cached := c.lookup(r, by)
	if cached != nil {
		leave()
		return cached, nil
	}
	refund, no := c.charge(r.Context(), by)
	if no != nil {
		return nil, no
	}
	rec := audit.FromContext(r.Context())
	rec.Set(slog.Int64("cost", c.cost(by.Operation)))
	ctx, cancel := context.WithCancelCause(r.Context())
	end := startClock(c.o.Timeout, cancel)
	x := &exchange{c: c, r: r, by: by, body: body, rec: rec, ctx: ctx, refund: refund, key: key, done: func() { end(); cancel(nil); leave() }, cancel: cancel}
	res, err := x.run()
	if err != nil {
		end()
		cancel(nil)
		return nil, x.failure(err)
	}
	return res, nil
}

// readBody reads all of the request's body. Its length then tells the upstream
// where it ends, whatever the client said.
func (c *Connector) readBody(r *http.Request) ([]byte, *gateway.Refused) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, c.o.MaxRequest+1))
	switch {
	case int64(len(b)) > c.o.MaxRequest:
		return nil, &gateway.Refused{Answer: gateway.AnswerTooLarge, Reason: reasonSize}
	case err != nil:
		return nil, malformed(reasonBody)
	}
	return b, nil
}

// exchange is one call on its way to the upstream and back.
type exchange struct {
	c      *Connector
	r      *http.Request
	by     gateway.Caller
	body   []byte
	rec    *audit.Record
	ctx    context.Context //nolint:containedctx // of the exchange
	cancel context.CancelCauseFunc
	refund func()
	key    [32]byte
	done   func()
	sent   []secret.Value // all that was sent, in any attempt
}

// run sends the request, once more if its credential had ended before its time,
// and judges the answer.
func (x *exchange) run() (*http.Response, error) {
	for again := false; ; again = true {
		out := x.request()
		sent, err := x.c.o.Inject.Inject(x.ctx, out, x.body)
		if err != nil {
			if !again {
				x.refund()
			}
			return nil, &gateway.Refused{Answer: gateway.AnswerUnavailable, Reason: reasonOf(err)}
		}
		x.sent = append(x.sent, sent...)
		res, err := x.c.o.Transport.RoundTrip(out)
		if err != nil {
			return nil, err
		}
		x.rec.Set(slog.Int("upstream_status", res.StatusCode))
		if renewer, can := x.c.o.Inject.(Renewer); can && !again && res.StatusCode == http.StatusUnauthorized && renewer.Renew(x.ctx, res.StatusCode, sent) {
			_ = res.Body.Close()
			continue
		}
		return x.answer(res)
	}
}

// request is what the upstream gets, but for the credential: the address of the
// configuration, the path and the parameters that were judged, and headers that
// are in a list.
func (x *exchange) request() *http.Request {
	c := x.c
	u := *x.r.URL
	u.User, u.Fragment = nil, ""
	out := (&http.Request{
		Method: x.r.Method, URL: &u, Host: c.o.Upstream.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(x.ctx)
	for name, lines := range x.r.Header {
		if c.headers[name] && !c.owned[fold(name)] {
			out.Header[name] = lines
		}
	}
	out.Header["User-Agent"] = []string{"sallyport"}
	out.Header["Accept-Encoding"] = []string{"identity"} // what is compressed would hide what it holds
	if c.o.UserHeader != "" && x.by.Subject != "" {
		out.Header[http.CanonicalHeaderKey(c.o.UserHeader)] = []string{c.o.Pseudonym(x.by.Subject)}
	}
	if x.body != nil {
		out.ContentLength = int64(len(x.body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.body)), nil }
		out.Body, _ = out.GetBody()
	}
	return out
}

// failure turns what went wrong into words of ours.
func (x *exchange) failure(err error) error {
	var refused *gateway.Refused
	if errors.As(err, &refused) {
		return refused
	}
	if context.Cause(x.ctx) == errTimeout { //nolint:errorlint // it is that one or another
		return &gateway.Refused{Answer: gateway.AnswerTimeout, Reason: reasonTimeout}
	}
	var timeout net.Error
	switch {
	case outbound.ReasonOf(err) == outbound.ReasonAddress || outbound.ReasonOf(err) == outbound.ReasonURL:
		return &gateway.Refused{Reason: reasonAddress}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &gateway.Refused{Answer: gateway.AnswerTimeout, Reason: reasonTimeout}
	}
	return &gateway.Refused{Reason: reasonUpstream}
}

// sameOrigin is what an address of the upstream must have in common with it.
func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }
