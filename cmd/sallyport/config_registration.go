package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

type registerConfig struct {
	Policy     string            `yaml:"policy" default:"closed" enum:"closed,token,software_statement,open" example:"token" doc:"Who may register: nobody; who has an initial access token of sallyport registration token create; who has a software statement of an issuer below; anybody."`
	Profile    string            `yaml:"profile" enum:"oauth21,oidc-basic,fapi2,fapi2-message-signing" example:"oauth21" doc:"What such clients are held to. They may ask for a stricter one, never for a weaker."`
	Scope      string            `yaml:"scope" example:"openid profile catalog.read" doc:"The most that such a client may ask for, separated by single spaces. Without it openid, profile, email and offline_access."`
	Types      []string          `yaml:"client_types" enum:"native,browser,server,service" example:"[native, browser, server]" doc:"Types that may register. Without it native, browser and server."`
	GrantTypes []string          `yaml:"grant_types" example:"[authorization_code, refresh_token]" doc:"Grant types that they may have. Without it authorization_code and refresh_token."`
	Details    []string          `yaml:"authorization_details_types" example:"[payment]" doc:"Types of authorization_details that they may ask for. Without it none."`
	MaxClients int               `yaml:"max_clients" default:"10000" example:"10000" doc:"How many clients may have registered themselves."`
	UnusedLife duration          `yaml:"unused_lifetime" default:"720h" example:"720h" doc:"After which a client is removed that has never been given a token."`
	SecretLife duration          `yaml:"secret_lifetime" example:"8760h" doc:"How long client secrets that registration makes live. Without it for ever."`
	Statements []statementConfig `yaml:"software_statement_issuers" doc:"Whose software statements are trusted."`
	AppLinks   string            `yaml:"app_links" default:"verify" enum:"verify,off" example:"verify" doc:"verify asks the hosts of the https redirect URIs of native clients that name their app whether they know it, and refuses the client if they do not."`
}

type statementConfig struct {
	Issuer   string `yaml:"issuer" need:"yes" example:"https://directory.example.com" doc:"iss of the statements."`
	JWKSFile string `yaml:"jwks_file" file:"policy" example:"directory.jwks.json" doc:"File with the public keys of the issuer, a JWK Set."`
	JWKSURI  string `yaml:"jwks_uri" example:"https://directory.example.com/jwks.json" doc:"Where it publishes them, instead of jwks_file."`
}

type documentConfig struct {
	Policy     string   `yaml:"policy" default:"off" enum:"off,on" example:"on" doc:"on lets in clients whose client_id is the https address of their metadata (OAuth Client ID Metadata Document), as MCP clients have."`
	Hosts      []string `yaml:"hosts" example:"[app.example.com, .example.org]" doc:"Hosts that may hold such documents; with a dot in front, all below. Without it any."`
	Profile    string   `yaml:"profile" enum:"oauth21" example:"oauth21" doc:"What such clients are held to."`
	Scope      string   `yaml:"scope" example:"openid catalog.read" doc:"The most that such a client may ask for. Without it openid, profile, email and offline_access."`
	GrantTypes []string `yaml:"grant_types" example:"[authorization_code, refresh_token]" doc:"Grant types that they may have. Without it authorization_code and refresh_token."`
	AppLinks   string   `yaml:"app_links" default:"verify" enum:"verify,off" example:"verify" doc:"As in registration."`
}

const (
	maxUnusedLife = 366 * 24 * time.Hour
	minSecretLife = 24 * time.Hour
)

