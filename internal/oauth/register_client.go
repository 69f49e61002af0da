package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/token/jose"
)

// client makes a client of its metadata: what it left out gets the defaults of
// RFC 7591 §2 and OpenID Connect Registration §2, and what it may not have is
// left out, as RFC 7591 §3.2.1 allows; the answer says what it got.
func (g *registrar) client(m *clientMetadata) (*Client, *Error) {
	c := &Client{
		Name: m.Name, RedirectURIs: m.RedirectURIs, PostLogoutRedirectURIs: m.PostLogoutRedirectURIs, Contacts: m.Contacts,
		DPoPBound: m.DPoPBound, CertificateBound: m.CertificateBound, Settings: m.Settings, Origin: OriginRegistered,
	}
	if perr := g.grantTypes(m, c); perr != nil {
		return nil, perr
	}
	if perr := m.clientType(c); perr != nil {
		return nil, perr
	}
	if !slices.Contains(g.Types, c.Type) {
		return nil, fail(InvalidClientMetadata, fmt.Sprintf("%s clients cannot register here", c.Type))
	}
	c.Settings.Profile = stricter(g.Profile, m.Profile)
	if c.Settings.Profile == ProfileOIDCBasic {
		if c.Type.Public() {
			c.Settings.Profile = "" // it is for clients that prove who they are
		} else {
			c.Settings.AuthAudience = "token_endpoint"
		}
		if c.Settings.IDTokenSig == "" {
			c.Settings.IDTokenSig = jose.RS256 // OpenID Connect Registration §2
		}
	}
	c.Scope = g.Scope
	if m.Scope != "" {
		if _, ok := parseScope(m.Scope); !ok {
			return nil, fail(InvalidClientMetadata, "scope is malformed")
		}
		c.Scope = narrow(strings.Join(fields(m.Scope), " "), g.Scope)
	}
	if c.Type == ServiceClient {
		c.Scope = strings.Join(slices.DeleteFunc(fields(c.Scope), func(m string) bool { return identityScopes[m] != "" }), " ")
	}
	if c.Scope == "" {
		return nil, fail(InvalidClientMetadata, "no scope of those asked for is available")
	}
	c.Settings.DetailsTypes = slices.DeleteFunc(slices.Clone(m.DetailsTypes), func(t string) bool { return !slices.Contains(g.Details, t) })
	return c, nil
}

// stricter is the profile of the policy, or one that the client asks for itself
// and that holds it to more.
func stricter(policy, asked Profile) Profile {
	order := []Profile{"", ProfileOAuth21, ProfileOIDCBasic, ProfileFAPI2, ProfileFAPI2Sign}
	if a := slices.Index(order, asked); a >= slices.Index(order, ProfileFAPI2) && a > slices.Index(order, policy) {
		return asked
	}
	return policy
}

// grantTypes reads grant_types and response_types, which must fit (RFC 7591
// §2.1).
func (g *registrar) grantTypes(m *clientMetadata, c *Client) *Error {
	asked := m.GrantTypes
	if !m.named["grant_types"] {
		asked = []string{"authorization_code"}
	}
	c.Settings.GrantTypes = nil
	for _, name := range asked {
		if instead := refusedGrants[name]; instead != "" {
			return fail(InvalidClientMetadata, "grant_types: "+instead)
		}
		known := slices.ContainsFunc(grantTypes, func(t grantType) bool { return t.name == name })
		if known && slices.Contains(g.GrantTypes, name) && !slices.Contains(c.Settings.GrantTypes, name) {
			c.Settings.GrantTypes = append(c.Settings.GrantTypes, name)
		}
	}
	if len(c.Settings.GrantTypes) == 0 {
		return fail(InvalidClientMetadata, "none of the grant_types is available to clients that register themselves")
	}
	byCode := slices.Contains(asked, "authorization_code")
	for _, t := range m.ResponseTypes {
		switch {
		case t != "code":
			return fail(InvalidClientMetadata, "response_types: only code is supported")
		case !byCode:
			return fail(InvalidClientMetadata, "response_types has code, and grant_types lacks authorization_code")
		}
	}
	if byCode && m.named["response_types"] && len(m.ResponseTypes) == 0 {
		return fail(InvalidClientMetadata, "grant_types has authorization_code, and response_types lacks code")
	}
	return nil
}

