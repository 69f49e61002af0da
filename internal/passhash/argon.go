package passhash

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Argon2Params are the cost of an Argon2id hash (RFC 9106).
type Argon2Params struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultParams are the first recommendation of the OWASP Password Storage
// Cheat Sheet, which asks for at least 19 MiB and two passes.
var DefaultParams = Argon2Params{MemoryKiB: 19 << 10, Passes: 2, Threads: 1}

// The bounds of what a stored hash may ask for. A hostile or damaged row must
// not be able to take the memory of the process or minutes of its time.
const (
	maxMemoryKiB = 128 << 10
	maxPasses    = 16
	maxThreads   = 8
	maxWorkKiB   = 512 << 10 // memory times passes
)

const (
	saltBytes = 16
	hashBytes = 32
)

const (
	argonPrefix = "$argon2id$"
	ownPrefix   = "$sallyport$"
)

// argon is an Argon2id hash: in the common PHC string form if it is nothing more,
// and in one of ours if a key is over it or another function under it.
type argon struct {
	params Argon2Params
	key    string // name of the pepper; empty: none
	inner  *inner // what has been done with the password before; nil: nothing
	salt   []byte
	hash   []byte
}

var b64 = base64.RawStdEncoding.Strict()

// New hashes a password. by may be nil: no pepper.
func New(params Argon2Params, by Pepper, password string, do Compute) (Hash, error) {
	h := fresh(params)
	var err error
	if h.hash, err = do(h.Work(password)); err != nil {
		return nil, err
	}
	return h.under(by)
}

func fresh(params Argon2Params) argon {
	return argon{params: params, salt: random(saltBytes), hash: make([]byte, hashBytes)}
}

// under puts the key over the sum. by may be nil: no pepper.
func (h argon) under(by Pepper) (Hash, error) {
	if by == nil {
		return h, nil
	}
	var err error
	h.key, h.hash, err = by.Make(h.hash)
	return h, err
}

// Dummy is a hash that no password has, and that costs what others with these
// parameters do: it is random, not computed.
func Dummy(params Argon2Params) Hash {
	return argon{params: params, salt: random(saltBytes), hash: random(hashBytes)}
}

// Current reports whether h is what New would make: with these parameters, with a
// pepper if there is one, and of the password itself.
func Current(h Hash, params Argon2Params, by Pepper) bool {
	a, ok := h.(argon)
	return ok && a.params == params && a.inner == nil && len(a.salt) == saltBytes && len(a.hash) == hashBytes && (a.key != "") == (by != nil)
}

// Usable reports whether the key over h is there, if one is needed.
func Usable(h Hash, by Pepper) bool {
	a, ok := h.(argon)
	if !ok || a.key == "" {
		return true
	}
	if by == nil {
		return false
	}
	_, err := by.By(a.key, a.hash)
	return err == nil
}

func (h argon) Scheme() string {
	switch {
	case h.inner != nil:
		return "argon2id of " + h.inner.name
	case h.key == "":
		return "argon2id without a pepper"
	}
	return "argon2id"
}

// String is the PHC string format, $argon2id$v=19$m=…,t=…,p=…$salt$hash, or ours,
// which has k=KEY and f=FUNCTION behind the parameters.
func (h argon) String() string {
	cost := fmt.Sprintf("m=%d,t=%d,p=%d", h.params.MemoryKiB, h.params.Passes, h.params.Threads)
	rest := "$" + b64.EncodeToString(h.salt) + "$" + b64.EncodeToString(h.hash)
	if h.key == "" && h.inner == nil {
		return argonPrefix + fmt.Sprintf("v=%d$", argon2.Version) + cost + rest
	}
	if h.key != "" {
		cost += ",k=" + h.key
	}
	if h.inner != nil {
		cost += ",f=" + h.inner.String()
	}
	return ownPrefix + "v=1$" + cost + rest
}

func parseArgon(s string) (Hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 {
		return nil, ErrHash
	}
	return argonOf(argon{}, parts[3], parts[4], parts[5])
}

func parseOwn(s string) (Hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 {
		return nil, ErrHash
	}
	var h argon
	cost, f, wrapped := strings.Cut(parts[3], ",f=")
	if wrapped {
		var err error
		if h.inner, err = parseInner(f); err != nil {
			return nil, err
		}
	}
	cost, h.key, _ = strings.Cut(cost, ",k=")
	return argonOf(h, cost, parts[4], parts[5])
}

func argonOf(h argon, cost, salt, hash string) (Hash, error) {
	if _, err := fmt.Sscanf(cost, "m=%d,t=%d,p=%d", &h.params.MemoryKiB, &h.params.Passes, &h.params.Threads); err != nil {
		return nil, ErrHash
	}
	var err error
	if h.salt, err = b64.DecodeString(salt); err != nil {
		return nil, ErrHash
	}
	if h.hash, err = b64.DecodeString(hash); err != nil || !h.inBounds() {
		return nil, ErrHash
	}
	return h, nil
}

func (h argon) inBounds() bool {
	p := h.params
	return p.Threads >= 1 && p.Threads <= maxThreads &&
		p.Passes >= 1 && p.Passes <= maxPasses &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB && p.MemoryKiB*p.Passes <= maxWorkKiB &&
		len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.hash) >= 16 && len(h.hash) <= 64 && len(h.key) <= 64
}

func (h argon) compute(secret []byte) []byte {
	return argon2.IDKey(secret, h.salt, h.params.Passes, h.params.MemoryKiB, h.params.Threads, uint32(len(h.hash))) //nolint:gosec // at most 64
}

// Work leaves out what only Fits needs: the key and the sum.
func (h argon) Work(password string) Work {
	h.key, h.hash = "", make([]byte, len(h.hash))
	return Work{h.String(), password}
}

func (h argon) work(password string) []byte {
	if h.inner != nil {
		return h.compute(h.inner.compute(password))
	}
	return h.compute([]byte(password))
}

func (h argon) Fits(result []byte, by Pepper) (bool, error) {
	if h.key != "" {
		if by == nil {
			return false, errNoPepper
		}
		var err error
		if result, err = by.By(h.key, result); err != nil {
			return false, err
		}
	}
	return subtle.ConstantTimeCompare(result, h.hash) == 1, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
