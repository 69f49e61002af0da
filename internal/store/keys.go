package store

import (
	"context"
	"encoding/base64"
	"fmt"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Keys implements token.KeyStore.
func (k Keys) Keys(ctx context.Context) ([]token.KeyRecord, error) {
	var list []token.KeyRecord
	err := k.s.engine.read(ctx, func(ctx context.Context, q queryer) error {
		return q.each(ctx, func(scan func(...any) error) error {
			var r token.KeyRecord
			var id, wrapped string
			var created int64
			err := scan(&id, &r.Purpose, &r.Algorithm, &wrapped, &created)
			if err != nil {
				return err
			}
			if r.ID, err = secret.ParseID(id); err != nil {
				return err
			}
			r.Wrapped, err = base64.StdEncoding.DecodeString(wrapped)
			r.CreatedAt = at(created)
			list = append(list, r)
			return err
		}, `SELECT id, purpose, algorithm, wrapped, created_s FROM token_keys ORDER BY created_s, id`)
	})
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return list, nil
}

// AddFirstKey implements token.KeyStore.
func (k Keys) AddFirstKey(ctx context.Context, r token.KeyRecord) error {
	return k.s.write(ctx, "add key", func(ctx context.Context, t *tx) error {
		known := 0
		err := row(ctx, t, []any{&known}, `SELECT count(*) FROM token_keys WHERE purpose = $1`, string(r.Purpose))
		if err != nil || known > 0 {
			return err
		}
		_, err = t.exec(ctx, `INSERT INTO token_keys (id, purpose, algorithm, wrapped, created_s, first_of) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (first_of) DO NOTHING`,
			r.ID.String(), string(r.Purpose), string(r.Algorithm), base64.StdEncoding.EncodeToString(r.Wrapped), seconds(r.CreatedAt), string(r.Purpose))
		return err
	})
}
