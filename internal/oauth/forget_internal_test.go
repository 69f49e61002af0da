package oauth

import (
	"testing"

	"sallyport/internal/secret"
)

func TestForgettingLeavesNothingRemembered(t *testing.T) {
	t.Parallel()
	s := &Service{clients: newClientCache(nil, nil)}
	s.clients.m["app"] = &Client{ID: "app"}
	g := Grant{ID: secret.ID{1}, Generation: 3}
	s.rotated.put(g)
	before := s.clients.epoch
	s.Forget()
	if _, known := s.rotated.at(g.ID, 3); known || len(s.clients.m) != 0 || s.clients.epoch == before {
		t.Errorf("remembered: grant %v, %d clients; a read that began before may store what is old: %v", known, len(s.clients.m), s.clients.epoch == before)
	}
}
