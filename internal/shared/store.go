// Package shared decides how nodes share what is short-lived: the identifiers
// of proofs that may be used once. One node keeps them in its own memory; many
// nodes keep them in Redis or Valkey, alone or as a cluster. It knows neither
// what is spent nor why. When the servers do not answer in time the answer is an
// error, and callers refuse. Servers that restart empty have forgotten, and nobody
// can tell: docs/reference/shared-state.md.
// Start at Open and Spend.
package shared

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"sallyport/internal/outbound"
)

// Options say which servers, and for whom.
type Options struct {
	Address    Address
	Deployment string         // names the deployment, as the issuer does: two that share servers share nothing
	Timeout    time.Duration  // for one answer; 0 means 500 ms
	RootCAs    *x509.CertPool // who may vouch for the servers; nil means the system's
	Now        func() time.Time
}

const (
	defaultTimeout = 500 * time.Millisecond
	dialTimeout    = 2 * time.Second

	// MaxTime is the longest time for which something can be spent.
	MaxTime = 24 * time.Hour
)

// ErrUnavailable says that the servers gave no answer, or none that counts. It
// is never to be taken for "not used yet".
var ErrUnavailable = errors.New("shared state is not available")

// Store is a connection to the servers, which mends itself. Safe for
// concurrent use.
type Store struct {
	client  valkey.Client
	prefix  string
	timeout time.Duration
	now     func() time.Time

	spent, repeated, failed atomic.Uint64
}

// Open connects. It refuses servers that throw keys away when memory is short:
// what they forget could be used again.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil || o.Deployment == "" || len(o.Address.Hosts) == 0 {
		return nil, errors.New("shared: Address, Deployment and Now are needed")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	client, err := valkey.NewClient(clientOption(o))
	if err != nil {
		return nil, fmt.Errorf("%w: connect to %s: %w", ErrUnavailable, strings.Join(o.Address.Hosts, ", "), err)
	}
	s := &Store{client: client, prefix: prefix(o.Deployment), timeout: o.Timeout, now: o.Now}
	if err := s.forgetsNothing(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

func clientOption(o Options) valkey.ClientOption {
	option := valkey.ClientOption{
		InitAddress: o.Address.Hosts, Username: o.Address.User, Password: o.Address.Password.Reveal(), SelectDB: o.Address.Database,
		ClientName: "sallyport", DisableCache: true,
		// A repeated SET NX would find what it has written itself.
		DisableRetry: true,
		// A server that hangs is left after this time, and looked for again.
		ConnWriteTimeout: 2 * o.Timeout,
		Dialer:           net.Dialer{Timeout: dialTimeout, KeepAlive: time.Second},
	}
	if o.Address.TLS {
		option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: outbound.CipherSuites, RootCAs: o.RootCAs}
	}
	return option
}

// prefix keeps deployments apart. A hash has no braces, by which a cluster
// would put all keys on one node.
func prefix(deployment string) string {
	sum := sha256.Sum256([]byte("sallyport shared state v1\x00" + deployment))
	return "sallyport:" + hex.EncodeToString(sum[:8]) + ":spent:"
}

// Spend uses id up until then: the first call for it, at whichever node, is
// told fresh, each later one is not, and neither is one that comes when its
// time is over. It is one atomic write (SET NX PX). An error is ErrUnavailable,
// and id may or may not be used up; the caller must refuse. It waits no longer
// than the timeout, or ctx.
func (s *Store) Spend(ctx context.Context, id [32]byte, until time.Time) (fresh bool, err error) {
	left := until.Sub(s.now())
	switch {
	case left <= 0:
		s.repeated.Add(1)
		return false, nil
	case left > MaxTime:
		s.failed.Add(1)
		return false, fmt.Errorf("%w: nothing is kept for longer than %s", ErrUnavailable, MaxTime)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	key := s.prefix + base64.RawURLEncoding.EncodeToString(id[:])
	// A second more than asked, as clocks of nodes and servers differ a little.
	keep := left + time.Second
	err = s.client.Do(ctx, s.client.B().Set().Key(key).Value("1").Nx().Px(keep).Build()).Error()
	switch {
	case err == nil:
		s.spent.Add(1)
		return true, nil
	case valkey.IsValkeyNil(err):
		s.repeated.Add(1)
		return false, nil
	}
	s.failed.Add(1)
	return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Ping returns nil if the servers answer in time.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Do(ctx, s.client.B().Ping().Build()).Error(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// forgetsNothing asks each node for its eviction policy.
func (s *Store) forgetsNothing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	for address, node := range s.client.Nodes() {
		info, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
		if err != nil {
			return fmt.Errorf("%w: ask %s for its memory policy: %w", ErrUnavailable, address, err)
		}
		policy, limited := infoField(info, "maxmemory_policy"), infoField(info, "maxmemory") != "0"
		if limited && policy != "noeviction" {
			return fmt.Errorf("%w: %s forgets keys when its memory is full (%s), so that used proofs could pass again: set maxmemory-policy noeviction", ErrUnavailable, address, policy)
		}
	}
	return nil
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Counts says what has become of all calls of Spend.
type Counts struct{ Spent, Repeated, Failed uint64 }

// Counts returns the counts since Open.
func (s *Store) Counts() Counts {
	return Counts{Spent: s.spent.Load(), Repeated: s.repeated.Load(), Failed: s.failed.Load()}
}

// Close ends the connections. Running calls fail.
func (s *Store) Close() { s.client.Close() }
