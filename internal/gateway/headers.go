package gateway

import (
	"net/http"
	"net/textproto"
	"strings"
)

// dropRequest are the names that a backend might take for an identity, an
// address, another path or another method. They come from the gateway or not at
// all. Names are lower case; a trailing "*" is any rest.
var dropRequest = newNames(
	"authorization*", "cookie", "cookie2", "dpop", "oauth-client-attestation*", "proxy-*", "http2-settings",
	"forwarded", "x-forwarded", "x-forwarded-*", "via", "front-end-https", "x-scheme", "x-url-scheme",
	"x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip", "fastly-client-ip",
	"x-originating-ip", "x-remote-*", "x-host", "x-http-host-override", "x-original-*", "x-rewrite-*", "x-arr-*",
	"x-sallyport-*", "x-internal-*", "x-user*", "x-auth*", "x-webauth-*", "x-jwt-*", "x-token-*", "x-id-token",
	"x-access-token", "x-consumer-*", "x-credential-*", "x-principal*", "x-identity*", "x-roles", "x-groups", "x-email",
	"impersonate-*", "oidc-*", "cf-access-*", "cf-*", "tailscale-*", "x-appengine-*", "x-pomerium-*", "x-vouch-*", "x-hasura-*",
	"x-role*", "x-group*", "x-scope*", "x-permission*", "x-admin*", "x-sub", "x-subject*", "x-uid", "x-account*", "x-client-id",
	"x-tenant*", "x-org*", "serverless-authorization", "x-serverless-authorization", "x-amz-security-token", "x-authenticated-*",
	"client-ip", "wl-proxy-*", "forwarded-for", "x-azure-*", "fly-client-ip", "x-proxy*", "ali-cdn-real-ip", "cloudfront-viewer-*", "x-vercel-*",
	"x-middleware-*", "x-sendfile-type", "x-accel-*", "x-endpoint-api-*", "x-apigateway-*", "x-anonymous-consumer", "athenz-*", "sm-*",
	"l5d-*", "x-on-behalf-of", "x-clientcert", "x-saml-*", "x-sso-*", "x-ldap-*", "x-claim*", "x-upn", "x-preferred-username", "x-is-*",
	"x-envoy-*", "x-waws-*", "x-override-*", "x-http-path-override", "x-path-*", "x-script-name",
	"remote-*", "auth-*", "user-id", "x-goog-authenticated-user-*", "x-goog-iap-*", "x-amzn-oidc-*", "x-ms-client-principal*", "x-ms-token-*",
	"x-client-cert*", "client-cert*", "x-ssl-*", "ssl-*", "x-tls-*", "x-client-dn", "x-client-verify",
	"x-http-method-override", "x-http-method", "x-method-override",
)

// reserved are the names of answers that are the gateway's, whatever an API is
// configured to say: CORS and challenges, without which a browser or a client
// would believe the backend, and what steers the proxies in front.
var reserved = newNames(
	"access-control-*", "www-authenticate", "authentication-info", "dpop-nonce", "proxy-*", "x-sallyport-*", "x-accel-*", "x-sendfile",
	"set-cookie2",
)

// dropResponse are the names that a backend has no say in unless its API says
// so: the reserved ones, and
//   - what speaks for the whole host, which others share: cookies, Clear-Site-Data,
//     HSTS, pins, reports, client hints, service workers, sign-in state;
//   - what leads elsewhere without a redirect: Refresh, Alt-Svc;
//   - what opens answers to other origins: Timing-Allow-Origin;
//   - what tells what runs behind.
//
// Location and Content-Location are rewritten (location.go). Link stays: it is how
// APIs tell pages, and only a navigation acts on its preloads.
var dropResponse = reserved.with(
	"set-cookie", "clear-site-data", "strict-transport-security", "public-key-pins*", "expect-ct", "expect-staple", "nel", "report-to", "reporting-endpoints",
	"accept-ch*", "critical-ch", "service-worker-allowed", "origin-agent-cluster", "origin-trial", "set-login", "sign-in", "activate-storage-access",
	"permissions-policy*", "document-policy*", "speculation-rules", "supports-loading-mode",
	"refresh", "alt-svc", "alt-used", "timing-allow-origin", "sourcemap", "x-sourcemap",
	"server", "via", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-runtime", "x-served-by", "x-backend*", "x-upstream*", "x-generator",
)

