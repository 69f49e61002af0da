package storetest

import (
	"errors"
	"sync"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

var askedTests = []test{
	{"TK21 what a device asks is allowed, and redeemed once", askedOnce},
	{"TK21 what was refused, or never answered, becomes nothing", askedRefused},
	{"TK22 a user code is unique among those that wait", askedUserCode},
	{"what is asked of one person is decided by nobody else", askedOfOne},
	{"as many wait for the same hint as may", askedMost},
	{"as many wait for the same person as may, by whatever hints, and the others look alike", askedMostOfOne},
	{"nothing comes of it once person, session or client has ended", askedEnded},
	{"nothing comes of a leaked one", askedLeaked},
	{"what was asked goes after its end", askedExpire},
	{"a person is found by name, and by an address that is surely theirs", askedHint},
	{"TK21 a hundred redeem each of ten and one wins", raceAsked},
	{"TK21 some allow and some deny and one counts", raceDecide},
}

// asked is what a device asks.
func (r *rig) asked(code string) oauth.Asked {
	now := r.clock()
	return oauth.Asked{
		ID: secret.NewID(now), Hash: secret.NewHandle(secret.DeviceCode).Hash(), GrantType: deviceGrant, ClientID: "app", UserCode: code,
		Request: []byte(`{"o":"openid"}`), State: oauth.AskedPending, CreatedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}
}

func (r *rig) addAsked(a oauth.Asked) oauth.Asked {
	r.t.Helper()
	r.ok(r.OAuth.AddAsked(r.ctx(), a, 0, nil))
	return a
}

func by(s account.Session) oauth.Session {
	return oauth.Session{ID: s.ID, SID: s.SID, UserID: s.UserID, ACR: s.ACR, AMR: s.AMR, AuthTime: s.AuthTime}
}

func (r *rig) decide(a oauth.Asked, to oauth.AskedState, s account.Session) error {
	return r.OAuth.DecideAsked(r.ctx(), a.ID, to, by(s), r.clock(), nil)
}

// grantOfAsked is the grant that a request leads to: with a sid of its own.
func (r *rig) grantOfAsked(a oauth.Asked, s account.Session) oauth.Grant {
	g := r.grant(s)
	g.ID, g.SID = a.ID, a.ID
	return g
}

func (r *rig) state(a oauth.Asked) oauth.AskedState {
	r.t.Helper()
	got, err := r.OAuth.Asked(r.ctx(), a.ID)
	r.ok(err)
	return got.State
}

func askedOnce(r *rig) {
	s := r.addSession(r.addUser("ada"))
	a := r.asked("code")
	a.Sealed, a.Hint = "sealed", "hint"
	r.addAsked(a)
	g := r.grantOfAsked(a, s)
	r.is("redeem before it is allowed", r.OAuth.RedeemAsked(r.ctx(), g, s.SID), oauth.ErrExists)
	r.ok(r.decide(a, oauth.AskedAllowed, s))
	r.is("decide again", r.decide(a, oauth.AskedDenied, s), oauth.ErrStale)
	got, err := r.OAuth.Asked(r.ctx(), a.ID)
	r.ok(err)
	if got.State != oauth.AskedAllowed || got.UserID != s.UserID || got.By.SID != s.SID || got.By.ACR != s.ACR || got.By.AMR != s.AMR || !got.By.AuthTime.Equal(s.AuthTime) ||
		got.Hash != a.Hash || got.GrantType != a.GrantType || got.ClientID != a.ClientID || string(got.Request) != string(a.Request) ||
		got.Sealed != "sealed" || got.Hint != "hint" || !got.CreatedAt.Equal(a.CreatedAt) || !got.ExpiresAt.Equal(a.ExpiresAt) {
		r.t.Errorf("kept as %+v", got)
	}
	other := g
	other.ClientID = "another"
	r.is("by another client", r.OAuth.RedeemAsked(r.ctx(), other, s.SID), oauth.ErrExists)
	r.ok(r.OAuth.RedeemAsked(r.ctx(), g, s.SID))
	r.is("redeem again", r.OAuth.RedeemAsked(r.ctx(), g, s.SID), oauth.ErrExists)
	if stored := r.stored(a.ID); stored.SID != a.ID || r.state(a) != oauth.AskedRedeemed {
		r.t.Errorf("the grant is %+v", stored)
	}
	_, err = r.OAuth.Asked(r.ctx(), secret.NewID(r.clock()))
	r.is("unknown", err, oauth.ErrNotFound)
}

func askedRefused(r *rig) {
	s := r.addSession(r.addUser("ada"))
	denied, late := r.addAsked(r.asked("a")), r.addAsked(r.asked("b"))
	r.ok(r.OAuth.DecideAsked(r.ctx(), denied.ID, oauth.AskedDenied, oauth.Session{}, r.clock(), nil))
	r.is("allow what was refused", r.decide(denied, oauth.AskedAllowed, s), oauth.ErrStale)
	r.is("redeem what was refused", r.OAuth.RedeemAsked(r.ctx(), r.grantOfAsked(denied, s), s.SID), oauth.ErrExists)
	if err := r.OAuth.DecideAsked(r.ctx(), late.ID, oauth.AskedAllowed, oauth.Session{}, r.clock(), nil); err == nil {
		r.t.Error("allowed by nobody")
	}
	r.advance(10 * time.Minute)
	r.is("allow too late", r.decide(late, oauth.AskedAllowed, s), oauth.ErrStale)
}

func askedUserCode(r *rig) {
	a := r.addAsked(r.asked("code"))
	r.is("the same code", r.OAuth.AddAsked(r.ctx(), r.asked("code"), 0, nil), oauth.ErrExists)
	r.addAsked(r.asked(""))
	r.addAsked(r.asked("")) // none is not a code
	find := func(digests ...string) error {
		got, err := r.OAuth.AskedByUserCode(r.ctx(), digests, r.clock())
		if err == nil && got.ID != a.ID {
			r.t.Errorf("found %s", got.ID)
		}
		return err
	}
	r.ok(find("code"))
	r.ok(find("new key", "code"))
	r.is("another", find("other"), oauth.ErrNotFound)
	r.is("none", find(""), oauth.ErrNotFound)
	r.is("nothing", find(), oauth.ErrNotFound)
	s := r.addSession(r.addUser("ada"))
	r.ok(r.decide(a, oauth.AskedAllowed, s))
	r.is("one that is decided", find("code"), oauth.ErrNotFound)
	b := r.addAsked(r.asked("later"))
	r.advance(10 * time.Minute)
	_, err := r.OAuth.AskedByUserCode(r.ctx(), []string{b.UserCode}, r.clock())
	r.is("one that has expired", err, oauth.ErrNotFound)
}

func askedOfOne(r *rig) {
	ada, eve := r.addSession(r.addUser("ada")), r.addSession(r.addUser("eve"))
	a, nobody := r.asked(""), r.asked("")
	a.UserID = ada.UserID
	nobody.State = oauth.AskedNobody
	r.addAsked(a)
	r.addAsked(nobody)
	r.addAsked(r.asked("a device"))
	for user, want := range map[string]int{ada.UserID: 1, eve.UserID: 0, "": 0} {
		list, err := r.OAuth.AskedOf(r.ctx(), user, r.clock())
		r.ok(err)
		if len(list) != want || want == 1 && list[0].ID != a.ID {
			r.t.Errorf("%d wait for %q, want %d", len(list), user, want)
		}
	}
	r.is("allowed by another", r.decide(a, oauth.AskedAllowed, eve), oauth.ErrStale)
	r.is("denied by another", r.decide(a, oauth.AskedDenied, eve), oauth.ErrStale)
	r.is("denied by nobody", r.OAuth.DecideAsked(r.ctx(), a.ID, oauth.AskedDenied, oauth.Session{}, r.clock(), nil), oauth.ErrStale)
	r.is("allowed where nobody is meant", r.decide(nobody, oauth.AskedAllowed, eve), oauth.ErrStale)
	r.ok(r.decide(a, oauth.AskedAllowed, ada))
	r.is("redeemed for another", r.OAuth.RedeemAsked(r.ctx(), r.grantOfAsked(a, eve), eve.SID), oauth.ErrExists)
	r.ok(r.OAuth.RedeemAsked(r.ctx(), r.grantOfAsked(a, ada), ada.SID))
}

func askedMost(r *rig) {
	add := func(hint string) error {
		a := r.asked("")
		a.Hint = hint
		return r.OAuth.AddAsked(r.ctx(), a, 2, nil)
	}
	r.ok(add("ada"))
	r.ok(add("ada"))
	r.is("the third", add("ada"), oauth.ErrStale)
	r.ok(add("eve"))
	r.advance(10 * time.Minute)
	r.ok(add("ada"))
}

// Nobody is buried in mail by a client that spells one name in many ways, or lets
// what it asks expire at once.
func askedMostOfOne(r *rig) {
	ada := r.addUser("ada")
	add := func(hint string, life time.Duration) error {
		a := r.asked("")
		a.Hint, a.UserID, a.ExpiresAt = hint, ada.ID, a.CreatedAt.Add(life)
		return r.OAuth.AddAsked(r.ctx(), a, 2, []oauth.Notice{{ID: secret.NewID(r.clock()), To: oauth.ToAsk + ada.ID, Body: []byte(`{}`)}})
	}
	for _, hint := range []string{"ada", "Ada", "ADA", "aDA"} {
		r.ok(add(hint, 10*time.Minute))
	}
	want := func(what string, n int) {
		r.t.Helper()
		list, err := r.OAuth.AskedOf(r.ctx(), ada.ID, r.clock())
		r.ok(err)
		if len(list) != n {
			r.t.Errorf("%s: %d wait for ada, want %d", what, len(list), n)
		}
	}
	want("four spellings", 2)
	mails, err := r.Outbox.Claim(r.ctx(), r.clock().Add(time.Minute), r.clock().Add(2*time.Minute), 100)
	r.ok(err)
	if len(mails) != 2 {
		r.t.Errorf("%d mails, want 2", len(mails))
	}
	r.advance(11 * time.Minute)
	r.ok(add("ada", time.Second))
	r.ok(add("ada", time.Second))
	r.advance(2 * time.Second)
	r.is("the third, after two that have expired at once", add("ada", time.Second), oauth.ErrStale)
	r.ok(add("Ada", 10*time.Minute))
	want("expired at once", 0)
	r.advance(6 * time.Minute)
	r.ok(add("ada", 10*time.Minute))
	want("later", 1)
}

func askedEnded(r *rig) {
	for what, end := range map[string]func(s account.Session) error{
		"session": func(s account.Session) error {
			_, err := r.OAuth.EndSession(r.ctx(), s.SID, "x", r.clock(), r.keep())
			return err
		},
		"person": func(s account.Session) error {
			return r.Account.SetDisabled(r.ctx(), s.UserID, true, r.clock(), r.keep())
		},
	} {
		s := r.addSession(r.addUser("ada-" + what))
		a := r.addAsked(r.asked(what))
		r.ok(r.decide(a, oauth.AskedAllowed, s))
		r.ok(end(s))
		r.is(what, r.OAuth.RedeemAsked(r.ctx(), r.grantOfAsked(a, s), s.SID), oauth.ErrStale)
	}
	r.ok(r.OAuth.AddClient(r.ctx(), oauth.Client{ID: "tv", Type: oauth.Native, Epoch: secret.NewID(r.clock()), CreatedAt: r.clock()}))
	s := r.addSession(r.addUser("ada"))
	a := r.asked("client")
	a.ClientID = "tv"
	r.addAsked(a)
	r.ok(r.decide(a, oauth.AskedAllowed, s))
	g := r.grantOf(s, "tv")
	g.ID, g.SID = a.ID, a.ID
	r.ok(r.OAuth.SetClientDisabled(r.ctx(), "tv", true, r.clock(), r.keep()))
	r.is("client", r.OAuth.RedeemAsked(r.ctx(), g, s.SID), oauth.ErrStale)
}

func askedLeaked(r *rig) {
	s := r.addSession(r.addUser("ada"))
	e := oauth.Ending{Reason: "leaked", Now: r.clock(), Keep: r.keep()}
	leak := func(a oauth.Asked) bool {
		ended, err := r.OAuth.LeakAsked(r.ctx(), a.ID, e)
		r.ok(err)
		return ended.Alive
	}
	waits, allowed, redeemed := r.addAsked(r.asked("a")), r.addAsked(r.asked("b")), r.addAsked(r.asked("c"))
	r.ok(r.decide(allowed, oauth.AskedAllowed, s))
	r.ok(r.decide(redeemed, oauth.AskedAllowed, s))
	r.ok(r.OAuth.RedeemAsked(r.ctx(), r.grantOfAsked(redeemed, s), s.SID))
	for _, a := range []oauth.Asked{waits, allowed, redeemed} {
		if !leak(a) || leak(a) {
			r.t.Errorf("%s ends not exactly once", a.UserCode)
		}
	}
	r.is("allow", r.decide(waits, oauth.AskedAllowed, s), oauth.ErrStale)
	r.is("redeem", r.OAuth.RedeemAsked(r.ctx(), r.grantOfAsked(allowed, s), s.SID), oauth.ErrExists)
	r.wantRevoked(redeemed.ID, "leaked")
}

func askedExpire(r *rig) {
	a := r.addAsked(r.asked("a"))
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{{10*time.Minute - time.Second, 0}, {time.Second, 0}, {time.Hour, 1}} {
		r.advance(step.after)
		n, err := r.Expire(r.ctx(), r.clock())
		r.ok(err)
		if n != step.want {
			r.t.Errorf("after %v more: deleted %d, want %d", step.after, n, step.want)
		}
	}
	_, err := r.OAuth.Asked(r.ctx(), a.ID)
	r.is("after its end", err, oauth.ErrNotFound)
}

func askedHint(r *rig) {
	ada := r.addUser("ada")
	shared := account.User{ID: secret.NewID(r.clock()).String(), Username: "bob", Email: "both@example.com", EmailVerified: true, CreatedAt: r.clock()}
	r.ok(r.Account.AddUser(r.ctx(), shared))
	shared.ID, shared.Username = secret.NewID(r.clock()).String(), "eve"
	r.ok(r.Account.AddUser(r.ctx(), shared))
	unsure := account.User{ID: secret.NewID(r.clock()).String(), Username: "dan", Email: "dan@example.com", CreatedAt: r.clock()}
	r.ok(r.Account.AddUser(r.ctx(), unsure))
	for hint, want := range map[string]string{
		"ada": ada.ID, "ADA": ada.ID, "ada@example.com": ada.ID, "Ada@Example.com": ada.ID, "dan": unsure.ID,
		"both@example.com": "", "dan@example.com": "", "nobody": "", "": "", "a\x00b": "", "\xff": "",
	} {
		u, err := r.OAuth.UserByHint(r.ctx(), hint)
		if want == "" {
			r.is(hint, err, oauth.ErrNotFound)
		} else if err != nil || u.ID != want {
			r.t.Errorf("%q is %+v, %v", hint, u, err)
		}
	}
}

func raceAsked(r *rig) {
	s := r.addSession(r.addUser("ada"))
	for n := range 10 {
		a := r.addAsked(r.asked(string(rune('a' + n))))
		r.ok(r.decide(a, oauth.AskedAllowed, s))
		g := r.grantOfAsked(a, s)
		var mu sync.Mutex
		won := 0
		r.fight(nil, func(int) error {
			for range 100/fighters + 1 {
				err := r.OAuth.RedeemAsked(r.ctx(), g, s.SID)
				if err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				} else if !errors.Is(err, oauth.ErrExists) {
					return err
				}
			}
			return nil
		})
		if won != 1 {
			r.t.Fatalf("%d redeemed the same request", won)
		}
		r.wantAlive(a.ID)
	}
}

func raceDecide(r *rig) {
	ada, eve := r.addSession(r.addUser("ada")), r.addSession(r.addUser("eve"))
	for n := range 20 {
		a := r.addAsked(r.asked(string(rune('a' + n))))
		won := r.fight(oauth.ErrStale, func(n int) error {
			switch n % 3 {
			case 0:
				return r.decide(a, oauth.AskedDenied, eve)
			case 1:
				return r.decide(a, oauth.AskedAllowed, eve)
			}
			return r.decide(a, oauth.AskedAllowed, ada)
		})
		if got, err := r.OAuth.Asked(r.ctx(), a.ID); won != 1 || err != nil || got.State == oauth.AskedPending || got.UserID == "" {
			r.t.Fatalf("%d decided, %+v, %v", won, got, err)
		}
	}
}
