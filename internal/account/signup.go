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
)

// SignUp says who may open an account by themselves.
type SignUp string

// Who may.
const (
	SignUpOff        SignUp = ""           // nobody
	SignUpInvitation SignUp = "invitation" // who has an invitation
	SignUpDomains    SignUp = "domains"    // and who has an address of certain domains
	SignUpOpen       SignUp = "open"       // everybody with an address
)

// Invitation lets somebody open an account, once.
type Invitation struct {
	ID        secret.ID
	Hash      secret.Hash
	Address   string // theirs; empty: any
	CreatedAt time.Time
	ExpiresAt time.Time
}

// InvitationLife is for how long an invitation stands.
const InvitationLife = 7 * 24 * time.Hour

// SignUpStore keeps invitations and who comes by them.
type SignUpStore interface {
	AddInvitation(ctx context.Context, i Invitation) error
	// InvitationByHash returns one that stands, or ErrNotFound.
	InvitationByHash(ctx context.Context, h secret.Hash, now time.Time) (Invitation, error)
	// SignUp adds a person with a verified address, and uses the invitation up unless
	// it is zero: ErrNotFound if it no longer stands. ErrExists for the name,
	// ErrAddressTaken for the address.
	SignUp(ctx context.Context, u User, invitation secret.ID) error
}

// ErrClosed: this person may not open an account here.
var ErrClosed = errors.New("nobody may sign up like this")

// newcomer is who is about to open an account. It is sealed, and travels in a cookie.
type newcomer struct {
	Invitation string `json:"i,omitempty"`
	Invited    string `json:"a,omitempty"` // the address that the invitation is for
	Address    string `json:"v,omitempty"` // that they have proven to be theirs
	Browser    string `json:"b"`
	ExpiresAt  int64  `json:"e"`
}

const (
	newcomerLabel = "account newcomer"
	newcomerLife  = 30 * time.Minute
)

// Applicant is what a page may know of who is about to open an account.
type Applicant struct {
	Invited bool
	Address string // that the invitation is for, or that is proven
	Proven  bool
}

// SignUpMode says who may open an account.
func (s *Service) SignUpMode() SignUp {
	if !s.mail {
		return SignUpOff
	}
	return s.signUp
}

// Invite makes an invitation, for one address or for whoever has the link. It is
// also mailed where mailed is true.
func (s *Service) Invite(ctx context.Context, address string, mailed bool) (secret.Value, error) {
	if address != "" {
		if _, err := FoldAddress(address); err != nil {
			return secret.Value{}, err
		}
	}
	now := seconds(s.now())
	token := secret.NewHandle(secret.PendingSignIn)
	i := Invitation{ID: secret.NewID(s.now()), Hash: token.Hash(), Address: address, CreatedAt: now, ExpiresAt: now.Add(InvitationLife)}
	if err := s.store.AddInvitation(ctx, i); err != nil {
		return secret.Value{}, fmt.Errorf("invite: %w", err)
	}
	link := secret.New(s.InvitationLink(token))
	if !mailed {
		return link, nil
	}
	return link, s.Write(ctx, Letter{Address: address, Kind: "invitation", Secret: link, Until: i.ExpiresAt})
}

// InvitationLink is where an invitation is opened.
func (s *Service) InvitationLink(token secret.Value) string {
	return s.issuer + "/login/sign-up?invitation=" + token.Reveal()
}

// Invited takes an invitation into this browser, which uses nothing up. ErrClosed
// if it does not stand.
func (s *Service) Invited(ctx context.Context, v *Visit, token secret.Value) (secret.Value, error) {
	i, err := s.store.InvitationByHash(ctx, token.Hash(), s.now())
	if errors.Is(err, ErrNotFound) || s.SignUpMode() == SignUpOff {
		return secret.Value{}, ErrClosed
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("find invitation: %w", err)
	}
	return s.sealNewcomer(v, newcomer{Invitation: i.ID.String(), Invited: i.Address})
}

func (s *Service) sealNewcomer(v *Visit, n newcomer) (secret.Value, error) {
	n.Browser, n.ExpiresAt = mark(v.Browser), s.now().Add(newcomerLife).Unix()
	return s.sealJSON(newcomerLabel, &n)
}

func (s *Service) sealJSON(label string, v any) (secret.Value, error) {
	if s.ring == nil {
		return secret.Value{}, errors.New("this needs a key ring")
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return secret.Value{}, err
	}
	return s.ring.Seal(secret.PendingSignIn, label, plain)
}

