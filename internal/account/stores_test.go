package account_test

import (
	"encoding/base64"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"sallyport/internal/account"
	"sallyport/internal/store"
)

var start0 = netip.MustParseAddr("192.0.2.77")

// emptyHash is the hash of the empty password under the cheap parameters.
var emptyHash = "$argon2id$v=19$m=64,t=1,p=1$" + base64.RawStdEncoding.EncodeToString([]byte("0123456789abcdef")) + "$" +
	base64.RawStdEncoding.EncodeToString(argon2.IDKey(nil, []byte("0123456789abcdef"), 1, 64, 1, 32))

// eachStore runs f on an empty store of each kind: the one that other tests
// plant rows in, and the real one.
func eachStore(t *testing.T, f func(*testing.T, account.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { f(t, newMemory()) })
	t.Run("sqlite", func(t *testing.T) {
		st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: func() time.Time { return start }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := st.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, st.Account())
	})
}
