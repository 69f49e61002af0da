package passhash

import (
	"errors"
	"strings"
)

// maxText bounds a stored hash.
const maxText = 768

// ErrHash: not a hash that we know, not spelt as we spell it, or one that asks for
// more memory or time than a sign-in may cost.
var ErrHash = errors.New("not a password hash that is known, or its parameters are out of bounds")

// Pepper is the key over our hashes. It is kept apart from them, so that a copy of
// the database alone is nothing to guess at (AU03).
type Pepper interface {
	// Make returns the keyed form of sum, and the name of the key.
	Make(sum []byte) (key string, keyed []byte, err error)
	// By returns the keyed form of sum under a key of that name, or an error if there is none.
	By(key string, sum []byte) ([]byte, error)
}

// Hash is what a password is compared with.
type Hash interface {
	// String is the form that is stored: Parse reads it.
	String() string
	// Scheme is a name for people and statistics.
	Scheme() string
	// Work is what is expensive about comparing a password with this hash.
	Work(password string) Work
	// Fits reports whether result, which Work has come to, is that of the right
	// password. An error means that the pepper is missing.
	Fits(result []byte, by Pepper) (bool, error)

	// work computes what Work is asked for.
	work(password string) []byte
}

// Work is an expensive computation with a password, in a form that can be handed to
// another process: nothing in it comes from a key, nor is the sum of an Argon2id hash.
type Work struct{ Hash, Password string }

// Compute does work: Here, or Workers.Compute.
type Compute func(Work) (result []byte, err error)

// Here computes in this process. It returns ErrHash for a hash that Parse does not take.
func Here(w Work) ([]byte, error) {
	h, err := Parse(w.Hash)
	if err != nil {
		return nil, err
	}
	return h.work(w.Password), nil
}

// Matches reports whether password has the hash h. An error means that the pepper is
// missing, or is one of do.
func Matches(h Hash, password string, by Pepper, do Compute) (bool, error) {
	result, err := do(h.Work(password))
	if err != nil {
		return false, err
	}
	return h.Fits(result, by)
}

// schemes are the hashes that can be stored, by how they begin.
var schemes = []struct {
	prefix string
	parse  func(string) (Hash, error)
}{
	{argonPrefix, parseArgon},
	{ownPrefix, parseOwn},
	{"$2a$", parseBcrypt},
	{"$2b$", parseBcrypt},
	{"$2y$", parseBcrypt},
	{"$pbkdf2$", parsePBKDF2},
	{"$pbkdf2-sha256$", parsePBKDF2},
	{"$pbkdf2-sha512$", parsePBKDF2},
	{"$scrypt$", parseScrypt},
	{"$firebase-scrypt$", parseFirebase},
	{"$bcrypt-sha256$", parseBcryptSHA256},
}

// Parse reads what String of a Hash wrote, and nothing that is spelt differently.
func Parse(s string) (Hash, error) {
	if len(s) > maxText {
		return nil, ErrHash
	}
	for _, line := range schemes {
		if !strings.HasPrefix(s, line.prefix) {
			continue
		}
		h, err := line.parse(s)
		if err != nil || h.String() != s {
			return nil, ErrHash
		}
		return h, nil
	}
	return nil, ErrHash
}
