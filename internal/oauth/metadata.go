package oauth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// metadata is the discovery document (RFC 8414 §2, OpenID Connect Discovery
// §3). It is derived from the tables that the endpoints use.
type metadata struct {
	Issuer                       string            `json:"issuer"`
	AuthorizationEndpoint        string            `json:"authorization_endpoint"`
	TokenEndpoint                string            `json:"token_endpoint"`
	UserInfoEndpoint             string            `json:"userinfo_endpoint"`
	JWKSURI                      string            `json:"jwks_uri"`
	RevocationEndpoint           string            `json:"revocation_endpoint"`
	IntrospectionEndpoint        string            `json:"introspection_endpoint"`
	EndSessionEndpoint           string            `json:"end_session_endpoint"`
	RegistrationEndpoint         string            `json:"registration_endpoint,omitempty"`
	GlobalRevocation             string            `json:"global_token_revocation_endpoint,omitempty"`
	BackChannelLogout            bool              `json:"backchannel_logout_supported"`
	BackChannelLogoutSession     bool              `json:"backchannel_logout_session_supported"`
	FrontChannelLogout           bool              `json:"frontchannel_logout_supported"`
	FrontChannelLogoutSession    bool              `json:"frontchannel_logout_session_supported"`
	ScopesSupported              []string          `json:"scopes_supported"`
	ResponseTypesSupported       []string          `json:"response_types_supported"`
	ResponseModesSupported       []string          `json:"response_modes_supported"`
	GrantTypesSupported          []string          `json:"grant_types_supported"`
	SubjectTypesSupported        []string          `json:"subject_types_supported"`
	ClaimTypesSupported          []string          `json:"claim_types_supported"`
	DetailsTypesSupported        []string          `json:"authorization_details_types_supported,omitempty"`
	IDTokenAlgs                  []jose.Algorithm  `json:"id_token_signing_alg_values_supported"`
	IDTokenEncAlgs               []jose.Algorithm  `json:"id_token_encryption_alg_values_supported"`
	IDTokenEncEncs               []jose.Encryption `json:"id_token_encryption_enc_values_supported"`
	UserInfoAlgs                 []jose.Algorithm  `json:"userinfo_signing_alg_values_supported"`
	UserInfoEncAlgs              []jose.Algorithm  `json:"userinfo_encryption_alg_values_supported"`
	UserInfoEncEncs              []jose.Encryption `json:"userinfo_encryption_enc_values_supported"`
	IntrospectionAlgs            []jose.Algorithm  `json:"introspection_signing_alg_values_supported"`
	IntrospectionEncAlgs         []jose.Algorithm  `json:"introspection_encryption_alg_values_supported"`
	IntrospectionEncEncs         []jose.Encryption `json:"introspection_encryption_enc_values_supported"`
	CodeChallengeMethods         []string          `json:"code_challenge_methods_supported"`
	ClaimsSupported              []string          `json:"claims_supported"`
	ACRValuesSupported           []string          `json:"acr_values_supported"`
	PromptValuesSupported        []string          `json:"prompt_values_supported"`
	IssInResponse                bool              `json:"authorization_response_iss_parameter_supported"`
	ClaimsParameterSupported     bool              `json:"claims_parameter_supported"`
	RequestParameterSupported    bool              `json:"request_parameter_supported"`
	RequestURIParameterSupported bool              `json:"request_uri_parameter_supported"`
	RequestURIRegistration       bool              `json:"require_request_uri_registration"`
	RequestObjectAlgs            []jose.Algorithm  `json:"request_object_signing_alg_values_supported"`
	PushedEndpoint               string            `json:"pushed_authorization_request_endpoint"`
	RequirePushed                bool              `json:"require_pushed_authorization_requests"`
	ResponseAlgs                 []jose.Algorithm  `json:"authorization_signing_alg_values_supported"`
	ResponseEncAlgs              []jose.Algorithm  `json:"authorization_encryption_alg_values_supported"`
	ResponseEncEncs              []jose.Encryption `json:"authorization_encryption_enc_values_supported"`
	DPoPAlgs                     []string          `json:"dpop_signing_alg_values_supported"`
	CertificateBound             bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	clientAuthMetadata

	ClientDocuments bool `json:"client_id_metadata_document_supported,omitempty"`

	askedMetadata

	MutualTLS *mutualTLSAliases `json:"mtls_endpoint_aliases,omitempty"`
}

