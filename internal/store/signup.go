package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// AddInvitation implements account.SignUpStore.
func (a Account) AddInvitation(ctx context.Context, i account.Invitation) error {
	return a.s.write(ctx, "add invitation", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO invitations (id, hash, address, created_s, expires_s) VALUES ($1, $2, $3, $4, $5)`,
			i.ID.String(), hex.EncodeToString(i.Hash[:]), i.Address, seconds(i.CreatedAt), seconds(i.ExpiresAt))
		return err
	})
}

// InvitationByHash implements account.SignUpStore.
func (a Account) InvitationByHash(ctx context.Context, h secret.Hash, now time.Time) (account.Invitation, error) {
	i := account.Invitation{Hash: h}
	var id string
	var created, expires int64
	err := a.s.one(ctx, "find invitation", account.ErrNotFound, []any{&id, &i.Address, &created, &expires},
		`SELECT id, address, created_s, expires_s FROM invitations WHERE hash = $1 AND expires_s > $2`, hex.EncodeToString(h[:]), seconds(now))
	if err != nil {
		return account.Invitation{}, err
	}
	i.CreatedAt, i.ExpiresAt = at(created), at(expires)
	if i.ID, err = secret.ParseID(id); err != nil {
		return account.Invitation{}, fmt.Errorf("invitation %s: %w", id, err)
	}
	return i, nil
}

// SignUp implements account.SignUpStore.
func (a Account) SignUp(ctx context.Context, u account.User, invitation secret.ID) error {
	folded, err := account.FoldUsername(u.Username)
	if err != nil {
		return fmt.Errorf("sign up: %w", err)
	}
	return a.s.write(ctx, "sign up", func(ctx context.Context, t *tx) error {
		if !invitation.IsZero() {
			if err := changed(ctx, t, account.ErrNotFound, `DELETE FROM invitations WHERE id = $1 AND expires_s > $2`, invitation.String(), seconds(u.CreatedAt)); err != nil {
				return err
			}
		}
		if err := t.insertUser(ctx, folded, &u); err != nil {
			return err
		}
		return t.claim(ctx, u.ID, strings.ToLower(u.Email))
	})
}
