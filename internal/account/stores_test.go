package account_test

import (
	"encoding/base64"
	"net/netip"
	"testing"

	"golang.org/x/crypto/argon2"

	"sallyport/internal/account"
)

var start0 = netip.MustParseAddr("192.0.2.77")

// emptyHash is the hash of the empty password under the cheap parameters.
var emptyHash = "$argon2id$v=19$m=64,t=1,p=1$" + base64.RawStdEncoding.EncodeToString([]byte("0123456789abcdef")) + "$" +
	base64.RawStdEncoding.EncodeToString(argon2.IDKey(nil, []byte("0123456789abcdef"), 1, 64, 1, 32))

// eachStore runs f on an empty store of each kind.
func eachStore(t *testing.T, f func(*testing.T, account.Store)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { f(t, newMemory()) })
}