// mutualTLSAliases are the endpoints on the listener that asks for client
// certificates (RFC 8705 §5).
type mutualTLSAliases struct {
	Token         string `json:"token_endpoint"`
	Pushed        string `json:"pushed_authorization_request_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`

	askedAliases
}

func (s *Service) buildMetadata() ([]byte, error) {
	m := metadata{
		Issuer:                s.issuer,
		AuthorizationEndpoint: s.issuer + "/oauth/authorize",
		TokenEndpoint:         s.issuer + "/oauth/token",
		UserInfoEndpoint:      s.issuer + "/oauth/userinfo",
		JWKSURI:               s.issuer + "/.well-known/jwks.json",
		RevocationEndpoint:    s.issuer + "/oauth/revoke",
		IntrospectionEndpoint: s.issuer + "/oauth/introspect",
		EndSessionEndpoint:    s.issuer + "/oauth/logout",

		BackChannelLogout: true, BackChannelLogoutSession: true,
		FrontChannelLogout: true, FrontChannelLogoutSession: true,

		ResponseTypesSupported: []string{"code"},
		SubjectTypesSupported:  []string{"public", "pairwise"},
		ClaimTypesSupported:    []string{"normal"},
		IDTokenAlgs:            SignedBy,
		IDTokenEncAlgs:         jose.KeyAlgorithms,
		IDTokenEncEncs:         jose.Encryptions,
		UserInfoAlgs:           SignedBy,
		UserInfoEncAlgs:        jose.KeyAlgorithms,
		UserInfoEncEncs:        jose.Encryptions,
		IntrospectionAlgs:      SignedBy,
		IntrospectionEncAlgs:   jose.KeyAlgorithms,
		IntrospectionEncEncs:   jose.Encryptions,
		clientAuthMetadata:     s.clientAuthMetadata(),
		CodeChallengeMethods:   []string{"S256"},
		ClaimsSupported: []string{
			"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
		},
		ClaimsParameterSupported: true,
		ACRValuesSupported:       token.ACRs,
		PromptValuesSupported:    promptValues,
		IssInResponse:            true,

		RequestParameterSupported:    true,
		RequestURIParameterSupported: s.fetchRequest != nil,
		RequestURIRegistration:       true,
		RequestObjectAlgs:            profiles[0].algorithms,
		PushedEndpoint:               s.issuer + "/oauth/par",
		RequirePushed:                s.requirePushed,
		ResponseAlgs:                 SignedBy,
		ResponseEncAlgs:              jose.KeyAlgorithms,
		ResponseEncEncs:              jose.Encryptions,

		askedMetadata: s.describeAsked(),
	}
	for _, mode := range responseModes {
		m.ResponseModesSupported = append(m.ResponseModesSupported, mode.name)
	}
	m.ClientDocuments = s.documents.policy.On
	if s.registrar.open() {
		m.RegistrationEndpoint = s.issuer + "/oauth/register"
	}
	if s.globalRevocation {
		m.GlobalRevocation = s.issuer + "/oauth/global-token-revocation"
	}
	for _, g := range grantTypes {
		m.GrantTypesSupported = append(m.GrantTypesSupported, g.name)
	}
	for _, c := range personClaims {
		m.ClaimsSupported = append(m.ClaimsSupported, c.name)
	}
	m.DetailsTypesSupported = slices.Sorted(maps.Keys(s.detailsTypes))
	for scope := range identityScopes {
		m.ScopesSupported = append(m.ScopesSupported, scope)
	}
	for scope := range s.byScope {
		m.ScopesSupported = append(m.ScopesSupported, scope)
	}
	if s.signals {
		m.ScopesSupported = append(m.ScopesSupported, SignalsReadScope, SignalsManageScope)
	}
	slices.Sort(m.ScopesSupported)
	for _, alg := range token.ProofAlgorithms {
		m.DPoPAlgs = append(m.DPoPAlgs, string(alg))
	}
	if base := s.mutualTLS; base != "" {
		m.CertificateBound = true
		m.MutualTLS = &mutualTLSAliases{base + "/oauth/token", base + "/oauth/par", base + "/oauth/revoke", base + "/oauth/introspect", base + "/oauth/userinfo", askedEndpoints(base)}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("oauth: metadata: %w", err)
	}
	return b, nil
}
