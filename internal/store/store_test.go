package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/internal/store"
	"sallyport/internal/store/storetest"
	"sallyport/internal/store/storetest/pgtest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(runChild(path))
	}
	os.Exit(m.Run())
}

// engines lists the address of an empty database on each engine.
var engines = map[string]func(testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
	"postgres": pgtest.New,
}

func open(t testing.TB, dsn string, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, store.Options{Now: now, Silent: []string{"quiet"}, MaxSignals: storetest.MaxSignals})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, dsn := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Backend {
				s := open(t, dsn(t), now)
				return storetest.Backend{OAuth: s.OAuth(), Account: s.Account(), Keys: s.Keys(), Vault: s.Vault(), APIKeys: s.APIKeys(), Outbox: s.Outbox(), Signals: s.Signals(), Browser: s.Browser(), Posts: s.Outbox(), Feed: s.Feed(), Certificates: s.Certificates(), Expire: s.Expire, Close: s.Close}
			})
		})
	}
}
