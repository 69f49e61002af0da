package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"

	"modernc.org/sqlite"
)

// busyTimeoutMillis is how long a write waits for another process's.
const busyTimeoutMillis = "10000"

type sqliteEngine struct {
	writes, reads *sql.DB
	group         *group
	// readers holds the idle readers; nil stands for one not yet opened. Waiting
	// for one can be given up, which a pool of database/sql cannot do as cheaply.
	readers chan *sqliteConn
	closing chan struct{}
	once    sync.Once
	hints   hints
}

func openSQLite(ctx context.Context, path string) (*sqliteEngine, error) {
	// Without it, any close of the file anywhere in this process would drop the
	// locks that other processes rely on. Where the system has no such locks it
	// fails, and that rule has to be kept by not touching the file.
	_, _ = sqlite.OFDLocking(true)
	full, err := filepath.Abs(path)
	if path == "" || err != nil {
		return nil, &OpenError{Problem: "the store address names no file", Fix: "write sqlite:PATH", Err: err}
	}
	size, err := prepareFile(full)
	if err != nil {
		return nil, err
	}
	e := &sqliteEngine{readers: make(chan *sqliteConn, max(2, runtime.GOMAXPROCS(0))), closing: make(chan struct{})}
	if e.writes, err = sql.Open("sqlite", sqliteDSN(full, "")); err != nil {
		return nil, err
	}
	if e.reads, err = sql.Open("sqlite", sqliteDSN(full, "&_query_only=1")); err != nil {
		return nil, err
	}
	// A connection that we give back is closed: it may have a transaction open.
	e.writes.SetMaxIdleConns(-1)
	e.reads.SetMaxIdleConns(-1)
	writer, err := openWriter(ctx, e.writes, full, size)
	if err != nil {
		return nil, errors.Join(err, e.writes.Close(), e.reads.Close())
	}
	for range cap(e.readers) {
		e.readers <- nil
	}
	e.group = newGroup(writer, e.reopenWriter, e.hints.signal) //nolint:contextcheck // the writer outlives the opening
	return e, nil
}

func (*sqliteEngine) connections() sql.DBStats { return sql.DBStats{} }

func (e *sqliteEngine) reopenWriter() (*sqliteConn, error) {
	return newSQLiteConn(context.Background(), e.writes)
}

func sqliteDSN(path, more string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	return u.String() + "?_pragma=busy_timeout(" + busyTimeoutMillis + ")&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_pragma=journal_size_limit(67108864)&_txlock=immediate&_dqs=0&_defensive=1" + more
}

// openWriter checks the file before the first change to it, which is WAL mode.
func openWriter(ctx context.Context, db *sql.DB, path string, size int64) (*sqliteConn, error) {
	c, err := newSQLiteConn(ctx, db)
	if err != nil {
		return nil, unhealthy(path, err)
	}
	if err := checkHealth(ctx, c, path, size); err != nil {
		c.close()
		return nil, err
	}
	var mode string
	if err := row(ctx, c, []any{&mode}, "PRAGMA journal_mode = WAL"); err != nil || mode != "wal" {
		c.close()
		return nil, &OpenError{
			Problem: fmt.Sprintf("%s cannot use a write-ahead log", path),
			Fix:     "put it on a local disk in a folder that this user may write", Err: err,
		}
	}
	return c, nil
}

func (e *sqliteEngine) write(ctx context.Context, f transition) error { return e.group.do(ctx, f) }

// read waits for a reader as long as ctx allows. The statements themselves run
// to their end: in WAL mode they wait for nobody.
func (e *sqliteEngine) read(ctx context.Context, f func(context.Context, queryer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var c *sqliteConn
	select {
	case <-e.closing:
		return ErrClosed
	default:
	}
	select {
	case c = <-e.readers:
	case <-e.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { e.readers <- c }()
	ctx = context.WithoutCancel(ctx) // a context that can end costs a goroutine for each statement
	if c == nil {
		opened, err := newSQLiteConn(ctx, e.reads)
		if err != nil {
			return err
		}
		c = opened
	}
	return f(ctx, c)
}

func (e *sqliteEngine) subscribe() <-chan struct{} { return e.hints.subscribe() }

func (e *sqliteEngine) close() error {
	var err error
	e.once.Do(func() {
		close(e.closing)
		e.group.close()
		for range cap(e.readers) { // waits for the readings under way
			if c := <-e.readers; c != nil {
				c.close()
			}
		}
		err = errors.Join(e.reads.Close(), e.writes.Close())
	})
	return err
}
