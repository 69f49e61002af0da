package account

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
)

// BrowserLife is for how long an unused browser is remembered, on both sides:
// its cookie lives as long.
const BrowserLife = 400 * 24 * time.Hour // what browsers allow (RFC 6265bis §5.5)

// MostBrowsers is how many known browsers a person has; those that were not used
// for longest make room.
const MostBrowsers = 50

// KnownBrowser is a browser from which a person has signed in.
type KnownBrowser struct {
	UserID string
	Mark   string // digest of what the browser is known by
	Device string
	Place  string
	At     time.Time
}

// BrowserStore keeps which browsers people have signed in from.
type BrowserStore interface {
	// KnowBrowser stores that b was used, and reports whether it was known for this
	// person before, and whether any other was. It lets go of the person's oldest
	// beyond MostBrowsers. ErrNotFound if there is no such person.
	KnowBrowser(ctx context.Context, b KnownBrowser) (known, others bool, err error)
	// BrowserKnown reports whether the person of this folded name has signed in
	// from there. It costs the same whether there is such a person or not.
	BrowserKnown(ctx context.Context, folded, mark string) (bool, error)
}

// mark is what is kept of a browser's cookie. It has 256 random bits, so a plain
// digest tells nothing of it.
func mark(browser secret.Value) string {
	if browser.IsZero() {
		return ""
	}
	return hex.EncodeToString(digest(browser))
}

// moved tells the person that their cookie is on another kind of device, not more
// often than the limit says: whoever has it could fill the list of events.
func (s *Service) moved(ctx context.Context, session Session, device string) {
	if ok, _ := s.limits.Allow(s.now(), ratelimit.SessionMoved, session.ID.String()); ok {
		s.Happened(ctx, session.UserID, SessionMoved, &Visit{Device: device}, "")
	}
}

// met notes from where somebody has signed in, and tells the person of the first
// time that a browser is used (AU16). The very first sign-in of an account is no
// news: there was nobody before who could mind.
func (s *Service) met(ctx context.Context, v *Visit, user User) {
	if v.Browser.IsZero() {
		return
	}
	now := seconds(s.now())
	known, others, err := s.store.KnowBrowser(ctx, KnownBrowser{UserID: user.ID, Mark: mark(v.Browser), Device: v.Device, Place: s.place(v.Remote), At: now})
	if errors.Is(err, ErrNotFound) {
		return // gone meanwhile
	}
	if err != nil { // the person is signed in already; better told once too often
		note(ctx, audit.AccountEventLost, user.ID, "browser")
		others = true
	}
	// Browsers are forgotten, so an old account may have none left; then it is told.
	if !known && (others || now.Sub(user.CreatedAt) > BrowserLife) {
		s.Happened(ctx, user.ID, SignedInNewDevice, v, "")
	}
}
