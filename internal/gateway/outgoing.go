package gateway

import (
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
)

// outgoing makes the request to the upstream: the same bytes of path and query,
// what the client may say, and what the gateway says.
func (c *call) outgoing() *http.Request {
	out := (&http.Request{
		Method: c.r.Method, URL: c.target(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: c.sendable(), ContentLength: c.r.ContentLength,
	}).WithContext(c) //nolint:contextcheck // the call is the context
	if c.r.ContentLength != 0 && c.r.Body != nil && c.r.Body != http.NoBody {
		c.body = &limitedBody{ReadCloser: http.MaxBytesReader(c.w.ResponseWriter, c.r.Body, c.api.backend.maxBody)}
		rc := http.NewResponseController(c.w.ResponseWriter)
		c.body.interrupt = func() { _ = rc.SetReadDeadline(time.Unix(1, 0)) }
		c.pace()
		out.Body = c.body
	}
	return out
}

// target is the address at the upstream.
func (c *call) target() *url.URL {
	path := c.api.base + c.rest
	plain, err := url.PathUnescape(path)
	if err != nil {
		panic(err) // checked by readTarget: better no call than another one
	}
	u := &url.URL{
		Scheme: c.api.upstream.Scheme, Host: c.api.upstream.Host,
		Path: plain, RawPath: path, RawQuery: c.query,
		ForceQuery: c.query == "" && strings.HasSuffix(c.r.RequestURI, "?"),
	}
	if u.EscapedPath() != path {
		panic("path would be forwarded in another form than was judged")
	}
	return u
}

// sendable is the header for the upstream: what a client may say, without what
// is for this connection only, and then what the gateway says, which no
// "Connection: Authorization" of the client can take away.
func (c *call) sendable() http.Header {
	in := c.r.Header
	out := make(http.Header, len(in)+4)
	for name, lines := range in {
		if !dropRequest.drops(name) && !hopByHop[name] {
			out[name] = lines
		}
	}
	dropNominated(out, in["Connection"])
	if hasToken(in["Te"], "trailers") {
		out["Te"] = []string{"trailers"} // gRPC asks for it
	}
	if c.upgrade {
		out["Connection"], out["Upgrade"] = []string{"Upgrade"}, in["Upgrade"]
	}
	if _, said := out["User-Agent"]; !said {
		out["User-Agent"] = nil // net/http would say its own
	}
	if c.api.backend.Cookies {
		if cookies := backendCookies(in["Cookie"]); cookies != nil {
			out["Cookie"] = cookies
		}
	}
	c.setForwarded(out)
	c.setInner(out)
	return out
}

// setForwarded tells the upstream of the client. What the client itself said of
// that has been dropped.
func (c *call) setForwarded(h http.Header) {
	said := &c.forwarded
	if host, _, err := net.SplitHostPort(c.r.RemoteAddr); err == nil {
		said[0] = host
		h["X-Forwarded-For"] = said[0:1:1]
	}
	said[1] = c.r.Host
	h["X-Forwarded-Host"] = said[1:2:2]
	h["X-Forwarded-Proto"] = schemeHTTPS
	if c.r.TLS == nil {
		h["X-Forwarded-Proto"] = schemeHTTP
	}
}

var schemeHTTP, schemeHTTPS = []string{"http"}, []string{"https"}

// hopByHop are the names that speak of one connection (RFC 9110 §7.6.1).
var hopByHop = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// dropNominated removes from h what the lines of a Connection header name.
func dropNominated(h http.Header, connection []string) {
	for _, line := range connection {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				delete(h, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
}
