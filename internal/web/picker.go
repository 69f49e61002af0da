package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/locale"
	"sallyport/internal/secret"
)

// languageLife is how long a browser remembers the language that was chosen.
const languageLife = 365 * 24 * time.Hour

// picker is the form at the foot of a page in which people choose its language.
// It needs no script and loses nothing that is under way.
type picker struct {
	CSRF      string
	Return    string // the page, below the issuer's path
	Languages []*locale.Language
}

// picker is nil where there is no page to come back to. What other sites have put
// into an address of ours is not repeated: only a flow is, which we sealed.
func (s *site) picker(r *http.Request) *picker {
	w := wishes(r)
	e := s.endpoints[s.prefix+w.page]
	if w.page == "" || e == nil || e.methods[http.MethodGet] == nil || e.class != classPage && w.flow == "" {
		return nil
	}
	csrf, err := s.formToken(w.w, r, languagePath, "")
	if err != nil {
		return nil // the page itself says what is wrong
	}
	p := picker{CSRF: csrf, Return: w.page, Languages: locale.Languages}
	switch {
	case r.Method == http.MethodGet && e.class == classPage && r.URL.RawQuery != "":
		p.Return += "?" + r.URL.RawQuery
	case w.flow != "":
		p.Return += "?flow=" + url.QueryEscape(w.flow)
	}
	return &p
}

// chooseLanguage remembers a language in this browser, and for mails to whoever is
// signed in, and goes back to the page.
func (s *site) chooseLanguage(w http.ResponseWriter, r *http.Request, p url.Values) error {
	l, known := locale.Named(p.Get("language"))
	if !known || !s.ownPage(p.Get("return")) {
		return bad("this language or page is not here")
	}
	session, err := s.visitor(r)
	if err != nil {
		return err
	}
	if session != nil {
		if err := s.accounts.SetLocale(r.Context(), session.UserID, l.Tag); err != nil && !errors.Is(err, account.ErrNotFound) {
			return err
		}
	}
	setCookie(w, languageCookie, secret.New(l.Tag), languageLife)
	return seeOther(w, s.prefix+p.Get("return"))
}

// ownPage reports whether an address is a page of ours, by the table of routes:
// an exact path that answers GET, and nothing that a browser could read as a host
// (BF11, OAuth 2.1 §7.13.1).
func (s *site) ownPage(address string) bool {
	path, query, _ := strings.Cut(address, "?")
	if strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '#' || c == '\\' }) {
		return false
	}
	e := s.endpoints[s.prefix+path]
	if e == nil || e.methods[http.MethodGet] == nil || len(path) < 2 || path[0] != '/' {
		return false
	}
	return e.class == classPage || path == logoutPath
}
