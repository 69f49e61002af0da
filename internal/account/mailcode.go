package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// MailPurpose is what a code that was mailed is for. A code for one is none for
// another.
type MailPurpose string

// The purposes. Each has a line in mailPurposes.
const (
	MailSignIn     MailPurpose = "sign_in"
	MailSignUp     MailPurpose = "sign_up"
	MailAddress    MailPurpose = "address"        // a person's further address
	MailRecover    MailPurpose = "recover"        // the first thing that is proven
	MailRecoverToo MailPurpose = "recover_second" // the second, at another address
	MailDanger     MailPurpose = "danger"         // a right password alone is too little; there is no link
)

var mailPurposes = map[MailPurpose]struct {
	letter string
	life   time.Duration
}{
	MailSignIn:     {"sign_in_code", 10 * time.Minute},
	MailSignUp:     {"sign_up_code", 10 * time.Minute},
	MailAddress:    {"address_code", 10 * time.Minute},
	MailRecover:    {"recover_code", 30 * time.Minute},
	MailRecoverToo: {"recover_code", 30 * time.Minute},
	MailDanger:     {"danger_code", 10 * time.Minute},
}

// MailTries is how often a code may be guessed at: with 8 digits, five guesses
// hit one time in twenty million.
const MailTries = 5

// What is wrong with a code or a link.
var (
	// ErrCode does not say what: wrong, used, expired, guessed at too often, or for
	// nobody (AU05).
	ErrCode = errors.New("this code or link does not count, or not any more")
	// ErrOtherBrowser: a link was opened where nobody asked for it.
	ErrOtherBrowser = errors.New("this link counts in the browser that asked for it only")
)

// MailCode is a code and a link that were mailed, or would have been. The browser
// that asked has one for each purpose.
type MailCode struct {
	ID        secret.ID
	Purpose   MailPurpose
	UserID    string // empty: of nobody who is here
	Address   string
	Nobody    bool   // nothing was sent, so nothing counts
	Flow      string // the sign-in that waits for it; empty: none
	Keep      bool   // the person wants to stay signed in
	Digest    []byte // of the code, keyed
	Link      secret.Hash
	Browser   string // digest
	Tries     int    // that are left
	CreatedAt time.Time
	ExpiresAt time.Time
}

// MailStore keeps codes and links.
type MailStore interface {
	// StartMail stores c, in the place of what its browser had for the purpose, with
	// the letter. If the address gets no letter, c is stored as nobody's.
	StartMail(ctx context.Context, c MailCode, l Letter) error
	// MailOfBrowser and MailByLink return what has not expired, or ErrNotFound.
	MailOfBrowser(ctx context.Context, browser string, p MailPurpose, now time.Time) (MailCode, error)
	MailByLink(ctx context.Context, link secret.Hash, now time.Time) (MailCode, error)
	// TryMail takes one try before the code is looked at, so that parallel guesses
	// are not more than there are. ErrNotFound if none is left.
	TryMail(ctx context.Context, id secret.ID, now time.Time) error
	// TakeMail removes what was right. ErrNotFound if somebody has already: one
	// caller at most succeeds.
	TakeMail(ctx context.Context, id secret.ID) error
}

// MailAsk is what a code is asked for.
type MailAsk struct {
	Purpose MailPurpose
	UserID  string // empty: nobody's
	Address string // where it goes
	Typed   string // what the person has typed, which is counted whoever it names
	Instead string // kind of a letter without code that is sent instead; empty: none
	Nobody  bool   // nothing is sent; it costs and shows the same (AU05)
	Flow    string
	Keep    bool
}

// StartMail sends a code and a link. It returns *ThrottledError, and no other error
// says anything of whether there is such a person.
func (s *Service) StartMail(ctx context.Context, v *Visit, ask MailAsk) error {
	if !s.mail {
		return errors.New("no mail can be sent")
	}
	if err := s.mayAsk(ctx, v, ask.Typed); err != nil {
		return err
	}
	now := seconds(s.now())
	of := mailPurposes[ask.Purpose]
	id, code, link := secret.NewID(s.now()), digits(), secret.NewHandle(secret.PendingSignIn)
	c := MailCode{
		ID: id, Purpose: ask.Purpose, UserID: ask.UserID, Address: ask.Address, Nobody: ask.Nobody || ask.Instead != "", Flow: ask.Flow, Keep: ask.Keep,
		Digest: s.ring.MAC(token.MACForm, codeParts(ask.Purpose, id, code)...), Link: link.Hash(), Browser: mark(v.Browser),
		Tries: MailTries, CreatedAt: now, ExpiresAt: now.Add(of.life),
	}
	l := Letter{
		UserID: ask.UserID, Address: ask.Address, Kind: of.letter, Locale: v.Locale, Asked: true, Until: c.ExpiresAt,
		Params: map[string]string{"device": v.Device, "place": s.place(v.Remote)},
		Secret: secret.New("    " + code[:4] + " " + code[4:] + "\n\n" + s.issuer + "/login/link?token=" + link.Reveal()),
	}
	switch {
	case ask.Purpose == MailDanger:
		l.Secret = secret.New("    " + code[:4] + " " + code[4:])
	case ask.Instead != "":
		l.Kind = ask.Instead
	case ask.Nobody:
		l.Address, l.Until = "nobody "+foldAddress(ask.Typed), now // written and dropped, so that it is the same work
	}
	if err := s.seal(&l); err != nil {
		return err
	}
	if err := s.store.StartMail(ctx, c, l); err != nil {
		return fmt.Errorf("send code: %w", err)
	}
	return nil
}

