package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var leakTests = []test{
	{"T037 a compromise ends every secret and the epoch and makes the new one", compromise},
	{"T037 a compromise can end what people agreed to as well", compromiseGrants},
	{"T037 a compromised secret of the configuration is remembered as dead", compromiseConfig},
	{"a client of the configuration keeps its epoch until it is ended", configEpoch},
	{"T035 a leaked secret ends and the others of its client live on", leakSecret},
	{"T035 a leaked token, grant or session ends once and is told once", leakEach},
	{"T035 a leaked code can never be redeemed, before or after", leakCode},
	{"what is not alive is not ended and nobody is told", leakNothing},
	{"T044 a full outbox says so, costs no other recipient, and keeps every record", fullOutbox},
	{"T037 a notice to several addresses is split and each part settled alone", splitOutbox},
	{"sixteen report the same leak and people are told once", raceLeak},
	{"sixteen compromise one client and one secret is left", raceCompromise},
	{"no code outlives a leak that redemptions race with", raceLeakCode},
	{"sixteen nodes empty the outbox and each notice is taken once", raceOutbox},
}

// ending tells the operator, so that a test sees whether people are told.
func (r *rig) ending() oauth.Ending {
	return oauth.Ending{
		Reason: revocation.ReasonLeaked, Now: r.clock(), Keep: r.keep(),
		Notices: []oauth.Notice{{ID: secret.NewID(r.clock()), To: oauth.ToOperator, Body: []byte(`{"n":1}`)}},
	}
}

func (r *rig) ended(kind revocation.Kind, id string) revocation.Entry {
	return revocation.Entry{Kind: kind, ID: id, Reason: revocation.ReasonLeaked, ExpiresAt: r.keep()}
}

// saysEnded checks what a transition says.
func (r *rig) saysEnded(what string, alive bool) func(oauth.Ended, error) {
	r.t.Helper()
	return func(got oauth.Ended, err error) {
		r.t.Helper()
		if err != nil || got != (oauth.Ended{Alive: alive}) {
			r.t.Errorf("%s: %+v %v, want alive %t", what, got, err, alive)
		}
	}
}

// waiting counts the notices in the outbox by taking them.
func (r *rig) waiting() (n int) {
	r.t.Helper()
	r.advance(time.Hour)
	for {
		list, err := r.Outbox.Claim(r.ctx(), r.clock(), r.clock().Add(time.Hour), 1000)
		r.ok(err)
		if len(list) == 0 {
			return n
		}
		n += len(list)
	}
}

func (r *rig) wantTold(n int) {
	r.t.Helper()
	if got := r.waiting(); got != n {
		r.t.Errorf("%d notices wait, want %d", got, n)
	}
}

func (r *rig) secretsOf(clientID string) []oauth.ClientSecret {
	r.t.Helper()
	c, err := r.OAuth.Client(r.ctx(), clientID)
	r.ok(err)
	return c.Secrets
}

func compromise(r *rig) {
	c := r.client("web")
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	r.ok(r.OAuth.AddClientSecret(r.ctx(), c.ID, r.secret(time.Time{}), r.clock().Add(time.Hour), r.clock(), r.keep()))
	before := r.entries()
	for i := range before {
		before[i].Seq = 0
	}
	_, s, _ := r.signedIn("ada")
	g := r.grantOf(s, "web")
	r.ok(r.OAuth.RedeemCode(r.ctx(), g))
	pending := r.grantOf(s, "web")
	fresh := r.secret(time.Time{})
	r.saysEnded("compromise", true)(r.OAuth.CompromiseSecret(r.ctx(), oauth.Compromise{ClientID: "web", New: fresh}, r.ending()))
	if got := r.secretsOf("web"); len(got) != 1 || got[0].Hash != fresh.Hash {
		r.t.Errorf("the secrets are %v, want the new one alone", got)
	}
	r.wantAlive(g.ID) // people need not sign in again
	r.wantFeed(append(before, r.ended(revocation.Grant, c.Epoch.String()), r.ended(revocation.Changed, "web"))...)
	r.is("code from before", r.OAuth.RedeemCode(r.ctx(), pending), oauth.ErrStale)
	r.ok(r.OAuth.RedeemCode(r.ctx(), r.grantOf(s, "web")))
	_, err := r.OAuth.CompromiseSecret(r.ctx(), oauth.Compromise{ClientID: "nobody", New: fresh}, r.ending())
	r.is("unknown", err, oauth.ErrNotFound)
	r.wantTold(1)
}

