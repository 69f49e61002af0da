package store

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// Sessions implements account.SessionListStore. IDs grow with time.
func (a Account) Sessions(ctx context.Context, userID string, before secret.ID, now time.Time, most int) ([]account.Session, error) {
	if !storable(userID) {
		return nil, nil
	}
	where, args := ``, []any{seconds(now), most}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(condition, len(args))
	}
	if userID != "" {
		add(` AND user_id = $%d`, userID)
	}
	if !before.IsZero() {
		add(` AND id < $%d`, before.String())
	}
	list, err := a.sessions(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE idle_until_s > $1 AND absolute_until_s > $1`+where+` ORDER BY id DESC LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return list, nil
}
