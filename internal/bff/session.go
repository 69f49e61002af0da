package bff

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// proven returns the cookie of a request that comes from a page of the app;
// otherwise it has answered.
func (a *app) proven(w http.ResponseWriter, r *http.Request) (cookie secret.Value, ok bool) {
	if why := a.judge(r); why != "" {
		refuse(w, r, foreign, why)
		return cookie, false
	}
	value, n := readCookie(r.Header["Cookie"], a.cookie)
	if n > 1 {
		refuse(w, r, badCookie, ManyCookies)
		return cookie, false
	}
	return secret.New(value), true
}

// session tells a page of the app who is signed in: the claims that it may know,
// and no token (RFC 10017 §6.1.2.1).
func (a *app) session(w http.ResponseWriter, r *http.Request) {
	cookie, ok := a.proven(w, r)
	if !ok {
		return
	}
	var f *found
	err := errNoSession
	if !cookie.IsZero() {
		f, err = a.look(r.Context(), cookie, cookie.Hash())
	}
	switch {
	case errors.Is(err, errNoSession):
		if !cookie.IsZero() {
			dropCookie(w, a.cookie, http.SameSiteStrictMode)
		}
		writeData(w, []byte(`{"signed_in":false}`))
	case err != nil:
		fault(r, err)
		refuse(w, r, unavailable, "session_unavailable")
	default:
		body, err := json.Marshal(map[string]any{
			"signed_in": true, "claims": f.kept.Claims,
			"idle_seconds": remaining(a.Now(), f.row.IdleUntil), "session_seconds": remaining(a.Now(), f.row.AbsoluteUntil),
		})
		if err != nil {
			fault(r, err)
			refuse(w, r, unavailable, "session_unavailable")
			return
		}
		writeData(w, body)
	}
}

func remaining(now, until time.Time) int64 { return max(0, int64(until.Sub(now)/time.Second)) }

// logout signs the person out: here, and at the issuer with everything that came
// from that sign-in. A browser without a session is told the same.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	cookie, ok := a.proven(w, r)
	if !ok {
		return
	}
	if err := a.signOut(r.Context(), cookie); err != nil {
		fault(r, err)
		refuse(w, r, unavailable, "session_unavailable")
		return
	}
	h := w.Header()
	dataHeaders(h)
	dropCookie(w, a.cookie, http.SameSiteStrictMode)
	// Not "cookies": that would take those of every other host of this site.
	h.Set("Clear-Site-Data", `"cache", "storage"`)
	w.WriteHeader(http.StatusNoContent)
}

// signOut ends the session at the issuer first: if that fails, the person is still
// signed in, sees so, and can try again.
func (a *app) signOut(ctx context.Context, cookie secret.Value) error {
	id, ok := sessionOf(cookie)
	if !ok {
		return nil
	}
	hash := cookie.Hash()
	row, err := a.Store.BrowserSession(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (!row.Hash.Equal(hash) || row.App != a.Name) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.Client.Logout(ctx, row.GrantID); err != nil {
		return err
	}
	a.Memory.drop(hash)
	if err := a.Store.EndBrowserSession(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	audit.FromContext(ctx).Add(audit.Event{Name: audit.BrowserSignedOut, Client: a.ClientID, Grant: row.GrantID.String()})
	return nil
}

func writeData(w http.ResponseWriter, body []byte) {
	h := w.Header()
	dataHeaders(h)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}
