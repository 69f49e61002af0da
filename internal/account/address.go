package account

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
)

// Address is a mail address of a person.
type Address struct {
	Address   string
	Primary   bool // apps are told this one
	Verified  bool // the person has proven that mail there reaches them
	CreatedAt time.Time
}

// MostAddresses is how many a person may have.
const MostAddresses = 10

// What the store says of addresses.
var (
	// ErrAddressTaken: somebody else has proven that it is theirs.
	ErrAddressTaken = errors.New("the address is somebody else's")
)

// AddressStore keeps the addresses of people. folded is what FoldAddress returns.
type AddressStore interface {
	// Addresses lists them, the primary one first. Nobody has none.
	Addresses(ctx context.Context, userID string) ([]Address, error)
	// PersonByAddress finds who has proven that an address is theirs, or ErrNotFound:
	// also if it is not clear who.
	PersonByAddress(ctx context.Context, folded string) (User, error)
	// AddAddress adds one that nobody has made sure of. ErrExists, ErrTooMany.
	AddAddress(ctx context.Context, userID, address string, now time.Time) error
	// VerifyAddress notes that it is theirs. Of several people who have the same
	// address one succeeds, the others get ErrAddressTaken. ErrNotFound if it is gone.
	VerifyAddress(ctx context.Context, userID, address string, now time.Time) error
	// SetPrimary makes a verified address the primary one; the one before stays.
	SetPrimary(ctx context.Context, userID, address string, now time.Time) error
	// RemoveAddress removes one that is not the primary, and every code that was sent
	// there. With a verified one, recoveries and sign-ins that are under way end.
	// ErrNotFound.
	RemoveAddress(ctx context.Context, userID, address string) error
}

// FoldAddress returns the form by which addresses are compared, or *InvalidError
// for what is no plain ASCII address.
func FoldAddress(address string) (string, error) {
	a, err := mail.ParseAddress(address)
	if err != nil || a.Name != "" || a.Address != address || len(address) > maxEmail ||
		strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`<>(),;:\"[]`, c) }) {
		return "", &InvalidError{Field: "email", Reason: "form", Problem: "is not an address"}
	}
	return foldAddress(address), nil
}

func foldAddress(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Addresses lists a person's, the primary one first.
func (s *Service) Addresses(ctx context.Context, userID string) ([]Address, error) {
	return s.store.Addresses(ctx, userID)
}

// AddAddress adds an address and sends a code there. It counts for nothing until
// the code comes back. Whether somebody else has it is not said.
func (s *Service) AddAddress(ctx context.Context, v *Visit, userID, address string) error {
	if _, err := FoldAddress(address); err != nil {
		return err
	}
	err := s.store.AddAddress(ctx, userID, address, seconds(s.now()))
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("add address: %w", err)
	}
	return s.ProveAddress(ctx, v, userID, address)
}

// ProveAddress sends a code to an address of a person that is not verified.
// ErrNotFound if it is none of theirs.
func (s *Service) ProveAddress(ctx context.Context, v *Visit, userID, address string) error {
	a, err := s.address(ctx, userID, address)
	if err != nil {
		return err
	}
	if a.Verified {
		return nil
	}
	return s.StartMail(ctx, v, MailAsk{Purpose: MailAddress, UserID: userID, Address: a.Address, Typed: a.Address})
}

func (s *Service) address(ctx context.Context, userID, address string) (Address, error) {
	list, err := s.store.Addresses(ctx, userID)
	if err != nil {
		return Address{}, fmt.Errorf("find address: %w", err)
	}
	for _, a := range list {
		if foldAddress(a.Address) == foldAddress(address) {
			return a, nil
		}
	}
	return Address{}, ErrNotFound
}

// AddressProven notes that a code which was sent to an address came back. All the
// addresses that were proven before are told.
func (s *Service) AddressProven(ctx context.Context, v *Visit, userID string, c MailCode) error {
	if c.Purpose != MailAddress || c.UserID != userID {
		return ErrCode
	}
	if err := s.store.VerifyAddress(ctx, userID, c.Address, seconds(s.now())); err != nil {
		return fmt.Errorf("verify address: %w", err)
	}
	s.Happened(ctx, userID, AddressAdded, v, c.Address)
	return nil
}

