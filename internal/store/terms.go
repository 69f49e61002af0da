package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// termsText is how a grant's terms are kept: JSON, which has no control
// characters and so no field separator, or nothing.
func termsText(t *oauth.Terms) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	b, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("write terms: %w", err)
	}
	return string(b), nil
}

func parseTerms(text string) (t oauth.Terms, err error) {
	if text == "" {
		return t, nil
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return t, fmt.Errorf("terms: %w", err)
	}
	return t, nil
}

// Spend implements oauth.Store.
func (o OAuth) Spend(ctx context.Context, name secret.Hash, until time.Time) error {
	return o.s.write(ctx, "spend", func(ctx context.Context, t *tx) error {
		return t.spend(ctx, name, until)
	})
}

// spend returns oauth.ErrExists if the name has been used.
func (t *tx) spend(ctx context.Context, name secret.Hash, until time.Time) error {
	return changed(ctx, t, oauth.ErrExists, `INSERT INTO spent (name, expires_s) VALUES ($1, $2) ON CONFLICT DO NOTHING`, fmt.Sprintf("%x", name[:]), seconds(until))
}
