package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

// A redirect that keeps the method would send a password on.
func TestAZ13NoRedirectKeepsTheMethod(t *testing.T) {
	h := newHouse(t, options{})
	b := h.browser()
	page := b.loginPage()
	_, fields := b.form(page)
	fields.Set("username", "ada")
	fields.Set("password", password)
	for _, path := range []string{"//login", "/login/", "/./login", "/x/../login", "//oauth/logout", "/oauth/logout/", "/oauth//token", "/oauth/token/", "//consent", "//device", "/device/"} {
		r := b.post(issuer+path, fields, "Sec-Fetch-Site", "same-origin")
		if r.StatusCode == http.StatusTemporaryRedirect || r.StatusCode == http.StatusPermanentRedirect || r.StatusCode < 400 || r.Header.Get("Location") != "" {
			t.Errorf("POST %s: status %d to %q", path, r.StatusCode, r.Header.Get("Location"))
		}
	}
	if r := b.post("/login", fields, "Sec-Fetch-Site", "same-origin"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("the login form: status %d, want 303", r.StatusCode)
	}
}

// Nothing of ours speaks to other windows.
func TestAZ27NoPagePostsMessages(t *testing.T) {
	for _, folder := range []string{"templates", "static"} {
		err := fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(folder + "/" + path)
			if strings.Contains(string(text), "postMessage") || strings.Contains(strings.ReplaceAll(string(text), "noopener", ""), "opener") {
				t.Errorf("%s/%s speaks to other windows", folder, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The page with frames of apps is itself in no frame, like every other.
func TestAZ12ThePageWithFramesIsInNone(t *testing.T) {
	h := newHouse(t, options{clients: []oauth.Client{{
		ID: "framed", Secrets: []oauth.ClientSecret{{Hash: ofAll.Hash()}}, Type: oauth.Server, Scope: "openid catalog.read", RedirectURIs: []string{callback},
		Settings: oauth.Settings{FrontChannelURI: "https://app.example.com/out"},
	}}})
	b := h.browser()
	tok := b.tokensOf("framed", callback)
	page := b.follow(b.get(logoutURL("id_token_hint", tok["id_token"].(string))))
	if !strings.Contains(page.body, "<iframe") || page.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("%d %v", page.StatusCode, page.Header)
	}
	if page.Header.Get("Refresh") != "" || strings.Contains(page.body, "<script") {
		t.Error("it leads on, and there is nowhere to go")
	}
}
