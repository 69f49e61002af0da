package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
)

var clientID = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)

func checkClientIDs(j *judge) {
	seen := map[string]int{}
	for i, c := range j.c.Clients {
		at := fmt.Sprintf("clients[%d]", i)
		if !clientID.MatchString(c.ClientID) {
			j.failf(at+".client_id", "%q is empty, too long or has other characters than letters, digits and . _ ~ -", c.ClientID)
		}
		if first, twice := seen[c.ClientID]; twice {
			j.failf(at+".client_id", "%s is there twice, first as clients[%d]", c.ClientID, first)
		}
		seen[c.ClientID] = i
		if c.Type == "" {
			j.failf(at+".type", "is missing")
		}
		if problem := checkName(c.Name); problem != "" {
			j.failf(at+".name", "%s", problem)
		}
	}
}

// checkName keeps what people are shown on one short line.
func checkName(name string) string {
	const most = 80
	if len(name) > most || strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
	}) {
		return "is longer than 80 bytes or has characters that cannot be shown"
	}
	return ""
}

func checkClientSecrets(j *judge) {
	for i, c := range j.c.Clients {
		at := fmt.Sprintf("clients[%d].secret_file", i)
		client := c.client()
		switch public := client.Type.Public(); {
		case public && c.SecretFile != "":
			j.failf(at, "a %s client cannot keep a secret: whoever has the app has it too", c.Type)
		case !client.UsesSecret() && c.SecretFile != "":
			j.failf(at, "the client proves who it is by %s: a secret would be another way in", c.AuthMethod)
		case client.UsesSecret() && c.SecretFile == "" && c.Type != "":
			j.failf(at, "is missing: a %s client proves with it who it is", c.Type)
		case !public && c.SecretFile != "":
			if _, err := readSecret(j.c.file(c.SecretFile)); err != nil {
				j.failf(at, "%v", err)
			}
		}
	}
}

func checkRedirects(j *judge) {
	for i, c := range j.c.Clients {
		at := fmt.Sprintf("clients[%d]", i)
		if c.Type == "" {
			continue // CF08 says so
		}
		for _, p := range redirectProblems(c.client()) {
			j.failf(at+"."+p.Path, "%s", p.Text)
		}
	}
}

// redirectProblems judges the redirect URIs of a client from wherever it came.
func redirectProblems(c oauth.Client) []problem {
	r := &reader{}
	for _, p := range c.RedirectProblems() {
		if p.Value != "" {
			p.Why = outbound.Show(p.Value) + " " + p.Why
		}
		r.addf(0, p.Setting, "%s", p.Why)
	}
	return r.problems
}

func checkClientScopes(j *judge) {
	for i, c := range j.c.Clients {
		at := fmt.Sprintf("clients[%d]", i)
		for _, p := range j.c.scopeProblems(c.client()) {
			j.failf(at+"."+p.Path, "%s", p.Text)
		}
	}
}

// scopeProblems judges scope and resources of a client from wherever it came.
func (c *config) scopeProblems(client oauth.Client) []problem {
	r, known, names := &reader{}, slices.Clone(identityScopes), []string{}
	for i := range c.APIs {
		names = append(names, c.APIs[i].Name)
		known = append(known, c.APIs[i].scopes()...)
	}
	for scope := range strings.SplitSeq(client.Scope, " ") {
		switch {
		case client.Scope == "":
		case slices.Contains(oauth.PartnerScopes, scope):
			if why := partnerScopeProblem(client, scope); why != "" {
				r.addf(0, "scope", "%s", why)
			}
		case oauth.IsSignalsScope(scope):
			if why := c.signalsScopeProblem(client); why != "" {
				r.addf(0, "scope", "%s", why)
			}
		case scope == "":
			r.addf(0, "scope", "has more than one space between scopes, or one at an end")
		case !slices.Contains(known, scope) && c.unclear("apis"): // CF00 says so
		case !slices.Contains(known, scope):
			r.addf(0, "scope", "no API has %q%s", scope, suggest(scope, known))
		case client.Type == oauth.ServiceClient && slices.Contains(identityScopes, scope):
			r.addf(0, "scope", "%q is about a person, and a service client acts for itself", scope)
		}
	}
	for i, name := range client.Resources {
		if !slices.Contains(names, name) && !c.unclear("apis") {
			r.addf(0, fmt.Sprintf("resources[%d]", i), "no API is called %q%s", name, suggest(name, names))
		}
	}
	for i, name := range client.Settings.Exchange.Audiences {
		if !slices.Contains(names, name) && !c.unclear("apis") {
			r.addf(0, fmt.Sprintf("token_exchange.audiences[%d]", i), "no API is called %q%s", name, suggest(name, names))
		}
	}
	if len(client.Resources) > 0 && client.Type.Public() {
		r.addf(0, "resources", "a %s client cannot prove who it is, so it cannot introspect", client.Type)
	}
	return r.problems
}

func checkPlaceholders(j *judge) {
	for i, c := range j.c.Clients {
		text, err := readSecret(j.c.file(c.SecretFile))
		if c.SecretFile == "" || err != nil {
			continue // CL02 says so
		}
		if why := secretProblem(text); why != "" {
			j.failf(fmt.Sprintf("clients[%d].secret_file", i), "%s %s", c.SecretFile, why)
		}
	}
}

// samples are what people write until they know better.
var samples = []string{"changeme", "change-me", "change_me", "secret", "password", "example", "placeholder", "default", "sample", "insert", "replace", "abcdef", "123456"}

// minForeignSecret is the least length of a secret that is not a handle of
// ours: 256 random bits in base64.
const minForeignSecret = 43

// secretProblem says why a client secret is not one, or nothing.
func secretProblem(text string) string {
	if strings.HasPrefix(text, string(secret.ClientSecret)+"_") {
		payload, err := secret.Decode(secret.ClientSecret, text)
		if err != nil || len(payload) < 32 || distinct(string(payload)) < 8 {
			return "has a secret with a wrong checksum: it was cut or changed"
		}
		return ""
	}
	lower := strings.ToLower(text)
	for _, s := range samples {
		if strings.Contains(lower, s) {
			return "has a placeholder in it"
		}
	}
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "has other characters than visible ASCII"
	case len(text) < minForeignSecret:
		return fmt.Sprintf("has %d characters, and at least %d are needed", len(text), minForeignSecret)
	case distinct(text) < 12:
		return "repeats few characters, so it was not drawn at random"
	}
	return ""
}

func distinct(s string) int {
	seen := map[byte]bool{}
	for i := range len(s) {
		seen[s[i]] = true
	}
	return len(seen)
}

// oauthClients are the clients of the file with the hashes of their secrets.
func (c *config) oauthClients() ([]oauth.Client, error) {
	list := make([]oauth.Client, 0, len(c.Clients))
	for i := range c.Clients {
		client := c.Clients[i].client()
		var err error
		if client.Settings, err = c.Clients[i].settings(c); err != nil {
			return nil, fmt.Errorf("keys of %s: %w", client.ID, err)
		}
		if file := c.Clients[i].SecretFile; file != "" {
			text, err := readSecret(c.file(file))
			if err != nil {
				return nil, fmt.Errorf("secret of %s: %w", client.ID, err)
			}
			client.Secrets = []oauth.ClientSecret{{Hash: secret.New(text).Hash()}}
		}
		list = append(list, client)
	}
	return list, nil
}
