package token

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"
	"time"

	"sallyport/internal/secret"
)

// The vectors of c2sp.org/XAES-256-GCM: one for each value of the subkey's
// carry bit, and the accumulated one over 10,000 random inputs.
func TestXAESVectors(t *testing.T) {
	t.Parallel()
	nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
	for _, c := range []struct {
		key       byte
		aad, want string
	}{
		{0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x, err := newXAES(bytes.Repeat([]byte{c.key}, 32))
		if err != nil {
			t.Fatal(err)
		}
		var sc [xaesKeySize]byte
		got, err := x.seal(nil, nonce, []byte("XAES-256-GCM"), []byte(c.aad), &sc)
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("key %#x: %x, %v; want %s", c.key, got, err, c.want)
		}
	}
}

func TestXAESAccumulated(t *testing.T) {
	t.Parallel()
	src, sum := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = src.Read(b)
		return b
	}
	var sc [xaesKeySize]byte
	for range 10_000 {
		x, err := newXAES(read(32))
		if err != nil {
			t.Fatal(err)
		}
		nonce := read(24)
		plain := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		sealed, err := x.seal(nil, nonce, plain, aad, &sc)
		if err != nil {
			t.Fatal(err)
		}
		opened, err := x.open(nil, nonce, sealed, aad, &sc)
		if err != nil || !bytes.Equal(opened, plain) {
			t.Fatalf("open = %x, %v; want %x", opened, err, plain)
		}
		_, _ = sum.Write(sealed)
	}
	got := make([]byte, 32)
	_, _ = sum.Read(got)
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	if hex.EncodeToString(got) != want {
		t.Errorf("accumulated = %x, want %s", got, want)
	}
}

// FuzzParsePlain feeds the layout that only we can write: still, it must not
// read outside or accept two spellings.
func FuzzParsePlain(f *testing.F) {
	a := Access{GrantID: secret.NewID(time.Unix(1, 0)), IssuedAt: 5, Lifetime: 6, ClientID: "c", Subject: "s", Scope: "a b"}
	seed := func() {
		b, err := a.appendPlain(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, a.extended())
		f.Add(b, !a.extended())
	}
	seed()
	a.Details, a.Actor, a.Exchanger = `[{"type":"t"}]`, `{"sub":"client:c"}`, secret.NewID(time.Unix(2, 0))
	seed()
	a.Details, a.Exchanger = "", secret.ID{}
	seed()
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, in []byte, extended bool) {
		var got Access
		if got.parsePlain(in, extended) != nil {
			return
		}
		if got.extended() != extended {
			t.Errorf("version 2 is %v, and the token says %+v", extended, got)
		}
		b, err := got.appendPlain(nil)
		if err != nil {
			t.Fatalf("parsed but cannot be written: %v", err)
		}
		var again Access
		if err := again.parsePlain(b, extended); err != nil || again != got {
			t.Errorf("read back as %+v, %v; want %+v", again, err, got)
		}
	})
}
