package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rule is one thing that must hold for a configuration, whoever asks: check
// prints it, serve refuses to start without it, the reference page lists it.
type rule struct {
	ID   string // requirement or name, stable
	What string
	Fix  string
	test func(*judge)
}

// These are about what check asks besides.
const (
	ruleShared    = "PP09"
	ruleRedirects = "CL03"
	ruleProviders = "ID09"
)

// rules lists all rules. Each looks at what it names and leaves the rest to
// the others.
var rules = []rule{
	{"CF01", "issuer is an https address without path, query or fragment", "write for example https://auth.example.com", checkIssuer},
	{"CF02", "listeners have an address each, and metrics stay on this machine", "write host:port, for example :8443 and 127.0.0.1:9464", checkListeners},
	{"CF03", "store names one place, and no password stands in the file", "set store to sqlite:FILE, or store_file to a file with postgres://…", checkStore},
	{"CF04", "the master key is there, well-formed, and not a sample", "run sallyport init, or put the right file back", checkMasterKey},
	{"CF05", "API paths do not hide pages of the issuer", "choose another path, for example /catalog", checkAPIPaths},
	{"CF06", "each API is complete, and its operations can be told apart", "give each API behind the gateway name, audience, path, upstream and operations; reach other machines by https", checkAPIs},
	{"CF14", "a rule about objects says where the call names them", "write for example {path: uid, claim: sub}", checkObjects},
	{"CF15", "what an OpenAPI document says of requests and answers can be held", "write the document so that every reader takes it alike: docs/guide/contract.md, section 2", checkContracts},
	{"CF18", "Idempotency-Keys are remembered for a time that helps", "remove idempotency.keep: the default is right for most", checkIdempotency},
	{"GW23", "limits are rates and numbers that can be held", "write for example 600/m, 10/s burst 50, or off: docs/reference/limits.md", checkLimits},
	{"GW20", "backends can be told from others, and the gateway can prove itself to them", "set upstream_tls.ca_file to your own authority; docs/guide/protect-an-api.md", checkBackends},
	{"T014", "static credentials are accepted for tier low only", "set tier: low for what a leaked key may do, or make a client with sallyport client add", checkCredentials},
	{"CF12", "an API either has path, upstream and operations, or verifies tokens itself and lists its scopes", "remove what belongs to the other kind; nested tokens are for APIs of the second kind", checkVerifyingAPIs},
	{"EG01", "what leads to APIs of others is fixed: address, operations, parameters, and where their key goes", "docs/guide/third-party-key.md has working settings", checkEgress},
	{"CF07", "a scope belongs to one API, and everything that has words exists", "name scopes api.action, for example catalog.read", checkScopes},
	{"T017", "the tier of an API and of its operations fits what it handles", "raise the tier: sallyport api advise says which, and why", checkData},
	{"PR12", "types of authorization_details are complete, in words, and for APIs that exist", "give each type, apis, text and fields: docs/guide/what-tokens-say.md", checkDetailsTypes},
	{"CF08", "client_ids are well-formed and unique", "use letters, digits and . _ ~ -", checkClientIDs},
	{"CL02", "native and browser clients have no secret; server and service clients have one", "remove secret_file, or set it to a file with the secret", checkClientSecrets},
	{"BF01", "browser apps have an origin of their own, a client that keeps its secret, and APIs that take cookies", "give the app a host name of its own, leave its client out of clients, and keep APIs of tier high out of apis; docs/guide/bff.md", checkBrowserApps},
	{ruleRedirects, "redirect URIs fit the type of their client", "https; for native also com.example.app:/path or http://127.0.0.1/path", checkRedirects},
	{"CF09", "clients ask only for scopes that exist and stand for APIs that exist", "add the operation that needs the scope, or remove it from the client", checkClientScopes},
	{"TK20", "who says who a service is has keys, and speaks for named subjects that are clients of that grant type", "name one of jwks_file and jwks_uri, and give the client grant_types: [urn:ietf:params:oauth:grant-type:jwt-bearer]", checkAssertionIssuers},
	{"KY05", "tokens are encrypted only where that is asked for, by sound algorithms, to keys that are for it", "name one of jwks_file and jwks_uri; the set needs an EC key (P-256, P-384, P-521) or an RSA key of 2048 bits with use enc", checkEncryption},
	{"KY07", "no secret is a placeholder or easy to guess", "let sallyport client rotate-secret or openssl rand -base64 33 make one", checkPlaceholders},
	{"KY08", "keys change often enough, and not too often for caches", "remove the setting: the default is right for most", checkKeys},
	{"PP16", "tokens are bound to one key, and those for APIs of tier high are bound", "set dpop_bound_access_tokens for apps, or tls_client_certificate_bound_access_tokens and mtls_listen for programs", checkBinding},
	{"PP21", "the listener that asks for client certificates has an address of its own", "set mtls_listen to host:port, for example :8444, and mtls_url where clients reach it by another name", checkMutual},
	{"CL09", "clients can prove who they are in the way that they are registered for", "set mtls_listen and mtls_client_ca_file for certificates, attesters for attested apps; docs/guide/client-authentication.md", checkClientAuth},
	{"AU19", "people are signed in in a bounded number of browsers", "remove people.sessions_max: the default is right for most", checkPeople},
	{"LK01", "mail goes over TLS, and senders and recipients are addresses", "write server: smtps://mail.example.com and from: Sallyport <auth@example.com>", checkMail},
	{"LK02", "the webhook is https and its calls are signed", "set webhook to an https address and webhook_secret_file to a file that openssl rand -base64 33 made", checkWebhook},
	{"CL12", "clients register themselves only as far as the policy says", "set registration.policy to closed, token, software_statement or open", checkRegistration},
	{"RV19", "events wait for their receivers for a bounded time", "remove signals.keep: the default is right for most", checkSignals},
	{ruleShared, "what may be used once is known to all nodes", "set shared to rediss://HOST:PORT, or shared_file to a file with the address; docs/reference/shared-state.md", checkShared},
	{"AU02", "the filter of breached passwords can be read", "build it with sallyport user passwords build-filter FILE…", checkBreached},
	{"CF13", "the theme can be read by everybody, and its logo is a picture and nothing else", "take the colour that is proposed, or remove the value: ours pass", checkTheme},
	{ruleProviders, "other providers are complete, and this server can prove itself there", "docs/guide/people.md has working settings for each kind; sallyport check --providers asks them", checkProviders},
	{"GW27", "the server waits for files and for calls for bounded times, and samples its log within bounds", "remove the setting: the default is right for most", checkRunning},
	{"CF20", "traces go to a collector over TLS, and are continued for proxies of our own only", "set traces.otlp_endpoint to https://HOST/v1/traces, or to http:// on this machine", checkTraces},
	{"CF10", "files with keys and secrets can be read by their owner only", "chmod 600 FILE", checkPermissions},
	{"TL07", "an authority that gives certificates is complete, and asked for names that it can check", "docs/guide/first-deployment.md, section 1, has working settings", checkACME},
	{"CF11", "the listener has a certificate that is valid for the issuer and fits its key", "set tls.cert_file and tls.key_file to a valid pair", checkTLS},
}

