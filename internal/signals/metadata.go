package signals

import (
	"encoding/json"
	"fmt"

	"sallyport/internal/oauth"
)

// The paths of the endpoints, below the issuer.
const (
	MetadataPath      = "/.well-known/ssf-configuration"
	KeysPath          = "/oauth/ssf/jwks.json"
	StreamPath        = "/oauth/ssf/stream"
	StatusPath        = "/oauth/ssf/status"
	AddSubjectPath    = "/oauth/ssf/subjects/add"
	RemoveSubjectPath = "/oauth/ssf/subjects/remove"
	VerificationPath  = "/oauth/ssf/verify"
	PollPath          = "/oauth/ssf/poll"
)

// transmitter is the configuration document (SSF 1.0 §7.1).
type transmitter struct {
	SpecVersion           string   `json:"spec_version"`
	Issuer                string   `json:"issuer"`
	JWKSURI               string   `json:"jwks_uri"`
	DeliveryMethods       []string `json:"delivery_methods_supported"`
	ConfigurationEndpoint string   `json:"configuration_endpoint"`
	StatusEndpoint        string   `json:"status_endpoint"`
	AddSubjectEndpoint    string   `json:"add_subject_endpoint"`
	RemoveSubjectEndpoint string   `json:"remove_subject_endpoint"`
	VerificationEndpoint  string   `json:"verification_endpoint"`
	AuthorizationSchemes  []scheme `json:"authorization_schemes"`
	DefaultSubjects       string   `json:"default_subjects"`
}

type scheme struct {
	Spec string `json:"spec_urn"`
}

func (s *Service) buildMetadata() ([]byte, error) {
	at := s.o.Issuer
	b, err := json.Marshal(transmitter{
		SpecVersion: "1_0", Issuer: at, JWKSURI: at + KeysPath, DeliveryMethods: []string{Push, Poll},
		ConfigurationEndpoint: at + StreamPath, StatusEndpoint: at + StatusPath,
		AddSubjectEndpoint: at + AddSubjectPath, RemoveSubjectEndpoint: at + RemoveSubjectPath, VerificationEndpoint: at + VerificationPath,
		AuthorizationSchemes: []scheme{{"urn:ietf:rfc:6749"}}, // interoperability profile §2.3.7
		DefaultSubjects:      "ALL",
	})
	if err != nil {
		return nil, fmt.Errorf("signals: metadata: %w", err)
	}
	return b, nil
}

// Metadata returns the configuration document. Do not change it.
func (s *Service) Metadata() []byte { return s.metadata }

// ScopeFor returns the scope that a call needs: ssf.read is enough to look
// (interoperability profile §2.7.2). Whoever may manage a stream may look.
func ScopeFor(looks bool) []string {
	if looks {
		return []string{oauth.SignalsReadScope, oauth.SignalsManageScope}
	}
	return []string{oauth.SignalsManageScope}
}
