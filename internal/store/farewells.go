package store

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// farewell tells the clients of sessions that have just ended, in the transaction
// that ended them, and returns the client_ids of all that were in them. Grants
// that ended before count: what the client made of the sign-in may live.
func (s *Store) farewell(ctx context.Context, t *tx, sids []string, now time.Time) ([]string, error) {
	var clients []string
	var posts []oauth.Post
	for _, sid := range sids {
		id, err := secret.ParseID(sid)
		if err != nil {
			return nil, fmt.Errorf("session %q: %w", sid, err)
		}
		err = t.each(ctx, func(scan func(...any) error) error {
			f, stored, uri := oauth.Farewell{SID: id}, int64(0), int64(0)
			if err := scan(&f.Client, &f.UserID, &stored, &uri); err != nil {
				return err
			}
			clients = append(clients, f.Client)
			if stored > 0 && uri == 0 || stored == 0 && (*s.silent.Load())[f.Client] {
				return nil
			}
			p, err := f.Post(now)
			posts = append(posts, p)
			return err
		}, `SELECT g.client_id, g.user_id,
				(SELECT count(*) FROM clients c WHERE c.id = g.client_id),
				(SELECT count(*) FROM clients c WHERE c.id = g.client_id AND c.settings LIKE '%"backchannel_logout_uri"%')
			FROM (SELECT DISTINCT client_id, user_id FROM grants WHERE sid = $1) AS g ORDER BY g.client_id`, sid)
		if err != nil {
			return nil, err
		}
	}
	_, err := t.post(ctx, posts, now)
	return clients, err
}
