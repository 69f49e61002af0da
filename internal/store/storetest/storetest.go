// Package storetest is the contract of the store: what oauth, account, token
// and revocation rely on, as tests that every engine passes, with sixteen
// goroutines fighting where a race must have one winner. It decides nothing
// about engines: it reaches a store only through the interfaces. Start at Run.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/apikey"
	"sallyport/internal/bff"
	"sallyport/internal/certificates"
	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
	"sallyport/internal/token"
	"sallyport/internal/vault"
)

// Backend is an empty, migrated store behind the interfaces of its consumers.
type Backend struct {
	OAuth interface {
		oauth.Store
		oauth.ClientAdmin
		oauth.InitialTokenAdmin
		oauth.Users
	}
	Account account.Store
	Keys    token.KeyAdmin
	Outbox  notify.Outbox
	Posts   notify.Posts // of a store for which the client "quiet" is silent
	Feed    revocation.Log
	Vault   vault.Store
	APIKeys apikey.Store
	Signals signals.Store // with MaxSignals events in a stream
	// Certificates keeps those of the listeners.
	Certificates certificates.Store
	Browser      bff.Store
	// Expire deletes what has ended by now and returns the number of rows.
	Expire func(ctx context.Context, now time.Time) (int64, error)
	// Close ends the store; the test calls it at most once before its end.
	Close func() error
}

// fighters is how many goroutines meet in one race.
const fighters = 16

// Run runs the contract. open returns a new store each time, with the given
// clock, and cleans up after t.
func Run(t *testing.T, open func(t *testing.T, now func() time.Time) Backend) {
	t.Helper()
	for _, group := range [][]test{
		grantTests,
		sessionTests,
		userTests,
		passkeyTests,
		clientTests,
		keyTests,
		feedTests,
		expiryTests,
		raceTests,
		leakTests,
		askedTests,
		registrationTests,
		pushedTests,
		postTests,
		signalTests,
		userEventTests,
		factorTests,
		identityTests,
		mailTests,
		personTests,
		vaultTests,
		certificateTests,
		browserSessionTests,
		apiKeyTests,
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				r := &rig{t: t, now: start}
				r.Backend = open(t, r.clock)
				c.run(r)
			})
		}
	}
}

type test struct {
	name string
	run  func(*rig)
}

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// rig is a store with a clock and what most tests need in it.
type rig struct {
	Backend
	t *testing.T

	mu  sync.Mutex
	now time.Time
}

func (r *rig) clock() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now }

func (r *rig) advance(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.now = r.now.Add(d) }

func (r *rig) ctx() context.Context { return r.t.Context() }

