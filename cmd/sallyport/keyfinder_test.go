package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/token/jose"
)

// A client's jwks_uri must not be a way inside (EG05): on a real issuer, an
// address on this machine is not asked; an API's, which the operator wrote, is.
func TestEG05KeysOfClientsAreNoWayInside(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(gojose.JSONWebKeySet{Keys: []gojose.JSONWebKey{{Key: key.Public(), KeyID: "1", Use: "enc"}}})
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(set)
	}))
	t.Cleanup(inside.Close)

	finder := func(issuer string) *keyFinder {
		k, err := newKeyFinder(&config{Issuer: issuer}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	find := func(keys jose.KeySource, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		r, err := jose.NewRecipient(keys, jose.ECDHES, jose.A256GCM)
		if err != nil {
			t.Fatal(err)
		}
		return r.Usable(t.Context())
	}
	if err := find(finder("https://auth.example.com").ofClient("app", inside.URL)); !errors.Is(err, jose.ErrKeysUnavailable) || asked.Load() != 0 {
		t.Errorf("got %v after %d requests", err, asked.Load())
	}
	if err := find(finder("https://localhost:8443").ofClient("app", inside.URL)); err != nil {
		t.Errorf("an issuer on this machine: %v", err)
	}
	api := &apiConfig{JWKSURI: inside.URL}
	if err := find(finder("https://auth.example.com").ofAPI(&config{}, api)); err != nil {
		t.Errorf("an API on this machine: %v", err)
	}
}
