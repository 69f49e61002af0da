package account_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// cheap keeps tests fast: what is tested does not depend on the cost.
var cheap = account.Argon2Params{MemoryKiB: 64, Passes: 1, Threads: 1}

const good = "seven brown otters juggle"

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

// house is a service with a store and a clock of its own.
type house struct {
	*account.Service
	store account.Store
	clock *clock
}

func newHouse(t *testing.T, store account.Store, change ...func(*account.Options)) *house {
	t.Helper()
	h := &house{store: store, clock: &clock{t: start}}
	o := account.Options{Store: store, Now: h.clock.now, Params: cheap}
	for _, c := range change {
		c(&o)
	}
	h.Service = account.New(o)
	return h
}

func (h *house) add(t *testing.T, name string) account.User {
	t.Helper()
	u, err := h.AddUser(t.Context(), account.NewUser{Username: name, Password: secret.New(good)})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// signIn returns the session, its cookie and the error, from an address.
func (h *house) signIn(ctx context.Context, name, password, addr string) (account.Session, secret.Value, error) {
	p, err := h.SignIn(ctx, from(addr), name, secret.New(password))
	return p.Session, p.Cookie, err
}

// from is a visit of nobody in particular.
func from(addr string) account.Visit {
	v := account.Visit{Demand: account.Demand{Tier: token.TierStandard}}
	if addr != "" {
		v.Remote = netip.MustParseAddr(addr)
	}
	return v
}

func reasons(r *audit.Record) (out []string) {
	for _, e := range r.Events() {
		out = append(out, string(e.Name)+":"+e.Reason)
	}
	return out
}

func throttled(err error) bool {
	var t *account.ThrottledError
	return errors.As(err, &t) && t.RetryAfter > 0
}

// memory is a store for what the real one is not needed for: planted rows and
// faults. What must hold on the real store runs on both, see eachStore.
type memory struct {
	account.Store // for what no test of it needs: calling that panics

	mu       sync.Mutex
	users    map[string]account.User
	sessions map[secret.ID]account.Session
	factors  map[string]account.Factors
	touches  int
	lookups  int
	onLookup func() // while UserByName is about to return
}

func newMemory() *memory {
	return &memory{users: map[string]account.User{}, sessions: map[secret.ID]account.Session{}, factors: map[string]account.Factors{}}
}

func (m *memory) UserByName(_ context.Context, folded string) (account.User, error) {
	m.mu.Lock()
	m.lookups++
	user, err := account.User{}, account.ErrNotFound
	for _, u := range m.users {
		if f, _ := account.FoldUsername(u.Username); f == folded {
			user, err = u, nil
		}
	}
	hook := m.onLookup
	m.mu.Unlock()
	if hook != nil {
		hook()
	}
	return user, err
}

func (m *memory) UserByID(_ context.Context, id string) (account.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.users[id]
	if !ok {
		return u, account.ErrNotFound
	}
	return u, nil
}

func (m *memory) Users(context.Context) ([]account.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []account.User
	for _, u := range m.users {
		out = append(out, u)
	}
	return out, nil
}

func (m *memory) AddUser(ctx context.Context, u account.User) error {
	folded, _ := account.FoldUsername(u.Username)
	if _, err := m.UserByName(ctx, folded); err == nil {
		return account.ErrExists
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[u.ID] = u
	return nil
}

func (m *memory) change(id string, f func(*account.User)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	u, ok := m.users[id]
	if !ok {
		return account.ErrNotFound
	}
	f(&u)
	m.users[id] = u
	return nil
}

func (m *memory) endAll(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.sessions {
		if s.UserID == userID {
			delete(m.sessions, id)
		}
	}
}

func (m *memory) SetPassword(_ context.Context, id, hash string, _, _ time.Time) error {
	err := m.change(id, func(u *account.User) { u.PasswordHash = hash; u.Version++ })
	m.endAll(id)
	return err
}

func (m *memory) UpgradePassword(_ context.Context, id, old, fresh string) error {
	stale := false
	err := m.change(id, func(u *account.User) {
		if stale = u.PasswordHash != old; !stale {
			u.PasswordHash = fresh
		}
	})
	if stale {
		return account.ErrNotFound
	}
	return err
}

func (m *memory) SetDisabled(_ context.Context, id string, disabled bool, _, _ time.Time) error {
	err := m.change(id, func(u *account.User) { u.Disabled = disabled; u.Version++ })
	if disabled {
		m.endAll(id)
	}
	return err
}

func (m *memory) EndSessions(_ context.Context, id string, _, _ time.Time) error {
	err := m.change(id, func(*account.User) {})
	m.endAll(id)
	return err
}

func (m *memory) DeleteUser(_ context.Context, id string, _, _ time.Time) error {
	err := m.change(id, func(*account.User) {})
	m.endAll(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.users, id)
	return err
}

func (m *memory) AddSession(_ context.Context, s account.Session, replaces secret.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.users[s.UserID]; !ok || u.Disabled || u.Version != s.UserVersion {
		return account.ErrNotFound
	}
	m.sessions[s.ID] = s
	delete(m.sessions, replaces)
	return nil
}

func (m *memory) Factors(_ context.Context, id string) (account.Factors, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.factors[id], nil
}

func (m *memory) Session(_ context.Context, id secret.ID) (account.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok {
		return s, account.ErrNotFound
	}
	return s, nil
}

func (m *memory) TouchSession(_ context.Context, id secret.ID, lastSeen, idleUntil time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok {
		return account.ErrNotFound
	}
	m.touches++
	s.LastSeen, s.IdleUntil = lastSeen, idleUntil
	m.sessions[id] = s
	return nil
}

// Browsers are all known, and events are not kept; what is told of them is tested
// on the real store.
func (m *memory) KnowBrowser(context.Context, account.KnownBrowser) (known, others bool, err error) {
	return true, true, nil
}

func (m *memory) BrowserKnown(context.Context, string, string) (bool, error) { return false, nil }

func (m *memory) AddEvent(context.Context, account.UserEvent) error { return nil }

func (m *memory) EraseUser(ctx context.Context, userID string, _ *account.Letter, now, keep time.Time) error {
	return m.DeleteUser(ctx, userID, now, keep)
}
