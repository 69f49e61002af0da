package web

import (
	"net/http"
	"net/url"

	"sallyport/internal/account"
	"sallyport/internal/locale"
)

const (
	securityPath      = accountPath + "/security"
	authenticatorPath = securityPath + "/authenticator"
	recoveryCodesPath = securityPath + "/recovery-codes"
	passwordPath      = securityPath + "/password"
)

// securityView is what the page shows on which people see how they can sign in.
type securityView struct {
	frame
	Done     string
	Warnings []warning
	Ways     []way
}

// warning is something that the person should do.
type warning struct{ ID, Text string }

// way is one card: what there is, and where it is changed.
type way struct {
	ID      string
	Heading string
	Lines   []string
	None    bool // there is nothing of it yet
	Address string
	Action  string
	Name    string // of the link, for those who hear it without its card
}

// showSecurity is the page of all the ways to sign in.
func (s *site) showSecurity(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.signedInAs(w, r)
	if done || err != nil {
		return err
	}
	have, err := s.waysOf(r, session.UserID)
	if err != nil {
		return err
	}
	l := s.language(r)
	v := securityView{
		frame: s.frame(r, l.Text("security.title"), false), Done: notice(l, p, map[string]string{"password": "security.done.password"}),
		Warnings: have.warnings(l), Ways: s.ways(l, have),
	}
	v.Wide = true
	return s.render(w, http.StatusOK, pageSecurity, &v)
}

// notice is what a page says of what was just done there; nothing for a key that
// the page does not know.
func notice(l *locale.Language, p url.Values, known map[string]string) string {
	if key := known[p.Get("done")]; key != "" {
		return l.Text(key)
	}
	return ""
}

// waysOf is all that a person can sign in with.
type waysOf struct {
	user           account.User
	factors        account.Factors
	passkeys       []account.Credential
	authenticators []account.Authenticator
	codes          momentOf
	password       momentOf
	needed         bool
}

func (s *site) waysOf(r *http.Request, userID string) (h waysOf, err error) {
	ctx := r.Context()
	if h.user, err = s.accounts.User(ctx, userID); err != nil {
		return h, err
	}
	if h.factors, err = s.accounts.Factors(ctx, userID); err != nil {
		return h, err
	}
	if h.passkeys, err = s.accounts.Passkeys(ctx, userID); err != nil {
		return h, err
	}
	if h.authenticators, err = s.accounts.Authenticators(ctx, userID); err != nil {
		return h, err
	}
	if h.codes.at, err = s.accounts.RecoveryCodesMade(ctx, userID); err != nil {
		return h, err
	}
	events, err := s.accounts.Events(ctx, userID)
	for _, e := range events { // the newest first
		if e.Kind == account.PasswordChanged {
			h.password.at = e.CreatedAt
			break
		}
	}
	h.needed = s.accounts.NeedSecond()
	return h, err
}