// clientType finds where the client runs. Apps without a backend have no secret,
// whatever they ask for (OAuth 2.1 §2.1, RFC 8252 §8.4).
func (m *clientMetadata) clientType(c *Client) *Error {
	if !m.named["application_type"] && slices.ContainsFunc(m.RedirectURIs, onDevice) {
		c.Settings.ApplicationType = "native"
	}
	method := c.Settings.AuthMethod
	switch c.Settings.ApplicationType {
	case "native":
		if method != "" && method != "none" && !strings.HasPrefix(method, "client_secret_") && !c.attested() {
			return fail(InvalidClientMetadata, "token_endpoint_auth_method: a native client has no key of its own that could be kept secret")
		}
		if !c.attested() {
			c.Settings.AuthMethod = methodNone
		}
		c.Type = Native
		return nil
	case "", "web":
		c.Settings.ApplicationType = "web"
	default:
		return fail(InvalidClientMetadata, "application_type must be web or native")
	}
	switch {
	case method == "none":
		c.Type = Browser
	case slices.Contains(c.Settings.GrantTypes, "client_credentials") && len(m.RedirectURIs) == 0 && !slices.Contains(c.Settings.GrantTypes, "authorization_code"):
		c.Type = ServiceClient
	default:
		c.Type = Server
	}
	if method == "" {
		c.Settings.AuthMethod = "client_secret_basic"
	}
	return nil
}

// onDevice reports whether a redirect URI leads to an app on a device.
func onDevice(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	return u.Scheme != "https" && u.Scheme != "http" || u.Scheme == "http" && slices.Contains(loopbackHosts, u.Hostname())
}

