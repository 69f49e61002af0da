package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// ErrRecovery: what was proven does not count, or not any more, so recovery starts
// again.
var ErrRecovery = errors.New("the recovery took too long, or something about it has changed")

// ErrNotProven: one more thing has to be proven first.
var ErrNotProven = errors.New("one more proof is needed")

// recovery is what somebody has proven who cannot sign in. It is sealed, and travels
// in a cookie. It gives one right: to set a new password once two things are proven.
type recovery struct {
	UserID    string   `json:"u"`
	Version   int64    `json:"v"`
	Proofs    []string `json:"p"` // each once: mail:ADDRESS, code, admin
	Lost      bool     `json:"l,omitempty"`
	Reset     string   `json:"r,omitempty"` // of the administrator's approval, which is used up
	Browser   string   `json:"b"`
	ExpiresAt int64    `json:"e"`
}

const (
	recoveryLabel = "account recovery"
	recoveryLife  = 30 * time.Minute

	proofMail  = "mail:"
	proofCode  = "code"
	proofAdmin = "admin"

	// ResetLife is for how long an administrator's approval stands.
	ResetLife = 24 * time.Hour
	// waitingKept is for how long a recovery that has waited long enough may be used.
	waitingKept = 7 * 24 * time.Hour

	mailReset MailPurpose = "reset"
)

// Waiting is a recovery of somebody who could prove one thing only.
type Waiting struct {
	UserID    string
	Stop      secret.Hash // of what stops it
	CreatedAt time.Time
	RipeAt    time.Time // from then on it counts as the second proof
	ExpiresAt time.Time
}

// Recovered is what a recovery changes.
type Recovered struct {
	UserID  string
	Version int64 // that the person had when they began
	Hash    string
	Reset   secret.ID // approval that is used up; zero: none
	Waited  bool      // a ripe Waiting is used up
	Lost    bool      // authenticator apps are removed
}

// RecoveryStore keeps what recovery needs.
type RecoveryStore interface {
	// Wait stores w unless the person waits already, and returns what counts.
	Wait(ctx context.Context, w Waiting) (Waiting, error)
	// Waiting returns ErrNotFound for who does not wait.
	Waiting(ctx context.Context, userID string, now time.Time) (Waiting, error)
	// StopWaiting ends it and every recovery of the person that is under way, and
	// says whose it was. ErrNotFound.
	StopWaiting(ctx context.Context, stop secret.Hash) (userID string, err error)
	// Recover sets the password and ends every session and grant, in one transaction
	// with what it uses up. ErrNotFound if anything of that is not there any more.
	Recover(ctx context.Context, r Recovered, now, keep time.Time) error
}

// RecoveryState is what a page may know of a recovery that is under way.
type RecoveryState struct {
	Ready     bool // a new password may be set
	Mail      bool // a code to the first address is still to be sent
	Code      bool // a code of an app, or a recovery code, would be the second proof
	Passkey   bool // the person has one: signing in with it is better
	Addresses []string
	MayWait   bool
	Wait      time.Duration
	RipeAt    time.Time // zero: the person does not wait
	Lost      bool      // a recovery code was used: an app that is lost may be removed
	Username  string

	user User
	r    recovery
}

// StartRecovery sends a code to whoever is meant by a name or a verified address,
// or to nobody, which shows and costs the same (AU05).
func (s *Service) StartRecovery(ctx context.Context, v *Visit, typed, flow string) error {
	return s.mailTo(ctx, v, MailRecover, typed, flow, false)
}

// RecoveryProven adds a code that came back to a recovery. The first one begins it:
// the person is told at all their addresses.
func (s *Service) RecoveryProven(ctx context.Context, v *Visit, sealed secret.Value, c MailCode) (secret.Value, error) {
	if c.UserID == "" || c.Purpose != MailRecover && c.Purpose != MailRecoverToo {
		return secret.Value{}, ErrCode
	}
	user, r, err := s.openRecovery(ctx, v, sealed)
	began := err == nil && user.ID == c.UserID
	if !began {
		if c.Purpose == MailRecoverToo {
			return secret.Value{}, ErrRecovery
		}
		if user, err = s.store.UserByID(ctx, c.UserID); err != nil {
			return secret.Value{}, ErrCode
		}
		if user.Disabled {
			return secret.Value{}, ErrCode
		}
		r = recovery{UserID: user.ID, Version: user.Version}
		s.Happened(ctx, user.ID, RecoveryStarted, v, "")
	}
	return s.sealRecovery(v, r.with(proofMail+foldAddress(c.Address)))
}

func (r recovery) with(proof string) recovery {
	if !slices.Contains(r.Proofs, proof) {
		r.Proofs = append(slices.Clone(r.Proofs), proof)
	}
	return r
}

func (s *Service) sealRecovery(v *Visit, r recovery) (secret.Value, error) {
	r.Browser, r.ExpiresAt = mark(v.Browser), s.now().Add(recoveryLife).Unix()
	return s.sealJSON(recoveryLabel, &r)
}

