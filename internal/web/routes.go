package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/oauth"
	"sallyport/internal/signals"
)

// handler answers a request whose form or query has been decoded into p. It
// returns an error instead of writing one.
type handler func(s *site, w http.ResponseWriter, r *http.Request, p url.Values) error

// route is one method of one path.
type route struct {
	method string
	path   string // below the issuer's path, exact
	class  class
	serve  handler
}

// routes is every route of the issuer. The class brings cookies, CORS, limits,
// form protection and headers; there is no default. A GET route of a document
// or a static file answers HEAD too; no other does (AZ08).
var routes = []route{
	{"GET", openIDPath, classDocument, (*site).serveMetadata},
	{"GET", metadataPath, classDocument, (*site).serveMetadata},
	{"GET", jwksPath, classDocument, (*site).serveJWKS},
	{"GET", authorizePath, classEntry, (*site).authorize},
	{"POST", authorizePath, classEntry, (*site).authorize},
	{"POST", "/oauth/par", classBrowserProtocol, (*site).pushed},
	{"POST", "/oauth/token", classBrowserProtocol, (*site).token},
	{"POST", "/oauth/introspect", classProtocol, (*site).introspect},
	{"POST", "/oauth/revoke", classBrowserProtocol, (*site).revoke},
	{"POST", "/oauth/challenge", classChallenge, (*site).challenge},
	{"GET", "/oauth/userinfo", classResource, (*site).userInfo},
	{"POST", "/oauth/userinfo", classResource, (*site).userInfo},
	{"POST", registerPath, classRegistration, (*site).register},
	{"GET", clientPath, classRegistration, (*site).readClient},
	{"PUT", clientPath, classRegistration, (*site).updateClient},
	{"DELETE", clientPath, classRegistration, (*site).removeClient},
	{"POST", leaksPath, classReport, (*site).leaks},
	{"POST", "/oauth/global-token-revocation", classReport, (*site).revokeGlobally},
	{"GET", logoutPath, classEntry, (*site).logout},
	{"POST", logoutPath, classEntry, (*site).logoutPost},
	{"GET", signedOutPath, classPage, (*site).signedOut},
	{"GET", loginPath, classPage, (*site).showLogin},
	{"POST", loginPath, classPage, (*site).login},
	{"GET", secondPath, classPage, (*site).showSecond},
	{"POST", secondPath, classPage, (*site).secondCode},
	{"POST", passkeyPath, classPage, (*site).loginPasskey},
	{"GET", passkeysPath, classPage, (*site).showPasskeys},
	{"POST", passkeysPath, classPage, (*site).passkeys},
	{"GET", passkeyEndpointsPath, classDocument, (*site).servePasskeyEndpoints},
	{"GET", enrolPath, classPage, (*site).showEnrol},
	{"POST", enrolPath, classPage, (*site).enrol},
	{"POST", elsewherePath, classPage, (*site).goElsewhere},
	{"POST", elsewhereOverPath, classProtocol, (*site).upstreamLogout},
	{"GET", callbackPath, classEntry, (*site).callback},
	{"POST", callbackPath, classEntry, (*site).callbackPost},
	{"GET", unknownPath, classPage, (*site).showUnknown},
	{"POST", unknownPath, classPage, (*site).unknown},
	{"GET", linkedPath, classPage, (*site).showLinked},
	{"POST", linkedPath, classPage, (*site).changeLinked},
	{"GET", securityPath, classPage, (*site).showSecurity},
	{"GET", authenticatorPath, classPage, (*site).showAuthenticator},
	{"POST", authenticatorPath, classPage, (*site).authenticator},
	{"GET", recoveryCodesPath, classPage, (*site).showRecoveryCodes},
	{"POST", recoveryCodesPath, classPage, (*site).recoveryCodes},
	{"GET", passwordPath, classPage, (*site).showPassword},
	{"POST", passwordPath, classPage, (*site).changePassword},
	{"GET", emailPath, classPage, (*site).showEmail},
	{"POST", emailPath, classPage, (*site).emailForm},
	{"GET", linkPath, classPage, (*site).showLink},
	{"POST", linkPath, classPage, (*site).mailedLink},
	{"GET", signUpPath, classPage, (*site).showSignUp},
	{"POST", signUpPath, classPage, (*site).signUpForm},
	{"GET", recoverPath, classPage, (*site).showRecover},
	{"POST", recoverPath, classPage, (*site).recoverForm},
	{"GET", stopPath, classPage, (*site).showStop},
	{"POST", stopPath, classPage, (*site).stop},
	{"GET", addressesPath, classPage, (*site).showAddresses},
	{"POST", addressesPath, classPage, (*site).addressForm},
	{"GET", consentPath, classPage, (*site).showConsent},
	{"POST", consentPath, classPage, (*site).consent},
	{"POST", "/oauth/device", classProtocol, (*site).deviceAuthorization},
	{"POST", "/oauth/bc-authorize", classProtocol, (*site).backchannelAuthentication},
	{"GET", devicePath, classPage, (*site).showDevice},
	{"POST", devicePath, classPage, (*site).device},
	{"GET", cibaPath, classPage, (*site).waiting},
	{"GET", accountPath, classPage, (*site).showAccount},
	{"GET", sessionsPath, classPage, (*site).showSessions},
	{"POST", sessionsPath, classPage, (*site).endSessions},
	{"GET", appsPath, classPage, (*site).showApps},
	{"POST", appsPath, classPage, (*site).changeApps},
	{"GET", eventsPath, classPage, (*site).showEvents},
	{"GET", profilePath, classPage, (*site).showProfile},
	{"POST", profilePath, classPage, (*site).changeProfile},
	{"GET", dataPath, classPage, (*site).showData},
	{"POST", dataPath, classPage, (*site).changeData},
	{"POST", languagePath, classPage, (*site).chooseLanguage},
	{"GET", staticPath, classStatic, (*site).serveStatic},
	{"GET", signals.MetadataPath, classDocument, (*site).serveSignalsMetadata},
	{"GET", signals.KeysPath, classDocument, (*site).serveSignalsKeys},
	{"POST", signals.StreamPath, classReceiver, (*site).receiver},
	{"GET", signals.StreamPath, classReceiver, (*site).receiver},
	{"PATCH", signals.StreamPath, classReceiver, (*site).receiver},
	{"PUT", signals.StreamPath, classReceiver, (*site).receiver},
	{"DELETE", signals.StreamPath, classReceiver, (*site).receiver},
	{"GET", signals.StatusPath, classReceiver, (*site).receiver},
	{"POST", signals.StatusPath, classReceiver, (*site).receiver},
	{"POST", signals.AddSubjectPath, classReceiver, (*site).receiver},
	{"POST", signals.RemoveSubjectPath, classReceiver, (*site).receiver},
	{"POST", signals.VerificationPath, classReceiver, (*site).receiver},
	{"POST", signals.PollPath, classReceiver, (*site).receiver},
}

