package account

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/secret"
)

// Letter is a mail to a person. Its texts are the messages letter.KIND.subject and
// letter.KIND.text of the catalogue, in the language of the person, or else of the
// visit. Besides Params they may name {when}, {until}, {device}, {place}, {site}, which are
// always there, and {secret}, which the text alone may have.
type Letter struct {
	UserID  string // whose it is; without Address it goes to every address that they have proven to be theirs
	Address string // goes to this one only
	Kind    string
	Locale  string            // of the visit; counts where the person's own is not known
	Params  map[string]string // fill the texts; no credential is among them
	Secret  secret.Value      // code or link; it is sealed while it waits
	Asked   bool              // a stranger can cause it: it is counted apart, so that news of an account still come
	Until   time.Time         // from then on it is worth nothing and not sent; zero: for three days

	id, sealed string
	at         time.Time
}

// ID tells letters apart, Sealed is the secret as it is kept, and At is when it was
// written; all are set by Write.
func (l *Letter) ID() string     { return l.id }
func (l *Letter) Sealed() string { return l.sealed }
func (l *Letter) At() time.Time  { return l.at }

// Stamped is l as the store takes it, without a secret: Write does it for others.
func (l Letter) Stamped(id string, at time.Time) Letter {
	l.id, l.at, l.Secret = id, at, secret.Value{}
	if l.Until.IsZero() {
		l.Until = at.Add(letterLife)
	}
	return l
}

// LetterStore keeps letters until they are sent.
type LetterStore interface {
	// WriteLetter puts a letter into the outbox, once for each address. An address
	// that has got as many in this hour as it may gets no more: no error says so.
	WriteLetter(ctx context.Context, l Letter) error
}

// What one address gets in an hour at most: of what strangers can ask for, and of
// what tells a person of their account. The one cannot be used up to silence the
// other.
const (
	AskedAnHour   = 20
	LettersAnHour = 60
)

// letterLife is for how long a letter is tried that is worth something for ever.
const letterLife = 72 * time.Hour

// Write puts a letter into the outbox; without mail it does nothing. It does not
// wait until it is sent.
func (s *Service) Write(ctx context.Context, l Letter) error {
	if !s.mail {
		return nil
	}
	if err := s.seal(&l); err != nil {
		return err
	}
	if err := s.store.WriteLetter(ctx, l); err != nil {
		return fmt.Errorf("write letter: %w", err)
	}
	return nil
}

// seal makes a letter ready for the store.
func (s *Service) seal(l *Letter) error {
	now := s.now()
	within := l.Secret
	*l = l.Stamped(secret.NewID(now).String(), seconds(now))
	if within.IsZero() {
		return nil
	}
	if s.ring == nil {
		return fmt.Errorf("a letter with a secret needs a key ring")
	}
	var err error
	if l.sealed, err = s.ring.SealStored(letterLabel(l.id), []byte(within.Reveal())); err != nil {
		return fmt.Errorf("seal letter: %w", err)
	}
	return nil
}

func letterLabel(id string) string { return "letter " + id }

// OpenLetter returns the secret of a letter, when it is sent.
func (s *Service) OpenLetter(id, sealed string) (secret.Value, error) {
	if s.ring == nil {
		return secret.Value{}, fmt.Errorf("a letter with a secret needs a key ring")
	}
	plain, err := s.ring.OpenStored(letterLabel(id), sealed)
	if err != nil {
		return secret.Value{}, fmt.Errorf("open letter: %w", err)
	}
	return secret.New(string(plain)), nil
}
