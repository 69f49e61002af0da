package web

import (
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/locale"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// Cookies of what people do who have not signed in.
const (
	newcomerCookie = "__Host-sallyport-newcomer" // of somebody who opens an account
	recoveryCookie = "__Host-sallyport-recovery" // of somebody who recovers one
)

// stepView is what a page shows that asks for one thing: an address, a code, or that
// somebody goes on.
type stepView struct {
	frame
	Path    string // of the form, below the issuer's
	Flow    string
	CSRF    string
	Do      string
	Token   string // of a link
	Lead    string
	Problem string
	Hint    string

	Field   string // name and id of the input: name, address or code; empty: there is none
	Label   string
	Value   string
	Submit  string // empty: there is no form
	Warning bool   // the button is dangerous

	Links []stepLink
}

type stepLink struct{ ID, Address, Text string }

// step fills in what every such page has, and shows it.
func (s *site) step(w http.ResponseWriter, r *http.Request, status int, title string, v stepView) error {
	v.frame = s.frame(r, s.language(r).Text(title), v.Problem != "")
	if v.Submit != "" {
		csrf, err := s.formToken(w, r, v.Path, v.Flow)
		if err != nil {
			return err
		}
		v.CSRF = csrf
	}
	return s.render(w, status, pageStep, &v)
}

// codeStep asks for a code that was mailed. Whether one was is not said (AU05).
func (s *site) codeStep(w http.ResponseWriter, r *http.Request, status int, title, path, flow, problem string, links ...stepLink) error {
	l := s.language(r)
	return s.step(w, r, status, title, stepView{
		Path: path, Flow: flow, Do: "code", Lead: l.Text("mail.sent"), Hint: l.Text("mail.code_hint"), Problem: problem,
		Field: "code", Label: l.Text("mail.code"), Submit: l.Text("mail.check"),
		Links: append([]stepLink{{"again", s.local(path, flow), l.Text("mail.again")}}, links...),
	})
}

// mailProblem is what people are told of an error, and its status; 0 for what is no
// fault of theirs.
func mailProblem(l *locale.Language, err error) (int, string) {
	var invalid *account.InvalidError
	switch {
	case errors.Is(err, account.ErrCode):
		return http.StatusUnauthorized, l.Text("mail.wrong")
	case errors.Is(err, account.ErrWrongCredentials):
		return http.StatusUnauthorized, l.Text("second.wrong")
	case errors.As(err, &invalid):
		return http.StatusBadRequest, l.Text(invalid.Key(), "limit", invalid.Limit)
	case errors.Is(err, account.ErrClosed):
		return http.StatusForbidden, l.Text("sign_up.closed")
	case errors.Is(err, account.ErrExists):
		return http.StatusConflict, l.Text("sign_up.taken")
	case errors.Is(err, account.ErrAddressTaken):
		return http.StatusConflict, l.Text("addresses.taken")
	case errors.Is(err, account.ErrTooMany):
		return http.StatusConflict, l.Text("addresses.too_many")
	case errors.Is(err, account.ErrRecovery), errors.Is(err, account.ErrNotProven):
		return http.StatusForbidden, l.Text("recover.again")
	}
	return waiting(l, err)
}

// waiting is what people are told who came too often, or with too many others; 0 for
// another error.
func waiting(l *locale.Language, err error) (int, string) {
	var throttled *account.ThrottledError
	switch {
	case errors.As(err, &throttled):
		return http.StatusTooManyRequests, l.Text("login.throttled", "for", l.Span(throttled.RetryAfter))
	case errors.Is(err, account.ErrBusy):
		return http.StatusServiceUnavailable, l.Text("login.busy")
	}
	return 0, ""
}

// retryAfter tells a program how long a throttled person waits.
func retryAfter(w http.ResponseWriter, err error) {
	var throttled *account.ThrottledError
	if errors.As(err, &throttled) {
		setRetryAfter(w.Header(), throttled.RetryAfter)
	}
}

// sentPage is where a page goes on that has had something mailed.
func (s *site) sentPage(path, flow string) string {
	q := url.Values{"sent": {"yes"}}
	if flow != "" {
		q.Set("flow", flow)
	}
	return s.prefix + path + "?" + q.Encode()
}

// mailed says how each purpose goes on when its code has come back.
var mailed map[account.MailPurpose]func(*site, http.ResponseWriter, *http.Request, account.MailCode) error

func init() { //nolint:gochecknoinits // the handlers reach the table themselves
	mailed = map[account.MailPurpose]func(*site, http.ResponseWriter, *http.Request, account.MailCode) error{
		account.MailSignIn:     (*site).mailedSignIn,
		account.MailSignUp:     (*site).mailedSignUp,
		account.MailAddress:    (*site).mailedAddress,
		account.MailRecover:    (*site).mailedRecovery,
		account.MailRecoverToo: (*site).mailedRecovery,
	}
}

// typed takes a code that was typed, and goes on.
func (s *site) typed(w http.ResponseWriter, r *http.Request, p url.Values, purpose account.MailPurpose) error {
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	c, err := s.accounts.WithMailCode(r.Context(), &v, purpose, p.Get("code"))
	if err != nil {
		return err
	}
	return mailed[purpose](s, w, r, c)
}

// showLink is where a link of a mail leads. Opening it changes nothing, for mail
// servers open links as well; the button on the page does. In another browser it
// says where to go on: nobody is signed in there by a link that somebody else asked
// for.
func (s *site) showLink(w http.ResponseWriter, r *http.Request, p url.Values) error {
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	l := s.language(r)
	_, err = s.accounts.SeeLink(r.Context(), &v, secret.New(p.Get("token")))
	switch {
	case errors.Is(err, account.ErrOtherBrowser):
		return s.stepAlone(w, r, http.StatusForbidden, "mail.link_title", stepView{Path: linkPath, Lead: l.Text("mail.other_browser")})
	case errors.Is(err, account.ErrCode):
		return s.stepAlone(w, r, http.StatusGone, "mail.link_title", stepView{Path: linkPath, Lead: l.Text("mail.gone")})
	case err != nil:
		return err
	}
	return s.stepAlone(w, r, http.StatusOK, "mail.link_title", stepView{
		Path: linkPath, Token: p.Get("token"), Lead: l.Text("mail.link_lead"), Submit: l.Text("mail.go_on"),
	})
}

// stepAlone is step on a page whose address has a credential, which the picker of
// languages would repeat.
func (s *site) stepAlone(w http.ResponseWriter, r *http.Request, status int, title string, v stepView) error {
	wishes(r).page = ""
	return s.step(w, r, status, title, v)
}

// mailedLink takes the button on that page.
func (s *site) mailedLink(w http.ResponseWriter, r *http.Request, p url.Values) error {
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	c, err := s.accounts.WithLink(r.Context(), &v, secret.New(p.Get("token")))
	if err == nil {
		err = mailed[c.Purpose](s, w, r, c)
	}
	if errors.Is(err, account.ErrCode) || errors.Is(err, account.ErrOtherBrowser) || errors.Is(err, account.ErrRecovery) {
		return s.showLink(w, r, p)
	}
	return err
}

// flowOf opens the sign-in that a code belongs to, or one for the pages of accounts.
func (s *site) flowOf(r *http.Request, flow string) (*oauth.Authorization, url.Values, error) {
	p := url.Values{"flow": {flow}}
	if flow == "" {
		return s.oauth.SignInFor(accountPath, ""), p, nil
	}
	a, err := s.pending(r, p)
	return a, p, err
}