func compromiseGrants(r *rig) {
	c := r.client("app")
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	_, s, g := r.signedIn("ada")
	other := r.grantOf(s, "other")
	r.ok(r.OAuth.RedeemCode(r.ctx(), other))
	r.saysEnded("compromise", true)(r.OAuth.CompromiseSecret(r.ctx(), oauth.Compromise{ClientID: "app", New: r.secret(time.Time{}), KillGrants: true}, r.ending()))
	r.wantRevoked(g.ID, revocation.ReasonLeaked)
	r.wantAlive(other.ID)
	r.wantFeed(r.ended(revocation.Grant, g.ID.String()), r.ended(revocation.Grant, c.Epoch.String()), r.ended(revocation.Changed, "app"))
}

func compromiseConfig(r *rig) {
	a, b := r.secret(time.Time{}).Hash, r.secret(time.Time{}).Hash
	epoch, dead, err := r.OAuth.ConfigClient(r.ctx(), "file", []secret.Hash{a, b})
	r.ok(err)
	if len(dead) != 0 || epoch.IsZero() {
		r.t.Errorf("at first: epoch %s, dead %v", epoch, dead)
	}
	_, s, g := r.signedIn("ada")
	mine := r.grantOf(s, "file")
	mine.ClientEpoch = epoch
	r.ok(r.OAuth.RedeemCode(r.ctx(), mine))
	pending := r.grantOf(s, "file")
	pending.ClientEpoch = epoch
	r.saysEnded("compromise", true)(r.OAuth.CompromiseSecret(r.ctx(), oauth.Compromise{ClientID: "file", FromConfig: []secret.Hash{a}, KillGrants: true}, r.ending()))
	next, dead, err := r.OAuth.ConfigClient(r.ctx(), "file", []secret.Hash{a, b})
	r.ok(err)
	if next == epoch || !slices.Equal(dead, []secret.Hash{a}) {
		r.t.Errorf("epoch %s after %s, dead %v", next, epoch, dead)
	}
	if _, dead, err = r.OAuth.ConfigClient(r.ctx(), "twin", []secret.Hash{a}); err != nil || len(dead) != 1 {
		r.t.Errorf("for another client with the same secret it is not dead: %v %v", dead, err)
	}
	r.wantRevoked(mine.ID, revocation.ReasonLeaked)
	r.wantAlive(g.ID)
	r.is("code from before", r.OAuth.RedeemCode(r.ctx(), pending), oauth.ErrStale)
	r.wantFeed(r.ended(revocation.Grant, mine.ID.String()), r.ended(revocation.Grant, epoch.String()), r.ended(revocation.Changed, "file"))
}

func configEpoch(r *rig) {
	var epochs [fighters]secret.ID
	r.fight(nil, func(n int) (err error) {
		epochs[n], _, err = r.OAuth.ConfigClient(r.ctx(), "file", nil)
		return err
	})
	for _, e := range epochs {
		if e != epochs[0] || e.IsZero() {
			r.t.Fatalf("epochs %s and %s", e, epochs[0])
		}
	}
	// One of the same name in the store has nothing to do with it.
	stored := r.client("file")
	r.ok(r.OAuth.AddClient(r.ctx(), stored))
	s := r.addSession(r.addUser("ada"))
	for _, e := range []secret.ID{epochs[0], stored.Epoch} {
		g := r.grantOf(s, "file")
		g.ClientEpoch = e
		r.ok(r.OAuth.RedeemCode(r.ctx(), g))
	}
	g := r.grantOf(s, "file")
	g.ClientEpoch = secret.NewID(r.clock())
	r.is("another epoch", r.OAuth.RedeemCode(r.ctx(), g), oauth.ErrStale)
}

