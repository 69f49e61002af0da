package passkey

import (
	"github.com/go-webauthn/webauthn/protocol"

	"sallyport/internal/account"
)

// Named implements account.WebAuthn.
func (p *Party) Named(response string) (id string, userHandle []byte, err error) {
	a, err := readSigned(response)
	if err != nil {
		return "", nil, err
	}
	return encodeID(a.RawID), a.Response.UserHandle, nil
}

// Signed implements account.WebAuthn. That the key is of a kind that we take was
// checked when it was made; it is checked again, since the row may be older than
// the list.
func (p *Party) Signed(response string, challenge []byte, c account.Credential) (account.Credential, error) {
	a, err := readSigned(response)
	if err != nil {
		return account.Credential{}, err
	}
	data := &a.Response.AuthenticatorData
	if encodeID(a.RawID) != c.ID {
		return account.Credential{}, refuse("credential", nil)
	}
	if err := p.checkClient(&a.Response.CollectedClientData, protocol.AssertCeremony, challenge); err != nil {
		return account.Credential{}, err
	}
	if err := p.checkAuthenticator(data); err != nil {
		return account.Credential{}, err
	}
	if data.Flags.HasBackupEligible() != c.BackupEligible { // §7.2 step 19: it never changes
		return account.Credential{}, refuse("backup_flags", nil)
	}
	if err := checkKey(c.PublicKey); err != nil {
		return account.Credential{}, err
	}
	// The library checks all of the above again, and the signature.
	if err := a.Verify(protocol.URLEncodedBase64(challenge).String(), p.id, "", []string{p.origin}, nil, nil, protocol.TopOriginExplicitVerificationMode,
		false, true, true, c.PublicKey, protocol.SignaturePolicy{}); err != nil {
		return account.Credential{}, refuse("signature", err)
	}
	c.SignCount, c.BackedUp = data.Counter, data.Flags.HasBackupState()
	return c, nil
}
