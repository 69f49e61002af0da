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
	"authorization", "cookie", "cookie2", "dpop", "oauth-client-attestation*", "proxy-*", "http2-settings",
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

// dropResponse are the names that a backend has no say in: cookies and CORS are
// the gateway's, challenges would send the client to refresh a good token, and
// the rest tells what runs behind.
var dropResponse = newNames(
	"set-cookie", "set-cookie2", "server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-runtime", "via", "alt-svc",
	"access-control-*", "www-authenticate", "authentication-info", "dpop-nonce", "proxy-*", "x-sallyport-*", "x-accel-*", "x-sendfile",
)

// methodOverride are the headers by which some frameworks run another method
// than the one that was judged. Such a call is refused: dropping them silently
// would run a method that the client did not mean.
var methodOverride = newNames("x-http-method-override", "x-http-method", "x-method-override")

// names is a set of header names.
type names struct {
	exact    map[string]bool // canonical form
	prefixes [256][]string   // canonical form, by the byte that tells most apart
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

// has folds case. Names with an underscore never reach it.
func (n *names) has(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
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

// drops reports whether the name must not pass: it is one of these, or has an
// underscore. CGI, WSGI and their heirs fold "_" and "-" into one, so
// "X_User_Id" would arrive as "X-User-Id" (CVE-2025-64484).
func (n *names) drops(name string) bool {
	return strings.IndexByte(name, '_') >= 0 || n.has(name)
}

// overridesMethod reports whether any spelling of a method override is there.
func overridesMethod(h http.Header) bool {
	for name := range h {
		if strings.IndexByte(name, '_') >= 0 {
			name = strings.ReplaceAll(name, "_", "-")
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
