package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"

	"sallyport/internal/passhash"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Newcomer is a person from another system.
type Newcomer struct {
	User                        // ID may be empty: a new one; PasswordHash is not read
	Password   passhash.Foreign // zero: none
	ForceReset bool             // leave the password behind
}

// ImportMode says what to do about people who are there already.
type ImportMode struct {
	Update bool // change them; otherwise they stay as they are
	DryRun bool // only say what would become of each
}

// Import takes people in, in one transaction: all of them or nobody. It says what
// became of each, with *InvalidError in place of a result for one that breaks the
// rules, who is left out. Hashes that are too weak to be kept are hashed once more, which
// costs what a sign-in costs.
func (s *Service) Import(ctx context.Context, list []Newcomer, mode ImportMode) ([]ImportResult, []error, error) {
	results, problems := make([]ImportResult, len(list)), make([]error, len(list))
	users := make([]User, len(list))
	for i := range list {
		users[i], problems[i] = s.newcomer(&list[i])
	}
	if mode.DryRun {
		return results, problems, s.wouldImport(ctx, users, problems, mode, results)
	}
	if err := s.hashWeak(ctx, list, users, problems); err != nil {
		return nil, nil, err
	}
	var good []User
	var at []int
	for i := range users {
		if problems[i] != nil {
			results[i] = Invalid
			continue
		}
		good, at = append(good, users[i]), append(at, i)
	}
	now := s.now()
	done, err := s.store.ImportUsers(ctx, good, mode.Update, now, token.KeepRevocation(now))
	if err != nil {
		return nil, nil, fmt.Errorf("import people: %w", err)
	}
	for i, r := range done {
		results[at[i]] = r
	}
	return results, problems, nil
}

// newcomer is the person as stored, but for a weak hash.
func (s *Service) newcomer(n *Newcomer) (User, error) {
	now := s.now()
	u := n.User
	u.Username, u.Name, u.PasswordHash = norm.NFC.String(u.Username), norm.NFC.String(u.Name), ""
	u.EmailVerified = u.EmailVerified && u.Email != ""
	u.Locale = localeOf(u.Locale)
	if u.ID == "" {
		u.ID = secret.NewID(now).String()
	}
	if u.CreatedAt = seconds(u.CreatedAt.UTC()); u.CreatedAt.Unix() <= 0 || u.CreatedAt.After(now) {
		u.CreatedAt = seconds(now)
	}
	if err := checkUser(u); err != nil {
		return u, err
	}
	if !goodID(u.ID) {
		return u, invalid("id", "form", "has more than 64 characters, or others than letters, digits, - and _")
	}
	if n.ForceReset {
		n.Password = passhash.Foreign{}
	}
	if h := n.Password.Hash; h != nil {
		if !s.hasher.fits(h) {
			return u, invalid("password", "form", "was hashed with a key that is not here: import without the hash")
		}
		u.PasswordHash = h.String()
	}
	return u, nil
}

// goodID: an account ID travels in tokens and subjects.
func goodID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") == ""
}

// localeOf is tag if it looks like one.
func localeOf(tag string) string {
	tag = strings.ReplaceAll(tag, "_", "-")
	if len(tag) > 35 || strings.Trim(tag, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") != "" {
		return ""
	}
	return tag
}

// hashWeak hashes what must not be stored as it is, as many at once as the hasher
// allows.
func (s *Service) hashWeak(ctx context.Context, list []Newcomer, users []User, problems []error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(list))
	for i := range list {
		w := list[i].Password.Weak
		if w == nil || problems[i] != nil {
			continue
		}
		wg.Go(func() {
			var h passhash.Hash
			err := s.hasher.run(ctx, "import", func() { h, errs[i] = w.Wrap(s.hasher.params, s.hasher.pepper) })
			if errs[i] = errors.Join(errs[i], err); errs[i] == nil {
				users[i].PasswordHash = h.String()
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("hash passwords: %w", err)
	}
	return nil
}

func (s *Service) wouldImport(ctx context.Context, users []User, problems []error, mode ImportMode, results []ImportResult) error {
	for i, u := range users {
		if problems[i] != nil {
			results[i] = Invalid
			continue
		}
		folded, _ := FoldUsername(u.Username) // checked
		_, err := s.store.UserByName(ctx, folded)
		switch {
		case errors.Is(err, ErrNotFound):
			results[i] = Imported
			if _, err := s.store.UserByID(ctx, u.ID); err == nil {
				results[i] = IDTaken
			}
		case err != nil:
			return fmt.Errorf("find user: %w", err)
		case mode.Update:
			results[i] = Updated
		default:
			results[i] = Unchanged
		}
	}
	return nil
}

// ListUsers lists people, see UserFilter.
func (s *Service) ListUsers(ctx context.Context, f UserFilter) ([]User, error) {
	f.Text = strings.ToLower(norm.NFC.String(f.Text))
	return s.store.ListUsers(ctx, f)
}

// Use returns how somebody's account is used, and what they can prove who they are with.
func (s *Service) Use(ctx context.Context, userID string) (UserUse, Factors, error) {
	use, err := s.store.UserUse(ctx, userID)
	if err != nil {
		return use, Factors{}, err
	}
	f, err := s.store.Factors(ctx, userID)
	return use, f, err
}

// ClearPassword takes the password of a person away and ends all that they have, so that
// only another way in or recovery is left. ErrNotFound for nobody.
func (s *Service) ClearPassword(ctx context.Context, userID string) error {
	now := s.now()
	if err := s.store.SetPassword(ctx, userID, "", now, token.KeepRevocation(now)); err != nil {
		return fmt.Errorf("clear password: %w", err)
	}
	return nil
}

// HashScheme names how a password is kept, for people; empty: there is none.
func HashScheme(stored string) string {
	if stored == "" {
		return ""
	}
	h, err := passhash.Parse(stored)
	if err != nil {
		return "unusable"
	}
	return h.Scheme()
}
