package egress

import (
	"bytes"
	"compress/zlib"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// answer makes what the client may see of an answer, or refuses it. The upstream is a
// stranger: what it says is bounded and searched for what it was sent.
func (c *Connector) answer(ctx context.Context, res *http.Response, sent []secret.Value, by gateway.Caller, cancel func(error)) (*http.Response, error) {
	if no := c.judge(res); no != nil {
		return nil, no
	}
	n, found := newNeedles(sent), false
	header := http.Header{}
	for name, lines := range res.Header {
		if !c.answerHeaders[name] || name == "Content-Type" && !hasBody(res) {
			continue
		}
		for _, line := range lines {
			clean, echo := n.scrub(line)
			found = found || echo
			header[name] = append(header[name], clean)
		}
	}
	out := &http.Response{
		Status: http.StatusText(res.StatusCode), StatusCode: res.StatusCode, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: -1, Request: res.Request,
	}
	plain, coded, no := unpacked(res)
	if no != nil {
		return nil, no
	}
	if !coded {
		out.ContentLength = res.ContentLength
	}
	body := &bounded{src: plain, left: c.o.MaxAnswer, rate: c.o.MinRate, now: c.o.Now, stop: cancel}
	if by.Tier == token.TierHigh { // nothing is sent before all of it has been searched
		whole, err := io.ReadAll(newScrubbed(body, n, func() { found = true }))
		if err != nil {
			return nil, c.broken(ctx, err)
		}
		if found {
			return nil, echoed()
		}
		_ = res.Body.Close()
		cancel(nil)
		out.ContentLength = int64(len(whole))
		out.Body = io.NopCloser(bytes.NewReader(whole))
		return out, nil
	}
	tell := func() { c.o.Meter.echo(by) }
	if found {
		tell()
	}
	out.Body = &closing{Reader: newScrubbed(body, n, tell), close: func() error { defer cancel(nil); return res.Body.Close() }}
	if out.ContentLength >= 0 {
		out.Header["Content-Length"] = []string{strconv.FormatInt(out.ContentLength, 10)}
	}
	return out, nil
}

// judge refuses answers that are about the credential, lead elsewhere, or are of a kind
// that was not expected.
func (c *Connector) judge(res *http.Response) *gateway.Refused {
	switch s := res.StatusCode; {
	case s == http.StatusUnauthorized || s == http.StatusProxyAuthRequired:
		return refused(gateway.AnswerUpstream, "egress_credential_refused")
	case s < 200 || s >= 300 && s < 400 && s != http.StatusNotModified:
		return refused(gateway.AnswerUpstream, "egress_redirect")
	case res.ContentLength > c.o.MaxAnswer:
		return refused(gateway.AnswerUpstream, "egress_answer_size")
	case hasBody(res) && !typeAmong(res.Header["Content-Type"], c.o.AnswerTypes):
		return refused(gateway.AnswerUpstream, "egress_answer_type")
	}
	return nil
}

func hasBody(res *http.Response) bool {
	return res.ContentLength != 0 && res.StatusCode != http.StatusNoContent && res.StatusCode != http.StatusNotModified && (res.Request == nil || res.Request.Method != http.MethodHead)
}

// unpacked is the body in the clear: a credential could hide in a packed one. Identity was
// asked for, so what can be unpacked is unpacked and everything else refused.
func unpacked(res *http.Response) (plain io.Reader, coded bool, no *gateway.Refused) {
	var list []string
	for _, line := range res.Header["Content-Encoding"] {
		for one := range strings.SplitSeq(line, ",") {
			if one = strings.ToLower(strings.TrimSpace(one)); one != "" && one != "identity" {
				list = append(list, one)
			}
		}
	}
	switch {
	case len(list) == 0 || !hasBody(res):
		return res.Body, false, nil
	case len(list) > 1:
	case slices.Contains([]string{"gzip", "x-gzip"}, list[0]):
		return &lazy{open: func() (io.Reader, error) { return gzip.NewReader(res.Body) }}, true, nil
	case list[0] == "deflate":
		return &lazy{open: func() (io.Reader, error) { return zlib.NewReader(res.Body) }}, true, nil
	}
	return nil, false, refused(gateway.AnswerUpstream, "egress_answer_encoding")
}

// lazy opens at the first read, so that a slow head of a packed body counts like the rest.
type lazy struct {
	open func() (io.Reader, error)
	r    io.Reader
}

// Read implements io.Reader.
func (l *lazy) Read(p []byte) (int, error) {
	if l.r == nil {
		r, err := l.open()
		if err != nil {
			return 0, err
		}
		l.r = r
	}
	return l.r.Read(p)
}

// bounded is a body that may be neither too long nor too slow. Only the time counts in
// which it waits for the upstream: a client may read as slowly as the gateway lets it.
type bounded struct {
	src    io.Reader
	left   int64
	rate   int
	now    func() time.Time
	stop   func(error)
	waited time.Duration
	got    int64
}

const (
	graceful = 10 * time.Second // in which nothing is said of the rate
	patience = 15 * time.Second // for the next byte
)

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	timer := time.AfterFunc(patience, func() { b.stop(errTooSlow) })
	began := b.now()
	n, err := b.src.Read(p)
	b.waited += b.now().Sub(began)
	timer.Stop()
	b.got += int64(n)
	switch {
	case b.got > b.left:
		b.stop(errTooBig)
		return 0, errTooBig
	case err == nil && b.waited > graceful && b.got < int64(b.rate)*int64(b.waited/time.Second):
		b.stop(errTooSlow)
		return 0, errTooSlow
	}
	return n, err
}

// broken says why a body that had to be read whole was not.
func (c *Connector) broken(ctx context.Context, err error) error {
	switch err { //nolint:errorlint // they come bare
	case errTooBig:
		return refused(gateway.AnswerUpstream, "egress_answer_size")
	case errTooSlow:
		return refused(gateway.AnswerTimeout, "egress_answer_slow")
	}
	return c.failure(ctx, err)
}

// closing is a body that ends more than itself.
type closing struct {
	io.Reader
	close func() error
}

// Close implements io.Closer.
func (c *closing) Close() error { return c.close() }
