package oauth

import (
	"encoding/json"

	"sallyport/internal/token/jose"
)

// Settings are what a client is registered with beyond the fields of Client. Each
// has one name everywhere: in registration (RFC 7591 §2 and the registry of it,
// where there is a name), in the configuration file and in flags. The zero value
// is what most clients want. What has no yaml name comes another way.
type Settings struct {
	Profile    Profile  `json:"profile,omitempty" yaml:"profile" enum:"oauth21,oidc-basic,fapi2,fapi2-message-signing" example:"fapi2" doc:"What the client is held to: oauth21, which is the default; oidc-basic for old confidential clients; fapi2 and fapi2-message-signing for payments and health."`
	GrantTypes []string `json:"grant_types,omitempty" yaml:"grant_types" example:"[authorization_code, refresh_token]" doc:"Grant types that the client may use. Without it, those of its type."`
	PKCE       string   `json:"pkce,omitempty" yaml:"pkce" enum:"required,optional" example:"optional" doc:"optional lets a server client leave out code_challenge; then nonce is needed. For clients that cannot be changed."`

	// Client authentication.
	AuthMethod   string         `json:"token_endpoint_auth_method,omitempty" yaml:"token_endpoint_auth_method" enum:"none,client_secret_basic,client_secret_post,private_key_jwt,tls_client_auth,self_signed_tls_client_auth,attest_jwt_client_auth,attest_jwt_client_auth_dpop" example:"private_key_jwt" doc:"How the client proves who it is. Without it, by its secret, in the header or the body; native and browser clients not at all."`
	AuthAlg      jose.Algorithm `json:"token_endpoint_auth_signing_alg,omitempty" yaml:"token_endpoint_auth_signing_alg" enum:"ES256,EdDSA,PS256,RS256" example:"ES256" doc:"The only algorithm of its assertions."`
	AuthAudience string         `json:"token_endpoint_auth_audience,omitempty" yaml:"token_endpoint_auth_audience" enum:"issuer,token_endpoint" example:"token_endpoint" doc:"token_endpoint also accepts assertions whose aud is the address of the token endpoint, as older libraries write it. Not for fapi2."`
	TLSSubject   string         `json:"tls_client_auth_subject_dn,omitempty" yaml:"tls_client_auth_subject_dn" example:"CN=shop,O=Example" doc:"The certificate's subject (RFC 4514), for tls_client_auth. One of the five tls_client_auth settings names the client."`
	TLSDNS       string         `json:"tls_client_auth_san_dns,omitempty" yaml:"tls_client_auth_san_dns" example:"shop.example.com" doc:"Or a DNS name in it."`
	TLSURI       string         `json:"tls_client_auth_san_uri,omitempty" yaml:"tls_client_auth_san_uri" example:"https://shop.example.com/id" doc:"Or a URI in it."`
	TLSIP        string         `json:"tls_client_auth_san_ip,omitempty" yaml:"tls_client_auth_san_ip" example:"192.0.2.7" doc:"Or an IP address in it."`
	TLSEmail     string         `json:"tls_client_auth_san_email,omitempty" yaml:"tls_client_auth_san_email" example:"shop@example.com" doc:"Or an e-mail address in it."`
	JWKS         string         `json:"jwks,omitempty"` // the client's public keys, a JWK Set; in the configuration jwks_file
	JWKSURI      string         `json:"jwks_uri,omitempty" yaml:"jwks_uri" example:"https://shop.example.com/jwks.json" doc:"Where the client publishes its keys, instead of jwks_file."`

	// Authorization requests and responses.
	RequirePushed        bool            `json:"require_pushed_authorization_requests,omitempty" yaml:"require_pushed_authorization_requests" example:"true" doc:"Accept only authorization requests that were pushed (RFC 9126)."`
	RequireSignedRequest bool            `json:"require_signed_request_object,omitempty" yaml:"require_signed_request_object" example:"true" doc:"Accept only authorization requests that are signed (RFC 9101)."`
	RequestAlg           jose.Algorithm  `json:"request_object_signing_alg,omitempty" yaml:"request_object_signing_alg" enum:"ES256,EdDSA,PS256,RS256" example:"ES256" doc:"The only algorithm of its request objects."`
	RequestURIs          []string        `json:"request_uris,omitempty" yaml:"request_uris" example:"[\"https://shop.example.com/request.jwt\"]" doc:"https addresses from which request objects may be fetched. Without them, none is."`
	ResponseAlg          jose.Algorithm  `json:"authorization_signed_response_alg,omitempty" yaml:"authorization_signed_response_alg" enum:"ES256,RS256" example:"ES256" doc:"Algorithm of signed authorization responses (JARM). Without it ES256, where the request asks for a signed one."`
	ResponseEncAlg       jose.Algorithm  `json:"authorization_encrypted_response_alg,omitempty" yaml:"authorization_encrypted_response_alg" enum:"ECDH-ES,ECDH-ES+A128KW,ECDH-ES+A256KW,RSA-OAEP-256" example:"ECDH-ES+A256KW" doc:"Encrypt them too, to a key of the client for this algorithm."`
	ResponseEnc          jose.Encryption `json:"authorization_encrypted_response_enc,omitempty" yaml:"authorization_encrypted_response_enc" enum:"A128GCM,A256GCM,A128CBC-HS256,A256CBC-HS512" example:"A256GCM" doc:"How their content is encrypted. Without it, A128CBC-HS256."`
	DetailsTypes         []string        `json:"authorization_details_types,omitempty" yaml:"authorization_details_types" example:"[payment]" doc:"Types of authorization_details that the client may ask for (RFC 9396)."`
	DefaultMaxAge        Seconds         `json:"default_max_age,omitempty" yaml:"default_max_age" example:"1h" doc:"max_age of requests that have none."`
	RequireAuthTime      bool            `json:"require_auth_time,omitempty" yaml:"require_auth_time" example:"true" doc:"Registered by clients that want auth_time in ID tokens. It is always there."`
	DefaultACR           []string        `json:"default_acr_values,omitempty" yaml:"default_acr_values" example:"[\"urn:sallyport:mfa\"]" doc:"acr_values of requests that have none."`
	EmbeddedUA           string          `json:"embedded_ua,omitempty" yaml:"embedded_ua" enum:"block,warn" example:"warn" doc:"What happens to people who come in an embedded web view: they are turned away, or warned. Without it, block."`

	// ID tokens, userinfo, introspection.
	SubjectType      string          `json:"subject_type,omitempty" yaml:"subject_type" enum:"public,pairwise" example:"pairwise" doc:"pairwise gives the client identifiers of people that no other client knows."`
	SectorURI        string          `json:"sector_identifier_uri,omitempty" yaml:"sector_identifier_uri" example:"https://shop.example.com/sector.json" doc:"Clients with the same host here share pairwise identifiers. It lists the redirect URIs of them all."`
	IDTokenSig       jose.Algorithm  `json:"id_token_signed_response_alg,omitempty" yaml:"id_token_signed_response_alg" enum:"ES256,RS256" example:"RS256" doc:"Algorithm of the client's ID tokens. Without it, ES256."`
	IDTokenAlg       jose.Algorithm  `json:"id_token_encrypted_response_alg,omitempty" yaml:"id_token_encrypted_response_alg" enum:"ECDH-ES,ECDH-ES+A128KW,ECDH-ES+A256KW,RSA-OAEP-256" example:"ECDH-ES+A256KW" doc:"Encrypt the client's ID tokens, after they were signed, to a key of its own for this algorithm."`
	IDTokenEnc       jose.Encryption `json:"id_token_encrypted_response_enc,omitempty" yaml:"id_token_encrypted_response_enc" enum:"A128GCM,A256GCM,A128CBC-HS256,A256CBC-HS512" example:"A256GCM" doc:"How their content is encrypted. Without it, A128CBC-HS256."`
	UserInfoSig      jose.Algorithm  `json:"userinfo_signed_response_alg,omitempty" yaml:"userinfo_signed_response_alg" enum:"ES256,RS256" example:"ES256" doc:"Answer userinfo with a signed JWT instead of JSON."`
	UserInfoAlg      jose.Algorithm  `json:"userinfo_encrypted_response_alg,omitempty" yaml:"userinfo_encrypted_response_alg" enum:"ECDH-ES,ECDH-ES+A128KW,ECDH-ES+A256KW,RSA-OAEP-256" example:"ECDH-ES+A256KW" doc:"Encrypt it too, to a key of the client for this algorithm."`
	UserInfoEnc      jose.Encryption `json:"userinfo_encrypted_response_enc,omitempty" yaml:"userinfo_encrypted_response_enc" enum:"A128GCM,A256GCM,A128CBC-HS256,A256CBC-HS512" example:"A256GCM" doc:"How its content is encrypted. Without it, A128CBC-HS256."`
	IntrospectionSig jose.Algorithm  `json:"introspection_signed_response_alg,omitempty" yaml:"introspection_signed_response_alg" enum:"ES256,RS256" example:"ES256" doc:"Algorithm of introspection answers as a JWT (RFC 9701), which the caller asks for by Accept. Without it, ES256."`
	IntrospectionAlg jose.Algorithm  `json:"introspection_encrypted_response_alg,omitempty" yaml:"introspection_encrypted_response_alg" enum:"ECDH-ES,ECDH-ES+A128KW,ECDH-ES+A256KW,RSA-OAEP-256" example:"ECDH-ES+A256KW" doc:"Encrypt them too, to a key of the client for this algorithm."`
	IntrospectionEnc jose.Encryption `json:"introspection_encrypted_response_enc,omitempty" yaml:"introspection_encrypted_response_enc" enum:"A128GCM,A256GCM,A128CBC-HS256,A256CBC-HS512" example:"A256GCM" doc:"How their content is encrypted. Without it, A128CBC-HS256."`

	// Lifetimes, under the caps of the tier.
	AccessTokenLife Seconds `json:"access_token_lifetime,omitempty" yaml:"access_token_lifetime" example:"2m" doc:"How long the client's access tokens live, if that is shorter than the tier's."`
	RefreshIdle     Seconds `json:"refresh_token_idle_lifetime,omitempty" yaml:"refresh_token_idle_lifetime" example:"24h" doc:"How long a refresh token may stay unused, if that is shorter than the tier's."`
	RefreshAbsolute Seconds `json:"refresh_token_lifetime,omitempty" yaml:"refresh_token_lifetime" example:"720h" doc:"How long a person stays signed in to the client at most, if that is shorter than the tier's."`

	// Logout.
	BackChannelURI      string `json:"backchannel_logout_uri,omitempty" yaml:"backchannel_logout_uri" example:"https://shop.example.com/logout" doc:"Where the client's server is told that a session has ended (OpenID Connect Back-Channel Logout)."`
	BackChannelSession  bool   `json:"backchannel_logout_session_required,omitempty" yaml:"backchannel_logout_session_required" example:"true" doc:"The client wants sid in logout tokens. It is always there."`
	FrontChannelURI     string `json:"frontchannel_logout_uri,omitempty" yaml:"frontchannel_logout_uri" example:"https://shop.example.com/logout.html" doc:"What the signed-out page loads in a frame (OpenID Connect Front-Channel Logout)."`
	FrontChannelSession bool   `json:"frontchannel_logout_session_required,omitempty" yaml:"frontchannel_logout_session_required" example:"true" doc:"The client wants iss and sid in that address."`

	// CIBA.
	CIBAMode     string         `json:"backchannel_token_delivery_mode,omitempty" yaml:"backchannel_token_delivery_mode" enum:"poll,ping" example:"ping" doc:"How the client learns that a person has answered (CIBA)."`
	CIBANotify   string         `json:"backchannel_client_notification_endpoint,omitempty" yaml:"backchannel_client_notification_endpoint" example:"https://shop.example.com/ciba" doc:"Where it is told, with ping."`
	CIBAAlg      jose.Algorithm `json:"backchannel_authentication_request_signing_alg,omitempty" yaml:"backchannel_authentication_request_signing_alg" enum:"ES256,EdDSA,PS256" example:"ES256" doc:"Accept only signed authentication requests, by this algorithm."`
	CIBAUserCode bool           `json:"backchannel_user_code_parameter,omitempty" yaml:"backchannel_user_code_parameter" example:"false" doc:"Registered by clients that send user_code, which is not used here."`

	// What people are shown of the client.
	ClientURI       string `json:"client_uri,omitempty" yaml:"client_uri" example:"https://shop.example.com" doc:"Home page of the client."`
	Developer       string `json:"developer,omitempty" yaml:"developer" example:"Example GmbH" doc:"Who makes the client, for the page that asks people to agree."`
	PolicyURI       string `json:"policy_uri,omitempty" yaml:"policy_uri" example:"https://shop.example.com/privacy" doc:"How it uses what it learns."`
	TermsURI        string `json:"tos_uri,omitempty" yaml:"tos_uri" example:"https://shop.example.com/terms" doc:"Its terms of service."`
	LogoURI         string `json:"logo_uri,omitempty"` // kept for registration (RFC 7591 §2); never shown
	SoftwareID      string `json:"software_id,omitempty"`
	SoftwareVersion string `json:"software_version,omitempty"`
	InitiateURI     string `json:"initiate_login_uri,omitempty" yaml:"initiate_login_uri" example:"https://shop.example.com/login" doc:"Where a sign-in that starts elsewhere begins (OpenID Connect Core §4)."`
	ApplicationType string `json:"application_type,omitempty"` // web or native, as registered

	// More comes from tables of its own: see the fields.
	AppLinks AppLinks       `json:"app_links,omitzero" yaml:"app_links" doc:"The app that owns the https redirect URIs of a native client."`
	Exchange ExchangePolicy `json:"token_exchange,omitzero" yaml:"token_exchange" doc:"What the client may exchange tokens for (RFC 8693). Without it, nothing."`
}

