package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
)

// childEnv names the database of a child process that works until it is killed.
const childEnv = "SALLYPORT_STORE_CHILD"

const (
	kills   = 20
	workers = 4
)

// runChild rotates one grant in each of several goroutines, revokes an access
// token now and then, and prints each of them when the store has answered.
func runChild(path string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+path, store.Options{Now: time.Now})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for _, text := range strings.Split(os.Getenv(childEnv+"_GRANTS"), ",") {
		wg.Go(func() {
			if err := work(ctx, s.OAuth(), text); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	wg.Wait()
	return 1
}

func work(ctx context.Context, o store.OAuth, grant string) error {
	id, err := secret.ParseID(grant)
	if err != nil {
		return err
	}
	g, err := o.Grant(ctx, id)
	if err != nil {
		return err
	}
	for generation := g.Generation; ; generation++ {
		now := time.Now()
		if err := o.RotateRefresh(ctx, id, generation, now, now.Add(time.Hour)); err != nil {
			return err
		}
		fmt.Printf("g %s %d\n", grant, generation+1)
		if generation%5 == 0 {
			serial := secret.NewID(now)
			if err := o.RevokeSerial(ctx, serial, revocation.ReasonRevoked, now, now.Add(time.Hour)); err != nil {
				return err
			}
			fmt.Printf("r %s\n", serial)
		}
	}
}

func TestRV21NothingAcknowledgedIsLostByKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, "sqlite:"+path, time.Now)
	grants := prepareGrants(t, s, workers)
	closeNow(t, s)
	last, revoked := map[string]uint32{}, []string{}
	for _, id := range grants {
		last[id] = 1
	}
	for round := range kills {
		seen := killAfter(t, path, grants, time.Duration(5+round*3)*time.Millisecond)
		for _, line := range seen {
			var grant string
			var generation uint32
			if n, _ := fmt.Sscanf(line, "g %s %d", &grant, &generation); n == 2 {
				last[grant] = generation
			} else if id, ok := strings.CutPrefix(line, "r "); ok {
				revoked = append(revoked, id)
			}
		}
		s := open(t, "sqlite:"+path, time.Now)
		for _, text := range grants {
			id, err := secret.ParseID(text)
			must(t, err)
			g, err := s.OAuth().Grant(t.Context(), id)
			must(t, err)
			// One more may be stored than was answered: it was under way.
			if g.Generation < last[text] || g.Generation > last[text]+1 {
				t.Errorf("round %d: generation %d was answered and %d is stored", round, last[text], g.Generation)
			}
			last[text] = g.Generation
		}
		wantInFeed(t, s, revoked)
		closeNow(t, s)
	}
	if len(revoked) < kills {
		t.Errorf("only %d revocations in %d rounds: the child did too little to prove anything", len(revoked), kills)
	}
	t.Logf("%v rotations and %d revocations survived %d kills", last, len(revoked), kills)
}

func prepareGrants(t testing.TB, s *store.Store, n int) (ids []string) {
	t.Helper()
	now := time.Now()
	u := account.User{ID: "u1", Username: "ada", CreatedAt: now}
	must(t, s.Account().AddUser(t.Context(), u))
	session := account.Session{ID: secret.NewID(now), UserID: u.ID, CreatedAt: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(time.Hour)}
	must(t, s.Account().AddSession(t.Context(), session, secret.ID{}))
	for range n {
		g := oauth.Grant{
			ID: secret.NewID(now), ClientID: "app", UserID: u.ID, SID: session.ID, Scope: "openid catalog.read", CreatedAt: now,
			Audience: "https://api.example.com/catalog", Refreshable: true, Generation: 1, Salt: secret.Random(16),
			IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(24 * time.Hour),
		}
		must(t, s.OAuth().RedeemCode(t.Context(), g))
		ids = append(ids, g.ID.String())
	}
	return ids
}

// killAfter runs a child, kills it a moment after its first line, and returns
// all whole lines that it printed.
func killAfter(t *testing.T, path string, grants []string, moment time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path, childEnv+"_GRANTS="+strings.Join(grants, ","))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err != nil { // what is not a whole line was not said
			break
		}
		if lines = append(lines, strings.TrimSpace(line)); len(lines) == 1 {
			time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || len(lines) == 0 {
		t.Fatalf("the child ended by itself after %d lines: %v", len(lines), err)
	}
	return lines
}

func wantInFeed(t *testing.T, s *store.Store, ids []string) {
	t.Helper()
	list, err := s.Feed().Entries(t.Context(), 0, 1_000_000)
	must(t, err)
	found := map[string]bool{}
	for _, e := range list {
		found[e.ID] = true
	}
	for _, id := range ids {
		if !found[id] {
			t.Errorf("revocation of %s was answered and is lost", id)
		}
	}
}
