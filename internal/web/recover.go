package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// recoverView is what the pages show on which somebody who has proven one thing
// proves another, or sets a new password.
type recoverView struct {
	frame
	Flow    string
	CSRF    string
	Problem string

	Ready     bool
	Person    string
	Limit     int
	Lost      bool
	Code      bool
	Passkey   bool
	Addresses []string // masked
	MayWait   bool
	Wait      string
	Ripe      string // empty: the person does not wait
}

// showRecover begins a recovery, or goes on with one. An administrator's approval is
// taken into a cookie at once, so that it is in no address any more; that uses
// nothing up.
func (s *site) showRecover(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if token := p.Get("reset"); token != "" {
		return s.approved(w, r, secret.New(token))
	}
	return s.recovering(w, r, p, http.StatusOK, "", p.Get("sent") != "")
}

func (s *site) approved(w http.ResponseWriter, r *http.Request, token secret.Value) error {
	wishes(r).page = ""
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	if v.Browser, err = s.browser(w, r); err != nil {
		return err
	}
	sealed, err := s.accounts.OpenReset(r.Context(), &v, token)
	if errors.Is(err, account.ErrCode) {
		return s.step(w, r, http.StatusGone, "recover.title", stepView{Path: recoverPath, Lead: s.language(r).Text("mail.gone")})
	}
	if err != nil {
		return err
	}
	setCookie(w, recoveryCookie, sealed, 0)
	return seeOther(w, s.prefix+recoverPath)
}

func (s *site) underRecovery(r *http.Request) (v account.Visit, sealed secret.Value, err error) {
	if v, err = s.guest(r); err == nil {
		sealed, err = one(r, recoveryCookie)
	}
	return v, sealed, err
}

// recovering shows how a recovery can go on.
func (s *site) recovering(w http.ResponseWriter, r *http.Request, p url.Values, status int, problem string, sent bool) error {
	if done, err := s.turnedAway(w, r, ""); done {
		return err
	}
	v, sealed, err := s.underRecovery(r)
	if err != nil {
		return err
	}
	flow, l := p.Get("flow"), s.language(r)
	state, err := s.accounts.Recovering(r.Context(), &v, sealed)
	switch {
	case err != nil && !errors.Is(err, account.ErrRecovery):
		return err
	case sent:
		return s.codeStep(w, r, status, "recover.title", recoverPath, flow, problem)
	case err != nil && !s.accounts.MayRecover():
		return s.step(w, r, http.StatusForbidden, "recover.title", stepView{Path: recoverPath, Lead: l.Text("recover.ask_admin")})
	case err != nil:
		return s.step(w, r, status, "recover.title", stepView{
			Path: recoverPath, Flow: flow, Do: "start", Lead: l.Text("recover.lead"), Problem: problem,
			Field: "name", Label: l.Text("mail.name"), Submit: l.Text("mail.send"),
		})
	}
	return s.recoverPage(w, r, p, &state, status, problem)
}

func (s *site) recoverPage(w http.ResponseWriter, r *http.Request, p url.Values, state *account.RecoveryState, status int, problem string) error {
	l := s.language(r)
	csrf, err := s.formToken(w, r, recoverPath, p.Get("flow"))
	if err != nil {
		return err
	}
	limit, err := s.accounts.PasswordLimit(r.Context(), "")
	if err != nil {
		return err
	}
	title := "recover.second_title"
	if state.Ready {
		title = "recover.password_title"
	}
	view := &recoverView{
		frame: s.frame(r, l.Text(title), problem != ""), Flow: p.Get("flow"), CSRF: csrf, Problem: problem, Ready: state.Ready, Limit: limit,
		Person: legible(state.Username), Lost: state.Lost, Code: state.Code, Passkey: state.Passkey && !state.Ready,
		MayWait: state.MayWait, Wait: l.Span(state.Wait),
	}
	if !state.RipeAt.IsZero() && !state.Ready {
		view.Ripe = l.Moment(state.RipeAt)
	}
	for _, a := range state.Addresses {
		view.Addresses = append(view.Addresses, legible(account.Masked(a)))
	}
	return s.render(w, status, pageRecover, view)
}

