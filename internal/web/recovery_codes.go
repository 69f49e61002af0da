package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/account"
)

// recoveryCodesView is what the page of recovery codes shows.
type recoveryCodesView struct {
	frame
	CSRF    string
	Done    string
	Problem string
	Left    int
	Made    string
	Few     bool
	Factor  bool     // there is a second factor that they stand in for
	Codes   []string // new ones, which nobody sees again
	Next    string   // where to go on from them
}

// showRecoveryCodes says how many are left, and never which.
func (s *site) showRecoveryCodes(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeFactors)
	if done || err != nil {
		return err
	}
	l := s.language(r)
	csrf, err := s.formToken(w, r, recoveryCodesPath, "")
	if err != nil {
		return err
	}
	factors, err := s.accounts.Factors(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	made, err := s.accounts.RecoveryCodesMade(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := recoveryCodesView{
		frame: s.frame(r, l.Text("codes.title"), false), CSRF: csrf, Left: factors.RecoveryCodes, Few: factors.RecoveryCodes <= account.FewRecoveryCodes,
		Factor: factors.Passkeys+factors.Authenticators > 0, Done: notice(l, p, map[string]string{"first": "codes.first"}),
	}
	if !made.IsZero() {
		v.Made = l.Moment(made)
	}
	v.Wide = true
	return s.render(w, http.StatusOK, pageRecoveryCodes, &v)
}

// recoveryCodes makes new ones and shows them, once.
func (s *site) recoveryCodes(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeFactors)
	if done || err != nil {
		return err
	}
	if p.Get("do") != "make" {
		return errNoSuchAct
	}
	factors, err := s.accounts.Factors(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	if factors.Passkeys+factors.Authenticators == 0 { // the page says what comes first
		return seeOther(w, s.prefix+recoveryCodesPath)
	}
	return s.newRecoveryCodes(w, r, session.UserID, "", "")
}

// newRecoveryCodes answers with a page of new codes, which goes on to next. There is
// nothing to come back to: whoever asks again gets no codes.
func (s *site) newRecoveryCodes(w http.ResponseWriter, r *http.Request, userID, done, next string) error {
	codes, err := s.accounts.MakeRecoveryCodes(r.Context(), s.here(r), userID)
	if err != nil {
		return err
	}
	v := recoveryCodesView{frame: s.frame(r, s.language(r).Text("codes.title"), false), Done: done, Next: next, Left: len(codes), Factor: true}
	for _, c := range codes {
		v.Codes = append(v.Codes, c.Reveal())
	}
	v.Wide, v.Picker = true, nil
	return s.render(w, http.StatusOK, pageRecoveryCodes, &v)
}
