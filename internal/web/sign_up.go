package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// signUpView is what the page shows on which a newcomer chooses name and password.
type signUpView struct {
	frame
	Flow     string
	CSRF     string
	Address  string
	Username string
	Name     string
	Limit    int
	Problem  string
}

// showSignUp asks for an address, for the code that went there, or for the rest. An
// invitation is taken into a cookie at once, so that it is in no address any more;
// that uses nothing up.
func (s *site) showSignUp(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if token := p.Get("invitation"); token != "" {
		return s.invited(w, r, p, secret.New(token))
	}
	return s.signUp(w, r, p, http.StatusOK, "", p.Get("sent") != "")
}

func (s *site) invited(w http.ResponseWriter, r *http.Request, p url.Values, token secret.Value) error {
	wishes(r).page = ""
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	if v.Browser, err = s.browser(w, r); err != nil {
		return err
	}
	sealed, err := s.accounts.Invited(r.Context(), &v, token)
	if status, text := mailProblem(s.language(r), err); status != 0 {
		return s.step(w, r, status, "sign_up.title", stepView{Path: signUpPath, Problem: text})
	}
	if err != nil {
		return err
	}
	setCookie(w, newcomerCookie, sealed, 0)
	return seeOther(w, s.local(signUpPath, p.Get("flow")))
}

func (s *site) signUp(w http.ResponseWriter, r *http.Request, p url.Values, status int, problem string, sent bool) error {
	if s.accounts.SignUpMode() == account.SignUpOff {
		return errNotFound
	}
	if done, err := s.turnedAway(w, r, ""); done {
		return err
	}
	v, sealed, err := s.newcomer(r)
	if err != nil {
		return err
	}
	flow, l := p.Get("flow"), s.language(r)
	n := s.accounts.Applicant(&v, sealed)
	if n.Proven {
		return s.signUpPage(w, r, p, n, status, problem)
	}
	if sent {
		return s.codeStep(w, r, status, "sign_up.title", signUpPath, flow, problem)
	}
	if s.accounts.SignUpMode() == account.SignUpInvitation && !n.Invited {
		return s.step(w, r, http.StatusForbidden, "sign_up.title", stepView{Path: signUpPath, Lead: l.Text("sign_up.closed")})
	}
	view := stepView{
		Path: signUpPath, Flow: flow, Do: "start", Lead: l.Text("sign_up.lead"), Problem: problem,
		Field: "address", Label: l.Text("mail.address"), Submit: l.Text("mail.send"), Value: legible(n.Address),
	}
	if n.Address != "" {
		view.Lead, view.Field = l.Text("sign_up.invited", "address", legible(n.Address)), ""
	}
	return s.step(w, r, status, "sign_up.title", view)
}

func (s *site) newcomer(r *http.Request) (v account.Visit, sealed secret.Value, err error) {
	if v, err = s.guest(r); err == nil {
		sealed, err = one(r, newcomerCookie)
	}
	return v, sealed, err
}

func (s *site) signUpPage(w http.ResponseWriter, r *http.Request, p url.Values, n account.Applicant, status int, problem string) error {
	csrf, err := s.formToken(w, r, signUpPath, p.Get("flow"))
	if err != nil {
		return err
	}
	limit, err := s.accounts.PasswordLimit(r.Context(), "")
	if err != nil {
		return err
	}
	view := &signUpView{
		frame: s.frame(r, s.language(r).Text("sign_up.title"), problem != ""), Flow: p.Get("flow"), CSRF: csrf,
		Address: legible(n.Address), Username: legible(n.Address), Limit: limit, Problem: problem,
	}
	if p.Get("do") == "finish" {
		view.Username, view.Name = legible(p.Get("username")), legible(p.Get("name"))
	}
	return s.render(w, status, pageSignUp, view)
}

// signUpForm takes each of these forms.
func (s *site) signUpForm(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if s.accounts.SignUpMode() == account.SignUpOff {
		return errNotFound
	}
	if done, err := s.turnedAway(w, r, ""); done {
		return err
	}
	v, sealed, err := s.newcomer(r)
	if err != nil {
		return err
	}
	asked := p.Get("do") == "code"
	switch p.Get("do") {
	case "start":
		if err = s.accounts.StartSignUp(r.Context(), &v, sealed, p.Get("address"), p.Get("flow")); err == nil {
			return seeOther(w, s.sentPage(signUpPath, p.Get("flow")))
		}
	case "code":
		err = s.typed(w, r, p, account.MailSignUp)
	case "finish":
		err = s.openAccount(w, r, p, sealed)
	default:
		return bad("nothing was chosen")
	}
	if status, text := mailProblem(s.language(r), err); status != 0 {
		retryAfter(w, err)
		return s.signUp(w, r, p, status, text, asked)
	}
	return err
}

// mailedSignUp notes that the address is the newcomer's.
func (s *site) mailedSignUp(w http.ResponseWriter, r *http.Request, c account.MailCode) error {
	v, sealed, err := s.newcomer(r)
	if err != nil {
		return err
	}
	if sealed, err = s.accounts.SignUpProven(&v, sealed, c); err != nil {
		return err
	}
	setCookie(w, newcomerCookie, sealed, 0)
	return seeOther(w, s.local(signUpPath, c.Flow))
}

// openAccount opens the account and goes on with the sign-in that waits, if any.
func (s *site) openAccount(w http.ResponseWriter, r *http.Request, p url.Values, sealed secret.Value) error {
	a, q, err := s.flowOf(r, p.Get("flow"))
	if err != nil {
		return err
	}
	v, err := s.visit(r, a, q)
	if err != nil {
		return err
	}
	progress, err := s.accounts.SignUp(r.Context(), v, sealed, account.NewUser{
		Username: p.Get("username"), Name: p.Get("name"), Password: secret.New(p.Get("password")),
	})
	if err != nil {
		return err
	}
	dropCookie(w, newcomerCookie)
	return s.advance(w, r, a, progress)
}
