package egress

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// answer judges what the upstream has answered, and returns what of it may be
// passed on. The body is searched while it is passed on.
func (x *exchange) answer(res *http.Response) (*http.Response, error) {
	no := x.judgeStatus(res)
	if no == nil {
		no = x.judgeHead(res)
	}
	if no != nil {
		_ = res.Body.Close()
		return nil, no
	}
	find := x.c.needlesOf(x.sent)
	out := &http.Response{
		Status: strconv.Itoa(res.StatusCode), StatusCode: res.StatusCode, Proto: res.Proto, ProtoMajor: res.ProtoMajor, ProtoMinor: res.ProtoMinor,
		Header: x.header(res, find), ContentLength: res.ContentLength, Request: x.r, Body: http.NoBody,
	}
	if x.bodiless(res) {
		_ = res.Body.Close()
		x.done()
		if x.r.Method != http.MethodHead {
			out.ContentLength = 0
			delete(out.Header, "Content-Type")
		}
		return out, nil
	}
	body, no := x.open(res, out, find)
	if no != nil {
		_ = res.Body.Close()
		return nil, no
	}
	out.Body = body
	if x.by.Tier == token.TierHigh {
		if no := x.readAhead(out); no != nil {
			_ = res.Body.Close()
			return nil, no
		}
	}
	x.remember(out)
	return out, nil
}

// judgeStatus: an answer that sends somewhere else is never followed nor passed
// on (its Location may hold the credential), and one that refuses the credential
// would make the client throw away a token that is good.
func (x *exchange) judgeStatus(res *http.Response) *gateway.Refused {
	switch s := res.StatusCode; {
	case s == http.StatusUnauthorized || s == http.StatusProxyAuthRequired:
		return &gateway.Refused{Reason: reasonCredential, Event: audit.EgressKeyRefused}
	case s == http.StatusNotModified && (x.r.Header["If-None-Match"] != nil && x.c.headers["If-None-Match"] || x.r.Header["If-Modified-Since"] != nil && x.c.headers["If-Modified-Since"]):
		return nil
	case s >= 300 && s < 400:
		return &gateway.Refused{Reason: reasonRedirect}
	case s < 200 || s == http.StatusPartialContent || s > 599:
		return &gateway.Refused{Reason: reasonAnswer}
	}
	return nil
}

func (x *exchange) judgeHead(res *http.Response) *gateway.Refused {
	if x.bodiless(res) {
		return nil
	}
	media, charset := mediaType(res.Header["Content-Type"])
	switch {
	case res.ContentLength > x.c.o.MaxAnswer:
		return &gateway.Refused{Reason: reasonAnswerSize}
	case !fits(x.c.answerTypes, media) || !readable[charset]:
		return &gateway.Refused{Reason: reasonAnswerType}
	}
	return nil
}

// bodiless reports whether the body, if there is one, is not passed on: that of
// an error is often a page for people, and its status says enough.
func (x *exchange) bodiless(res *http.Response) bool {
	if x.r.Method == http.MethodHead || res.ContentLength == 0 || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified {
		return true
	}
	media, charset := mediaType(res.Header["Content-Type"])
	return res.StatusCode >= 400 && (!fits(x.c.answerTypes, media) || !readable[charset])
}

// header is what of the answer's header may pass, without credentials.
func (x *exchange) header(res *http.Response, find *needles) http.Header {
	h := http.Header{}
	for name, lines := range res.Header {
		if !x.c.answers[name] || x.c.owned[fold(name)] {
			continue
		}
		lines = slices.Clone(lines)
		for i := range lines {
			clean, found := find.scrub(lines[i])
			if lines[i] = clean; found {
				x.echoed()
			}
		}
		h[name] = lines
	}
	// What another server says must not run with the rights of this one's pages.
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Content-Security-Policy"] = []string{"default-src 'none'; sandbox"}
	if res.ContentLength >= 0 && len(res.Header["Content-Encoding"]) == 0 && !x.bodiless(res) {
		h["Content-Length"] = []string{strconv.FormatInt(res.ContentLength, 10)}
	}
	return h
}

// echoed notes that the upstream has sent the credential back.
func (x *exchange) echoed() {
	x.rec.Add(audit.Event{Name: audit.EgressSecretEchoed, Subject: x.by.Subject, Client: x.by.ClientID, Reason: x.c.o.Name})
}

var (
	errSize     = errors.New(reasonAnswerSize)
	errEncoding = errors.New(reasonEncoding)
	errEchoed   = errors.New(reasonEchoed)
)