func (r *rig) keep() time.Time { return r.clock().Add(time.Hour) }

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) is(what string, err, want error) {
	r.t.Helper()
	if !errors.Is(err, want) {
		r.t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func (r *rig) addUser(name string) account.User {
	r.t.Helper()
	u := account.User{
		ID: secret.NewID(r.clock()).String(), Username: name, Name: "A. " + name, Email: name + "@example.com", EmailVerified: true,
		PasswordHash: "$argon2id$of-" + name, CreatedAt: r.clock(),
	}
	r.ok(r.Account.AddUser(r.ctx(), u))
	return u
}

func (r *rig) session(u account.User) account.Session {
	now, id := r.clock(), secret.NewID(r.clock())
	return account.Session{
		ID: id, SID: id, Hash: secret.NewHandle(secret.SessionCookie).Hash(), UserID: u.ID, UserVersion: u.Version, ACR: "pwd", AMR: "pwd", AuthTime: now,
		CreatedAt: now, LastSeen: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(12 * time.Hour),
	}
}

func (r *rig) addSession(u account.User) account.Session {
	r.t.Helper()
	s := r.session(u)
	r.ok(r.Account.AddSession(r.ctx(), s, secret.ID{}))
	return s
}

func (r *rig) grant(s account.Session) oauth.Grant { return r.grantOf(s, "app") }

// grantOf is what a code of the client stands for, as the client is now.
func (r *rig) grantOf(s account.Session, clientID string) oauth.Grant {
	now := r.clock()
	client, err := r.OAuth.Client(r.ctx(), clientID) // zero where no such client is stored
	if err != nil && !errors.Is(err, oauth.ErrNotFound) {
		r.t.Error(err)
	}
	return oauth.Grant{
		ID: secret.NewID(now), ClientID: clientID, ClientEpoch: client.Epoch, UserID: s.UserID, SID: s.SID, Scope: "openid catalog.read",
		Audience: "https://api.example.com/catalog", ACR: "pwd", AMR: "pwd", AuthTime: s.AuthTime, Nonce: "n\x1f-1\x1f", CreatedAt: now, Refreshable: true,
		Generation: 1, Salt: secret.Random(16), RotatedAt: now, IdleUntil: now.Add(24 * time.Hour), AbsoluteUntil: now.Add(72 * time.Hour),
		Terms: oauth.Terms{Details: json.RawMessage(`[{"type":"payment","text":"a\u001fb"}]`), Resources: []string{"https://api.example.com/catalog"}, GrantType: "authorization_code"},
	}
}

func (r *rig) addGrant(s account.Session) oauth.Grant {
	r.t.Helper()
	g := r.grant(s)
	r.ok(r.OAuth.RedeemCode(r.ctx(), g))
	return g
}

// signedIn is a person with a session and a grant.
func (r *rig) signedIn(name string) (account.User, account.Session, oauth.Grant) {
	r.t.Helper()
	u := r.addUser(name)
	s := r.addSession(u)
	return u, s, r.addGrant(s)
}

func (r *rig) stored(id secret.ID) oauth.Grant {
	r.t.Helper()
	g, err := r.OAuth.Grant(r.ctx(), id)
	r.ok(err)
	return g
}

// wantRevoked checks that a grant has ended, and why.
func (r *rig) wantRevoked(id secret.ID, reason string) {
	r.t.Helper()
	if g := r.stored(id); !g.RevokedAt.Equal(r.clock()) || g.RevokeReason != reason {
		r.t.Errorf("grant revoked at %v for %q, want at %v for %q", g.RevokedAt, g.RevokeReason, r.clock(), reason)
	}
}

func (r *rig) wantAlive(id secret.ID) {
	r.t.Helper()
	if g := r.stored(id); !g.RevokedAt.IsZero() {
		r.t.Errorf("grant was revoked for %q and should live", g.RevokeReason)
	}
}

func (r *rig) entries() []revocation.Entry {
	r.t.Helper()
	list, err := r.Feed.Entries(r.ctx(), 0, 10_000)
	r.ok(err)
	return list
}

// wantFeed checks the whole feed, without Seq, which must rise.
func (r *rig) wantFeed(want ...revocation.Entry) {
	r.t.Helper()
	got := r.entries()
	if len(got) != len(want) {
		r.t.Fatalf("feed has %d entries %+v, want %d", len(got), got, len(want))
	}
	var last int64
	for i, w := range want {
		e := got[i]
		if e.Seq <= last {
			r.t.Errorf("entry %d has seq %d after %d", i, e.Seq, last)
		}
		last, e.Seq = e.Seq, 0
		if d := cmp.Diff(w, e); d != "" {
			r.t.Errorf("entry %d: %s", i, d)
		}
	}
}

// fight runs f in fighters goroutines that start together, and returns how
// often it returned nil. Any other error than lose fails the test.
func (r *rig) fight(lose error, f func(n int) error) (won int) {
	r.t.Helper()
	var wg sync.WaitGroup
	gate := make(chan struct{})
	errs := make([]error, fighters)
	for n := range fighters {
		wg.Go(func() { <-gate; errs[n] = f(n) })
	}
	close(gate)
	wg.Wait()
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case lose == nil || !errors.Is(err, lose):
			r.t.Fatalf("a fighter failed: %v", err)
		}
	}
	return won
}
