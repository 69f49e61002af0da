package bff

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

var (
	errUnfinished = errors.New("the session could not be looked at")
	errNoSession  = errors.New("nobody is signed in")
)

// lookLimit bounds a look at a row with a renewal: it goes on when the request
// that began it is gone, because others wait for it.
const lookLimit = 20 * time.Second

// found is a session that lives.
type found struct {
	row   Session
	kept  kept
	until time.Time // it is remembered no longer; zero: as long as it may be
}

// access finds the access token behind a cookie, renewed if it is time.
func (a *app) access(ctx context.Context, cookie secret.Value) (secret.Value, error) {
	hash := cookie.Hash()
	if k := a.Memory.get(hash); k != nil && k.app == a.Name && a.Now().Before(k.until) {
		return k.access, nil
	}
	f, err := a.look(ctx, cookie, hash)
	if err != nil {
		return secret.Value{}, err
	}
	return f.kept.Access(), nil
}

// look reads the session of a cookie from its row, once for all who ask.
func (a *app) look(ctx context.Context, cookie secret.Value, hash secret.Hash) (*found, error) {
	id, ok := sessionOf(cookie)
	if !ok {
		return nil, errNoSession
	}
	return a.Memory.once(hash, func() (*found, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
		defer cancel()
		f, err := a.read(ctx, id, hash)
		if err != nil {
			return nil, err
		}
		if !a.Now().Before(f.kept.renewAt()) {
			f, err = a.renew(ctx, f)
		} else {
			err = a.touch(ctx, f)
		}
		if err != nil {
			return nil, err
		}
		a.Memory.put(hash, &known{app: a.Name, access: f.kept.Access(), grant: f.row.GrantID.String(), until: a.knownUntil(f)})
		return f, nil
	})
}

// knownUntil is how long a session may be used without a look at its row.
func (a *app) knownUntil(f *found) time.Time {
	until := f.row.LastSeen.Add(a.idle / 10)
	for _, t := range [...]time.Time{f.kept.renewAt(), f.row.AbsoluteUntil} {
		if t.Before(until) {
			until = t
		}
	}
	if !f.until.IsZero() {
		until = f.until
	}
	return until
}

// read is a session that lives, as it is stored. One whose tokens were revoked is
// over: that is how a sign-out elsewhere ends it.
func (a *app) read(ctx context.Context, id secret.ID, hash secret.Hash) (*found, error) {
	row, err := a.Store.BrowserSession(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, errNoSession
	}
	if err != nil {
		return nil, err
	}
	now := a.Now()
	if !row.Hash.Equal(hash) || row.App != a.Name || !now.Before(row.IdleUntil) || !now.Before(row.AbsoluteUntil) {
		return nil, errNoSession
	}
	k, err := a.unseal(&row)
	if err != nil {
		return nil, errNoSession //nolint:nilerr // the key is gone, or the row was tampered with
	}
	f := &found{row: row, kept: k}
	if a.Revoked(k.Access()) {
		return nil, a.end(ctx, f)
	}
	return f, nil
}

// end deletes a session whose tokens have ended, and says that there is none.
func (a *app) end(ctx context.Context, f *found) error {
	a.Memory.drop(f.row.Hash)
	if err := a.Store.EndBrowserSession(ctx, f.row.ID); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	audit.FromContext(ctx).Add(audit.Event{Name: audit.BrowserEnded, Client: a.ClientID, Subject: f.kept.Subject, Grant: f.row.GrantID.String()})
	return errNoSession
}

// touch notes that a session is used, ten times in its idle time at most.
func (a *app) touch(ctx context.Context, f *found) error {
	now := a.Now().UTC().Truncate(time.Second)
	if now.Sub(f.row.LastSeen) < a.idle/10 {
		return nil
	}
	f.row.LastSeen, f.row.IdleUntil = now, a.idleUntil(now, f.row.AbsoluteUntil)
	err := a.Store.TouchBrowserSession(ctx, f.row.ID, f.row.LastSeen, f.row.IdleUntil)
	if errors.Is(err, ErrNotFound) {
		return errNoSession
	}
	return err
}

// former is the session of a request, without renewing it.
func (a *app) former(ctx context.Context, r *http.Request) (*found, bool) {
	value, n := readCookie(r.Header["Cookie"], a.cookie)
	cookie := secret.New(value)
	id, ok := sessionOf(cookie)
	if n != 1 || !ok {
		return nil, false
	}
	f, err := a.read(ctx, id, cookie.Hash())
	return f, err == nil
}
