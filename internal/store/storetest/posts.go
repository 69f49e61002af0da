package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var postTests = []test{
	{"RV13 the end of a session posts one farewell to each client that wants one", farewells},
	{"RV08 whatever ends a session posts farewells in the same transaction", farewellsOfAll},
	{"RV09 every session of a person ends and of nobody else", endSessions},
	{"RV13 a client whose grant has ended or expired is told while the session lives", farewellToFormer},
	{"RV14 messages to one recipient are in one hand and others are not kept waiting", oneHand},
	{"RV14 recipients that do not answer come after those that were not tried", untriedFirst},
	{"RV14 too many messages to one recipient are lost and others are taken", fullPosts},
	{"sixteen nodes empty the posts and each message is taken once", racePosts},
	{"sixteen end one session and each client is told once", raceFarewell},
}

// farewellsTo takes all that waits.
func (r *rig) farewellsTo() (list []oauth.Farewell) {
	r.t.Helper()
	for {
		got, err := r.Posts.ClaimPosts(r.ctx(), r.clock(), r.clock().Add(time.Minute), 100)
		r.ok(err)
		if len(got) == 0 {
			slices.SortFunc(list, func(a, b oauth.Farewell) int { return strings.Compare(a.Client, b.Client) })
			return list
		}
		for _, p := range got {
			var f oauth.Farewell
			r.ok(json.Unmarshal(p.Payload, &f))
			if p.Kind != string(oauth.PostLogout) || p.To != "logout:"+f.Client || !p.GiveUp.Equal(p.CreatedAt.Add(oauth.LogoutTries)) {
				r.t.Errorf("a farewell waits as %+v", p)
			}
			list = append(list, f)
		}
		r.ok(r.Posts.DonePosts(r.ctx(), got))
	}
}

func (r *rig) wantFarewells(want ...oauth.Farewell) {
	r.t.Helper()
	if got := r.farewellsTo(); !slices.Equal(got, want) {
		r.t.Errorf("farewells %+v, want %+v", got, want)
	}
}

// told is a stored client with an address for logout tokens, and one without.
func (r *rig) told() {
	r.t.Helper()
	c := r.client("told")
	c.Settings.BackChannelURI = "https://told.example/logout"
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	r.ok(r.OAuth.AddClient(r.ctx(), r.client("untold")))
}

func (r *rig) at(s account.Session, clients ...string) {
	r.t.Helper()
	for _, id := range clients {
		r.ok(r.OAuth.RedeemCode(r.ctx(), r.grantOf(s, id)))
	}
}

func farewells(r *rig) {
	r.told()
	u := r.addUser("ada")
	s, other := r.addSession(u), r.addSession(u)
	r.at(s, "told", "told", "untold", "quiet", "config")
	r.at(other, "told")
	clients, err := r.OAuth.EndSession(r.ctx(), s.SID, revocation.ReasonLogout, r.clock(), r.keep())
	r.ok(err)
	if want := []string{"config", "quiet", "told", "untold"}; !slices.Equal(clients, want) {
		r.t.Errorf("the clients were %v, want %v", clients, want)
	}
	// The configuration's client may want one: who sends it will know.
	r.wantFarewells(oauth.Farewell{Client: "config", SID: s.SID, UserID: u.ID}, oauth.Farewell{Client: "told", SID: s.SID, UserID: u.ID})
	r.endSession(r.ctx(), s.SID, revocation.ReasonLogout, r.clock(), r.keep())
	r.wantFarewells() // ending it twice tells nobody again
}

func farewellsOfAll(r *rig) {
	r.told()
	for name, end := range map[string]func(account.User, account.Session) error{
		"a new password": func(u account.User, _ account.Session) error {
			return r.Account.SetPassword(r.ctx(), u.ID, "x", r.clock(), r.keep())
		},
		"disabling": func(u account.User, _ account.Session) error {
			return r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep())
		},
		"deleting": func(u account.User, _ account.Session) error {
			return r.Account.DeleteUser(r.ctx(), u.ID, r.clock(), r.keep())
		},
		"an administrator": func(u account.User, _ account.Session) error {
			return r.Account.EndSessions(r.ctx(), u.ID, r.clock(), r.keep())
		},
		"global revocation": func(u account.User, _ account.Session) error {
			return r.OAuth.EndUser(r.ctx(), u.ID, "x", r.clock(), r.keep())
		},
		"a leaked cookie": func(_ account.User, s account.Session) error {
			_, err := r.OAuth.LeakSession(r.ctx(), s.SID, r.ending())
			return err
		},
	} {
		u := r.addUser(strings.ReplaceAll(name, " ", "-"))
		s := r.addSession(u)
		r.at(s, "told")
		r.ok(end(u, s))
		if got, want := r.farewellsTo(), []oauth.Farewell{{Client: "told", SID: s.SID, UserID: u.ID}}; !slices.Equal(got, want) {
			r.t.Errorf("%s: farewells %+v, want %+v", name, got, want)
		}
	}
}

