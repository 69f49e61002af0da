package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	defaultMaxConns = 16
	connectTimeout  = 10 * time.Second
	// maxAttempts bounds how often a transition that lost a conflict runs.
	maxAttempts = 10
)

type postgresEngine struct {
	db    *sql.DB
	conf  *pgx.ConnConfig
	hints hints

	listening sync.Once
	stop      context.CancelFunc
	life      context.Context //nolint:containedctx // ends the listener in close
	done      sync.WaitGroup
}

func openPostgres(ctx context.Context, dsn string, o Options) (*postgresEngine, error) {
	conf, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, &OpenError{Problem: "the PostgreSQL address is malformed", Fix: "write postgres://USER@HOST:PORT/DATABASE", Err: err}
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = connectTimeout
	}
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "sallyport"
	}
	conns := o.MaxConns
	if conns <= 0 {
		conns = defaultMaxConns
	}
	e := &postgresEngine{db: stdlib.OpenDB(*conf), conf: conf}
	e.db.SetMaxOpenConns(conns)
	e.db.SetMaxIdleConns(conns)
	e.db.SetConnMaxIdleTime(5 * time.Minute)
	e.life, e.stop = context.WithCancel(context.Background())
	if err := e.db.PingContext(ctx); err != nil {
		_ = e.close()
		return nil, &OpenError{
			Problem: fmt.Sprintf("PostgreSQL at %s:%d, database %q, does not let us in", conf.Host, conf.Port, conf.Database),
			Fix:     "check that it runs, that the database exists, and the user and password", Err: err,
		}
	}
	return e, nil
}

func (e *postgresEngine) read(ctx context.Context, f func(context.Context, queryer) error) error {
	return closed(f(ctx, sqlQueryer{e.db}))
}

// write repeats a transition that lost a deadlock or a conflict: it has
// changed nothing, and the next run sees what the winner did.
func (e *postgresEngine) write(ctx context.Context, f transition) error {
	for attempt := 1; ; attempt++ {
		err := e.once(ctx, f)
		if err == nil || !conflict(err) || attempt == maxAttempts {
			return closed(err)
		}
		spread := 1 + rand.IntN(5) //nolint:gosec // nothing depends on its secrecy
		pause := time.NewTimer(time.Duration(attempt*spread) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// once asks for READ COMMITTED whatever the server's default is: a statement
// that waited for a row must see what the other transaction left.
func (e *postgresEngine) once(ctx context.Context, f transition) error {
	dbtx, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = dbtx.Rollback() }()
	t := &tx{queryer: sqlQueryer{dbtx}, forShare: " FOR SHARE"}
	if err := runTransition(ctx, f, t); err != nil {
		return err
	}
	if t.fed {
		if _, err := t.exec(ctx, "NOTIFY "+feedChannel); err != nil {
			return fmt.Errorf("notify: %w", err)
		}
	}
	if err := dbtx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// conflict reports a serialization failure or a deadlock (SQLSTATE class 40).
func conflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

func closed(err error) error {
	if err != nil && err.Error() == "sql: database is closed" || errors.Is(err, sql.ErrConnDone) {
		return ErrClosed
	}
	return err
}

func (e *postgresEngine) subscribe() <-chan struct{} {
	c := e.hints.subscribe()
	e.listening.Do(func() { e.done.Go(e.listen) })
	return c
}

func (e *postgresEngine) close() error {
	e.stop()
	e.done.Wait()
	return e.db.Close()
}

// sqlQueryer runs statements on a pool or a transaction. The driver keeps
// prepared statements for each connection.
type sqlQueryer struct {
	on interface {
		ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	}
}

func (q sqlQueryer) exec(ctx context.Context, text string, args ...any) (int64, error) {
	res, err := q.on.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (q sqlQueryer) each(ctx context.Context, f func(func(...any) error) error, text string, args ...any) error {
	rows, err := q.on.QueryContext(ctx, text, args...)
	return scanAll(rows, err, f)
}
