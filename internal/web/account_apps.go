package web

import (
	"net/http"
	"net/url"
	"slices"

	"sallyport/internal/account"
	"sallyport/internal/locale"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const appsPath = accountPath + "/apps"

// appsView lists the apps that have access in a person's name (AZ18, T045).
type appsView struct {
	accountFrame
	pager
	Apps  []appItem
	Whole bool // nothing is left out
	One   bool // only one app is shown, with all its installs
}

type appItem struct {
	ID        string
	Name      string
	ClientID  string
	Developer string
	Publisher string
	Verified  bool
	Imitates  bool
	Groups    []scopeGroup
	Left      []oauth.ScopeView // out of what it asked for
	Details   []oauth.DetailView
	APIs      []string
	Since     string
	Last      string
	Until     string
	Grants    []grantItem
	More      int // grants that are not shown here
}

// grantItem is one install or device.
type grantItem struct {
	ID        string
	Device    string
	Place     string
	Elsewhere bool
	Since     string
	Last      string
	Until     string
}

const (
	appsOnPage  = 10
	grantsShown = 5   // of one app among others
	grantsOfOne = 100 // where one app is shown alone
)

var appsDone = notices{"apps.done.", []string{"grant_ended", "gone", "scope", "withdrawn"}}

func (s *site) showApps(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	list, whole, err := s.oauth.Apps(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := appsView{Whole: whole}
	if v.accountFrame, err = s.accountPage(w, r, p, "apps", appsDone); err != nil {
		return err
	}
	most := grantsShown
	if only := p.Get("app"); only != "" {
		v.One, most = true, grantsOfOne
		list = slices.DeleteFunc(list, func(a oauth.AppView) bool { return a.ClientID != only })
	}
	list, v.pager = cut(list, p.Get("page"), appsOnPage)
	for i := range list {
		v.Apps = append(v.Apps, appOf(v.Language, &list[i], most))
	}
	return s.render(w, http.StatusOK, pageApps, &v)
}

func appOf(l *locale.Language, a *oauth.AppView, most int) appItem {
	x := appItem{
		ID: a.ClientID, Name: legible(a.ClientName), ClientID: legibleUpTo(a.ClientID, maxClientIDShown), Developer: legible(a.Developer),
		Publisher: legible(a.Publisher), Verified: a.Verified, Imitates: imitates(a.ClientName) || imitates(a.Developer),
		APIs: a.Audiences, Since: momentIn(l, a.Since), Last: momentIn(l, a.LastUsed), Until: momentIn(l, a.Until),
		Groups: scopeGroups(l, a.Scopes), More: max(0, len(a.Grants)-most),
	}
	for _, d := range a.Declined {
		x.Left = append(x.Left, oauth.ScopeView{Name: d.Name, Text: legible(scopeText(l, d))})
	}
	for _, d := range a.Details {
		x.Details = append(x.Details, detailOf(d))
	}
	for _, g := range a.Grants[:min(most, len(a.Grants))] {
		x.Grants = append(x.Grants, grantItem{
			ID: g.ID.String(), Device: legible(l.Device(g.Device)), Place: legible(g.Place), Elsewhere: g.Elsewhere,
			Since: l.Moment(g.CreatedAt), Last: l.Moment(g.LastUsed), Until: l.Moment(g.Until),
		})
	}
	return x
}

// changeApps ends one install, takes back a scope, or everything of an app.
func (s *site) changeApps(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	ctx, client := r.Context(), p.Get("client")
	switch p.Get("do") {
	case "end_grant":
		id, err := secret.ParseID(p.Get("grant"))
		if err != nil {
			return s.back(w, r, "gone")
		}
		ended, err := s.oauth.EndGrantOf(ctx, session.UserID, id)
		if err != nil {
			return err
		}
		if !ended { // of somebody else, or over
			return s.back(w, r, "gone")
		}
		s.accounts.Happened(ctx, session.UserID, account.AppRemoved, new(s.here(r)), "")
		return s.back(w, r, "grant_ended")
	case "withdraw_scope":
		if client == "" || p.Get("scope") == "" {
			return errAccountForm
		}
		return s.withdraw(w, r, session, client, "scope", p.Get("scope"))
	case "withdraw":
		if client == "" {
			return errAccountForm
		}
		return s.withdraw(w, r, session, client, "withdrawn")
	}
	return errAccountForm
}

func (s *site) withdraw(w http.ResponseWriter, r *http.Request, session *account.Session, client, done string, scopes ...string) error {
	name, err := s.oauth.Withdraw(r.Context(), session.UserID, client, scopes...)
	if err != nil {
		return err
	}
	if name == "" { // nothing was there
		return s.back(w, r, "gone")
	}
	s.accounts.Happened(r.Context(), session.UserID, account.AppRemoved, new(s.here(r)), name)
	return s.back(w, r, done)
}
