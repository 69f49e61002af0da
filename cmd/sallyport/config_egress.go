package main

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/egress"
	"sallyport/internal/gateway"
	"sallyport/internal/outbound"
)

// egressConfig is an API of somebody else that apps call through the gateway, with a
// key that stays here.
type egressConfig struct {
	Name          string            `yaml:"name" need:"yes" example:"maps" doc:"Short name, for logs, for scopes and for resources of clients."`
	Path          string            `yaml:"path" example:"/egress/maps" doc:"Prefix under which apps call it: /egress/ and the name if nothing else is said."`
	Upstream      string            `yaml:"upstream" need:"yes" example:"https://maps.example.net" doc:"Its address. Scheme, host and port are fixed by it, and every operation is below its path."`
	Inject        injectConfig      `yaml:"inject" doc:"The credential that is added to each call, last of all. Its value is set by sallyport secret set."`
	Allow         []string          `yaml:"allow" example:"[\"GET /v1/geocode\"]" doc:"What may be called: methods and path templates. Everything that is not listed is refused."`
	Operations    []egressOperation `yaml:"operations" doc:"What may be called, with more to say of each."`
	Query         []string          `yaml:"query" example:"[address, language]" doc:"Parameters of the query that apps may send. All others are refused."`
	Headers       []string          `yaml:"headers" example:"[X-Goog-FieldMask]" doc:"Headers that apps may send besides Accept, Accept-Language and Content-Type."`
	AnswerHeaders []string          `yaml:"answer_headers" example:"[X-Quota-Left]" doc:"Headers of answers that apps may see besides those of the body, of caching and Retry-After."`
	RequestTypes  []string          `yaml:"request_types" example:"[application/json]" doc:"Media types of bodies that apps may send. Without it, application/json."`
	AnswerTypes   []string          `yaml:"answer_types" example:"[application/json, image/png]" doc:"Media types of answers that are passed on. Without it, application/json and application/problem+json."`
	MaxRequest    int               `yaml:"max_request" example:"1048576" doc:"Longest body of a request, in bytes: 1 to 10485760. 1048576 if nothing is said."`
	MaxAnswer     int               `yaml:"max_answer" example:"10485760" doc:"Longest body of an answer, unpacked, in bytes: 1 to 1073741824. 10485760 if nothing is said."`
	Timeout       duration          `yaml:"timeout" example:"30s" doc:"How long a call may take as a whole: 1s to 10m. 30s if nothing is said."`
	Networks      []string          `yaml:"networks" example:"[10.0.0.0/8]" doc:"Private networks in which the upstream may be. Without them, it must be reachable on the internet, or on this machine."`
	CAFile        string            `yaml:"ca_file" file:"policy" example:"partner-ca.pem" doc:"PEM file with the authorities that vouch for the upstream. Without it, those of the system."`
	Quota         quotaConfig       `yaml:"quota" doc:"How much may be used. With shared, all nodes count together; without it each counts for itself, from its start."`
	Cache         duration          `yaml:"cache" example:"1m" doc:"How long a person who asks the same again gets the same answer, which costs nothing: up to 1h. Nobody gets an answer of somebody else. Without it, nothing is kept."`
	Audience      string            `yaml:"audience" example:"https://auth.example.com/egress/maps" doc:"Absolute URI that tokens for it carry as aud. Without it, the issuer with the path."`
	Scope         string            `yaml:"scope" example:"egress.maps" doc:"The scope that a token must have. Without it, egress. and the name."`
	Tier          string            `yaml:"tier" default:"standard" enum:"low,standard,high" example:"standard" doc:"Risk of it. In tier high an answer that has the credential in it is refused; otherwise it is taken out."`
	AllowClients  bool              `yaml:"allow_clients" example:"false" doc:"Take tokens of clients that act for themselves, too. Without it, each call is a person's."`
	UserHeader    string            `yaml:"user_header" example:"X-User" doc:"Header in which the upstream is told who calls: a name that is the same at each call, and means nothing elsewhere."`
	CORSOrigins   []string          `yaml:"cors_origins" example:"[https://app.example.com]" doc:"Exact origins of browser apps that may call it."`
}

