package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/locale"
	"sallyport/internal/secret"
)

// passkeysView is what the page shows on which people add and remove passkeys.
type passkeysView struct {
	frame
	Flow     string
	CSRF     string
	Done     string // what was done, as the key of a message
	Problem  string
	List     []passkeyLine
	Name     string // that a new one would have
	Full     bool
	Most     int
	Passkey  *passkeyForm
	Accepted string // JSON for the browser
}

type passkeyLine struct {
	ID       string
	Name     string
	Created  time.Time
	LastUsed time.Time
	BackedUp bool
}

var passkeysDone = []string{"added", "renamed", "removed"}

// showPasskeys lists the passkeys of whoever has just signed in for that.
func (s *site) showPasskeys(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeFactors)
	if done || err != nil {
		return err
	}
	return s.passkeysPage(w, r, p, session, http.StatusOK, "")
}

func (s *site) passkeysPage(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, status int, problem string) error {
	flow, l := p.Get("flow"), s.language(r)
	list, err := s.accounts.Passkeys(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	form, err := s.passkeyForm(w, r, passkeysPath, passkeysPath, flow, func(ctx context.Context, v account.Visit) (account.Ceremony, error) {
		return s.accounts.AskNewPasskey(ctx, v, session.UserID)
	})
	if err != nil {
		return err
	}
	csrf, err := s.formToken(w, r, passkeysPath, flow)
	if err != nil {
		return err
	}
	v := passkeysView{
		frame: s.frame(r, l.Text("passkeys.title"), problem != ""), Flow: flow, CSRF: csrf, Problem: problem,
		Name: passkeyDefault(l, device(r), s.now()), Full: len(list) >= account.MostPasskeys, Most: account.MostPasskeys, Passkey: form,
	}
	v.Wide = true
	if done := p.Get("done"); slices.Contains(passkeysDone, done) && problem == "" {
		v.Done = "passkeys.done." + done
	}
	for i := range list {
		c := &list[i]
		v.List = append(v.List, passkeyLine{ID: c.ID, Name: legible(c.Name), Created: c.CreatedAt, LastUsed: c.LastUsed, BackedUp: c.BackedUp})
	}
	if v.Accepted, err = s.accepted(session.UserID, list); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", scripted(pagePolicy("")))
	return s.render(w, status, pagePasskeys, &v)
}

// accepted is for signalAllAcceptedCredentials: browsers that know it stop to offer
// a passkey that was removed here.
func (s *site) accepted(userID string, list []account.Credential) (string, error) {
	handle, ids := s.accounts.AcceptedPasskeys(userID, list)
	b, err := json.Marshal(map[string]any{
		"rpId": s.hostname, "userId": base64.RawURLEncoding.EncodeToString(handle), "allAcceptedCredentialIds": slices.Concat([]string{}, ids),
	})
	if err != nil {
		return "", fmt.Errorf("write accepted passkeys: %w", err)
	}
	return string(b), nil
}

// passkeyDefault names a passkey by where and when it was made.
func passkeyDefault(l *locale.Language, device string, now time.Time) string {
	now = now.UTC()
	return l.Text("passkeys.default", "device", l.Device(device), "day", now.Day(), "month", l.Text("month."+now.Format("01")))
}

// passkeys does one thing with a passkey of whoever has just signed in for that.
func (s *site) passkeys(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeFactors)
	if done || err != nil {
		return err
	}
	v, err := s.actingVisit(r, session)
	if err != nil {
		return err
	}
	ctx, id := r.Context(), session.UserID
	var key string
	switch p.Get("do") {
	case "add":
		return s.addPasskey(w, r, p, session, v)
	case "rename":
		if err := s.accounts.RenamePasskey(ctx, id, p.Get("id"), p.Get("name")); err != nil {
			return s.passkeysFailed(w, r, p, session, err)
		}
		key = "renamed"
	case "remove":
		if err := s.accounts.RemovePasskey(ctx, v, *session, p.Get("id")); err != nil {
			return s.passkeysFailed(w, r, p, session, err)
		}
		key = "removed"
	default:
		return bad("this form asks for nothing that is done here")
	}
	return seeOther(w, s.prefix+passkeysPath+"?done="+key)
}

// addPasskey goes on with the sign-in that the page was opened from, and with the
// first factor gives the person codes for the day on which they lose it.
func (s *site) addPasskey(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, v account.Visit) error {
	before, err := s.accounts.Factors(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	c, err := s.accounts.AddPasskey(r.Context(), v, session.UserID, secret.New(p.Get("state")), p.Get("response"), p.Get("name"))
	if err != nil {
		return s.passkeysFailed(w, r, p, session, err)
	}
	next, err := s.enrolled(w, r, p, c.Method())
	if err != nil {
		return err
	}
	if before.RecoveryCodes == 0 {
		return s.newRecoveryCodes(w, r, session.UserID, s.language(r).Text("passkeys.done.added"), next)
	}
	if next == "" {
		next = s.prefix + passkeysPath + "?done=added"
	}
	return seeOther(w, next)
}

func (s *site) passkeysFailed(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, err error) error {
	l := s.language(r)
	var invalid *account.InvalidError
	switch {
	case errors.As(err, &invalid):
		return s.passkeysPage(w, r, p, session, http.StatusBadRequest, l.Text(invalid.Key(), "limit", invalid.Limit))
	case errors.Is(err, account.ErrLastFactor):
		return s.passkeysPage(w, r, p, session, http.StatusConflict, l.Text("factor.last"))
	case errors.Is(err, account.ErrTooMany):
		return s.passkeysPage(w, r, p, session, http.StatusBadRequest, l.Text("passkeys.full", "n", account.MostPasskeys))
	case errors.Is(err, account.ErrWrongCredentials):
		return s.passkeysPage(w, r, p, session, http.StatusBadRequest, l.Text("passkey.failed"))
	case errors.Is(err, account.ErrNotFound): // removed in another window
		return seeOther(w, s.prefix+passkeysPath)
	}
	return err
}

// servePasskeyEndpoints tells browsers and password managers where people add and
// remove passkeys (W3C, A Well-Known URL for Relying Party Passkey Endpoints).
func (s *site) servePasskeyEndpoints(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if !s.accounts.MayUsePasskeys() {
		return errNotFound
	}
	address := s.origin + s.prefix + passkeysPath
	b, err := json.Marshal(map[string]string{"enroll": address, "manage": address})
	if err != nil {
		return fmt.Errorf("write passkey endpoints: %w", err)
	}
	d := newDocument("application/json", b)
	return d.serve(w, r)
}
