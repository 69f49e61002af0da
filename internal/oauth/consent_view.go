package oauth

import (
	"net/url"
	"time"
)

// ScopeView is one scope in words.
type ScopeView struct {
	Name string
	Text string
	API  string // empty: the issuer itself

	Optional bool // the person may leave it out
}

// ConsentView is what the consent page shows. All texts but those of scopes and
// APIs come from the client or from who registered it.
type ConsentView struct {
	ClientID     string
	ClientName   string
	Developer    string // who makes the app, as it says itself; or empty
	Registered   bool   // an administrator knows the client
	Vouched      bool   // or somebody of the operator's has let it in
	Publisher    string // host of the document that the client is described in; or empty
	Proven       bool   // the redirect URI proves that the app is the registered one
	Verified     bool   // both
	RedirectHost string
	Homepage     string // https addresses, or empty
	Policy       string
	Terms        string
	Scopes       []ScopeView
	Details      []DetailView
	Audiences    []string      // what tokens will be for, but for the issuer
	AccessFor    time.Duration // how long one access token works
	RefreshFor   time.Duration // how long the app stays connected at most; 0: it gets no refresh token
	Elsewhere    *Elsewhere    // what asks is not this browser; nil: it is
}

// Consent returns what a person should know before agreeing.
func (s *Service) Consent(a *Authorization) ConsentView {
	c := a.client
	to := s.aimGranted(a.Scope, a.Terms.Details, a.Terms.Resources)
	whole := s.reachOf(a.Scope, a.Terms.Details)
	life := c.lives(whole.tier)
	v := ConsentView{
		ClientID: a.ClientID, ClientName: c.DisplayName(), Developer: c.Settings.Developer,
		Registered: c.Origin == OriginAdmin, Vouched: !c.lessTrusted(), Proven: a.proven(),
		Homepage: webPage(c.Settings.ClientURI), Policy: webPage(c.Settings.PolicyURI), Terms: webPage(c.Settings.TermsURI),
		Details: s.detailsInWords(a.Terms.Details), AccessFor: life.access(to.lifetime), RefreshFor: life.absolute,
	}
	if a.Elsewhere != nil { // what proves the app is its authentication, which a public client has not
		v.Elsewhere, v.Proven = a.Elsewhere, !c.Type.Public()
	}
	if !c.mayRefresh() {
		v.RefreshFor = 0
	}
	v.Verified = v.Registered && v.Proven
	if u, err := url.Parse(c.ID); err == nil && c.Origin == OriginDocument {
		v.Publisher = u.Host
	}
	if u, err := url.Parse(a.RedirectURI); err == nil {
		if v.RedirectHost = u.Host; v.RedirectHost == "" {
			v.RedirectHost = u.Scheme
		}
	}
	for _, audience := range fields(whole.audience) {
		if audience != s.issuer {
			v.Audiences = append(v.Audiences, audience)
		}
	}
	for _, name := range a.toAgree() {
		view := s.scopeInWords(name)
		view.Optional = a.optional(name)
		v.Scopes = append(v.Scopes, view)
	}
	return v
}

func (s *Service) scopeInWords(name string) ScopeView {
	view := ScopeView{Name: name, Text: s.scopeText[name]}
	if res := s.byScope[name]; res != nil {
		view.API = res.Name
	}
	if view.Text == "" {
		view.Text = identityScopes[name]
	}
	if view.Text == "" {
		view.Text = "Use " + name
	}
	return view
}

// webPage is an address that people may be sent to, or nothing.
func webPage(uri string) string {
	if u, err := url.Parse(uri); err != nil || u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return uri
}