// SetPrimary makes a verified address the one that apps are told.
func (s *Service) SetPrimary(ctx context.Context, v *Visit, userID, address string) error {
	if err := s.store.SetPrimary(ctx, userID, address, seconds(s.now())); err != nil {
		return fmt.Errorf("set primary address: %w", err)
	}
	s.Happened(ctx, userID, AddressAdded, v, address)
	return nil
}

// RemoveAddress removes an address that is not the primary one. It is told itself
// as well, if it was verified: whoever reads it may be the person who is robbed.
func (s *Service) RemoveAddress(ctx context.Context, v *Visit, userID, address string) error {
	a, err := s.address(ctx, userID, address)
	if err != nil {
		return err
	}
	if err := s.store.RemoveAddress(ctx, userID, a.Address); err != nil {
		return fmt.Errorf("remove address: %w", err)
	}
	s.Happened(ctx, userID, AddressRemoved, v, a.Address)
	if !a.Verified {
		return nil
	}
	return s.Write(ctx, Letter{
		UserID: userID, Address: a.Address, Kind: string(AddressRemoved), Locale: v.Locale,
		Params: map[string]string{"device": v.Device, "place": s.place(v.Remote)},
	})
}

// person finds who is meant by a name or a verified address, and where mail to them
// goes. It asks the same of the store whether there is anybody or not.
func (s *Service) person(ctx context.Context, typed string) (u User, address string, err error) {
	folded, err := FoldUsername(strings.TrimSpace(typed))
	if err != nil {
		folded = "\x00"
	}
	byName, nameErr := s.store.UserByName(ctx, folded)
	byAddress, addressErr := s.store.PersonByAddress(ctx, foldAddress(typed))
	for _, err := range []error{nameErr, addressErr} {
		if err != nil && !errors.Is(err, ErrNotFound) {
			return User{}, "", fmt.Errorf("find person: %w", err)
		}
	}
	switch {
	case nameErr == nil:
		u = byName
	case addressErr == nil:
		u = byAddress
	}
	list, err := s.store.Addresses(ctx, u.ID)
	if err != nil {
		return User{}, "", fmt.Errorf("find addresses: %w", err)
	}
	for _, a := range list {
		if a.Verified && (address == "" || foldAddress(a.Address) == foldAddress(typed)) {
			address = a.Address
		}
	}
	if u.Disabled {
		address = ""
	}
	return u, address, nil
}

// mailTo starts a code for whoever is meant, or for nobody.
func (s *Service) mailTo(ctx context.Context, v *Visit, p MailPurpose, typed, flow string, keep bool) error {
	if len(typed) > maxTyped {
		typed = typed[:maxTyped]
	}
	u, address, err := s.person(ctx, typed)
	if err != nil {
		return err
	}
	ask := MailAsk{Purpose: p, UserID: u.ID, Address: address, Typed: typed, Flow: flow, Keep: keep}
	if address == "" {
		ask.UserID, ask.Nobody = "", true
	}
	return s.StartMail(ctx, v, ask)
}

const maxTyped = 320

// MaySignInByMail reports whether a code by mail may take the place of the password.
func (s *Service) MaySignInByMail() bool { return s.mail && s.mailSignIn }

// MayRecover reports whether people can recover their accounts by themselves.
func (s *Service) MayRecover() bool { return s.mail }

// StartMailSignIn sends a code to sign in with to whoever is meant by a name or an
// address. It says nothing of whether there is such a person (AU05).
func (s *Service) StartMailSignIn(ctx context.Context, v *Visit, typed, flow string) error {
	return s.mailTo(ctx, v, MailSignIn, typed, flow, v.Demand.Keep)
}

// SignInByMail goes on with a code that came back. It is a first step and never a
// second factor (AU11).
func (s *Service) SignInByMail(ctx context.Context, v Visit, c MailCode) (Progress, error) {
	if c.Purpose != MailSignIn || c.UserID == "" || !s.MaySignInByMail() {
		return Progress{}, ErrCode
	}
	user, err := s.store.UserByID(ctx, c.UserID)
	if errors.Is(err, ErrNotFound) {
		return Progress{}, ErrCode
	}
	if err != nil {
		return Progress{}, fmt.Errorf("find user: %w", err)
	}
	return s.prove(ctx, v, user, Email)
}