// mayAsk counts what somebody asks for by mail: from their network, and for one
// name from there. Nobody elsewhere can use these up.
func (s *Service) mayAsk(ctx context.Context, v *Visit, typed string) error {
	network := ratelimit.Network(v.Remote)
	for _, l := range []spending{{ratelimit.MailNetwork, network}, {ratelimit.MailPair, ratelimit.Key(foldAddress(typed), network)}} {
		if ok, wait := s.limits.Allow(s.now(), l.name, l.key); !ok {
			note(ctx, audit.LoginThrottled, "", string(l.name))
			return &ThrottledError{RetryAfter: wait}
		}
	}
	return nil
}

// WithMailCode takes the code that was mailed to this browser for a purpose, once.
func (s *Service) WithMailCode(ctx context.Context, v *Visit, p MailPurpose, code string) (MailCode, error) {
	if v.Browser.IsZero() || s.ring == nil {
		return MailCode{}, ErrCode
	}
	now := s.now()
	c, err := s.store.MailOfBrowser(ctx, mark(v.Browser), p, now)
	if err == nil {
		err = s.store.TryMail(ctx, c.ID, now)
	}
	if errors.Is(err, ErrNotFound) {
		note(ctx, audit.LoginFailed, c.UserID, "mail_code_gone")
		return MailCode{}, ErrCode
	}
	if err != nil {
		return MailCode{}, fmt.Errorf("check code: %w", err)
	}
	fits := s.ring.CheckMAC(token.MACForm, c.Digest, codeParts(p, c.ID, onlyDigits(code))...)
	if !fits || c.Nobody {
		note(ctx, audit.LoginFailed, c.UserID, "mail_code_wrong")
		return MailCode{}, ErrCode
	}
	return s.take(ctx, c)
}

// SeeLink looks at a link without using it up. ErrOtherBrowser if it was asked for
// in another browser: there, whoever opens it learns nothing and changes nothing,
// and is not signed in as somebody else.
func (s *Service) SeeLink(ctx context.Context, v *Visit, link secret.Value) (MailCode, error) {
	c, err := s.store.MailByLink(ctx, link.Hash(), s.now())
	if errors.Is(err, ErrNotFound) || err == nil && c.Nobody {
		return MailCode{}, ErrCode
	}
	if err != nil {
		return MailCode{}, fmt.Errorf("find link: %w", err)
	}
	if v.Browser.IsZero() || c.Browser != mark(v.Browser) {
		note(ctx, audit.LoginFailed, c.UserID, "mail_link_other_browser")
		return MailCode{}, ErrOtherBrowser
	}
	return c, nil
}

// WithLink takes a link, once, in the browser that asked for it.
func (s *Service) WithLink(ctx context.Context, v *Visit, link secret.Value) (MailCode, error) {
	c, err := s.SeeLink(ctx, v, link)
	if err != nil {
		return MailCode{}, err
	}
	return s.take(ctx, c)
}

func (s *Service) take(ctx context.Context, c MailCode) (MailCode, error) {
	err := s.store.TakeMail(ctx, c.ID)
	if errors.Is(err, ErrNotFound) {
		return MailCode{}, ErrCode
	}
	if err != nil {
		return MailCode{}, fmt.Errorf("use code: %w", err)
	}
	return c, nil
}

// codeParts are of fixed length but for the last.
func codeParts(p MailPurpose, id secret.ID, code string) [][]byte {
	of := sha256.Sum256([]byte("mail code " + string(p)))
	return [][]byte{of[:], id[:], []byte(code)}
}

// digits are eight, each as likely as another.
func digits() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1e8))
	if err != nil {
		panic(err) // the system's generator does not fail
	}
	return fmt.Sprintf("%08d", n.Int64())
}

// onlyDigits reads a code as people type it: with spaces, and in the digits of
// their language.
func onlyDigits(s string) string {
	if len(s) > 100 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case r >= '٠' && r <= '٩':
			return r - '٠' + '0'
		case r >= '۰' && r <= '۹':
			return r - '۰' + '0'
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return 'x'
	}, s)
}
