package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/acme/autocert"

	"sallyport/internal/token"
)

// ErrNoItem: the store has nothing of that name.
var ErrNoItem = errors.New("no such item")

// Store keeps texts by name, for all nodes. Each method is one transaction.
type Store interface {
	// CertificateItem returns what was set, or ErrNoItem.
	CertificateItem(ctx context.Context, name string) (sealed string, err error)
	SetCertificateItem(ctx context.Context, name, sealed string) error
	RemoveCertificateItem(ctx context.Context, name string) error
}

// cache is an autocert.Cache: certificates with their keys, the key of the account, and
// answers to challenges, which any node may be asked for. Everything is sealed to
// its name.
type cache struct {
	store Store
	ring  *token.Ring
}

// A text of the ring is bounded, and a chain with its key is longer: it is kept in pieces,
// each sealed to its place and to how many there are.
const piece = 4 << 10

func label(name string, i, n int) string { return fmt.Sprintf("certificate %s %d/%d", name, i+1, n) }

// Get implements autocert.Cache. What cannot be opened any more, because the key that
// sealed it was dropped, is as good as lost: it is asked for again.
func (c cache) Get(ctx context.Context, name string) ([]byte, error) {
	sealed, err := c.store.CertificateItem(ctx, name)
	if errors.Is(err, ErrNoItem) {
		return nil, autocert.ErrCacheMiss
	}
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	pieces := strings.Split(sealed, "\n")
	var plain []byte
	for i, p := range pieces {
		part, err := c.ring.OpenStored(label(name, i, len(pieces)), p)
		if err != nil {
			return nil, autocert.ErrCacheMiss
		}
		plain = append(plain, part...)
	}
	return plain, nil
}

// Put implements autocert.Cache.
func (c cache) Put(ctx context.Context, name string, data []byte) error {
	n := max(1, (len(data)+piece-1)/piece)
	pieces := make([]string, 0, n)
	for part := range slices.Chunk(data, piece) {
		sealed, err := c.ring.SealStored(label(name, len(pieces), n), part)
		if err != nil {
			return fmt.Errorf("seal certificate: %w", err)
		}
		pieces = append(pieces, sealed)
	}
	return c.store.SetCertificateItem(ctx, name, strings.Join(pieces, "\n"))
}

// Delete implements autocert.Cache.
func (c cache) Delete(ctx context.Context, name string) error {
	return c.store.RemoveCertificateItem(ctx, name)
}