func endSessions(r *rig) {
	u, _, g := r.signedIn("ada")
	second := r.addSession(u)
	mine := r.addGrant(second)
	_, theirs, kept := r.signedIn("bob")
	r.ok(r.Account.EndSessions(r.ctx(), u.ID, r.clock(), r.keep()))
	r.wantRevoked(g.ID, revocation.ReasonAdmin)
	r.wantRevoked(mine.ID, revocation.ReasonAdmin)
	_, err := r.Account.Session(r.ctx(), second.ID)
	r.is("her session", err, account.ErrNotFound)
	r.wantAlive(kept.ID)
	_, err = r.Account.Session(r.ctx(), theirs.ID)
	r.ok(err)
	r.addSession(u) // she can sign in again
	r.is("nobody", r.Account.EndSessions(r.ctx(), "nobody", r.clock(), r.keep()), account.ErrNotFound)
	r.ok(r.OAuth.EndUser(r.ctx(), "nobody", "x", r.clock(), r.keep()))
	for email, want := range map[string][]string{"ADA@example.com": {u.ID}, "%": nil, "": nil, "nobody@example.com": nil, "a\x00": nil} {
		got, err := r.OAuth.PeopleByEmail(r.ctx(), email)
		r.ok(err)
		if !slices.Equal(got, want) {
			r.t.Errorf("people with the address %q are %v, want %v", email, got, want)
		}
	}
}

func farewellToFormer(r *rig) {
	r.told()
	u := r.addUser("ada")
	s := r.addSession(u)
	short := r.grantOf(s, "told")
	short.AbsoluteUntil = r.clock().Add(5 * time.Minute)
	r.ok(r.OAuth.RedeemCode(r.ctx(), short))
	r.ok(r.OAuth.RevokeGrant(r.ctx(), short.ID, "x", r.clock(), r.keep()))
	r.advance(3 * time.Hour)
	_, err := r.Expire(r.ctx(), r.clock())
	r.ok(err)
	r.endSession(r.ctx(), s.SID, "x", r.clock(), r.keep())
	r.wantFarewells(oauth.Farewell{Client: "told", SID: s.SID, UserID: u.ID})
	_, err = r.Expire(r.ctx(), r.clock())
	r.ok(err)
	_, err = r.OAuth.Grant(r.ctx(), short.ID)
	r.is("the grant after its session", err, oauth.ErrNotFound)
}

func (r *rig) posts(to string, n int) []oauth.Post {
	var list []oauth.Post
	for range n {
		list = append(list, oauth.Post{ID: secret.NewID(r.clock()), Kind: "x", To: to, Payload: []byte(`{}`), GiveUp: r.clock().Add(time.Hour)})
	}
	return list
}

