package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"sallyport/internal/revocation"
)

// Feed implements revocation.Log.
type Feed struct {
	s    *Store
	hint <-chan struct{}
}

// Feed is the store as a follower of the revocation feed sees it. Each value
// has a Hint of its own, for as long as the store is open: make one for each
// follower.
func (s *Store) Feed() *Feed { return &Feed{s: s, hint: s.engine.subscribe()} }

// Entries implements revocation.Log.
func (f *Feed) Entries(ctx context.Context, after int64, limit int) ([]revocation.Entry, error) {
	var list []revocation.Entry
	err := f.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var e revocation.Entry
			var expires int64
			if err := scan(&e.Seq, &e.Kind, &e.ID, &e.Reason, &expires); err != nil {
				return err
			}
			e.ExpiresAt = at(expires)
			list = append(list, e)
			return nil
		}, `SELECT seq, kind, id, reason, expires_s FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2`,
			after, limit)
	})
	if err != nil {
		return nil, fmt.Errorf("read feed: %w", err)
	}
	return list, nil
}

// Head implements revocation.Log. It reads three rows by their keys, in one
// statement and so as of one moment.
func (f *Feed) Head(ctx context.Context, at int64) (revocation.Head, error) {
	var h revocation.Head
	err := f.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return row(ctx, q, []any{&h.Seq, &h.Mark, &h.MarkAt}, `SELECT seq,
			coalesce((SELECT mark FROM feed_marks ORDER BY seq DESC LIMIT 1), ''),
			coalesce((SELECT mark FROM feed_marks WHERE seq <= $1 ORDER BY seq DESC LIMIT 1), '')
			FROM feed_head WHERE id = 1`, at)
	})
	if err != nil {
		return revocation.Head{}, fmt.Errorf("read end of feed: %w", err)
	}
	return h, nil
}

// Hint implements revocation.Log. With SQLite it tells of this process's own
// entries, with PostgreSQL of everyone's.
func (f *Feed) Hint() <-chan struct{} { return f.hint }

// entry is what a transition adds to the feed: kind, what is named, why, and
// until when to keep it.
func entry(kind revocation.Kind, id, reason string, keep time.Time) revocation.Entry {
	return revocation.Entry{Kind: kind, ID: id, Reason: reason, ExpiresAt: keep}
}

// append adds to the feed. Call it last in a transition: from here to the
// commit everyone else who revokes waits.
func (t *tx) append(ctx context.Context, entries ...revocation.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var last int64
	if err := row(ctx, t, []any{&last}, `UPDATE feed_head SET seq = seq + $1 WHERE id = 1 RETURNING seq`, len(entries)); err != nil {
		return fmt.Errorf("advance feed: %w", err)
	}
	seq, until := last-int64(len(entries)), entries[0].ExpiresAt
	for _, e := range entries {
		seq++
		if e.ExpiresAt.Before(until) {
			until = e.ExpiresAt
		}
		_, err := t.exec(ctx, `INSERT INTO feed (seq, kind, id, reason, expires_s) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			seq, string(e.Kind), e.ID, e.Reason, seconds(e.ExpiresAt))
		if err != nil {
			return fmt.Errorf("append to feed: %w", err)
		}
	}
	_, err := t.exec(ctx, `INSERT INTO feed_marks (seq, mark, expires_s) VALUES ($1, $2, $3)`, last, rand.Text(), seconds(until))
	if err != nil {
		return fmt.Errorf("mark feed: %w", err)
	}
	t.fed = true
	return nil
}
