package passhash

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // what others have kept; never kept so here
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"slices"
	"strings"
)

var errNoPepper = errors.New("the key over this password hash is not there")

// digests are the fast functions that some systems keep passwords with.
var digests = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// inner is a fast function of a password and a salt.
type inner struct {
	name string // of digests, with hmac- before it if key is used
	last bool   // the salt comes behind the password
	salt []byte
	key  []byte // of an HMAC
}

const maxInner = 128 // bytes of a salt or key

func (f *inner) String() string {
	order := "first"
	if f.last {
		order = "last"
	}
	out := f.name + ":" + order + ":" + b64.EncodeToString(f.salt)
	if f.key != nil {
		out += ":" + b64.EncodeToString(f.key)
	}
	return out
}

func parseInner(s string) (*inner, error) {
	parts := strings.Split(s, ":")
	if len(parts) < 3 || len(parts) > 4 {
		return nil, ErrHash
	}
	f := &inner{name: parts[0], last: parts[1] == "last"}
	var err error
	if f.salt, err = b64.DecodeString(parts[2]); err != nil {
		return nil, ErrHash
	}
	if len(parts) == 4 {
		if f.key, err = b64.DecodeString(parts[3]); err != nil {
			return nil, ErrHash
		}
	}
	return f, f.check()
}

func (f *inner) digest() func() hash.Hash { return digests[strings.TrimPrefix(f.name, "hmac-")] }

func (f *inner) check() error {
	if f.digest() == nil || strings.HasPrefix(f.name, "hmac-") != (f.key != nil) || len(f.salt) > maxInner || len(f.key) > maxInner {
		return ErrHash
	}
	return nil
}

func (f *inner) compute(password string) []byte {
	h := f.digest()()
	if f.key != nil {
		h = hmac.New(f.digest(), f.key)
	}
	parts := [][]byte{f.salt, []byte(password)}
	if f.last {
		slices.Reverse(parts)
	}
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// Weak is the hash of another system that can be guessed at billions a second. It
// is never stored: Wrap makes one of ours of it, without the password.
type Weak struct {
	Function  string // md5, sha1, sha256 or sha512, or one of them behind hmac-
	SaltLast  bool   // the salt is behind the password, not before it
	Salt, Key []byte // Key is of an HMAC only
	Sum       []byte
}

// Check reports whether Wrap can work.
func (w *Weak) Check() error {
	f := w.inner()
	if err := f.check(); err != nil || len(w.Sum) != f.digest()().Size() {
		return ErrHash
	}
	return nil
}

func (w *Weak) inner() *inner {
	return &inner{name: w.Function, last: w.SaltLast, salt: w.Salt, key: w.Key}
}

// Wrap hashes the hash. by may be nil: no pepper.
func (w *Weak) Wrap(params Argon2Params, by Pepper) (Hash, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	h := fresh(params)
	h.inner = w.inner()
	h.hash = h.compute(w.Sum)
	return h.under(by)
}
