package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"sallyport/internal/secret"
)

// fewKeys is a store with records that never change.
type fewKeys []KeyRecord

func (f fewKeys) Keys(context.Context) ([]KeyRecord, error)    { return f, nil }
func (f fewKeys) AddFirstKey(context.Context, KeyRecord) error { return nil }

// A record that the right master key has wrapped is refused nevertheless if its
// algorithm is not that of its purpose, or its material is none.
func TestKY01KY04RecordsOfAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return at }
	master, err := NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	// keys has a sound record of each purpose but for one, which has changed.
	keys := func(p Purpose, alg Algorithm, material []byte) (list fewKeys) {
		for _, policy := range Policies {
			r := KeyRecord{ID: secret.NewID(at), Purpose: policy.Purpose, Algorithm: policy.Algorithm, CreatedAt: at, ActiveAt: at}
			m, err := newMaterial(policy.Algorithm)
			if err != nil {
				t.Fatal(err)
			}
			if policy.Purpose == p {
				r.Algorithm, m = alg, material
			}
			if r, err = master.wrap(r, m, ""); err != nil {
				t.Fatal(err)
			}
			list = append(list, r)
		}
		return list
	}
	open := func(list fewKeys) error {
		_, err := OpenRing(t.Context(), list, master, clock)
		return err
	}
	if err := open(keys("", "", nil)); err != nil {
		t.Fatalf("the same records, not changed: %v", err)
	}
	for _, policy := range Policies {
		for _, alg := range []Algorithm{XAES256GCM, HS256, ES256, EdDSA, RS256} {
			material, err := newMaterial(alg)
			if err != nil {
				t.Fatal(err)
			}
			err = open(keys(policy.Purpose, alg, material))
			if fits := alg == policy.Algorithm; (err == nil) != fits || errors.Is(err, ErrMasterKey) {
				t.Errorf("KY01 a key of %s for %s: %v", alg, policy.Purpose, err)
			}
		}
	}
	for _, n := range []int{0, 1, 16, 31} {
		if open(keys(MACRefresh, HS256, secret.Random(n))) == nil {
			t.Errorf("KY04 an HMAC key of %d bytes is used", n)
		}
	}
	for _, policy := range Policies { // KY02: our own signatures
		// RS256 is for counterparts that know nothing else, on keys of their own.
		old := policy.Purpose == SignIDTokenRSA || policy.Purpose == SignSET
		modern := policy.Algorithm == ES256 || policy.Algorithm == EdDSA
		if group := policy.Group == GroupSigning; old != (policy.Algorithm == RS256) || group != (modern || old) {
			t.Errorf("KY02 %s has %s", policy.Purpose, policy.Algorithm)
		}
	}
}
