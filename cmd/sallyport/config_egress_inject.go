package main

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/egress"
	"sallyport/internal/outbound"
)

// injectMore are credentials that are made of a secret, and not the secret itself.
type injectMore struct {
	OAuth  injectOAuth  `yaml:"oauth" doc:"Send an access token that the client credentials grant gives. The secret is the client secret."`
	AWS    injectAWS    `yaml:"aws" doc:"Sign by AWS Signature Version 4. The secret is ACCESS_KEY_ID:SECRET_ACCESS_KEY, of the kind aws-access-key."`
	Google injectGoogle `yaml:"google" doc:"Send an access token of a Google service account. The secret is its JSON file, of the kind google-service-account."`
}

type injectOAuth struct {
	TokenURL string `yaml:"token_url" example:"https://login.example.net/token" doc:"Token endpoint. The secret goes there and nowhere else."`
	ClientID string `yaml:"client_id" example:"our-app" doc:"Who we are there."`
	Scope    string `yaml:"scope" example:"\"orders.read\"" doc:"What the token is to be for: no more than the operations need."`
	Audience string `yaml:"audience" example:"https://api.example.net" doc:"The parameter audience, where the server wants it."`
	Post     bool   `yaml:"post" example:"false" doc:"Send client_id and secret in the form, to servers that know no Basic."`
}

type injectAWS struct {
	Region  string `yaml:"region" example:"eu-central-1" doc:"Region of the service."`
	Service string `yaml:"service" example:"execute-api" doc:"Its name in signatures."`
}

type injectGoogle struct {
	Scopes   []string `yaml:"scopes" example:"[https://www.googleapis.com/auth/datastore]" doc:"What the token is for: no more than the operations need."`
	TokenURL string   `yaml:"token_url" example:"https://oauth2.googleapis.com/token" doc:"Token endpoint, and aud of assertions: Google's if nothing is said. What the file of the account says of it does not count."`
}

// injectDeps are what injectors work with. The zero value is for looking at them.
type injectDeps struct {
	secrets egress.Secrets
	now     func() time.Time
	door    outbound.Options // networks and authorities of the upstream, which hold for its token endpoint too
}

// injectors are those that are set.
func (i *injectMore) injectors(secret string, d injectDeps) (list []egress.Injector) {
	if o := &i.OAuth; *o != (injectOAuth{}) {
		list = append(list, egress.NewOAuthInjector(egress.OAuthOptions{
			Secrets: d.secrets, Secret: secret, Door: d.tokenDoor(o.TokenURL), Now: d.now,
			TokenURL: o.TokenURL, ClientID: o.ClientID, Scope: o.Scope, Audience: o.Audience, Post: o.Post,
		}))
	}
	if a := &i.AWS; *a != (injectAWS{}) {
		list = append(list, &egress.AWSInjector{Secrets: d.secrets, Secret: secret, Region: a.Region, Service: a.Service, Now: d.now})
	}
	if g := &i.Google; g.set() {
		list = append(list, egress.NewGoogleInjector(egress.GoogleOptions{
			Secrets: d.secrets, Secret: secret, Door: d.tokenDoor(g.tokenURL()), Now: d.now, TokenURL: g.tokenURL(), Scopes: g.Scopes,
		}))
	}
	return list
}

func (g *injectGoogle) set() bool { return len(g.Scopes) > 0 || g.TokenURL != "" }

func (g *injectGoogle) tokenURL() string {
	if g.TokenURL != "" {
		return g.TokenURL
	}
	return egress.GoogleTokenURL
}

// tokenDoor leads to a token endpoint and nowhere else.
func (d injectDeps) tokenDoor(address string) *outbound.Client {
	return outbound.NewClient(tokenDoorOptions(address, d.door))
}

func tokenDoorOptions(address string, o outbound.Options) outbound.Options {
	u, err := url.Parse(address)
	if err != nil {
		return outbound.Options{}
	}
	o.AllowLoopback, o.Ports = isLoopback(u.Hostname()), portOf(u)
	return o
}

// checkInjectMore judges credentials that are made of a secret.
func checkInjectMore(j *judge, at string, e *egressConfig) {
	door, err := e.door(j.c)
	if err != nil {
		return // checkEgressUpstream says it
	}
	i, networks := &e.Inject.injectMore, at+".networks"
	at += ".inject"
	if o := &i.OAuth; *o != (injectOAuth{}) {
		checkTokenURL(j, at+".oauth.token_url", o.TokenURL, door, networks)
		if o.ClientID == "" || strings.ContainsFunc(o.ClientID, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			j.failf(at+".oauth.client_id", "is not visible ASCII (RFC 6749 §A.1)")
		}
	}
	if a := &i.AWS; *a != (injectAWS{}) {
		for name, text := range map[string]string{"region": a.Region, "service": a.Service} {
			if text == "" || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				j.failf(at+".aws."+name, "%q is not lower-case letters, digits and hyphens", text)
			}
		}
	}
	if g := &i.Google; g.set() {
		checkTokenURL(j, at+".google.token_url", g.tokenURL(), door, networks)
		if len(g.Scopes) == 0 {
			j.failf(at+".google.scopes", "is empty: name what the operations need, and no more")
		}
		for k, s := range g.Scopes {
			if s == "" || strings.ContainsAny(s, " \"\\") {
				j.failf(at+".google.scopes", "%d is not one scope", k)
			}
		}
		if slices.Contains(g.Scopes, "https://www.googleapis.com/auth/cloud-platform") {
			j.warnf(at+".google.scopes", "cloud-platform opens all of Google Cloud that the account may do: name the scope of the one API that is called")
		}
	}
}

func checkTokenURL(j *judge, at, address string, door outbound.Options, networks string) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		j.failf(at, "is not an address without user and fragment")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		j.failf(at, "credentials would go over plain http: use https")
	default:
		if why := unaskedProblem(tokenDoorOptions(address, door), address, networks); why != "" {
			j.failf(at, "%s", why)
		}
	}
}

// secretUsers names the parts of the configuration that use a secret.
func (c *config) secretUsers(name string) []string {
	var list []string
	for i := range c.Egress {
		if c.Egress[i].Inject.Secret == name {
			list = append(list, "egress "+c.Egress[i].Name)
		}
	}
	return list
}