// openNewcomer returns nothing for what is not of this browser, or too old.
func (s *Service) openNewcomer(v *Visit, sealed secret.Value) newcomer {
	var n newcomer
	if sealed.IsZero() || s.ring == nil || v.Browser.IsZero() {
		return newcomer{}
	}
	plain, err := s.ring.Open(secret.PendingSignIn, newcomerLabel, sealed.Reveal())
	if err != nil || json.Unmarshal(plain, &n) != nil || n.Browser != mark(v.Browser) || s.now().Unix() >= n.ExpiresAt {
		return newcomer{}
	}
	return n
}

// Applicant is who is about to open an account in this browser.
func (s *Service) Applicant(v *Visit, sealed secret.Value) Applicant {
	n := s.openNewcomer(v, sealed)
	if n.Address != "" {
		return Applicant{n.Invitation != "", n.Address, true}
	}
	return Applicant{n.Invitation != "", n.Invited, false}
}

// StartSignUp sends a code to an address, for an account that is to be opened. If
// somebody has an account with it already, the mail says so, and the page does not
// (AU05). ErrClosed if such an address may not sign up.
func (s *Service) StartSignUp(ctx context.Context, v *Visit, sealed secret.Value, address, flow string) error {
	n := s.openNewcomer(v, sealed)
	if n.Invited != "" {
		address = n.Invited
	}
	folded, err := FoldAddress(address)
	if err != nil {
		return err
	}
	if !s.mayOpen(n, folded) {
		return ErrClosed
	}
	ask := MailAsk{Purpose: MailSignUp, Address: address, Typed: address, Flow: flow}
	_, err = s.store.PersonByAddress(ctx, folded)
	switch {
	case err == nil:
		ask.Instead = "sign_up_taken"
	case !errors.Is(err, ErrNotFound):
		return fmt.Errorf("find person: %w", err)
	}
	return s.StartMail(ctx, v, ask)
}

func (s *Service) mayOpen(n newcomer, folded string) bool {
	if n.Invited != "" && foldAddress(n.Invited) != folded { // proven before the invitation was opened
		return false
	}
	switch s.SignUpMode() {
	case SignUpOpen:
		return true
	case SignUpDomains:
		_, domain, _ := strings.Cut(folded, "@")
		return n.Invitation != "" || slices.Contains(s.signUpDomains, domain)
	case SignUpInvitation:
		return n.Invitation != ""
	}
	return false
}

// SignUpProven notes that an address is the newcomer's.
func (s *Service) SignUpProven(v *Visit, sealed secret.Value, c MailCode) (secret.Value, error) {
	if c.Purpose != MailSignUp {
		return secret.Value{}, ErrCode
	}
	n := s.openNewcomer(v, sealed)
	n.Address = c.Address
	return s.sealNewcomer(v, n)
}

// SignUp opens an account and signs its person in, as after a password. It returns
// *InvalidError, ErrExists for a name that is taken, ErrClosed if there is no
// proven address or it may no longer sign up, ErrAddressTaken.
func (s *Service) SignUp(ctx context.Context, v Visit, sealed secret.Value, add NewUser) (Progress, error) {
	n := s.openNewcomer(&v, sealed)
	folded, err := FoldAddress(n.Address)
	if err != nil || !s.mayOpen(n, folded) {
		return Progress{}, ErrClosed
	}
	if add.Username == "" {
		add.Username = folded
	}
	name, err := FoldUsername(add.Username)
	if err != nil {
		return Progress{}, err
	}
	if strings.Contains(name, "@") && name != folded { // it would be taken for somebody else's address
		return Progress{}, &InvalidError{Field: "username", Reason: "address", Problem: "is an address that is not yours"}
	}
	add.Email, add.EmailVerified = n.Address, true
	u, err := s.newUser(ctx, add)
	if err != nil {
		return Progress{}, err
	}
	u.Locale = v.Locale
	var invitation secret.ID
	if n.Invitation != "" {
		if invitation, err = secret.ParseID(n.Invitation); err != nil {
			return Progress{}, ErrClosed
		}
	}
	err = s.store.SignUp(ctx, u, invitation)
	if errors.Is(err, ErrNotFound) {
		return Progress{}, ErrClosed
	}
	if err != nil {
		return Progress{}, fmt.Errorf("sign up: %w", err)
	}
	return s.prove(ctx, v, u, Password)
}
