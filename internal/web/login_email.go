package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/account"
)

// showEmail asks for whom a code is to be mailed, or for the code.
func (s *site) showEmail(w http.ResponseWriter, r *http.Request, p url.Values) error {
	return s.email(w, r, p, http.StatusOK, "", p.Get("sent") != "")
}

func (s *site) email(w http.ResponseWriter, r *http.Request, p url.Values, status int, problem string, sent bool) error {
	if !s.accounts.MaySignInByMail() {
		return errNotFound
	}
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	w.Header().Set("Content-Security-Policy", pagePolicy(a.RedirectURI))
	flow, l := p.Get("flow"), s.language(r)
	password := stepLink{"use_password", s.local(loginPath, flow), l.Text("mail.use_password")}
	if sent {
		return s.codeStep(w, r, status, "mail.sign_in", emailPath, flow, problem, password)
	}
	return s.step(w, r, status, "mail.sign_in", stepView{
		Path: emailPath, Flow: flow, Do: "start", Problem: problem, Lead: l.Text("mail.sign_in_lead"),
		Field: "name", Label: l.Text("mail.name"), Value: legible(a.LoginHint), Submit: l.Text("mail.send"), Links: []stepLink{password},
	})
}

// emailForm takes a name, to which a code is mailed, or the code.
func (s *site) emailForm(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if !s.accounts.MaySignInByMail() {
		return errNotFound
	}
	a, err := s.pending(r, p)
	if err != nil {
		return err
	}
	if done, err := s.turnedAway(w, r, a.ClientID); done {
		return err
	}
	asked := p.Get("do") == "code"
	if asked {
		err = s.typed(w, r, p, account.MailSignIn)
	} else {
		v, verr := s.visit(r, a, p)
		if verr != nil {
			return verr
		}
		if err = s.accounts.StartMailSignIn(r.Context(), &v, p.Get("name"), p.Get("flow")); err == nil {
			return seeOther(w, s.sentPage(emailPath, p.Get("flow")))
		}
	}
	if status, text := mailProblem(s.language(r), err); status != 0 {
		retryAfter(w, err)
		return s.email(w, r, p, status, text, asked)
	}
	return err
}

// mailedSignIn goes on with the sign-in that the code was asked for in.
func (s *site) mailedSignIn(w http.ResponseWriter, r *http.Request, c account.MailCode) error {
	a, p, err := s.flowOf(r, c.Flow)
	if err != nil {
		return err
	}
	v, err := s.visit(r, a, p)
	if err != nil {
		return err
	}
	v.Demand.Keep = v.Demand.Keep || c.Keep
	progress, err := s.accounts.SignInByMail(r.Context(), v, c)
	if err != nil {
		return err
	}
	return s.advance(w, r, a, progress)
}