func oneHand(r *rig) {
	_, err := r.OAuth.Post(r.ctx(), r.posts("slow", 3))
	r.ok(err)
	r.advance(time.Second) // the slow one's are older
	_, err = r.OAuth.Post(r.ctx(), r.posts("other", 1))
	r.ok(err)
	claim := func() []notify.Post {
		list, err := r.Posts.ClaimPosts(r.ctx(), r.clock(), r.clock().Add(time.Minute), 2)
		r.ok(err)
		return list
	}
	slow, other := claim(), claim()
	if len(slow) != 2 || slow[0].To != "x:slow" || slow[0].Attempts != 1 || len(other) != 1 || other[0].To != "x:other" {
		r.t.Fatalf("taken were %+v and %+v, want two for the slow one and then the other's", slow, other)
	}
	if third := claim(); len(third) != 0 {
		r.t.Errorf("a second hand took %+v", third)
	}
	r.ok(r.Posts.DonePosts(r.ctx(), slow[:1]))
	r.ok(r.Posts.RetryPosts(r.ctx(), slow[1:], r.clock().Add(time.Hour)))
	if rest := claim(); len(rest) != 1 || rest[0].To != "x:slow" {
		r.t.Errorf("after that %+v is taken, want the third for the slow one", rest)
	}
	r.advance(2 * time.Minute) // a node died: the third is taken again, and late news from it changes nothing
	again := claim()
	if len(again) != 1 || again[0].Attempts != 2 {
		r.t.Fatalf("after the claim has ended: %+v", again)
	}
	late := again[0]
	late.Until = late.Until.Add(-2 * time.Minute)
	r.ok(r.Posts.RetryPosts(r.ctx(), []notify.Post{late}, r.clock()))
	if more := claim(); len(more) != 1 || more[0].To != "x:other" {
		r.t.Errorf("taken were %+v, want the other's, whose node died too", more)
	}
}

func untriedFirst(r *rig) {
	for i := range 3 {
		_, err := r.OAuth.Post(r.ctx(), r.posts(fmt.Sprint("dead", i), 1))
		r.ok(err)
	}
	for range 3 {
		list, err := r.Posts.ClaimPosts(r.ctx(), r.clock(), r.clock().Add(time.Minute), 10)
		r.ok(err)
		r.ok(r.Posts.RetryPosts(r.ctx(), list, r.clock().Add(time.Second)))
	}
	r.advance(5 * time.Second) // all three are due again
	_, err := r.OAuth.Post(r.ctx(), r.posts("new", 1))
	r.ok(err)
	list, err := r.Posts.ClaimPosts(r.ctx(), r.clock(), r.clock().Add(time.Minute), 10)
	r.ok(err)
	if len(list) != 1 || list[0].To != "x:new" {
		r.t.Errorf("first is %+v, want the one that was not tried", list)
	}
}

func fullPosts(r *rig) {
	lost, err := r.OAuth.Post(r.ctx(), append(r.posts("one", 10_002), r.posts("two", 1)...))
	r.ok(err)
	if lost != 2 {
		r.t.Errorf("%d were lost, want 2", lost)
	}
}

func racePosts(r *rig) {
	const each, recipients = 30, 7
	for i := range recipients {
		_, err := r.OAuth.Post(r.ctx(), r.posts(fmt.Sprint("r", i), each))
		r.ok(err)
	}
	until := r.clock().Add(time.Minute)
	var taken [fighters][]string
	r.fight(nil, func(n int) error {
		for idle := 0; idle < 20; {
			got, err := r.Posts.ClaimPosts(r.ctx(), r.clock(), until, 10)
			if err != nil {
				return err
			}
			if len(got) == 0 {
				idle++
			}
			for _, x := range got {
				if x.To != got[0].To || x.Attempts != 1 {
					return fmt.Errorf("one bag has %s and %s, attempt %d", x.To, got[0].To, x.Attempts)
				}
				taken[n] = append(taken[n], x.ID)
			}
			if err := r.Posts.DonePosts(r.ctx(), got); err != nil {
				return err
			}
		}
		return nil
	})
	times := map[string]int{}
	for _, t := range taken {
		for _, id := range t {
			times[id]++
		}
	}
	for id, n := range times {
		if n != 1 {
			r.t.Errorf("%s was taken %d times", id, n)
		}
	}
	if len(times) != each*recipients {
		r.t.Errorf("%d of %d were taken", len(times), each*recipients)
	}
}

func raceFarewell(r *rig) {
	r.told()
	u := r.addUser("ada")
	s := r.addSession(u)
	r.at(s, "told", "config")
	r.fight(nil, func(n int) error {
		if n%2 == 0 {
			return r.Account.EndSessions(r.ctx(), u.ID, r.clock(), r.keep())
		}
		_, err := r.OAuth.EndSession(r.ctx(), s.SID, "x", r.clock(), r.keep())
		return err
	})
	r.wantFarewells(oauth.Farewell{Client: "config", SID: s.SID, UserID: u.ID}, oauth.Farewell{Client: "told", SID: s.SID, UserID: u.ID})
}