const (
	staticPath   = "/static/*" // each file by its own name, nothing else
	wellKnown    = "/.well-known/"
	metadataPath = wellKnown + "oauth-authorization-server"
	openIDPath   = wellKnown + "openid-configuration"
	jwksPath     = wellKnown + "jwks.json"

	passkeyEndpointsPath = wellKnown + "passkey-endpoints"

	loginPath     = "/login"
	secondPath    = "/login/second"
	enrolPath     = "/login/enrol"
	passkeyPath   = "/login/passkey"
	passkeysPath  = accountPath + "/security/passkeys"
	emailPath     = "/login/email"
	linkPath      = "/login/link" // of mails
	signUpPath    = "/login/sign-up"
	recoverPath   = "/login/recover"
	stopPath      = "/login/recover/stop"
	addressesPath = "/account/addresses"
	consentPath   = "/consent"
	languagePath  = "/language"
	logoutPath    = "/oauth/logout"
	signedOutPath = "/oauth/signed-out"
	authorizePath = "/oauth/authorize"
	leaksPath     = "/leaks"
	registerPath  = "/oauth/register"
	clientPath    = registerPath + "/*" // of one client: its client_id follows
	devicePath    = oauth.DevicePath
	cibaPath      = oauth.CIBAPath
)

// reserved are the parts of the path that are the issuer's, so that what is not
// a route there is not found and never reaches the gateway: no API can stand
// where a page of the issuer is, or will be.
var reserved = []string{
	"/oauth", loginPath, consentPath, "/static", devicePath, cibaPath, "/account", "/admin", "/bff", leaksPath, languagePath,
	passkeyEndpointsPath,
	metadataPath, openIDPath, jwksPath, signals.MetadataPath,
}

// endpoint is what one path answers.
type endpoint struct {
	path    string
	methods map[string]*route
	allow   string
	class   class
	meter   *meter
}

// compileRoutes indexes the table by exact path.
func (s *site) compileRoutes() map[string]*endpoint {
	index := map[string]*endpoint{}
	add := func(path string, r *route) {
		e := index[path]
		if e == nil {
			e = &endpoint{path: r.path, methods: map[string]*route{}, class: r.class}
			index[path] = e
		}
		e.methods[r.method] = r
		if r.method == http.MethodGet && r.class.rules().head {
			e.methods[http.MethodHead] = r
		}
	}
	for i := range routes {
		r := &routes[i]
		switch r.path {
		case elsewherePath, elsewhereOverPath, callbackPath:
			for _, p := range s.upstream.Providers() {
				add(s.prefix+strings.Replace(r.path, "*", p.Name, 1), r)
			}
			continue
		case unknownPath, linkedPath:
			if len(s.upstream.Providers()) == 0 {
				continue
			}
		case staticPath:
			for path := range s.assets {
				add(path, r)
			}
			continue
		case metadataPath, openIDPath, signals.MetadataPath:
			// With a path, RFC 8414 §3.1 and SSF 1.0 §7.2.1 put the well-known part before
			// it, OpenID Connect Discovery §4 behind it; clients try both.
			add(r.path+s.prefix, r)
		}
		add(s.prefix+r.path, r)
	}
	for _, e := range index {
		for method := range e.methods {
			e.allow += ", " + method
		}
		names := strings.Split(strings.TrimPrefix(e.allow, ", "), ", ")
		slices.Sort(names)
		e.allow = strings.Join(names, ", ")
	}
	return index
}

// endpointAt is what answers at an escaped path, or nil. The configuration of a
// client is the one that has a name in its path.
func (s *site) endpointAt(path string) *endpoint {
	if e := s.endpoints[path]; e != nil {
		return e
	}
	rest, ok := strings.CutPrefix(path, s.prefix+registerPath+"/")
	if !ok || rest == "" || rest == "*" || strings.ContainsAny(rest, "/%;") {
		return nil
	}
	return s.endpoints[s.prefix+clientPath]
}

// owns reports whether an escaped path is the issuer's.
func (s *site) owns(path string) bool {
	if s.prefix != "" {
		return path == s.prefix || strings.HasPrefix(path, s.prefix+"/") ||
			path == metadataPath+s.prefix || path == openIDPath+s.prefix || path == signals.MetadataPath+s.prefix
	}
	for _, part := range reserved {
		if rest, ok := strings.CutPrefix(path, part); ok && (rest == "" || rest[0] == '/' || rest[0] == '%' || rest[0] == ';') {
			return true
		}
	}
	return false
}
