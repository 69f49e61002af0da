package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	profile "sallyport/internal/token/jose"
)

type memKeys struct {
	mu   sync.Mutex
	rows []token.KeyRecord
}

func (m *memKeys) Keys(context.Context) ([]token.KeyRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows), nil
}

func (m *memKeys) AddFirstKey(_ context.Context, k token.KeyRecord) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.ContainsFunc(m.rows, func(r token.KeyRecord) bool { return r.Purpose == k.Purpose }) {
		m.rows = append(m.rows, k)
	}
	return nil
}

func clock() time.Time { return now }

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func newRing(t testing.TB) (*token.Ring, *memKeys, *token.Master) {
	t.Helper()
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	store := &memKeys{}
	ring, err := token.OpenRing(t.Context(), store, master, clock)
	if err != nil {
		t.Fatal(err)
	}
	return ring, store, master
}

func sample() token.Access {
	return token.Access{
		GrantID: secret.NewID(now), Serial: secret.NewID(now), ClientID: "shop-app", Subject: secret.NewID(now).String(),
		Audience: "https://api.example.com/catalog https://auth.example.com", Scope: "openid catalog.read",
		IssuedAt: now.Unix(), Lifetime: 600, AuthTime: now.Unix() - 5, ACR: token.ACRPassword, AMR: "pwd",
		Confirm: token.Confirmation{Method: token.ConfirmJKT, Digest: [32]byte{1, 2, 3}}, Tier: token.TierStandard,
	}
}

func TestAccessRoundTrip(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	want := sample()
	sealed, err := ring.SealAccess(&want)
	if err != nil {
		t.Fatal(err)
	}
	var got token.Access
	if err := ring.OpenAccess(sealed.Reveal(), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("opened token differs (-want +got):\n%s", d)
	}
	if !got.HasScope("catalog.read") || got.HasScope("catalog") || got.HasScope("") || got.HasScope("openid catalog.read") {
		t.Error("HasScope matches something else than a whole member")
	}
	if got.Expired(now.Add(599*time.Second)) || !got.Expired(now.Add(600*time.Second)) {
		t.Error("the token dies at another second than iat + lifetime")
	}
}

