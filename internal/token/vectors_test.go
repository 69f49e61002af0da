package token

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sallyport/internal/secret"
)

var update = flag.Bool("update", false, "write the vectors anew")

// vectorFile is the form of test/vectors/tokens.json: what another
// implementation of docs/reference/token-format.md must reproduce.
type vectorFile struct {
	Note   string          `json:"note"`
	Sealed []sealedVector  `json:"sealed"`
	Fresh  []refreshVector `json:"refresh"`
}

type sealedVector struct {
	KeyHex string `json:"key_hex"`
	KeyID  string `json:"key_id_hex"`
	Access Access `json:"access"`
	Plain  string `json:"plain_hex"`
	Token  string `json:"token"`
}

type refreshVector struct {
	KeyHex     string `json:"key_hex"`
	KeyID      string `json:"key_id_hex"`
	GrantID    string `json:"grant_id"`
	Generation uint32 `json:"generation"`
	SaltHex    string `json:"salt_hex"`
	Token      string `json:"token"`
}

var vectorPath = filepath.Join("..", "..", "test", "vectors", "tokens.json")

func TestVectors(t *testing.T) {
	t.Parallel()
	if *update {
		writeVectors(t)
	}
	raw, err := os.ReadFile(vectorPath)
	if err != nil {
		t.Fatal(err)
	}
	var file vectorFile
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Sealed) == 0 || len(file.Fresh) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range file.Sealed {
		ring := ringOf(t, SealAccess, XAES256GCM, v.KeyHex, v.KeyID)
		var got Access
		if err := ring.OpenAccess(v.Token, &got); err != nil {
			t.Errorf("%s: %v", v.Token, err)
		}
		if d := cmp.Diff(v.Access, got); d != "" {
			t.Errorf("opened differs (-want +got):\n%s", d)
		}
		plain, err := v.Access.appendPlain(nil)
		if err != nil || hex.EncodeToString(plain) != v.Plain {
			t.Errorf("plain = %x, %v; want %s", plain, err, v.Plain)
		}
	}
	for _, v := range file.Fresh {
		ring := ringOf(t, MACRefresh, HS256, v.KeyHex, v.KeyID)
		id, err := secret.ParseID(v.GrantID)
		if err != nil {
			t.Fatal(err)
		}
		if got := ring.RefreshToken(id, v.Generation, unhex(t, v.SaltHex)).Reveal(); got != v.Token {
			t.Errorf("RefreshToken = %s, want %s", got, v.Token)
		}
	}
}

func ringOf(t *testing.T, p Purpose, alg Algorithm, keyHex, idHex string) *Ring {
	t.Helper()
	var id secret.ID
	copy(id[12:], unhex(t, idHex))
	master, err := NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	record, err := master.wrap(KeyRecord{ID: id, Purpose: p, Algorithm: alg}, unhex(t, keyHex), "")
	if err != nil {
		t.Fatal(err)
	}
	ring := &Ring{master: master, now: func() time.Time { return time.Unix(1795500000, 0) }}
	ring.current.Store(&snapshot{})
	s, err := ring.read([]KeyRecord{record})
	if err != nil {
		t.Fatal(err)
	}
	ring.current.Store(s)
	return ring
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeVectors(t *testing.T) {
	t.Helper()
	const keyHex, idHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "a0a1a2a3"
	id := func(n byte) (out secret.ID) {
		for i := range out {
			out[i] = n + byte(i)
		}
		return out
	}
	file := vectorFile{Note: "The keys are public: never use them. See docs/reference/token-format.md."}
	for _, a := range []Access{
		{
			GrantID: id(0x10), Serial: id(0x30), ClientID: "shop-app", Subject: id(0x50).String(),
			Audience: "https://api.example.com/catalog https://auth.example.com", Scope: "openid catalog.read",
			IssuedAt: 1795500000, Lifetime: 600, AuthTime: 1795499990, ACR: ACRPassword, AMR: "pwd", Tier: TierStandard,
		},
		{
			Serial: id(0x70), ClientID: "job", Subject: "client:job", Audience: "https://api.example.com/pay", Scope: "pay",
			IssuedAt: 1795500000, Lifetime: 300, Tier: TierHigh,
			Confirm: Confirmation{Method: ConfirmX5T, Digest: [32]byte{1, 2, 3, 4}},
		},
		{
			GrantID: id(0x10), Serial: id(0x90), Exchanger: id(0xb0), ClientID: "orders", Subject: id(0x50).String(),
			Audience: "https://api.example.com/pay", Scope: "pay", IssuedAt: 1795500000, Lifetime: 60, AuthTime: 1795499990,
			ACR: ACRPassword, AMR: "pwd", Tier: TierHigh, Details: `[{"type":"payment","amount":"1.00"}]`, Actor: `{"sub":"client:orders"}`,
		},
	} {
		ring := ringOf(t, SealAccess, XAES256GCM, keyHex, idHex)
		sealed, err := ring.SealAccess(&a)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := a.appendPlain(nil)
		if err != nil {
			t.Fatal(err)
		}
		file.Sealed = append(file.Sealed, sealedVector{keyHex, idHex, a, hex.EncodeToString(plain), sealed.Reveal()})
	}
	ring := ringOf(t, MACRefresh, HS256, keyHex, idHex)
	for _, g := range []uint32{1, 4711} {
		salt := "202122232425262728292a2b2c2d2e2f"
		tok := ring.RefreshToken(id(0x10), g, unhex(t, salt)).Reveal()
		file.Fresh = append(file.Fresh, refreshVector{keyHex, idHex, id(0x10).String(), g, salt, tok})
	}
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorPath, append(raw, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}
