package storetest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

var userEventTests = []test{
	{"LG01 an event of a person comes back as it was stored, the newest first", eventRoundTrip},
	{"a person keeps the newest two hundred events, whoever floods them", eventsBounded},
	{"events and browsers go with time and with their person", eventsEnd},
	{"AU16 of many sign-ins from one new browser, one is the first", browserRace},
	{"a person has fifty known browsers at most", browsersBounded},
	{"a browser is known for a person and not for another", browserOfPerson},
}

func (r *rig) event(u account.User, at time.Time, detail string) account.UserEvent {
	return account.UserEvent{
		ID: secret.NewID(at), UserID: u.ID, Kind: account.AppConnected, Device: "Firefox on Linux", Place: "Here", Detail: detail, CreatedAt: at,
	}
}

func eventRoundTrip(r *rig) {
	u, other := r.addUser("ada"), r.addUser("bob")
	first, second := r.event(u, start, "one"), r.event(u, start.Add(time.Second), "two")
	r.ok(r.Account.AddEvent(r.ctx(), first))
	r.ok(r.Account.AddEvent(r.ctx(), second))
	r.ok(r.Account.AddEvent(r.ctx(), r.event(other, start, "of somebody else")))
	got, err := r.Account.Events(r.ctx(), u.ID)
	r.ok(err)
	if d := cmp.Diff([]account.UserEvent{second, first}, got); d != "" {
		r.t.Error(d)
	}
	r.is("nobody's event", r.Account.AddEvent(r.ctx(), r.event(account.User{ID: "nobody"}, start, "")), account.ErrNotFound)
}

func eventsBounded(r *rig) {
	u := r.addUser("ada")
	r.fight(nil, func(n int) error {
		for i := range 15 {
			if err := r.Account.AddEvent(r.ctx(), r.event(u, start.Add(time.Duration(i)*time.Minute), fmt.Sprint(n, i))); err != nil {
				return err
			}
		}
		return nil
	})
	last := r.event(u, start.Add(time.Hour), "last")
	r.ok(r.Account.AddEvent(r.ctx(), last))
	got, err := r.Account.Events(r.ctx(), u.ID)
	r.ok(err)
	if len(got) != account.MostEvents || got[0] != last || got[len(got)-1].CreatedAt.Before(start.Add(2*time.Minute)) {
		r.t.Errorf("%d events, first %+v, last %+v", len(got), got[0], got[len(got)-1])
	}
	n, err := r.Expire(r.ctx(), start.Add(2*account.EventsKept)) // and no more are stored than are listed
	r.ok(err)
	if n != account.MostEvents {
		r.t.Errorf("%d events stored, want %d", n, account.MostEvents)
	}
}

func eventsEnd(r *rig) {
	u := r.addUser("ada")
	r.ok(r.Account.AddEvent(r.ctx(), r.event(u, start, "")))
	_, _, err := r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: u.ID, Mark: "m", At: start})
	r.ok(err)
	for _, step := range []struct {
		at   time.Duration
		want int64
	}{{account.EventsKept - time.Second, 0}, {account.EventsKept, 2}} {
		n, err := r.Expire(r.ctx(), start.Add(step.at))
		r.ok(err)
		if n != step.want {
			r.t.Errorf("after %s: %d rows went, want %d", step.at, n, step.want)
		}
	}
	list, err := r.Account.Events(r.ctx(), u.ID)
	r.ok(err)
	known, err := r.Account.BrowserKnown(r.ctx(), "ada", "m")
	r.ok(err)
	if len(list) != 0 || known {
		r.t.Errorf("%d events and known %v after their time", len(list), known)
	}
	r.ok(r.Account.AddEvent(r.ctx(), r.event(u, start, "")))
	_, _, err = r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: u.ID, Mark: "m", At: start})
	r.ok(err)
	r.ok(r.Account.DeleteUser(r.ctx(), u.ID, r.clock(), r.keep()))
	list, err = r.Account.Events(r.ctx(), u.ID)
	r.ok(err)
	if len(list) != 0 {
		r.t.Error("events outlive their person")
	}
}

func browserRace(r *rig) {
	u := r.addUser("ada")
	_, others, err := r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: u.ID, Mark: "first", At: start})
	r.ok(err)
	if others {
		r.t.Error("the very first browser has others before it")
	}
	var fresh atomic.Int64
	r.fight(nil, func(int) error {
		known, others, err := r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: u.ID, Mark: "second", At: start})
		if !others {
			r.t.Error("the first browser is forgotten")
		}
		if !known {
			fresh.Add(1)
		}
		return err
	})
	if fresh.Load() != 1 {
		r.t.Errorf("the browser was new %d times", fresh.Load())
	}
	_, _, err = r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: "nobody", Mark: "m", At: start})
	r.is("nobody's browser", err, account.ErrNotFound)
}

func browsersBounded(r *rig) {
	u := r.addUser("ada")
	for i := range account.MostBrowsers + 5 {
		_, _, err := r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: u.ID, Mark: fmt.Sprint(i), At: start.Add(time.Duration(i) * time.Second)})
		r.ok(err)
	}
	for mark, want := range map[string]bool{"0": false, "4": false, "5": true, "54": true} {
		if got, err := r.Account.BrowserKnown(r.ctx(), "ada", mark); err != nil || got != want {
			r.t.Errorf("BrowserKnown(%s) = %v, %v", mark, got, err)
		}
	}
}

func browserOfPerson(r *rig) {
	u := r.addUser("ada")
	r.addUser("bob")
	_, _, err := r.Account.KnowBrowser(r.ctx(), account.KnownBrowser{UserID: u.ID, Mark: "m", At: start})
	r.ok(err)
	for _, c := range []struct {
		name, mark string
		want       bool
	}{{"ada", "m", true}, {"ada", "n", false}, {"ada", "", false}, {"bob", "m", false}, {"nobody", "m", false}, {"\x00", "m", false}, {"ada", "\xff", false}} {
		if got, err := r.Account.BrowserKnown(r.ctx(), c.name, c.mark); err != nil || got != c.want {
			r.t.Errorf("BrowserKnown(%q, %q) = %v, %v", c.name, c.mark, got, err)
		}
	}
}
