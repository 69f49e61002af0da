package web

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Form protection (AZ23) has three locks. The browser says where a form came
// from (http.CrossOriginProtection). The cookies are __Host- ones, which no
// other site can set. And each form carries a token made of what only this browser has: a cookie for every browser, the session, the page
// and the pending request. The login form is protected as well: being signed in
// as somebody else without noticing is an attack too.

const browserBytes = 32

var errForm = &httpError{
	status: http.StatusForbidden, code: oauth.AccessDenied,
	description: "this form is not from this browser, or it is too old, so nothing was done; go back to the app and start again",
}

// browser returns the value that this browser is known by, and gives it one on
// its first page.
func (s *site) browser(w http.ResponseWriter, r *http.Request) (secret.Value, error) {
	if v := wishes(r).browser; !v.IsZero() { // one page may have several forms
		return v, nil
	}
	v, err := one(r, browserCookie)
	if err != nil {
		return secret.Value{}, err
	}
	if validBrowser(v) {
		return v, nil
	}
	v = secret.New(base64.RawURLEncoding.EncodeToString(secret.Random(browserBytes)))
	setCookie(w, browserCookie, v, 0)
	wishes(r).browser = v
	return v, nil
}

// keepBrowser lets a browser in which somebody has signed in be known for as long
// as the store remembers it. It is no credential: it lets nobody in.
func (s *site) keepBrowser(w http.ResponseWriter, r *http.Request) error {
	v, err := one(r, browserCookie)
	if err == nil && validBrowser(v) {
		setCookie(w, browserCookie, v, account.BrowserLife)
	}
	return err
}

func validBrowser(v secret.Value) bool {
	raw, err := base64.RawURLEncoding.DecodeString(v.Reveal())
	return err == nil && len(raw) == browserBytes
}

// formToken returns the token for a form on a page.
func (s *site) formToken(w http.ResponseWriter, r *http.Request, page, flow string) (string, error) {
	b, err := s.browser(w, r)
	if err != nil {
		return "", err
	}
	parts, err := formParts(r, b, page, flow)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.ring.MAC(token.MACForm, parts...)), nil
}

// formParts are of fixed length but for the last. Forms of signing in are not
// bound to a session, so that signing in twice in two windows works; nor is the choice
// of a language.
func formParts(r *http.Request, browser secret.Value, page, flow string) ([][]byte, error) {
	var session secret.Value
	if page != loginPath && page != passkeyPath && page != elsewherePath && page != languagePath {
		var err error
		if session, err = one(r, sessionCookie); err != nil {
			return nil, err
		}
	}
	b, v, f := browser.Hash(), session.Hash(), sha256.Sum256([]byte(flow))
	return [][]byte{b[:], v[:], f[:], []byte(page)}, nil
}

// checkForm refuses a form that did not come from our own page in this browser.
func (s *site) checkForm(r *http.Request, page string, p url.Values) error {
	if !s.sameSite(r) {
		note(r, audit.RequestRefused, "cross_origin_form")
		return errForm
	}
	b, err := one(r, browserCookie)
	if err != nil {
		return err
	}
	parts, err := formParts(r, b, page, p.Get("flow"))
	if err != nil {
		return err
	}
	sum, err := base64.RawURLEncoding.DecodeString(p.Get("csrf"))
	if err != nil || !validBrowser(b) || !s.ring.CheckMAC(token.MACForm, sum, parts...) {
		note(r, audit.RequestRefused, "form_token")
		return errForm
	}
	return nil
}

// sameSite asks the browser. A browser that does not say (before 2023) sends
// "null" as the origin of pages with our Referrer-Policy: then the token alone
// decides.
func (s *site) sameSite(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return true
	}
	return s.csrf.Check(r) == nil
}