func leakSecret(r *rig) {
	c := r.client("web")
	second := r.secret(r.clock().Add(time.Hour))
	c.Secrets = append(c.Secrets, second)
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	owners, err := r.OAuth.SecretOwners(r.ctx(), second.Hash)
	r.ok(err)
	if !slices.Equal(owners, []string{"web"}) {
		r.t.Errorf("owners %v", owners)
	}
	r.saysEnded("leak", true)(r.OAuth.LeakSecret(r.ctx(), "web", second.Hash, false, r.ending()))
	r.saysEnded("again", false)(r.OAuth.LeakSecret(r.ctx(), "web", second.Hash, false, r.ending()))
	if got := r.secretsOf("web"); len(got) != 1 || got[0].Hash != c.Secrets[0].Hash {
		r.t.Errorf("the secrets are %v", got)
	}
	r.wantFeed(r.ended(revocation.Grant, c.Epoch.String()), r.ended(revocation.Changed, "web"))
	if owners, err = r.OAuth.SecretOwners(r.ctx(), second.Hash); err != nil || len(owners) != 0 {
		r.t.Errorf("owners %v %v", owners, err)
	}
	// One that had ended is removed, and no more.
	old := r.secret(r.clock().Add(time.Second))
	r.ok(r.OAuth.AddClient(r.ctx(), oauth.Client{ID: "old", Type: oauth.Server, Secrets: []oauth.ClientSecret{old}}))
	r.advance(time.Minute)
	r.saysEnded("expired", false)(r.OAuth.LeakSecret(r.ctx(), "old", old.Hash, false, r.ending()))

	file := r.secret(time.Time{}).Hash
	r.saysEnded("of the configuration", true)(r.OAuth.LeakSecret(r.ctx(), "file", file, true, r.ending()))
	r.saysEnded("of the configuration again", false)(r.OAuth.LeakSecret(r.ctx(), "file", file, true, r.ending()))
	r.wantTold(2)
}

func leakEach(r *rig) {
	u := r.addUser("ada")
	s := r.addSession(u)
	g, h, other := r.addGrant(s), r.addGrant(r.addSession(u)), r.addGrant(s)
	serial := secret.NewID(start)
	for _, alive := range []bool{true, false} {
		r.saysEnded("grant", alive)(r.OAuth.LeakGrant(r.ctx(), h.ID, r.ending()))
		r.saysEnded("serial", alive)(r.OAuth.LeakSerial(r.ctx(), serial, r.ending()))
	}
	sid, userID, err := r.OAuth.SessionOf(r.ctx(), s.ID, s.Hash)
	r.ok(err)
	if sid != s.SID || userID != u.ID {
		r.t.Errorf("session of %s, sid %s", userID, sid)
	}
	_, _, err = r.OAuth.SessionOf(r.ctx(), s.ID, secret.NewHandle(secret.SessionCookie).Hash())
	r.is("forged cookie", err, oauth.ErrNotFound)
	for _, alive := range []bool{true, false} {
		r.saysEnded("session", alive)(r.OAuth.LeakSession(r.ctx(), sid, r.ending()))
	}
	_, _, err = r.OAuth.SessionOf(r.ctx(), s.ID, s.Hash)
	r.is("ended session", err, oauth.ErrNotFound)
	for _, id := range []secret.ID{g.ID, h.ID, other.ID} {
		r.wantRevoked(id, revocation.ReasonLeaked)
	}
	if n := len(r.entries()); n != 4 {
		r.t.Errorf("the feed has %d entries, want the serial and three grants", n)
	}
	r.wantTold(3)
}

