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
	{"entries past their end stay for hours, and the number for ever", feedExpiry},
	{"each end of the feed has a mark of its own that stays", feedMarks},
	{"marks go with their entries but for the newest", feedMarksExpire},
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
	return r.head(0).Seq
}

func (r *rig) head(at int64) revocation.Head {
	r.t.Helper()
	h, err := r.Feed.Head(r.ctx(), at)
	r.ok(err)
	return h
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
		r.t.Errorf("the feed ends with %d, the last entry has %d", seq, after)
	}
}

func feedExpiry(r *rig) {
	r.revokeOne()
	seq := r.lastSeq()
	_, err := r.Expire(r.ctx(), r.clock()) // the mark of the empty feed
	r.ok(err)
	for _, step := range []struct {
		wait time.Duration
		want int64
	}{{7*time.Hour - time.Second, 0}, {time.Second, 1}} { // a clock that is hours ahead deletes nothing
		r.advance(step.wait)
		if got := int64(len(r.entries())); got != 1 {
			r.t.Errorf("at %v a reader sees %d entries", r.clock().Sub(start), got)
		}
		n, err := r.Expire(r.ctx(), r.clock())
		r.ok(err)
		if n != step.want || r.lastSeq() != seq {
			r.t.Errorf("at %v expired %d rows, want %d, and the end went from %d to %d", r.clock().Sub(start), n, step.want, seq, r.lastSeq())
		}
	}
	r.wantFeed()
	r.revokeOne()
	if r.lastSeq() <= seq {
		r.t.Errorf("seq went back to %d, which a reader has passed", r.lastSeq())
	}
}

func feedMarks(r *rig) {
	ends := []revocation.Head{r.head(0)}
	seen := map[string]bool{ends[0].Mark: true}
	for range 4 {
		r.revokeOne()
		h := r.head(0)
		if h.Mark == "" || seen[h.Mark] {
			r.t.Errorf("the mark at %d is %q, which is none or not new", h.Seq, h.Mark)
		}
		seen[h.Mark] = true
		ends = append(ends, h)
	}
	for _, end := range ends {
		if got := r.head(end.Seq); got.MarkAt != end.Mark || got.Seq != ends[4].Seq || got.Mark != ends[4].Mark {
			r.t.Errorf("the mark at %d was %q and is %+v", end.Seq, end.Mark, got)
		}
	}
}

func feedMarksExpire(r *rig) {
	var seqs []int64
	for range 3 {
		r.revokeOne()
		seqs = append(seqs, r.lastSeq())
	}
	last := r.head(seqs[2])
	_, err := r.Expire(r.ctx(), r.clock().Add(8*time.Hour))
	r.ok(err)
	if h := r.head(seqs[1]); h.MarkAt != "" || h.Mark != last.Mark {
		r.t.Errorf("after expiry the end is %+v, want no mark at %d and %q at the end", h, seqs[1], last.Mark)
	}
	if h := r.head(seqs[2]); h.MarkAt != last.Mark {
		r.t.Error("the mark of the newest entry is gone: every reader would start again")
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
