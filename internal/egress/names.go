package egress

import (
	"mime"
	"strings"
)

// passed are the headers of a client that every connector passes on.
var passed = []string{"Accept", "Accept-Language", "Content-Type"}

// neverSent are the headers that no setting can let a client send: those of
// connections, of credentials, of who the client is, and those that would let
// an answer come back in a form in which nothing can be found. Range is one of
// the latter: two halves of a key are no key.
var neverSent = []string{
	"authorization", "cookie", "cookie2", "dpop", "host", "connection", "proxy-*", "keep-alive", "te", "trailer", "transfer-encoding",
	"upgrade", "content-length", "content-encoding", "accept-encoding", "range", "if-range", "expect", "forwarded", "x-forwarded-*", "via",
	"origin", "referer", "sec-*", "x-http-method*", "x-method-override", "user-agent",
}

// answerHeaders are those of the upstream that every connector passes on. An
// upstream has no say in cookies, CORS, where to go next, or what else browsers
// obey, and its limits are for all callers together: nobody's business.
var answerHeaders = []string{
	"Cache-Control", "Content-Language", "Content-Type", "Etag", "Expires", "Last-Modified", "Retry-After",
}

// neverAnswered are those that no setting can let pass.
var neverAnswered = []string{
	"set-cookie", "set-cookie2", "location", "content-location", "refresh", "access-control-*", "connection", "keep-alive", "proxy-*", "te",
	"trailer", "transfer-encoding", "upgrade", "content-length", "content-encoding", "content-range", "accept-ranges", "content-security-policy*",
	"www-authenticate", "authentication-info", "dpop-nonce", "alt-svc", "clear-site-data", "strict-transport-security", "service-worker-allowed",
	"cross-origin-*", "origin-agent-cluster", "permissions-policy", "referrer-policy", "link", "nel", "report-to", "reporting-endpoints",
	"sourcemap", "x-sourcemap", "server", "via", "x-powered-by", "x-accel-*", "x-sendfile", "x-frame-options", "x-content-type-options", "date",
}

// active are media types that browsers run.
var active = []string{
	"text/html", "application/xhtml+xml", "image/svg+xml", "text/javascript", "application/javascript", "application/ecmascript", "text/css",
	"application/pdf", "multipart/x-mixed-replace", "message/rfc822", "text/*", "application/*", "image/*xml", "*/*",
}

func isMediaType(s string) bool {
	t, params, err := mime.ParseMediaType(s)
	return err == nil && t == s && len(params) == 0 && strings.Count(s, "/") == 1
}

// fits reports whether a media type is one of a list.
func fits(list []string, media string) bool {
	for _, t := range list {
		if media == t {
			return true
		}
		if kind, wide := strings.CutSuffix(t, "*"); wide && strings.HasPrefix(media, kind) && !isActive(media) {
			return true
		}
	}
	return false
}

func isActive(media string) bool {
	for _, t := range active {
		if t == media {
			return true
		}
	}
	return false
}

// readable are the character sets in which a credential is found: those whose
// ASCII is ASCII.
var readable = map[string]bool{"": true, "utf-8": true, "us-ascii": true, "iso-8859-1": true, "windows-1252": true}

// mediaType returns the media type of a line of Content-Type, lower case, or "".
func mediaType(lines []string) (media, charset string) {
	if len(lines) != 1 {
		return "", ""
	}
	media, params, err := mime.ParseMediaType(lines[0])
	if err != nil {
		return "", ""
	}
	return media, strings.ToLower(params["charset"])
}
