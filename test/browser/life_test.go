package browser_test

import (
	"testing"

	"sallyport/test/rig"
)

// TestLifeOfAnAccount goes from signing up to leaving, in a real browser and with
// real letters.
func TestLifeOfAnAccount(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	env := []string{"HOME=" + home(t, s.CAFile), "SALLYPORT_SCREENSHOTS=" + screenshots(t)}
	s.Node(t, "browser-life.mjs", map[string]string{"issuer": s.Issuer, "mails": s.Mails}, env, func(map[string]string) any { return nil })
}
