package store

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/signals"
)

// Signals implements signals.Store.
type Signals struct{ s *Store }

// Signals is the store as the transmitter of signals sees it.
func (s *Store) Signals() Signals { return Signals{s} }

// defaultMostSignals bounds the events that wait in one stream.
const defaultMostSignals = 10_000

// Hint implements signals.Store: it is that of the feed, which grows with nearly
// every event.
func (s Signals) Hint() <-chan struct{} { return s.s.engine.subscribe() }

const streamColumns = `id, client_id, created_s, method, endpoint_url, push_header, requested, description, format, status, reason, attempts, problem`

func readStreams(ctx context.Context, q queryer, query string, args ...any) ([]signals.Stream, error) {
	var list []signals.Stream
	err := q.each(ctx, func(scan func(...any) error) error {
		var r signals.Stream
		var id, requested string
		var created int64
		err := scan(&id, &r.ClientID, &created, &r.Method, &r.EndpointURL, &r.Authorization, &requested, &r.Description, &r.Format, &r.Status, &r.Reason, &r.Attempts, &r.Problem)
		if err != nil {
			return err
		}
		r.CreatedAt = at(created)
		if r.ID, err = secret.ParseID(id); err == nil {
			r.Requested, err = parseList(requested)
		}
		list = append(list, r)
		return err
	}, query, args...)
	return list, err
}

// oneStream reads the stream of a client, or with an empty clientID of any.
func oneStream(ctx context.Context, q queryer, id secret.ID, clientID string) (signals.Stream, error) {
	list, err := readStreams(ctx, q, `SELECT `+streamColumns+` FROM signal_streams WHERE id = $1 AND ($2 = '' OR client_id = $2)`, id.String(), clientID)
	if err == nil && len(list) == 0 {
		err = signals.ErrNotFound
	}
	if err != nil {
		return signals.Stream{}, err
	}
	return list[0], nil
}

// Stream implements signals.Store.
func (s Signals) Stream(ctx context.Context, id secret.ID, clientID string) (stream signals.Stream, err error) {
	err = s.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		stream, err = oneStream(ctx, q, id, clientID)
		return err
	})
	if err != nil {
		return signals.Stream{}, fmt.Errorf("find stream: %w", err)
	}
	return stream, nil
}

// Streams implements signals.Store.
func (s Signals) Streams(ctx context.Context, clientID string) (list []signals.Stream, err error) {
	err = s.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		list, err = readStreams(ctx, q, `SELECT `+streamColumns+` FROM signal_streams WHERE $1 = '' OR client_id = $1 ORDER BY id`, clientID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	return list, nil
}

// AddStream implements signals.Store.
func (s Signals) AddStream(ctx context.Context, r signals.Stream) error {
	requested, err := listText(r.Requested)
	if err != nil {
		return fmt.Errorf("add stream: %w", err)
	}
	return s.s.write(ctx, "add stream", func(ctx context.Context, t *tx) error {
		return changed(ctx, t, signals.ErrExists, `INSERT INTO signal_streams (`+streamColumns+`, last_seq, asked_s, due_s, claimed_s)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, '', 0, 0, 0, 0) ON CONFLICT DO NOTHING`,
			r.ID.String(), r.ClientID, seconds(r.CreatedAt), r.Method, r.EndpointURL, r.Authorization, requested, r.Description, r.Format, string(r.Status), r.Reason)
	})
}

// lock makes others wait who change the stream or put events into it.
func (t *tx) lockStream(ctx context.Context, id secret.ID, clientID string) (signals.Stream, error) {
	err := changed(ctx, t, signals.ErrNotFound, `UPDATE signal_streams SET last_seq = last_seq WHERE id = $1 AND ($2 = '' OR client_id = $2)`, id.String(), clientID)
	if err != nil {
		return signals.Stream{}, err
	}
	return oneStream(ctx, t, id, clientID)
}

// ChangeStream implements signals.Store.
func (s Signals) ChangeStream(ctx context.Context, id secret.ID, clientID string, f func(*signals.Stream) error) (stream signals.Stream, err error) {
	err = s.s.write(ctx, "change stream", func(ctx context.Context, t *tx) error {
		if stream, err = t.lockStream(ctx, id, clientID); err != nil {
			return err
		}
		if err := f(&stream); err != nil {
			return err
		}
		requested, err := listText(stream.Requested)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, `UPDATE signal_streams SET method = $2, endpoint_url = $3, push_header = $4, requested = $5, description = $6, format = $7,
			due_s = 0, attempts = 0, problem = '' WHERE id = $1`,
			id.String(), stream.Method, stream.EndpointURL, stream.Authorization, requested, stream.Description, stream.Format)
		t.fed = true
		return err
	})
	return stream, err
}

