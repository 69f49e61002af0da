package web

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/upstream"
)

// personCookie carries who somebody is elsewhere, until it is decided whose account
// that belongs to.
const personCookie = "__Host-sallyport-person"

const (
	personLabel = "upstream person"
	personLife  = 15 * time.Minute
)

// heldPerson is sealed. It counts in one browser.
type heldPerson struct {
	Person    upstream.Person `json:"p"`
	Browser   []byte          `json:"b"` // digest
	ExpiresAt int64           `json:"e"`
}

// keepPerson lets the browser hold who a provider says that somebody is.
func (s *site) keepPerson(w http.ResponseWriter, r *http.Request, who *upstream.Person) error {
	b, err := s.browser(w, r)
	if err != nil {
		return err
	}
	sum := b.Hash()
	plain, err := json.Marshal(heldPerson{*who, sum[:], s.now().Add(personLife).Unix()})
	if err != nil {
		return err
	}
	sealed, err := s.ring.Seal(secret.PendingSignIn, personLabel, plain)
	if err != nil {
		return err
	}
	setCookie(w, personCookie, sealed, personLife)
	return nil
}

// heldPerson is who this browser has been to a provider as, or nil.
func (s *site) heldPerson(r *http.Request) (*upstream.Person, error) {
	cookie, err := one(r, personCookie)
	if err != nil || cookie.IsZero() {
		return nil, err
	}
	browser, err := one(r, browserCookie)
	if err != nil {
		return nil, err
	}
	plain, err := s.ring.Open(secret.PendingSignIn, personLabel, cookie.Reveal())
	if err != nil { // too old, or of somebody else's making: as good as none
		return nil, nil //nolint:nilnil,nilerr // nobody is no error
	}
	var held heldPerson
	if err := json.Unmarshal(plain, &held); err != nil {
		return nil, err
	}
	sum := browser.Hash()
	if subtle.ConstantTimeCompare(sum[:], held.Browser) != 1 || s.now().Unix() >= held.ExpiresAt {
		return nil, nil //nolint:nilnil // nobody is no error
	}
	return &held.Person, nil
}

// unknownView is the page for somebody whom a provider vouches for, and whom nobody
// here knows.
type unknownView struct {
	frame
	App     string
	Flow    string
	CSRF    string
	Label   string
	Who     string
	Known   bool // there is an account with this address
	MayJoin bool
	Problem string
}

// showUnknown says what can be done. An address alone never decides whose account it is
// (ID09): whoever has one signs in to it and links.
func (s *site) showUnknown(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	who, err := s.heldPerson(r)
	if err != nil {
		return err
	}
	if who == nil {
		return s.goOn(w, a, loginPath)
	}
	return s.unknownPage(w, r, a, p.Get("flow"), who, http.StatusOK, "")
}

func (s *site) unknownPage(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, who *upstream.Person, status int, problem string) error {
	csrf, err := s.formToken(w, r, unknownPath, flow)
	if err != nil {
		return err
	}
	label := s.labelOf(who.Provider)
	v := unknownView{
		frame: s.frame(r, s.language(r).Text("elsewhere.unknown_title"), problem != ""), App: legible(a.Client().DisplayName()), Flow: flow, CSRF: csrf,
		Label: label, Who: legible(nameElsewhere(who)), MayJoin: s.mayJoin(a, who), Problem: problem,
	}
	// Who has proven an address may know that it is known here; nobody else learns that.
	if who.EmailVerified {
		if v.Known, err = s.accounts.HasVerifiedEmail(r.Context(), who.Email); err != nil {
			return err
		}
	}
	v.MayJoin = v.MayJoin && !v.Known
	w.Header().Set("Content-Security-Policy", pagePolicy(a.RedirectURI))
	return s.render(w, status, pageUnknown, &v)
}

// mayJoin reports whether an account may be made for somebody: where the operator wants
// that of this provider, for an address that it may speak for, and not on the way to an
// act in an account that there is.
func (s *site) mayJoin(a *oauth.Authorization, who *upstream.Person) bool {
	return who.EmailVerified && s.upstream.MayJoin(who.Provider) && (a.Elsewhere == nil || a.Elsewhere.Purpose == "")
}

// unknown takes the choice of that page.
func (s *site) unknown(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	who, err := s.heldPerson(r)
	if err != nil {
		return err
	}
	switch {
	case who == nil:
		return s.goOn(w, a, loginPath)
	case p.Get("do") == "link":
		return s.goOn(w, s.oauth.SignInFor(s.returnTo(a, p.Get("flow")), account.PurposeLinks), loginPath)
	case p.Get("do") == "join" && s.mayJoin(a, who):
		return s.join(w, r, a, p.Get("flow"), who)
	}
	s.forget(w, r, personCookie)
	return s.goOn(w, a, loginPath)
}

// returnTo is the page on which linking is agreed to, with what waits behind it.
func (s *site) returnTo(a *oauth.Authorization, flow string) string {
	if a.Elsewhere != nil && a.Elsewhere.Page != "" && a.Elsewhere.Purpose == account.PurposeLinks {
		return linkedPath
	}
	return linkedPath + "?flow=" + url.QueryEscape(flow)
}

func (s *site) join(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, flow string, who *upstream.Person) error {
	v, err := s.visit(r, a, nil)
	if err != nil {
		return err
	}
	_, err = s.accounts.JoinElsewhere(r.Context(), &v, account.NewUser{Username: who.Email, Name: who.Name, Email: who.Email}, visitElsewhere(who), s.labelOf(who.Provider))
	var invalid *account.InvalidError
	switch {
	case errors.Is(err, account.ErrExists):
		return s.unknownPage(w, r, a, flow, who, http.StatusConflict, s.language(r).Text("elsewhere.taken"))
	case errors.As(err, &invalid):
		return s.unknownPage(w, r, a, flow, who, http.StatusBadRequest, s.language(r).Text("elsewhere.no_account"))
	case err != nil:
		return err
	}
	s.forget(w, r, personCookie)
	return s.arrived(w, r, a, *who)
}
