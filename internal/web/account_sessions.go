package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sallyport/internal/account"
	"sallyport/internal/locale"
	"sallyport/internal/secret"
)

const sessionsPath = accountPath + "/sessions"

// sessionsView lists the browsers in which a person is signed in.
type sessionsView struct {
	accountFrame
	pager
	Sessions []sessionItem
	Others   bool
}

type sessionItem struct {
	ID     string
	Device string
	Place  string
	How    string // it was signed in
	Since  string
	Last   string // it was used
	Until  string
	Here   bool
}

const sessionsOnPage = 20

var sessionsDone = notices{"sessions.done.", []string{"ended", "gone", "others"}}

// showSessions is where people see in which browsers they are signed in (RV10).
func (s *site) showSessions(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	list, err := s.accounts.Sessions(r.Context(), session.UserID, secret.ID{})
	if err != nil {
		return err
	}
	v := sessionsView{Others: len(list) > 1}
	if v.accountFrame, err = s.accountPage(w, r, p, "sessions", sessionsDone); err != nil {
		return err
	}
	list, v.pager = cut(list, p.Get("page"), sessionsOnPage)
	v.Sessions = sessionItems(v.Language, list, session)
	return s.render(w, http.StatusOK, pageSessions, &v)
}

func sessionItems(l *locale.Language, list []account.Session, here *account.Session) []sessionItem {
	items := make([]sessionItem, 0, len(list))
	for i := range list {
		x := &list[i]
		items = append(items, sessionItem{
			ID: x.ID.String(), Device: legible(l.Device(x.Device)), Place: legible(x.Place), How: methodsIn(l, x.Methods),
			Since: l.Moment(x.CreatedAt), Last: l.Moment(x.LastSeen), Until: l.Moment(x.AbsoluteUntil), Here: x.ID == here.ID,
		})
	}
	return items
}

// methodsIn says how somebody has signed in.
func methodsIn(l *locale.Language, m account.Methods) string {
	var list []string
	for one := range strings.FieldsSeq(string(m)) {
		list = append(list, l.Text("method."+one))
	}
	return strings.Join(list, ", ")
}

// endSessions ends one session, all others, or everything. The person signs in
// again for it (RV10). It is in force before the answer is sent.
func (s *site) endSessions(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeSessions)
	if done || err != nil {
		return err
	}
	ctx := r.Context()
	switch p.Get("do") {
	case "end":
		id, err := secret.ParseID(p.Get("session"))
		if err != nil {
			return s.back(w, r, "gone")
		}
		ended, err := s.oauth.EndSessionOf(ctx, session.UserID, id)
		if err != nil {
			return err
		}
		if id == session.ID {
			return s.leave(w)
		}
		if !ended { // of somebody else, or over
			return s.back(w, r, "gone")
		}
		s.accounts.Happened(ctx, session.UserID, account.SessionsEnded, new(s.here(r)), "")
		return s.back(w, r, "ended")
	case "end_others":
		n, err := s.oauth.EndOtherSessions(ctx, session.UserID, session.SID)
		if err != nil {
			return err
		}
		s.accounts.Happened(ctx, session.UserID, account.SessionsEnded, new(s.here(r)), strconv.Itoa(n))
		return s.back(w, r, "others")
	case "end_all":
		if err := s.oauth.EndEverything(ctx, session.UserID); err != nil {
			return err
		}
		s.accounts.Happened(ctx, session.UserID, account.SessionsEnded, new(s.here(r)), "")
		return s.leave(w)
	}
	return errAccountForm
}

// errAccountForm is for a form that none of our pages has.
var errAccountForm = bad("this form is not known here")

// leave goes on after the session of this browser has ended.
func (s *site) leave(w http.ResponseWriter) error {
	dropCookie(w, sessionCookie)
	w.Header().Set("Clear-Site-Data", `"storage"`)
	return seeOther(w, s.local(logoutPath, ""))
}
