package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/store"
)

func TestOpenSaysWhatIsWrongAndChangesNothing(t *testing.T) {
	t.Parallel()
	write := func(b []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	change := func(statements ...string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			closeNow(t, open(t, "sqlite:"+path, time.Now))
			run(t, path, statements...)
		}
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"text":                     {write([]byte("issuer: https://auth.example.com\n")), "is not a SQLite database"},
		"shorter than a header":    {write([]byte("SQLite")), "is not a SQLite database"},
		"header and then nothing":  {write(append([]byte("SQLite format 3\x00"), make([]byte, 5000)...)), "is a damaged SQLite database"},
		"of another program":       {func(t *testing.T, p string) { t.Helper(); run(t, p, `CREATE TABLE songs (id INTEGER)`) }, "of another program"},
		"a page overwritten":       {damage, "is a damaged SQLite database"},
		"cut short":                {cut, "is a damaged SQLite database"},
		"of a newer release":       {change(`INSERT INTO sallyport_migrations VALUES (999, 'x', 'x', 0)`), "schema 999"},
		"migrated by another text": {change(`UPDATE sallyport_migrations SET checksum = 'x'`), "another text of step 0001"},
		"a folder":                 {func(t *testing.T, p string) { t.Helper(); must(t, os.Mkdir(p, 0o700)) }, "cannot be opened"},
		"in a folder that is a file": {func(t *testing.T, p string) {
			t.Helper()
			must(t, os.RemoveAll(filepath.Dir(p)))
			write(nil)(t, filepath.Dir(p))
		}, "there is no folder"},
		"in no folder": {func(t *testing.T, p string) { t.Helper(); must(t, os.RemoveAll(filepath.Dir(p))) }, "there is no folder"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "in", "test.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			c.prepare(t, path)
			before := sum(path)
			s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Now: time.Now})
			if err == nil {
				_ = s.Close()
			}
			var open *store.OpenError
			if !errors.As(err, &open) || !strings.Contains(err.Error(), c.want) || open.Fix == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one sentence with %q", err, c.want)
			}
			if after := sum(path); after != before {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenRefusesOtherAddresses(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "test.db", "sqlite:", "mysql://root:hunter2@db/x", "postgres:hunter2", "postgres://u:hunter2@%zz/db", "postgres://u:hunter2@127.0.0.1:1/db"} {
		_, err := store.Open(t.Context(), dsn, store.Options{Now: time.Now})
		var open *store.OpenError
		if !errors.As(err, &open) {
			t.Errorf("%s: got %v, want *OpenError", dsn, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password shows in %v", dsn, err)
		}
	}
}

func TestNewFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "with space & 100% ?#.db") // and whatever a URI would read otherwise
	s := open(t, "sqlite:"+path, time.Now)
	must(t, s.Ping(t.Context()))
	found, err := os.ReadDir(dir)
	must(t, err)
	if len(found) < 2 {
		t.Errorf("%d files, want the database and its log", len(found))
	}
	for _, f := range found {
		info, err := f.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 || !strings.HasPrefix(f.Name(), filepath.Base(path)) {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

func TestOpenDoesNotMigrate(t *testing.T) {
	t.Parallel()
	for name, dsn := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := dsn(t)
			s, err := store.Open(t.Context(), address, store.Options{Now: time.Now})
			must(t, err)
			defer closeNow(t, s)
			if needs, err := s.NeedsMigration(t.Context()); err != nil || !needs {
				t.Errorf("NeedsMigration of an empty database = %v, %v", needs, err)
			}
			must(t, s.Migrate(t.Context()))
			must(t, s.Migrate(t.Context()))
			if needs, err := s.NeedsMigration(t.Context()); err != nil || needs {
				t.Errorf("NeedsMigration after Migrate = %v, %v", needs, err)
			}
		})
	}
}

func TestNodesThatMigrateTogether(t *testing.T) {
	t.Parallel()
	for name, dsn := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := dsn(t)
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					s, err := store.Open(t.Context(), address, store.Options{Now: time.Now})
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = s.Close() }()
					if err := s.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			open(t, address, time.Now)
		})
	}
}

// A node that died while migrating holds the lock until its lease ends.
func TestMigrationLease(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	now := time.Now()
	s, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Now: func() time.Time { return now }})
	must(t, err)
	defer closeNow(t, s)
	run(t, path,
		`CREATE TABLE sallyport_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_s BIGINT NOT NULL)`,
		`CREATE TABLE sallyport_migration_lock (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, until_s BIGINT NOT NULL)`,
		`INSERT INTO sallyport_migration_lock SELECT 1, 'dead', unixepoch() + 100`)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Migrate(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Migrate under another's lease = %v", err)
	}
	now = now.Add(2 * time.Minute)
	must(t, s.Migrate(t.Context()))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closeNow(t testing.TB, s *store.Store) {
	t.Helper()
	must(t, s.Close())
}

// run changes a SQLite file behind the store's back.
func run(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	for _, q := range statements {
		_, err := db.ExecContext(t.Context(), q)
		must(t, err)
	}
	must(t, db.Close())
}

func damage(t *testing.T, path string) {
	t.Helper()
	closeNow(t, open(t, "sqlite:"+path, time.Now))
	b, err := os.ReadFile(path)
	must(t, err)
	copy(b[4096*2:], bytes.Repeat([]byte{0xa5}, 4096))
	must(t, os.WriteFile(path, b, 0o600))
}

func cut(t *testing.T, path string) {
	t.Helper()
	closeNow(t, open(t, "sqlite:"+path, time.Now))
	must(t, os.Truncate(path, 4096*3))
}

func sum(path string) [32]byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return [32]byte{}
	}
	return sha256.Sum256(b)
}
