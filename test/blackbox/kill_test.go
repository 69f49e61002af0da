package blackbox_test

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

const kills = 50

// app is one sign-in on one device, refreshing without a pause.
type app struct {
	mu      sync.Mutex
	last    rig.Tokens // what the app was last told
	rotated int
	refused []rig.Tokens
}

// refreshUntilDead presents the newest refresh token over and over, until the
// server no longer answers.
func (a *app) refreshUntilDead(s *rig.Server) {
	for {
		got, err := s.Refresh(a.last.RefreshToken)
		if err != nil {
			return // killed: the answer is lost, and perhaps not the rotation
		}
		a.mu.Lock()
		if got.Status != http.StatusOK {
			a.refused = append(a.refused, got)
			a.mu.Unlock()
			return
		}
		a.last, a.rotated = got, a.rotated+1
		a.mu.Unlock()
	}
}

// spentCode is a code that was sent for redemption around a kill.
type spentCode struct {
	code, verifier string
	accepted       int
}

func (c *spentCode) redeem(s *rig.Server) {
	if got, err := s.Redeem(c.code, c.verifier); err == nil && got.Status == http.StatusOK {
		c.accepted++
	}
}

// TestKillInTheMiddleOfRefreshes kills the server again and again while apps
// refresh and codes are redeemed. What was acknowledged holds afterwards: the
// last refresh token that an app received works, a revoked token stays dead,
// no code is accepted twice, and the person can still sign in.
func TestKillInTheMiddleOfRefreshes(t *testing.T) {
	o := rig.Options{State: filepath.Join(t.TempDir(), "state"), Listen: rig.FreeAddr(t)}
	s := rig.Start(t, o)
	person, apps := s.Person(t), make([]*app, 4)
	for i := range apps {
		apps[i] = &app{last: person.Tokens(t, rig.ReadScope)}
	}
	user, rotated := s.Username, 0
	for round := range kills {
		codes, revoked := killOnce(t, s, person, apps)
		s = rig.Start(t, o)
		person = person.At(s)
		if s.Username != user {
			t.Fatalf("round %d: the demo user is now %q, was %q", round, s.Username, user)
		}
		afterKill(t, s, round, apps, codes, revoked)
		if round%5 == 0 { // in a new browser, so that the password is asked for
			wantItem(t, s, http.StatusOK, s.Person(t).Tokens(t, rig.ReadScope).AccessToken)
		}
	}
	for _, a := range apps {
		rotated += a.rotated
	}
	if rotated < kills {
		t.Errorf("only %d refreshes were acknowledged in %d rounds: nothing was killed in the middle", rotated, kills)
	}
	t.Logf("%d kills, %d acknowledged refreshes", kills, rotated)
	wantExit(t, s, 0)
}

// killOnce lets the apps refresh and two codes be redeemed, and kills the
// server at some moment of it.
func killOnce(t *testing.T, s *rig.Server, person *rig.Person, apps []*app) (codes []*spentCode, revoked string) {
	t.Helper()
	for range 2 {
		code, verifier := person.Code(t, rig.ReadScope)
		codes = append(codes, &spentCode{code: code, verifier: verifier})
	}
	gone := person.Tokens(t, rig.ReadScope)
	var wg sync.WaitGroup
	for _, a := range apps {
		wg.Go(func() { a.refreshUntilDead(s) })
	}
	codes[0].redeem(s)
	revoked = revoke(t, s, gone)
	wg.Go(func() { codes[1].redeem(s) })
	time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
	s.Kill()
	wg.Wait()
	return codes, revoked
}

func revoke(t *testing.T, s *rig.Server, tok rig.Tokens) string {
	t.Helper()
	res, err := s.Post("/oauth/revoke", map[string][]string{"token": {tok.AccessToken}, "client_id": {s.ClientID}}, "", "")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("revoke: %v %v", err, res)
	}
	return tok.AccessToken
}

func afterKill(t *testing.T, s *rig.Server, round int, apps []*app, codes []*spentCode, revoked string) {
	t.Helper()
	for i, a := range apps {
		if len(a.refused) > 0 {
			t.Fatalf("round %d, app %d: refused before the kill: %+v", round, i, a.refused)
		}
		got, err := s.Refresh(a.last.RefreshToken)
		if err != nil || got.Status != http.StatusOK {
			t.Fatalf("round %d, app %d: the last refresh token it was given no longer works: %v %d %s %s %s",
				round, i, err, got.Status, got.Error, got.Description, got.ErrorReason)
		}
		a.last = got
		wantItem(t, s, http.StatusOK, got.AccessToken)
	}
	wantItem(t, s, http.StatusUnauthorized, revoked)
	if codes[0].accepted != 1 {
		t.Fatalf("round %d: a good code was not accepted", round)
	}
	for i, c := range codes {
		c.redeem(s)
		c.redeem(s)
		if c.accepted > 1 {
			t.Fatalf("round %d: code %d was accepted %d times", round, i, c.accepted)
		}
	}
}
