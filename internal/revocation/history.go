package revocation

import (
	"context"
	"errors"
)

var (
	errReturned = errors.New("the feed was replaced by another one while it was read")
	errNoMark   = errors.New("the feed has no mark: it cannot be told from another one")
)

// read reads the feed to its end. What it has read counts, whatever it returns.
func (f *Follower) read(ctx context.Context) error {
	if _, err := f.locate(ctx); err != nil {
		return err
	}
	if f.seq >= f.head.Seq {
		return nil
	}
	for f.seq < f.head.Seq {
		entries, err := f.log.Entries(ctx, f.seq, batch)
		if err != nil {
			return err
		}
		known := f.inside(entries)
		f.apply(known)
		if len(known) < batch {
			f.seq = f.head.Seq // the last ones were deleted, or are not stored twice
		}
	}
	// The database may have changed places between two reads.
	same, err := f.locate(ctx)
	if err == nil && !same {
		err = errReturned
	}
	return err
}

// inside leaves out what was added after the head was read: whether it stands
// in the same feed is known with the next one.
func (f *Follower) inside(entries []Entry) []Entry {
	for i, e := range entries {
		if e.Seq > f.head.Seq {
			return entries[:i]
		}
	}
	return entries
}

// locate finds the end of the feed. If it is not the feed that was read so far,
// or that cannot be told any more, all of it is to be read once more. What is
// known to be revoked stays revoked: a feed that has lost a revocation does not
// take it back.
func (f *Follower) locate(ctx context.Context) (same bool, err error) {
	head, err := f.log.Head(ctx, f.head.Seq)
	if err != nil {
		return false, err
	}
	if head.Mark == "" {
		return false, errNoMark
	}
	same = f.head == Head{} || head.continues(f.head)
	f.head = Head{Seq: head.Seq, Mark: head.Mark}
	if !same {
		f.seq = 0
		for _, fn := range f.onReturn {
			fn()
		}
	}
	return same, nil
}

// continues reports whether h ends the feed that once ended with before.
func (h Head) continues(before Head) bool {
	return h.Seq >= before.Seq && h.MarkAt == before.Mark
}
