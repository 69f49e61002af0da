package browser_test

import (
	"testing"

	"sallyport/test/rig"
)

// TestAU09Passkeys makes and uses a passkey with the virtual authenticator of a
// real browser.
func TestAU09Passkeys(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	env := []string{"HOME=" + home(t, s.CAFile), "SALLYPORT_SCREENSHOTS=" + screenshots(t)}
	settings := map[string]string{"issuer": s.Issuer, "username": s.Username, "password": s.Password}
	s.Node(t, "browser-passkeys.mjs", settings, env, func(map[string]string) any { return nil })
}
