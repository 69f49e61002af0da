package revocation_test

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func grantEntry(a *token.Access) revocation.Entry {
	return revocation.Entry{Kind: revocation.Grant, ID: a.GrantID.String()}
}

// A replica takes over that lacks the last three entries, and the feed goes on
// from there: to a lower number, to the same and beyond it.
func TestAP15AFeedThatGoesBackIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]int{"below": 1, "to the same number": 3, "beyond": 5, "nothing at all": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, c := &memLog{}, &clock{t: start}
			f := revocation.NewFollower(log, c.now)
			returns, told := 0, map[string]bool{}
			f.OnReturn(func() { returns++ })
			f.OnEntry(func(e revocation.Entry) { told[e.ID] = true })
			lost, found := access(), []*token.Access{}
			for range 9 {
				log.add(revocation.Entry{Kind: revocation.Changed, ID: "old"})
			}
			log.add(grantEntry(lost))
			if err := f.CatchUp(t.Context()); err != nil || returns != 0 {
				t.Fatal(err, returns)
			}
			log.back(7)
			for range after {
				a := access()
				found = append(found, a)
				log.add(grantEntry(a))
			}
			clear(told)
			if err := f.CatchUp(t.Context()); err != nil || !f.Fresh(token.TierHigh) {
				t.Fatalf("not read: %v", err)
			}
			for i, a := range found {
				if !f.Revoked(a) || !told[a.GrantID.String()] {
					t.Errorf("entry %d after the return is not in force", i)
				}
			}
			if !told["old"] || returns != 1 {
				t.Errorf("%d returns told of, the old entries told of again: %v", returns, told["old"])
			}
			if !f.Revoked(lost) {
				t.Error("what was revoked is not any more")
			}
			later := access()
			log.add(grantEntry(later))
			if err := f.CatchUp(t.Context()); err != nil || !f.Revoked(later) || returns != 1 {
				t.Errorf("afterwards: %v, revoked %v, %d returns", err, f.Revoked(later), returns)
			}
		})
	}
}

// The pair of it: a feed that only grows is read once, whatever expires.
func TestAFeedThatGoesOnIsReadOnce(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	entries := 0
	f.OnEntry(func(revocation.Entry) { entries++ })
	f.OnReturn(func() { t.Error("taken for another feed") })
	for range 5 {
		for range 3 {
			if err := f.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		log.add(grantEntry(access()))
		log.gone = int64(len(log.entries)) - 2
	}
	if entries != 4 {
		t.Errorf("told of %d entries, want 4", entries)
	}
}

// Whoever was away for so long that the marks are gone cannot tell.
func TestAForgottenMarkIsReadAgain(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	returns := 0
	f.OnReturn(func() { returns++ })
	for range 2 {
		log.add(grantEntry(access()))
		log.add(grantEntry(access()))
		if err := f.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		log.gone = 3
	}
	if returns != 1 {
		t.Errorf("%d returns, want 1", returns)
	}
}

// The database changes places between two reads of one catching up.
func TestAFeedReplacedWhileItIsReadIsNotFresh(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	for range 5 {
		log.add(grantEntry(access()))
	}
	a := access()
	log.onRead = func() {
		log.onRead = nil
		log.back(2)
		for range 4 {
			log.add(revocation.Entry{Kind: revocation.Serial, ID: secret.NewID(start).String()})
		}
		log.add(grantEntry(a))
	}
	if err := f.CatchUp(t.Context()); err == nil || f.Fresh(token.TierLow) {
		t.Errorf("fresh by two halves of different feeds: %v", err)
	}
	if err := f.CatchUp(t.Context()); err != nil || !f.Revoked(a) || !f.Fresh(token.TierHigh) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAFeedWithoutMarksIsNotFresh(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	log.add(grantEntry(access()))
	log.marks[0] = ""
	if err := f.CatchUp(t.Context()); err == nil || f.Fresh(token.TierLow) {
		t.Errorf("fresh by a feed that is like any other: %v", err)
	}
}

// A reading that breaks off is taken up where it ended, unless the feed has
// gone back behind that meanwhile.
func TestAP15AReturnInTheMiddleOfALongReadIsSeen(t *testing.T) {
	t.Parallel()
	log, c := &memLog{}, &clock{t: start}
	f := revocation.NewFollower(log, c.now)
	for range 2500 {
		log.add(grantEntry(access()))
	}
	reads := 0
	log.onRead = func() {
		if reads++; reads == 2 {
			log.fail = errors.New("down")
		}
	}
	if err := f.CatchUp(t.Context()); err == nil || f.Size() != 1000 {
		t.Fatalf("read %d entries: %v", f.Size(), err)
	}
	log.fail, log.onRead = nil, nil
	log.back(500)
	a := access()
	log.add(grantEntry(a))
	for range 2600 {
		log.add(grantEntry(access()))
	}
	if err := f.CatchUp(t.Context()); err != nil || !f.Revoked(a) {
		t.Errorf("revoked %v: %v", f.Revoked(a), err)
	}
}

// The clock on the wall is two hours ahead for a moment: before the entry is
// read, while it is, and after it.
func TestAWrongClockRevivesNothing(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]int{"first": 0, "second": 1, "third": 2} {
		t.Run("ahead at the "+name+" read", func(t *testing.T) {
			t.Parallel()
			log, c := &memLog{}, &clock{t: start}
			f := revocation.NewFollower(log, c.now)
			steady := time.Duration(0)
			revocation.SetSteady(f, func() time.Duration { return steady })
			a := access()
			for i := range 4 {
				if i == 1 {
					log.add(grantEntry(a))
				}
				jump := time.Duration(0)
				if i == ahead {
					jump = 2 * time.Hour
				}
				c.advance(jump)
				if err := f.CatchUp(t.Context()); err != nil {
					t.Fatal(err)
				}
				c.advance(2*time.Minute - jump)
				steady += 2 * time.Minute
			}
			if !f.Revoked(a) {
				t.Error("a revoked token lives again")
			}
			c.advance(2 * time.Hour)
			steady += 2 * time.Hour
			if err := f.CatchUp(t.Context()); err != nil || f.Size() != 0 {
				t.Errorf("%d entries are never forgotten: %v", f.Size(), err)
			}
		})
	}
}

// A clock that is set back, or stands still, keeps what it would have dropped.
func TestBothClocksMustHaveEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wall, steady time.Duration
		held         int
	}{
		"neither": {10 * time.Minute, 10 * time.Minute, 1},
		"wall":    {2 * time.Hour, 10 * time.Minute, 1},
		"steady":  {10 * time.Minute, 2 * time.Hour, 1},
		"both":    {2 * time.Hour, 2 * time.Hour, 0},
	} {
		log, wall := &memLog{}, &clock{t: start}
		f := revocation.NewFollower(log, wall.now)
		steady := time.Duration(0)
		revocation.SetSteady(f, func() time.Duration { return steady })
		log.add(grantEntry(access()))
		if err := f.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		wall.advance(c.wall)
		steady = c.steady
		if err := f.CatchUp(t.Context()); err != nil || f.Size() != c.held {
			t.Errorf("%s: %d entries are held, want %d: %v", name, f.Size(), c.held, err)
		}
	}
}
