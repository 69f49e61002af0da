package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// issuerPaths are the first segments that belong to the issuer's own pages,
// now or in a later version.
var issuerPaths = []string{".well-known", "oauth", "login", "consent", "account", "admin", "device", "bff", "static", "egress", "healthz", "readyz", "metrics"}

func checkAPIPaths(j *judge) {
	for i, a := range j.c.APIs {
		path := fmt.Sprintf("apis[%d].path", i)
		if !a.guarded() {
			continue
		}
		if a.Path == "/" {
			j.failf(path, "takes every address, those of the issuer's pages too")
			continue
		}
		if a.connector != nil {
			continue // EG01
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(a.Path, "/"), "/")
		if slices.Contains(issuerPaths, strings.ToLower(first)) {
			j.failf(path, "%q hides /%s of the issuer", a.Path, strings.ToLower(first))
		}
	}
}

// checkAPIs leaves most to the gateway, which refuses what would be ambiguous
// or unguarded, and turns its words into settings of the file.
func checkAPIs(j *judge) {
	apis := make([]gateway.API, 0, len(j.c.APIs))
	for i := range j.c.APIs {
		path, a := fmt.Sprintf("apis[%d]", i), &j.c.APIs[i]
		if !a.guarded() {
			continue // CF12
		}
		for _, need := range [][2]string{{"name", a.Name}, {"audience", a.Audience}, {"path", a.Path}, {"upstream", a.Upstream}} {
			if need[1] == "" {
				j.failf(path+"."+need[0], "is missing")
			}
		}
		for k, o := range a.Operations {
			at := fmt.Sprintf("%s.operations[%d]", path, k)
			if _, _, ok := o.split(); !ok {
				j.failf(at+".match", "%q is not a method and a path: write for example GET /items/{id}", o.Match)
			}
		}
		if a.connector == nil {
			checkUpstream(j, path+".upstream", a.Upstream)
		}
		if api, err := a.gatewayAPI(); err == nil {
			apis = append(apis, api)
		}
	}
	if len(j.problems) > 0 || j.c.unclear("apis") || j.c.unclear("issuer") {
		return
	}
	for _, err := range split(gatewayProblems(j.c.Issuer, apis)) {
		at, text := j.c.settingOf(err.Error())
		j.failf(at, "%s", text)
	}
}

func checkUpstream(j *judge, path, upstream string) {
	u, err := url.Parse(upstream)
	switch {
	case upstream == "": // is missing
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		j.failf(path, "%s is not an http or https URL with a host: write for example http://127.0.0.1:9000", outbound.Show(upstream))
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		j.warnf(path, "%s is not on this machine, and http can be read and changed on the way: use https", outbound.Show(upstream))
	}
}

// gatewayProblems lets a gateway judge that serves nobody: its keys live in
// memory and are forgotten.
func gatewayProblems(issuer string, apis []gateway.API) error {
	_, err := judgedGateway(issuer, apis)
	return err
}

// judgedGateway is a gateway that serves nobody.
func judgedGateway(issuer string, apis []gateway.API) (*gateway.Gateway, error) {
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		return nil, err
	}
	clock := func() time.Time { return time.Unix(0, 0) }
	ring, err := token.OpenRing(context.Background(), &forgottenKeys{}, master, clock)
	if err != nil {
		return nil, err
	}
	proofs, err := token.NewProofs(token.ProofOptions{Ring: ring, Replay: token.NewReplayTable(1, clock), Now: clock})
	if err != nil {
		return nil, err
	}
	return gateway.New(gateway.Options{Issuer: issuer, APIs: apis, Ring: ring, Feed: revocation.NewFollower(nil, clock), Proofs: proofs, Now: clock})
}

// forgottenKeys is a key store for nobody.
type forgottenKeys struct{ records []token.KeyRecord }

func (k *forgottenKeys) Keys(context.Context) ([]token.KeyRecord, error) { return k.records, nil }

func (k *forgottenKeys) AddFirstKey(_ context.Context, r token.KeyRecord) error {
	k.records = append(k.records, r)
	return nil
}