// SetStatus implements signals.Store.
func (s Signals) SetStatus(ctx context.Context, id secret.ID, clientID string, status signals.Status, reason string, tell bool, now time.Time) (stream signals.Stream, err error) {
	err = s.s.write(ctx, "set status of stream", func(ctx context.Context, t *tx) error {
		before, err := t.lockStream(ctx, id, clientID)
		if err != nil {
			return err
		}
		stream = before
		if stream.Status, stream.Reason = status, reason; status == signals.Disabled {
			if _, err := t.exec(ctx, `DELETE FROM signal_events WHERE stream_id = $1`, id.String()); err != nil {
				return err
			}
		}
		if tell && before.Status != status {
			e := signals.Updated(status, reason, now)
			if err := t.addEvent(ctx, id.String(), e, secret.NewID(now), now); err != nil {
				return err
			}
		}
		_, err = t.exec(ctx, `UPDATE signal_streams SET status = $2, reason = $3, due_s = 0, attempts = 0, problem = '' WHERE id = $1`, id.String(), string(status), reason)
		t.fed = true
		return err
	})
	return stream, err
}

// DeleteStream implements signals.Store.
func (s Signals) DeleteStream(ctx context.Context, id secret.ID, clientID string) error {
	return s.s.write(ctx, "delete stream", func(ctx context.Context, t *tx) error {
		if _, err := t.lockStream(ctx, id, clientID); err != nil {
			return err
		}
		t.fed = true
		return t.all(ctx, []string{
			`DELETE FROM signal_events WHERE stream_id = $1`,
			`DELETE FROM signal_subjects WHERE stream_id = $1`,
			`DELETE FROM signal_streams WHERE id = $1`,
		}, id.String())
	})
}

// deleteStreamsOf ends what a client receives, for good.
func (t *tx) deleteStreamsOf(ctx context.Context, clientID string) error {
	const mine = ` WHERE stream_id IN (SELECT id FROM signal_streams WHERE client_id = $1)`
	if _, err := t.exec(ctx, `UPDATE signal_streams SET last_seq = last_seq WHERE client_id = $1`, clientID); err != nil {
		return err
	}
	return t.all(ctx, []string{
		`DELETE FROM signal_events` + mine, `DELETE FROM signal_subjects` + mine, `DELETE FROM signal_streams WHERE client_id = $1`,
	}, clientID)
}

// SetSubject implements signals.Store.
func (s Signals) SetSubject(ctx context.Context, id secret.ID, clientID, name string, included bool) error {
	return s.s.write(ctx, "set subject", func(ctx context.Context, t *tx) error {
		if _, err := t.lockStream(ctx, id, clientID); err != nil {
			return err
		}
		if included {
			_, err := t.exec(ctx, `DELETE FROM signal_subjects WHERE stream_id = $1 AND name = $2`, id.String(), name)
			return err
		}
		n := 0
		err := row(ctx, t, []any{&n}, `SELECT count(*) FROM signal_subjects WHERE stream_id = $1`, id.String())
		if err != nil {
			return err
		}
		if n >= signals.MaxSubjects {
			return signals.ErrFull
		}
		_, err = t.exec(ctx, `INSERT INTO signal_subjects (stream_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, id.String(), name)
		return err
	})
}

// Excluded implements signals.Store.
func (s Signals) Excluded(ctx context.Context, id secret.ID, names []string) (bool, error) {
	for _, name := range names {
		n := 0
		err := s.s.one(ctx, "find removed subject", signals.ErrNotFound, []any{&n}, `SELECT count(*) FROM signal_subjects WHERE stream_id = $1 AND name = $2`, id.String(), name)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// ClaimStream implements signals.Store. It writes only if there is something to do.
func (s Signals) ClaimStream(ctx context.Context, now, until time.Time) (stream signals.Stream, err error) {
	const due = `SELECT s.id FROM signal_streams s WHERE s.method = '` + signals.Push + `' AND s.due_s <= $1 AND s.claimed_s <= $1 AND EXISTS
		(SELECT 1 FROM signal_events e WHERE e.stream_id = s.id AND (s.status = '` + string(signals.Enabled) + `' OR e.control = 1)) ORDER BY s.due_s, s.id LIMIT 1`
	id := ""
	if err := s.s.one(ctx, "look for streams", signals.ErrNotFound, []any{&id}, due, seconds(now)); err != nil {
		return signals.Stream{}, err
	}
	err = s.s.write(ctx, "claim stream", func(ctx context.Context, t *tx) error {
		list, err := readStreams(ctx, t, `UPDATE signal_streams SET claimed_s = $2 WHERE id = (`+due+`) AND claimed_s <= $1 RETURNING `+streamColumns, seconds(now), seconds(until))
		if err == nil && len(list) == 0 {
			err = signals.ErrNotFound
		}
		if err == nil {
			stream = list[0]
		}
		return err
	})
	return stream, err
}

// ReleaseStream implements signals.Store. A stream that was changed meanwhile is
// due at once.
func (s Signals) ReleaseStream(ctx context.Context, id secret.ID, until, due time.Time, attempts int, problem string) error {
	return s.s.write(ctx, "give stream back", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `UPDATE signal_streams SET claimed_s = 0, due_s = $3, attempts = $4, problem = $5 WHERE id = $1 AND claimed_s = $2`,
			id.String(), seconds(until), seconds(due), attempts, problem)
		return err
	})
}
