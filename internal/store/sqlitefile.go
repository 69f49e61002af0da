package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	sqliteMagic = "SQLite format 3\x00"
	// fullCheckBytes is the size up to which opening reads the whole file: a
	// start must stay fast. Larger ones are checked where they are used.
	fullCheckBytes = 16 << 20

	fixRestore = "restore a backup or name another file; this one has been left as it is"
)

// prepareFile checks what is at path and creates the file if nothing is. It
// returns the size found.
func prepareFile(path string) (int64, error) {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return 0, &OpenError{Problem: fmt.Sprintf("there is no folder %s", folder), Fix: "create it or name another file", Err: err}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return 0, &OpenError{Problem: fmt.Sprintf("%s cannot be opened for writing (%v)", path, cause(err)), Fix: "let this user write the file and its folder, or name another file", Err: err}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("open store: %w", err)
	}
	if info.Size() == 0 {
		return 0, nil
	}
	head := make([]byte, len(sqliteMagic))
	if _, err := io.ReadFull(f, head); err != nil || string(head) != sqliteMagic {
		return 0, &OpenError{Problem: fmt.Sprintf("%s is not a SQLite database", path), Fix: fixRestore, Err: err}
	}
	return info.Size(), nil
}

func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// checkHealth reads and changes nothing.
func checkHealth(ctx context.Context, c *sqliteConn, path string, size int64) error {
	var tables, ours int
	err := row(ctx, c, []any{&tables, &ours}, `SELECT count(*), count(CASE WHEN name = 'sallyport_migrations' THEN 1 END) FROM sqlite_schema WHERE type = 'table'`)
	if err != nil {
		return unhealthy(path, err)
	}
	if tables > 0 && ours == 0 {
		return &OpenError{Problem: fmt.Sprintf("%s is the database of another program", path), Fix: "name another file"}
	}
	if size > fullCheckBytes {
		return nil
	}
	verdict := ""
	if err := row(ctx, c, []any{&verdict}, "PRAGMA quick_check(1)"); err != nil {
		return unhealthy(path, err)
	}
	if verdict != "ok" {
		return unhealthy(path, errors.New(verdict))
	}
	return nil
}

// unhealthy says what an error of the engine means for a file that has just
// been found to be there.
func unhealthy(path string, err error) error {
	var said *sqlite.Error
	if errors.As(err, &said) {
		switch said.Code() & 0xff { // the primary result code
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return &OpenError{Problem: fmt.Sprintf("%s is locked by another process", path), Fix: "end that process or wait for it", Err: err}
		case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY:
			return &OpenError{Problem: fmt.Sprintf("%s cannot be opened for writing", path), Fix: "let this user write the file and its folder, or name another file", Err: err}
		}
	}
	return &OpenError{Problem: fmt.Sprintf("%s is a damaged SQLite database", path), Fix: fixRestore, Err: err}
}