func split(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

var gatewayWhere = regexp.MustCompile(`^(?:api "([^"]*)"|(apis\[\d+\])): (?:(operations\[\d+\]): )?(?:([a-z_]+): )?`)

// settingOf finds the setting that a sentence of the gateway is about.
func (c *config) settingOf(sentence string) (path, text string) {
	m := gatewayWhere.FindStringSubmatch(sentence)
	if m == nil {
		return "", sentence
	}
	path = m[2]
	for i, a := range c.APIs {
		if path == "" && a.Name == m[1] {
			path = fmt.Sprintf("apis[%d]", i)
		}
	}
	for _, part := range m[3:] {
		if part == "method" || m[3] != "" && part == "path" {
			part = "match"
		}
		if part != "" {
			path += "." + part
		}
	}
	return path, sentence[len(m[0]):]
}

// split returns method and path template of an operation.
func (o *operationConfig) split() (method, path string, ok bool) {
	method, path, ok = strings.Cut(o.Match, " ")
	return method, path, ok && method != "" && strings.HasPrefix(path, "/") && !strings.Contains(path, " ")
}

// gateway is o as the gateway sees it.
func (o *operationConfig) gateway() gateway.Operation {
	method, path, _ := o.split()
	op := gateway.Operation{
		Method: method, Path: path, Scope: o.Scope, ACR: o.acr(), MaxAge: o.MaxAge.std(), FormToken: o.FormToken,
		Objects: o.operationObjects.gateway(), Limits: o.operationLimits.gateway(), Idempotency: o.operationIdempotency.gateway(o.Stream),
	}
	if o.Tier != "" {
		var t token.Tier
		if t.UnmarshalText([]byte(o.Tier)) != nil {
			t = token.TierHigh
		}
		op.Tier = &t
	}
	return op
}

// gatewayAPI is a as the gateway sees it.
func (a *apiConfig) gatewayAPI() (gateway.API, error) {
	upstream, err := url.Parse(a.Upstream)
	if err != nil {
		return gateway.API{}, fmt.Errorf("upstream of %s is not a URL", a.Name) // url's own error quotes it
	}
	api := gateway.API{Name: a.Name, Audience: a.Audience, Path: a.Path, Upstream: upstream, Tier: a.tier(), CORSOrigins: a.CORSOrigins}
	api.Backend = a.apiBackend.gateway()
	api.Limits = a.apiLimits.gateway()
	api.APIKeys = a.apiCredentials.keys()
	if a.connector != nil {
		api.NoInner, api.PeopleOnly = true, !a.connector.AllowClients
	}
	for k := range a.Operations {
		op := a.Operations[k].gateway()
		if op.Contract, err = a.contract(k, &op); err != nil {
			return gateway.API{}, err
		}
		api.Operations = append(api.Operations, op)
	}
	return api, nil
}

// checkData holds tiers to what the API says that it handles.
func checkData(j *judge) {
	for i := range j.c.APIs {
		a := &j.c.APIs[i]
		least := dataTiers[a.Data]
		at := fmt.Sprintf("apis[%d].tier", i)
		if a.tier() < least {
			j.failf(at, "%s is too low for %s data: it needs %s", a.tier(), a.Data, least)
		}
		for k := range a.Operations {
			if own := a.Operations[k].gateway().Tier; own != nil && *own < least {
				j.failf(fmt.Sprintf("apis[%d].operations[%d].tier", i, k), "%s is too low for %s data: it needs %s", *own, a.Data, least)
			}
		}
	}
}

// identityScopes are served by the issuer itself.
var identityScopes = []string{"openid", "profile", "email", "offline_access"}

func checkScopes(j *judge) {
	owner := map[string]string{}
	for i := range j.c.APIs {
		a := &j.c.APIs[i]
		own := func(at, scope string) {
			if slices.Contains(identityScopes, scope) || slices.Contains(oauth.PartnerScopes, scope) || oauth.IsSignalsScope(scope) {
				j.failf(at, "%s is a scope of the issuer", scope)
			} else if other, taken := owner[scope]; taken && other != a.Name && scope != "" {
				j.failf(at, "%s belongs to the API %s already", scope, other)
			}
			owner[scope] = a.Name
		}
		for k, o := range a.Operations {
			own(fmt.Sprintf("apis[%d].operations[%d].scope", i, k), o.Scope)
		}
		for k, scope := range a.Scopes {
			own(fmt.Sprintf("apis[%d].scopes[%d]", i, k), scope)
		}
	}
	for _, scope := range sortedKeys(j.c.Scopes) {
		if _, known := owner[scope]; !known && !j.c.unclear("apis") && !slices.Contains(identityScopes, scope) {
			j.failf("scopes."+scope, "no API has this scope%s", suggest(scope, sortedKeys(owner)))
		}
	}
	for _, scope := range sortedKeys(owner) {
		if scope != "" && j.c.Scopes[scope] == "" {
			j.warnf("scopes", "%s has no words for people, so the page that asks them shows its name", scope)
		}
	}
}
