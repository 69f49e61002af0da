package account

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

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

// met notes from where somebody has signed in, and tells the person of the first
// time that a browser is used (AU16). The very first sign-in of an account is no
// news: there was nobody before who could mind.
func (s *Service) met(ctx context.Context, v *Visit, user User) error {
	if v.Browser.IsZero() {
		return nil
	}
	now := seconds(s.now())
	known, others, err := s.store.KnowBrowser(ctx, KnownBrowser{UserID: user.ID, Mark: mark(v.Browser), Device: v.Device, Place: s.place(v.Remote), At: now})
	if err != nil {
		return fmt.Errorf("note browser: %w", err)
	}
	// Browsers are forgotten, so an old account may have none left; then it is told.
	if !known && (others || now.Sub(user.CreatedAt) > BrowserLife) {
		s.Happened(ctx, user.ID, SignedInNewDevice, v, "")
	}
	return nil
}
