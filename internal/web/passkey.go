package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// passkeyForm is what the script needs to ask a browser for a passkey. nil: there
// are none here.
type passkeyForm struct {
	Options string
	State   string
	CSRF    string
	Script  string
	Fresh   string // the page again, with another challenge
}

// scripted lets the scripts of our own files run on a page, and none of them
// write markup.
func scripted(policy string) string {
	return strings.Replace(policy, "style-src 'self'", "style-src 'self'; script-src 'self'", 1) +
		"; require-trusted-types-for 'script'; trusted-types 'none'"
}

// passkeySignIn is the form of a sign-in page, for whoever has a passkey; or, with
// a person, of the page for a further step.
func (s *site) passkeySignIn(w http.ResponseWriter, r *http.Request, page, flow, userID string) (*passkeyForm, error) {
	return s.passkeyForm(w, r, page, passkeyPath, flow, func(ctx context.Context, v account.Visit) (account.Ceremony, error) {
		if userID == "" {
			return s.accounts.AskPasskey(ctx, v)
		}
		return s.accounts.AskPasskeyOf(ctx, v, userID)
	})
}

func (s *site) passkeyForm(w http.ResponseWriter, r *http.Request, page, target, flow string, ask func(context.Context, account.Visit) (account.Ceremony, error)) (*passkeyForm, error) {
	if !s.accounts.MayUsePasskeys() {
		return nil, nil //nolint:nilnil // a page without
	}
	browser, err := s.browser(w, r)
	if err != nil {
		return nil, err
	}
	csrf, err := s.formToken(w, r, target, flow)
	if err != nil {
		return nil, err
	}
	c, err := ask(r.Context(), account.Visit{Browser: browser})
	if err != nil {
		return nil, err
	}
	return &passkeyForm{Options: c.Options, State: c.State.Reveal(), CSRF: csrf, Script: s.passkeyURL, Fresh: s.local(page, flow)}, nil
}

// loginPasskey takes the answer of an authenticator, on the sign-in page or as a
// further step.
func (s *site) loginPasskey(w http.ResponseWriter, r *http.Request, p url.Values) error {
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	v, err := s.visit(r, a, p)
	if err != nil {
		return err
	}
	progress, err := s.accounts.WithPasskey(r.Context(), v, secret.New(p.Get("state")), p.Get("response"))
	if errors.Is(err, account.ErrTicket) {
		return s.goOn(w, a, loginPath)
	}
	if err != nil {
		return s.passkeyFailed(w, r, a, p, err)
	}
	return s.advance(w, r, a, progress)
}

// passkeyFailed shows the page again that the answer came from. It does not say
// what was wrong with it.
func (s *site) passkeyFailed(w http.ResponseWriter, r *http.Request, a *oauth.Authorization, p url.Values, err error) error {
	wrong, words := errors.Is(err, account.ErrWrongCredentials), s.language(r).Text("passkey.wrong")
	step := p.Get("step") != ""
	wishes(r).page = loginPath // to come back to
	if step {
		wishes(r).page = secondPath
	}
	switch {
	case step && wrong:
		return s.second(w, r, a, p, http.StatusUnauthorized, words)
	case step:
		return s.secondFailed(w, r, a, p, err)
	case wrong:
		return s.loginPage(w, r, a, p.Get("flow"), http.StatusUnauthorized, words)
	}
	return s.loginFailed(w, r, a, p.Get("flow"), err)
}
