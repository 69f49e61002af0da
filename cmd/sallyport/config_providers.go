package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/upstream"
)

// providerConfig is another provider that people may sign in at.
type providerConfig struct {
	Name             string   `yaml:"name" need:"yes" example:"google" doc:"Short name, of lower case letters, digits and -. The redirect URI to register there is ISSUER/login/callback/NAME."`
	Kind             string   `yaml:"kind" default:"oidc" enum:"oidc,google,microsoft,apple,github" example:"google" doc:"What it is: any OpenID provider, or one whose peculiarities are known."`
	Label            string   `yaml:"label" example:"Example Corp" doc:"What people read on the button. Without it, the name of the kind."`
	Issuer           string   `yaml:"issuer" example:"https://id.example.org" doc:"Its issuer, exactly as its metadata has it. Needed with kind oidc; for github only with an Enterprise Server, for microsoft only with another cloud."`
	ClientID         string   `yaml:"client_id" need:"yes" example:"1234.apps.googleusercontent.com" doc:"What this server is called there."`
	ClientSecretFile string   `yaml:"client_secret_file" example:"google.secret" doc:"File with the secret that the provider gave."`
	PrivateKeyFile   string   `yaml:"private_key_file" example:"apple.p8" doc:"File with a private key (PEM, PKCS #8) that proves this server there instead of a secret: P-256, Ed25519 or RSA. For Apple, the .p8 file."`
	KeyID            string   `yaml:"key_id" example:"ABC123DEFG" doc:"What the provider calls that key. Without it, its thumbprint (RFC 7638)."`
	TeamID           string   `yaml:"team_id" example:"DEF123GHIJ" doc:"Of Apple: the ID of the team."`
	Tenants          []string `yaml:"tenants" example:"[72f988bf-86f1-41af-91ab-2d7cd011db47]" doc:"Of Microsoft: the IDs of the tenants whose people may sign in, or \"*\" for everybody with a Microsoft account."`
	Scopes           []string `yaml:"scopes" example:"[openid, email, profile]" doc:"What is asked for. Without it, what the kind needs to say who somebody is."`
	EmailDomains     []string `yaml:"email_domains" example:"[example.org]" doc:"Domains for which its word counts that an address is the person's; \"*\" for all. Without it an address is only shown, and nobody joins by it."`
	SignUp           bool     `yaml:"sign_up" example:"false" doc:"Make an account for people who have none, if their address is verified and in email_domains."`
	TrustMFA         []string `yaml:"trust_mfa" example:"[mfa]" doc:"Values of acr or amr that stand for two factors there, and are believed: no second factor is asked for here then."`
	Networks         []string `yaml:"networks" example:"[10.0.0.0/8]" doc:"Private networks in which it may be. Without them, it must be reachable on the internet, or on this machine."`
	CAFile           string   `yaml:"ca_file" file:"policy" example:"corp-ca.pem" doc:"PEM file with the authorities that its certificate leads to, instead of those of the system."`
}

// door is how the provider may be asked: the operator wrote it down, so it may lie on
// this machine or in networks of the operator's.
func (p *providerConfig) door(c *config) (*outbound.Client, error) {
	o := outbound.Options{AllowNetworks: networks(p.Networks)}
	if u, err := url.Parse(p.Issuer); err == nil {
		o.AllowLoopback, o.Ports = isLoopback(u.Hostname()), portOf(u)
		if len(o.Ports) > 0 {
			o.Ports = append(o.Ports, 443, 8443)
		}
	}
	if p.CAFile != "" {
		text, err := os.ReadFile(c.file(p.CAFile))
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		o.RootCAs = x509.NewCertPool()
		if !o.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("ca_file has no certificate in it")
		}
	}
	return outbound.NewClient(o), nil
}