// AppLinks names the app whose links the https redirect URIs of a native client
// are, so that their owner can be asked.
type AppLinks struct {
	AndroidPackage string   `json:"android_package,omitempty" yaml:"android_package" example:"com.example.shop" doc:"Application ID of the Android app."`
	AndroidCerts   []string `json:"android_cert_fingerprints,omitempty" yaml:"android_cert_fingerprints" example:"[\"AA:BB:…\"]" doc:"SHA-256 fingerprints of its signing certificates, as assetlinks.json has them."`
	AppleAppID     string   `json:"apple_app_id,omitempty" yaml:"apple_app_id" example:"ABCDE12345.com.example.shop" doc:"Team ID and bundle ID of the iOS app, as apple-app-site-association has them."`
}

// ExchangePolicy is what a client may exchange tokens for (RFC 8693).
type ExchangePolicy struct {
	Subjects  []string `json:"subject_clients,omitempty" yaml:"subject_clients" example:"[shop-app]" doc:"client_ids whose access tokens it may present. Its own are always among them. Without it, also those of any client that are for an API in resources."`
	Audiences []string `json:"audiences,omitempty" yaml:"audiences" example:"[billing]" doc:"Names of the APIs for which it may get tokens."`
	Scopes    []string `json:"scopes,omitempty" yaml:"scopes" example:"[billing.charge]" doc:"Scopes of these APIs that the new tokens may have although the presented ones do not. Without it, none."`
	Modes     []string `json:"modes,omitempty" yaml:"modes" example:"[delegation]" doc:"delegation, where the token says who acts, which is the default; impersonation, where it does not. With both, it is delegation where actor_token is sent."`
}

