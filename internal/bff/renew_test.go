package bff_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/bff"
)

func TestBF12AHundredTabsRenewOnce(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	f.issuer.slow = 50 * time.Millisecond
	nodes := []*bff.Service{f.service, f.node(bff.NewMemory()), f.node(bff.NewMemory())}
	for round := range 3 {
		f.advance(10 * time.Minute)
		var mu sync.Mutex
		got := map[string]int{}
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				access, why, err := f.call(nodes[i%len(nodes)], page)
				if why != "" || err != nil {
					t.Errorf("tab %d: %q %v", i, why, err)
				}
				mu.Lock()
				got[access.Reveal()]++
				mu.Unlock()
			})
		}
		all.Wait()
		if f.issuer.renewed != round+1 || len(got) != 1 || f.store.all()[0].Version != int64(round+2) {
			t.Fatalf("round %d: %d renewals, %d tokens, version %d", round, f.issuer.renewed, len(got), f.store.all()[0].Version)
		}
	}
}

func TestBF12FailureEndsTheSessionCleanly(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	f.issuer.fail = bff.ErrEnded
	f.advance(9*time.Minute + 31*time.Second)
	if _, why, err := f.call(f.service, page); why != bff.NoSession || err != nil {
		t.Errorf("%q %v", why, err)
	}
	if len(f.store.all()) != 0 {
		t.Error("the session is still there")
	}
	f.do("GET", "/bff/session", page)
	if f.cookies[cookieName] != "" {
		t.Error("the browser keeps the cookie of a session that has ended")
	}
}

func TestBF12AFailureThatPassesEndsNothing(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	before, _, _ := f.call(f.service, page)
	f.issuer.fail = errors.New("the database is away")
	f.advance(9*time.Minute + 45*time.Second)
	if access, why, err := f.call(f.service, page); !access.Equal(before) || why != "" || err != nil {
		t.Errorf("while the token still counts: %q %v", why, err)
	}
	f.advance(time.Minute)
	if _, why, err := f.call(f.service, page); err == nil || why != "" {
		t.Errorf("when it does not: %q %v", why, err)
	}
	f.issuer.fail = nil
	if access, why, err := f.call(f.service, page); access.Equal(before) || why != "" || err != nil {
		t.Errorf("afterwards: %q %v", why, err)
	}
}

func TestBF12ARenewalThatLosesAgainstALogoutIsRevoked(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	f.issuer.slow = 100 * time.Millisecond
	f.advance(10 * time.Minute)
	done := make(chan string)
	go func() { _, why, _ := f.call(f.node(bff.NewMemory()), page); done <- why }()
	time.Sleep(30 * time.Millisecond)
	if res := f.do("POST", "/bff/logout", post); res.StatusCode != http.StatusNoContent {
		t.Fatal(res.StatusCode)
	}
	if why := <-done; why != bff.NoSession || len(f.issuer.revoked) != 1 {
		t.Errorf("%q, %d revoked", why, len(f.issuer.revoked))
	}
}

func TestSessionLimitsOfItsTier(t *testing.T) {
	t.Run("used, it lives to its end and no longer", func(t *testing.T) {
		f := newFixture(t)
		f.signIn()
		for at := time.Duration(0); at < 24*time.Hour; at += 30 * time.Minute {
			if _, why, err := f.call(f.service, page); why != "" || err != nil {
				t.Fatalf("after %v: %q %v", at, why, err)
			}
			f.advance(30 * time.Minute)
		}
		if _, why, _ := f.call(f.service, page); why != bff.NoSession {
			t.Errorf("after a day: %q", why)
		}
	})
	t.Run("unused, it ends", func(t *testing.T) {
		f := newFixture(t)
		f.signIn()
		_, _, _ = f.call(f.service, page)
		f.advance(time.Hour)
		if _, why, _ := f.call(f.service, page); why != bff.NoSession {
			t.Errorf("after an hour: %q", why)
		}
	})
	t.Run("looked at seldom", func(t *testing.T) {
		f := newFixture(t)
		f.signIn()
		_, _, _ = f.call(f.service, page)
		before := f.store.reads
		for range 1000 {
			_, _, _ = f.call(f.service, page)
		}
		if f.store.reads != before {
			t.Errorf("%d reads for a thousand calls", f.store.reads-before)
		}
	})
}

func TestBF10Logout(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	cookie := f.cookies[cookieName]
	_, _, _ = f.call(f.service, page) // the node remembers it
	for name, c := range map[string]struct {
		method string
		h      as
	}{
		"GET by an image": {"GET", as{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}}, "a link": {"GET", visit}, "a GET of its own page": {"GET", page},
		"a form of another site": {"POST", as{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}}, "a POST without the header": {"POST", post.but("X-Sallyport-Csrf", "")},
	} {
		if res := f.do(c.method, "/bff/logout", c.h); res.StatusCode != 403 && res.StatusCode != 405 || f.cookies[cookieName] != cookie {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if _, why, _ := f.call(f.service, page); why != "" {
		t.Fatalf("an attack has signed the person out: %s", why)
	}
	grant := f.store.all()[0].GrantID
	res := f.do("POST", "/bff/logout", post)
	if res.StatusCode != 204 || res.Header.Get("Cache-Control") != "no-store" || !strings.Contains(res.Header.Get("Clear-Site-Data"), `"storage"`) || f.cookies[cookieName] != "" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	if len(f.issuer.ended) != 1 || f.issuer.ended[0] != grant || len(f.store.all()) != 0 || f.events[0].Name != audit.BrowserSignedOut {
		t.Errorf("ended %v of %v", f.issuer.ended, grant)
	}
	f.cookies[cookieName] = cookie // BF09: replayed after logout
	if _, why, _ := f.call(f.service, page); why != bff.NoSession {
		t.Errorf("BF09 the cookie lives: %q", why)
	}
	if res := f.do("POST", "/bff/logout", post); res.StatusCode != 204 {
		t.Errorf("again: %d", res.StatusCode)
	}
	t.Run("an issuer that fails leaves the person signed in", func(t *testing.T) {
		f := newFixture(t)
		f.signIn()
		f.issuer.fail = errors.New("away")
		if res := f.do("POST", "/bff/logout", post); res.StatusCode != 503 || f.cookies[cookieName] == "" {
			t.Errorf("%d", res.StatusCode)
		}
	})
}

func TestBF10ASignOutElsewhereEndsTheSession(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	access, _, _ := f.call(f.service, page)
	f.mu.Lock()
	f.dead[access.Reveal()] = true
	f.mu.Unlock()
	f.memory.GrantEnded(f.store.all()[0].GrantID.String())
	if _, why, _ := f.call(f.service, page); why != bff.NoSession || len(f.store.all()) != 0 {
		t.Errorf("%q, %d sessions", why, len(f.store.all()))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f := newFixture(t)
	f.signIn()
	want, _, _ := f.call(f.service, page)
	for range 3 {
		f.memory.Forget()
		if got, why, err := f.call(f.service, page); !got.Equal(want) || why != "" || err != nil {
			t.Errorf("%q %v", why, err)
		}
	}
}