func (s *Service) openRecovery(ctx context.Context, v *Visit, sealed secret.Value) (User, recovery, error) {
	if sealed.IsZero() || s.ring == nil || v.Browser.IsZero() {
		return User{}, recovery{}, ErrRecovery
	}
	var r recovery
	plain, err := s.ring.Open(secret.PendingSignIn, recoveryLabel, sealed.Reveal())
	if err != nil || json.Unmarshal(plain, &r) != nil || r.Browser != mark(v.Browser) || s.now().Unix() >= r.ExpiresAt {
		return User{}, recovery{}, ErrRecovery
	}
	user, err := s.store.UserByID(ctx, r.UserID)
	if errors.Is(err, ErrNotFound) || err == nil && (user.Disabled || user.Version != r.Version) {
		return User{}, recovery{}, ErrRecovery
	}
	if err != nil {
		return User{}, recovery{}, fmt.Errorf("find user: %w", err)
	}
	return user, r, nil
}

// Recovering says how a recovery in this browser can go on, or ErrRecovery.
func (s *Service) Recovering(ctx context.Context, v *Visit, sealed secret.Value) (RecoveryState, error) {
	user, r, err := s.openRecovery(ctx, v, sealed)
	if err != nil {
		return RecoveryState{}, err
	}
	list, err := s.store.Addresses(ctx, user.ID)
	if err != nil {
		return RecoveryState{}, fmt.Errorf("find addresses: %w", err)
	}
	f, err := s.store.Factors(ctx, user.ID)
	if err != nil {
		return RecoveryState{}, fmt.Errorf("find factors: %w", err)
	}
	out := RecoveryState{Lost: r.Lost, Username: user.Username, user: user, r: r, Wait: s.recoveryWait, Passkey: f.Passkeys > 0}
	waited := false
	if w, err := s.store.Waiting(ctx, user.ID, s.now()); err == nil {
		out.RipeAt, waited = w.RipeAt, !s.now().Before(w.RipeAt)
	} else if !errors.Is(err, ErrNotFound) {
		return RecoveryState{}, fmt.Errorf("find waiting: %w", err)
	}
	admin := slices.Contains(r.Proofs, proofAdmin)
	reachable := false
	for _, a := range list {
		if a.Verified && s.mail {
			reachable = true
			if !slices.Contains(r.Proofs, proofMail+foldAddress(a.Address)) {
				out.Addresses = append(out.Addresses, a.Address)
			}
		}
	}
	n := len(r.Proofs)
	if waited && !admin {
		n++
	}
	// An administrator's word is enough alone only where no mail can be a second one.
	out.Ready = n >= 2 || admin && !reachable
	out.Mail = admin && !out.Ready
	out.Code = !out.Ready && f.Authenticators+f.RecoveryCodes > 0
	out.MayWait = !out.Ready && !admin && out.RipeAt.IsZero()
	return out, nil
}

// RecoverByMail sends a code to the n-th of RecoveryState.Addresses.
func (s *Service) RecoverByMail(ctx context.Context, v *Visit, sealed secret.Value, n int, flow string) error {
	r, err := s.Recovering(ctx, v, sealed)
	if err != nil {
		return err
	}
	if n < 0 || n >= len(r.Addresses) {
		return ErrNotFound
	}
	a := r.Addresses[n]
	return s.StartMail(ctx, v, MailAsk{Purpose: MailRecoverToo, UserID: r.user.ID, Address: a, Typed: a, Flow: flow})
}

// RecoverWithCode takes a code of an authenticator app or a recovery code as a
// proof. Errors as WithCode, and ErrRecovery.
func (s *Service) RecoverWithCode(ctx context.Context, v *Visit, sealed secret.Value, code string) (secret.Value, error) {
	r, err := s.Recovering(ctx, v, sealed)
	if err != nil {
		return secret.Value{}, err
	}
	if !r.Code {
		return secret.Value{}, ErrWrongCredentials
	}
	m, err := s.checkCode(ctx, *v, r.user, []Method{TOTP, Recovery}, code)
	if err != nil {
		return secret.Value{}, err
	}
	next := r.r.with(proofCode)
	next.Lost = next.Lost || m == Recovery
	return s.sealRecovery(v, next)
}

// WaitForRecovery begins the time after which one proof is enough. Every address of
// the person hears of it, with a link that stops it.
func (s *Service) WaitForRecovery(ctx context.Context, v *Visit, sealed secret.Value) (time.Time, error) {
	r, err := s.Recovering(ctx, v, sealed)
	if err != nil {
		return time.Time{}, err
	}
	if !r.MayWait {
		return r.RipeAt, nil
	}
	now := seconds(s.now())
	stop := secret.NewHandle(secret.PendingSignIn)
	w := Waiting{UserID: r.user.ID, Stop: stop.Hash(), CreatedAt: now, RipeAt: now.Add(s.recoveryWait), ExpiresAt: now.Add(s.recoveryWait + waitingKept)}
	stands, err := s.store.Wait(ctx, w)
	if err != nil {
		return time.Time{}, fmt.Errorf("wait for recovery: %w", err)
	}
	if !stands.Stop.Equal(w.Stop) {
		return stands.RipeAt, nil
	}
	return w.RipeAt, s.Write(ctx, Letter{
		UserID: r.user.ID, Kind: "recovery_waiting", Locale: v.Locale, Until: w.RipeAt,
		Params: map[string]string{"device": v.Device, "place": s.place(v.Remote)}, Secret: secret.New(s.issuer + "/login/recover/stop?token=" + stop.Reveal()),
	})
}

