package passhash

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// Bounds of the schemes of others: about a second of one core, and 128 MiB.
const (
	maxBcrypt       = 14
	maxIterations   = 4_000_000 // of PBKDF2, for all blocks of the result together
	maxScryptMemory = 128 << 20
	maxScryptWork   = 512 << 20 // memory times parallelism
	maxSalt         = 128
)

// BcryptLimit is how many bytes of a password bcrypt reads. What comes behind them
// was never compared, so whoever has a longer one must choose it anew.
const BcryptLimit = 72

// The result of work with a foreign hash, which no key is over, is whether it fits.
func verdict(fits bool) []byte {
	if fits {
		return []byte{1}
	}
	return []byte{0}
}

func fits(result []byte) bool { return len(result) == 1 && result[0] == 1 }

// bcryptHash is $2a$, $2b$ or $2y$: to us, and to all current implementations, the same.
type bcryptHash struct {
	text   string
	sha256 bool // of the SHA-256 in hexadecimal digits, as Django's bcrypt_sha256
}

func parseBcrypt(s string) (Hash, error) {
	cost, err := bcrypt.Cost([]byte(s))
	if err != nil || len(s) != 60 || cost > maxBcrypt || strings.Trim(s[7:], "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return nil, ErrHash
	}
	return bcryptHash{text: s}, nil
}

func parseBcryptSHA256(s string) (Hash, error) {
	h, err := parseBcrypt(strings.TrimPrefix(s, "$bcrypt-sha256"))
	if err != nil {
		return nil, err
	}
	return bcryptHash{h.String(), true}, nil
}

func (h bcryptHash) Scheme() string { return "bcrypt" }

func (h bcryptHash) String() string {
	if h.sha256 {
		return "$bcrypt-sha256" + h.text
	}
	return h.text
}

func (h bcryptHash) Work(password string) Work { return Work{h.String(), password} }

func (h bcryptHash) Fits(result []byte, _ Pepper) (bool, error) { return fits(result), nil }

func (h bcryptHash) work(password string) []byte {
	secret := []byte(password)
	if h.sha256 {
		sum := sha256.Sum256(secret)
		secret = []byte(hex.EncodeToString(sum[:]))
	}
	return verdict(bcrypt.CompareHashAndPassword([]byte(h.text), secret) == nil)
}

// Truncates reports whether h has compared only the beginning of password.
func Truncates(h Hash, password string) bool {
	b, ok := h.(bcryptHash)
	return ok && !b.sha256 && len(password) > BcryptLimit
}

// pbkdf2Hash is spelt as Passlib does: $pbkdf2-sha256$iterations$salt$hash, where
// the name of SHA-1 is left out.
type pbkdf2Hash struct {
	digest     string
	iterations int
	salt, hash []byte
}

func parsePBKDF2(s string) (Hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return nil, ErrHash
	}
	h := pbkdf2Hash{digest: strings.TrimPrefix(strings.TrimPrefix(parts[1], "pbkdf2"), "-")}
	if h.digest == "" {
		h.digest = "sha1"
	}
	var err error
	if h.iterations, err = strconv.Atoi(parts[2]); err != nil {
		return nil, ErrHash
	}
	if h.salt, err = adapted.DecodeString(parts[3]); err != nil {
		return nil, ErrHash
	}
	if h.hash, err = adapted.DecodeString(parts[4]); err != nil {
		return nil, ErrHash
	}
	return h, h.check()
}

// adapted is the Base64 of Passlib, with a dot for the plus.
var adapted = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./").WithPadding(base64.NoPadding).Strict()

func (h pbkdf2Hash) check() error {
	digest := digests[h.digest]
	if digest == nil || h.digest == "md5" || h.iterations < 1 || len(h.salt) > maxSalt || len(h.hash) < 16 || len(h.hash) > 128 {
		return ErrHash
	}
	size := digest().Size()
	if blocks := (len(h.hash) + size - 1) / size; h.iterations > maxIterations/blocks {
		return ErrHash
	}
	return nil
}

func (h pbkdf2Hash) Scheme() string { return "pbkdf2-" + h.digest }

func (h pbkdf2Hash) String() string {
	name := "pbkdf2-" + h.digest
	if h.digest == "sha1" {
		name = "pbkdf2"
	}
	return fmt.Sprintf("$%s$%d$%s$%s", name, h.iterations, adapted.EncodeToString(h.salt), adapted.EncodeToString(h.hash))
}

