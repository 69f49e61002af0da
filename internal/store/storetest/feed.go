package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

var feedTests = []test{
	{"entries come in order, after a number, up to a limit", feedPages},
	{"entries past their end are left out and the number stays", feedExpiry},
	{"a hint follows an entry", feedHint},
	{"a reader misses nothing that sixteen writers add", feedOrder},
}

func (r *rig) revokeOne() string {
	r.t.Helper()
	id := secret.NewID(r.clock())
	r.ok(r.OAuth.RevokeSerial(r.ctx(), id, revocation.ReasonRevoked, r.clock(), r.keep()))
	return id.String()
}

func (r *rig) lastSeq() int64 {
	r.t.Helper()
	seq, err := r.Feed.LastSeq(r.ctx())
	r.ok(err)
	return seq
}

func feedPages(r *rig) {
	if seq := r.lastSeq(); seq != 0 {
		r.t.Errorf("seq is %d before the first entry", seq)
	}
	var ids []string
	for range 5 {
		ids = append(ids, r.revokeOne())
	}
	var after int64
	var got []string
	for {
		page, err := r.Feed.Entries(r.ctx(), after, 2)
		r.ok(err)
		for _, e := range page {
			got = append(got, e.ID)
			after = e.Seq
		}
		if len(page) < 2 {
			break
		}
	}
	for i, id := range ids {
		if len(got) != len(ids) || got[i] != id {
			r.t.Fatalf("got %v, want %v", got, ids)
		}
	}
	if seq := r.lastSeq(); seq != after {
		r.t.Errorf("LastSeq is %d, the last entry has %d", seq, after)
	}
}

func feedExpiry(r *rig) {
	r.revokeOne()
	seq := r.lastSeq()
	r.advance(time.Hour)
	r.wantFeed()
	n, err := r.Expire(r.ctx(), r.clock())
	r.ok(err)
	if n != 1 || r.lastSeq() != seq {
		r.t.Errorf("expired %d rows and LastSeq went from %d to %d", n, seq, r.lastSeq())
	}
	r.revokeOne()
	if r.lastSeq() <= seq {
		r.t.Errorf("seq went back to %d, which a reader has passed", r.lastSeq())
	}
}

func feedHint(r *rig) {
	hint := r.Feed.Hint()
	if hint == nil {
		r.t.Fatal("both engines of ours give hints")
	}
	for range 3 {
		for within(hint, 300*time.Millisecond) { // PostgreSQL hints once when it begins to listen
			continue
		}
		r.revokeOne()
		if !within(hint, 10*time.Second) {
			r.t.Fatal("no hint")
		}
	}
}

func within(hint <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-hint:
		return true
	case <-timer.C:
		return false
	}
}

// feedOrder fails for numbers that are given before the order of commits is
// known: the reader passes n while n-1 is not yet committed, and never sees it.
func feedOrder(r *rig) {
	const each = 15
	var writers sync.WaitGroup
	var written atomic.Int64
	for range fighters {
		writers.Go(func() {
			for range each {
				err := r.OAuth.RevokeSerial(r.ctx(), secret.NewID(start), revocation.ReasonRevoked, start, start.Add(time.Hour))
				if err != nil {
					r.t.Error(err)
					return
				}
				written.Add(1)
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	var after int64
	seen := map[string]bool{}
	for finished := false; !finished; {
		select {
		case <-done:
			finished = true
		default:
		}
		before := written.Load()
		last := r.lastSeq()
		page, err := r.Feed.Entries(r.ctx(), after, 10_000)
		r.ok(err)
		for _, e := range page {
			if e.Seq <= after {
				r.t.Fatalf("seq %d after %d", e.Seq, after)
			}
			after, seen[e.ID] = e.Seq, true
		}
		if int64(len(seen)) < before || after < last {
			r.t.Fatalf("%d entries are committed up to %d, the reader has %d up to %d", before, last, len(seen), after)
		}
	}
	if len(seen) != fighters*each {
		r.t.Errorf("the reader saw %d of %d entries", len(seen), fighters*each)
	}
}
