// Package bff keeps the tokens of browser apps on the server (backend for
// frontend, RFC 10017 §6.1): it signs a browser in as a confidential client, and
// gives it a cookie that is a handle and nothing else. It finds the access token
// behind that cookie for the gateway, once the request has shown that it comes
// from the app's own page. What the token allows it refuses to know. Start at
// Service, then login.go and find.go.
package bff

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// App is one browser app. Its pages have an origin of their own: whatever runs on
// a page of the issuer's origin could press the buttons of its pages.
type App struct {
	Name       string   // in the name of its cookies: letters, digits and -
	Origin     string   // "https://app.example.com", where its pages, Path and its APIs are
	Path       string   // of the endpoints, "/bff"
	ClientID   string   // of Client
	Client     Client   // speaks to the issuer
	APIs       []string // names of those that its sessions may call
	Scope      string   // that is asked for
	AfterLogin string   // path where people go who did not come from a page
	Claims     []string // about the person, that its pages may know
	Tier       token.Tier
	Files      Files // its pages; nil if another server has them
}

// Options configure a Service. All but Forbidden are needed.
type Options struct {
	Issuer string // as iss of authorization responses and ID tokens
	Apps   []App
	Store  Store
	Ring   *token.Ring
	Memory *Memory
	Now    func() time.Time
	// Revoked reports whether an access token has been revoked.
	Revoked func(access secret.Value) bool
	// Guarded reports whether a path is one of the gateway's, and no file of an app.
	Guarded func(path string) bool
}

// Service serves the endpoints of browser apps. Safe for concurrent use. It is
// made anew with each configuration; what it remembers is in its Memory.
type Service struct {
	issuer  string
	apps    []*app
	byHost  map[string][]*app
	guarded func(string) bool
}

// app is a compiled App.
type app struct {
	App
	*Options
	script         []byte
	cookie, flow   string // names of cookies; the second begins those of sign-ins
	idle, absolute time.Duration
	redirectURI    string
	claims         string // parameter of authorization requests
	hsts           bool
}

// New returns a Service, or an error that says which App is wrong.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.Ring == nil || o.Memory == nil || o.Now == nil || o.Revoked == nil || o.Guarded == nil {
		return nil, errors.New("bff: incomplete options")
	}
	s := &Service{issuer: o.Issuer, byHost: map[string][]*app{}, guarded: o.Guarded}
	for i := range o.Apps {
		a, err := compile(&o, o.Apps[i])
		if err != nil {
			return nil, fmt.Errorf("bff: app %q: %w", o.Apps[i].Name, err)
		}
		s.apps = append(s.apps, a)
		for _, host := range hostsOf(a.Origin) {
			s.byHost[host] = append(s.byHost[host], a)
		}
	}
	return s, nil
}

func compile(o *Options, in App) (*app, error) {
	u, err := url.Parse(in.Origin)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != in.Origin:
		return nil, errors.New("origin is not an https origin")
	case in.Client == nil:
		return nil, errors.New("there is no client")
	case !strings.HasPrefix(in.Path, "/") || strings.HasSuffix(in.Path, "/"):
		return nil, errors.New("path begins with a slash and ends without one")
	}
	if in.AfterLogin == "" {
		in.AfterLogin = "/"
	}
	if !safeReturn(in.AfterLogin) {
		return nil, errors.New("after_login is not a path")
	}
	limits := in.Tier.Limits()
	a := &app{App: in, Options: o, cookie: cookiePrefix + in.Name, flow: cookiePrefix + in.Name + "-flow-", idle: limits.SessionIdle, absolute: limits.SessionAbsolute}
	a.redirectURI = a.Origin + a.Path + "/callback"
	a.script = []byte(strings.ReplaceAll(script, "/bff/", a.Path+"/"))
	a.claims = claimsParameter(in.Claims)
	// A browser would remember it for the other servers of this machine too.
	a.hsts = u.Hostname() != "localhost" && !strings.HasSuffix(u.Hostname(), ".localhost")
	return a, nil
}

// hostsOf are the forms of the Host header for an origin.
func hostsOf(origin string) []string {
	host := strings.ToLower(strings.TrimPrefix(origin, "https://"))
	if name, ok := strings.CutSuffix(host, ":443"); ok {
		return []string{name, host}
	}
	if !strings.Contains(host, ":") || strings.HasSuffix(host, "]") {
		return []string{host, host + ":443"}
	}
	return []string{host}
}

// Serves reports whether host is that of an app.
func (s *Service) Serves(host string) bool { return len(s.byHost[strings.ToLower(host)]) > 0 }

// Owns reports whether the escaped path at host is an endpoint or a file of an app,
// and not the gateway's.
func (s *Service) Owns(host, path string) bool {
	a, rest := s.find(host, path)
	return a != nil && (rest != "" || a.Files != nil && !s.guarded(path))
}

// find returns the app of a path and what follows its own; without an endpoint,
// the app whose files are at the host.
func (s *Service) find(host, path string) (found *app, endpoint string) {
	for _, a := range s.byHost[strings.ToLower(host)] {
		if rest, ok := strings.CutPrefix(path, a.Path+"/"); ok {
			return a, "/" + rest
		}
		if a.Files != nil {
			found = a
		}
	}
	return found, ""
}

// endpoints is what an app answers below its path.
var endpoints = map[string]struct {
	method string
	serve  func(*app, http.ResponseWriter, *http.Request)
}{
	"/login":    {http.MethodGet, (*app).login},
	"/callback": {http.MethodGet, (*app).callback},
	"/session":  {http.MethodGet, (*app).session},
	"/logout":   {http.MethodPost, (*app).logout},
	"/bff.js":   {http.MethodGet, (*app).serveScript},
}

// ServeHTTP answers what Owns says.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, path := s.find(r.Host, r.URL.EscapedPath())
	if a != nil && a.hsts {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
	switch {
	case a == nil:
		refuse(w, r, notFound, "unlisted_path")
		return
	case path == "":
		a.serveFile(w, r)
		return
	}
	e, ok := endpoints[path]
	switch {
	case !ok:
		refuse(w, r, notFound, "unlisted_path")
	case r.Method != e.method:
		w.Header().Set("Allow", e.method)
		refuse(w, r, wrongMethod, "unlisted_method")
	default:
		e.serve(a, w, r)
	}
}

// mayCall reports whether sessions of the app may call an API.
func (a *app) mayCall(api string) bool { return slices.Contains(a.APIs, api) }
