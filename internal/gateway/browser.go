package gateway

import (
	"log/slog"
	"net/http"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// BrowserSessions are the cookies of browser apps that may call an API. The
// tokens behind them are on the server.
type BrowserSessions interface {
	// Has reports whether the request has a cookie of such an app, whatever it is
	// worth.
	Has(r *http.Request) bool
	// AccessToken returns the token behind the cookie, or why there is none, in a
	// word: csrf_… if the request does not come from a page of the app, which is
	// judged first, many_cookies or no_session. An error means that it cannot be
	// known now.
	AccessToken(r *http.Request) (access secret.Value, why string, err error)
	// Login is where to send a browser that opens the address itself and has no
	// session, or "".
	Login(r *http.Request) string
}

var (
	toLogin   = newProblem(303, "login_required", "Sign in first.")
	noSession = newProblem(401, "login_required", "Nobody is signed in to this app, or no longer.")
	crossSite = newProblem(403, "cross_site_request", "Calls with a cookie are for the pages of its app alone.")
	weakKind  = newProblem(403, "credential_class_not_allowed", "This operation needs a token that is bound to a key of the caller. A cookie is not.")
)

// fromCookie takes the access token behind a cookie, if there is a cookie and no
// other credential. Two are never weighed against each other.
func (c *call) fromCookie() (taken bool, no refusal) {
	b := c.api.browser
	sent := len(c.r.Header["Authorization"]) > 0
	switch has := b.Has(c.r); {
	case sent && has:
		return true, refusal{problem: invalidRequest, reason: "repeated_credential", challenge: c.op.challenges.missing}
	case sent:
		return false, handled
	case !has:
		return true, c.sendToLogin(refusal{problem: noCredential, reason: "no_credential", challenge: c.op.challenges.missing})
	}
	c.cookie = true
	c.rec.Set(slog.String("credential", "cookie"))
	access, why, err := b.AccessToken(c.r)
	switch {
	case err != nil:
		c.rec.Set(slog.String("error", err.Error()))
		return true, refusal{problem: unavailable, reason: "session_unavailable"}
	case strings.HasPrefix(why, "csrf_"):
		return true, c.sendToLogin(refusal{problem: crossSite, reason: why, event: audit.BrowserRefused})
	case why == "no_session":
		return true, c.sendToLogin(refusal{problem: noSession, reason: why, challenge: c.op.challenges.missing})
	case why != "":
		return true, refusal{problem: invalidRequest, reason: why, event: audit.BrowserRefused}
	case c.op.bound:
		return true, refusal{problem: weakKind, reason: "cookie_not_bound"}
	}
	c.cred = credential{schemeBearer, access}
	return true, handled
}

// sendToLogin turns a refusal into a redirect for a person who opens the address
// in a browser. A call of a page gets the refusal itself.
func (c *call) sendToLogin(no refusal) refusal {
	if at := c.api.browser.Login(c.r); at != "" {
		no.problem, no.location, no.challenge, no.event = toLogin, at, nil, ""
	}
	return no
}
