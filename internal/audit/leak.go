package audit

import "time"

// Leak is what is known of one credential that others have: what the record, the
// people whom it concerns and the webhook are told. It holds nothing of the
// credential but the first characters of its hash.
type Leak struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Event      Name      `json:"event"`
	Kind       string    `json:"kind"`        // access_token, client_secret …
	HashPrefix string    `json:"hash_prefix"` // of SHA-256 over the credential, 8 hex digits; empty if it was not shown
	Action     string    `json:"action"`      // what was done, see the Action constants
	ClientID   string    `json:"client_id,omitempty"`
	Subject    string    `json:"subject,omitempty"` // account ID
	Grant      string    `json:"grant_id,omitempty"`
	URL        string    `json:"url,omitempty"`    // where it was found, without query
	Source     string    `json:"source,omitempty"` // what kind of place that is, in the reporter's words
	Reporter   string    `json:"reporter"`         // client_id of a partner, or "operator"
}

// What was done about a leak.
const (
	ActionTokenRevoked = "token_revoked"
	ActionGrantRevoked = "grant_revoked"
	ActionSessionEnded = "session_ended"
	ActionSecretEnded  = "secret_ended"
	ActionSecretsEnded = "secrets_ended"            // all of the client
	ActionAllEnded     = "secrets_and_grants_ended" // and what people had agreed to
	ActionNone         = "none"                     // there is nothing to revoke
	ActionNotPossible  = "not_possible"             // and it is alive
)
