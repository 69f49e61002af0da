package bff

import (
	"net/http"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// Gate is the cookies of browser apps as the gateway sees them for one API.
type Gate struct{ apps []*app }

// Gate returns the cookies that may call an API, or nil if there are none.
func (s *Service) Gate(api string) *Gate {
	var g Gate
	for _, a := range s.apps {
		if a.mayCall(api) {
			g.apps = append(g.apps, a)
		}
	}
	if len(g.apps) == 0 {
		return nil
	}
	return &g
}

// Why a call with a cookie goes no further.
const (
	ManyCookies = "many_cookies" // the cookie came more than once
	NoSession   = "no_session"   // it stands for nobody, or no longer
	// CSRFSite and others that begin with csrf_ say what is missing of the proof that
	// a call comes from a page of the app.
	CSRFSite, CSRFOrigin, CSRFHeader = "csrf_site", "csrf_origin", "csrf_header"
)

// at is the app whose origin a request came to.
func (g *Gate) at(r *http.Request) *app {
	for _, a := range g.apps {
		for _, host := range hostsOf(a.Origin) {
			if strings.EqualFold(r.Host, host) {
				return a
			}
		}
	}
	return nil
}

// Has reports whether a request has a cookie of ours, whatever it is worth.
func (g *Gate) Has(r *http.Request) bool {
	lines := r.Header["Cookie"]
	if len(lines) == 0 {
		return false
	}
	a := g.at(r)
	if a == nil {
		return false
	}
	_, n := readCookie(lines, a.cookie)
	return n > 0
}

// AccessToken finds the access token behind the cookie of a request, or says why
// there is none. That the request comes from a page of the app is judged first, so
// that another site learns nothing and costs no look at a row. An error means that
// it cannot be known now.
func (g *Gate) AccessToken(r *http.Request) (access secret.Value, why string, err error) {
	a := g.at(r)
	if a == nil {
		return secret.Value{}, NoSession, nil
	}
	if why := a.judge(r); why != "" {
		return secret.Value{}, why, nil
	}
	value, n := readCookie(r.Header["Cookie"], a.cookie)
	if n > 1 {
		return secret.Value{}, ManyCookies, nil
	}
	access, err = a.access(r.Context(), secret.New(value))
	if err == errNoSession { //nolint:errorlint // it is never wrapped
		return secret.Value{}, NoSession, nil
	}
	return access, "", err
}

// Login is where to send somebody who opens the address of an API in a browser and
// is not signed in, or "".
func (g *Gate) Login(r *http.Request) string {
	accept := r.Header["Accept"]
	mode := r.Header["Sec-Fetch-Mode"]
	a := g.at(r)
	if a == nil || r.Method != http.MethodGet || len(mode) != 1 || mode[0] != "navigate" || !isVisit(r) ||
		len(accept) != 1 || !strings.Contains(accept[0], "text/html") {
		return ""
	}
	return a.Path + "/login"
}

func refused(r *http.Request, why string) {
	audit.FromContext(r.Context()).Add(audit.Event{Name: audit.BrowserRefused, Reason: why})
}
