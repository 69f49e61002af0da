package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
)

// MaxSignals is the bound that the store under test has.
const MaxSignals = 20

var signalTests = []test{
	{"RV19 a client has one stream, and sees no other", streamIsItsClients},
	{"RV19 what a change does not name stays, and a failed one changes nothing", streamChange},
	{"RV17 what ends sessions is told in the same transaction, and in order", signalsOfEndings},
	{"RV17 who asked for nothing, or is disabled, hears nothing", signalsUnasked},
	{"RV21 an event that was not settled comes again, the same", signalsSettle},
	{"a full stream loses the oldest, is paused and says so", signalsFull},
	{"events that are too old are gone, and the receiver is told", signalsExpire},
	{"a paused stream keeps events and sends none but the news of it; a disabled one keeps none", streamStatus},
	{"RV19 verification is not asked for too often", verifyOften},
	{"removed subjects are known by any of their names", subjects},
	{"a stream goes with its client", streamOfRemovedClient},
	{"RV21 sixteen claim each of twenty streams and one has it", raceClaim},
	{"RV19 sixteen make a stream for one client and one wins", raceStream},
	{"RV21 sixteen end sessions while streams change, and nothing is lost or twice", raceSignals},
}

func (r *rig) stream(clientID string, change ...func(*signals.Stream)) signals.Stream {
	r.t.Helper()
	s := signals.Stream{
		ID: secret.NewID(r.clock()), ClientID: clientID, CreatedAt: r.clock(), Method: signals.Push, EndpointURL: "https://rx.example.com/events",
		Authorization: "sealed", Requested: slices.Clone(signals.Supported), Description: "d", Format: "email", Status: signals.Enabled,
	}
	for _, f := range change {
		f(&s)
	}
	r.ok(r.Signals.AddStream(r.ctx(), s))
	return s
}

func (r *rig) inStream(s signals.Stream) []signals.Event {
	r.t.Helper()
	list, err := r.Signals.Waiting(r.ctx(), s.ID, 1000)
	r.ok(err)
	return list
}

func streamIsItsClients(r *rig) {
	s := r.stream("rx")
	got, err := r.Signals.Stream(r.ctx(), s.ID, "rx")
	r.ok(err)
	if got.ID != s.ID || got.Authorization != "sealed" || !slices.Equal(got.Requested, s.Requested) || got.Format != "email" || !got.CreatedAt.Equal(s.CreatedAt) {
		r.t.Errorf("stored %+v, got %+v", s, got)
	}
	r.is("a second one", r.Signals.AddStream(r.ctx(), signals.Stream{ID: secret.NewID(r.clock()), ClientID: "rx", Status: signals.Enabled}), signals.ErrExists)
	nothing := func(*signals.Stream) error { return nil }
	for _, who := range []string{"other", "RX"} {
		_, err := r.Signals.Stream(r.ctx(), s.ID, who)
		r.is("read", err, signals.ErrNotFound)
		_, err = r.Signals.ChangeStream(r.ctx(), s.ID, who, nothing)
		r.is("change", err, signals.ErrNotFound)
		_, err = r.Signals.SetStatus(r.ctx(), s.ID, who, signals.Disabled, "", false, r.clock())
		r.is("status", err, signals.ErrNotFound)
		r.is("delete", r.Signals.DeleteStream(r.ctx(), s.ID, who), signals.ErrNotFound)
		r.is("subject", r.Signals.SetSubject(r.ctx(), s.ID, who, "sub:x", false), signals.ErrNotFound)
		r.is("verify", r.Signals.AddEvent(r.ctx(), s.ID, who, signals.Event{At: r.clock()}, r.clock()), signals.ErrNotFound)
		list, err := r.Signals.Streams(r.ctx(), who)
		if r.ok(err); len(list) > 0 {
			r.t.Errorf("%s sees %+v", who, list)
		}
	}
	r.ok(r.Signals.DeleteStream(r.ctx(), s.ID, "rx"))
	r.is("deleted", r.Signals.DeleteStream(r.ctx(), s.ID, "rx"), signals.ErrNotFound)
	r.stream("rx")
}

func streamChange(r *rig) {
	s := r.stream("rx")
	failed := errors.New("failed")
	_, err := r.Signals.ChangeStream(r.ctx(), s.ID, "rx", func(s *signals.Stream) error { s.Description = "lost"; return failed })
	r.is("change", err, failed)
	got, err := r.Signals.ChangeStream(r.ctx(), s.ID, "rx", func(s *signals.Stream) error { s.Method, s.EndpointURL = signals.Poll, ""; return nil })
	r.ok(err)
	stored, err := r.Signals.Stream(r.ctx(), s.ID, "")
	r.ok(err)
	if got.Description != "d" || stored.Description != "d" || stored.Method != signals.Poll || stored.Authorization != "sealed" {
		r.t.Errorf("%+v, stored %+v", got, stored)
	}
}

