package interop_test

import (
	"testing"

	"sallyport/test/rig"
)

// Clients of others do DPoP with us as they do with anybody: nonces, bound
// codes, refresh, userinfo, introspection and the gateway.
func TestPP14JavaScriptClientsProveTheirKey(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	set := settings(t, s)
	set["high_scope"] = "openid payments.read"
	s.Node(t, "dpop.mjs", set, nil, person(t, s))
	if code := s.Stop(t); code != 0 {
		t.Errorf("exit status %d after an interrupt, want 0", code)
	}
}
