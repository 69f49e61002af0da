package oauth

import (
	"fmt"
	"slices"
)

// clientRules judge a client, from wherever it came: the configuration, an
// administrator, registration. Each returns the first setting that cannot be
// kept, by its registration name, and why. They say what is true of the client
// alone; what depends on the APIs of a deployment is asked elsewhere.
var clientRules = []func(c *Client) (setting, why string){
	(*Client).profileProblem,
	(*Client).grantTypesProblem,
	(*Client).serviceProblem,
	(*Client).authMethodProblem,
	(*Client).exchangeProblem,
	(*Client).jwtBearerProblem,
	(*Client).signalsProblem,
	(*Client).cibaProblem,
	func(c *Client) (setting, why string) { return c.Settings.encryptionProblem() },
	(*Client).requestProblem,
	(*Client).responseProblem,
	(*Client).lifetimesProblem,
	(*Client).algorithmProblem,
	(*Client).pairwiseProblem,
	(*Client).logoutProblem,
	(*Client).embeddedProblem,
}

// Problem returns the first setting that cannot be kept, by its registration
// name, and why; or nothing. Keys at jwks_uri are not looked at.
func (c *Client) Problem() (setting, why string) {
	for _, rule := range clientRules {
		if setting, why := rule(c); why != "" {
			return setting, why
		}
	}
	return "", ""
}

// UsesSecret reports whether the client proves with a secret who it is.
func (c *Client) UsesSecret() bool {
	if g := c.Settings.GrantTypes; len(g) == 1 && g[0] == GrantJWTBearer {
		return false // an assertion says who it is
	}
	switch c.Settings.AuthMethod {
	case "", "client_secret_basic", "client_secret_post":
		return !c.Type.Public()
	}
	return false
}

func (c *Client) profileProblem() (setting, why string) {
	p := c.profile()
	method := c.Settings.AuthMethod
	switch {
	case p.confidential && c.Type.Public():
		return "profile", fmt.Sprintf("%s is for clients that prove who they are, and a %s client cannot", p.name, c.Type)
	case p.authMethods != nil && !slices.Contains(p.authMethods, method):
		return "token_endpoint_auth_method", fmt.Sprintf("must be one of %v with profile %s", p.authMethods, p.name)
	case p.bound && !c.DPoPBound && !c.CertificateBound:
		return "dpop_bound_access_tokens", fmt.Sprintf("or tls_client_certificate_bound_access_tokens must be set with profile %s", p.name)
	case p.issuerAudience && c.Settings.AuthAudience == "token_endpoint":
		return "token_endpoint_auth_audience", fmt.Sprintf("must be the issuer with profile %s", p.name)
	case c.Settings.PKCE == "optional" && c.Type != Server:
		return "pkce", "may be optional for server clients alone"
	case c.Settings.PKCE == "optional" && p.bound:
		return "pkce", fmt.Sprintf("is required with profile %s", p.name)
	}
	return "", ""
}

func (c *Client) grantTypesProblem() (setting, why string) {
	for _, name := range c.Settings.GrantTypes {
		i := slices.IndexFunc(grantTypes, func(g grantType) bool { return g.name == name })
		if i < 0 {
			return "grant_types", fmt.Sprintf("%q is not known here", name)
		}
		if !slices.Contains(grantTypes[i].clients, c.Type) {
			return "grant_types", fmt.Sprintf("%s is not for a %s client", name, c.Type)
		}
	}
	return "", ""
}

func (c *Client) serviceProblem() (setting, why string) {
	const forPerson = "is for people, and a service client acts for itself"
	switch {
	case c.Type != ServiceClient:
	case c.Settings.IDTokenAlg != "":
		return "id_token_encrypted_response_alg", forPerson
	case c.Settings.UserInfoSig != "":
		return "userinfo_signed_response_alg", forPerson
	}
	return "", ""
}
