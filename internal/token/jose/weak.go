package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
)

// Sizes of RSA keys, in bits. The upper bound keeps a stranger's key from being
// expensive: verification grows with the square of it.
const (
	minRSA = 2048
	maxRSA = 4096
)

// ErrKey is what every refusal of a key matches.
var ErrKey = errors.New("unusable key")

func badKey(why string) error { return fmt.Errorf("%w: %s", ErrKey, why) }

func judgeRSA(k *rsa.PublicKey) error {
	bits := k.N.BitLen()
	switch {
	case bits < minRSA || bits > maxRSA:
		return badKey("an RSA modulus must have 2048 to 4096 bits")
	case k.E != 65537:
		return badKey("the public exponent must be 65537")
	case k.N.Bit(0) == 0 || hasSmallFactor(k.N):
		return badKey("the RSA modulus has a small factor")
	case isROCA(k.N):
		return badKey("the RSA modulus has the fingerprint of CVE-2017-15361 (ROCA)")
	case hasClosePrimes(k.N):
		return badKey("the primes of the RSA modulus are too close to each other")
	}
	return nil
}

// primorial is the product of the odd primes below 752: one gcd finds a small
// factor (NIST SP 800-89 §5.3.3).
var primorial = func() *big.Int {
	p := big.NewInt(1)
	for n := int64(3); n < 752; n += 2 {
		if big.NewInt(n).ProbablyPrime(0) {
			p.Mul(p, big.NewInt(n))
		}
	}
	return p
}()

func hasSmallFactor(n *big.Int) bool {
	return new(big.Int).GCD(nil, nil, n, primorial).Cmp(big.NewInt(1)) != 0
}

// rocaPrimes are the primes whose residues mark a modulus of the flawed
// library: all of them powers of 65537 (Nemec et al., CCS 2017).
var rocaPrimes = func() map[int64]map[int64]bool {
	t := map[int64]map[int64]bool{}
	for _, p := range []int64{
		3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
		101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
	} {
		powers := map[int64]bool{}
		for x := int64(1); !powers[x]; x = x * 65537 % p {
			powers[x] = true
		}
		t[p] = powers
	}
	return t
}()

func isROCA(n *big.Int) bool {
	var r big.Int
	for p, powers := range rocaPrimes {
		if !powers[r.Mod(n, big.NewInt(p)).Int64()] {
			return false
		}
	}
	return true
}

// fermatRounds is how far factors are looked for around the square root of n:
// far more than what flawed generators need, far less than what a good key
// would ever meet (CVE-2022-26320).
const fermatRounds = 64

func hasClosePrimes(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	if new(big.Int).Mul(a, a).Cmp(n) < 0 {
		a.Add(a, big.NewInt(1))
	}
	one, rest, root := big.NewInt(1), new(big.Int), new(big.Int)
	for range fermatRounds {
		rest.Sub(rest.Mul(a, a), n)
		// Most numbers are no squares by their last bits.
		if m := rest.Bits(); len(m) == 0 || squareBits[m[0]&63] {
			root.Sqrt(rest)
			if root.Mul(root, root).Cmp(rest) == 0 {
				return true
			}
		}
		a.Add(a, one)
	}
	return false
}

// squareBits marks the residues of squares modulo 64.
var squareBits = func() (t [64]bool) {
	for i := range 64 {
		t[i*i&63] = true
	}
	return t
}()

// newEC returns the key with the coordinates x and y, each of full length
// (RFC 7518 §6.2.1.2). A point that is not on the curve is refused.
func newEC(curve elliptic.Curve, x, y []byte) (*ecdsa.PublicKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, badKey("a coordinate has a wrong length")
	}
	var room [1 + 2*66]byte
	point := append(append(append(room[:0], 4), x...), y...)
	k, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, badKey("the point is not on its curve")
	}
	return k, nil
}

// smallOrder lists the y coordinates of the points of small order of edwards25519
// (little endian, without the sign of x). For such a key one signature fits
// every message.
var smallOrder = [...][32]byte{
	{0},
	{1},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
	{ // p - 1
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
}

// judgeEd25519 refuses points of small order and second spellings (y ≥ p).
func judgeEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return badKey("an Ed25519 key has 32 bytes")
	}
	y := [32]byte(k)
	y[31] &= 0x7f
	for _, bad := range smallOrder {
		if y == bad {
			return badKey("the point has a small order")
		}
	}
	if y[31] == 0x7f && y[0] >= 0xed {
		high := true
		for _, b := range y[1:31] {
			high = high && b == 0xff
		}
		if high {
			return badKey("the point is not in its canonical spelling")
		}
	}
	return nil
}
