package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/notify"
	"sallyport/internal/oauth"
)

// post puts messages to clients into the outbox and returns how many it did not
// take, because too many wait for the recipient.
func (t *tx) post(ctx context.Context, list []oauth.Post, now time.Time) (lost int, err error) {
	waiting := map[string]int{}
	for i := range list {
		p := &list[i]
		to := p.Recipient()
		if _, known := waiting[to]; !known {
			n := 0
			err := row(ctx, t, []any{&n}, `SELECT count(*) FROM (SELECT id FROM posts WHERE recipient = $1 LIMIT $2) AS waiting`, to, maxWaiting)
			if err != nil {
				return 0, err
			}
			waiting[to] = n
		}
		if waiting[to] >= maxWaiting {
			lost++
			continue
		}
		waiting[to]++
		_, err := t.exec(ctx, `INSERT INTO posts (id, kind, recipient, payload, created_s, due_s, until_s, claimed_s, attempts)
			VALUES ($1, $2, $3, $4, $5, $5, $6, 0, 0)`,
			p.ID.String(), string(p.Kind), to, string(p.Payload), seconds(now), seconds(p.GiveUp))
		if err != nil {
			return 0, fmt.Errorf("put a message into the outbox: %w", err)
		}
	}
	return lost, nil
}

// Post implements oauth.Store.
func (o OAuth) Post(ctx context.Context, list []oauth.Post) (lost int, err error) {
	err = o.s.write(ctx, "post messages", func(ctx context.Context, t *tx) (err error) {
		lost, err = t.post(ctx, list, o.s.now())
		return err
	})
	return lost, err
}

// ClaimPosts implements notify.Posts. It writes only if something is due.
func (o Outbox) ClaimPosts(ctx context.Context, now, until time.Time, most int) ([]notify.Post, error) {
	due := 0
	err := o.s.one(ctx, "look for messages", nil, []any{&due},
		`SELECT count(*) FROM (SELECT id FROM posts WHERE due_s <= $1 AND claimed_s <= $1 LIMIT 1) AS waiting`, seconds(now))
	if err != nil || due == 0 {
		return nil, err
	}
	var list []notify.Post
	err = o.s.write(ctx, "claim messages", func(ctx context.Context, t *tx) error {
		list = nil
		return t.each(ctx, func(scan func(...any) error) error {
			p, created, giveUp, payload := notify.Post{Until: at(seconds(until))}, int64(0), int64(0), ""
			err := scan(&p.ID, &p.Kind, &p.To, &payload, &created, &giveUp, &p.Attempts)
			p.Payload, p.CreatedAt, p.GiveUp = []byte(payload), at(created), at(giveUp)
			list = append(list, p)
			return err
		}, `UPDATE posts SET claimed_s = $1, attempts = attempts + 1 WHERE claimed_s <= $2 AND id IN (
				SELECT id FROM posts WHERE due_s <= $2 AND claimed_s <= $2 AND recipient = (
					SELECT recipient FROM posts WHERE due_s <= $2 AND claimed_s <= $2
						AND recipient NOT IN (SELECT recipient FROM posts WHERE claimed_s > $2) ORDER BY attempts, id LIMIT 1)
				ORDER BY id LIMIT $3)
			RETURNING id, kind, recipient, payload, created_s, until_s, attempts`, seconds(until), seconds(now), most)
	})
	slices.SortFunc(list, func(a, b notify.Post) int { return strings.Compare(a.ID, b.ID) })
	return list, err
}

// DonePosts implements notify.Posts.
func (o Outbox) DonePosts(ctx context.Context, list []notify.Post) error {
	return o.s.write(ctx, "remove sent messages", func(ctx context.Context, t *tx) error {
		for _, p := range list {
			if _, err := t.exec(ctx, `DELETE FROM posts WHERE id = $1`, p.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// RetryPosts implements notify.Posts.
func (o Outbox) RetryPosts(ctx context.Context, list []notify.Post, due time.Time) error {
	return o.s.write(ctx, "put messages back", func(ctx context.Context, t *tx) error {
		for _, p := range list {
			_, err := t.exec(ctx, `UPDATE posts SET due_s = $2, claimed_s = 0 WHERE id = $1 AND claimed_s = $3`, p.ID, seconds(due), seconds(p.Until))
			if err != nil {
				return fmt.Errorf("message %s: %w", p.ID, err)
			}
		}
		return nil
	})
}
