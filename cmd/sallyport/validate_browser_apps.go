package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

var (
	browserAppName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$`)
	browserAppPath = regexp.MustCompile(`^(?:/[a-z0-9-]+)+$`)
)

// checkBrowserApps holds browser apps to what keeps their tokens here and their
// pages apart from those of the issuer.
func checkBrowserApps(j *judge) {
	seen := map[string]int{}
	for i := range j.c.BrowserApps {
		b := &j.c.BrowserApps[i]
		at := b.at(i)
		if !browserAppName.MatchString(b.Name) {
			j.failf(at+".name", "%q has other characters than a-z, 0-9 and -, or is longer than 32", b.Name)
		}
		if first, twice := seen[b.Name]; twice {
			j.failf(at+".name", "%s is there twice, first as browser_apps[%d]", b.Name, first)
		}
		seen[b.Name] = i
		j.checkBrowserOrigin(at, b)
		j.checkBrowserClient(at, b)
		j.checkBrowserAPIs(at, b)
		if b.Files != "" {
			if info, err := os.Stat(filepath.Join(j.c.file(b.Files), "index.html")); err != nil || !info.Mode().IsRegular() {
				j.failf(at+".files", "%s has no index.html", b.Files)
			}
		}
		for k := range i {
			j.checkBrowserPair(at, b, &j.c.BrowserApps[k])
		}
	}
}

func (j *judge) checkBrowserOrigin(at string, b *browserAppConfig) {
	u, err := url.Parse(b.Origin)
	issuer, _ := url.Parse(j.c.Issuer)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != b.Origin || u.Host != strings.ToLower(u.Host):
		j.failf(at+".origin", "%q is not an origin: write for example https://shop.example.com, in lower case and without a slash at the end", b.Origin)
	case issuer != nil && strings.EqualFold(u.Host, issuer.Host):
		j.failf(at+".origin", "is the issuer's: whatever runs on a page of the app could press the buttons of the sign-in and of the account; give the app a name of its own")
	}
	if !browserAppPath.MatchString(b.Path) {
		j.failf(at+".path", "%q: write for example /bff", b.Path)
	}
	if b.AfterLogin == "" || b.AfterLogin[0] != '/' || strings.HasPrefix(b.AfterLogin, "//") || strings.ContainsAny(b.AfterLogin, "\\ \"<>%") {
		j.failf(at+".after_login", "%q is not a path of the app: write for example /", b.AfterLogin)
	}
	for i := range j.c.APIs {
		if p := j.c.APIs[i].Path; p != "" && p != "/" && (p == b.Path || strings.HasPrefix(b.Path, p+"/") || strings.HasPrefix(p, b.Path+"/")) {
			j.failf(at+".path", "%s and the path %s of the API %s hide each other", b.Path, p, j.c.APIs[i].Name)
		}
	}
}

// checkBrowserClient is BF01: the client can keep a secret, because it is this
// server.
func (j *judge) checkBrowserClient(at string, b *browserAppConfig) {
	if !clientID.MatchString(b.clientID()) {
		j.failf(at+".client_id", "%q is no client_id", b.clientID())
	}
	for i := range j.c.Clients {
		c := &j.c.Clients[i]
		client := c.client()
		switch {
		case c.ClientID != b.clientID():
		case client.Type != oauth.Server:
			j.failf(at+".client_id", "%s is a %s client: the tokens of a browser app are this server's, so its client is of type server; or leave it out of clients", c.ClientID, c.Type)
		case !client.UsesSecret():
			j.failf(at+".client_id", "%s proves who it is by %s, which this server cannot do for it: leave it out of clients", c.ClientID, c.AuthMethod)
		case client.DPoPBound || client.CertificateBound:
			j.failf(at+".client_id", "%s wants tokens that are bound to a key, and this server has none for it: leave it out of clients", c.ClientID)
		case !slices.Contains(client.RedirectURIs, b.callback()):
			j.failf(at+".client_id", "%s lacks the redirect URI %s", c.ClientID, b.callback())
		}
	}
	if implicit, own := j.c.browserClient(b); own {
		for _, p := range j.c.scopeProblems(implicit) {
			j.failf(at+"."+p.Path, "%s", p.Text)
		}
	}
}

func (j *judge) checkBrowserAPIs(at string, b *browserAppConfig) {
	format := ""
	for _, name := range b.APIs {
		k := slices.IndexFunc(j.c.APIs, func(a apiConfig) bool { return a.Name == name })
		switch {
		case k < 0 && !j.c.unclear("apis"):
			j.failf(at+".apis", "no API is called %q", name)
		case k < 0:
		case !j.c.APIs[k].guarded():
			j.failf(at+".apis", "%s is not behind the gateway", name)
		case j.c.APIs[k].tier() == token.TierHigh:
			j.failf(at+".apis", "%s has tier high: its tokens are bound to a key of the caller, and a cookie is not", name)
		case format != "" && format != j.c.APIs[k].TokenFormat:
			j.failf(at+".apis", "%s has another token_format than the others: no one token can be for all of them", name)
		default:
			format = j.c.APIs[k].TokenFormat
		}
	}
}

// checkBrowserPair is about two apps at the same origin: a cookie goes to both.
func (j *judge) checkBrowserPair(at string, b, other *browserAppConfig) {
	if b.Origin != other.Origin {
		return
	}
	if b.Path == other.Path {
		j.failf(at+".path", "%s has the same origin and path", other.Name)
	}
	if b.Files != "" && other.Files != "" {
		j.failf(at+".files", "%s has the same origin and files too", other.Name)
	}
	for _, name := range b.APIs {
		if slices.Contains(other.APIs, name) {
			j.failf(at+".apis", "%s has the same origin and %s too: which cookie is meant could not be known", other.Name, name)
		}
	}
}
