package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/upstream"
)

// Where people sign in at other providers; the name of one follows.
const (
	elsewherePath     = "/login/elsewhere/*"
	elsewhereOverPath = "/login/elsewhere/*/logout"
	callbackPath      = upstream.CallbackPath + "*"
	unknownPath       = "/login/unknown"
	linkedPath        = accountPath + "/linked"
)

const (
	awayCookie     = "__Host-sallyport-away"      // of a browser that is at a provider
	awayFlowCookie = "__Host-sallyport-away-flow" // and what waits for it here
)

// maxAwayFlow is how long a pending request may be that waits in a cookie: browsers
// keep 4096 bytes with the name.
const maxAwayFlow = 3900

// providerOf is the name in the path of such a route.
func (s *site) providerOf(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), s.prefix)
	path = strings.TrimPrefix(strings.TrimPrefix(path, upstream.CallbackPath), strings.TrimSuffix(elsewherePath, "*"))
	return strings.TrimSuffix(path, "/logout")
}

// elsewhereButton is one way to sign in at another provider.
type elsewhereButton struct{ Name, Label, CSRF string }

// buttons are the ways to sign in elsewhere, for a page with this pending request.
func (s *site) buttons(w http.ResponseWriter, r *http.Request, flow string) ([]elsewhereButton, error) {
	list := s.upstream.Providers()
	if len(list) == 0 {
		return nil, nil
	}
	csrf, err := s.formToken(w, r, elsewherePath, flow)
	if err != nil {
		return nil, err
	}
	out := make([]elsewhereButton, 0, len(list))
	for _, p := range list {
		out = append(out, elsewhereButton{p.Name, p.Label, csrf})
	}
	return out, nil
}

// goElsewhere sends somebody who wants to sign in to a provider.
func (s *site) goElsewhere(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	flow := p.Get("flow")
	if len(flow) > maxAwayFlow {
		return s.loginPage(w, r, a, flow, http.StatusBadRequest, s.language(r).Text("elsewhere.too_long"))
	}
	err = s.sendElsewhere(w, r, s.providerOf(r), upstream.Start{Flow: flow, Fresh: wantsFresh(a), Hint: a.LoginHint})
	if errors.Is(err, upstream.ErrUnavailable) || errors.Is(err, upstream.ErrRefused) {
		return s.elsewhereFailed(w, r, a, flow, err)
	}
	return err
}

// wantsFresh reports whether an old sign-in at a provider is not enough.
func wantsFresh(a *oauth.Authorization) bool {
	return a.Elsewhere != nil && a.Elsewhere.Purpose != "" || slices.Contains(a.Prompt, "login") || a.MaxAge != nil
}

// sentView is a page that leads to a provider. A browser goes on by itself: a redirect
// would be held to the policy of the page with the form, which cannot know where a
// provider sends people on to.
type sentView struct {
	frame
	Label    string
	Location string
}

func (s *site) sendElsewhere(w http.ResponseWriter, r *http.Request, name string, start upstream.Start) error {
	var err error
	if start.Browser, err = s.browser(w, r); err != nil {
		return err
	}
	start.Locales = s.language(r).Tag
	away, err := s.upstream.Begin(r.Context(), name, start)
	if err != nil {
		return s.upstreamProblem(r, err)
	}
	setCookie(w, awayCookie, away.Cookie, upstream.AwayLife)
	if start.Flow == "" {
		s.forget(w, r, awayFlowCookie)
	} else {
		setCookie(w, awayFlowCookie, secret.New(start.Flow), upstream.AwayLife)
	}
	label := s.labelOf(name)
	v := sentView{frame: s.frame(r, s.language(r).Text("elsewhere.sent_title", "provider", label), false), Label: label, Location: away.Location}
	v.Picker = nil
	h := w.Header()
	h.Set("Refresh", "0;url="+away.Location)
	h.Set("Content-Security-Policy", pagePolicy(""))
	return s.render(w, http.StatusOK, pageSent, &v)
}

func (s *site) forget(w http.ResponseWriter, r *http.Request, names ...string) {
	for _, name := range names {
		if len(r.CookiesNamed(name)) > 0 {
			dropCookie(w, name)
		}
	}
}

func (s *site) labelOf(name string) string {
	for _, p := range s.upstream.Providers() {
		if p.Name == name {
			return p.Label
		}
	}
	return name
}

// callbackPost takes an answer that a provider lets the browser post (OAuth 2.0 Form
// Post Response Mode). Another site's POST comes without our cookies; a redirect to the
// same address brings them. What is not of the answer stays behind.
func (s *site) callbackPost(w http.ResponseWriter, r *http.Request, p url.Values) error {
	q := url.Values{}
	for _, name := range []string{"code", "state", "iss", "error"} {
		if values := p[name]; len(values) > 0 {
			q[name] = values
		}
	}
	return seeOther(w, strings.TrimSuffix(s.prefix+callbackPath, "*")+s.providerOf(r)+"?"+q.Encode())
}