func (h pbkdf2Hash) Work(password string) Work { return Work{h.String(), password} }

func (h pbkdf2Hash) Fits(result []byte, _ Pepper) (bool, error) { return fits(result), nil }

func (h pbkdf2Hash) work(password string) []byte {
	sum, err := pbkdf2.Key(digests[h.digest], password, h.salt, h.iterations, len(h.hash))
	return verdict(err == nil && subtle.ConstantTimeCompare(sum, h.hash) == 1)
}

// scryptHash is $scrypt$ln=…,r=…,p=…$salt$hash, as Passlib has it. With a signer
// key it is the variant of Firebase: the result encrypts that key.
type scryptHash struct {
	ln, r, p   int
	salt, hash []byte
	signer     []byte // nil: plain scrypt
	separator  []byte // between salt and what scrypt reads
}

func parseScrypt(s string) (Hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return nil, ErrHash
	}
	var h scryptHash
	if _, err := fmt.Sscanf(parts[2], "ln=%d,r=%d,p=%d", &h.ln, &h.r, &h.p); err != nil {
		return nil, ErrHash
	}
	return h.with(parts[3], parts[4])
}

func parseFirebase(s string) (Hash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return nil, ErrHash
	}
	fields := strings.Split(parts[2], ",")
	if len(fields) != 4 {
		return nil, ErrHash
	}
	h := scryptHash{p: 1}
	if _, err := fmt.Sscanf(fields[0]+","+fields[1], "ln=%d,r=%d", &h.ln, &h.r); err != nil {
		return nil, ErrHash
	}
	var err error
	if h.signer, err = b64.DecodeString(strings.TrimPrefix(fields[2], "k=")); err != nil || len(h.signer) == 0 {
		return nil, ErrHash
	}
	if h.separator, err = b64.DecodeString(strings.TrimPrefix(fields[3], "s=")); err != nil {
		return nil, ErrHash
	}
	return h.with(parts[3], parts[4])
}

func (h scryptHash) with(salt, hash string) (Hash, error) {
	var err error
	if h.salt, err = b64.DecodeString(salt); err != nil {
		return nil, ErrHash
	}
	if h.hash, err = b64.DecodeString(hash); err != nil {
		return nil, ErrHash
	}
	return h, h.check()
}

func (h scryptHash) check() error {
	if h.ln < 1 || h.ln > 20 || h.r < 1 || h.r > 64 || h.p < 1 || h.p > 16 ||
		len(h.salt) > maxSalt || len(h.separator) > maxSalt || len(h.hash) < 16 || len(h.hash) > 128 {
		return ErrHash
	}
	memory := 128 * h.r << h.ln
	if memory > maxScryptMemory || memory*h.p > maxScryptWork || h.signer != nil && len(h.signer) != len(h.hash) {
		return ErrHash
	}
	return nil
}

func (h scryptHash) Scheme() string {
	if h.signer != nil {
		return "firebase-scrypt"
	}
	return "scrypt"
}

func (h scryptHash) String() string {
	rest := "$" + b64.EncodeToString(h.salt) + "$" + b64.EncodeToString(h.hash)
	if h.signer != nil {
		return fmt.Sprintf("$firebase-scrypt$ln=%d,r=%d,k=%s,s=%s", h.ln, h.r, b64.EncodeToString(h.signer), b64.EncodeToString(h.separator)) + rest
	}
	return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d", h.ln, h.r, h.p) + rest
}

func (h scryptHash) Work(password string) Work { return Work{h.String(), password} }

func (h scryptHash) Fits(result []byte, _ Pepper) (bool, error) { return fits(result), nil }

func (h scryptHash) work(password string) []byte {
	size := len(h.hash)
	if h.signer != nil {
		size = 32
	}
	sum, err := scrypt.Key([]byte(password), append(bytes.Clone(h.salt), h.separator...), 1<<h.ln, h.r, h.p, size)
	if err != nil {
		return verdict(false) // out of the bounds of scrypt itself: nothing fits
	}
	if h.signer != nil {
		block, err := aes.NewCipher(sum)
		if err != nil {
			return verdict(false) // cannot be: 32 bytes are a key
		}
		sum = make([]byte, len(h.signer))
		cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(sum, h.signer) //nolint:gosec // as Firebase does: each key encrypts once
	}
	return verdict(subtle.ConstantTimeCompare(sum, h.hash) == 1)
}
