package oauth

import (
	"fmt"
	"slices"

	"sallyport/internal/token/jose"
)

// clientAuthMetadata is what the discovery document says of client
// authentication. There are no lists of their own for PAR, the device endpoint
// and CIBA: they take what the token endpoint takes (RFC 9126 §2, RFC 8628 §3.1).
type clientAuthMetadata struct {
	TokenAuthMethods         []string         `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs            []jose.Algorithm `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationAuthMethods    []string         `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgs       []jose.Algorithm `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAuthMethods []string         `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgs    []jose.Algorithm `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	ChallengeEndpoint        string           `json:"challenge_endpoint,omitempty"`
	AttestationAlgs          []jose.Algorithm `json:"client_attestation_signing_alg_values_supported,omitempty"`
	AttestationPoPAlgs       []jose.Algorithm `json:"client_attestation_pop_signing_alg_values_supported,omitempty"`
}

func (s *Service) clientAuthMetadata() clientAuthMetadata {
	methods := s.AuthMethods()
	m := clientAuthMetadata{
		TokenAuthMethods: methods, RevocationAuthMethods: methods,
		IntrospectionAuthMethods: slices.DeleteFunc(slices.Clone(methods), func(name string) bool { return name == methodNone }),
	}
	if slices.Contains(methods, methodPrivateKey) {
		algs := assertionAlgorithms()
		m.TokenAuthAlgs, m.RevocationAuthAlgs, m.IntrospectionAuthAlgs = algs, algs, algs
	}
	if slices.Contains(methods, methodAttested) {
		m.ChallengeEndpoint = s.issuer + "/oauth/challenge"
		m.AttestationAlgs, m.AttestationPoPAlgs = attestationAlgorithms, attestationAlgorithms
	}
	return m
}

// fit reports whether the instance that speaks is the one that the terms are
// bound to (ABCA §9.3).
func (t *Terms) fit(c *Client) bool { return t.ClientKey == "" || t.ClientKey == c.instance }

// proven reports whether the code of the request is of use to the registered
// client alone, so that what a person agreed to for it may be remembered: its
// redirect URI is its own, or its instances are attested when they redeem.
func (a *Authorization) proven() bool { return provenByRedirect(a.RedirectURI) || a.client.attested() }

// authMethodProblem judges how the client is to prove who it is.
func (c *Client) authMethodProblem() (setting, why string) {
	s := &c.Settings
	if s.AuthMethod != "" {
		m := findMethod(s.AuthMethod)
		if m == nil {
			return "token_endpoint_auth_method", fmt.Sprintf("%q is not known here", s.AuthMethod)
		}
		if !m.fits(c.Type) {
			return "token_endpoint_auth_method", fmt.Sprintf("%s is not for a %s client", m.name, c.Type)
		}
	}
	for _, rule := range []func() (string, string){c.tlsNameProblem, c.assertionProblem, c.keySetProblem} {
		if setting, why := rule(); why != "" {
			return setting, why
		}
	}
	return "", ""
}

func (c *Client) tlsNameProblem() (setting, why string) {
	s := &c.Settings
	if s.AuthMethod == methodTLS {
		name, why := s.tlsName()
		if why != "" && name.setting == "" {
			name.setting = "tls_client_auth_subject_dn"
		}
		return name.setting, why
	}
	if names := s.tlsNames(); len(names) > 0 {
		return names[0].setting, "is for clients of " + methodTLS
	}
	return "", ""
}

func (c *Client) assertionProblem() (setting, why string) {
	s := &c.Settings
	switch {
	case s.AuthAudience != "" && s.AuthAudience != "issuer" && s.AuthAudience != audienceTokenEndpoint:
		return "token_endpoint_auth_audience", "is issuer or " + audienceTokenEndpoint
	case s.AuthMethod != methodPrivateKey:
		return "", ""
	case len(c.authAlgorithms()) == 0:
		return "token_endpoint_auth_signing_alg", fmt.Sprintf("is one of %v with profile %s", c.profile().algorithms, c.profile().name)
	}
	return "", ""
}

// keySetProblem judges keys that are in the registration itself. Those of an
// address are judged when they come: a set with a secret in it is refused then, a
// weak key passed over.
func (c *Client) keySetProblem() (setting, why string) {
	s := &c.Settings
	needed := s.AuthMethod == methodPrivateKey || s.AuthMethod == methodSelfSigned
	switch {
	case needed && s.JWKS == "" && s.JWKSURI == "":
		return "jwks", "is missing, and so is jwks_uri: the client proves itself by a key with " + s.AuthMethod
	case s.JWKS == "":
		return "", ""
	case len(s.JWKS) > maxClientKeys:
		return "jwks", "is longer than 64 KiB"
	}
	set, err := jose.JudgeKeySet([]byte(s.JWKS))
	if err != nil {
		return "jwks", "is not a JWK Set of sound public keys: " + err.Error()
	}
	algs := c.authAlgorithms()
	verifies := func(k *jose.Key) bool {
		return slices.ContainsFunc(algs, func(alg jose.Algorithm) bool { return k.Verifies(alg, algs) })
	}
	certified := func(k *jose.Key) bool { _, ok := k.CertificateDigest(); return ok }
	switch {
	case s.AuthMethod == methodPrivateKey && !slices.ContainsFunc(set.Keys(), verifies):
		return "jwks", fmt.Sprintf("has no key that signs by one of %v; an RSA key needs alg, or the client token_endpoint_auth_signing_alg", algs)
	case s.AuthMethod == methodSelfSigned && !slices.ContainsFunc(set.Keys(), certified):
		return "jwks", "has no key with its certificate in x5c"
	}
	return "", ""
}
