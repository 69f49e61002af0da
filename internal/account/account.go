package account

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/breached"
	"sallyport/internal/passhash"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Options configure a Service. Store and Now are needed.
type Options struct {
	Store         Store
	Now           func() time.Time
	Ring          *token.Ring      // seals sign-ins under way and what is kept of factors; nil: nobody can sign in in two steps
	MaxSessions   int              // that a person may have at once; 0: defaultMaxSessions
	NeedSecond    bool             // nobody may be left without a second factor
	Limits        *ratelimit.Table // nil: one of its own
	Mail          bool             // mail can be sent; without it letters are not written
	Issuer        string           // that links in letters begin with
	Before        *Service         // the one that this one follows: it remembers what that one does; nil: none
	HashesAtOnce  int              // password hashes that run at once; 0: half of GOMAXPROCS
	HashesWaiting int              // people who wait for one; 0: 2500
	Params        Argon2Params     // of new hashes; zero: 19 MiB, 2 passes, 1 thread
	Hash          passhash.Compute // computes them; nil: this process

	Places *Places // nil: no place is known

	Breached []*breached.Filter // of the operator, besides the bundled one
	WebAuthn WebAuthn           // nil: there are no passkeys

	MailSignIn    bool          // a code by mail may take the place of the password
	SignUp        SignUp        // who may open an account
	SignUpDomains []string      // lower case
	RecoveryWait  time.Duration // of who can prove one thing only; 0: a day
}

// defaultMaxSessions is in how many browsers a person is signed in at once.
const defaultMaxSessions = 20

// Service knows people and lets them sign in. Safe for concurrent use.
type Service struct {
	store Store
	now   func() time.Time
	ring  *token.Ring

	maxSessions int
	needSecond  bool

	limits *ratelimit.Table
	hasher *hasher
	mail   bool
	issuer string

	mailSignIn    bool
	signUp        SignUp
	signUpDomains []string
	recoveryWait  time.Duration

	places *Places

	stuffing *stuffing

	breached breached.Filters
	webauthn WebAuthn
}

// New returns a Service. It panics without a store or a clock.
func New(o Options) *Service {
	if o.Store == nil || o.Now == nil {
		panic("account: incomplete options")
	}
	if o.Limits == nil {
		o.Limits = ratelimit.New(ratelimit.Options{})
	}
	if o.HashesAtOnce <= 0 {
		o.HashesAtOnce = max(1, runtime.GOMAXPROCS(0)/2) // the other half is for tokens: see bench/flood
	}
	if o.Params == (Argon2Params{}) {
		o.Params = passhash.DefaultParams
	}
	return &Service{
		store: o.Store, now: o.Now, ring: o.Ring, mail: o.Mail, issuer: o.Issuer,
		mailSignIn: o.MailSignIn, signUp: o.SignUp, signUpDomains: o.SignUpDomains, recoveryWait: cmp.Or(o.RecoveryWait, 24*time.Hour),
		maxSessions: cmp.Or(o.MaxSessions, defaultMaxSessions),
		needSecond:  o.NeedSecond,
		limits:      o.Limits,
		places:      o.Places,
		stuffing:    o.stuffing(),

		hasher:   o.hasher(),
		breached: filters(o.Breached),
		webauthn: o.WebAuthn,
	}
}

// NewUser is a person to be added.
type NewUser struct {
	Username      string
	Name          string // may be empty
	Email         string // may be empty
	EmailVerified bool
	Password      secret.Value
}

// AddUser adds a person and returns them with their new ID, which is never
// used again. It returns *InvalidError for a name or password that breaks the
// rules, ErrExists if the name is taken, ErrBusy as SignIn does.
func (s *Service) AddUser(ctx context.Context, n NewUser) (User, error) {
	u, err := s.newUser(ctx, n)
	if err != nil {
		return User{}, err
	}
	if err := s.store.AddUser(ctx, u); err != nil {
		return User{}, fmt.Errorf("add user: %w", err)
	}
	return u, nil
}

// newUser is who is to be added, with a hash of the password.
func (s *Service) newUser(ctx context.Context, n NewUser) (User, error) {
	now := s.now()
	u := User{
		ID: secret.NewID(now).String(), Username: norm.NFC.String(n.Username), Name: norm.NFC.String(n.Name),
		Email: n.Email, EmailVerified: n.EmailVerified && n.Email != "", CreatedAt: seconds(now),
	}
	if err := checkUser(u); err != nil {
		return User{}, err
	}
	var err error
	if u.PasswordHash, err = s.hashNew(ctx, n.Password, u); err != nil {
		return User{}, err
	}
	return u, nil
}

