package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sallyport/internal/token"
)

// explained is the call that check --explain is asked about: what applies to it.
type explained struct {
	c           *config
	api         *apiConfig
	op          *operationConfig
	apiAt, opAt string // apis[0], apis[0].operations[1]
	tier        token.Tier
	limits      token.Limits
}

// explainedLine is one thing that applies, and where it comes from.
type explainedLine struct {
	What  string `json:"what"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// explanations are what can apply to a call, in the order in which it is judged. An
// empty value does not apply.
var explanations = []struct {
	what string
	of   func(*explained) (value, from string)
}{
	{"tier", func(e *explained) (string, string) {
		if e.op.Tier != "" {
			return e.tier.String(), e.setting(e.opAt + ".tier")
		}
		return e.tier.String(), e.setting(e.apiAt + ".tier")
	}},
	{"credential", func(e *explained) (string, string) {
		return "exactly one access token for " + e.api.Audience + ", in the header Authorization", e.setting(e.apiAt + ".audience")
	}},
	{"lifetime", func(e *explained) (string, string) {
		return "an access token that was made for at most " + period(e.limits.AccessToken), e.byTier()
	}},
	{"binding", func(e *explained) (string, string) {
		if e.limits.Bound {
			return "bound to a DPoP key or a client certificate, of which each call has a proof", e.byTier()
		}
		return "if the token is bound, each call has a proof", "RFC 9449 and RFC 8705"
	}},
	{"nonce", func(e *explained) (string, string) {
		if e.limits.ProofNonce {
			return "a DPoP proof has a nonce of the server", e.byTier()
		}
		return "", ""
	}},
	{"revocation", func(e *explained) (string, string) {
		return "a node refuses when it has not heard of revocations for " + period(e.limits.RevocationMaxAge), e.byTier()
	}},
	{"scope", func(e *explained) (string, string) { return e.op.Scope, e.setting(e.opAt + ".scope") }},
	{"acr of people", func(e *explained) (string, string) {
		own := e.op.acr()
		switch {
		case own == "" && e.limits.ACR == "":
			return "", ""
		case token.ACRSatisfies(own, e.limits.ACR):
			return own + " or stronger", e.setting(e.opAt + ".acr")
		}
		return e.limits.ACR + " or stronger", e.byTier()
	}},
	{"acr of clients", func(e *explained) (string, string) {
		if e.op.acr() == "" {
			return "", ""
		}
		return e.op.acr() + " or stronger, which no client alone has", e.setting(e.opAt + ".acr")
	}},
	{"age of the sign-in", func(e *explained) (string, string) {
		if e.op.MaxAge == 0 {
			return "", ""
		}
		return "at most " + period(e.op.MaxAge.std()), e.setting(e.opAt + ".max_age")
	}},
	{"objects", func(e *explained) (string, string) {
		return e.op.operationObjects.String(), e.setting(e.opAt + ".objects")
	}},
	{"contract", func(e *explained) (string, string) { return e.contract(), e.setting(e.apiAt + ".openapi") }},
	{"refresh", func(e *explained) (string, string) {
		return fmt.Sprintf("tokens are renewed for %s at most, and not after %s without use", period(e.limits.RefreshAbsolute), period(e.limits.RefreshIdle)), e.byTier()
	}},
	{"session", func(e *explained) (string, string) {
		return fmt.Sprintf("of the person at the issuer: %s at most, and not after %s without use", period(e.limits.SessionAbsolute), period(e.limits.SessionIdle)), e.byTier()
	}},
	{"browsers", func(e *explained) (string, string) {
		if len(e.api.CORSOrigins) == 0 {
			return "scripts of other origins may not call (CORS)", e.setting(e.apiAt + ".cors_origins")
		}
		return "scripts of " + strings.Join(e.api.CORSOrigins, ", ") + " may call (CORS)", e.setting(e.apiAt + ".cors_origins")
	}},
	{"backend", func(e *explained) (string, string) {
		return e.api.Upstream + ", with a JWT of its own that lives for a minute", e.setting(e.apiAt + ".upstream")
	}},
}

func (e *explained) byTier() string { return "tier " + e.tier.String() }

// setting says where the file has a setting, or that it does not.
func (e *explained) setting(path string) string {
	if n := e.c.lines[path]; n > 0 {
		return fmt.Sprintf("%s, line %d", path, n)
	}
	return path + " is not set"
}

// period is a duration as people write it.
func period(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= u.of && d%u.of == 0 && (u.of != day || d >= 2*day) {
			return fmt.Sprintf("%d%s", d/u.of, u.name)
		}
	}
	return d.String()
}

// explain prints what applies to a call, METHOD PATH as a client sends it, and why.
func (p *program) explain(file, call string, asJSON bool) error {
	c, err := p.trustedConfig(file)
	if err != nil {
		return err
	}
	method, path, ok := strings.Cut(call, " ")
	if !ok || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " ?#") {
		return fmt.Errorf("%q is not a method and a path, as a client sends them: write for example \"GET /catalog/items/1\"", call)
	}
	e, err := c.find(method, path)
	if err != nil {
		return refuse(err)
	}
	lines := e.lines()
	if asJSON {
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(map[string]any{"call": call, "api": e.api.Name, "operation": e.op.Match, "at": e.opAt, "line": c.lineOf(e.opAt), "applies": lines})
	}
	return e.print(p.stdout, call, lines)
}

// find returns the operation that the gateway would find.
func (c *config) find(method, path string) (*explained, error) {
	apis, places, err := c.guardedAPIs()
	if err != nil {
		return nil, err
	}
	g, err := judgedGateway(c.Issuer, apis)
	if err != nil {
		return nil, err
	}
	i, k, allow := g.Find(method, path)
	if i >= 0 && k < 0 && len(allow) > 0 {
		return nil, fmt.Errorf("%s has no operation %s: it is answered with 405, and Allow: %s", path, method, strings.Join(allow, ", "))
	}
	if i < 0 || k < 0 {
		return nil, fmt.Errorf("no operation is %s %s: it is answered with 404, whatever the credential, and logged as a probe", method, path)
	}
	at := places[i]
	e := &explained{c: c, api: &c.APIs[at], op: &c.APIs[at].Operations[k], apiAt: fmt.Sprintf("apis[%d]", at)}
	e.opAt = fmt.Sprintf("%s.operations[%d]", e.apiAt, k)
	e.tier = e.api.tier()
	if own := e.op.gateway().Tier; own != nil {
		e.tier = *own
	}
	e.limits = e.tier.Limits()
	return e, nil
}

func (e *explained) lines() []explainedLine {
	var list []explainedLine
	for _, x := range explanations {
		if value, from := x.of(e); value != "" {
			list = append(list, explainedLine{x.what, value, from})
		}
	}
	return list
}

func (e *explained) print(w io.Writer, call string, lines []explainedLine) error {
	fmt.Fprintf(w, "%s is %s of %s (%s, line %d)\n", call, e.op.Match, e.api.Name, e.opAt, cmp.Or(e.c.lineOf(e.opAt), 1))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(t, "  %s\t%s\t(%s)\n", l.What, l.Value, l.From)
	}
	return t.Flush()
}
