package main

import (
	"path/filepath"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

// config is the configuration file. Each field is one setting: yaml is its
// name, doc what the reference says, enum the words it may have, example what
// the reference shows. The strict reader, the environment overrides, the JSON
// Schema and the reference page are all made from these tags.
type config struct {
	Issuer           string              `yaml:"issuer" need:"yes" example:"https://auth.example.com" doc:"Address of the issuer, as apps and tokens name it. https, without path, query or a slash at the end."`
	Listen           string              `yaml:"listen" default:":8443" example:":8443" doc:"Address of the TLS listener for issuer and gateway."`
	MetricsListen    string              `yaml:"metrics_listen" default:"127.0.0.1:9464" example:"127.0.0.1:9464" doc:"Address for /healthz, /readyz and /metrics, plain HTTP. Keep it away from the internet."`
	MTLSListen       string              `yaml:"mtls_listen" example:":8444" doc:"Address of a second TLS listener that asks for client certificates, for programs whose tokens are bound to theirs. Without it there is none."`
	MTLSURL          string              `yaml:"mtls_url" example:"https://mtls.auth.example.com" doc:"Where clients reach mtls_listen. Without it, the host of the issuer at the port of mtls_listen."`
	TLS              tlsConfig           `yaml:"tls" need:"yes" doc:"The certificate of the listener."`
	Store            string              `yaml:"store" example:"sqlite:sallyport.db" doc:"Where users, clients, grants and keys are kept: sqlite:FILE, or postgres://… without a password."`
	StoreFile        string              `yaml:"store_file" example:"/run/secrets/sallyport-dsn" doc:"A file that holds what store would, for connection strings with a password."`
	Shared           string              `yaml:"shared" example:"rediss://cache.example.com:6379" doc:"Redis or Valkey, where many nodes share what may be used once: redis:// or rediss:// without a password. One node needs none."`
	SharedFile       string              `yaml:"shared_file" example:"/run/secrets/sallyport-shared" doc:"A file that holds what shared would, for addresses with a password."`
	MasterKeyFile    string              `yaml:"master_key_file" need:"yes" example:"master.key" doc:"The file with the key that wraps all other keys. Keep it apart from the database, with a copy."`
	Mail             mailConfig          `yaml:"mail" doc:"The mail server. People are told of leaks by mail."`
	People           peopleConfig        `yaml:"people" doc:"How people sign in, and for how long."`
	Providers        []providerConfig    `yaml:"providers" doc:"Other providers that people may sign in at: Google, Microsoft, Apple, GitHub, or any OpenID provider."`
	Leaks            leaksConfig         `yaml:"leaks" doc:"Who is told when a credential of ours is found where it should not be."`
	Signals          signalsConfig       `yaml:"signals" doc:"Security events for other systems: that a session has ended, that a password was changed."`
	Keys             keysConfig          `yaml:"keys" doc:"How often keys change by themselves."`
	RequirePushed    bool                `yaml:"require_pushed_authorization_requests" example:"false" doc:"Accept authorization requests only if they were pushed (RFC 9126), from every client."`
	Scopes           map[string]string   `yaml:"scopes" example:"{catalog.read: See the catalog}" doc:"What each scope allows, in words for the page that asks people to agree."`
	APIs             []apiConfig         `yaml:"apis" doc:"The guarded APIs."`
	Egress           []egressConfig      `yaml:"egress" doc:"APIs of others that apps call through the gateway, with keys that stay here."`
	DetailsTypes     []oauth.DetailsType `yaml:"authorization_details_types" doc:"What clients may ask for in detail (RFC 9396), beyond scopes."`
	Registration     registerConfig      `yaml:"registration" doc:"Who may register a client by itself (RFC 7591). Nobody, unless policy says otherwise."`
	Documents        documentConfig      `yaml:"client_id_metadata_documents" doc:"Clients whose client_id is the https address of their metadata. Nobody registers them."`
	Clients          []clientConfig      `yaml:"clients" doc:"Apps that may ask for tokens. More can be added with sallyport client add."`
	BrowserApps      []browserAppConfig  `yaml:"browser_apps" doc:"Browser apps whose tokens stay on this server: the browser has a cookie and nothing else. docs/guide/bff.md"`
	AssertionIssuers []assertionIssuer   `yaml:"assertion_issuers" doc:"Who may say who a service is, by JWT assertions (RFC 7523): clusters, build servers."`

	runningConfig
	frontConfig

	MTLSClientCAFile  string            `yaml:"mtls_client_ca_file" file:"policy" example:"client-ca.pem" doc:"PEM file with the authorities whose certificates prove clients of tls_client_auth."`
	Attesters         []attesterConfig  `yaml:"attesters" doc:"Who vouches for instances of apps (attestation-based client authentication)."`
	GlobalRevocation  bool              `yaml:"global_token_revocation" example:"true" doc:"Let service clients with the scope sessions.revoke end every session and grant of a person, at /oauth/global-token-revocation."`
	AssertionLifetime duration          `yaml:"assertion_lifetime" default:"5m" example:"5m" doc:"How long assertions of private_key_jwt may live, 1m to 1h. Some libraries write an hour."`
	Idempotency       idempotencyConfig `yaml:"idempotency" doc:"How long keys of requests that are sent again are remembered."`

	path  string         // of the file
	text  []byte         // of it
	lines map[string]int // where each setting stands in it, by its path

	unread    bool              // the document as a whole could not be read
	broken    map[string]bool   // settings that could not be read, by their path
	overrides []string          // NAME=value of the variables that were taken, in order
	stands    map[string]string // connectors, which are among APIs: where the file has them
	origins   map[string]string // operations of OpenAPI documents, by their path: where they stand there
	variables map[string]string // the variable that a setting came from, by its path
}

type tlsConfig struct {
	CertFile   string     `yaml:"cert_file" example:"cert.pem" doc:"PEM file with the certificate and its chain."`
	KeyFile    string     `yaml:"key_file" example:"key.pem" doc:"PEM file with the private key, readable by this program only."`
	ACME       acmeConfig `yaml:"acme" doc:"Get certificates from an authority (RFC 8555) and renew them, instead of cert_file and key_file."`
	SelfSigned bool       `yaml:"self_signed" example:"false" doc:"Make a certificate at each start that nobody trusts. Only for an issuer on this machine."`
}

type apiConfig struct {
	Name         string            `yaml:"name" need:"yes" example:"catalog" doc:"Short name, for logs and for resources of clients."`
	Audience     string            `yaml:"audience" need:"yes" example:"https://api.example.com/catalog" doc:"Absolute URI that tokens for this API carry as aud. Each API has its own."`
	Path         string            `yaml:"path" example:"/catalog" doc:"Prefix under which the gateway serves the API. Without path, upstream and operations the API verifies tokens itself, and scopes lists what it knows."`
	Upstream     string            `yaml:"upstream" example:"http://127.0.0.1:9000" doc:"Address of the backend. Needed with path."`
	Tier         string            `yaml:"tier" default:"standard" enum:"low,standard,high" example:"standard" doc:"Risk of the API. It sets lifetimes, factors, and how stale the view of revocations may be."`
	Data         string            `yaml:"data" enum:"public,personal,sensitive" example:"personal" doc:"What the API handles: public, what anybody may know; personal, what belongs to somebody; sensitive, what harms somebody when it leaks or is forged. A tier that is too low for it is refused: personal needs standard, sensitive needs high."`
	TokenFormat  string            `yaml:"token_format" default:"sealed" enum:"sealed,jwt,nested" example:"jwt" doc:"How access tokens for the API are written: sealed, opaque to everybody else; jwt, readable by whoever holds one (RFC 9068); nested, such a JWT encrypted to the API, which must verify it itself."`
	JWKSFile     string            `yaml:"jwks_file" file:"policy" example:"reports.jwks.json" doc:"File with the public keys that nested tokens are encrypted to, a JWK Set."`
	JWKSURI      string            `yaml:"jwks_uri" example:"https://reports.example.com/jwks.json" doc:"Where the API publishes these keys, instead of jwks_file."`
	JWKSNetworks []string          `yaml:"jwks_networks" example:"[10.0.0.0/8]" doc:"Private networks in which jwks_uri may be. Without them, it must be reachable on the internet, or on this machine."`
	Scopes       []string          `yaml:"scopes" example:"[reports.read]" doc:"Scopes of an API that verifies tokens itself. A scope belongs to one API."`
	Operations   []operationConfig `yaml:"operations" doc:"What may be called. Everything that is not listed is refused. Needed with path, unless openapi lists them."`
	apiContract
	apiBackend
	apiLimits
	apiCredentials
	CORSOrigins []string `yaml:"cors_origins" example:"[https://app.example.com]" doc:"Exact origins of browser apps that may call the API."`

	connector *egressConfig // nil: an API of ours
}

type operationConfig struct {
	Match  string   `yaml:"match" need:"yes" example:"GET /items/{id}" doc:"Method and path template below the API's path. A parameter is one whole segment."`
	Scope  string   `yaml:"scope" example:"catalog.read" doc:"The scope that the token must have. A scope belongs to one API. Needed, unless openapi names it."`
	ACR    string   `yaml:"acr" enum:"pwd,mfa,phr,urn:sallyport:pwd,urn:sallyport:mfa,urn:sallyport:phr" example:"mfa" doc:"The weakest sign-in that is enough: pwd password, mfa a second factor, phr phishing-resistant."`
	MaxAge duration `yaml:"max_age" example:"5m" doc:"How long ago the person may have signed in."`
	Tier   string   `yaml:"tier" enum:"low,standard,high" example:"high" doc:"Risk of this operation, where it is not that of the API."`
	operationCredentials
	operationObjects
	operationContract
	operationLimits
	operationIdempotency
}

type clientConfig struct {
	ClientID               string   `yaml:"client_id" need:"yes" example:"shop-app" doc:"Identifier of the client: letters, digits, and . _ ~ -"`
	Name                   string   `yaml:"name" example:"Shop" doc:"What people are shown. Without it, the client_id."`
	Type                   string   `yaml:"type" need:"yes" enum:"native,browser,server,service" example:"native" doc:"Where it runs: native on a device, browser without a backend, server for people, service for itself. The first two have no secret."`
	RedirectURIs           []string `yaml:"redirect_uris" example:"[\"com.example.shop:/callback\"]" doc:"Where people are sent back to. Compared character by character; only the port of a loopback address may differ."`
	PostLogoutRedirectURIs []string `yaml:"post_logout_redirect_uris" example:"[\"https://shop.example.com/\"]" doc:"Where people may be sent after signing out."`
	Scope                  string   `yaml:"scope" example:"openid catalog.read" doc:"All scopes that the client may ask for, separated by single spaces."`
	SecretFile             string   `yaml:"secret_file" example:"shop-web.secret" doc:"File with the secret of a server or service client. Only its hash is kept in memory."`
	Contacts               []string `yaml:"contacts" example:"[owner@example.com]" doc:"E-mail addresses of those who look after the client: they are told when a credential of it leaks."`
	Resources              []string `yaml:"resources" example:"[catalog]" doc:"Names of the APIs whose tokens the client may introspect, as their resource server."`
	JWKSFile               string   `yaml:"jwks_file" file:"policy" example:"shop-web.jwks.json" doc:"File with the public keys of the client, a JWK Set."`

	DPoPBound        bool `yaml:"dpop_bound_access_tokens" example:"true" doc:"Give the client no token without a DPoP proof, by the key of which the token is bound. Without it, a proof is welcome and not needed, but for APIs of tier high."`
	CertificateBound bool `yaml:"tls_client_certificate_bound_access_tokens" example:"false" doc:"Give the client no token without a client certificate, to which the token is bound. It needs mtls_listen."`

	oauth.Settings
}

// duration is written as 90s, 5m or 12h.
type duration time.Duration

func (d duration) std() time.Duration { return time.Duration(d) }

// notYet are fields of later versions. They are refused and not ignored: who
// writes one counts on what it does.
var notYet = map[string]string{}

// file returns a path of the configuration as it is to be opened: relative
// ones start at the folder of the configuration file.
func (c *config) file(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.path), name)
}

