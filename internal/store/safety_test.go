package store_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store/storetest/pgtest"
	"sallyport/internal/token"
)

// Whoever reads the file, a backup or a dump can use nothing of it: neither a
// credential nor the key that makes one is there, in any usual spelling.
func TestTK27T042TheFileHoldsNoUsableCredential(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, "sqlite:"+filepath.Join(dir, "test.db"), time.Now)
	now, ctx := time.Now(), t.Context()
	masterValue, cookie, clientSecret, second := secret.NewHandle(secret.MasterKey), secret.NewHandle(secret.SessionCookie), secret.NewHandle(secret.ClientSecret), secret.NewHandle(secret.ClientSecret)
	master, err := token.NewMaster(masterValue)
	must(t, err)
	ring, err := token.OpenRing(ctx, s.Keys(), master, time.Now)
	must(t, err)

	u := account.User{ID: "u1", Username: "ada", PasswordHash: "$argon2id$v=19$x", CreatedAt: now}
	must(t, s.Account().AddUser(ctx, u))
	session := account.Session{ID: secret.NewID(now), Hash: cookie.Hash(), UserID: u.ID, CreatedAt: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour)}
	must(t, s.Account().AddSession(ctx, session, secret.ID{}))
	must(t, s.OAuth().AddClient(ctx, oauth.Client{ID: "web", Type: oauth.Server, Secrets: []oauth.ClientSecret{{Hash: clientSecret.Hash()}}}))
	must(t, s.OAuth().AddClientSecret(ctx, "web", oauth.ClientSecret{Hash: second.Hash(), CreatedAt: now}, now.Add(time.Hour), now, now.Add(time.Hour)))
	g := oauth.Grant{
		ID: secret.NewID(now), ClientID: "web", UserID: u.ID, SID: session.ID, CreatedAt: now, Refreshable: true, Generation: 1,
		Salt: secret.Random(16), IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour),
	}
	must(t, s.OAuth().RedeemCode(ctx, g))
	must(t, s.OAuth().RotateRefresh(ctx, g.ID, 1, now, now.Add(time.Hour)))
	access, err := ring.SealAccess(&token.Access{
		GrantID: g.ID, Serial: secret.NewID(now), ClientID: "web", Subject: u.ID, Audience: "https://api.example.com",
		Scope: "openid", IssuedAt: now.Unix(), Lifetime: 600, AuthTime: now.Unix(), Tier: token.TierStandard,
	})
	must(t, err)

	values := map[string]secret.Value{
		"master key": masterValue, "cookie": cookie, "client secret": clientSecret, "second client secret": second, "access token": access,
		"refresh token 1": ring.RefreshToken(g.ID, 1, g.Salt), "refresh token 2": ring.RefreshToken(g.ID, 2, g.Salt),
	}
	// While the log is still there, and after it has gone into the database.
	wantNone(t, dir, values)
	closeNow(t, s)
	wantNone(t, dir, values)
}

func wantNone(t *testing.T, dir string, values map[string]secret.Value) {
	t.Helper()
	files, err := os.ReadDir(dir)
	must(t, err)
	found := false
	for _, f := range files {
		dump, err := os.ReadFile(filepath.Join(dir, f.Name()))
		must(t, err)
		found = found || bytes.Contains(dump, []byte("$argon2id$v=19$x")) // the dump does show what is stored
		for name, v := range values {
			plain := v.Reveal()
			payload, err := secret.Decode(secret.Prefix(plain[:4]), plain)
			must(t, err)
			for form, b := range map[string][]byte{
				"whole": []byte(plain), "payload": payload, "text without prefix": []byte(plain[5:40]),
				"hex": fmt.Appendf(nil, "%x", payload), "HEX": fmt.Appendf(nil, "%X", payload), "hex of the whole": []byte(hex.EncodeToString([]byte(plain))),
			} {
				if bytes.Contains(dump, b) {
					t.Errorf("%s is in %s, %s", name, f.Name(), form)
				}
			}
		}
	}
	if !found {
		t.Error("what must be stored is not in any file: the test looks at the wrong place")
	}
}