// J011: every bit of a token counts.
func TestJ011EveryBitOfASealedTokenCounts(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	a := sample()
	sealed, err := ring.SealAccess(&a)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := secret.Decode(secret.AccessToken, sealed.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(raw) * 8 {
		bad := slices.Clone(raw)
		bad[bit/8] ^= 1 << (bit % 8)
		var got token.Access
		// The checksum is right, so only the cryptography stands in the way.
		if err := ring.OpenAccess(secret.Encode(secret.AccessToken, bad).Reveal(), &got); !errors.Is(err, token.ErrInvalid) {
			t.Fatalf("bit %d flipped: %v, want ErrInvalid", bit, err)
		}
	}
	for n := range len(raw) {
		var got token.Access
		if ring.OpenAccess(secret.Encode(secret.AccessToken, raw[:n]).Reveal(), &got) == nil {
			t.Fatalf("cut to %d bytes and accepted", n)
		}
	}
}

// A token that has opened often must be checked like one that never has.
func TestJ011RepeatedTokensAreCheckedInFull(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	a := sample()
	sealed, err := ring.SealAccess(&a)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := secret.Decode(secret.AccessToken, sealed.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		var got token.Access
		if err := ring.OpenAccess(sealed.Reveal(), &got); err != nil || got.Serial != a.Serial {
			t.Fatalf("the good token: %v", err)
		}
		for i := range raw {
			bad := slices.Clone(raw)
			bad[i] ^= 0x10
			if ring.OpenAccess(secret.Encode(secret.AccessToken, bad).Reveal(), &got) == nil {
				t.Fatalf("byte %d changed and accepted", i)
			}
		}
	}
}

func TestT130TokensLookAlikeInNothingButThePrefix(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	a := sample()
	const n = 2000
	var counts [256]int
	total := 0
	seen := map[string]bool{}
	for range n {
		sealed, err := ring.SealAccess(&a)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := secret.Decode(secret.AccessToken, sealed.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		random := raw[5:] // after the version and the key's name
		if seen[string(random[:24])] {
			t.Fatal("a nonce came twice")
		}
		seen[string(random[:24])] = true
		for _, b := range random {
			counts[b]++
			total++
		}
	}
	mean, chi := float64(total)/256, 0.0
	for _, c := range counts {
		chi += (float64(c) - mean) * (float64(c) - mean) / mean
	}
	if chi > 255+6*22.6 { // six standard deviations of chi-square with 255 degrees of freedom
		t.Errorf("chi-square %.0f: the bytes are not evenly spread", chi)
	}
}

func TestTokensOfAnotherPurposeOrRingDoNotOpen(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	other, _, _ := newRing(t)
	a := sample()
	sealed, err := ring.SealAccess(&a)
	if err != nil {
		t.Fatal(err)
	}
	var got token.Access
	if other.OpenAccess(sealed.Reveal(), &got) == nil {
		t.Error("a foreign ring opens the token")
	}
	flow, err := ring.Seal(secret.AuthCode, "code", []byte("state"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := ring.Open(secret.AuthCode, "code", flow.Reveal()); err != nil || string(plain) != "state" {
		t.Fatalf("Open = %q, %v", plain, err)
	}
	if _, err := ring.Open(secret.AuthCode, "flow", flow.Reveal()); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another label opens it: %v", err)
	}
	raw, err := secret.Decode(secret.AuthCode, flow.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open(secret.PendingSignIn, "code", secret.Encode(secret.PendingSignIn, raw).Reveal()); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("another prefix opens it: %v", err)
	}
	if ring.OpenAccess(secret.Encode(secret.AccessToken, raw).Reveal(), &got) == nil {
		t.Error("a code opens as an access token")
	}
}

func TestRefreshTokens(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	grant, salt := secret.NewID(now), secret.Random(16)
	tok := ring.RefreshToken(grant, 7, salt).Reveal()
	parsed, err := token.ParseRefresh(tok)
	if err != nil || parsed.GrantID != grant || parsed.Generation != 7 {
		t.Fatalf("ParseRefresh = %+v, %v", parsed, err)
	}
	if !ring.CheckRefresh(parsed, salt) {
		t.Error("the right token is refused")
	}
	if ring.CheckRefresh(parsed, secret.Random(16)) {
		t.Error("the salt does not count")
	}
	raw, err := secret.Decode(secret.RefreshToken, tok)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := slices.Clone(raw)
		bad[i] ^= 1
		p, err := token.ParseRefresh(secret.Encode(secret.RefreshToken, bad).Reveal())
		if err == nil && ring.CheckRefresh(p, salt) {
			t.Errorf("byte %d does not count", i)
		}
	}
}

func TestKY06WrongMasterKeyWritesNothing(t *testing.T) {
	t.Parallel()
	_, store, _ := newRing(t)
	before := slices.Clone(store.rows)
	other, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.OpenRing(t.Context(), store, other, clock); !errors.Is(err, token.ErrMasterKey) {
		t.Errorf("OpenRing = %v, want ErrMasterKey", err)
	}
	if d := cmp.Diff(before, store.rows); d != "" {
		t.Errorf("the store has changed:\n%s", d)
	}
	for _, r := range before {
		if len(r.Wrapped) < 48 {
			t.Errorf("%s key is not wrapped", r.Purpose)
		}
	}
}

func TestKY01AKeyServesOnePurposeOnly(t *testing.T) {
	t.Parallel()
	_, store, master := newRing(t)
	for i := range store.rows {
		moved := &memKeys{rows: slices.Clone(store.rows)}
		moved.rows[i].Purpose = moved.rows[(i+1)%len(moved.rows)].Purpose
		if _, err := token.OpenRing(t.Context(), moved, master, clock); !errors.Is(err, token.ErrMasterKey) {
			t.Errorf("%s key moved to another purpose: %v, want ErrMasterKey", store.rows[i].Purpose, err)
		}
	}
}

func TestKY07PlaceholderMasterKeysAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "changeme", "secret", strings.Repeat("0", 64),
		secret.Encode(secret.MasterKey, make([]byte, 32)).Reveal(),
		secret.Encode(secret.MasterKey, make([]byte, 16)).Reveal(),
		secret.NewHandle(secret.ClientSecret).Reveal(),
	} {
		if _, err := token.NewMaster(secret.New(bad)); err == nil {
			t.Errorf("%q is accepted as a master key", bad)
		}
	}
}