func leakCode(r *rig) {
	s := r.addSession(r.addUser("ada"))
	before, after := r.grant(s), r.addGrant(s)
	r.saysEnded("pending", true)(r.OAuth.LeakCode(r.ctx(), before, r.ending()))
	r.is("redeem", r.OAuth.RedeemCode(r.ctx(), before), oauth.ErrExists)
	r.saysEnded("redeemed", true)(r.OAuth.LeakCode(r.ctx(), after, r.ending()))
	for _, g := range []oauth.Grant{before, after} {
		r.wantRevoked(g.ID, revocation.ReasonLeaked)
		r.saysEnded("again", false)(r.OAuth.LeakCode(r.ctx(), g, r.ending()))
	}
	gone := r.grant(s)
	gone.UserID = "nobody"
	r.saysEnded("without a person", false)(r.OAuth.LeakCode(r.ctx(), gone, r.ending()))
	r.wantFeed(r.ended(revocation.Grant, before.ID.String()), r.ended(revocation.Grant, after.ID.String()))
	r.wantTold(2)
}

func leakNothing(r *rig) {
	id := secret.NewID(r.clock())
	r.saysEnded("grant", false)(r.OAuth.LeakGrant(r.ctx(), id, r.ending()))
	r.saysEnded("session", false)(r.OAuth.LeakSession(r.ctx(), id, r.ending()))
	r.saysEnded("secret", false)(r.OAuth.LeakSecret(r.ctx(), "nobody", r.secret(time.Time{}).Hash, false, r.ending()))
	r.wantFeed()
	r.wantTold(0)
}

func fullOutbox(r *rig) {
	const most = 10_000
	var list []oauth.Notice
	for range most + 3 {
		list = append(list, oauth.Notice{ID: secret.NewID(r.clock()), To: oauth.ToOperator, Body: []byte(`{}`)})
	}
	lost, err := r.OAuth.Tell(r.ctx(), list)
	r.ok(err)
	if lost != 3 {
		r.t.Errorf("%d were lost, want 3", lost)
	}
	_, _, g := r.signedIn("ada")
	e := r.ending()
	for _, to := range []string{oauth.ToRecord, oauth.ToWebhook, oauth.ToUser + "ada"} {
		e.Notices = append(e.Notices, oauth.Notice{ID: secret.NewID(r.clock()), To: to, Body: []byte(`{}`)})
	}
	got, err := r.OAuth.LeakGrant(r.ctx(), g.ID, e)
	r.ok(err)
	if got != (oauth.Ended{Alive: true, Lost: 1}) {
		r.t.Errorf("with a full outbox: %+v, want that it ends all the same, and is told to the others", got)
	}
	r.wantRevoked(g.ID, revocation.ReasonLeaked)
	for i := range list {
		list[i].ID, list[i].To = secret.NewID(r.clock()), oauth.ToRecord
	}
	lost, err = r.OAuth.Tell(r.ctx(), list)
	r.ok(err)
	if lost != 0 {
		r.t.Errorf("%d records were lost", lost)
	}
	r.wantTold(most + 3 + len(list))
}

