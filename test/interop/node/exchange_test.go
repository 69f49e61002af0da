package interop_test

import (
	"testing"

	"sallyport/test/rig"
)

func TestTK24IN06JavaScriptClientsExchangeAndIntrospect(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	set := settings(t, s)
	set["forecast"] = s.Issuer + "/weather/forecast/berlin"
	s.Node(t, "exchange.mjs", set, nil, nil)
	if code := s.Stop(t); code != 0 {
		t.Errorf("exit status %d after an interrupt, want 0", code)
	}
}
