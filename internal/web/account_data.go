package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
)

const dataPath = accountPath + "/data"

// dataView is where people take their data along, or delete the account.
type dataView struct {
	accountFrame
	Person  string
	Problem string
}

// showData needs a sign-in for it: what follows cannot be undone, or is all that is
// known of the person (AP11).
func (s *site) showData(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeData)
	if done || err != nil {
		return err
	}
	return s.dataPage(w, r, p, session, "")
}

func (s *site) dataPage(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session, problem string) error {
	user, err := s.accounts.User(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	v := dataView{Person: legible(user.Username), Problem: problem}
	if v.accountFrame, err = s.accountPage(w, r, p, "data", notices{}); err != nil {
		return err
	}
	status := http.StatusOK
	if v.Failed = problem != ""; v.Failed {
		status = http.StatusUnprocessableEntity
	}
	return s.render(w, status, pageData, &v)
}

func (s *site) changeData(w http.ResponseWriter, r *http.Request, p url.Values) error {
	session, done, err := s.acting(w, r, p, account.PurposeData)
	if done || err != nil {
		return err
	}
	switch p.Get("do") {
	case "export":
		return s.export(w, r, session)
	case "delete":
		return s.deleteAccount(w, r, p, session)
	}
	return errAccountForm
}

// export sends everything that is kept of the person, as a file.
func (s *site) export(w http.ResponseWriter, r *http.Request, session *account.Session) error {
	all, err := s.accounts.Export(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	body, err := json.MarshalIndent(map[string]any{
		"issuer": s.oauth.Issuer(), "exported_at": s.now().UTC().Format(time.RFC3339), "account": all,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	s.accounts.Happened(r.Context(), session.UserID, account.DataExported, new(s.here(r)), "")
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="account.json"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	return nil
}

// deleteAccount removes the account of a person who has typed its name.
func (s *site) deleteAccount(w http.ResponseWriter, r *http.Request, p url.Values, session *account.Session) error {
	user, err := s.accounts.User(r.Context(), session.UserID)
	if err != nil {
		return err
	}
	typed, err := account.FoldUsername(strings.TrimSpace(p.Get("confirm")))
	var invalid *account.InvalidError
	if err != nil && !errors.As(err, &invalid) {
		return err
	}
	own, foldErr := account.FoldUsername(user.Username)
	if foldErr != nil {
		return fmt.Errorf("read user name: %w", foldErr)
	}
	if typed != own {
		return s.dataPage(w, r, p, session, s.language(r).Text("data.mismatch"))
	}
	if err := s.accounts.DeleteUser(r.Context(), session.UserID); err != nil {
		return err
	}
	note(r, audit.AccountDeleted, "by_person")
	if err := s.oauth.InForce(r.Context()); err != nil {
		return err
	}
	return s.leave(w)
}