// splitOutbox: each part has its own fate, a claim that has ended splits nothing,
// and a full address costs no other.
func splitOutbox(r *rig) {
	tell := func(n int) {
		var list []oauth.Notice
		for range n {
			list = append(list, oauth.Notice{ID: secret.NewID(r.clock()), To: oauth.ToOperator, Body: []byte(`{"n":1}`)})
		}
		lost, err := r.OAuth.Tell(r.ctx(), list)
		r.ok(err)
		if lost != 0 {
			r.t.Errorf("%d were lost", lost)
		}
		r.advance(time.Minute)
	}
	claim := func(most int) []notify.Notice {
		got, err := r.Outbox.Claim(r.ctx(), r.clock(), r.clock().Add(time.Minute), most)
		r.ok(err)
		return got
	}
	tell(2)
	whole := claim(10)
	stale := slices.Clone(whole)
	for i := range stale {
		stale[i].Until = stale[i].Until.Add(-time.Hour)
	}
	for _, list := range [][]notify.Notice{stale, whole, whole} { // the last has gone already
		lost, err := r.Outbox.Split(r.ctx(), list, []string{"a", "b"}, r.clock())
		r.ok(err)
		if lost != 0 {
			r.t.Errorf("%d were lost", lost)
		}
	}
	first, second := claim(10), claim(10)
	if len(first) != 2 || len(second) != 2 || first[0].Address == second[0].Address || first[0].Address != first[1].Address ||
		first[0].To != oauth.ToOperator || string(first[0].Body) != `{"n":1}` || !first[0].CreatedAt.Equal(whole[0].CreatedAt) || first[0].Attempts != 1 {
		r.t.Fatalf("split: %+v %+v", first, second)
	}
	r.ok(r.Outbox.Done(r.ctx(), first))
	r.ok(r.Outbox.Retry(r.ctx(), second, r.clock()))
	if got := claim(10); len(got) != 2 || got[0].Address != second[0].Address || got[0].Attempts != 2 {
		r.t.Errorf("what was put back: %+v", got)
	}
	r.advance(time.Hour)
	r.wantTold(2)

	const most = 10_000
	tell(most - 2)
	_, err := r.Outbox.Split(r.ctx(), claim(most), []string{second[0].Address}, r.clock())
	r.ok(err)
	tell(3)
	var three []notify.Notice
	for _, n := range claimAll(claim) {
		if n.Address == "" {
			three = append(three, n)
		}
	}
	lost, err := r.Outbox.Split(r.ctx(), three, []string{second[0].Address, "c"}, r.clock())
	r.ok(err)
	if len(three) != 3 || lost != 3 {
		r.t.Errorf("%d of %d were lost, want those for the full address", lost, len(three))
	}
	if got := claim(10); len(got) != 3 || got[0].Address != "c" {
		r.t.Errorf("for the other address: %+v", got)
	}
}

func claimAll(claim func(int) []notify.Notice) (all []notify.Notice) {
	for {
		got := claim(20_000)
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
	}
}

func raceLeak(r *rig) {
	u := r.addUser("ada")
	told := 0
	for i := range 5 {
		c := r.client(fmt.Sprint("web", i))
		r.ok(r.OAuth.AddClient(r.ctx(), c))
		s := r.addSession(u)
		g, code, serial := r.addGrant(r.addSession(u)), r.grant(s), secret.NewID(start)
		do := []func() (oauth.Ended, error){
			func() (oauth.Ended, error) { return r.OAuth.LeakGrant(r.ctx(), g.ID, r.ending()) },
			func() (oauth.Ended, error) { return r.OAuth.LeakSerial(r.ctx(), serial, r.ending()) },
			func() (oauth.Ended, error) { return r.OAuth.LeakSession(r.ctx(), s.SID, r.ending()) },
			func() (oauth.Ended, error) { return r.OAuth.LeakCode(r.ctx(), code, r.ending()) },
			func() (oauth.Ended, error) {
				return r.OAuth.LeakSecret(r.ctx(), c.ID, c.Secrets[0].Hash, false, r.ending())
			},
			func() (oauth.Ended, error) {
				return r.OAuth.LeakSecret(r.ctx(), fmt.Sprint("file", i), c.Secrets[0].Hash, true, r.ending())
			},
		}
		var alive [6]atomic.Int32
		for range 2 {
			r.fight(nil, func(n int) error {
				done, err := do[n%len(do)]()
				if done.Alive {
					alive[n%len(do)].Add(1)
				}
				return err
			})
		}
		for k := range alive {
			if n := alive[k].Load(); n != 1 {
				r.t.Fatalf("kind %d was found alive %d times", k, n)
			}
			told++
		}
	}
	r.wantTold(told)
}

