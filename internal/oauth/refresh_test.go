package oauth_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func reasonOf(err error) string {
	var e *oauth.Error
	if errors.As(err, &e) && e.Code == "invalid_grant" {
		return e.Reason
	}
	return "not invalid_grant"
}

func TestTK13RefreshRotates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.tokens()
	seen := map[string]bool{first.RefreshToken.Reveal(): true}
	tok := first.RefreshToken
	for range 5 {
		next, err := r.refresh(tok)
		if err != nil {
			t.Fatal(err)
		}
		if seen[next.RefreshToken.Reveal()] {
			t.Fatal("T109: the refresh token did not change")
		}
		seen[next.RefreshToken.Reveal()] = true
		tok = next.RefreshToken
	}
	if !r.active(first.AccessToken) {
		t.Error("rotation has killed an access token")
	}
}

func TestIN02AUsedRefreshTokenIsInactive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mine := []string{"client_id", "web", "client_secret", r.secret.Reveal()}
	first, err := r.redeem(r.code("client_id", "web"), mine...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.refresh(first.RefreshToken, mine...)
	if err != nil {
		t.Fatal(err)
	}
	if r.introspect("web", first.RefreshToken)["active"] != false || r.introspect("web", second.RefreshToken)["active"] != true {
		t.Error("of two refresh tokens the newer one alone is active")
	}
}

func TestLostAnswerIsRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.tokens()
	second, err := r.refresh(first.RefreshToken) // this answer is lost
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.clock.advance(15 * time.Second)
		if err := r.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, err := r.refresh(first.RefreshToken)
		if err != nil {
			t.Fatal("the question asked again is refused:", err)
		}
		if !again.RefreshToken.Equal(second.RefreshToken) {
			t.Error("the same question got another refresh token")
		}
		if !r.active(again.AccessToken) {
			t.Error("the repeated answer's access token is dead")
		}
	}
	if _, err := r.refresh(second.RefreshToken); err != nil {
		t.Errorf("the successor is dead: %v", err)
	}
}

func TestTK13ReuseKillsTheGrant(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rotations int
		wait      time.Duration
	}{
		"the last but one": {2, 0},
		"an old one":       {4, 0},
		"the last one of a bearer after a minute": {1, 61 * time.Second},
	} {
		r := newRig(t)
		first := r.tokens()
		last := first
		for range c.rotations {
			next, err := r.refresh(last.RefreshToken)
			if err != nil {
				t.Fatal(err)
			}
			last = next
		}
		r.clock.advance(c.wait)
		if err := r.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.refresh(first.RefreshToken); reasonOf(err) != "reused" {
			t.Errorf("%s: %v, want invalid_grant because of reuse", name, err)
		}
		if r.active(last.AccessToken) {
			t.Errorf("%s: the thief's access token lives on", name)
		}
		if _, err := r.refresh(last.RefreshToken); reasonOf(err) != "reused" {
			t.Errorf("%s: the successor lives on: %v", name, err)
		}
	}
}

func TestAuthenticatedClientMayAskAgainLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	auth := []string{"client_id", "web", "client_secret", r.secret.Reveal()}
	first, err := r.redeem(r.code("client_id", "web"), auth...)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.refresh(first.RefreshToken, auth...)
	if err != nil {
		t.Fatal(err)
	}
	r.clock.advance(24 * time.Hour)
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := r.refresh(first.RefreshToken, auth...)
	if err != nil || !again.RefreshToken.Equal(second.RefreshToken) {
		t.Errorf("a day later: %v", err)
	}
}