type egressOperation struct {
	Match  string   `yaml:"match" need:"yes" example:"GET /v1/geocode" doc:"Method and path template below the path of the upstream."`
	Query  []string `yaml:"query" example:"[address]" doc:"Parameters besides those of all."`
	Scope  string   `yaml:"scope" example:"egress.maps.write" doc:"The scope that it needs, where it is not that of all."`
	Cost   int      `yaml:"cost" example:"5" doc:"Cost of a call, in units of quota.budget: 1 if nothing is said."`
	ACR    string   `yaml:"acr" enum:"pwd,mfa,phr,urn:sallyport:pwd,urn:sallyport:mfa,urn:sallyport:phr" example:"mfa" doc:"The weakest sign-in that is enough."`
	MaxAge duration `yaml:"max_age" example:"5m" doc:"How long ago the person may have signed in."`
	Tier   string   `yaml:"tier" enum:"low,standard,high" example:"high" doc:"Risk of this operation, where it is not that of all."`
	operationObjects
}

type quotaConfig struct {
	PerUser string `yaml:"per_user" example:"100/h" doc:"Calls of one person or client: a number in each second (s), minute (m), hour (h) or day (d) of the clock, in UTC."`
	Total   string `yaml:"total" example:"10000/d" doc:"Calls of all together."`
	Budget  int    `yaml:"budget" example:"1000" doc:"Cost that one person or client may cause in a day, in UTC."`
}

// injectConfig is one way to send a credential.
type injectConfig struct {
	Secret string `yaml:"secret" example:"maps_key" doc:"Name of the secret, as given to sallyport secret set."`
	Header string `yaml:"header" example:"X-Api-Key" doc:"Header in which the secret is sent."`
	Prefix string `yaml:"prefix" example:"\"Bearer \"" doc:"What stands before the secret in the header."`
	Query  string `yaml:"query" example:"key" doc:"Parameter of the query in which the secret is sent, for upstreams that know no header."`
	Basic  string `yaml:"basic" example:"app" doc:"User name for HTTP Basic, whose password the secret is."`
	injectMore
}

// injector is the one kind that is set; nil if that is none or several.
func (i *injectConfig) injector(d injectDeps) egress.Injector {
	secrets, list := d.secrets, i.injectMore.injectors(i.Secret, d)
	if i.Header != "" {
		list = append(list, &egress.HeaderInjector{Secrets: secrets, Name: i.Header, Secret: i.Secret, Prefix: i.Prefix})
	}
	if i.Query != "" {
		list = append(list, &egress.QueryInjector{Secrets: secrets, Name: i.Query, Secret: i.Secret})
	}
	if i.Basic != "" {
		list = append(list, &egress.BasicInjector{Secrets: secrets, Username: i.Basic, Secret: i.Secret})
	}
	if len(list) != 1 {
		return nil
	}
	return list[0]
}

// operations are those of allow, and then those with more to say.
func (e *egressConfig) operations() []egressOperation {
	list := make([]egressOperation, 0, len(e.Allow)+len(e.Operations))
	for _, match := range e.Allow {
		list = append(list, egressOperation{Match: match})
	}
	return append(list, e.Operations...)
}

// connectors puts each connector behind the APIs: it is one of them, with a way to its
// upstream of its own. All that is said of APIs holds for it.
func (r *reader) connectors(c *config) {
	for i := range c.Egress {
		e, at := &c.Egress[i], fmt.Sprintf("egress[%d]", i)
		a := apiConfig{
			Name: e.Name, Path: cmp.Or(e.Path, "/egress/"+e.Name), Upstream: e.Upstream, Tier: e.Tier, CORSOrigins: e.CORSOrigins,
			TokenFormat: "sealed", connector: e,
		}
		a.Audience = cmp.Or(e.Audience, c.Issuer+a.Path)
		as := fmt.Sprintf("apis[%d]", len(c.APIs))
		for k, o := range e.operations() {
			a.Operations = append(a.Operations, operationConfig{
				Match: o.Match, Scope: cmp.Or(o.Scope, e.Scope, "egress."+e.Name), ACR: o.ACR, MaxAge: o.MaxAge, Tier: o.Tier, operationObjects: o.operationObjects,
			})
			from := fmt.Sprintf("%s.allow[%d]", at, k)
			if k >= len(e.Allow) {
				from = fmt.Sprintf("%s.operations[%d]", at, k-len(e.Allow))
			}
			c.stands[fmt.Sprintf("%s.operations[%d]", as, k)] = from
		}
		c.stands[as] = at
		c.APIs = append(c.APIs, a)
	}
}