// Seconds is a length of time: a number in registration, 90s or 5m in the
// configuration file. Zero is not set.
type Seconds int64

// Terms are what a grant was agreed to beyond its scope.
type Terms struct {
	Details   json.RawMessage `json:"authorization_details,omitempty"` // RFC 9396, an array, canonical
	Claims    json.RawMessage `json:"claims,omitempty"`                // OpenID Connect Core §5.5, an object
	Resources []string        `json:"resources,omitempty"`             // RFC 8707; empty: all that the scope reaches
	GrantType string          `json:"grant_type,omitempty"`            // how it began; empty: authorization_code
	ClientKey string          `json:"client_key,omitempty"`            // thumbprint of the attested key that it is bound to
}

// IsZero reports whether there is nothing but the scope.
func (t *Terms) IsZero() bool {
	return len(t.Details) == 0 && len(t.Claims) == 0 && len(t.Resources) == 0 && t.GrantType == "" && t.ClientKey == ""
}

// ClientOrigin says how a client came to be known, and so how far its word counts.
type ClientOrigin string

// The origins.
const (
	OriginAdmin      ClientOrigin = ""           // the configuration or an administrator
	OriginVouched    ClientOrigin = "vouched"    // by itself, with an initial access token or a trusted software statement, RFC 7591
	OriginRegistered ClientOrigin = "registered" // by itself, RFC 7591
	OriginDocument   ClientOrigin = "document"   // its client_id is the address of its metadata
)