// A stranger has seen the refresh token, but is another client, or has no
// secret, or sends nonsense beside it: nothing is spent, nothing dies.
func TestTK12StrangersNeitherSpendNorRevoke(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.tokens()
	second, err := r.refresh(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	third, err := r.refresh(second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	for _, old := range []secret.Value{first.RefreshToken, second.RefreshToken, third.RefreshToken} {
		for _, change := range [][]string{
			{"client_id", "other"}, {"client_id", "nobody"}, {"client_id", "web"}, {"client_secret", "x"}, {"scope", "openid catalog.read pay"}, {"scope", "\n"},
		} {
			if _, err := r.refresh(old, change...); err == nil {
				t.Errorf("%v: accepted", change)
			}
		}
	}
	if !r.active(third.AccessToken) {
		t.Error("a stranger has killed the grant")
	}
	if _, err := r.refresh(third.RefreshToken); err != nil {
		t.Errorf("a stranger has spent the token: %v", err)
	}
}

func TestTK17ScopeNarrowsForOneAnswerOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens("scope", "openid catalog.read catalog.write")
	narrow, err := r.refresh(res.RefreshToken, "scope", "catalog.read")
	if err != nil || narrow.Scope != "catalog.read" {
		t.Fatalf("scope %v, %v", narrow, err)
	}
	wide, err := r.refresh(narrow.RefreshToken)
	if err != nil || wide.Scope != "openid catalog.read catalog.write" {
		t.Errorf("scope %v, %v; want all that was granted", wide, err)
	}
}

func TestTK14TK15GrantsEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	step := func(tok secret.Value, d time.Duration) (*oauth.TokenResponse, error) {
		r.clock.advance(d)
		if err := r.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		return r.refresh(tok)
	}
	const day = 24 * time.Hour
	if _, err := step(r.tokens().RefreshToken, 30*day); reasonOf(err) != "expired" {
		t.Errorf("idle for 30 days: %v", err)
	}
	r.signIn()
	res := r.tokens()
	for range 6 { // 6 × 29 = 174 days
		next, err := step(res.RefreshToken, 29*day)
		if err != nil {
			t.Fatal(err)
		}
		res = next
	}
	if _, err := step(res.RefreshToken, 6*day); reasonOf(err) != "expired" {
		t.Errorf("TK14: rotated past 180 days: %v", err)
	}
}

func TestHundredRefreshesOneSuccessor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.tokens()
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			res, err := r.refresh(first.RefreshToken)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("a parallel refresh failed: %v", err)
				return
			}
			got[res.RefreshToken.Reveal()]++
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Errorf("%d different successors", len(got))
	}
	for tok := range got {
		if _, err := r.refresh(secret.New(tok)); err != nil {
			t.Errorf("the successor is dead: %v", err)
		}
	}
}

// What a node remembers of a grant must not outlive the grant.
func TestTK16RememberedGrantsDecideNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(*rig, secret.ID) error
		want string
	}{
		"revoked elsewhere": {func(r *rig, id secret.ID) error {
			return r.store.OAuth().RevokeGrant(t.Context(), id, "revoked_by_admin", r.clock.now(), r.clock.now().Add(time.Hour))
		}, "revoked_by_admin"},
		"person disabled elsewhere": {func(r *rig, _ secret.ID) error {
			return r.store.Account().SetDisabled(t.Context(), r.user.ID, true, r.clock.now(), r.clock.now().Add(time.Hour))
		}, "account_disabled"},
		"person deleted elsewhere": {func(r *rig, _ secret.ID) error {
			return r.store.Account().DeleteUser(t.Context(), r.user.ID, r.clock.now(), r.clock.now().Add(time.Hour))
		}, ""},
	} {
		r := newRig(t)
		last := r.tokens().RefreshToken
		for range 3 { // from the second time on, the node remembers it
			next, err := r.refresh(last)
			if err != nil {
				t.Fatal(err)
			}
			last = next.RefreshToken
		}
		parsed, err := token.ParseRefresh(last.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.end(r, parsed.GrantID); err != nil {
			t.Fatal(err)
		}
		if _, err := r.refresh(last); reasonOf(err) != c.want {
			t.Errorf("%s: %v, want invalid_grant because of %q", name, err, c.want)
		}
	}
}

func TestRefreshMovesBetweenNodes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	nodes := []*oauth.Service{r.Service, r.node(r.feed)}
	last := r.tokens().RefreshToken
	ask := func(node int, tok secret.Value) (*oauth.TokenResponse, error) {
		return nodes[node].Token(t.Context(), r.form("grant_type", "refresh_token", "client_id", "app", "refresh_token", tok.Reveal()))
	}
	for _, node := range []int{0, 0, 1, 0, 1, 1, 0} {
		next, err := ask(node, last)
		if err != nil {
			t.Fatalf("node %d: %v", node, err)
		}
		again, err := ask(1-node, last) // the answer was lost, the question goes to the other one
		if err != nil || !again.RefreshToken.Equal(next.RefreshToken) {
			t.Fatalf("node %d: the repeated question: %v", 1-node, err)
		}
		last = next.RefreshToken
	}
	for _, node := range []int{0, 1, 0, 0, 1, 0} { // each finds that the other has moved on
		next, err := ask(node, last)
		if err != nil {
			t.Fatalf("node %d: %v", node, err)
		}
		last = next.RefreshToken
	}
	first := last
	for range 2 {
		next, err := ask(0, last)
		if err != nil {
			t.Fatal(err)
		}
		last = next.RefreshToken
	}
	if _, err := ask(1, first); reasonOf(err) != "reused" {
		t.Errorf("theft at the other node: %v", err)
	}
	if _, err := ask(0, last); reasonOf(err) != "reused" {
		t.Errorf("the node that remembers the grant goes on with it: %v", err)
	}
}