// judge collects what rules find.
type judge struct {
	c        *config
	env      environment
	problems []problem
	warnings []problem
}

// failf says that the setting at path breaks the rule.
func (j *judge) failf(path, format string, args ...any) {
	if !j.c.unclear(path) {
		j.problems = append(j.problems, j.problem(path, format, args...))
	}
}

// warnf says what may be meant, and stops nothing.
func (j *judge) warnf(path, format string, args ...any) {
	if !j.c.unclear(path) {
		j.warnings = append(j.warnings, j.problem(path, format, args...))
	}
}

func (j *judge) problem(path, format string, args ...any) problem {
	path = j.c.standsAt(path)
	if origin := j.c.originOf(path); origin != "" {
		format, args = "%s: %s", []any{origin, fmt.Sprintf(format, args...)}
	}
	r := reader{variables: j.c.variables}
	r.addf(j.c.lineOf(path), path, format, args...)
	return r.problems[0]
}

// unclear reports whether the setting at path, something in it or something
// around it could not be read. CF00 has said so; the rules say nothing more.
func (c *config) unclear(path string) bool {
	path = c.standsAt(path)
	for broken := range c.broken {
		if path == broken || within(path, broken) || within(broken, path) {
			return true
		}
	}
	return false
}

func within(inner, outer string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// lineOf is the line of a setting, or of the nearest one around it; 0 if that
// is the whole file.
func (c *config) lineOf(path string) int {
	for {
		if n := c.lines[path]; n > 0 && path != "" {
			return n
		}
		if path == "" {
			return 0
		}
		cut := len(path) - 1
		for cut > 0 && path[cut] != '.' && path[cut] != '[' {
			cut--
		}
		path = path[:cut]
	}
}

// verdict is what a rule found.
type verdict struct {
	Rule     rule
	Problems []problem
	Warnings []problem
	Unjudged bool // there was nothing to judge
}

// validate judges the configuration by every rule, in order. One that could
// not be read at all is not judged.
func validate(c *config, env environment) []verdict {
	verdicts := make([]verdict, 0, len(rules))
	for _, r := range rules {
		j := &judge{c: c, env: env}
		if !c.unread {
			r.test(j)
		}
		verdicts = append(verdicts, verdict{r, j.problems, j.warnings, c.unread})
	}
	return verdicts
}

// mustHold returns what is wrong with the configuration as one error.
func mustHold(c *config, env environment) error {
	e := &problemsError{file: c.path}
	for _, v := range validate(c, env) {
		for _, p := range v.Problems {
			p.Text += " (" + v.Rule.ID + ": " + v.Rule.Fix + ")"
			e.problems = append(e.problems, p)
		}
	}
	if len(e.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.problems, func(a, b problem) int { return cmp.Compare(a.Line, b.Line) })
	return e
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
