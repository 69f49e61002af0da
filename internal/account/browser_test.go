package account_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/store"
)

// home is a house on the real store, with a table of places.
func home(t *testing.T, change ...func(*account.Options)) *house {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	places, err := account.ReadPlaces(strings.NewReader("192.0.2.0/24,Berlin\n"))
	if err != nil {
		t.Fatal(err)
	}
	return newHouse(t, st.Account(), append([]func(*account.Options){func(o *account.Options) { o.Places = places }}, change...)...)
}

func visitIn(browser, addr, device string) account.Visit {
	v := from(addr)
	v.Browser, v.Device = secret.New(browser), device
	return v
}

func (h *house) kinds(t *testing.T, u account.User) (list []string) {
	t.Helper()
	events, err := h.Events(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		list = append(list, string(e.Kind))
	}
	return list
}

func TestAU16PeopleAreToldOfANewDevice(t *testing.T) {
	t.Parallel()
	h := home(t)
	people := map[string]account.User{"ada": h.add(t, "ada"), "bob": h.add(t, "bob"), "carl": h.add(t, "carl")}
	for _, step := range []struct {
		name, person, browser string
		told                  bool
	}{
		{"the very first sign-in is no news", "ada", "one", false},
		{"nor is the same browser again", "ada", "one", false},
		{"another browser is", "ada", "two", true},
		{"once", "ada", "two", false},
		{"the first one stays known", "ada", "one", false},
		{"another person has a first time too", "bob", "one", false},
		{"a browser that others use is new for this person", "bob", "two", true},
	} {
		u, record := people[step.person], &audit.Record{}
		before := len(h.kinds(t, u))
		if _, err := h.SignIn(audit.WithRecord(t.Context(), record), visitIn(step.browser, "192.0.2.1", "Firefox on Linux"), step.person, secret.New(good)); err != nil {
			t.Fatal(err)
		}
		if told := len(h.kinds(t, u)) > before; told != step.told {
			t.Errorf("%s: told %v, want %v", step.name, told, step.told)
		}
		if noted := strings.Contains(fmt.Sprint(reasons(record)), "account.new_device"); noted != step.told {
			t.Errorf("LG01 %s: noted %v, want %v", step.name, noted, step.told)
		}
	}
	events, err := h.Events(t.Context(), people["ada"].ID)
	if err != nil || len(events) != 1 || events[0].Device != "Firefox on Linux" || events[0].Place != "Berlin" || events[0].Kind != account.SignedInNewDevice {
		t.Errorf("the event is %+v, %v", events, err)
	}
	h.clock.advance(account.BrowserLife + time.Hour) // all its browsers would be forgotten: somebody else may be the first
	if _, err := h.SignIn(t.Context(), visitIn("three", "192.0.2.1", ""), "carl", secret.New(good)); err != nil {
		t.Fatal(err)
	}
	if got := h.kinds(t, people["carl"]); len(got) != 1 {
		t.Errorf("the first sign-in after the memory of browsers: %v, want an event", got)
	}
	if _, err := h.SignIn(t.Context(), visitIn("four", "192.0.2.1", ""), "ada", secret.New("wrong")); err == nil || len(h.kinds(t, people["ada"])) != 1 {
		t.Error("a failed sign-in makes a browser known")
	}
}

func TestSessionsKnowDeviceAndPlace(t *testing.T) {
	t.Parallel()
	h := home(t)
	h.add(t, "ada")
	for addr, place := range map[string]string{"192.0.2.9": "Berlin", "198.51.100.9": ""} {
		p, err := h.SignIn(t.Context(), visitIn("one", addr, "Chrome on Android"), "ada", secret.New(good))
		if err != nil {
			t.Fatal(err)
		}
		s, err := h.Session(t.Context(), p.Cookie)
		if err != nil || s.Device != "Chrome on Android" || s.Place != place {
			t.Errorf("session %+v, %v", s, err)
		}
	}
}

