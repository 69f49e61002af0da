package interop_test

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sallyport/test/rig"
)

const abroadConfig = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
clients:
  - {client_id: rp, type: server, secret_file: demo-web.secret, redirect_uris: ["%[4]s/login/callback/twin"], scope: openid profile email}
`

const homeConfig = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
clients:
  - {client_id: web, type: server, secret_file: demo-web.secret, redirect_uris: ["https://app.example.com/cb"], scope: openid}
providers:
  - {name: npm, label: Npm, issuer: "%[4]s", client_id: rp, client_secret_file: npm.secret, email_domains: [npm.example], sign_up: true}
  - {name: twin, label: Twin, issuer: "%[5]s", client_id: rp, client_secret_file: twin.secret, ca_file: "%[6]s"}
`

// visitor is somebody with accounts at home and abroad. Each side of the browser trusts
// one of the servers.
type visitor struct {
	t            *testing.T
	home, abroad *rig.Person
	issuer       string
	server       *rig.Server
}

var goesTo = regexp.MustCompile(`id="elsewhere" class="button primary" href="([^"]*)"`)

// go through a provider and back, to the page that then comes.
func (v *visitor) through(page rig.Page, button string, abroad func(address, stop string) string) rig.Page {
	v.t.Helper()
	page = v.home.Press(v.t, page, button, nil, "")
	m := goesTo.FindStringSubmatch(page.Body)
	if m == nil {
		_, log := v.server.Whole()
		v.t.Fatalf("not sent anywhere: status %d\n%s\n%s", page.Status, log, page.Body)
	}
	return v.home.Go(v.t, abroad(html.UnescapeString(m[1]), v.issuer+"/login/callback/"), "https://app.example.com/")
}

// ID09, C11: people sign in at a second Sallyport and at oidc-provider, as it is
// published, and a sign-out there ends what came from it.
func TestID09SignInElsewhere(t *testing.T) {
	twin, s := rig.Start(t, rig.Options{}), rig.Start(t, rig.Options{})
	for _, server := range []*rig.Server{twin, s} {
		if code := server.Stop(t); code != 0 {
			t.Fatalf("exit status %d", code)
		}
	}
	twinSecret, err := os.ReadFile(filepath.Join(twin.State, "demo-web.secret"))
	if err != nil {
		t.Fatal(err)
	}
	npmSecret := rig.Random()
	for name, text := range map[string]string{"npm.secret": npmSecret, "twin.secret": string(twinSecret)} {
		if err := os.WriteFile(filepath.Join(s.State, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	twin = twin.ServeText(t, fmt.Sprintf(abroadConfig, twin.Issuer, twin.Listen, rig.FreeAddr(t), s.Issuer))
	authorize := s.Issuer + "/oauth/authorize?client_id=web&response_type=code&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&scope=openid&state=s&code_challenge=" + strings.Repeat("A", 43) + "&code_challenge_method=S256"
	var v *visitor
	step := 0
	s.Node(t, "upstream-provider.mjs", map[string]string{
		"secret": npmSecret, "redirect_uri": s.Issuer + "/login/callback/npm", "logout_uri": s.Issuer + "/login/elsewhere/npm/logout",
	}, nil, func(said map[string]string) any {
		if step++; step == 1 {
			s = s.ServeText(t, fmt.Sprintf(homeConfig, s.Issuer, s.Listen, rig.FreeAddr(t), said["issuer"], twin.Issuer, twin.CAFile))
			v = &visitor{t: t, home: s.Person(t), abroad: s.Person(t), issuer: s.Issuer, server: s}
			v.joins(authorize)
			return map[string]string{"do": "logout"}
		}
		if page := v.home.Go(t, authorize, "https://app.example.com/"); !page.Has("login") {
			t.Errorf("still signed in after %v: %s", said, page.URL)
		}
		v.links(authorize, twin)
		return map[string]string{"do": "end"}
	})
	if step != 2 {
		t.Errorf("%d steps, want 2", step)
	}
}

// joins makes an account for somebody whom oidc-provider vouches for.
func (v *visitor) joins(authorize string) {
	v.t.Helper()
	npm := func(address, stop string) string {
		page := v.abroad.Go(v.t, address, stop)
		if page.Status != 0 {
			v.t.Fatalf("oidc-provider stays at %s (status %d): %s", page.URL, page.Status, page.Body)
		}
		return page.URL.String()
	}
	page := v.through(v.home.Go(v.t, authorize, ""), "elsewhere_npm", npm)
	page = v.home.Press(v.t, page, "join", nil, "https://app.example.com/")
	if page.Has("allow") {
		page = v.home.Press(v.t, page, "allow", nil, "https://app.example.com/")
	}
	if page.URL.Query().Get("code") == "" {
		v.t.Fatalf("no code: %s (status %d) %s", page.URL, page.Status, page.Body)
	}
	if page := v.home.Go(v.t, authorize, "https://app.example.com/"); page.Has("login") {
		v.t.Fatal("not signed in")
	}
}

// links lets the demo user sign in at a second Sallyport.
func (v *visitor) links(authorize string, twin *rig.Server) {
	v.t.Helper()
	there := twin.Person(v.t)
	back := func(address, stop string) string { return there.Authorize(v.t, address, stop).String() }
	page := v.through(v.home.Go(v.t, authorize, ""), "elsewhere_twin", back)
	page = v.home.Press(v.t, page, "link", nil, "")
	page = v.home.SignIn(v.t, page, "")
	page = v.home.Press(v.t, page, "link", nil, "https://app.example.com/")
	if page.Has("allow") {
		page = v.home.Press(v.t, page, "allow", nil, "https://app.example.com/")
	}
	if page.URL.Query().Get("code") == "" {
		v.t.Fatalf("no code: %s (status %d) %s", page.URL, page.Status, page.Body)
	}
}