func checkRegistration(j *judge) {
	r := &j.c.Registration
	j.ceiling("registration.scope", r.Scope)
	j.ceiling("client_id_metadata_documents.scope", j.c.Documents.Scope)
	j.grantTypes("registration.grant_types", r.GrantTypes)
	j.grantTypes("client_id_metadata_documents.grant_types", j.c.Documents.GrantTypes)
	if r.Policy == oauth.RegisterOpen {
		j.warnf("registration.policy", "is open: anybody can register a client, as many as max_clients says; people see that nobody has checked it")
	}
	if r.Policy == oauth.RegisterStatement && len(r.Statements) == 0 {
		j.failf("registration.software_statement_issuers", "is empty, so nobody could register")
	}
	if r.UnusedLife.std() > maxUnusedLife {
		j.failf("registration.unused_lifetime", "%s is more than a year", r.UnusedLife.std())
	}
	if d := r.SecretLife.std(); d > 0 && d < minSecretLife {
		j.failf("registration.secret_lifetime", "%s is less than a day", d)
	}
	for i, s := range r.Statements {
		at := fmt.Sprintf("registration.software_statement_issuers[%d]", i)
		switch {
		case s.Issuer == "":
			j.failf(at+".issuer", "is missing")
		case (s.JWKSFile == "") == (s.JWKSURI == ""):
			j.failf(at+".jwks_file", "name one of jwks_file and jwks_uri")
		case s.JWKSFile != "":
			if _, err := readKeys(j.c.file(s.JWKSFile)); err != nil {
				j.failf(at+".jwks_file", "%v", err)
			}
		default:
			if why := keysAddressProblem(s.JWKSURI); why != "" {
				j.failf(at+".jwks_uri", "%s", why)
			}
		}
	}
	for i, h := range j.c.Documents.Hosts {
		if h == "" || h == "." || h != strings.ToLower(h) || strings.ContainsAny(h, "/@*? ") {
			j.failf(fmt.Sprintf("client_id_metadata_documents.hosts[%d]", i), "%q is not a host: write for example app.example.com", h)
		}
	}
}

// ceiling judges what clients may ask for at most.
func (j *judge) ceiling(path, scope string) {
	for _, p := range j.c.scopeProblems(oauth.Client{Type: oauth.Server, Scope: scope}) {
		j.failf(path, "%s", p.Text)
	}
	for _, m := range strings.Fields(scope) {
		if slices.Contains(oauth.PartnerScopes, m) {
			j.failf(path, "%s is for partners that you know", m)
		}
	}
}

func (j *judge) grantTypes(path string, names []string) {
	for i, name := range names {
		c := oauth.Client{Type: oauth.Server, Settings: oauth.Settings{GrantTypes: []string{name}}}
		if setting, why := c.Problem(); setting == "grant_types" {
			j.failf(fmt.Sprintf("%s[%d]", path, i), "%s", why)
		}
	}
}

// registration is the policy as the issuer sees it.
func (c *config) registration(keys *keyFinder) (oauth.RegistrationPolicy, error) {
	r := &c.Registration
	p := oauth.RegistrationPolicy{
		Policy: r.Policy, Profile: oauth.Profile(r.Profile), Scope: r.Scope, GrantTypes: r.GrantTypes, Details: r.Details, MaxClients: int64(r.MaxClients),
		UnusedLife: r.UnusedLife.std(), SecretLife: r.SecretLife.std(), AppLinks: r.AppLinks == "verify",
	}
	for _, t := range r.Types {
		p.Types = append(p.Types, oauth.ClientType(t))
	}
	for _, s := range r.Statements {
		i := oauth.StatementIssuer{Issuer: s.Issuer}
		var err error
		if s.JWKSFile == "" {
			i.Keys, err = jose.NewRemoteKeys(jose.RemoteOptions{URL: s.JWKSURI, Fetch: keys.door.Get, Now: keys.now})
		} else {
			var text string
			if text, err = readKeys(c.file(s.JWKSFile)); err == nil {
				i.Keys, err = jose.ParseKeySet([]byte(text))
			}
		}
		if err != nil {
			return p, fmt.Errorf("keys of %s: %w", s.Issuer, err)
		}
		p.Statements = append(p.Statements, i)
	}
	return p, nil
}

func (c *config) documents() oauth.DocumentPolicy {
	d := &c.Documents
	return oauth.DocumentPolicy{
		On: d.Policy == "on", Hosts: d.Hosts, Profile: oauth.Profile(d.Profile), Scope: d.Scope, GrantTypes: d.GrantTypes, AppLinks: d.AppLinks == "verify",
	}
}
