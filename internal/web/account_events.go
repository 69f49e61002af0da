package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/locale"
)

const eventsPath = accountPath + "/events"

// eventsView is what has happened to an account.
type eventsView struct {
	accountFrame
	pager
	Events []eventItem
}

type eventItem struct {
	Text   string
	Detail string
	Device string // empty: not of a browser
	Place  string
	At     string
}

const eventsOnPage = 25

func (s *site) showEvents(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	list, err := s.accounts.Events(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	var v eventsView
	if v.accountFrame, err = s.accountPage(w, r, p, "events", notices{}); err != nil {
		return err
	}
	list, v.pager = cut(list, p.Get("page"), eventsOnPage)
	v.Events = eventItems(v.Language, list)
	return s.render(w, http.StatusOK, pageEvents, &v)
}

func eventItems(l *locale.Language, list []account.UserEvent) []eventItem {
	items := make([]eventItem, 0, len(list))
	for i := range list {
		x := &list[i]
		item := eventItem{Text: l.Text("event." + string(x.Kind)), Detail: legible(x.Detail), Place: legible(x.Place), At: l.Moment(x.CreatedAt)}
		if x.Device != "" {
			item.Device = legible(l.Device(x.Device))
		}
		items = append(items, item)
	}
	return items
}