// SetPassword replaces the password and ends every session and grant of the
// person. Errors as AddUser, and ErrNotFound.
func (s *Service) SetPassword(ctx context.Context, userID string, password secret.Value) error {
	u, err := s.store.UserByID(ctx, userID)
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	hash, err := s.hashNew(ctx, password, u)
	if err != nil {
		return err
	}
	now := s.now()
	if err := s.store.SetPassword(ctx, userID, hash, now, token.KeepRevocation(now)); err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

func (s *Service) hashNew(ctx context.Context, password secret.Value, u User) (string, error) {
	normal, err := s.checkNew(ctx, password, u)
	if err != nil {
		return "", err
	}
	hash, err := s.hasher.hash(ctx, "", normal)
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// SetDisabled with true keeps a person from signing in and ends all that they
// have; with false it lets them sign in again. ErrNotFound for nobody.
func (s *Service) SetDisabled(ctx context.Context, userID string, disabled bool) error {
	now := s.now()
	if err := s.store.SetDisabled(ctx, userID, disabled, now, token.KeepRevocation(now)); err != nil {
		return fmt.Errorf("set disabled: %w", err)
	}
	return nil
}

// EndSessions ends every session and grant of a person, who can sign in again.
// ErrNotFound for nobody.
func (s *Service) EndSessions(ctx context.Context, userID string) error {
	now := s.now()
	if err := s.store.EndSessions(ctx, userID, now, token.KeepRevocation(now)); err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	s.Happened(ctx, userID, EndedForYou, nil, "")
	return nil
}

// DeleteUser removes a person and ends all that they have. Where there is mail, it
// tells all their addresses. ErrNotFound for nobody.
func (s *Service) DeleteUser(ctx context.Context, userID string) error {
	now := s.now()
	var last *Letter
	if s.mail {
		last = &Letter{Kind: "account_deleted"}
		if err := s.seal(last); err != nil {
			return err
		}
	}
	if err := s.store.EraseUser(ctx, userID, last, now, token.KeepRevocation(now)); err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	return nil
}

// Factors says what a person has set up besides a password.
func (s *Service) Factors(ctx context.Context, userID string) (Factors, error) {
	return s.store.Factors(ctx, userID)
}

// Users lists everybody.
func (s *Service) Users(ctx context.Context) ([]User, error) { return s.store.Users(ctx) }

// User returns a person by ID, or ErrNotFound.
func (s *Service) User(ctx context.Context, id string) (User, error) {
	return s.store.UserByID(ctx, id)
}

// UserByName returns a person by name as anybody may type it, or ErrNotFound.
func (s *Service) UserByName(ctx context.Context, name string) (User, error) {
	folded, err := FoldUsername(name)
	if err != nil {
		return User{}, ErrNotFound
	}
	return s.store.UserByName(ctx, folded)
}

// Hashes is the number of password hashes computed so far, for metrics.
func (s *Service) Hashes() int64 { return s.hasher.done.Load() }

const (
	maxName  = 200
	maxEmail = 254 // RFC 5321 §4.5.3.1.3 less the brackets
)

func checkUser(u User) error {
	if _, err := FoldUsername(u.Username); err != nil {
		return err
	}
	if !utf8.ValidString(u.Name) || utf8.RuneCountInString(u.Name) > maxName || strings.ContainsFunc(u.Name, invisible) {
		return beyond("name", "form", maxName, "has more than 200 characters, or invisible ones")
	}
	if u.Email == "" {
		return nil
	}
	local, domain, found := strings.Cut(u.Email, "@")
	if !found || local == "" || domain == "" || strings.Contains(domain, "@") || len(u.Email) > maxEmail ||
		!utf8.ValidString(u.Email) || strings.ContainsFunc(u.Email, func(r rune) bool { return invisible(r) || unicode.IsSpace(r) }) {
		return invalid("email", "form", "is not an address")
	}
	return nil
}

// invisible characters let a name look like another: controls, and format
// characters such as those that turn the direction of writing.
func invisible(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

func seconds(t time.Time) time.Time { return t.Truncate(time.Second) }

// normalName is a name as it is kept.
func normalName(name string) string { return norm.NFC.String(strings.TrimSpace(name)) }