// methodOverride are the headers by which some frameworks run another method
// than the one that was judged. Such a call is refused: dropping them silently
// would run a method that the client did not mean.
var methodOverride = newNames("x-http-method-override", "x-http-method", "x-method-override")

// names is a set of header names.
type names struct {
	exact    map[string]bool // canonical form
	prefixes [256][]string   // canonical form, by the byte that tells most apart
	except   map[string]bool // canonical form
}

// place is the byte of a name, which is longer than two, that tells most names
// apart: half of them begin with "X-".
func place(name string) byte {
	if name[0]|0x20 == 'x' && name[1] == '-' {
		return name[2] | 0xa0
	}
	return name[0] | 0x20
}

func newNames(list ...string) names {
	n := names{exact: map[string]bool{}}
	for _, name := range list {
		prefix, cut := strings.CutSuffix(name, "*")
		canonical := textproto.CanonicalMIMEHeaderKey(prefix)
		if !cut {
			n.exact[canonical] = true
			continue
		}
		at := place(canonical)
		n.prefixes[at] = append(n.prefixes[at], canonical)
	}
	return n
}

// with is n and list.
func (n *names) with(list ...string) names {
	more := newNames(list...)
	for name := range n.exact {
		more.exact[name] = true
	}
	for i := range n.prefixes {
		more.prefixes[i] = append(more.prefixes[i], n.prefixes[i]...)
	}
	return more
}

// without is n with exceptions.
func (n *names) without(list []string) *names {
	less := n.with()
	less.except = map[string]bool{}
	for _, name := range list {
		less.except[textproto.CanonicalMIMEHeaderKey(name)] = true
	}
	return &less
}

// has folds case. Names with other characters than letters, digits and "-" never reach it.
func (n *names) has(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	if n.except[name] {
		return false
	}
	if n.exact[name] {
		return true
	}
	if len(name) < 3 {
		return false
	}
	for _, p := range n.prefixes[place(name)] {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return true
		}
	}
	return false
}

// drops reports whether the name must not pass: it is one of these, or has a
// character that some readers take for "-". CGI, WSGI and their heirs fold "_",
// and some of them every other sign, so "X_User_Id" or "X.User.Id" would arrive
// as "X-User-Id" (CVE-2025-64484).
func (n *names) drops(name string) bool { return !isPlain(name) || n.has(name) }

var plainByte = byteSet("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

func isPlain(name string) bool {
	for i := range len(name) {
		if !plainByte[name[i]] {
			return false
		}
	}
	return name != ""
}

// overridesMethod reports whether any spelling of a method override is there.
func overridesMethod(h http.Header) bool {
	for name := range h {
		if !isPlain(name) {
			name = foldHeader(name)
		}
		if methodOverride.has(name) {
			return true
		}
	}
	return false
}

// keepPrivate makes Cache-Control of an authorised answer safe for shared
// caches (RFC 9111 §3.5): none at all becomes no-store, and what would let them
// keep it goes.
func keepPrivate(h http.Header) {
	lines := h["Cache-Control"]
	if len(lines) == 0 {
		h.Set("Cache-Control", "no-store")
		return
	}
	value := strings.Join(lines, ", ")
	if kept := withoutShared(value); kept != value || len(lines) > 1 {
		h.Set("Cache-Control", kept)
	}
}

func withoutShared(value string) string {
	var kept []string
	private, changed := false, false
	for d := range strings.SplitSeq(value, ",") {
		d = strings.TrimSpace(d)
		switch strings.ToLower(d) {
		case "private", "no-store": // private="name" covers a field, not the answer
			private = true
		case "public":
			changed = true
			continue
		default:
			if strings.HasPrefix(strings.ToLower(d), "s-maxage") {
				changed = true
				continue
			}
		}
		kept = append(kept, d)
	}
	if private && !changed {
		return value
	}
	if !private {
		kept = append([]string{"private"}, kept...)
	}
	return strings.Join(kept, ", ")
}