// The command line opens the same file as the running server.
func TestTwoProcessesShareTheFile(t *testing.T) {
	t.Parallel()
	path := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
	a, b := open(t, path, time.Now), open(t, path, time.Now)
	var wg sync.WaitGroup
	now := time.Now()
	const each = 50
	for _, s := range []struct{ oauth oauth.Store }{{a.OAuth()}, {b.OAuth()}} {
		for range 4 {
			wg.Go(func() {
				for range each / 4 {
					if err := s.oauth.RevokeSerial(t.Context(), secret.NewID(now), revocation.ReasonRevoked, now, now.Add(time.Hour)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	for _, s := range []revocation.Log{a.Feed(), b.Feed()} {
		list, err := s.Entries(t.Context(), 0, 1000)
		must(t, err)
		head, err := s.Head(t.Context(), 0)
		must(t, err)
		if want := each / 4 * 8; len(list) != want || head.Seq != int64(want) {
			t.Errorf("a process sees %d entries up to %d, want %d", len(list), head.Seq, want)
		}
	}
}

// TK29: what cannot be stored is never reported as done.
func TestTK29AFailingStoreIsAnError(t *testing.T) {
	t.Parallel()
	t.Run("sqlite without its table", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "test.db")
		s := open(t, "sqlite:"+path, time.Now)
		id, err := secret.ParseID(prepareGrants(t, s, 1)[0])
		must(t, err)
		run(t, path, `DROP TABLE feed`)
		now := time.Now()
		if err := s.OAuth().RevokeGrant(t.Context(), id, "x", now, now.Add(time.Hour)); err == nil {
			t.Error("a revocation that the feed does not have was reported as done")
		}
		g, err := s.OAuth().Grant(t.Context(), id)
		must(t, err)
		if !g.RevokedAt.IsZero() {
			t.Error("half of the transition stayed")
		}
		if _, err := s.Feed().Entries(t.Context(), 0, 10); err == nil {
			t.Error("an unreadable feed looks empty")
		}
	})
	t.Run("postgres that ends every connection", func(t *testing.T) {
		t.Parallel()
		dsn := pgtest.New(t)
		s := open(t, dsn, time.Now)
		id, err := secret.ParseID(prepareGrants(t, s, 1)[0])
		must(t, err)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { endConnections(t, dsn, stop) })
		acknowledged, failed := uint32(1), 0
		for end := time.Now().Add(time.Minute); failed < 3 && time.Now().Before(end); {
			now := time.Now()
			err := s.OAuth().RotateRefresh(t.Context(), id, acknowledged, now, now.Add(time.Hour))
			if err == nil {
				acknowledged++
				continue
			}
			failed++
			// Whether it was committed is not known; the row knows.
			g, err := s.OAuth().Grant(t.Context(), id)
			for err != nil && t.Context().Err() == nil {
				g, err = s.OAuth().Grant(t.Context(), id)
			}
			if g.Generation < acknowledged || g.Generation > acknowledged+1 {
				t.Fatalf("generation %d was answered, %d is stored", acknowledged, g.Generation)
			}
			acknowledged = g.Generation
		}
		close(stop)
		wg.Wait()
		if failed < 3 {
			t.Error("hardly a rotation failed: the test proves nothing")
		}
	})
}

const endAll = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`

func endConnections(t *testing.T, dsn string, stop <-chan struct{}) {
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for {
		select {
		case <-stop:
			return
		case <-time.After(2 * time.Millisecond):
			if _, err := conn.Exec(t.Context(), endAll); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestHintsComeBackAfterALostConnection(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	reader, writer := open(t, dsn, time.Now), open(t, dsn, time.Now)
	hint := reader.Feed().Hint()
	next := func(what string) {
		t.Helper()
		select {
		case <-hint:
		case <-time.After(20 * time.Second):
			t.Fatalf("no hint %s", what)
		}
	}
	next("when it begins to listen")
	conn, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	_, err = conn.Exec(t.Context(), endAll)
	must(t, err)
	must(t, conn.Close(t.Context()))
	next("when it listens again, for what it may have missed")
	now := time.Now()
	revoke := func() error {
		return writer.OAuth().RevokeSerial(t.Context(), secret.NewID(now), "x", now, now.Add(time.Hour))
	}
	if err := revoke(); err != nil { // a connection of the pool that was ended
		must(t, revoke())
	}
	next("of another node's entry")
}

// A deadlock is PostgreSQL's to break and ours to repeat.
func TestPostgresRepeatsWhatLostADeadlock(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	s := open(t, dsn, time.Now)
	ids := prepareGrants(t, s, 1)
	id, err := secret.ParseID(ids[0])
	must(t, err)
	conn, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), `SET deadlock_timeout = '1min'`) // so that the store's transaction is the victim
	must(t, err)
	tx, err := conn.Begin(t.Context())
	must(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE feed_head SET seq = seq`)
	must(t, err)
	var wg sync.WaitGroup
	now := time.Now()
	wg.Go(func() {
		if err := s.OAuth().RevokeGrant(t.Context(), id, "x", now, now.Add(time.Hour)); err != nil {
			t.Errorf("got %v, want a repeated and then successful transition", err)
		}
	})
	time.Sleep(200 * time.Millisecond) // it has the grant now and waits for the feed
	_, err = tx.Exec(t.Context(), `UPDATE grants SET scope = scope WHERE id = $1`, ids[0])
	must(t, err)
	must(t, tx.Commit(t.Context()))
	wg.Wait()
	g, err := s.OAuth().Grant(t.Context(), id)
	if err != nil || g.RevokedAt.IsZero() {
		t.Errorf("the grant lives: %v", errors.Join(err))
	}
}
