package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"sallyport/internal/outbound"
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
	for _, t := range append([]*pgconn.FallbackConfig{{TLSConfig: conf.TLSConfig}}, conf.Fallbacks...) {
		if t.TLSConfig != nil {
			t.TLSConfig.MinVersion, t.TLSConfig.CipherSuites = tls.VersionTLS12, outbound.CipherSuites
		}
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
		return nil, notReached(conf, err)
	}
	return e, nil
}

func (e *postgresEngine) connections() sql.DBStats { return e.db.Stats() }

// notReached says why no connection came about. The words of driver and server
// stay in Err: they could quote the address with its password.
func notReached(conf *pgx.ConnConfig, err error) *OpenError {
	at := fmt.Sprintf("PostgreSQL at %s:%d", conf.Host, conf.Port)
	var pg *pgconn.PgError
	var dns *net.DNSError
	switch {
	case errors.As(err, &pg):
		return refusedBy(at, conf, pg, err)
	case errors.As(err, &dns):
		return &OpenError{Problem: fmt.Sprintf("the host %q of PostgreSQL cannot be found", conf.Host), Fix: "check the host in the store address", Err: err}
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return &OpenError{Problem: "nothing listens for " + at, Fix: "start it, or check host and port in the store address", Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return &OpenError{Problem: at + " does not answer", Fix: "check host, port and firewall", Err: err}
	}
	return &OpenError{Problem: at + " cannot be reached", Fix: "check host, port and sslmode in the store address", Err: err}
}

// refusedBy is about a server that answered, by SQLSTATE (PostgreSQL, appendix A).
func refusedBy(at string, conf *pgx.ConnConfig, pg *pgconn.PgError, err error) *OpenError {
	switch pg.Code {
	case "28P01", "28000": // invalid_password, invalid_authorization_specification
		return &OpenError{
			Problem: fmt.Sprintf("%s refuses user %q or the password", at, conf.User),
			Fix:     "check user and password in the store address, and pg_hba.conf on the server", Err: err,
		}
	case "3D000": // invalid_catalog_name
		return &OpenError{
			Problem: fmt.Sprintf("%s has no database %q", at, conf.Database),
			Fix:     "create it, or name another in the store address", Err: err,
		}
	case "42501": // insufficient_privilege
		return &OpenError{
			Problem: fmt.Sprintf("%s does not let user %q into database %q", at, conf.User, conf.Database),
			Fix:     "grant CONNECT on the database", Err: err,
		}
	}
	return &OpenError{
		Problem: fmt.Sprintf("%s takes no connection now (SQLSTATE %s)", at, pg.Code),
		Fix:     "look at the log of the server and try again", Err: err,
	}
}

func (e *postgresEngine) read(ctx context.Context, f func(context.Context, queryer) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	return closed(f(ctx, sqlQueryer{e.db}))
}

// statementTime bounds how long a server that has stopped answering can hold a
// connection: with all of them held, every request would wait for ever.
const statementTime = 15 * time.Second

type unboundedKey struct{}

// unbounded is for work that may take long and that a person watches.
func unbounded(ctx context.Context) context.Context {
	return context.WithValue(ctx, unboundedKey{}, true)
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Value(unboundedKey{}) != nil {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, statementTime)
}

// write repeats a transition that lost a deadlock or a conflict: it has
// changed nothing, and the next run sees what the winner did.
func (e *postgresEngine) write(ctx context.Context, f transition) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
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
	t := &tx{queryer: sqlQueryer{dbtx}, forShare: " FOR SHARE", forUpdate: " FOR UPDATE"}
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