func raceCompromise(r *rig) {
	c := r.client("web")
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	var made [fighters]oauth.ClientSecret
	for n := range made {
		made[n] = r.secret(time.Time{})
	}
	r.fight(nil, func(n int) error {
		_, err := r.OAuth.CompromiseSecret(r.ctx(), oauth.Compromise{ClientID: "web", New: made[n], KillGrants: n%2 == 0}, r.ending())
		return err
	})
	if got := r.secretsOf("web"); len(got) != 1 {
		r.t.Errorf("%d secrets are left", len(got))
	}
	// Every epoch that there was has been ended, and is ended once.
	epochs := map[string]int{}
	for _, e := range r.entries() {
		if e.Kind == revocation.Grant {
			epochs[e.ID]++
		}
	}
	if len(epochs) != fighters || epochs[c.Epoch.String()] != 1 {
		r.t.Errorf("%d epochs were ended by %d", len(epochs), fighters)
	}
}

func raceLeakCode(r *rig) {
	s := r.addSession(r.addUser("ada"))
	for range 20 {
		g := r.grant(s)
		r.fight(oauth.ErrExists, func(n int) error {
			if n%4 == 0 {
				_, err := r.OAuth.LeakCode(r.ctx(), g, r.ending())
				return err
			}
			return r.OAuth.RedeemCode(r.ctx(), g)
		})
		r.wantRevoked(g.ID, revocation.ReasonLeaked)
	}
}

func raceOutbox(r *rig) {
	var list []oauth.Notice
	for i := range 200 {
		list = append(list, oauth.Notice{ID: secret.NewID(r.clock()), To: fmt.Sprint(oauth.ToUser, i%7), Body: []byte(`{}`)})
	}
	_, err := r.OAuth.Tell(r.ctx(), list)
	r.ok(err)
	if got, err := r.Outbox.Claim(r.ctx(), r.clock(), r.clock().Add(time.Minute), 10); err != nil || len(got) != 0 {
		r.t.Errorf("%d are taken before they could gather: %v", len(got), err)
	}
	r.advance(time.Minute)
	until := r.clock().Add(time.Minute)
	var taken [fighters][]string
	r.fight(nil, func(n int) error {
		for idle := 0; idle < 20; {
			got, err := r.Outbox.Claim(r.ctx(), r.clock(), until, 10)
			if err != nil {
				return err
			}
			if len(got) == 0 {
				idle++
			}
			for _, x := range got {
				if x.To != got[0].To || x.Address != got[0].Address || x.Attempts != 1 {
					return fmt.Errorf("one batch has %s and %s, attempt %d", x.To, got[0].To, x.Attempts)
				}
				taken[n] = append(taken[n], x.ID)
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
	if len(times) != len(list) {
		r.t.Errorf("%d of %d were taken", len(times), len(list))
	}
	r.advance(2 * time.Minute) // those who took them are gone
	again, err := r.Outbox.Claim(r.ctx(), r.clock(), r.clock().Add(time.Minute), 5)
	r.ok(err)
	if len(again) != 5 || again[0].Attempts != 2 {
		r.t.Fatalf("after the claim: %+v", again)
	}
	r.ok(r.Outbox.Done(r.ctx(), again[:2]))
	r.ok(r.Outbox.Retry(r.ctx(), again[2:], r.clock().Add(time.Hour)))
	r.advance(2 * time.Minute)
	if n := r.waitingNow(); n != len(list)-5 {
		r.t.Errorf("%d are due, want those that were neither sent nor put off: %d", n, len(list)-5)
	}
	r.advance(time.Hour)
	if n := r.waitingNow(); n != len(list)-2 {
		r.t.Errorf("%d are due after an hour, want all that were not sent: %d", n, len(list)-2)
	}
}

func (r *rig) waitingNow() (n int) {
	r.t.Helper()
	for {
		list, err := r.Outbox.Claim(r.ctx(), r.clock(), r.clock().Add(time.Minute), 1000)
		r.ok(err)
		if len(list) == 0 {
			return n
		}
		n += len(list)
	}
}
