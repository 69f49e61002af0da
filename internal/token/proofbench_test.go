package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token"
)

// FuzzProof: what passes says what its request says, for any reader of JSON.
func FuzzProof(f *testing.F) {
	p, _ := newProofs(f, &proofClock{now})
	good := newDraft(es256(f)).request(f)
	f.Add(good.Lines[0])
	f.Add(newDraft(edKey(f, "EdDSA")).jwt(f))
	f.Add(strings.Replace(good.Lines[0], ".", ".=", 1))
	f.Add(good.Lines[0] + "," + good.Lines[0])
	f.Add("e30.e30.")
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6Im5vbmUifQ.e30.AA")
	f.Fuzz(func(t *testing.T, line string) {
		r := good
		r.Lines = []string{line}
		proof, err := p.Check(t.Context(), r)
		if err != nil {
			if proof != (token.Proof{}) {
				t.Errorf("%q is refused and still says something", line)
			}
			return
		}
		parts := strings.Split(line, ".")
		payload, err := b64.DecodeString(parts[1])
		var c struct {
			JTI, HTM, HTU, ATH string
			IAT                int64
		}
		if err != nil || len(parts) != 3 || json.Unmarshal(payload, &c) != nil || c.HTM != method || !strings.EqualFold(c.HTU, resource) ||
			c.ATH != ath(boundToken) || c.JTI == "" || c.IAT < now.Unix()-60 || c.IAT > now.Unix()+10 {
			t.Errorf("%q passes", line)
		}
	})
}

// BenchmarkProof is every check but the replay, beside what no check of a
// proof can do without.
func BenchmarkProof(b *testing.B) {
	for _, key := range []appKey{es256(b), edKey(b, "EdDSA"), rsaKey(b, 2048, "PS256")} {
		b.Run(key.alg, func(b *testing.B) {
			c := &proofClock{now}
			p, _ := newProofs(b, c)
			r := newDraft(key).request(b)
			reportCPU(b, func() {
				for b.Loop() {
					if _, err := p.Check(b.Context(), r); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
	b.Run("bare ES256", func(b *testing.B) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		digest := sha256.Sum256([]byte("x"))
		sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			b.Fatal(err)
		}
		reportCPU(b, func() {
			for b.Loop() {
				if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
					b.Fatal("refused")
				}
			}
		})
	})
}

// BenchmarkReplay spends as a busy node does: 5,000 proofs a second of 1,000
// keys, each kept for 70 s.
func BenchmarkReplay(b *testing.B) {
	c := &proofClock{now}
	table := token.NewReplayTable(0, c.now)
	var id [32]byte
	n := uint64(0)
	spend := func() {
		n++
		c.at = c.at.Add(200 * time.Microsecond)
		binary.BigEndian.PutUint64(id[:], n%1000)
		binary.BigEndian.PutUint64(id[8:], n)
		if fresh, err := table.Spend(b.Context(), id, c.at.Add(70*time.Second)); !fresh || err != nil {
			b.Fatal(fresh, err)
		}
	}
	for range 400_000 {
		spend()
	}
	reportCPU(b, func() {
		for b.Loop() {
			spend()
		}
	})
}

func BenchmarkNonce(b *testing.B) {
	p, _ := newProofs(b, &proofClock{now})
	reportCPU(b, func() {
		for b.Loop() {
			_ = p.Nonce(token.NonceGateway)
		}
	})
}
