package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token"
)

// proofFor makes the DPoP header for one request. nonce is that of the last
// DPoP-Nonce header from the same host, or empty.
func proofFor(key *ecdsa.PrivateKey, req *http.Request, accessToken, nonce string) (string, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	fixed := func(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }
	header, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": b64(fixed(key.X)), "y": b64(fixed(key.Y)),
	}})
	if err != nil {
		return "", err
	}
	ath := sha256.Sum256([]byte(accessToken))
	claims := map[string]any{
		"jti": rand.Text(), "iat": time.Now().Unix(), "ath": b64(ath[:]),
		"htm": req.Method, "htu": req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath(),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := b64(header) + "." + b64(payload)
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	return input + "." + b64(append(fixed(r), fixed(s)...)), nil
}

// The code of the guide is this code, and it works.
func TestCodeOfTheGuide(t *testing.T) {
	t.Parallel()
	here, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/guide/sender-constrained-tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(here), "// proofFor")
	code, _, _ = strings.Cut(code, "\n// The code")
	if !strings.Contains(string(guide), "// proofFor"+code) {
		t.Error("docs/guide/sender-constrained-tokens.md has other code than guide_test.go")
	}

	f := newFixture(t, nil, high)
	d := f.device()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.key = key
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://api.example.com/catalog/items/1?a=b", nil)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := proofFor(key, req, "first", "")
	if err != nil {
		t.Fatal(err)
	}
	// The thumbprint is that of whatever key the proof shows.
	checker := newProofs(t, f.ring, time.Now)
	seen, err := checker.Check(t.Context(), token.ProofRequest{Lines: []string{proof}, Method: "GET", URL: req.URL.String(), NonceFor: token.NonceGateway})
	if err != nil {
		t.Fatal(err)
	}
	d.jkt = seen.Key
	tok, nonce := d.token(strong), ""
	for _, want := range []int{401, 200} { // the first one learns the nonce
		proof, err := proofFor(key, req, tok, nonce)
		if err != nil {
			t.Fatal(err)
		}
		got := f.call("GET", "/catalog/items/1?a=b", "Authorization: DPoP "+tok, "DPoP: "+proof)
		if got.Status != want {
			t.Fatalf("status %d %v, want %d", got.Status, f.reasons(), want)
		}
		nonce = got.Header.Get("DPoP-Nonce")
	}
}
