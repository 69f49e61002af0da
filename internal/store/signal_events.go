package store

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/signals"
)

// signal puts events into every stream that wants them: in the transaction of the
// change that they tell of, and before the feed is told of it, so that everybody
// locks streams and feed in one order.
func (s *Store) signal(ctx context.Context, t *tx, now time.Time, events ...signals.Event) error {
	if len(events) == 0 {
		return nil
	}
	streams, err := readStreams(ctx, t, `SELECT `+streamColumns+` FROM signal_streams WHERE status <> '`+string(signals.Disabled)+`' ORDER BY id`)
	if err != nil || len(streams) == 0 {
		return err
	}
	txn := secret.NewID(now)
	for i := range streams {
		for _, e := range events {
			if !streams[i].Wants(&e) {
				continue
			}
			if err := t.putEvent(ctx, &streams[i], e, txn, s.mostSignals, now); err != nil {
				return fmt.Errorf("put event into stream: %w", err)
			}
		}
	}
	return nil
}

// putEvent adds an event. In a stream that is full, the oldest goes for it: the
// last thing that happened matters more than one that nobody came for.
func (t *tx) putEvent(ctx context.Context, stream *signals.Stream, e signals.Event, txn secret.ID, most int64, now time.Time) error {
	if err := t.addEvent(ctx, stream.ID.String(), e, txn, now); err != nil {
		return err
	}
	// Numbers of events that were settled count too, so that one look is enough.
	lost, err := t.exec(ctx, `DELETE FROM signal_events WHERE stream_id = $1 AND control = 0 AND seq <= (SELECT last_seq FROM signal_streams WHERE id = $1) - $2`, stream.ID.String(), most)
	if err != nil || lost == 0 {
		return err
	}
	return t.lose(ctx, stream, now)
}

// lose pauses a stream of which events are gone, once, and tells its receiver.
func (t *tx) lose(ctx context.Context, stream *signals.Stream, now time.Time) error {
	n, err := t.exec(ctx, `UPDATE signal_streams SET status = $2, reason = $3 WHERE id = $1 AND status = $4`,
		stream.ID.String(), string(signals.Paused), signals.Lost, string(signals.Enabled))
	if err != nil || n == 0 {
		return err
	}
	return t.addEvent(ctx, stream.ID.String(), signals.Updated(signals.Paused, signals.Lost, now), secret.NewID(now), now)
}

// addEvent gives an event the next number of its stream, which it locks. A stream
// that is gone by now takes none.
func (t *tx) addEvent(ctx context.Context, stream string, e signals.Event, txn secret.ID, now time.Time) error {
	var seq int64
	err := row(ctx, t, []any{&seq}, `UPDATE signal_streams SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq`, stream)
	if err != nil {
		return ignoreNone(err)
	}
	sid := ""
	if !e.SID.IsZero() {
		sid = e.SID.String()
	}
	_, err = t.exec(ctx, `INSERT INTO signal_events (stream_id, seq, id, txn, type, user_id, sid, claims, control, created_s) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		stream, seq, secret.NewID(now).String(), txn.String(), e.Type, e.UserID, sid, string(e.Claims), number(e.Control()), seconds(e.At))
	t.fed = true
	return err
}

// AddEvent implements signals.Store.
func (s Signals) AddEvent(ctx context.Context, id secret.ID, clientID string, e signals.Event, notBefore time.Time) error {
	return s.s.write(ctx, "add event", func(ctx context.Context, t *tx) error {
		stream, err := t.lockStream(ctx, id, clientID)
		if err != nil {
			return err
		}
		err = changed(ctx, t, signals.ErrTooSoon, `UPDATE signal_streams SET asked_s = $2 WHERE id = $1 AND asked_s <= $3`, id.String(), seconds(e.At), seconds(notBefore))
		if err != nil || stream.Status == signals.Disabled {
			return err
		}
		return t.putEvent(ctx, &stream, e, secret.NewID(e.At), s.s.mostSignals, e.At)
	})
}

// Waiting implements signals.Store.
func (s Signals) Waiting(ctx context.Context, id secret.ID, most int) ([]signals.Event, error) {
	var list []signals.Event
	err := s.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			e, err := scanEvent(scan)
			list = append(list, e)
			return err
		}, `SELECT e.id, e.txn, e.type, e.user_id, e.sid, e.claims, e.created_s FROM signal_events e JOIN signal_streams s ON s.id = e.stream_id
			WHERE e.stream_id = $1 AND (s.status = '`+string(signals.Enabled)+`' OR e.control = 1) ORDER BY e.seq LIMIT $2`, id.String(), most)
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return list, nil
}

func scanEvent(scan func(...any) error) (e signals.Event, err error) {
	var id, txn, sid, claims string
	var created int64
	if err = scan(&id, &txn, &e.Type, &e.UserID, &sid, &claims, &created); err != nil {
		return e, err
	}
	e.Claims, e.At = []byte(claims), at(created)
	if e.ID, err = secret.ParseID(id); err != nil {
		return e, err
	}
	if e.Txn, err = secret.ParseID(txn); err == nil && sid != "" {
		e.SID, err = secret.ParseID(sid)
	}
	return e, err
}

// Settle implements signals.Store.
func (s Signals) Settle(ctx context.Context, id secret.ID, events []secret.ID) (n int64, err error) {
	err = s.s.write(ctx, "settle events", func(ctx context.Context, t *tx) error {
		n = 0
		for _, e := range events {
			gone, err := t.exec(ctx, `DELETE FROM signal_events WHERE stream_id = $1 AND id = $2`, id.String(), e.String())
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	return n, err
}

// ExpireEvents implements signals.Store, one stream after the other.
func (s Signals) ExpireEvents(ctx context.Context, before, now time.Time) (lost int64, err error) {
	var ids []string
	err = s.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT DISTINCT stream_id FROM signal_events WHERE created_s < $1 ORDER BY stream_id LIMIT $2`, seconds(before), expireChunk)
	})
	if err != nil {
		return 0, fmt.Errorf("look for old events: %w", err)
	}
	for _, text := range ids {
		id, err := secret.ParseID(text)
		if err != nil {
			return lost, fmt.Errorf("expire events: %w", err)
		}
		err = s.s.write(ctx, "expire events", func(ctx context.Context, t *tx) error {
			stream, err := t.lockStream(ctx, id, "")
			if err != nil {
				return err
			}
			n, err := t.exec(ctx, `DELETE FROM signal_events WHERE stream_id = $1 AND created_s < $2`, text, seconds(before))
			if err != nil || n == 0 {
				return err
			}
			lost += n
			return t.lose(ctx, &stream, now)
		})
		if err != nil {
			return lost, err
		}
	}
	return lost, nil
}
