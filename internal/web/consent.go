package web

import (
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/locale"
	"sallyport/internal/oauth"
)

// consentView is what the consent page shows (AZ17).
type consentView struct {
	frame
	Flow     string
	CSRF     string
	App      string
	ClientID string
	Person   string

	Developer  string // as the app says itself
	Verified   bool
	Registered bool // an administrator knows the app
	Proven     bool // the address that the browser goes to is the app's own
	Publisher  string
	Imitates   bool // the name mixes letters that look alike

	Groups   []scopeGroup
	Choice   bool // the person may leave some of it out
	Details  []oauth.DetailView
	APIs     []string // audiences that tokens will be for
	Access   string   // how long one access lasts
	Refresh  string   // how long the app stays connected; empty: it is not renewed
	Host     string   // where the browser goes afterwards
	Homepage string   // https addresses of apps that are no strangers
	Policy   string
	Terms    string

	Elsewhere *elsewhereView // what asks is not this browser; nil: it is
}

// scopeGroup is what is asked of one API.
type scopeGroup struct {
	API    string // empty: about the person
	Scopes []oauth.ScopeView
}

// showConsent asks the person, or goes on where there is nothing to ask. It is
// also where a request continues after another site has posted it.
func (s *site) showConsent(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, session, step, err := s.standing(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	if step != oauth.StepConsent {
		return s.proceed(w, r, a, session)
	}
	csrf, err := s.formToken(w, r, consentPath, p.Get("flow"))
	if err != nil {
		return err
	}
	l := s.language(r)
	view := consentOf(l, s.oauth.Consent(a))
	view.Elsewhere = s.elsewhere(l, a)
	view.frame, view.Flow, view.CSRF, view.Person = s.frame(r, l.Text("consent.title"), false), p.Get("flow"), csrf, legible(session.Username)
	view.Embedded = embedded(r) != ""
	w.Header().Set("Content-Security-Policy", pagePolicy(a.RedirectURI))
	return s.render(w, http.StatusOK, pageConsent, &view)
}

func consentOf(l *locale.Language, c oauth.ConsentView) consentView {
	v := consentView{
		App: legible(c.ClientName), ClientID: legibleUpTo(c.ClientID, maxClientIDShown), Developer: legible(c.Developer), Publisher: legible(c.Publisher),
		Verified: c.Verified, Registered: c.Registered, Proven: c.Proven, Imitates: imitates(c.ClientName) || imitates(c.Developer),
		Access: l.Span(c.AccessFor), Refresh: renewal(l, c.RefreshFor), Host: legible(c.RedirectHost), APIs: c.Audiences,
	}
	if c.Vouched { // a stranger gets no link on a page of ours
		v.Homepage, v.Policy, v.Terms = c.Homepage, c.Policy, c.Terms
	}
	for _, d := range c.Details {
		v.Details = append(v.Details, detailOf(d))
	}
	v.Groups = scopeGroups(l, c.Scopes)
	for _, scope := range c.Scopes {
		v.Choice = v.Choice || scope.Optional
	}
	return v
}

// scopeGroups orders scopes by their API.
func scopeGroups(l *locale.Language, scopes []oauth.ScopeView) []scopeGroup {
	var groups []scopeGroup
next:
	for _, scope := range scopes {
		shown := oauth.ScopeView{Name: scope.Name, Text: legible(scopeText(l, scope)), API: legible(scope.API), Optional: scope.Optional}
		for i := range groups {
			if groups[i].API == shown.API {
				groups[i].Scopes = append(groups[i].Scopes, shown)
				continue next
			}
		}
		groups = append(groups, scopeGroup{API: shown.API, Scopes: []oauth.ScopeView{shown}})
	}
	return groups
}

const (
	maxClientIDShown = 256
	maxDetailShown   = 512 // more than a value of authorization_details has: none is cut
)

func detailOf(d oauth.DetailView) oauth.DetailView {
	shown := oauth.DetailView{Text: legibleUpTo(d.Text, 4*maxDetailShown)}
	for _, api := range d.APIs {
		shown.APIs = append(shown.APIs, legible(api))
	}
	for _, f := range d.Fields {
		shown.Fields = append(shown.Fields, oauth.FieldView{Label: legible(f.Label), Value: legibleUpTo(f.Value, 20*maxDetailShown)})
	}
	return shown
}

// consent takes the decision.
func (s *site) consent(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, session, step, err := s.standing(r, p)
	if err != nil {
		return err
	}
	if step == oauth.StepLogin || step == oauth.StepStronger { // the session ended while the page was open
		return s.proceed(w, r, a, session)
	}
	var outcome oauth.Outcome
	switch p.Get("decision") {
	case "allow":
		outcome, err = s.approve(r, a, session)
	case "chosen": // what is ticked, of what may be left out
		a.LeaveOut(notTicked(s.oauth.Consent(a).Scopes, p))
		outcome, err = s.approve(r, a, session)
	case "deny":
		outcome, err = s.oauth.Deny(r.Context(), a)
	default:
		return bad("neither allow nor deny was chosen")
	}
	if err != nil {
		return err
	}
	return s.end(w, r, outcome)
}

// notTicked are the scopes that may be left out and are.
func notTicked(scopes []oauth.ScopeView, p url.Values) []string {
	var list []string
	for _, scope := range scopes {
		if scope.Optional && p.Get("give_"+scope.Name) != "yes" {
			list = append(list, scope.Name)
		}
	}
	return list
}

// approve also writes down that an app was let in for the first time.
func (s *site) approve(r *http.Request, a *oauth.Authorization, session *oauth.Session) (oauth.Outcome, error) {
	known, err := s.oauth.HasAgreed(r.Context(), session.UserID, a.ClientID)
	if err != nil {
		return oauth.Outcome{}, err
	}
	outcome, err := s.oauth.Approve(r.Context(), a, session)
	if err == nil && !known {
		s.accounts.Happened(r.Context(), session.UserID, account.AppConnected, new(s.here(r)), a.Client().DisplayName())
	}
	return outcome, err
}

// renewal says how long an app may go on, or nothing.
func renewal(l *locale.Language, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return l.Span(d)
}

// scopeText is what a scope means. The issuer's own are in the catalogues; what
// those of an API mean is in the words of the configuration.
func scopeText(l *locale.Language, scope oauth.ScopeView) string {
	if key := "scope." + scope.Name; scope.API == "" && scope.Text == locale.Default.Text(key) {
		return l.Text(key)
	}
	return scope.Text
}