// A stolen cookie is of no use on another kind of device; the person stays signed
// in, and is told.
func TestAU18SessionOnAnotherKindOfDevice(t *testing.T) {
	t.Parallel()
	h := home(t)
	u := h.add(t, "ada")
	p, err := h.SignIn(t.Context(), visitIn("one", "192.0.2.9", "Safari on iPhone"), "ada", secret.New(good))
	if err != nil {
		t.Fatal(err)
	}
	record := &audit.Record{}
	ctx := audit.WithRecord(t.Context(), record)
	for range 50 { // whoever has the cookie does not fill the list of events with it
		for _, device := range []string{"Firefox on Linux", "Chrome on iPhone", account.SomeProgram} {
			if _, err := h.SessionOn(ctx, p.Cookie, device); !errors.Is(err, account.ErrNotFound) {
				t.Fatalf("on %s: %v, want ErrNotFound", device, err)
			}
		}
	}
	if got := fmt.Sprint(reasons(record)); got != "[account.session_moved: account.session_moved:]" {
		t.Errorf("LG01 noted %s", got)
	}
	if got := fmt.Sprint(h.kinds(t, u)); got != "[session_moved session_moved]" {
		t.Errorf("events %s", got)
	}
	h.clock.advance(time.Minute)
	for _, device := range []string{"Safari on iPhone", ""} { // the pair: another network is no matter, nor an update
		if _, err := h.SessionOn(t.Context(), p.Cookie, device); err != nil {
			t.Errorf("its own device %q: %v", device, err)
		}
	}
}

func TestDetailsOfEventsAreBoundedAndVisible(t *testing.T) {
	t.Parallel()
	h := home(t)
	u := h.add(t, "ada")
	v := account.Visit{Device: "Firefox on Linux", Remote: netip.MustParseAddr("192.0.2.1")}
	for detail, want := range map[string]string{
		"Shop":                         "Shop",
		"LG04 a\r\nb\x1b[31m\u2028":    "LG04 ab[31m",
		"turned \u202e round \u200b":   "turned  round",
		"\xff\xfe":                     "",
		strings.Repeat("\u00e9", 200):  strings.Repeat("\u00e9", 100),
		strings.Repeat("\u20ac", 1000): strings.Repeat("\u20ac", 66),
	} {
		h.clock.advance(time.Second)
		h.Happened(t.Context(), u.ID, account.FactorAdded, &v, detail)
		events, err := h.Events(t.Context(), u.ID)
		if err != nil || events[0].Detail != want || events[0].Kind != account.FactorAdded || events[0].Place != "Berlin" {
			t.Errorf("detail %q became %+v, %v", detail, events[0], err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	before := len(h.kinds(t, u))
	h.Happened(gone, u.ID, account.AppRemoved, nil, "")
	if len(h.kinds(t, u)) != before+1 {
		t.Error("what has happened is not told because its request is over")
	}
	record := &audit.Record{}
	h.Happened(audit.WithRecord(t.Context(), record), "nobody", account.AppRemoved, nil, "")
	if got := fmt.Sprint(reasons(record)); got != "[account.app_removed:]" {
		t.Errorf("for nobody: %s", got)
	}
}

// Each kind has an event of the log, which is listed, and is noted once.
func TestLG01EveryKindIsNotedByItsName(t *testing.T) {
	t.Parallel()
	h := home(t)
	u := h.add(t, "ada")
	for _, line := range account.EventKinds {
		record := &audit.Record{}
		h.Happened(audit.WithRecord(t.Context(), record), u.ID, line.Kind, nil, "")
		if e := record.Events(); len(e) != 1 || e[0].Name != line.Audit || e[0].Subject != u.ID || e[0].Reason != "" {
			t.Errorf("%s: noted %+v", line.Kind, e)
		}
	}
	if got := h.kinds(t, u); len(got) != len(account.EventKinds) {
		t.Errorf("%d events, want %d", len(got), len(account.EventKinds))
	}
}