// standsAt is where the file has what path speaks of: connectors are among the APIs.
func (c *config) standsAt(path string) string {
	for end := len(path); end > 0; end = strings.LastIndexAny(path[:end], ".[") {
		if at := c.stands[path[:end]]; at != "" {
			if strings.Contains(at, ".allow[") { // a word has no settings in it
				return at
			}
			return at + path[end:]
		}
	}
	return path
}

// rate reads 100/h. Zero for an empty text.
func rate(text string) (egress.Rate, error) {
	if text == "" {
		return egress.Rate{}, nil
	}
	number, unit, ok := strings.Cut(text, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	span := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if !ok || err != nil || n < 1 || n > 1_000_000_000 || span == 0 || strconv.FormatInt(n, 10) != number {
		return egress.Rate{}, fmt.Errorf("%q is not a rate: write for example 100/h, or 10/s", text)
	}
	return egress.Rate{Count: n, Per: span}, nil
}

func (q *quotaConfig) quota() egress.Quota {
	per, _ := rate(q.PerUser) // judged by checkEgress
	total, _ := rate(q.Total)
	return egress.Quota{PerUser: per, Total: total, Budget: int64(q.Budget)}
}

// door is what its connections may lead to.
func (e *egressConfig) door(c *config) (outbound.Options, error) {
	u, err := url.Parse(e.Upstream)
	if err != nil {
		return outbound.Options{}, fmt.Errorf("upstream of %s is not a URL", e.Name) // url's own error quotes it
	}
	o := outbound.Options{AllowLoopback: isLoopback(u.Hostname()), AllowNetworks: networks(e.Networks), Ports: portOf(u)}
	if e.CAFile != "" {
		pem, err := os.ReadFile(c.file(e.CAFile))
		if err != nil {
			return outbound.Options{}, fmt.Errorf("read authorities: %w", err)
		}
		if o.RootCAs = x509.NewCertPool(); !o.RootCAs.AppendCertsFromPEM(pem) {
			return outbound.Options{}, fmt.Errorf("%s has no certificate", e.CAFile)
		}
	}
	return o, nil
}

// options are the connector as far as the file says. What a node adds is left out.
func (e *egressConfig) options(d injectDeps) (egress.Options, error) {
	upstream, err := url.Parse(e.Upstream)
	if err != nil {
		return egress.Options{}, fmt.Errorf("upstream of %s is not a URL", e.Name) // url's own error quotes it
	}
	o := egress.Options{
		Name: e.Name, Upstream: upstream, Inject: e.Inject.injector(d),
		Query: e.Query, Headers: e.Headers, AnswerHeaders: e.AnswerHeaders, RequestTypes: e.RequestTypes, AnswerTypes: e.AnswerTypes,
		MaxRequest: int64(e.MaxRequest), MaxAnswer: int64(e.MaxAnswer), Timeout: e.Timeout.std(), CacheFor: e.Cache.std(),
		Quota: e.Quota.quota(), UserHeader: e.UserHeader,
	}
	for _, op := range e.operations() {
		o.Operations = append(o.Operations, egress.Operation{Query: op.Query, Cost: op.Cost})
	}
	return o, nil
}

// connect makes the way to an upstream that is somebody else's.
func (a *assembly) connect(api *gateway.API, e *egressConfig) error {
	door, err := e.door(a.config)
	if err != nil {
		return err
	}
	o, err := e.options(injectDeps{a.statics.vault, a.now, door})
	if err != nil {
		return err
	}
	way := outbound.NewTransport(door, cmp.Or(e.Timeout.std(), egress.DefaultTimeout))
	o.Transport, o.State, o.Now = way, a.connectors, a.now
	o.Pseudonym = func(subject string) string { return a.keys.Pairwise("egress."+e.Name, subject) }
	c, err := egress.New(o)
	if err != nil {
		return fmt.Errorf("connector %s: %w", e.Name, err)
	}
	api.Transport, api.Screen = c, c.Screen
	a.ways = append(a.ways, way)
	return nil
}
