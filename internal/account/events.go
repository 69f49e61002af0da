package account

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// EventKind is something that happens to an account and that its person should
// be able to see. The page of events calls it event.KIND in the catalogue.
type EventKind string

// The kinds. Each has a line in EventKinds.
const (
	SignedInNewDevice  EventKind = "signed_in_new_device"
	SessionMoved       EventKind = "session_moved"
	PasswordOnly       EventKind = "password_only"
	PasswordChanged    EventKind = "password_changed"
	FactorAdded        EventKind = "factor_added"
	FactorRemoved      EventKind = "factor_removed"
	RecoveryCodesMade  EventKind = "recovery_codes_made"
	RecoveryCodeUsed   EventKind = "recovery_code_used"
	SecondFactorFailed EventKind = "second_factor_failed"
	AddressAdded       EventKind = "address_added"
	AddressRemoved     EventKind = "address_removed"
	RecoveryStarted    EventKind = "recovery_started"
	RecoveryStopped    EventKind = "recovery_stopped"
	RecoveryDone       EventKind = "recovery_done"
	IdentityLinked     EventKind = "identity_linked"
	IdentityUnlinked   EventKind = "identity_unlinked"
	AppConnected       EventKind = "app_connected"
	AppRemoved         EventKind = "app_removed"
	SessionsEnded      EventKind = "sessions_ended"
	EndedForYou        EventKind = "ended_for_you"
	DataExported       EventKind = "data_exported"
	RefreshReused      EventKind = "refresh_reused"
	LeakFound          EventKind = "leak_found"
)

// EventKinds says of each kind what the log calls it, and whether the person is
// written to at once; the letter is called like the kind. Leaks have letters of
// their own, which wait in the outbox of the transition that ended them.
var EventKinds = []struct {
	Kind  EventKind
	Audit audit.Name
	Mail  bool
}{
	{SignedInNewDevice, audit.AccountNewDevice, true},
	{SessionMoved, audit.AccountSessionMoved, false},
	{PasswordOnly, audit.AccountPasswordOnly, false},
	{PasswordChanged, audit.AccountPasswordChanged, true},
	{FactorAdded, audit.AccountFactorAdded, true},
	{FactorRemoved, audit.AccountFactorRemoved, true},
	{RecoveryCodesMade, audit.AccountCodesMade, true},
	{RecoveryCodeUsed, audit.AccountCodeUsed, true},
	{SecondFactorFailed, audit.AccountFactorFailed, true},
	{AddressAdded, audit.AccountAddressAdded, true},
	{AddressRemoved, audit.AccountAddressRemoved, true},
	{RecoveryStarted, audit.AccountRecoveryStarted, true},
	{RecoveryStopped, audit.AccountRecoveryStopped, true},
	{RecoveryDone, audit.AccountRecovered, true},
	{IdentityLinked, audit.AccountLinked, true},
	{IdentityUnlinked, audit.AccountUnlinked, true},
	{AppConnected, audit.AccountAppConnected, false},
	{AppRemoved, audit.AccountAppRemoved, false},
	{SessionsEnded, audit.AccountSessionsEnded, false},
	{EndedForYou, audit.AccountEndedByAdmin, false},
	{DataExported, audit.AccountExported, true},
	{RefreshReused, audit.AccountTokenStolen, true},
	{LeakFound, audit.AccountLeak, false},
}

// UserEvent is one occurrence, as its person sees it.
type UserEvent struct {
	ID        secret.ID // of a later event it is greater, to the millisecond
	UserID    string
	Kind      EventKind
	Device    string // as DeviceName makes it; empty: not known
	Place     string // empty: not known
	Detail    string // what it was about, such as the name of an app or of a passkey; may be empty
	CreatedAt time.Time
}

const (
	// MostEvents is how many events of a person are kept; older ones make room.
	MostEvents = 200
	// EventsKept is for how long.
	EventsKept = 400 * 24 * time.Hour
)

// EventStore keeps what has happened to people.
type EventStore interface {
	// AddEvent stores e and lets go of the person's oldest beyond MostEvents.
	// ErrNotFound if there is no such person.
	AddEvent(ctx context.Context, e UserEvent) error
	// Events returns the person's newest first, at most MostEvents.
	Events(ctx context.Context, userID string) ([]UserEvent, error)
}

const (
	maxDetail = 200 // bytes
	// eventWithin bounds the writing of an event, which goes on when whoever asked
	// has gone away: what has happened is told.
	eventWithin = 5 * time.Second
)

// Happened writes down what has just happened to a person, notes it for the log,
// where it is an account ID and a name, and writes a letter if the kind has one.
// v is the visit that it happened in, nil for none. detail is shown to the
// person: a name, never a credential; it is cut to 200 bytes. Call it after the
// transition. It cannot undo that, so it returns nothing: what cannot be kept is
// noted as account.event_lost.
func (s *Service) Happened(ctx context.Context, userID string, kind EventKind, v *Visit, detail string) {
	now := s.now()
	e := UserEvent{ID: secret.NewID(now), UserID: userID, Kind: kind, Detail: tidy(detail), CreatedAt: seconds(now)}
	if v != nil {
		e.Device, e.Place = v.Device, s.place(v.Remote)
	}
	for _, line := range EventKinds {
		if line.Kind != kind {
			continue
		}
		note(ctx, line.Audit, userID, "")
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), eventWithin)
		defer stop()
		err := s.store.AddEvent(ctx, e)
		if errors.Is(err, ErrNotFound) {
			return // gone meanwhile: nobody is left to tell
		}
		if line.Mail {
			err = errors.Join(err, s.tell(ctx, e, v))
		}
		if err != nil {
			note(ctx, audit.AccountEventLost, userID, string(kind))
		}
		return
	}
	panic("account: event without a line: " + string(kind))
}

// Events returns what has happened to a person, the newest first.
func (s *Service) Events(ctx context.Context, userID string) ([]UserEvent, error) {
	return s.store.Events(ctx, userID)
}

// tidy makes a text of somebody else fit for a page of its owner.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || invisible(r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, s)
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "")
	}
	return strings.TrimSpace(s)
}
