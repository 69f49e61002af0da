package attack_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/test/attack"
)

func target(alg string) attack.Target {
	return attack.Target{
		Issuer: "https://issuer.example", Audience: "https://issuer.example/catalog", Type: "sallyport-inner+jwt",
		Key: attack.NewKey(alg, "current"), Retired: attack.NewKey(alg, "retired"), Foreign: attack.NewKey(alg, "current"),
		Now: time.Unix(1_800_000_000, 0), JWKSURL: "https://issuer.example/jwks.json",
	}
}

// wellSigned is the naive verifier: signature over whatever is there.
func wellSigned(t *testing.T, k attack.Key, token string) bool {
	t.Helper()
	dot := strings.LastIndexByte(token, '.')
	if dot < 0 {
		return false
	}
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil || len(sig) != 64 {
		return false
	}
	switch p := k.Private.Public().(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(p, []byte(token[:dot]), sig)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256([]byte(token[:dot]))
		return ecdsa.Verify(p, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	t.Fatal("unknown key")
	return false
}

func TestEveryAttackHasItsPairAndAName(t *testing.T) {
	for _, alg := range []string{"EdDSA", "ES256"} {
		tg := target(alg)
		names, pairs, bad := map[string]bool{}, map[string]int{}, map[string]int{}
		id := regexp.MustCompile(`^J\d{3}$`)
		for _, c := range tg.List() {
			if names[c.String()] {
				t.Errorf("%s: twice", c)
			}
			names[c.String()] = true
			if !id.MatchString(c.ID) {
				t.Errorf("%s: not an ID", c)
			}
			if !c.Valid {
				bad[c.ID]++
				continue
			}
			pairs[c.ID]++
			if !wellSigned(t, tg.Key, c.Token) || !c.Sendable() {
				t.Errorf("%s: the pair is not well signed or cannot be sent", c)
			}
			var claims map[string]any
			payload, err := base64.RawURLEncoding.Strict().DecodeString(strings.Split(c.Token, ".")[1])
			if err != nil || json.Unmarshal(payload, &claims) != nil || claims["aud"] != tg.Audience {
				t.Errorf("%s: the pair is not readable: %v", c, err)
			}
		}
		for id, n := range bad {
			if n == 0 || pairs[id] == 0 {
				t.Errorf("%s: %d attacks, %d pairs", id, n, pairs[id])
			}
		}
		t.Logf("%s: %d tokens, %d attacks", alg, len(names), len(bad))
	}
}

// An attack that no verifier could take for a token proves nothing: many must
// get as far as the signature, and many more past it.
func TestListReachesBehindTheSignature(t *testing.T) {
	tg := target("EdDSA")
	signed := 0
	for _, c := range tg.List() {
		if !c.Valid && wellSigned(t, tg.Key, c.Token) {
			signed++
		}
	}
	const least = 300
	if signed < least {
		t.Errorf("only %d attacks are well signed", signed)
	}
}

func TestKeySetsHoldTheTargetsKey(t *testing.T) {
	tg := target("EdDSA")
	for _, s := range tg.KeySets() {
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(s.Set(tg), &set); err != nil || len(set.Keys) < 2 || set.Keys[0]["kid"] != "current" {
			t.Errorf("%s %s: %v %v", s.ID, s.Name, err, set)
		}
		if len(s.Cases) == 0 {
			t.Errorf("%s %s: no cases", s.ID, s.Name)
		}
	}
}

func TestPlacementsHavePairs(t *testing.T) {
	valid := 0
	for _, p := range attack.Placements("http://127.0.0.1/", "a.b.c") {
		if p.Valid {
			valid++
		}
	}
	if valid != 2 {
		t.Errorf("%d pairs, want 2", valid)
	}
}
