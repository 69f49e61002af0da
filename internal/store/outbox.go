package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/notify"
)

// Outbox implements notify.Outbox.
type Outbox struct{ s *Store }

// Outbox is the store as those see it who send notices.
func (s *Store) Outbox() Outbox { return Outbox{s} }

// Claim implements notify.Outbox. It writes only if something is due.
func (o Outbox) Claim(ctx context.Context, now, until time.Time, most int) ([]notify.Notice, error) {
	due := 0
	err := o.s.one(ctx, "look into the outbox", nil, []any{&due},
		`SELECT count(*) FROM (SELECT id FROM outbox WHERE due_s <= $1 AND claimed_s <= $1 LIMIT 1) AS waiting`, seconds(now))
	if err != nil || due == 0 {
		return nil, err
	}
	var list []notify.Notice
	err = o.s.write(ctx, "claim notices", func(ctx context.Context, t *tx) error {
		list = nil
		return t.each(ctx, func(scan func(...any) error) error {
			n, created, body := notify.Notice{Until: at(seconds(until))}, int64(0), ""
			err := scan(&n.ID, &n.To, &n.Address, &body, &created, &n.Attempts)
			n.Body, n.CreatedAt = []byte(body), at(created)
			list = append(list, n)
			return err
		}, `UPDATE outbox SET claimed_s = $1, attempts = attempts + 1 WHERE claimed_s <= $2 AND id IN (
				SELECT id FROM outbox WHERE due_s <= $2 AND claimed_s <= $2 AND (recipient, address) = (
					SELECT recipient, address FROM outbox WHERE due_s <= $2 AND claimed_s <= $2 ORDER BY id LIMIT 1)
				ORDER BY id LIMIT $3)
			RETURNING id, recipient, address, body, created_s, attempts`, seconds(until), seconds(now), most)
	})
	slices.SortFunc(list, func(a, b notify.Notice) int { return strings.Compare(a.ID, b.ID) })
	return list, err
}

// Done implements notify.Outbox.
func (o Outbox) Done(ctx context.Context, list []notify.Notice) error {
	return o.s.write(ctx, "remove sent notices", func(ctx context.Context, t *tx) error {
		for _, n := range list {
			if _, err := t.exec(ctx, `DELETE FROM outbox WHERE id = $1`, n.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// Retry implements notify.Outbox.
func (o Outbox) Retry(ctx context.Context, list []notify.Notice, due time.Time) error {
	return o.s.write(ctx, "put notices back", func(ctx context.Context, t *tx) error {
		for _, n := range list {
			_, err := t.exec(ctx, `UPDATE outbox SET due_s = $2, claimed_s = 0 WHERE id = $1 AND claimed_s = $3`, n.ID, seconds(due), seconds(n.Until))
			if err != nil {
				return fmt.Errorf("notice %s: %w", n.ID, err)
			}
		}
		return nil
	})
}

// Split implements notify.Outbox.
func (o Outbox) Split(ctx context.Context, list []notify.Notice, addresses []string, due time.Time) (lost int, err error) {
	err = o.s.write(ctx, "split notices", func(ctx context.Context, t *tx) error {
		lost = 0
		waiting := make([]int, len(addresses))
		for i, a := range addresses {
			if waiting[i], err = t.waiting(ctx, list[0].To, a); err != nil {
				return err
			}
		}
		for _, n := range list {
			mine, err := t.exec(ctx, `DELETE FROM outbox WHERE id = $1 AND claimed_s = $2`, n.ID, seconds(n.Until))
			if err != nil {
				return fmt.Errorf("notice %s: %w", n.ID, err)
			}
			for i, a := range addresses {
				switch {
				case mine == 0: // another node has it
				case waiting[i] >= maxWaiting:
					lost++
				default:
					waiting[i]++
					if err := t.addPart(ctx, n, a, seconds(due)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	return lost, err
}

func (t *tx) addPart(ctx context.Context, n notify.Notice, address string, due int64) error {
	_, err := t.exec(ctx, `INSERT INTO outbox (id, recipient, address, body, created_s, due_s, claimed_s, attempts) VALUES ($1, $2, $3, $4, $5, $6, 0, 0)`,
		n.ID+"."+address, n.To, address, string(n.Body), seconds(n.CreatedAt), due)
	if err != nil {
		return fmt.Errorf("part of notice %s: %w", n.ID, err)
	}
	return nil
}