// options are what package upstream takes of it. The error is an *upstream.ProblemError
// where a setting is wrong.
func (p *providerConfig) options(c *config) (upstream.Options, error) {
	o := upstream.Options{
		Name: p.Name, Kind: upstream.Kind(p.Kind), Issuer: p.Issuer, ClientID: p.ClientID, Label: p.Label, Scopes: p.Scopes, TeamID: p.TeamID,
		Tenants: p.Tenants, EmailDomains: p.EmailDomains, MultiFactor: p.TrustMFA, Joins: p.SignUp,
	}
	if p.ClientSecretFile != "" {
		text, err := readSecret(c.file(p.ClientSecretFile))
		if err != nil {
			return o, &upstream.ProblemError{Field: "client_secret_file", Text: "cannot be read: " + err.Error()}
		}
		o.Secret = secret.New(text)
	}
	if p.PrivateKeyFile != "" {
		text, err := os.ReadFile(c.file(p.PrivateKeyFile))
		if err == nil {
			o.Key, err = token.ImportSigner(text, p.KeyID)
		}
		if err != nil {
			return o, &upstream.ProblemError{Field: "private_key_file", Text: "cannot be used: " + err.Error()}
		}
	}
	var err error
	if o.Door, err = p.door(c); err != nil {
		return o, &upstream.ProblemError{Field: "ca_file", Text: "cannot be used: " + err.Error()}
	}
	return o, nil
}

// upstreamService knows the providers; nil where there are none.
func (c *config) upstreamService(ring *token.Ring, now func() time.Time, spend func(context.Context, secret.Hash, time.Time) (bool, error)) (*upstream.Service, error) {
	if len(c.Providers) == 0 {
		return nil, nil //nolint:nilnil // none is no error
	}
	o := upstream.ServiceOptions{Issuer: c.Issuer, Ring: ring, Now: now, Spend: spend}
	for i := range c.Providers {
		p, err := c.Providers[i].options(c)
		if err != nil {
			return nil, fmt.Errorf("providers[%d]: %w", i, err)
		}
		o.Providers = append(o.Providers, p)
	}
	return upstream.New(o)
}

// spendState uses up what a browser was sent to a provider with, on all nodes.
func (n *node) spendState(ctx context.Context, name secret.Hash, until time.Time) (bool, error) {
	err := n.store.OAuth().Spend(ctx, name, until)
	if errors.Is(err, oauth.ErrExists) {
		return false, nil
	}
	return err == nil, err
}

func checkProviders(j *judge) {
	var seen []string
	for i := range j.c.Providers {
		p, at := &j.c.Providers[i], fmt.Sprintf("providers[%d]", i)
		if slices.Contains(seen, p.Name) {
			j.failf(at+".name", "%q is there twice", p.Name)
		}
		seen = append(seen, p.Name)
		for _, network := range p.Networks {
			if _, err := outbound.ParseNetwork(network); err != nil {
				j.failf(at+".networks", "%v", err)
			}
		}
		if p.Issuer != "" && p.Issuer == j.c.Issuer {
			j.failf(at+".issuer", "is this issuer, where everybody signs in anyway")
		}
		o, err := p.options(j.c)
		problems := o.Check()
		if err != nil {
			problems = []error{err}
		}
		for _, err := range problems {
			var wrong *upstream.ProblemError
			if errors.As(err, &wrong) {
				j.failf(at+"."+wrong.Field, "%s", wrong.Text)
			}
		}
		if len(problems) == 0 && slices.Contains(p.EmailDomains, "*") && p.Kind == string(upstream.OIDC) {
			j.warnf(at+".email_domains", "takes its word for every address: is it meant to speak for those of others too?")
		}
	}
}

// askProviders asks each provider for its metadata and keys, and adds what is wrong to
// the verdict of their rule.
func (c *config) askProviders(ctx context.Context, now func() time.Time, verdicts []verdict) {
	i := slices.IndexFunc(verdicts, func(v verdict) bool { return v.Rule.ID == ruleProviders })
	if i < 0 || len(c.Providers) == 0 || len(verdicts[i].Problems) > 0 || verdicts[i].Unjudged {
		return
	}
	j := &judge{c: c}
	for k := range c.Providers {
		if err := c.tryProvider(ctx, &c.Providers[k], now); err != nil {
			j.failf(fmt.Sprintf("providers[%d].issuer", k), "%v", err)
		}
	}
	verdicts[i].Problems = append(verdicts[i].Problems, j.problems...)
}

func (c *config) tryProvider(ctx context.Context, p *providerConfig, now func() time.Time) error {
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		return err
	}
	ring, err := token.OpenRing(ctx, &forgottenKeys{}, master, now)
	if err != nil {
		return err
	}
	one := *c
	one.Providers = []providerConfig{*p}
	s, err := one.upstreamService(ring, now, func(context.Context, secret.Hash, time.Time) (bool, error) { return false, nil })
	if err != nil {
		return err
	}
	return s.Try(ctx, p.Name)
}
