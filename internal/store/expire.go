package store

import (
	"context"
	"time"

	"sallyport/internal/account"
)

// expireChunk bounds how many rows one transaction deletes, and so how long
// the others wait for it.
const expireChunk = 500

// afterEnd is how long a grant is kept past its end: longer than any code or
// access token of it, so that a late replay still meets it.
const afterEnd = time.Hour

// apiKeysKept is how long an API key is listed after it has expired.
const apiKeysKept = 90 * 24 * time.Hour

// clockError is by how much the clock of the node that deletes may be ahead
// without harm: what leaves the feed too soon is never told to a node that
// starts later, and so a revoked token would live again there.
const clockError = 6 * time.Hour

// expiring lists what ends by itself. Each statement deletes up to $2 rows that
// ended by the second $1, found by an index; marks are few and read in order.
var expiring = []struct {
	what  string
	after time.Duration
	q     string
}{
	{"sessions", 0, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE absolute_until_s <= $1 ORDER BY absolute_until_s LIMIT $2)`},
	{"browser sessions", 0, `DELETE FROM browser_sessions WHERE id IN (SELECT id FROM browser_sessions WHERE idle_until_s <= $1 ORDER BY idle_until_s LIMIT $2)`},
	{"pushed requests", 0, `DELETE FROM pushed_requests WHERE id IN (SELECT id FROM pushed_requests WHERE kept_until_s <= $1 ORDER BY kept_until_s LIMIT $2)`},
	// A grant is kept as long as its session: it says which clients are told when that ends.
	{"grants", afterEnd, `DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE absolute_until_s <= $1
		AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.sid = grants.sid) ORDER BY absolute_until_s LIMIT $2)`},
	{"spent", afterEnd, `DELETE FROM spent WHERE name IN (SELECT name FROM spent WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"asked", afterEnd, `DELETE FROM asked WHERE id IN (SELECT id FROM asked WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"withdrawn consents", afterEnd, `DELETE FROM consents WHERE (user_id, client_id) IN
		(SELECT user_id, client_id FROM consents WHERE scope = '' AND granted_s <= $1 ORDER BY granted_s LIMIT $2)`},
	{"events of people", account.EventsKept, `DELETE FROM user_events WHERE id IN (SELECT id FROM user_events WHERE created_s <= $1 ORDER BY created_s LIMIT $2)`},
	{"browsers", account.BrowserLife, `DELETE FROM known_browsers WHERE (user_id, mark) IN
		(SELECT user_id, mark FROM known_browsers WHERE last_s <= $1 ORDER BY last_s LIMIT $2)`},
	{"codes by mail", 0, `DELETE FROM mail_codes WHERE id IN (SELECT id FROM mail_codes WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"invitations", 0, `DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"recoveries", 0, `DELETE FROM recoveries WHERE user_id IN (SELECT user_id FROM recoveries WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"letter counts", 2 * time.Hour, `DELETE FROM letter_counts WHERE (mark, hour_s) IN (SELECT mark, hour_s FROM letter_counts WHERE hour_s <= $1 ORDER BY hour_s LIMIT $2)`},
	{"secrets in overlap", 0, `UPDATE secrets SET sealed = '' WHERE (name, version) IN
		(SELECT name, version FROM secrets WHERE until_s > 0 AND until_s <= $1 AND sealed <> '' LIMIT $2)`},
	{"API keys", apiKeysKept, `DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"feed", clockError, `DELETE FROM feed WHERE seq IN (SELECT seq FROM feed WHERE expires_s <= $1 ORDER BY expires_s LIMIT $2)`},
	{"marks", clockError, `DELETE FROM feed_marks WHERE seq IN (SELECT seq FROM feed_marks
		WHERE expires_s <= $1 AND seq < (SELECT max(seq) FROM feed_marks) ORDER BY seq LIMIT $2)`},
}

// Expire deletes what has ended by now and returns how many rows that were.
// It works in small transactions, so it may be called while others write, by
// every node, as often as wanted; an error leaves the rest for the next call.
func (s *Store) Expire(ctx context.Context, now time.Time) (int64, error) {
	var total int64
	for _, x := range expiring {
		for {
			var n int64
			err := s.write(ctx, "expire "+x.what, func(ctx context.Context, t *tx) (err error) {
				n, err = t.exec(ctx, x.q, seconds(now.Add(-x.after)), expireChunk)
				return err
			})
			if err != nil {
				return total, err
			}
			if total += n; n < expireChunk {
				break
			}
		}
	}
	for {
		n, err := s.expireRegistrations(ctx, now)
		if total += n; err != nil || n < expireChunk {
			return total, err
		}
	}
}