// StopRecovery ends the recovery of who waits, and every one of theirs that is under
// way. It needs nothing but the link, so that the person can do it from anywhere.
func (s *Service) StopRecovery(ctx context.Context, v *Visit, stop secret.Value) error {
	userID, err := s.store.StopWaiting(ctx, stop.Hash())
	if errors.Is(err, ErrNotFound) {
		return ErrCode
	}
	if err != nil {
		return fmt.Errorf("stop recovery: %w", err)
	}
	s.Happened(ctx, userID, RecoveryStopped, v, "")
	return nil
}

// FinishRecovery sets a new password once two things are proven, and ends every
// session. It signs nobody in: the person does that as always, with the second
// factor that they have (AU12). lost removes authenticator apps, for who has shown
// a recovery code. *InvalidError for the password, ErrNotProven, ErrRecovery.
func (s *Service) FinishRecovery(ctx context.Context, v *Visit, sealed secret.Value, password secret.Value, lost bool) error {
	r, err := s.Recovering(ctx, v, sealed)
	if err != nil {
		return err
	}
	if !r.Ready {
		return ErrNotProven
	}
	hash, err := s.hashNew(ctx, password, r.user)
	if err != nil {
		return err
	}
	done := Recovered{UserID: r.user.ID, Version: r.r.Version, Hash: hash, Lost: lost && r.r.Lost, Waited: len(r.r.Proofs) < 2 && r.r.Reset == ""}
	if r.r.Reset != "" {
		if done.Reset, err = secret.ParseID(r.r.Reset); err != nil {
			return ErrRecovery
		}
	}
	now := s.now()
	err = s.store.Recover(ctx, done, now, token.KeepRevocation(now))
	if errors.Is(err, ErrNotFound) {
		return ErrRecovery
	}
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if done.Lost {
		s.Happened(ctx, r.user.ID, FactorRemoved, v, "")
	}
	s.Happened(ctx, r.user.ID, RecoveryDone, v, "")
	return nil
}

// StartReset makes an administrator's approval to choose a new password: a token
// that ResetLink makes a link of. Where mail reaches the person, they prove that too.
// It replaces the one before. The administrator chooses no password (AU12).
func (s *Service) StartReset(ctx context.Context, userID string) (secret.Value, error) {
	now := seconds(s.now())
	link := secret.NewHandle(secret.PendingSignIn)
	c := MailCode{
		ID: secret.NewID(s.now()), Purpose: mailReset, UserID: userID, Link: link.Hash(), Browser: "reset " + userID, Tries: 0,
		CreatedAt: now, ExpiresAt: now.Add(ResetLife),
	}
	if err := s.store.StartMail(ctx, c, Letter{}); err != nil {
		return secret.Value{}, fmt.Errorf("start reset: %w", err)
	}
	return link, nil
}

// ResetLink is where an approval is opened.
func (s *Service) ResetLink(link secret.Value) string {
	return s.issuer + "/login/recover?reset=" + link.Reveal()
}

// MailReset is StartReset with a mail to the person's addresses, and returns the link.
func (s *Service) MailReset(ctx context.Context, userID string) (secret.Value, error) {
	token, err := s.StartReset(ctx, userID)
	if err != nil {
		return secret.Value{}, err
	}
	link := secret.New(s.ResetLink(token))
	return link, s.Write(ctx, Letter{UserID: userID, Kind: "reset", Secret: link, Until: seconds(s.now()).Add(ResetLife)})
}

// OpenReset takes an approval into this browser, which uses nothing up. ErrCode if it
// does not stand.
func (s *Service) OpenReset(ctx context.Context, v *Visit, link secret.Value) (secret.Value, error) {
	c, err := s.store.MailByLink(ctx, link.Hash(), s.now())
	if errors.Is(err, ErrNotFound) || err == nil && c.Purpose != mailReset {
		return secret.Value{}, ErrCode
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("find reset: %w", err)
	}
	user, err := s.store.UserByID(ctx, c.UserID)
	if err != nil || user.Disabled {
		return secret.Value{}, ErrCode
	}
	return s.sealRecovery(v, recovery{UserID: user.ID, Version: user.Version, Proofs: []string{proofAdmin}, Reset: c.ID.String()})
}

// Masked shows enough of an address for its owner to know which it is.
func Masked(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	if len(local) > 1 {
		local = local[:1] + "…"
	}
	return local + "@" + domain
}