// callback takes the answer of a provider.
func (s *site) callback(w http.ResponseWriter, r *http.Request, p url.Values) error {
	arrival := upstream.Arrival{Params: p}
	var err error
	if arrival.Cookie, err = one(r, awayCookie); err != nil {
		return err
	}
	waiting, err := one(r, awayFlowCookie)
	if err != nil {
		return err
	}
	if arrival.Browser, err = one(r, browserCookie); err != nil {
		return err
	}
	arrival.Flow = waiting.Reveal()
	who, errand, err := s.upstream.Finish(r.Context(), s.providerOf(r), arrival)
	if errors.Is(err, upstream.ErrState) { // the browser may wait for another answer still
		return s.upstreamProblem(r, err)
	}
	s.forget(w, r, awayCookie, awayFlowCookie)
	if errand.Link != "" {
		return s.arrivedToLink(w, r, who, errand, err)
	}
	a, perr := s.pending(r, url.Values{"flow": {arrival.Flow}})
	if perr != nil {
		return perr
	}
	if err != nil {
		return s.elsewhereFailed(w, r, a, arrival.Flow, s.upstreamProblem(r, err))
	}
	return s.arrived(w, r, a, who)
}

// arrived signs in somebody whom a provider has vouched for, if it is known who that is
// here.
func (s *site) arrived(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, who upstream.Person) error {
	v, err := s.visit(r, a, nil)
	if err != nil {
		return err
	}
	progress, err := s.accounts.WithIdentity(r.Context(), v, visitElsewhere(&who))
	switch {
	case errors.Is(err, account.ErrNotFound):
		if err := s.keepPerson(w, r, &who); err != nil {
			return err
		}
		return s.goOn(w, a, unknownPath)
	case errors.Is(err, account.ErrWrongCredentials): // disabled
		flow, err := s.oauth.SealAuthorization(a)
		if err != nil {
			return err
		}
		return s.loginPage(w, r, a, flow.Reveal(), http.StatusForbidden, s.language(r).Text("elsewhere.closed"))
	case err != nil:
		return err
	}
	return s.advance(w, r, a, progress)
}

func visitElsewhere(who *upstream.Person) account.ElsewhereVisit {
	return account.ElsewhereVisit{Provider: who.Issuer, Subject: who.Subject, Name: nameElsewhere(who), SID: who.SID, MultiFactor: who.MultiFactor}
}

// nameElsewhere is what its owner calls an identity.
func nameElsewhere(who *upstream.Person) string {
	for _, name := range []string{who.Email, who.Login, who.Name} {
		if name != "" {
			return name
		}
	}
	return who.Subject
}

// elsewhereFailed shows the login page again and says what a person can do.
func (s *site) elsewhereFailed(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, err error) error {
	status, key := http.StatusBadGateway, "elsewhere.refused"
	switch {
	case errors.Is(err, upstream.ErrCancelled):
		status, key = http.StatusForbidden, "elsewhere.cancelled"
	case errors.Is(err, upstream.ErrUnavailable):
		key = "elsewhere.unavailable"
	case !errors.Is(err, upstream.ErrRefused):
		return err
	}
	return s.loginPage(w, r, a, flow, status, s.language(r).Text(key, "provider", s.labelOf(s.providerOf(r))))
}

var errElsewhereState = &httpError{
	status: http.StatusForbidden, code: oauth.AccessDenied,
	description: "this answer of another provider belongs to no sign-in of this browser, or it came too late; go back to the app and start again",
}

// upstreamProblem notes why a sign-in elsewhere did not succeed, and makes of it what a
// page can show.
func (s *site) upstreamProblem(r *http.Request, err error) error {
	note(r, audit.LoginFailed, "elsewhere_"+upstream.ReasonOf(err))
	switch {
	case errors.Is(err, upstream.ErrState):
		return errElsewhereState
	case errors.Is(err, upstream.ErrUnknown):
		return errNotFound
	}
	return err
}

// upstreamLogout takes the word of a provider that somebody has signed out there
// (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8).
func (s *site) upstreamLogout(w http.ResponseWriter, r *http.Request, p url.Values) error {
	w.Header().Set("Cache-Control", "no-store")
	out, err := s.upstream.SignedOut(r.Context(), s.providerOf(r), p.Get("logout_token"))
	switch {
	case errors.Is(err, upstream.ErrUnavailable):
		return err
	case err != nil:
		note(r, audit.RequestRefused, "logout_"+upstream.ReasonOf(err))
		return bad("the logout_token is not valid")
	}
	_, err = s.accounts.EndElsewhere(r.Context(), account.EndedElsewhere{
		Provider: out.Issuer, Subject: out.Subject, SID: out.SID, Once: out.Once, Until: out.Until,
	})
	if errors.Is(err, account.ErrExists) {
		note(r, audit.RequestRefused, "logout_replayed")
		return bad("the logout_token was used before")
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}