// signalsOfEndings checks what each ending says, and that its other events have
// the same txn.
func signalsOfEndings(r *rig) {
	s := r.stream("rx", func(s *signals.Stream) { s.Method = signals.Poll })
	u, session, _ := r.signedIn("ada")
	second := r.addSession(u)
	_, err := r.OAuth.EndSession(r.ctx(), session.SID, revocation.ReasonLogout, r.clock(), r.keep())
	r.ok(err)
	_, err = r.OAuth.EndSession(r.ctx(), session.SID, revocation.ReasonLogout, r.clock(), r.keep()) // again: no news
	r.ok(err)
	r.ok(r.Account.SetPassword(r.ctx(), u.ID, "$new", r.clock(), r.keep()))
	r.ok(r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep()))
	r.ok(r.Account.SetDisabled(r.ctx(), u.ID, true, r.clock(), r.keep()))
	bob, leaked, _ := r.signedIn("bob")
	ended, err := r.OAuth.LeakSession(r.ctx(), leaked.SID, r.ending())
	if r.ok(err); !ended.Alive {
		r.t.Error("the session was not alive")
	}
	r.ok(r.Account.DeleteUser(r.ctx(), bob.ID, r.clock(), r.keep()))
	want := []struct {
		what, user string
		sid        secret.ID
	}{
		{signals.SessionRevoked, u.ID, session.SID},
		{signals.CredentialChange, u.ID, secret.ID{}},
		{signals.SessionRevoked, u.ID, secret.ID{}},
		{signals.SessionRevoked, u.ID, secret.ID{}},
		{signals.SessionRevoked, bob.ID, leaked.SID},
		{signals.SessionRevoked, bob.ID, secret.ID{}},
		{signals.AccountPurged, bob.ID, secret.ID{}},
	}
	got := r.inStream(s)
	if len(got) != len(want) {
		r.t.Fatalf("%d events %+v, want %d", len(got), got, len(want))
	}
	ids := map[secret.ID]bool{}
	for i, w := range want {
		e := got[i]
		if e.Type != w.what || e.UserID != w.user || e.SID != w.sid || len(e.Claims) == 0 || e.Txn.IsZero() || ids[e.ID] {
			r.t.Errorf("event %d is %+v, want %+v", i, e, w)
		}
		ids[e.ID] = true
	}
	if got[1].Txn != got[2].Txn || got[0].Txn == got[1].Txn {
		r.t.Error("txn does not say which events are of one change")
	}
	_ = second
}

func signalsUnasked(r *rig) {
	list := []signals.Stream{
		r.stream("rx", func(s *signals.Stream) { s.Requested = nil }),
		r.stream("rx2", func(s *signals.Stream) { s.Requested = []string{signals.CredentialChange, "https://x/other"} }),
		r.stream("rx3", func(s *signals.Stream) { s.Status = signals.Disabled }),
	}
	_, session, _ := r.signedIn("ada")
	_, err := r.OAuth.EndSession(r.ctx(), session.SID, revocation.ReasonLogout, r.clock(), r.keep())
	r.ok(err)
	for _, s := range list {
		if got := r.inStream(s); len(got) > 0 {
			r.t.Errorf("%s hears %+v", s.ClientID, got)
		}
	}
}

// events puts n events into s.
func (r *rig) events(s signals.Stream, n int) {
	r.t.Helper()
	for range n {
		r.ok(r.Signals.AddEvent(r.ctx(), s.ID, s.ClientID, signals.Event{Type: signals.Verification, Claims: []byte(`{}`), At: r.clock()}, r.clock()))
	}
}

func signalsSettle(r *rig) {
	s, other := r.stream("rx"), r.stream("rx2")
	r.events(s, 3)
	first := r.inStream(s)
	if again := r.inStream(s); len(first) != 3 || fmt.Sprint(first) != fmt.Sprint(again) {
		r.t.Errorf("%v, then %v", first, again)
	}
	n, err := r.Signals.Settle(r.ctx(), other.ID, []secret.ID{first[0].ID})
	if r.ok(err); n != 0 || len(r.inStream(s)) != 3 {
		r.t.Error("another stream settled it")
	}
	n, err = r.Signals.Settle(r.ctx(), s.ID, []secret.ID{first[1].ID, first[1].ID, secret.NewID(r.clock())})
	if r.ok(err); n != 1 {
		r.t.Errorf("settled %d", n)
	}
	left := r.inStream(s)
	if len(left) != 2 || left[0].ID != first[0].ID || left[1].ID != first[2].ID {
		r.t.Errorf("left %+v", left)
	}
}

