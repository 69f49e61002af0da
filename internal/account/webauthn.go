package account

// WebAuthn speaks the protocol of passkeys (Web Authentication Level 3) for one
// relying party. It keeps nothing, and knows nobody: what is stored, whose it is
// and which challenge was asked is the Service's to know. It stands behind an
// interface so that this package reaches no library that could reach the network.
//
// What comes from a browser is read within limits. Whatever is wrong with it is a
// *WebAuthnError.
type WebAuthn interface {
	// Creation is what a browser is to be asked for a new passkey, as
	// PublicKeyCredentialCreationOptionsJSON. Those of except are not made again.
	Creation(challenge []byte, who PasskeyOwner, except []Credential) (string, error)
	// Request is what a browser is to be asked for a signature, as
	// PublicKeyCredentialRequestOptionsJSON: by one of only, or, if that is empty, by
	// any passkey that the authenticator finds.
	Request(challenge []byte, only []Credential) (string, error)
	// Created checks the answer to Creation (§7.1). The credential has no owner, name
	// and time yet.
	Created(response string, challenge []byte) (Credential, error)
	// Named says which credential an answer to Request claims to be by, and the user
	// handle in it, nil if there is none. Nothing is checked.
	Named(response string) (id string, userHandle []byte, err error)
	// Signed checks the answer to Request (§7.2) but for the counter and the owner,
	// and returns c with what has changed.
	Signed(response string, challenge []byte, c Credential) (Credential, error)
}

// PasskeyOwner is the person whom a new passkey is for.
type PasskeyOwner struct {
	Handle      []byte // what the authenticator keeps of them and gives back; no personal data in it
	Name        string // as they sign in
	DisplayName string
}

// WebAuthnError says what was wrong with the answer of a browser. Reason is a
// word for the log; outside, all are alike.
type WebAuthnError struct {
	Reason string
	Err    error // may be nil
}

// Error implements error.
func (e *WebAuthnError) Error() string { return "passkey refused: " + e.Reason }

// Unwrap returns the cause.
func (e *WebAuthnError) Unwrap() error { return e.Err }