// open returns the body of an answer: bounded in time and size, decompressed,
// and searched. We asked for no compression, but some servers do not listen.
func (x *exchange) open(res, out *http.Response, find *needles) (io.ReadCloser, *gateway.Refused) {
	body := &answerBody{x: x, src: res.Body}
	var r io.Reader = newPaced(res.Body, x.c.o.Now, x.cancel, isEvents(res))
	switch encoding := strings.ToLower(strings.Join(res.Header["Content-Encoding"], ",")); encoding {
	case "", "identity":
		r = &plain{src: r}
	case "gzip", "x-gzip", "deflate":
		r = &inflated{src: r, zlib: encoding == "deflate"}
		out.ContentLength = -1
	default:
		return nil, &gateway.Refused{Reason: reasonEncoding}
	}
	r = &capped{src: r, left: x.c.o.MaxAnswer}
	if find != nil {
		r = newScrubbed(r, find, body.echoed)
	}
	body.Reader = r
	return body, nil
}

func isEvents(res *http.Response) bool {
	media, _ := mediaType(res.Header["Content-Type"])
	return media == "text/event-stream"
}

// answerBody ends the exchange when it is closed.
type answerBody struct {
	io.Reader
	x     *exchange
	src   io.Closer
	found bool
}

func (b *answerBody) echoed() {
	b.found = true
	b.x.echoed()
}

// Read implements io.Reader. In tier high nothing is given after an echo, not
// even masked: who sends keys back cannot be relied on for the rest.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.found && b.x.by.Tier == token.TierHigh {
		return 0, errEchoed
	}
	return n, err
}

// Close implements io.Closer.
func (b *answerBody) Close() error {
	err := b.src.Close()
	b.x.done()
	return err
}

// ahead is how much of an answer is read before any of it is given, in tier high.
const ahead = 256 << 10

// readAhead refuses an answer as a whole if the credential is in its first part.
func (x *exchange) readAhead(out *http.Response) *gateway.Refused {
	body := out.Body.(*answerBody) //nolint:errcheck,forcetypeassert // open has made it
	if media, _ := mediaType(out.Header["Content-Type"]); media == "text/event-stream" {
		return nil // events are not held up; the stream ends at an echo
	}
	head, err := io.ReadAll(io.LimitReader(body, ahead))
	switch {
	case body.found:
		return &gateway.Refused{Reason: reasonEchoed, Event: audit.EgressSecretEchoed}
	case err != nil:
		return x.cutBefore(err)
	}
	body.Reader = io.MultiReader(bytes.NewReader(head), body.Reader)
	return nil
}

// cutBefore says why an answer ended before any of it was given.
func (x *exchange) cutBefore(err error) *gateway.Refused {
	for _, known := range []struct {
		err    error
		reason string
	}{{errSize, reasonAnswerSize}, {errEncoding, reasonEncoding}, {errSlow, reasonSlow}} {
		if errors.Is(err, known.err) {
			return &gateway.Refused{Reason: known.reason}
		}
	}
	var no *gateway.Refused
	if errors.As(x.failure(err), &no) {
		return no
	}
	return &gateway.Refused{Reason: reasonUpstream}
}

// searched are needles, and what they were made of.
type searched struct {
	of   []secret.Value
	find *needles
}

// needlesOf returns what to look for in an answer. It is made anew when another
// credential was sent than before.
func (c *Connector) needlesOf(sent []secret.Value) *needles {
	if s := c.known.Load(); s != nil && slices.EqualFunc(s.of, sent, secret.Value.Equal) {
		return s.find
	}
	s := &searched{of: sent, find: newNeedles(sent)}
	c.known.Store(s)
	return s.find
}

// inflated decompresses. It begins when it is first read, so that an answer
// whose body comes late has its head passed on.
type inflated struct {
	src  io.Reader
	zlib bool
	r    io.Reader
	err  error
}

// Read implements io.Reader.
func (i *inflated) Read(p []byte) (int, error) {
	if i.r == nil && i.err == nil {
		if i.zlib {
			i.r, i.err = zlib.NewReader(i.src)
		} else {
			i.r, i.err = gzip.NewReader(i.src)
		}
		if i.err == nil {
			i.r = &plain{src: i.r}
		}
	}
	if i.err != nil {
		return 0, errEncoding
	}
	n, err := i.r.Read(p)
	if err != nil && err != io.EOF && !errors.Is(err, errSlow) { //nolint:errorlint // readers return it bare
		err = errEncoding
	}
	return n, err
}
