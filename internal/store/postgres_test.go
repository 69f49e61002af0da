package store_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/store"
	"sallyport/internal/store/storetest/pgtest"
)

// Each reason has its own words and its own remedy, and none shows a password.
func TestOpenSaysWhyPostgresIsNotReached(t *testing.T) {
	t.Parallel()
	good := pgtest.New(t)
	for name, tc := range map[string]struct {
		change    func(*url.URL)
		want, fix string
	}{
		"wrong password": {func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "hunter2") }, "refuses user", "check user and password"},
		"unknown user":   {func(u *url.URL) { u.User = url.UserPassword("nobody", "hunter2") }, `refuses user "nobody"`, "check user and password"},
		"no database":    {func(u *url.URL) { u.Path = "/nowhere" }, `has no database "nowhere"`, "create it"},
		"nothing there":  {func(u *url.URL) { u.Host = "127.0.0.1:1" }, "nothing listens for PostgreSQL at 127.0.0.1:1", "start it"},
		"unknown host":   {func(u *url.URL) { u.Host = "db.invalid:5432" }, `the host "db.invalid" of PostgreSQL cannot be found`, "check the host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(good)
			must(t, err)
			password, _ := u.User.Password()
			tc.change(u)
			s, err := store.Open(t.Context(), u.String(), store.Options{Now: time.Now})
			if err == nil {
				_ = s.Close()
			}
			var open *store.OpenError
			if !errors.As(err, &open) || !strings.Contains(open.Problem, tc.want) || !strings.Contains(open.Fix, tc.fix) {
				t.Fatalf("got %v, want %q and %q", err, tc.want, tc.fix)
			}
			if text := err.Error(); strings.Contains(text, "hunter2") || password != "" && strings.Contains(text, password) || strings.Contains(text, "\n") {
				t.Errorf("want one sentence without a password, got %s", text)
			}
		})
	}
}
