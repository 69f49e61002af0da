package passkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"sallyport/internal/account"
)

// ErrNoDomain: passkeys belong to a domain name, and the issuer has none.
var ErrNoDomain = errors.New("passkeys need an issuer with a domain name and https")

// timeout is what browsers are told; challenges live as long.
const timeout = 5 * time.Minute

// algorithms of keys, in the order of preference (§5.4, pubKeyCredParams). Between
// them they are on every authenticator: ES256 nearly everywhere, RS256 for
// Windows Hello on old machines.
var algorithms = []webauthncose.COSEAlgorithmIdentifier{webauthncose.AlgEdDSA, webauthncose.AlgES256, webauthncose.AlgRS256}

// Party is one relying party. It implements account.WebAuthn and is safe for
// concurrent use.
type Party struct {
	id     string // RP ID
	origin string
	name   string
}

// New returns the relying party of an issuer: its host is the RP ID and its
// origin the only one that is accepted. It returns ErrNoDomain for what no browser
// makes passkeys for: an IP address, and http.
func New(issuer string) (*Party, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || u.Scheme != "https" || protocol.ValidateRPID(host) != nil {
		return nil, ErrNoDomain
	}
	return &Party{id: host, origin: u.Scheme + "://" + u.Host, name: u.Host}, nil
}

// ID is the RP ID.
func (p *Party) ID() string { return p.id }

// Creation implements account.WebAuthn: a discoverable credential with user
// verification, without attestation.
func (p *Party) Creation(challenge []byte, who account.PasskeyOwner, except []account.Credential) (string, error) {
	o := protocol.PublicKeyCredentialCreationOptions{
		RelyingParty: protocol.RelyingPartyEntity{ID: p.id, CredentialEntity: protocol.CredentialEntity{Name: p.name}},
		User: protocol.UserEntity{
			ID: protocol.URLEncodedBase64(who.Handle), DisplayName: who.DisplayName,
			CredentialEntity: protocol.CredentialEntity{Name: who.Name},
		},
		Challenge: challenge, Timeout: int(timeout.Milliseconds()),
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Attestation: protocol.PreferNoAttestation,
	}
	for _, alg := range algorithms {
		o.Parameters = append(o.Parameters, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: alg})
	}
	var err error
	if o.CredentialExcludeList, err = descriptors(except); err != nil {
		return "", err
	}
	return write(o)
}

// Request implements account.WebAuthn.
func (p *Party) Request(challenge []byte, only []account.Credential) (string, error) {
	o := protocol.PublicKeyCredentialRequestOptions{
		Challenge: challenge, Timeout: int(timeout.Milliseconds()), RelyingPartyID: p.id, UserVerification: protocol.VerificationRequired,
	}
	var err error
	if o.AllowedCredentials, err = descriptors(only); err != nil {
		return "", err
	}
	return write(o)
}

func descriptors(list []account.Credential) ([]protocol.CredentialDescriptor, error) {
	out := make([]protocol.CredentialDescriptor, 0, len(list))
	for i := range list {
		id, err := decodeID(list[i].ID)
		if err != nil {
			return nil, fmt.Errorf("stored passkey: %w", err)
		}
		d := protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: id}
		for _, t := range list[i].Transports {
			d.Transport = append(d.Transport, protocol.AuthenticatorTransport(t))
		}
		out = append(out, d)
	}
	return out, nil
}

func write(options any) (string, error) {
	b, err := json.Marshal(options)
	if err != nil {
		return "", fmt.Errorf("write options: %w", err)
	}
	return string(b), nil
}
