package account

import (
	"net/netip"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Visit is the browser in which somebody proves who they are, and what for.
type Visit struct {
	Remote   netip.Addr
	Browser  secret.Value // that this browser is known by; a ticket counts in no other
	Device   string       // as people know it; see DeviceName
	Locale   string       // of its pages
	Previous secret.ID    // the session that a new one takes the place of; zero: none
	Current  *Session     // who is signed in here and is to prove more: its methods count. nil: everything is proven anew
	Ticket   secret.Value // what was proven before in this sign-in; zero: nothing
	Demand   Demand

	Provider    string // issuer of the other provider that has signed the person in; empty: none
	ProviderSID string // its name for the session there; empty: unsaid

	danger string // why a password alone is too little here; empty: it is enough
}

// Demand is what a sign-in is asked for.
type Demand struct {
	ACR     []string   // any of these classes is enough; empty: the weakest is
	Tier    token.Tier // whose limits the session has
	Purpose string     // the one act that it is for; empty: none
	Keep    bool       // the person wants to stay signed in when the browser closes
}

// The acts that a person signs in for each time, with the best that they have.
const (
	PurposeFactors   = "factors"   // what they sign in with
	PurposePassword  = "password"  //nolint:gosec // a name
	PurposeAddresses = "addresses" // where mail goes
	PurposeLinks     = "links"     // sign-ins elsewhere
	PurposeSessions  = "sessions"  // ending them
	PurposeData      = "data"      // to take their data along, or delete the account
)

// Progress is what has become of a sign-in: a session, or a ticket and how it can
// go on.
type Progress struct {
	User    User
	Session Session      // zero: it is not complete
	Cookie  secret.Value // of Session
	Ticket  secret.Value // carries what is proven to the next step
	Next    []Method     // any of these completes it

	// PasswordDue: the password that was typed should be replaced, see SignIn. The sign-in
	// goes on all the same.
	PasswordDue bool
}

// Done reports whether the person is signed in.
func (p *Progress) Done() bool { return !p.Cookie.IsZero() }

const (
	// ticketLife is how long the steps of one sign-in may take.
	ticketLife = 10 * time.Minute
	// stepUpWithin is how old a session may be for its methods to count towards a
	// stronger sign-in; later, everything is proven again.
	stepUpWithin = 15 * time.Minute
	// purposeLife is how long a sign-in for an act allows it.
	purposeLife = 5 * time.Minute
)

// Allows reports whether the person has just signed in for this act, with the best
// that they have (AU15, AU20).
func (s *Session) Allows(purpose string, now time.Time) bool {
	return purpose != "" && s.Purpose == purpose && now.Sub(s.AuthTime) < purposeLife
}