// tier is valid after the configuration has been read.
func (a *apiConfig) tier() token.Tier {
	var t token.Tier
	if t.UnmarshalText([]byte(a.Tier)) != nil {
		return token.TierHigh
	}
	return t
}

// format is valid after the configuration has been read.
func (a *apiConfig) format() token.Format {
	var f token.Format
	if f.UnmarshalText([]byte(a.TokenFormat)) != nil {
		return token.FormatSealed
	}
	return f
}

// guarded reports whether the gateway stands before the API.
func (a *apiConfig) guarded() bool {
	return a.Path != "" || a.Upstream != "" || len(a.Operations) > 0 || a.OpenAPI != ""
}

// scopes lists the scopes of the API, each once, in order.
func (a *apiConfig) scopes() []string {
	list := append([]string(nil), a.Scopes...)
	for _, o := range a.Operations {
		if o.Scope != "" {
			list = appendNew(list, o.Scope)
		}
	}
	return list
}

func appendNew(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// acr is the class that tokens carry for the short word.
func (o *operationConfig) acr() string {
	switch o.ACR {
	case "pwd":
		return token.ACRPassword
	case "mfa":
		return token.ACRMFA
	case "phr":
		return token.ACRPhishing
	}
	return o.ACR
}

// client is c without its secret and its keys.
func (c *clientConfig) client() oauth.Client {
	return oauth.Client{
		ID: c.ClientID, Name: c.Name, Type: oauth.ClientType(c.Type), Scope: c.Scope,
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, Resources: c.Resources, Contacts: c.Contacts,
		DPoPBound: c.DPoPBound, CertificateBound: c.CertificateBound, Settings: c.Settings,
	}
}
