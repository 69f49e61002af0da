package account

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/ratelimit"
	"sallyport/internal/secret"
)

// Why a password alone is too little for a moment.
const (
	dangerAddress  = "address"  // many accounts fail from one address
	dangerNetwork  = "network"  // or one network
	dangerPassword = "password" // or with one password
	dangerFailures = "failures" // or at all, far more than is usual here
	dangerAccount  = "account"  // this account is being guessed at
)

const (
	// stuffingSpan is how long a failure counts, to twice as long.
	stuffingSpan = 10 * time.Minute
	// stuffingLasts is for how long a source is distrusted after its last failure.
	stuffingLasts = 30 * time.Minute
	// fewFailures in stuffingSpan are never far above what is usual; usualTimes as
	// many as usual are.
	fewFailures = 200
	usualTimes  = 8
	// dayOf spans make a day, over which the usual is smoothed.
	dayOf = int64(24 * time.Hour / stuffingSpan)
	// mostSources bounds how many addresses, networks and passwords are remembered.
	mostSources = 1 << 13
)

// manyAccounts is how many different accounts fail from one source before it is
// distrusted: people mistype, and many share an address.
var manyAccounts = map[string]int{dangerAddress: 30, dangerNetwork: 60, dangerPassword: 10}

// stuffing watches for passwords that are tried in bulk: it counts the accounts,
// whether they exist or not, that fail from one address or network or with one
// password, and all failures. Of names and passwords it has 64-bit digests under a
// key that never leaves this process, in bounded memory. Safe for concurrent use.
type stuffing struct {
	mu  sync.Mutex
	key [sha256.Size]byte

	began       time.Time
	now, before map[source][]uint64  // accounts that failed, at most as many as are too many
	distrusted  map[source]time.Time // until when

	failures int
	usual    int64 // failures in a span, times dayOf
	until    time.Time
}

// source is a kind of danger and a digest of what it comes from.
type source struct {
	kind string
	id   uint64
}

func newStuffing() *stuffing {
	s := &stuffing{now: map[source][]uint64{}, before: map[source][]uint64{}, distrusted: map[source]time.Time{}}
	copy(s.key[:], secret.Random(len(s.key)))
	return s
}

func (s *stuffing) digest(text string) uint64 {
	sum := sha256.Sum256(append(s.key[:len(s.key):len(s.key)], text...))
	return binary.BigEndian.Uint64(sum[:8])
}

func (s *stuffing) sources(v *Visit, password secret.Value) []source {
	list := []source{
		{dangerAddress, s.digest(ratelimit.Address(v.Remote))},
		{dangerNetwork, s.digest(ratelimit.Network(v.Remote))},
	}
	if p := password.Reveal(); p != "" {
		list = append(list, source{dangerPassword, s.digest(p)})
	}
	return list
}

