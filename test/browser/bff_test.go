package browser_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sallyport/test/rig"
)

// T008, T009, T139, T141, T142, BF02 to BF15: a browser app whose tokens stay on
// the server, with a hostile script on its page and a hostile sibling. The script
// looks around for ten seconds; SALLYPORT_HOSTILE_SECONDS is for longer.
func TestT008T009T139T141T142BrowserAppUnderAttack(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	seconds := 10
	if text := os.Getenv("SALLYPORT_HOSTILE_SECONDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		seconds = n
	}
	app := strings.Replace(s.Issuer, "https://localhost", "https://app.localhost", 1)
	settings := map[string]any{
		"issuer": s.Issuer, "app": app, "sibling": "https://evil.app.localhost", "username": s.Username, "password": s.Password, "seconds": seconds,
	}
	s.Node(t, "browser-bff.mjs", settings, []string{"HOME=" + home(t, s.CAFile), "SALLYPORT_SCREENSHOTS=" + screenshots(t)}, func(map[string]string) any { return nil })
	stdout, stderr := s.Whole()
	handle := regexp.MustCompile(`sp(at|rt|bs|fl|ac)_[A-Za-z0-9_-]{16,}`)
	if found := handle.FindString(stdout + stderr); found != "" {
		t.Errorf("BF02 the log has a credential %s…", found[:8])
	}
}