func signalsFull(r *rig) {
	s := r.stream("rx")
	r.events(s, MaxSignals)
	before := r.inStream(s)
	if got, err := r.Signals.Stream(r.ctx(), s.ID, ""); err != nil || got.Status != signals.Enabled || len(before) != MaxSignals {
		r.t.Fatalf("%d wait, %+v %v", len(before), got, err)
	}
	r.events(s, 5)
	got, err := r.Signals.Stream(r.ctx(), s.ID, "")
	if r.ok(err); got.Status != signals.Paused || got.Reason != signals.Lost {
		r.t.Errorf("%+v", got)
	}
	news := r.inStream(s)
	if len(news) != 1 || news[0].Type != signals.StreamUpdated {
		r.t.Fatalf("a paused stream sends %+v, want that it is paused, once", news)
	}
	_, err = r.Signals.Settle(r.ctx(), s.ID, []secret.ID{news[0].ID})
	r.ok(err)
	_, err = r.Signals.SetStatus(r.ctx(), s.ID, "rx", signals.Enabled, "", false, r.clock())
	r.ok(err)
	left := r.inStream(s)
	if len(left) > MaxSignals || len(left) < MaxSignals-2 || left[0].ID == before[0].ID {
		r.t.Errorf("%d are left", len(left))
	}
}

func signalsExpire(r *rig) {
	s := r.stream("rx")
	r.events(s, 2)
	r.advance(time.Hour)
	r.events(s, 1)
	lost, err := r.Signals.ExpireEvents(r.ctx(), r.clock().Add(-time.Minute), r.clock())
	if r.ok(err); lost != 2 {
		r.t.Errorf("%d lost", lost)
	}
	if got := r.inStream(s); len(got) != 1 || got[0].Type != signals.StreamUpdated {
		r.t.Errorf("%+v", got)
	}
	lost, err = r.Signals.ExpireEvents(r.ctx(), r.clock().Add(-time.Minute), r.clock())
	if r.ok(err); lost != 0 {
		r.t.Errorf("%d lost again", lost)
	}
	_, err = r.Signals.SetStatus(r.ctx(), s.ID, "", signals.Enabled, "", false, r.clock())
	r.ok(err)
	if got := r.inStream(s); len(got) != 2 {
		r.t.Errorf("%+v", got)
	}
}

func streamStatus(r *rig) {
	s := r.stream("rx")
	set := func(status signals.Status, tell bool) {
		r.t.Helper()
		got, err := r.Signals.SetStatus(r.ctx(), s.ID, "rx", status, "why", tell, r.clock())
		if r.ok(err); got.Status != status || got.Reason != "why" {
			r.t.Errorf("%+v", got)
		}
	}
	count := func(want int) {
		r.t.Helper()
		if got := r.inStream(s); len(got) != want {
			r.t.Errorf("%d wait, want %d: %+v", len(got), want, got)
		}
		_, err := r.Signals.ClaimStream(r.ctx(), r.clock(), r.clock())
		if (err == nil) != (want > 0) {
			r.t.Errorf("claim with %d waiting: %v", want, err)
		}
	}
	set(signals.Paused, false)
	r.events(s, 2)
	count(0)
	set(signals.Enabled, false)
	count(2)
	set(signals.Paused, true)
	set(signals.Paused, true) // no news
	count(1)
	set(signals.Disabled, false)
	r.events(s, 2)
	count(0)
	set(signals.Enabled, true)
	count(1)
}

func verifyOften(r *rig) {
	s := r.stream("rx")
	ask := func() error {
		return r.Signals.AddEvent(r.ctx(), s.ID, "rx", signals.Event{Type: signals.Verification, Claims: []byte(`{}`), At: r.clock()}, r.clock().Add(-5*time.Second))
	}
	r.ok(ask())
	if won := r.fight(signals.ErrTooSoon, func(int) error { return ask() }); won != 0 {
		r.t.Errorf("%d were taken", won)
	}
	r.advance(5 * time.Second)
	if won := r.fight(signals.ErrTooSoon, func(int) error { return ask() }); won != 1 {
		r.t.Errorf("%d of sixteen were taken", won)
	}
}

func subjects(r *rig) {
	s, other := r.stream("rx"), r.stream("rx2")
	excluded := func(s signals.Stream, want bool, names ...string) {
		r.t.Helper()
		got, err := r.Signals.Excluded(r.ctx(), s.ID, names)
		if r.ok(err); got != want {
			r.t.Errorf("%v: %t", names, got)
		}
	}
	r.ok(r.Signals.SetSubject(r.ctx(), s.ID, "rx", "email:ada@example.com", false))
	r.ok(r.Signals.SetSubject(r.ctx(), s.ID, "rx", "email:ada@example.com", false))
	excluded(s, true, "sub:1", "email:ada@example.com")
	excluded(s, false, "sub:1")
	excluded(other, false, "email:ada@example.com")
	r.ok(r.Signals.SetSubject(r.ctx(), s.ID, "rx", "email:ada@example.com", true))
	excluded(s, false, "email:ada@example.com")
}

