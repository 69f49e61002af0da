package interop_test

import (
	"testing"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func settings(t *testing.T, s *rig.Server) map[string]string {
	return map[string]string{
		"issuer": s.Issuer, "client_id": s.ClientID, "redirect_uri": s.RedirectURI, "scope": rig.ReadScope,
		"item": s.API(t, "catalog").Item("1"), "service_client_id": s.ServiceClientID, "service_secret": s.ServiceSecret(t),
	}
}

// person answers the questions of flow.mjs.
func person(t *testing.T, s *rig.Server) func(map[string]string) any {
	p := s.Person(t)
	return func(q map[string]string) any {
		if address, ok := q["logout"]; ok {
			return map[string]int{"status": p.Logout(t, address).Status}
		}
		return map[string]string{"landed": p.Authorize(t, q["authorize"], s.RedirectURI).String()}
	}
}

func TestJavaScriptClientsComplete(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	for _, script := range []string{"openid-client.mjs", "replay.mjs"} {
		t.Run(script, func(t *testing.T) { s.Node(t, script, settings(t, s), nil, person(t, s)) })
	}
	if code := s.Stop(t); code != 0 {
		t.Errorf("exit status %d after an interrupt, want 0", code)
	}
}
