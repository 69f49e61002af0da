// Package store keeps what must survive a restart, in SQLite or PostgreSQL,
// behind the Store interfaces of oauth, account, token and revocation. It
// decides atomicity: every method is one transaction whose conditional write
// settles the race. It knows no rule of the protocol. Start at Open, then
// transition.go; the schema is in migrations, the contract in storetest.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Options say how to open a store. Now is needed.
type Options struct {
	Now func() time.Time
	// MaxConns bounds the connections to PostgreSQL; 0 means 16. SQLite has one
	// writer and a few readers whatever it says.
	MaxConns int
	// Silent are clients of the configuration that have no backchannel_logout_uri,
	// so that no message is stored for them when a session ends.
	Silent []string
	// MaxSignals bounds the events that wait in one stream of signals; 0 means 10000.
	MaxSignals int
}

// ErrClosed is returned by every method after Close.
var ErrClosed = errors.New("the store is closed")

// Store is an open database. Safe for concurrent use. Its methods are reached
// through OAuth, Account, Keys and Feed, one for each interface it is behind.
type Store struct {
	engine engine
	now    func() time.Time
	silent atomic.Pointer[map[string]bool] // see Options.Silent

	mostSignals int64
}

// engine is what differs between the databases.
type engine interface {
	// read runs f outside of a transaction.
	read(ctx context.Context, f func(context.Context, queryer) error) error
	// write runs f in a transaction and returns nil when it is durable. f may
	// run more than once, each time from the state before it.
	write(ctx context.Context, f transition) error
	// subscribe returns a channel that is signalled when the feed may have grown.
	subscribe() <-chan struct{}
	dialect() dialect
	// connections are those of a pool; zero where there is none.
	connections() sql.DBStats
	close() error
}

// Open opens the database that dsn names: sqlite:PATH, where PATH is a file in
// an existing folder and relative to the working directory, or a PostgreSQL
// URL. A missing SQLite file is created with mode 0600; nothing else is
// changed: migrating is Migrate's work. The error is an *OpenError where a
// person can do something about it.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	if o.Now == nil {
		return nil, errors.New("store: Options.Now is missing")
	}
	e, err := openEngine(ctx, dsn, o)
	if err != nil {
		return nil, err
	}
	s := &Store{engine: e, now: o.Now, mostSignals: int64(cmp.Or(o.MaxSignals, defaultMostSignals))}
	s.SetSilent(o.Silent)
	if _, err := s.NeedsMigration(ctx); err != nil {
		_ = e.close()
		return nil, err
	}
	return s, nil
}

// SetSilent replaces Options.Silent.
func (s *Store) SetSilent(clientIDs []string) {
	silent := make(map[string]bool, len(clientIDs))
	for _, id := range clientIDs {
		silent[id] = true
	}
	s.silent.Store(&silent)
}

// Close ends the transitions that are under way, then the connections.
func (s *Store) Close() error { return s.engine.close() }

// Connections says how the pool of connections to PostgreSQL is used. SQLite has
// none, and all is zero.
func (s *Store) Connections() sql.DBStats { return s.engine.connections() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	err := s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		var one int
		return row(ctx, q, []any{&one}, `SELECT 1`)
	})
	if err != nil {
		return fmt.Errorf("ping store: %w", err)
	}
	return nil
}

// OAuth implements oauth.Store, oauth.ClientAdmin and oauth.Users.
type OAuth struct{ s *Store }

// OAuth is the store as the authorization server sees it.
func (s *Store) OAuth() OAuth { return OAuth{s} }

// Account implements account.Store.
type Account struct{ s *Store }

// Account is the store as sign-in sees it.
func (s *Store) Account() Account { return Account{s} }

// Keys implements token.KeyStore.
type Keys struct{ s *Store }

// Keys is the store as the key ring sees it.
func (s *Store) Keys() Keys { return Keys{s} }
