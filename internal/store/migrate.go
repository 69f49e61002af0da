package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/secret"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one numbered step of the schema. Steps only go forward, and a
// step that has been released never changes.
type migration struct {
	version  int
	name     string
	checksum string
	text     string
}

func loadMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	list := make([]migration, 0, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(strings.TrimPrefix(name, "migrations/"), ".sql")
		digits, _, _ := strings.Cut(base, "_")
		if version, err := strconv.Atoi(digits); err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s must have number %d", name, i+1)
		}
		sum := sha256.Sum256(text)
		list = append(list, migration{version: i + 1, name: base, checksum: hex.EncodeToString(sum[:]), text: string(text)})
	}
	return list, nil
}

// statements splits the text, as d has it, at the semicolons that end a line.
func (m migration) statements(d dialect) []string {
	var list []string
	text := strings.NewReplacer("/*clustered*/", d.clustered, "/*random*/", d.random).Replace(m.text)
	for part := range strings.SplitSeq(text, ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// NeedsMigration reports whether Migrate has something to do. A database that
// a newer release has migrated, or whose steps are not ours, is an *OpenError.
func (s *Store) NeedsMigration(ctx context.Context) (bool, error) {
	known, err := loadMigrations(migrationFiles)
	if err != nil {
		return false, err
	}
	applied := map[int]string{}
	err = s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return readApplied(ctx, q, s.engine.dialect().findBookkeeping, applied)
	})
	if err != nil {
		return false, fmt.Errorf("read schema version: %w", err)
	}
	return compareSchema(known, applied)
}

func readApplied(ctx context.Context, q queryer, find string, applied map[int]string) error {
	tables := 0
	if err := row(ctx, q, []any{&tables}, find); err != nil || tables == 0 {
		return err
	}
	return q.each(ctx, func(scan func(...any) error) error {
		version, checksum := 0, ""
		err := scan(&version, &checksum)
		applied[version] = checksum
		return err
	}, `SELECT version, checksum FROM sallyport_migrations`)
}

func compareSchema(known []migration, applied map[int]string) (needs bool, err error) {
	for version := range applied {
		if version > len(known) {
			return false, &OpenError{
				Problem: fmt.Sprintf("the database has schema %d and this release knows schemas up to %d", version, len(known)),
				Fix:     "run the release that migrated it or a newer one",
			}
		}
	}
	for _, m := range known {
		switch checksum, done := applied[m.version]; {
		case !done:
			needs = true
		case checksum != m.checksum:
			return false, &OpenError{
				Problem: fmt.Sprintf("the database was migrated by another text of step %s", m.name),
				Fix:     "run the release that migrated it, or restore a backup",
			}
		}
	}
	return needs, nil
}

// The lease of the migration lock outlives any step that we write. A step
// checks it again in its own transaction, so an expired one does no harm.
const (
	leaseLife = 2 * time.Minute
	leasePoll = 100 * time.Millisecond
)

// Migrate brings the schema up to this release. Nodes may call it at the same
// time: one works, the others wait for it, as long as ctx allows.
func (s *Store) Migrate(ctx context.Context) error {
	ctx = unbounded(ctx)
	needs, err := s.NeedsMigration(ctx)
	if err != nil || !needs {
		return err
	}
	if err := s.makeBookkeeping(ctx); err != nil {
		return err
	}
	known, err := loadMigrations(migrationFiles)
	if err != nil {
		return err
	}
	holder := secret.NewID(s.now()).String()
	if err := s.takeLease(ctx, holder); err != nil {
		return err
	}
	defer func() {
		_ = s.write(context.WithoutCancel(ctx), "release migration lock", func(ctx context.Context, t *tx) error {
			_, err := t.exec(ctx, `UPDATE sallyport_migration_lock SET until_s = 0 WHERE holder = $1`, holder)
			return err
		})
	}()
	for _, m := range known {
		if err := s.apply(ctx, m, holder); err != nil {
			return err
		}
	}
	_, err = s.NeedsMigration(ctx)
	return err
}

var bookkeeping = []string{
	`CREATE TABLE IF NOT EXISTS sallyport_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_s BIGINT NOT NULL)`,
	`CREATE TABLE IF NOT EXISTS sallyport_migration_lock (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), holder TEXT NOT NULL, until_s BIGINT NOT NULL)`,
	`INSERT INTO sallyport_migration_lock (id, holder, until_s) VALUES (1, '', 0) ON CONFLICT DO NOTHING`,
}

// makeBookkeeping tries more than once: in PostgreSQL, IF NOT EXISTS fails when
// another session creates the same table in the same moment.
func (s *Store) makeBookkeeping(ctx context.Context) error {
	var err error
	for range 5 {
		err = s.write(ctx, "create migration tables", func(ctx context.Context, t *tx) error { return t.all(ctx, bookkeeping) })
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

var errLeaseHeld = errors.New("another node is migrating")

func (s *Store) takeLease(ctx context.Context, holder string) error {
	for {
		now := s.now()
		err := s.write(ctx, "take migration lock", func(ctx context.Context, t *tx) error {
			return changed(ctx, t, errLeaseHeld, `UPDATE sallyport_migration_lock SET holder = $1, until_s = $2 WHERE until_s <= $3`,
				holder, now.Add(leaseLife).Unix(), now.Unix())
		})
		if !errors.Is(err, errLeaseHeld) {
			return err
		}
		timer := time.NewTimer(leasePoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", errLeaseHeld, ctx.Err())
		}
	}
}

// apply runs one step, its record and the renewal of the lease in one
// transaction: a step is there whole or not at all.
func (s *Store) apply(ctx context.Context, m migration, holder string) error {
	now := s.now()
	return s.write(ctx, "migrate "+m.name, func(ctx context.Context, t *tx) error {
		err := changed(ctx, t, errors.New("the migration lock was lost"),
			`UPDATE sallyport_migration_lock SET until_s = $1 WHERE holder = $2`, now.Add(leaseLife).Unix(), holder)
		if err != nil {
			return err
		}
		done := 0
		if err := row(ctx, t, []any{&done}, `SELECT count(*) FROM sallyport_migrations WHERE version = $1`, m.version); err != nil || done > 0 {
			return err
		}
		if err := t.all(ctx, m.statements(s.engine.dialect())); err != nil {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO sallyport_migrations (version, name, checksum, applied_s) VALUES ($1, $2, $3, $4)`,
			m.version, m.name, m.checksum, now.Unix())
		return err
	})
}
