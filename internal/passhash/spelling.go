package passhash

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
)

// Foreign is a hash as an import has it: one that can be stored, or one that must be
// wrapped first.
type Foreign struct {
	Hash Hash
	Weak *Weak
}

// Scheme is a name for people.
func (f Foreign) Scheme() string {
	switch {
	case f.Hash != nil:
		return f.Hash.Scheme()
	case f.Weak != nil:
		return f.Weak.Function
	}
	return ""
}

// spellings are how others write what we store in another way.
var spellings = []struct {
	prefix string
	read   func(rest string) (Foreign, error)
}{
	{"pbkdf2_sha256$", djangoPBKDF2("sha256")},
	{"pbkdf2_sha1$", djangoPBKDF2("sha1")},
	{"bcrypt$", stored("")},
	{"bcrypt_sha256$", stored("$bcrypt-sha256")},
	{"argon2$", stored("$")},
	{"scrypt$", djangoScrypt},
	{"md5$", djangoDigest("md5")},
	{"sha1$", djangoDigest("sha1")},
	{"{SSHA}", ldap("sha1")},
	{"{SHA}", ldap("sha1")},
	{"{SSHA256}", ldap("sha256")},
	{"{SHA256}", ldap("sha256")},
	{"{SSHA512}", ldap("sha512")},
	{"{SHA512}", ldap("sha512")},
	{"{SMD5}", ldap("md5")},
	{"{MD5}", ldap("md5")},
	{"{CRYPT}$2", stored("$2")},
}

// ParseForeign reads a hash as Passlib, Django, LDAP or we spell it.
func ParseForeign(s string) (Foreign, error) {
	if h, err := Parse(s); err == nil {
		return Foreign{Hash: h}, nil
	}
	if len(s) > maxText {
		return Foreign{}, ErrHash
	}
	for _, line := range spellings {
		if rest, ok := strings.CutPrefix(s, line.prefix); ok {
			return line.read(rest)
		}
	}
	return Foreign{}, ErrHash
}

func stored(prefix string) func(string) (Foreign, error) {
	return func(rest string) (Foreign, error) {
		h, err := Parse(prefix + rest)
		return Foreign{Hash: h}, err
	}
}

// checked gives back what Parse would take.
func checked(h Hash) (Foreign, error) {
	again, err := Parse(h.String())
	return Foreign{Hash: again}, err
}

// PBKDF2 is a hash of its parts. digest is sha1, sha256 or sha512.
func PBKDF2(digest string, iterations int, salt, hash []byte) (Foreign, error) {
	return checked(pbkdf2Hash{digest, iterations, salt, hash})
}

// Scrypt is a hash of its parts; n is 2 to the power of ln.
func Scrypt(ln, r, p int, salt, hash []byte) (Foreign, error) {
	return checked(scryptHash{ln: ln, r: r, p: p, salt: salt, hash: hash})
}

// FirebaseScrypt is Firebase's variant: rounds is its r, memCost its ln.
func FirebaseScrypt(memCost, rounds int, signerKey, separator, salt, hash []byte) (Foreign, error) {
	return checked(scryptHash{ln: memCost, r: rounds, p: 1, salt: salt, hash: hash, signer: signerKey, separator: separator})
}

// Argon2id is a hash of its parts.
func Argon2id(params Argon2Params, salt, hash []byte) (Foreign, error) {
	return checked(argon{params: params, salt: salt, hash: hash})
}

// WeakHash is one that must be wrapped.
func WeakHash(w Weak) (Foreign, error) {
	if err := w.Check(); err != nil {
		return Foreign{}, err
	}
	return Foreign{Weak: &w}, nil
}

func djangoPBKDF2(digest string) func(string) (Foreign, error) {
	return func(rest string) (Foreign, error) {
		parts := strings.Split(rest, "$")
		if len(parts) != 3 {
			return Foreign{}, ErrHash
		}
		iterations, err := strconv.Atoi(parts[0])
		if err != nil {
			return Foreign{}, ErrHash
		}
		sum, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil {
			return Foreign{}, ErrHash
		}
		return PBKDF2(digest, iterations, []byte(parts[1]), sum)
	}
}

// djangoScrypt reads N$salt$r$p$hash.
func djangoScrypt(rest string) (Foreign, error) {
	parts := strings.Split(rest, "$")
	if len(parts) != 5 {
		return Foreign{}, ErrHash
	}
	var n [3]int
	for i, at := range []int{0, 2, 3} {
		var err error
		if n[i], err = strconv.Atoi(parts[at]); err != nil {
			return Foreign{}, ErrHash
		}
	}
	sum, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil {
		return Foreign{}, ErrHash
	}
	return Scrypt(Log2(n[0]), n[1], n[2], []byte(parts[1]), sum)
}

// Log2 is the logarithm of a power of two; 0 for anything else, which no scheme takes.
func Log2(n int) int {
	for ln := 1; ln <= 20; ln++ {
		if n == 1<<ln {
			return ln
		}
	}
	return 0
}

func djangoDigest(function string) func(string) (Foreign, error) {
	return func(rest string) (Foreign, error) {
		salt, digits, found := strings.Cut(rest, "$")
		sum, err := hex.DecodeString(digits)
		if !found || err != nil {
			return Foreign{}, ErrHash
		}
		return WeakHash(Weak{Function: function, Salt: []byte(salt), Sum: sum})
	}
}

// ldap reads the Base64 of a digest with its salt behind it (RFC 2307 and the
// practice of OpenLDAP).
func ldap(function string) func(string) (Foreign, error) {
	return func(rest string) (Foreign, error) {
		raw, err := base64.StdEncoding.DecodeString(rest)
		size := digests[function]().Size()
		if err != nil || len(raw) < size {
			return Foreign{}, ErrHash
		}
		return WeakHash(Weak{Function: function, SaltLast: true, Salt: raw[size:], Sum: raw[:size]})
	}
}
