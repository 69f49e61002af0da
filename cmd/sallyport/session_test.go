package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/store"
)

// T010 An operator sees what is alive of one person, with device, app, scope and
// last use, and ends one of it.
func TestT010SessionsAndGrantsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(st.Migrate(t.Context()))
	must(st.Account().AddUser(t.Context(), account.User{ID: "u1", Username: "ada", CreatedAt: now}))
	id := secret.NewID(now)
	must(st.Account().AddSession(t.Context(), account.Session{
		ID: id, SID: id, UserID: "u1", Methods: "pwd", ACR: "urn:sallyport:pwd", Device: "Firefox on Linux", Place: "Bremen", AuthTime: now, CreatedAt: now, LastSeen: now,
		IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
	}, secret.ID{}))
	grant := func() oauth.Grant {
		return oauth.Grant{
			ID: secret.NewID(now), ClientID: "shop\x1b[2J", UserID: "u1", SID: id, Scope: "openid catalog.read", CreatedAt: now, Refreshable: true, Generation: 1,
			Salt: secret.Random(16), RotatedAt: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
		}
	}
	first, second := grant(), grant()
	must(st.OAuth().RedeemCode(t.Context(), first))
	must(st.OAuth().RedeemCode(t.Context(), second))

	var out bytes.Buffer
	a := &admin{&program{stdout: &out, now: clock}, &config{}, st, true}
	list := func(want int) []sessionView {
		t.Helper()
		views, err := a.sessionViews(t.Context(), "ada", "", true)
		must(err)
		if len(views) != want {
			t.Fatalf("%d are listed, want %d: %+v", len(views), want, views)
		}
		return views
	}
	views := list(3)
	if views[0].Kind != "session" || views[0].Device != "Firefox on Linux" || views[1].Kind != "grant" || views[1].Device != "Firefox on Linux" ||
		views[1].Scope != "openid catalog.read" || views[1].LastUsedAt != "2026-11-24T12:00:00Z" {
		t.Errorf("%+v", views)
	}
	must(a.printSessions(views))
	var back []sessionView
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || len(back) != 3 {
		t.Error(err, out.String())
	}
	a.asJSON = false
	out.Reset()
	if must(a.printSessions(views)); strings.Contains(out.String(), "\x1b") || !strings.Contains(out.String(), "Firefox on Linux") {
		t.Errorf("%q", out.String())
	}
	must(a.endOne(t.Context(), first.ID.String()))
	list(2)
	if a.endOne(t.Context(), first.ID.String()) == nil || a.endOne(t.Context(), secret.NewID(now).String()) == nil || a.endOne(t.Context(), "x") == nil {
		t.Error("what is not there has ended")
	}
	must(a.endOne(t.Context(), id.String()))
	list(0)
}
