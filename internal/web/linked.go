package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/upstream"
)

// linkedView is the page of who a person is elsewhere.
type linkedView struct {
	frame
	CSRF      string
	Flow      string
	Person    string
	Done      string
	Problem   string
	Pending   *pendingLink // what the person is asked to agree to; nil: nothing
	List      []linkedLine
	Providers []upstream.About
}

type pendingLink struct{ Label, Who string }

type linkedLine struct{ Label, Who, Since, Used, Provider, Subject string }

// linkedNotices are what the page says after something was done.
var linkedNotices = map[string]string{
	"linked": "elsewhere.done_linked", "unlinked": "elsewhere.done_unlinked", "failed": "elsewhere.failed_link", "cancelled": "elsewhere.failed_link",
	"taken": "elsewhere.failed_taken", "last": "elsewhere.failed_last",
}

func (s *site) showLinked(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeLinks)
	if done || err != nil {
		return err
	}
	user, err := s.accounts.User(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	list, err := s.accounts.Identities(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	csrf, err := s.formToken(w, r, linkedPath, p.Get("flow"))
	if err != nil {
		return err
	}
	who, err := s.heldPerson(r)
	if err != nil {
		return err
	}
	l, said := s.language(r), p.Get("done")
	v := linkedView{
		frame: s.frame(r, l.Text("elsewhere.linked_title"), false), CSRF: csrf, Flow: p.Get("flow"), Person: legible(user.Username), Providers: s.upstream.Providers(),
	}
	v.Wide = true
	if key := linkedNotices[said]; said == "linked" || said == "unlinked" {
		v.Done = l.Text(key)
	} else if key != "" {
		v.Problem = l.Text(key)
	}
	if who != nil {
		v.Pending = &pendingLink{s.labelOf(who.Provider), legible(nameElsewhere(who))}
	}
	for i := range list {
		one := &list[i]
		line := linkedLine{Label: s.upstream.Label(one.Provider), Who: legible(one.Name), Since: l.Moment(one.LinkedAt), Provider: one.Provider, Subject: one.Subject}
		if !one.LastUsed.IsZero() {
			line.Used = l.Moment(one.LastUsed)
		}
		v.List = append(v.List, line)
	}
	return s.render(w, http.StatusOK, pageLinked, &v)
}

// changeLinked does one thing: go to a provider, agree to a link or not, or take one
// away. The person has signed in for that just now.
func (s *site) changeLinked(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeLinks)
	if done || err != nil {
		return err
	}
	switch p.Get("do") {
	case "start":
		err := s.sendElsewhere(w, r, p.Get("provider"), upstream.Start{Link: session.SID.String()})
		if errors.Is(err, upstream.ErrUnavailable) || errors.Is(err, upstream.ErrRefused) {
			return s.linkedDone(w, "failed")
		}
		return err
	case "link":
		return s.link(w, r, p, session)
	case "dismiss":
		s.forget(w, r, personCookie)
		return s.afterLink(w, r, p, session, "")
	case "unlink":
		return s.unlink(w, r, p, session)
	}
	return bad("this form asks for nothing that is done here")
}

func (s *site) linkedDone(w http.ResponseWriter, what string) error {
	return seeOther(w, s.prefix+linkedPath+"?done="+what)
}

// link gives the identity that this browser holds to whoever is signed in: they have
// read both names and pressed the button.
func (s *site) link(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session) error {
	who, err := s.heldPerson(r)
	if err != nil {
		return err
	}
	s.forget(w, r, personCookie)
	if who == nil {
		return s.linkedDone(w, "failed")
	}
	v := s.here(r)
	err = s.accounts.LinkIdentity(r.Context(), &v, session.UserID, visitElsewhere(who), s.labelOf(who.Provider))
	switch {
	case errors.Is(err, account.ErrExists):
		return s.linkedDone(w, "taken")
	case errors.Is(err, account.ErrNotFound):
		return s.linkedDone(w, "failed")
	case err != nil:
		return err
	}
	return s.afterLink(w, r, p, session, "linked")
}

// afterLink goes on with the request that the person was on the way to, if there is
// one. The sign-in was for linking, and anybody can bring a request here, so it does
// not count as one for that (AU20).
func (s *site) afterLink(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, what string) error {
	if p.Get("flow") == "" {
		return s.linkedDone(w, what)
	}
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	who, err := s.named(r, *session)
	if err != nil {
		return err
	}
	return s.proceed(w, r, a, who)
}

func (s *site) unlink(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session) error {
	v := s.here(r)
	issuer := p.Get("issuer")
	err := s.accounts.UnlinkIdentity(r.Context(), &v, session.UserID, issuer, p.Get("subject"), session.SID, s.upstream.Label(issuer))
	switch {
	case errors.Is(err, account.ErrLastWay):
		return s.linkedDone(w, "last")
	case err != nil && !errors.Is(err, account.ErrNotFound): // gone already
		return err
	}
	return s.linkedDone(w, "unlinked")
}

// arrivedToLink takes the answer for somebody who is signed in here: it must be the
// same session that has asked. Nothing is linked yet.
func (s *site) arrivedToLink(w http.ResponseWriter, r *http.Request, who upstream.Person, errand upstream.Errand, err error) error {
	if err != nil {
		err = s.upstreamProblem(r, err)
		if errors.Is(err, upstream.ErrCancelled) || errors.Is(err, upstream.ErrRefused) || errors.Is(err, upstream.ErrUnavailable) {
			return s.linkedDone(w, "failed")
		}
		return err
	}
	session, err := s.session(r)
	if err != nil {
		return err
	}
	if session == nil || session.SID.String() != errand.Link {
		return errElsewhereState
	}
	if err := s.keepPerson(w, r, &who); err != nil {
		return err
	}
	return seeOther(w, s.prefix+linkedPath)
}