// recoverForm takes each of these forms, named by do.
func (s *site) recoverForm(w http.ResponseWriter, r *http.Request, p url.Values) error {
	if done, err := s.turnedAway(w, r, ""); done {
		return err
	}
	v, sealed, err := s.underRecovery(r)
	if err != nil {
		return err
	}
	asked := p.Get("do") == "code"
	switch p.Get("do") {
	case "start":
		if !s.accounts.MayRecover() {
			return errNotFound
		}
		if err = s.accounts.StartRecovery(r.Context(), &v, p.Get("name"), p.Get("flow")); err == nil {
			return seeOther(w, s.sentPage(recoverPath, p.Get("flow")))
		}
	case "mail":
		n, nerr := strconv.Atoi(p.Get("n"))
		if nerr != nil {
			return bad("nothing was chosen")
		}
		if err = s.accounts.RecoverByMail(r.Context(), &v, sealed, n, p.Get("flow")); err == nil {
			return seeOther(w, s.sentPage(recoverPath, p.Get("flow")))
		}
	case "code":
		err = s.typed(w, r, p, account.MailRecoverToo)
		if errors.Is(err, account.ErrCode) {
			err = s.typed(w, r, p, account.MailRecover)
		}
	case "factor":
		if sealed, err = s.accounts.RecoverWithCode(r.Context(), &v, sealed, p.Get("factor")); err == nil {
			setCookie(w, recoveryCookie, sealed, 0)
			return seeOther(w, s.local(recoverPath, p.Get("flow")))
		}
	case "wait":
		if _, err = s.accounts.WaitForRecovery(r.Context(), &v, sealed); err == nil {
			return seeOther(w, s.local(recoverPath, p.Get("flow")))
		}
	case "password":
		err = s.accounts.FinishRecovery(r.Context(), &v, sealed, secret.New(p.Get("password")), p.Get("lost") == "yes")
		if err == nil {
			return s.hasRecovered(w, r, p)
		}
	default:
		return bad("nothing was chosen")
	}
	if errors.Is(err, account.ErrNotFound) {
		err = account.ErrRecovery
	}
	if status, text := mailProblem(s.language(r), err); status != 0 {
		retryAfter(w, err)
		return s.recovering(w, r, p, status, text, asked)
	}
	return err
}

// mailedRecovery adds a proof.
func (s *site) mailedRecovery(w http.ResponseWriter, r *http.Request, c account.MailCode) error {
	v, sealed, err := s.underRecovery(r)
	if err != nil {
		return err
	}
	if sealed, err = s.accounts.RecoveryProven(r.Context(), &v, sealed, c); err != nil {
		return err
	}
	setCookie(w, recoveryCookie, sealed, 0)
	return seeOther(w, s.local(recoverPath, c.Flow))
}

// hasRecovered says that the password is new. Nobody is signed in by that (AU12).
func (s *site) hasRecovered(w http.ResponseWriter, r *http.Request, p url.Values) error {
	dropCookie(w, recoveryCookie)
	l, to := s.language(r), s.prefix+accountPath
	if flow := p.Get("flow"); flow != "" {
		to = s.local(loginPath, flow)
	}
	return s.step(w, r, http.StatusOK, "recover.done_title", stepView{
		Path: recoverPath, Lead: l.Text("recover.done"), Links: []stepLink{{"sign_in", to, l.Text("recover.sign_in")}},
	})
}

// showStop asks whether the recovery that a letter tells of is to be stopped.
func (s *site) showStop(w http.ResponseWriter, r *http.Request, p url.Values) error {
	l := s.language(r)
	return s.stepAlone(w, r, http.StatusOK, "recover.stop_title", stepView{
		Path: stopPath, Token: p.Get("token"), Lead: l.Text("recover.stop_lead"), Submit: l.Text("recover.stop"), Warning: true,
	})
}

// stop stops it.
func (s *site) stop(w http.ResponseWriter, r *http.Request, p url.Values) error {
	v, err := s.guest(r)
	if err != nil {
		return err
	}
	l := s.language(r)
	err = s.accounts.StopRecovery(r.Context(), &v, secret.New(p.Get("token")))
	if errors.Is(err, account.ErrCode) {
		return s.stepAlone(w, r, http.StatusGone, "recover.stop_title", stepView{Path: stopPath, Lead: l.Text("mail.gone")})
	}
	if err != nil {
		return err
	}
	return s.stepAlone(w, r, http.StatusOK, "recover.stop_title", stepView{Path: stopPath, Lead: l.Text("recover.stopped")})
}
