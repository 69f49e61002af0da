package browser_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// home makes a home folder whose certificate store has the server's CA and
// nothing else, as a person would after importing it.
func home(t *testing.T, caFile string) string {
	t.Helper()
	dir := t.TempDir()
	rig.TrustCA(t, dir, caFile)
	return dir
}

func screenshots(t *testing.T) string {
	if dir := os.Getenv("SALLYPORT_SCREENSHOTS"); dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			t.Fatal(err)
		}
		return abs
	}
	return t.TempDir()
}

// listener is a native app that waits for its answer on a loopback port.
func listener(t *testing.T) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("You can go back to the app."))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/callback"
}

func TestBrowser(t *testing.T) {
	pictures := screenshots(t)
	for _, script := range []string{"browser-app.mjs", "browser-plain.mjs", "browser-looks.mjs", "browser-form-post.mjs"} {
		t.Run(script, func(t *testing.T) {
			s := rig.Start(t, rig.Options{})
			s.RedirectURI = listener(t) // a native app's, with a port of its own
			env := []string{"HOME=" + home(t, s.CAFile), "SALLYPORT_SCREENSHOTS=" + pictures}
			settings := map[string]string{
				"issuer": s.Issuer, "app": s.App, "username": s.Username, "password": s.Password,
				"redirect_uri": s.RedirectURI, "item": s.API(t, "catalog").Item("1"),
			}
			s.Node(t, script, settings, env, func(map[string]string) any {
				address, _ := s.AuthorizeURL(rig.ReadScope)
				return map[string]string{"address": address}
			})
			if code := s.Stop(t); code != 0 {
				t.Errorf("exit status %d after an interrupt, want 0", code)
			}
		})
	}
}
