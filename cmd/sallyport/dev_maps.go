package main

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"sallyport/internal/secret"
	secrets "sallyport/internal/vault"
)

// demoMaps plays somebody else's API, which knows nothing of our tokens and wants
// its own key. It is careless: it shows the key to whoever asks.
type demoMaps struct{ key secret.Value }

func newDemoMaps(key secret.Value) http.Handler { return &demoMaps{key} }

// ServeHTTP implements http.Handler.
func (m *demoMaps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("X-Api-Key")
	if !secret.New(key).Equal(m.key) {
		answer(w, http.StatusUnauthorized, map[string]any{"error": "this API wants its key"})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"address": r.URL.Query().Get("address"), "latitude": 52.39, "longitude": 0.26, "key": key, "user": r.Header.Get("X-User"),
		"authorization": r.Header.Get("Authorization"),
	})
}

// beside serves maps next to the APIs of ours.
func (d *demoBackends) beside(maps http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/maps/") {
			maps.ServeHTTP(w, r)
			return
		}
		d.ServeHTTP(w, r)
	})
}

// setMapsKey makes a key for this run and keeps it where those of others are kept.
func (d *dev) setMapsKey(ctx context.Context, n *node) error {
	d.mapsKey = secret.New("maps-" + base64.RawURLEncoding.EncodeToString(secret.Random(24)))
	now := n.now()
	_, err := secrets.Set(ctx, n.store.Vault(), n.keys.Ring, now, secrets.Change{Name: "maps_key", Value: d.mapsKey, SetBy: "dev", Keep: keep(now)})
	return err
}
