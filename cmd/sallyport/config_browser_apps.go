package main

import (
	"cmp"
	"fmt"
	"strings"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

// browserAppConfig is a browser app whose tokens stay on this server.
type browserAppConfig struct {
	Name       string   `yaml:"name" need:"yes" example:"shop" doc:"Short name, in logs and in the name of the app's cookie: letters, digits and -"`
	Origin     string   `yaml:"origin" need:"yes" example:"https://shop.example.com" doc:"Where people open the app: scheme and host. Its pages, its sign-in and its APIs are there, and the issuer is not."`
	Path       string   `yaml:"path" default:"/bff" example:"/bff" doc:"Where the app's sign-in is, at origin: PATH/login, /callback, /session, /logout and /bff.js."`
	ClientID   string   `yaml:"client_id" example:"shop" doc:"The client that signs people in for the app. Without one of this name in clients, this server has it by itself, and there is no secret to keep. Without client_id it is called as the app."`
	APIs       []string `yaml:"apis" need:"yes" example:"[catalog]" doc:"Names of the APIs that the app's pages may call with its cookie. None of tier high: a cookie is bound to nothing."`
	Scope      string   `yaml:"scope" example:"openid catalog.read" doc:"What the app asks people for. Without it, openid and every scope of its APIs."`
	Claims     []string `yaml:"claims" example:"[sub, name, email]" doc:"What the app's pages may know of the person: claims of the ID token. Without it, sub and name."`
	AfterLogin string   `yaml:"after_login" default:"/" example:"/" doc:"Path where people go after signing in who did not come from a page of the app."`
	Files      string   `yaml:"files" example:"./dist" doc:"Folder with the app's pages, with an index.html, to serve them here. Without it another server in front has them, and passes on what is for this one."`
}

func (b *browserAppConfig) clientID() string { return cmp.Or(b.ClientID, b.Name) }

func (b *browserAppConfig) claims() []string {
	if len(b.Claims) == 0 {
		return []string{"sub", "name"}
	}
	return b.Claims
}

func (b *browserAppConfig) callback() string { return b.Origin + b.Path + "/callback" }

// apisOf are the places of the app's APIs in the list.
func (c *config) apisOf(b *browserAppConfig) (list []int) {
	for i := range c.APIs {
		for _, name := range b.APIs {
			if c.APIs[i].Name == name {
				list = append(list, i)
			}
		}
	}
	return list
}

// scopeOf is what the app asks for.
func (c *config) scopeOf(b *browserAppConfig) string {
	if b.Scope != "" {
		return b.Scope
	}
	scopes := []string{"openid"}
	for _, i := range c.apisOf(b) {
		scopes = append(scopes, c.APIs[i].scopes()...)
	}
	for _, s := range [...]struct{ claim, scope string }{{"name", "profile"}, {"preferred_username", "profile"}, {"email", "email"}} {
		for _, claim := range b.claims() {
			if claim == s.claim && !strings.Contains(" "+strings.Join(scopes, " ")+" ", " "+s.scope+" ") {
				scopes = append(scopes, s.scope)
			}
		}
	}
	return strings.Join(scopes, " ")
}

// tierOf is the highest tier of its APIs: it bounds the app's sessions.
func (c *config) tierOf(b *browserAppConfig) token.Tier {
	tier := token.TierLow
	for _, i := range c.apisOf(b) {
		tier = max(tier, c.APIs[i].tier())
	}
	return tier
}

// browserClient is the client of an app that has none in clients; false: it has.
func (c *config) browserClient(b *browserAppConfig) (oauth.Client, bool) {
	for i := range c.Clients {
		if c.Clients[i].ClientID == b.clientID() {
			return oauth.Client{}, false
		}
	}
	client := clientConfig{ClientID: b.clientID(), Type: string(oauth.Server), RedirectURIs: []string{b.callback()}, Scope: c.scopeOf(b)}
	return client.client(), true
}

func (b *browserAppConfig) at(i int) string { return fmt.Sprintf("browser_apps[%d]", i) }
