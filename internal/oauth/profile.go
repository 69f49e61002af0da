package oauth

import (
	"slices"

	"sallyport/internal/token/jose"
)

// Profile is a set of rules that a client is held to, all of them.
type Profile string

// The profiles. The zero value is ProfileOAuth21.
const (
	ProfileOAuth21   Profile = "oauth21"
	ProfileOIDCBasic Profile = "oidc-basic"            // OpenID Connect Core as old confidential clients speak it
	ProfileFAPI2     Profile = "fapi2"                 // FAPI 2.0 Security Profile Final
	ProfileFAPI2Sign Profile = "fapi2-message-signing" // and FAPI 2.0 Message Signing Final
)

// profileRules is what a profile asks for.
type profileRules struct {
	name           Profile
	confidential   bool             // for clients that prove who they are alone
	authMethods    []string         // of the client; nil: any
	algorithms     []jose.Algorithm // of what the client signs
	pushed         bool             // requests are pushed, RFC 9126
	signedRequest  bool             // and signed, RFC 9101
	signedResponse bool             // and so are responses, JARM
	bound          bool             // no bearer tokens
	pkceOptional   bool             // PKCE and nonce may both be missing
	keepsRefresh   bool             // refresh tokens are not rotated
	issuerAudience bool             // assertions are for the issuer and for nothing else
}

var fapiAlgorithms = []jose.Algorithm{jose.ES256, jose.EdDSA, jose.PS256}

var fapiAuthMethods = []string{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}

// profiles has one line for each profile; the first is the default.
var profiles = []profileRules{
	{name: ProfileOAuth21, algorithms: append([]jose.Algorithm{jose.RS256}, fapiAlgorithms...)},
	{name: ProfileOIDCBasic, confidential: true, algorithms: append([]jose.Algorithm{jose.RS256}, fapiAlgorithms...), pkceOptional: true},
	{name: ProfileFAPI2, confidential: true, authMethods: fapiAuthMethods, algorithms: fapiAlgorithms, pushed: true, bound: true, keepsRefresh: true, issuerAudience: true},
	{
		name: ProfileFAPI2Sign, confidential: true, authMethods: fapiAuthMethods, algorithms: fapiAlgorithms, pushed: true, signedRequest: true, signedResponse: true,
		bound: true, keepsRefresh: true, issuerAudience: true,
	},
}

// profile is what the client is held to. An unknown word is the strictest.
func (c *Client) profile() *profileRules {
	if c.Settings.Profile == "" {
		return &profiles[0]
	}
	for i := range profiles {
		if profiles[i].name == c.Settings.Profile {
			return &profiles[i]
		}
	}
	return &profiles[len(profiles)-1]
}

// mayUse reports whether the client may use a grant type: its settings name it,
// or, where they name none, it is among those of the client's type.
func (c *Client) mayUse(g *grantType) bool {
	if len(c.Settings.GrantTypes) > 0 {
		return slices.Contains(c.Settings.GrantTypes, g.name) && slices.Contains(g.clients, c.Type)
	}
	return slices.Contains(g.byDefault, c.Type)
}