// judgeStranger holds a client that nobody wrote down by hand against all rules,
// and asks the addresses that it names.
func (s *Service) judgeStranger(ctx context.Context, g *registrar, c *Client) *Error {
	if why := nameProblem(c.Name); why != "" {
		return fail(InvalidClientMetadata, "client_name "+why)
	}
	if why := nameProblem(c.Settings.Developer); why != "" {
		return fail(InvalidClientMetadata, "developer "+why)
	}
	if list := c.RedirectProblems(); len(list) > 0 {
		code := InvalidRedirectURI
		if strings.HasPrefix(list[0].Setting, "post_logout") {
			code = InvalidClientMetadata
		}
		return fail(code, list[0].Setting+" "+list[0].Why)
	}
	if setting, why := c.strangerProblem(); why != "" {
		return fail(InvalidClientMetadata, setting+" "+why)
	}
	if setting, why := c.Problem(); why != "" {
		return fail(InvalidClientMetadata, setting+" "+why)
	}
	if setting, why := s.fits(c); why != "" {
		return fail(InvalidClientMetadata, setting+" "+why)
	}
	if m := findMethod(c.Settings.AuthMethod); !m.offered(s) {
		return fail(InvalidClientMetadata, "token_endpoint_auth_method is not supported here")
	}
	for _, a := range []struct{ name, uri string }{
		{"jwks_uri", c.Settings.JWKSURI},
		{"sector_identifier_uri", c.Settings.SectorURI},
		{"backchannel_logout_uri", c.Settings.BackChannelURI},
		{"backchannel_client_notification_endpoint", c.Settings.CIBANotify},
	} {
		if a.uri != "" && (s.mayFetch == nil || s.mayFetch(a.uri) != nil) {
			return fail(InvalidClientMetadata, a.name+" is an address that is never asked from here")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, judgeTime)
	defer cancel()
	if perr := s.checkSector(ctx, c); perr != nil {
		return perr
	}
	return s.checkAppLinks(ctx, g, c)
}

// judgeTime is how long all addresses that a client names may take together.
const judgeTime = 15 * time.Second

// strangerProblem is what is asked of clients that register themselves beyond
// the rules for all.
func (c *Client) strangerProblem() (setting, why string) {
	r := &c.Settings
	if r.JWKS != "" && !soundKeys([]byte(r.JWKS)) {
		return "jwks", "is not a JWK Set of sound public keys"
	}
	if r.JWKS != "" && r.JWKSURI != "" {
		return "jwks_uri", "is there beside jwks: only one of them may be"
	}
	if strings.HasPrefix(r.AuthMethod, "private_key") && r.JWKS == "" && r.JWKSURI == "" {
		return "jwks", "is missing, and so is jwks_uri"
	}
	if findMethod(r.AuthMethod) == nil {
		return "token_endpoint_auth_method", "is not supported"
	}
	for _, a := range c.webAddresses() {
		if why := webAddressProblem(a.uri); a.uri != "" && why != "" {
			return a.name, why
		}
	}
	for _, a := range c.Contacts {
		if at := strings.IndexByte(a, '@'); at < 1 || at == len(a)-1 || strings.Count(a, "@") > 1 || strings.ContainsAny(a, " <>,;:\"") || len(a) > 254 {
			return "contacts", "must be plain e-mail addresses"
		}
	}
	if r.SubjectType == "pairwise" && slices.ContainsFunc(r.GrantTypes, elsewhere) {
		// What shows that the sector is the client's is that people are sent there.
		return "subject_type", "must be public where people do not go back to a redirect URI"
	}
	if len(c.Contacts) > maxContacts {
		return "contacts", "has too many addresses"
	}
	return c.strangersSectorProblem()
}

// elsewhere reports whether a grant type gives tokens of people who are not sent
// back to the client.
func elsewhere(grantType string) bool {
	return grantType == grantDevice || grantType == grantCIBA
}

// soundKeys is stricter than reading keys from an address, where a bad key is
// passed over: who registers one learns of it.
func soundKeys(jwks []byte) bool {
	if _, err := jose.ParseKeySet(jwks); err != nil {
		return false
	}
	var keys []json.RawMessage
	if pick(jwks, map[string]any{"keys": &keys}) != nil {
		return false
	}
	for _, raw := range keys {
		var kind string
		if pick(raw, map[string]any{"kty": &kind}) != nil {
			return false
		}
		if _, err := jose.ParseKey(raw); err != nil && (kind == "EC" || kind == "RSA") {
			return false
		}
	}
	return true
}

const maxContacts = 5

type webAddress struct{ name, uri string }

// webAddresses are those that people or this server may be sent to.
func (c *Client) webAddresses() []webAddress {
	r := &c.Settings
	list := []webAddress{
		{"client_uri", r.ClientURI},
		{"policy_uri", r.PolicyURI},
		{"tos_uri", r.TermsURI},
		{"logo_uri", r.LogoURI},
		{"initiate_login_uri", r.InitiateURI},
		{"jwks_uri", r.JWKSURI},
		{"sector_identifier_uri", r.SectorURI},
		{"backchannel_logout_uri", r.BackChannelURI},
		{"frontchannel_logout_uri", r.FrontChannelURI},
		{"backchannel_client_notification_endpoint", r.CIBANotify},
	}
	for _, uri := range r.RequestURIs {
		list = append(list, webAddress{"request_uris", uri})
	}
	return list
}

// webAddressProblem: https alone, so that no link on our pages runs a script.
func webAddressProblem(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return "must be an https address"
	case u.User != nil:
		return "has a user in it"
	case strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || strings.ContainsAny(uri, "\\\"'<>`"):
		return "has characters that addresses do not have"
	}
	return ""
}

var loopbackHosts = []string{"127.0.0.1", "::1", "localhost"}
