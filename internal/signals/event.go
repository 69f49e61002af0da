package signals

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
)

// The types of events that we send.
const (
	SessionRevoked   = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"   // CAEP 1.0 §3.1
	CredentialChange = "https://schemas.openid.net/secevent/caep/event-type/credential-change" //nolint:gosec // a name; CAEP 1.0 §3.3
	AccountPurged    = "https://schemas.openid.net/secevent/risc/event-type/account-purged"    // RISC 1.0 §2.2
	Verification     = "https://schemas.openid.net/secevent/ssf/event-type/verification"       // SSF 1.0 §8.1.4.1
	StreamUpdated    = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"     // SSF 1.0 §8.1.5
)

// Supported are the events that a receiver can ask for. Those about the stream
// itself come without being asked for.
var Supported = []string{SessionRevoked, CredentialChange, AccountPurged}

// Event waits in one stream. The store gives it an ID when it writes it.
type Event struct {
	ID     secret.ID // jti: the same however often it is sent
	Txn    secret.ID // the change that it tells of; its other events have the same
	Type   string
	UserID string    // of whom it tells; empty: of the stream
	SID    secret.ID // the session; zero: all of the person's
	Claims json.RawMessage
	At     time.Time
}

// Control reports whether the event is sent although the stream is not enabled:
// SSF 1.0 §8.1.5 wants the receiver to hear why.
func (e *Event) Control() bool { return e.Type == StreamUpdated }

// why says for people, and who did it (CAEP 1.0 §2), for each reason of the feed.
var why = map[string]struct{ entity, text string }{
	revocation.ReasonLogout:   {"user", "The person signed out."},
	revocation.ReasonPassword: {"admin", "The password was changed."},
	revocation.ReasonDisabled: {"admin", "The account was disabled."},
	revocation.ReasonAdmin:    {"admin", "An administrator ended the session."},
	revocation.ReasonLeaked:   {"policy", "A credential of the session was found where others can read it."},
}

// claims writes the payload that CAEP events share. The interoperability profile
// (§3.1, §3.2) wants reason_admin never empty, so a reason without words has some.
func claims(reason string, at time.Time, more map[string]any) json.RawMessage {
	w, ok := why[reason]
	if !ok {
		w.entity, w.text = "system", "The session was ended: "+reason
	}
	payload := map[string]any{
		"event_timestamp": at.Unix(), "initiating_entity": w.entity, "reason_admin": map[string]string{"en": w.text},
	}
	for name, value := range more {
		payload[name] = value
	}
	b, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("signals: claims of %s: %v", reason, err)) // strings and numbers alone
	}
	return b
}

// Ended tells that a session, or with a zero sid all sessions of a person, have
// ended for one of the reasons of the revocation feed.
func Ended(userID string, sid secret.ID, reason string, at time.Time) Event {
	return Event{Type: SessionRevoked, UserID: userID, SID: sid, Claims: claims(reason, at, nil), At: at}
}

// PasswordChanged tells that a person has another password.
func PasswordChanged(userID string, at time.Time) Event {
	more := map[string]any{"credential_type": "password", "change_type": "update"}
	return Event{Type: CredentialChange, UserID: userID, Claims: claims(revocation.ReasonPassword, at, more), At: at}
}

// Purged tells that an account is gone for good.
func Purged(userID string, at time.Time) Event {
	return Event{Type: AccountPurged, UserID: userID, Claims: json.RawMessage(`{}`), At: at}
}

// EndedAll tells that all sessions of a person have ended, and of the new password
// if that is why.
func EndedAll(userID, reason string, at time.Time) []Event {
	all := Ended(userID, secret.ID{}, reason, at)
	if reason == revocation.ReasonPassword {
		return []Event{PasswordChanged(userID, at), all}
	}
	return []Event{all}
}

// Updated tells the receiver that we have changed the status of its stream.
func Updated(status Status, reason string, at time.Time) Event {
	return Event{Type: StreamUpdated, Claims: object(map[string]string{"status": string(status), "reason": reason}), At: at}
}

// verification carries state back; an empty one was not asked for.
func verification(state string, at time.Time) Event {
	return Event{Type: Verification, Claims: object(map[string]string{"state": state}), At: at}
}

// object is a JSON object of the members that are not empty.
func object(members map[string]string) json.RawMessage {
	maps.DeleteFunc(members, func(_, value string) bool { return value == "" })
	b, err := json.Marshal(members)
	if err != nil {
		panic(fmt.Sprintf("signals: %v", err)) // strings alone
	}
	return b
}
