package certificates_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"sallyport/internal/certificates"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// memory is a Store.
type memory struct {
	mu    sync.Mutex
	items map[string]string
}

func (m *memory) CertificateItem(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sealed, ok := m.items[name]
	if !ok {
		return "", certificates.ErrNoItem
	}
	return sealed, nil
}

func (m *memory) SetCertificateItem(_ context.Context, name, sealed string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.items == nil {
		m.items = map[string]string{}
	}
	m.items[name] = sealed
	return nil
}

func (m *memory) RemoveCertificateItem(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, name)
	return nil
}

type keys struct{ records []token.KeyRecord }

func (k *keys) Keys(context.Context) ([]token.KeyRecord, error) { return k.records, nil }

func (k *keys) AddFirstKey(_ context.Context, r token.KeyRecord) error {
	k.records = append(k.records, r)
	return nil
}

func newRing(t *testing.T) *token.Ring {
	t.Helper()
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := token.OpenRing(t.Context(), &keys{}, master, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestWhatIsKeptIsSealedToItsName(t *testing.T) {
	t.Parallel()
	m := &memory{}
	c := certificates.NewCache(m, newRing(t))
	plain := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("x", 16<<10) // as long as a chain
	if err := c.Put(t.Context(), "a.example.com", []byte(plain)); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "a.example.com"); err != nil || string(got) != plain {
		t.Errorf("%d bytes back, %v", len(got), err)
	}
	if sealed := m.items["a.example.com"]; sealed == "" || strings.Contains(sealed, "PRIVATE") {
		t.Error("it is kept in the clear")
	}
	m.items["b.example.com"] = m.items["a.example.com"]
	for what, c := range map[string]autocert.Cache{"moved to another name": c, "sealed by another deployment": certificates.NewCache(m, newRing(t))} {
		if _, err := c.Get(t.Context(), "b.example.com"); err != autocert.ErrCacheMiss { //nolint:errorlint // autocert compares it so
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := c.Delete(t.Context(), "a.example.com"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "a.example.com"); err != autocert.ErrCacheMiss { //nolint:errorlint // autocert compares it so
		t.Errorf("deleted: %v", err)
	}
}

func TestACertificateIsLateWhenAFifthOfItsLifeIsLeft(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		life, gone time.Duration
		late       bool
	}{
		{90 * 24 * time.Hour, 0, false},
		{90 * 24 * time.Hour, 71 * 24 * time.Hour, false},
		{90 * 24 * time.Hour, 73 * 24 * time.Hour, true},
		{6 * 24 * time.Hour, 4 * 24 * time.Hour, false},
		{6 * 24 * time.Hour, 5 * 24 * time.Hour, true},
	} {
		s := certificates.State{NotBefore: now.Add(-c.gone), Until: now.Add(c.life - c.gone)}
		if got := s.Late(now); got != c.late {
			t.Errorf("after %s of %s: late %t", c.gone, c.life, got)
		}
	}
	if s := (certificates.State{}); !s.Late(now) {
		t.Error("none is not late")
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"auth.example.com": true, "xn--bcher-kva.example": true, "localhost": false, "": false, "127.0.0.1": false, "*.example.com": false,
		"Auth.example.com": false, "auth.example.com.": false, ".example.com": false, "a b.example.com": false, "[::1]": false,
	} {
		if got := certificates.Usable(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}
