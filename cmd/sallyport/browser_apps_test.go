package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

const browserApps = `browser_apps:
  - {name: shop, origin: "https://shop.example.com", apis: [a]}
`

func TestBF01RulesOfBrowserApps(t *testing.T) {
	dir := folder(t)
	if err := os.Mkdir(filepath.Join(dir, "dist"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dist", "index.html"), []byte("app"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"the least that is needed is enough":              {"", "", ""},
		"with pages is good":                              {"apis: [a]", "apis: [a], files: dist", ""},
		"pages without index.html":                        {"apis: [a]", "apis: [a], files: .", "index.html"},
		"a public client of this name":                    {"name: shop,", "name: shop, client_id: app,", "native client"},
		"a server client without the redirect URI":        {"name: shop,", "name: shop, client_id: web,", "redirect URI"},
		"the origin of the issuer":                        {"https://shop.example.com", "https://localhost:8443", "the issuer's"},
		"an origin without TLS":                           {"https://shop.example.com", "http://shop.example.com", "not an origin"},
		"an origin with a path":                           {"https://shop.example.com", "https://shop.example.com/", "not an origin"},
		"an API of tier high":                             {"apis: [a]", "apis: [a, b]", "tier high"},
		"an API that is not there":                        {"apis: [a]", "apis: [c]", "no API"},
		"a path that hides an API":                        {"apis: [a]", "apis: [a], path: /a/bff", "hide each other"},
		"a path of two readings":                          {"apis: [a]", `apis: [a], path: "/bff/.."`, "for example /bff"},
		"a name with a dot":                               {"name: shop", `name: "sh.op"`, "characters"},
		"after_login elsewhere":                           {"apis: [a]", `apis: [a], after_login: "//evil"`, "not a path"},
		"a scope that no API has":                         {"apis: [a]", "apis: [a], scope: openid c.read", "c.read"},
		"two apps at one origin with one API":             {"apis: [a]}", "apis: [a]}\n  - {name: other, path: /other, origin: \"https://shop.example.com\", apis: [a]}", "which cookie is meant"},
		"two apps at one origin and path":                 {"apis: [a]}", "apis: [a]}\n  - {name: other, origin: \"https://shop.example.com\", apis: []}", "same origin and path"},
		"the same name twice":                             {"apis: [a]}", "apis: [a]}\n  - {name: shop, origin: \"https://x.example.com\", apis: [a]}", "twice"},
		"two apps at two origins with the same API, good": {"apis: [a]}", "apis: [a]}\n  - {name: other, origin: \"https://x.example.com\", apis: [a]}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := localConfig + strings.Replace(browserApps, c.from, c.to, 1)
			ids, evidence := failing(t, dir, text)
			broken := slices.Contains(ids, "BF01")
			if broken != (c.want != "") || !strings.Contains(evidence, c.want) {
				t.Errorf("broken: %v, want %q in %s", broken, c.want, evidence)
			}
		})
	}
}

func TestBF01TheClientOfABrowserAppIsThisServer(t *testing.T) {
	dir := folder(t)
	c, err := parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(localConfig+browserApps), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &assembly{config: c}
	list := a.browserSecrets(nil)
	if len(list) != 1 || list[0].ID != "shop" || list[0].Type != oauth.Server || len(list[0].Secrets) != 1 ||
		list[0].Secrets[0].Hash != a.browserSecret["shop"].Hash() || !slices.Equal(list[0].RedirectURIs, []string{"https://shop.example.com/bff/callback"}) {
		t.Errorf("client %+v", list)
	}
	if list[0].Scope != "openid a.read profile" || c.tierOf(&c.BrowserApps[0]) != token.TierStandard {
		t.Errorf("scope %q, tier %v", list[0].Scope, c.tierOf(&c.BrowserApps[0]))
	}
	again := &assembly{config: c}
	again.browserSecrets(nil)
	if again.browserSecret["shop"].Equal(a.browserSecret["shop"]) {
		t.Error("two assemblies have the same secret")
	}
	if !slices.Contains(c.silentClients(), "shop") {
		t.Error("messages are stored for a client that nobody can send them to")
	}
}
