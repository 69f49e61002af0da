package passkey

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"sallyport/internal/account"
)

// Created implements account.WebAuthn.
func (p *Party) Created(response string, challenge []byte) (account.Credential, error) {
	c, err := readCreated(response)
	if err != nil {
		return account.Credential{}, err
	}
	object := &c.Response.AttestationObject
	if err := p.checkClient(&c.Response.CollectedClientData, protocol.CreateCeremony, challenge); err != nil {
		return account.Credential{}, err
	}
	if err := p.checkAuthenticator(&object.AuthData); err != nil {
		return account.Credential{}, err
	}
	data := &object.AuthData.AttData
	if err := checkKey(data.CredentialPublicKey); err != nil {
		return account.Credential{}, err
	}
	if err := checkStatement(object); err != nil {
		return account.Credential{}, err
	}
	// The library checks all of the above again, and the statement's signature.
	if _, err := c.Verify(protocol.URLEncodedBase64(challenge).String(), p.id, []string{p.origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, true, true, nil, parameters(), protocol.AttestationPolicy{}, protocol.SignaturePolicy{}); err != nil {
		return account.Credential{}, refuse("attestation", err)
	}
	return account.Credential{
		ID: encodeID(data.CredentialID), PublicKey: data.CredentialPublicKey, SignCount: object.AuthData.Counter,
		Transports: transports(c.Response.Transports), AAGUID: hex.EncodeToString(data.AAGUID),
		BackupEligible: object.AuthData.Flags.HasBackupEligible(), BackedUp: object.AuthData.Flags.HasBackupState(),
	}, nil
}

// checkStatement lets in what a browser that was asked for no attestation may
// send (§5.1.3 step "none"): nothing, or a signature by the new key itself. Neither
// says anything of the authenticator. Whatever else comes was not asked for; it
// would only be a certificate that nobody here trusts, and a parser for strangers.
func checkStatement(o *protocol.AttestationObject) error {
	switch o.Format {
	case string(protocol.AttestationFormatNone):
		if len(o.AttStatement) == 0 && len(o.SubStatements) == 0 {
			return nil
		}
	case string(protocol.AttestationFormatPacked):
		_, alg := o.AttStatement["alg"]
		_, sig := o.AttStatement["sig"]
		if alg && sig && len(o.AttStatement) == 2 {
			return nil
		}
	}
	return refuse("attestation", nil)
}

// RSA keys are held to what is secure and what is cheap to verify, in bits.
const minRSA, maxRSA = 2048, 4096

// checkKey holds a COSE key to the algorithms that were asked for, each with its
// own kind of key.
func checkKey(raw []byte) error {
	key, err := webauthncose.ParsePublicKey(raw)
	if err != nil {
		return refuse("alg", err)
	}
	ok := false
	switch k := key.(type) {
	case webauthncose.EC2PublicKeyData: // the library holds it to the curve of its algorithm
		ok = k.Algorithm == int64(webauthncose.AlgES256)
	case webauthncose.OKPPublicKeyData:
		ok = k.Algorithm == int64(webauthncose.AlgEdDSA)
	case webauthncose.RSAPublicKeyData:
		bits := len(k.Modulus) * 8
		ok = k.Algorithm == int64(webauthncose.AlgRS256) && bits >= minRSA && bits <= maxRSA && k.Modulus[0]&0x80 != 0
	}
	if !ok {
		return refuse("alg", nil)
	}
	return nil
}

func parameters() []protocol.CredentialParameter {
	list := make([]protocol.CredentialParameter, len(algorithms))
	for i, alg := range algorithms {
		list[i] = protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg}
	}
	return list
}

const (
	maxTransports = 8
	maxTransport  = 32
)

// transports keeps the names that could be of a transport, and drops the rest:
// they are hints, and new ones may come (§5.8.4).
func transports(list []protocol.AuthenticatorTransport) []string {
	var out []string
	for _, t := range list {
		s := string(t)
		if len(out) < maxTransports && s != "" && len(s) <= maxTransport && !slices.Contains(out, s) &&
			strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") == "" {
			out = append(out, s)
		}
	}
	return out
}
