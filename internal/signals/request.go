package signals

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// Limits of what a receiver sends.
const (
	MaxRequest     = 64 << 10 // bytes of a body
	maxRequested   = 64
	maxEventType   = 256
	maxDescription = 1024 // characters; the rest is left out (SSF 1.0 §8.1.1)
	maxHeader      = 4096
	maxState       = 1024
	maxReason      = 1024
)

func bad(description string) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}

var (
	errBody   = bad("the body is not a JSON object, or has a member twice")
	errStream = &oauth.Error{Code: oauth.NotFound, Description: "there is no such stream"}
)

// request is a body that was read.
type request map[string]member

func readRequest(body []byte) (request, *oauth.Error) {
	m, err := readTexts(body)
	if err != nil {
		return nil, errBody
	}
	return m, nil
}

// text returns a member that is a string, of at most so many bytes.
func (r request) text(name string, most int) (string, bool, *oauth.Error) {
	m, ok := r[name]
	if !ok {
		return "", false, nil
	}
	if m.raw[0] != '"' || len(m.text) > most || strings.IndexByte(m.text, 0) >= 0 {
		return "", true, bad(name + " is not a text, or too long")
	}
	return m.text, true, nil
}

// readStreamRequest reads a request that says which stream it is about.
func readStreamRequest(body []byte) (request, secret.ID, *oauth.Error) {
	r, err := readRequest(body)
	if err != nil {
		return nil, secret.ID{}, err
	}
	id, err := r.streamID()
	return r, id, err
}

// streamID returns the stream that a request names. One that is no ID names none.
func (r request) streamID() (secret.ID, *oauth.Error) {
	text, ok, err := r.text("stream_id", 256)
	if err != nil || !ok {
		return secret.ID{}, bad("stream_id is missing or no string")
	}
	return parseStream(text)
}

func parseStream(text string) (secret.ID, *oauth.Error) {
	id, err := secret.ParseID(text)
	if err != nil {
		return secret.ID{}, errStream
	}
	return id, nil
}

// change puts the properties that a receiver supplies into a stream (SSF 1.0
// §8.1.1). With all, those that are missing are deleted (§8.1.1.4).
func (s *Service) change(stream *Stream, r request, all bool) *oauth.Error {
	if all {
		stream.Requested, stream.Description, stream.Format = nil, "", ""
		stream.Method, stream.EndpointURL, stream.Authorization = Poll, "", "" // §8.1.1.1: the default
	}
	for _, read := range []func(*Stream, request) *oauth.Error{readRequested, readDescription, readFormat, s.readDelivery} {
		if err := read(stream, r); err != nil {
			return err
		}
	}
	return nil
}

func readRequested(stream *Stream, r request) *oauth.Error {
	m, ok := r["events_requested"]
	if !ok {
		return nil
	}
	var list []string
	if m.raw[0] != '[' || json.Unmarshal(m.raw, &list) != nil || len(list) > maxRequested || bytes.Contains(m.raw, []byte("null")) {
		return bad("events_requested is not a list of at most 64 URIs")
	}
	for _, e := range list {
		if e == "" || len(e) > maxEventType || strings.ContainsFunc(e, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
			return bad("events_requested has something that is no URI")
		}
	}
	slices.Sort(list)
	stream.Requested = slices.Compact(list)
	return nil
}

func readDescription(stream *Stream, r request) *oauth.Error {
	text, ok, err := r.text("description", MaxRequest)
	if err != nil || !ok {
		return err
	}
	if n := utf8.RuneCountInString(text); n > maxDescription {
		text = string([]rune(text)[:maxDescription])
	}
	stream.Description = text
	return nil
}

func readFormat(stream *Stream, r request) *oauth.Error {
	text, ok, err := r.text("format", 64)
	if err != nil || !ok {
		return err
	}
	if text != formatIssSub && text != formatEmail {
		return bad("format is neither iss_sub nor email")
	}
	stream.Format = text
	return nil
}

// readDelivery reads where events go. An address that would never be asked is
// refused here; one that a name leads to is judged at each delivery.
func (s *Service) readDelivery(stream *Stream, r request) *oauth.Error {
	m, ok := r["delivery"]
	if !ok {
		return nil
	}
	d, rerr := readRequest(m.raw)
	if rerr != nil {
		return bad("delivery is not an object")
	}
	method, _, err := d.text("method", 64)
	if err != nil {
		return err
	}
	stream.Method, stream.EndpointURL, stream.Authorization = method, "", ""
	switch method {
	case Poll:
		url, ok, err := d.text("endpoint_url", maxHeader)
		if err != nil || ok && url != s.pollURL(stream.ID) {
			return bad("delivery.endpoint_url of a stream that is polled is ours to choose")
		}
		return nil
	case Push:
		return s.readPush(stream, d)
	}
	return bad("delivery.method is neither " + Push + " nor " + Poll)
}

func (s *Service) readPush(stream *Stream, d request) *oauth.Error {
	url, ok, err := d.text("endpoint_url", maxHeader)
	if err != nil || !ok {
		return bad("delivery.endpoint_url is missing")
	}
	if !strings.HasPrefix(url, "https://") || s.o.Check(url) != nil {
		return bad("delivery.endpoint_url is not an https address that may be asked")
	}
	stream.EndpointURL = url
	text, ok, err := d.text("authorization_header", maxHeader)
	header := secret.New(text)
	if err != nil || ok && !isHeader(header) {
		return bad("delivery.authorization_header is not the value of a header")
	}
	if !ok {
		return nil
	}
	sealed, serr := s.o.Ring.SealStored(labelOf(stream.ID), []byte(header.Reveal()))
	if serr != nil {
		return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the key for secrets is not there"}
	}
	stream.Authorization = sealed
	return nil
}

// labelOf binds a sealed header to its stream: the one of another stream does not open.
func labelOf(id secret.ID) string { return "signals:" + id.String() }

// isHeader: RFC 9110 §5.5, visible ASCII with single spaces inside.
func isHeader(v secret.Value) bool {
	s := v.Reveal()
	return s != "" && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c >= 0x7f })
}

// expect refuses properties of ours that a receiver sends and that are other than
// they are (SSF 1.0 §8.1.1.3): it believes something that is not so.
func (s *Service) expect(before, after *Stream, r request) *oauth.Error {
	was, is := s.show(before), s.show(after)
	for name, values := range map[string][]any{
		"iss": {is.Issuer}, "aud": {is.Audience, []string{is.Audience}}, "events_supported": {is.EventsSupported},
		"events_delivered": {was.EventsDelivered, is.EventsDelivered}, "min_verification_interval": {is.MinVerification},
	} {
		m, ok := r[name]
		if !ok {
			continue
		}
		if !slices.ContainsFunc(values, func(v any) bool { return same(m.raw, v) }) {
			return bad(name + " is not the receiver's to change")
		}
	}
	return nil
}

func same(raw []byte, v any) bool {
	want, err := json.Marshal(v)
	var got bytes.Buffer
	return err == nil && json.Compact(&got, raw) == nil && got.String() == string(want)
}
