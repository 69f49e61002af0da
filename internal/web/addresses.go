package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"sallyport/internal/account"
)

// addressesView is what the page of a person's addresses shows.
type addressesView struct {
	frame
	CSRF    string
	List    []account.Address
	Sent    bool // a code was mailed and is asked for
	MayAdd  bool
	Notice  string
	Problem string
}

// addressNotices are what the page may say after something was done.
var addressNotices = []string{"added", "primary", "removed"}

func (s *site) showAddresses(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeAddresses)
	if done || err != nil {
		return err
	}
	return s.addresses(w, r, p, session, http.StatusOK, "")
}

func (s *site) addresses(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, status int, problem string) error {
	list, err := s.accounts.Addresses(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	csrf, err := s.formToken(w, r, addressesPath, "")
	if err != nil {
		return err
	}
	l := s.language(r)
	view := &addressesView{
		frame: s.frame(r, l.Text("addresses.title"), problem != ""), CSRF: csrf, List: list, Problem: problem,
		Sent: p.Get("sent") != "" || p.Get("do") == "code", MayAdd: s.accounts.MayRecover(),
	}
	for i := range view.List {
		view.List[i].Address = legibleUpTo(view.List[i].Address, 320)
	}
	if done := p.Get("done"); slices.Contains(addressNotices, done) {
		view.Notice = l.Text("addresses.done." + done)
	}
	view.Wide = true
	return s.render(w, status, pageAddresses, view)
}

// addressForm does one thing with an address.
func (s *site) addressForm(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeAddresses)
	if done || err != nil {
		return err
	}
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	id, address, next := session.UserID, p.Get("address"), "?sent=yes"
	switch p.Get("do") {
	case "add":
		err = s.accounts.AddAddress(r.Context(), &v, id, address)
	case "prove":
		err = s.accounts.ProveAddress(r.Context(), &v, id, address)
	case "code":
		err = s.typed(w, r, p, account.MailAddress)
		if err == nil {
			return nil
		}
	case "primary":
		err, next = s.accounts.SetPrimary(r.Context(), &v, id, address), "?done=primary"
	case "remove":
		err, next = s.accounts.RemoveAddress(r.Context(), &v, id, address), "?done=removed"
	default:
		return bad("nothing was chosen")
	}
	if errors.Is(err, account.ErrNotFound) { // gone meanwhile: the page shows what is there
		err, next = nil, ""
	}
	if status, text := mailProblem(s.language(r), err); status != 0 {
		retryAfter(w, err)
		return s.addresses(w, r, p, session, status, text)
	}
	if err != nil {
		return err
	}
	return seeOther(w, s.prefix+addressesPath+next)
}

// mailedAddress notes that an address is the person's who is signed in here.
func (s *site) mailedAddress(w http.ResponseWriter, r *http.Request, c account.MailCode) error {
	session, err := s.session(r)
	if err != nil {
		return err
	}
	if session == nil {
		return account.ErrCode
	}
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	if err := s.accounts.AddressProven(r.Context(), &v, session.UserID, c); err != nil {
		return err
	}
	return seeOther(w, s.prefix+addressesPath+"?done=added")
}
