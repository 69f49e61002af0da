package account

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
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

// defaultParams are the first recommendation of the OWASP Password Storage
// Cheat Sheet, which asks for at least 19 MiB and two passes.
var defaultParams = Argon2Params{MemoryKiB: 19 << 10, Passes: 2, Threads: 1}

// The bounds of what a stored hash may ask for. A hostile or damaged row must
// not be able to take the memory of the process or minutes of its time.
const (
	maxMemoryKiB = 128 << 10
	maxPasses    = 16
	maxThreads   = 8
	maxWorkKiB   = 512 << 10 // memory times passes
	maxPHC       = 256
)

const (
	saltBytes = 16
	hashBytes = 32
)

var errPHC = errors.New("not an argon2id hash within bounds")

// phc is a parsed hash string.
type phc struct {
	params Argon2Params
	salt   []byte
	hash   []byte
}

var phcEncoding = base64.RawStdEncoding.Strict()

// String is the PHC string format: $argon2id$v=19$m=…,t=…,p=…$salt$hash.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.params.MemoryKiB,
		h.params.Passes, h.params.Threads, phcEncoding.EncodeToString(h.salt), phcEncoding.EncodeToString(h.hash))
}

// parsePHC reads what String wrote, and nothing that is spelt differently.
func parsePHC(s string) (phc, error) {
	if len(s) > maxPHC {
		return phc{}, errPHC
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 {
		return phc{}, errPHC
	}
	var h phc
	var err error
	if _, err = fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.params.MemoryKiB, &h.params.Passes, &h.params.Threads); err != nil {
		return phc{}, errPHC
	}
	if h.salt, err = phcEncoding.DecodeString(parts[4]); err != nil {
		return phc{}, errPHC
	}
	if h.hash, err = phcEncoding.DecodeString(parts[5]); err != nil {
		return phc{}, errPHC
	}
	if !h.inBounds() || h.String() != s {
		return phc{}, errPHC
	}
	return h, nil
}

func (h phc) inBounds() bool {
	p := h.params
	return p.Threads >= 1 && p.Threads <= maxThreads &&
		p.Passes >= 1 && p.Passes <= maxPasses &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB && p.MemoryKiB*p.Passes <= maxWorkKiB &&
		len(h.salt) >= 8 && len(h.salt) <= 64 && len(h.hash) >= 16 && len(h.hash) <= 64
}

// current reports whether h is what a new hash would look like.
func (h phc) current(p Argon2Params) bool {
	return h.params == p && len(h.salt) == saltBytes && len(h.hash) == hashBytes
}

func (h phc) compute(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.params.Passes, h.params.MemoryKiB, h.params.Threads, uint32(len(h.hash))) //nolint:gosec // at most 64
}

func (h phc) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.compute(password), h.hash) == 1
}
