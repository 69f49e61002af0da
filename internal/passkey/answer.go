package passkey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"

	"github.com/go-webauthn/webauthn/protocol"

	"sallyport/internal/account"
)

// Limits of what a browser sends, in bytes. They are asked before anything is
// parsed, so that what the parsers can be made to allocate is bounded too.
const (
	// MaxAnswer is of a whole answer, as JSON.
	MaxAnswer = 16 << 10

	maxClientData  = 2 << 10
	maxAttestation = 8 << 10
	maxAuthData    = 2 << 10
	maxSignature   = 1 << 10
	maxID          = 1023 // §5.1: credential IDs
	maxHandle      = 64   // §5.4.3
)

func refuse(reason string, cause error) error {
	return &account.WebAuthnError{Reason: reason, Err: cause}
}

func decodeID(id string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err == nil && (len(b) == 0 || len(b) > maxID) {
		err = errors.New("a credential ID has 1 to 1023 bytes")
	}
	return b, err
}

func encodeID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// readCreated parses an answer to Creation.
func readCreated(answer string) (*protocol.ParsedCredentialCreationData, error) {
	if len(answer) > MaxAnswer {
		return nil, refuse("size", nil)
	}
	c, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, refuse("form", err)
	}
	raw := &c.Raw.AttestationResponse
	if len(c.RawID) > maxID || len(raw.ClientDataJSON) > maxClientData || len(raw.AttestationObject) > maxAttestation {
		return nil, refuse("size", nil)
	}
	return c, nil
}

// readSigned parses an answer to Request.
func readSigned(answer string) (*protocol.ParsedCredentialAssertionData, error) {
	if len(answer) > MaxAnswer {
		return nil, refuse("size", nil)
	}
	a, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, refuse("form", err)
	}
	raw := &a.Raw.AssertionResponse
	if len(a.RawID) > maxID || len(raw.ClientDataJSON) > maxClientData || len(raw.AuthenticatorData) > maxAuthData ||
		len(raw.Signature) > maxSignature || len(raw.UserHandle) > maxHandle {
		return nil, refuse("size", nil)
	}
	return a, nil
}

// checkClient holds what the browser says of the ceremony against what was asked
// (§7.1 steps 7 to 12, §7.2 steps 10 to 15). The origin is compared byte for
// byte. A page of ours is in no frame, so a ceremony in one is refused.
func (p *Party) checkClient(c *protocol.CollectedClientData, want protocol.CeremonyType, challenge []byte) error {
	switch {
	case c.Type != want:
		return refuse("type", nil)
	case subtle.ConstantTimeCompare([]byte(c.Challenge), []byte(base64.RawURLEncoding.EncodeToString(challenge))) != 1:
		return refuse("challenge", nil)
	case c.Origin != p.origin:
		return refuse("origin", nil)
	case c.CrossOrigin || c.TopOrigin != "":
		return refuse("cross_origin", nil)
	}
	return nil
}

// checkAuthenticator holds what the authenticator says against the rules (§7.1
// steps 14 to 18, §7.2 steps 16 to 20): for us, with a person present and verified,
// and with flags of backup that make sense.
func (p *Party) checkAuthenticator(a *protocol.AuthenticatorData) error {
	id := sha256.Sum256([]byte(p.id))
	switch {
	case subtle.ConstantTimeCompare(a.RPIDHash, id[:]) != 1:
		return refuse("rp_id", nil)
	case !a.Flags.HasUserPresent():
		return refuse("user_present", nil)
	case !a.Flags.HasUserVerified():
		return refuse("user_verified", nil)
	case a.Flags.HasBackupState() && !a.Flags.HasBackupEligible():
		return refuse("backup_flags", nil)
	}
	return nil
}
