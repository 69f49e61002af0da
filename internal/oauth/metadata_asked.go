package oauth

import "sallyport/internal/token/jose"

// askedMetadata is what the discovery document says of requests that are decided
// elsewhere (RFC 8628 §4, CIBA Core §4).
type askedMetadata struct {
	DeviceEndpoint string           `json:"device_authorization_endpoint"`
	CIBAEndpoint   string           `json:"backchannel_authentication_endpoint"`
	CIBAModes      []string         `json:"backchannel_token_delivery_modes_supported"`
	CIBAAlgs       []jose.Algorithm `json:"backchannel_authentication_request_signing_alg_values_supported"`
	CIBAUserCode   bool             `json:"backchannel_user_code_parameter_supported"`
}

// askedAliases are those endpoints where client certificates are asked for.
type askedAliases struct {
	Device string `json:"device_authorization_endpoint"`
	CIBA   string `json:"backchannel_authentication_endpoint"`
}

func askedEndpoints(base string) askedAliases {
	return askedAliases{base + "/oauth/device", base + "/oauth/bc-authorize"}
}

func (s *Service) describeAsked() askedMetadata {
	at := askedEndpoints(s.issuer)
	return askedMetadata{DeviceEndpoint: at.Device, CIBAEndpoint: at.CIBA, CIBAModes: cibaModes, CIBAAlgs: cibaAlgorithms}
}
