package http1

import (
	"net/http"
	"net/textproto"
	"strings"
)

// ProtocolError is a message that breaks a rule of RFC 9112, or one of ours
// where that is stricter. Its text says which and quotes nothing of the message.
type ProtocolError struct{ Rule string }

// Error implements error.
func (e *ProtocolError) Error() string { return "http1: " + e.Rule }

var (
	errFieldLine    = &ProtocolError{"malformed field line"}
	errFieldValue   = &ProtocolError{"control character in a field value"}
	errManyFields   = &ProtocolError{"too many fields"}
	errLength       = &ProtocolError{"malformed or repeated Content-Length"}
	errCoding       = &ProtocolError{"transfer coding other than one chunked"}
	errTwoLengths   = &ProtocolError{"both Content-Length and Transfer-Encoding"}
	errHeadTooLarge = &ProtocolError{"head too large"}
)

// maxFields is how many field lines a head may have.
const maxFields = 256

// head is what the field lines of a message say (RFC 9112 §5, §6).
type head struct {
	header  http.Header
	host    string
	hosts   int   // how many Host lines there were
	length  int64 // Content-Length; -1: none
	chunked bool
	close   bool // Connection: close
	options bool // Connection names something else than close and keep-alive
}

// reset makes p ready for the lines of another message. header must be empty.
func (p *head) reset(header http.Header) { *p = head{header: header, length: -1} }

// parse reads field lines, each with its CRLF, and nothing else: a line that is
// folded, that has a space before its colon, or that ends in a bare LF or CR is
// refused. The header holds parts of s.
func (p *head) parse(s string) error {
	n := strings.Count(s, "\n")
	if n > maxFields {
		return errManyFields
	}
	values := make([]string, 0, n)
	for s != "" {
		end := strings.IndexByte(s, '\n')
		if end < 1 || s[end-1] != '\r' {
			return errFieldLine
		}
		line := s[:end-1]
		s = s[end+1:]
		colon := strings.IndexByte(line, ':')
		if colon < 1 {
			return errFieldLine
		}
		name, ok := canonical(line[:colon])
		if !ok {
			return errFieldLine
		}
		value := trimSpace(line[colon+1:])
		if !isValue(value) {
			return errFieldValue
		}
		if err := p.note(name, value); err != nil {
			return err
		}
		if name == "Host" {
			continue
		}
		if before, repeated := p.header[name]; repeated {
			p.header[name] = append(before, value)
			continue
		}
		values = append(values, value)
		p.header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if p.chunked && p.length >= 0 {
		return errTwoLengths
	}
	return nil
}

// note looks at the fields that frame the message.
func (p *head) note(name, value string) error {
	switch name {
	case "Content-Length":
		n, ok := parseLength(value)
		if !ok || p.length >= 0 {
			return errLength
		}
		p.length = n
	case "Transfer-Encoding":
		if p.chunked || !strings.EqualFold(value, "chunked") {
			return errCoding
		}
		p.chunked = true
	case "Host":
		p.host = value
		p.hosts++
	case "Connection":
		for option := range strings.SplitSeq(value, ",") {
			switch option = trimSpace(option); {
			case strings.EqualFold(option, "close"):
				p.close = true
			case option != "" && !strings.EqualFold(option, "keep-alive"):
				p.options = true
			}
		}
	}
	return nil
}

// parseLength is 1*DIGIT (RFC 9110 §8.6), below 10^18.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// canonical returns the form of a field name that net/http has it in, and false
// for what is no token (RFC 9110 §5.6.2).
func canonical(name string) (string, bool) {
	if known, ok := knownNames[name]; ok {
		return known, true
	}
	for i := range len(name) {
		if !tokenByte[name[i]] {
			return "", false
		}
	}
	return textproto.CanonicalMIMEHeaderKey(name), name != ""
}

func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func isValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

var tokenByte = func() (set [256]bool) {
	for _, b := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		set[b] = true
	}
	return set
}()

// knownNames spare the usual names a copy, as they are and in lower case.
var knownNames = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Age", "Authorization", "Cache-Control", "Connection", "Content-Disposition",
		"Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "Cookie", "Date", "Dpop", "Etag", "Expires", "Host", "Idempotency-Key",
		"If-Match", "If-Modified-Since", "If-None-Match", "Keep-Alive", "Last-Modified", "Link", "Location", "Origin", "Pragma", "Priority", "Range",
		"Referer", "Retry-After", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Server",
		"Strict-Transport-Security", "Traceparent", "Tracestate", "Transfer-Encoding", "User-Agent", "Vary", "X-Content-Type-Options", "X-Request-Id",
	} {
		m[name], m[strings.ToLower(name)] = name, name
	}
	m["DPoP"], m["ETag"] = "Dpop", "Etag"
	return m
}()
