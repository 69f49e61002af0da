package interop_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// The device flow of x/oauth2, unmodified: it finds the endpoint by discovery and
// polls by itself, while the person types the code in a browser.
func TestTK21OAuth2DeviceFlow(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	status, out, problem := rig.Run(t, "client", "add", "tv", "--type", "native", "--scope", rig.ReadScope,
		"--grant-types", "urn:ietf:params:oauth:grant-type:device_code", "--grant-types", "refresh_token", "-c", filepath.Join(s.State, "sallyport.yaml"))
	if status != 0 {
		t.Fatalf("client add ends with %d: %s %s", status, out, problem)
	}
	a, person := newApp(t, s), s.Person(t)
	a.config.ClientID, a.config.RedirectURL = "tv", ""
	asked, err := a.config.DeviceAuth(a.ctx)
	if err != nil {
		t.Fatal(err)
	}
	page := person.Go(t, asked.VerificationURI, "")
	page = person.SignIn(t, person.Press(t, page, "continue", url.Values{"user_code": {asked.UserCode}}, ""), "")
	if page = person.Press(t, page, "allow", nil, ""); !strings.Contains(page.Body, "Access given") || page.Status != http.StatusOK {
		t.Fatalf("status %d:\n%s", page.Status, page.Body)
	}
	asked.Interval = 1
	tok, err := a.config.DeviceAccessToken(a.ctx, asked)
	if err != nil {
		t.Fatal(err)
	}
	wantCall(t, s, http.StatusOK, tok.AccessToken)
	tok.Expiry = time.Now().Add(-time.Hour)
	fresh, err := a.config.TokenSource(a.ctx, tok).Token()
	if err != nil {
		t.Fatal(err)
	}
	wantCall(t, s, http.StatusOK, fresh.AccessToken)
}