// Signatures are checked with another library than the one that made them.
func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	for _, c := range []struct {
		purpose token.Purpose
		typ     string
		alg     jose.SignatureAlgorithm
	}{{token.SignIDToken, token.TypeID, jose.ES256}, {token.SignInner, token.TypeInner, jose.EdDSA}} {
		for range 50 { // r and s are sometimes short
			claims := `{"sub":"a"}`
			jwt, err := ring.Signer(c.purpose).Sign(c.typ, []byte(claims))
			if err != nil {
				t.Fatal(err)
			}
			set, err := ring.JWKS(c.purpose)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(set), `"d"`) {
				t.Fatal("MD04: the key set holds a private key")
			}
			parsed, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{c.alg})
			if err != nil {
				t.Fatal(err)
			}
			got, err := parsed.Verify(joseSet(t, set))
			if err != nil || string(got) != claims {
				t.Fatalf("Verify = %q, %v", got, err)
			}
		}
	}
}

func TestOwnJWTsAreForOnePurpose(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	other, _, _ := newRing(t)
	sign := func(r *token.Ring, p token.Purpose, typ string) string {
		jwt, err := r.Signer(p).Sign(typ, []byte(`{"iss":"https://a.example","aud":"app","sub":"a","iat":1000,"exp":1300}`))
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	v, err := profile.NewVerifier(profile.Profile{
		Purpose: "ID token", Types: []string{"jwt"}, Algorithms: []profile.Algorithm{profile.ES256}, Keys: ring.KeySource(token.SignIDToken),
		Issuer: profile.Exactly("https://a.example"), Audience: profile.Exactly("app"), MaxLife: 5 * time.Minute,
		Now: func() time.Time { return time.Unix(1100, 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	good := sign(ring, token.SignIDToken, token.TypeID)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	for name, bad := range map[string]string{
		"J001 alg none":                none + "." + parts[1] + ".",
		"J001 alg none, old signature": none + "." + parts[1] + "." + parts[2],
		"J009 empty signature":         parts[0] + "." + parts[1] + ".",
		"J010 payload swapped":         parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"b"}`)) + "." + parts[2],
		"J050 two parts":               parts[0] + "." + parts[1],
		"J050 four parts":              good + ".x",
		"J051 dots":                    strings.Repeat(".", 5000),
		"J058 newline":                 parts[0] + "." + parts[1] + "\n." + parts[2],
		"J037 other purpose":           sign(ring, token.SignInner, token.TypeID),
		"J092 other type":              sign(ring, token.SignIDToken, token.TypeInner),
		"J093 other issuer's key":      sign(other, token.SignIDToken, token.TypeID),
		"J071 too long":                good + strings.Repeat("A", 9000),
		"empty":                        "",
	} {
		if _, err := v.Verify(t.Context(), bad); !errors.Is(err, profile.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the token that was not attacked: %v", err)
	}
}

func joseSet(t *testing.T, raw []byte) *jose.JSONWebKey {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Keys[0].KeyID == "" || set.Keys[0].Use != "sig" || set.Keys[0].Algorithm == "" || !set.Keys[0].IsPublic() {
		t.Fatalf("MD04: unexpected key set %s", raw)
	}
	return &set.Keys[0]
}

func FuzzOpenAccess(f *testing.F) {
	ring, _, _ := newRing(f)
	a := sample()
	sealed, err := ring.SealAccess(&a)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed.Reveal())
	f.Add("spat_AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		var got token.Access
		if ring.OpenAccess(s, &got) == nil && s != sealed.Reveal() {
			t.Errorf("%q opens", s)
		}
	})
}