// failed counts a failure, and returns what it has just given away: empty for
// nothing, and for what was known before.
func (s *stuffing) failed(now time.Time, v *Visit, name string, password secret.Value) (found string) {
	sources, account := s.sources(v, password), s.digest(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(now)
	if s.failures++; s.failures >= fewFailures && int64(s.failures)*dayOf >= usualTimes*s.usual {
		if !now.Before(s.until) {
			found = dangerFailures
		}
		s.until = now.Add(stuffingLasts)
	}
	for _, from := range sources {
		if s.count(from, account) < manyAccounts[from.kind] {
			continue
		}
		if !now.Before(s.distrusted[from]) {
			found = from.kind
		}
		s.distrust(now, from)
	}
	return found
}

// count adds an account to a source and returns how many it has.
func (s *stuffing) count(from source, account uint64) int {
	list, ok := s.now[from]
	if !ok {
		list = s.before[from]
		delete(s.before, from)
		if len(s.now) >= 3*mostSources { // a flood of new ones: the oldest are forgotten
			s.before, s.now = s.now, map[source][]uint64{}
		}
	}
	if len(list) < manyAccounts[from.kind] && !slices.Contains(list, account) {
		list = append(list, account)
	}
	s.now[from] = list
	return len(list)
}

// distrust remembers a source; where there are more than can be remembered, all
// are distrusted.
func (s *stuffing) distrust(now time.Time, from source) {
	if _, ok := s.distrusted[from]; !ok && len(s.distrusted) >= mostSources {
		for k, until := range s.distrusted {
			if !now.Before(until) {
				delete(s.distrusted, k)
			}
		}
		if len(s.distrusted) >= mostSources {
			s.until = now.Add(stuffingLasts)
			return
		}
	}
	s.distrusted[from] = now.Add(stuffingLasts)
}

// turn begins a new span when the last is over.
func (s *stuffing) turn(now time.Time) {
	if s.began.IsZero() {
		s.began = now
	}
	spans := int64(now.Sub(s.began) / stuffingSpan)
	if spans <= 0 {
		return
	}
	s.before, s.now = s.now, map[source][]uint64{}
	if spans > 1 {
		s.before = map[source][]uint64{}
	}
	// What an attack adds must not soon look usual: a day takes it in.
	s.usual += min(int64(s.failures), usualTimes*s.usual/dayOf+fewFailures) - s.usual/dayOf
	for range min(spans-1, 4*dayOf) {
		s.usual -= s.usual / dayOf
	}
	s.failures, s.began = 0, s.began.Add(time.Duration(spans)*stuffingSpan)
}

// danger says why a right password from there could be one of many that are being
// tried; empty: it could not.
func (s *stuffing) danger(now time.Time, v *Visit, password secret.Value) string {
	sources := s.sources(v, password)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range sources {
		if now.Before(s.distrusted[from]) {
			return from.kind
		}
	}
	if now.Before(s.until) {
		return dangerFailures
	}
	return ""
}

// Stuffing reports whether passwords are being tried in bulk, from anywhere.
func (s *Service) Stuffing() bool {
	now := s.now()
	s.stuffing.mu.Lock()
	defer s.stuffing.mu.Unlock()
	if now.Before(s.stuffing.until) {
		return true
	}
	for _, until := range s.stuffing.distrusted {
		if now.Before(until) {
			return true
		}
	}
	return false
}

// failed counts a wrong name or password, and notes for operators what it gives away.
func (s *Service) failed(ctx context.Context, v *Visit, name string, password secret.Value) {
	if found := s.stuffing.failed(s.now(), v, name, password); found != "" {
		note(ctx, audit.LoginStuffing, "", found)
	}
}

// danger says why the right password alone is too little here; empty: it is enough,
// as always in a browser that the person has signed in from before. An attack on
// the account and attacks on all make it so.
func (s *Service) danger(ctx context.Context, v *Visit, name string, failures int, password secret.Value) (string, error) {
	now := s.now()
	why := s.stuffing.danger(now, v, password)
	if failures >= guessed {
		why = dangerAccount
	}
	if why == "" {
		return "", nil
	}
	known, err := s.knows(ctx, now, v, name)
	if err != nil || known {
		return "", err
	}
	return why, nil
}

// mayMailCode reports whether a person can prove by mail that a right password was
// typed by them.
func (s *Service) mayMailCode(user User) bool {
	return s.mail && s.ring != nil && user.Email != "" && user.EmailVerified
}

// mailDanger sends the code that a right password waits for.
func (s *Service) mailDanger(ctx context.Context, v *Visit, user User) error {
	return s.StartMail(ctx, v, MailAsk{Purpose: MailDanger, UserID: user.ID, Address: user.Email, Typed: user.Username})
}

// checkDanger takes that code. It is bound to the browser, counted and used once.
func (s *Service) checkDanger(ctx context.Context, v *Visit, user User, code string) (Method, error) {
	c, err := s.WithMailCode(ctx, v, MailDanger, code)
	if errors.Is(err, ErrCode) || err == nil && c.UserID != user.ID {
		return "", ErrWrongCredentials
	}
	return Email, err
}
