package store

import (
	"context"

	"sallyport/internal/certificates"
)

// Certificates is the store as certificates sees it.
type Certificates struct{ s *Store }

// Certificates returns what keeps the certificates of the listeners.
func (s *Store) Certificates() Certificates { return Certificates{s} }

// CertificateItem implements certificates.Store.
func (c Certificates) CertificateItem(ctx context.Context, name string) (sealed string, err error) {
	if !storable(name) {
		return "", certificates.ErrNoItem
	}
	err = c.s.one(ctx, "read certificate", certificates.ErrNoItem, []any{&sealed}, `SELECT sealed FROM certificate_items WHERE name = $1`, name)
	return sealed, err
}

// SetCertificateItem implements certificates.Store.
func (c Certificates) SetCertificateItem(ctx context.Context, name, sealed string) error {
	return c.s.write(ctx, "keep certificate", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO certificate_items (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed`, name, sealed)
		return err
	})
}

// RemoveCertificateItem implements certificates.Store.
func (c Certificates) RemoveCertificateItem(ctx context.Context, name string) error {
	return c.s.write(ctx, "forget certificate", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `DELETE FROM certificate_items WHERE name = $1`, name)
		return err
	})
}