func streamOfRemovedClient(r *rig) {
	c := oauth.Client{ID: "rx", Type: oauth.ServiceClient, Epoch: secret.NewID(r.clock()), CreatedAt: r.clock()}
	r.ok(r.OAuth.AddClient(r.ctx(), c))
	s := r.stream(c.ID)
	r.events(s, 1)
	r.ok(r.OAuth.RemoveClient(r.ctx(), c.ID, r.clock(), r.keep()))
	_, err := r.Signals.Stream(r.ctx(), s.ID, "")
	r.is("the stream", err, signals.ErrNotFound)
	if got := r.inStream(s); len(got) > 0 {
		r.t.Errorf("%+v", got)
	}
}

func raceClaim(r *rig) {
	for i := range 20 {
		s := r.stream(fmt.Sprint("rx", i))
		r.events(s, 1)
		until := r.clock().Add(time.Minute)
		won := r.fight(signals.ErrNotFound, func(int) error { _, err := r.Signals.ClaimStream(r.ctx(), r.clock(), until); return err })
		if won != 1 {
			r.t.Fatalf("%d claimed one stream", won)
		}
		if i%2 == 0 { // it comes back when it is given back
			due := r.clock().Add(10 * time.Second)
			r.ok(r.Signals.ReleaseStream(r.ctx(), s.ID, until.Add(time.Second), r.clock(), 9, "not mine"))
			r.ok(r.Signals.ReleaseStream(r.ctx(), s.ID, until, due, 3, "away"))
			_, err := r.Signals.ClaimStream(r.ctx(), r.clock(), until)
			r.is("before it is due", err, signals.ErrNotFound)
			got, err := r.Signals.ClaimStream(r.ctx(), due, due.Add(time.Minute))
			if r.ok(err); got.ID != s.ID || got.Attempts != 3 || got.Problem != "away" {
				r.t.Errorf("%+v", got)
			}
		}
		r.ok(r.Signals.DeleteStream(r.ctx(), s.ID, ""))
	}
}

func raceStream(r *rig) {
	for i := range 10 {
		won := r.fight(signals.ErrExists, func(int) error {
			return r.Signals.AddStream(r.ctx(), signals.Stream{ID: secret.NewID(r.clock()), ClientID: fmt.Sprint("rx", i), Status: signals.Enabled, Method: signals.Poll})
		})
		if won != 1 {
			r.t.Fatalf("%d made a stream", won)
		}
	}
}

// raceSignals ends sessions from many sides while the stream is used.
func raceSignals(r *rig) {
	s := r.stream("rx", func(s *signals.Stream) { s.Method = signals.Poll })
	u := r.addUser("ada")
	want := map[secret.ID]bool{}
	var sids [fighters]secret.ID
	for n := range sids {
		sids[n] = r.addSession(u).SID
		want[sids[n]] = true
	}
	var seen sync.Map
	var twice atomic.Int64
	take := func() {
		list, err := r.Signals.Waiting(r.ctx(), s.ID, 100)
		if err != nil {
			r.t.Error(err)
			return
		}
		for _, e := range list {
			n, err := r.Signals.Settle(r.ctx(), s.ID, []secret.ID{e.ID})
			if err != nil {
				r.t.Error(err)
			} else if n == 1 {
				if _, known := seen.LoadOrStore(e.SID, true); known {
					twice.Add(1)
				}
			}
		}
	}
	r.fight(nil, func(n int) error {
		_, err := r.OAuth.EndSession(r.ctx(), sids[n], revocation.ReasonLogout, r.clock(), r.keep())
		if err == nil {
			_, err = r.OAuth.EndSession(r.ctx(), sids[(n+1)%fighters], revocation.ReasonLogout, r.clock(), r.keep())
		}
		if err == nil && n%4 == 0 {
			_, err = r.Signals.ChangeStream(r.ctx(), s.ID, "rx", func(s *signals.Stream) error { s.Description += "x"; return nil })
		}
		take()
		return err
	})
	take()
	got := 0
	seen.Range(func(sid, _ any) bool {
		if !want[sid.(secret.ID)] {
			r.t.Errorf("an event of %v", sid)
		}
		got++
		return true
	})
	if got != fighters || twice.Load() > 0 {
		r.t.Errorf("%d of %d sessions were told of, %d twice", got, fighters, twice.Load())
	}
}
