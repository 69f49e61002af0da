package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// What is served names the keys of this moment, and a cache that asks whether
// its copy is still right is told so.
func TestMD05KY08TheKeySetFollowsTheRing(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	keeper := &token.Keeper{Store: h.store.Keys(), Now: h.clock.now, Master: func() (*token.Master, error) { return h.master, nil }}
	signing, _ := token.PolicyOf(token.SignIDToken)
	old := h.ring.Signer(token.SignIDToken).KeyID
	const path = "/.well-known/jwks.json"
	first := b.get(path)
	h.clock.advance(time.Second)
	next, err := keeper.RotateNow(t.Context(), signing, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.ring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := b.get(path, "If-None-Match", first.Header.Get("ETag"))
	if second.StatusCode != 200 || !strings.Contains(second.body, old) || !strings.Contains(second.body, next.ID.String()) {
		t.Errorf("before the new key signs: %d %s", second.StatusCode, second.body)
	}
	wantStatus(t, b.get(path, "If-None-Match", second.Header.Get("ETag")), http.StatusNotModified)
	id, err := secret.ParseID(old)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keeper.Compromise(t.Context(), signing, id); err != nil {
		t.Fatal(err)
	}
	h.ring.Drop(id)
	third := b.get(path, "If-None-Match", second.Header.Get("ETag"))
	if third.StatusCode != 200 || strings.Contains(third.body, old) {
		t.Errorf("after a compromise: %d %s", third.StatusCode, third.body)
	}
}
