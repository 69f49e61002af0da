package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func (p *program) userCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:     "user",
		Short:   "Add, list, change, delete, import and export people",
		Long:    "These commands work on the store, whether the server runs or not. What ends tokens is in force within a second.",
		Example: "  sallyport user add ada --generate-password\n  sallyport user list --json",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	one := func(use, short, example string, f func(context.Context, *account.Service, account.User) error, done string) *cobra.Command {
		return &cobra.Command{
			Use: use + " NAME", Short: short, Example: example, Args: oneArg("NAME"),
			RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
				u, err := a.userNamed(ctx, args[0])
				if err != nil {
					return err
				}
				if err := f(ctx, a.accounts(), u); err != nil {
					return err
				}
				return a.print(map[string]string{"username": u.Username, "done": use}, "%s "+done, u.Username)
			}),
		}
	}
	gone := one("delete", "Delete a person, and end all they have", "  sallyport user delete ada",
		func(ctx context.Context, s *account.Service, u account.User) error { return s.DeleteUser(ctx, u.ID) },
		"is deleted; all sessions and tokens end within a second")
	gone.Aliases = []string{"remove"} // as it was called before
	cmd.AddCommand(
		p.userAdd(t), p.userList(t), p.userShow(t), p.userSetPassword(t),
		one("disable", "Keep a person from signing in, and end all they have", "  sallyport user disable ada",
			func(ctx context.Context, s *account.Service, u account.User) error {
				return s.SetDisabled(ctx, u.ID, true)
			},
			"is disabled; all sessions and tokens end within a second"),
		one("enable", "Let a disabled person sign in again", "  sallyport user enable ada",
			func(ctx context.Context, s *account.Service, u account.User) error {
				return s.SetDisabled(ctx, u.ID, false)
			},
			"can sign in again"),
		one("logout", "Sign a person out everywhere, and end the access of every app", "  sallyport user logout ada",
			func(ctx context.Context, s *account.Service, u account.User) error { return s.EndSessions(ctx, u.ID) },
			"is signed out everywhere; all sessions and tokens end within a second"),
		p.userLogoutAll(t), p.userPasswords(),
		gone, p.userReset(t), p.userInvite(t), p.userImport(t), p.userExport(t),
	)
	return cmd
}

func (a *admin) accounts() *account.Service {
	return account.New(account.Options{Store: a.store.Account(), Now: a.now})
}

// accountsWithRing returns the service for what makes password hashes or tickets.
func (a *admin) accountsWithRing(ctx context.Context) (*account.Service, error) {
	lists, err := a.config.breachedFilters()
	if err != nil {
		return nil, err
	}
	master, err := a.config.master()
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	ring, err := token.OpenRing(ctx, a.store.Keys(), master, a.now)
	if err != nil {
		return nil, a.config.explainMaster(err)
	}
	return account.New(a.config.letters(account.Options{Store: a.store.Account(), Now: a.now, Ring: ring, Breached: lists})), nil
}

func (a *admin) userNamed(ctx context.Context, name string) (account.User, error) {
	u, err := a.accounts().UserByName(ctx, name)
	if errors.Is(err, account.ErrNotFound) {
		return u, refusef("there is no user %q", name)
	}
	return u, err
}

// userView is a person in listings.
type userView struct {
	ID            string `json:"id"`
	Username      string `json:"username"`
	Name          string `json:"name,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified"`
	Disabled      bool   `json:"disabled"`
	CreatedAt     string `json:"created_at"`
	Password      string `json:"password,omitempty"` // only when it was drawn just now
}

func viewUser(u account.User) userView {
	return userView{u.ID, u.Username, u.Name, u.Email, u.EmailVerified, u.Disabled, moment(u.CreatedAt), ""}
}

// ruled turns what the rules of accounts forbid into a refusal.
func ruled(err error) error {
	var invalid *account.InvalidError
	if errors.As(err, &invalid) {
		return refuse(invalid)
	}
	return err
}

func (p *program) userAdd(t *target) *cobra.Command {
	var n account.NewUser
	var from passwordSource
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a person",
		Long:  "Add a person. A password has at least 15 characters and is not one that everybody tries first.",
		Example: "  sallyport user add ada --name \"Ada Lovelace\" --generate-password\n" +
			"  sallyport user add ada --password-stdin < password",
		Args: oneArg("NAME"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			password, drawn, err := from.read(p)
			if err != nil {
				return err
			}
			n.Username, n.Password = args[0], password
			accounts, err := a.accountsWithRing(ctx)
			if err != nil {
				return err
			}
			u, err := accounts.AddUser(ctx, n)
			if errors.Is(err, account.ErrExists) {
				return refusef("there is a user %q already", args[0])
			}
			if err != nil {
				return ruled(err)
			}
			return a.printUser(u, "added "+u.Username, password, drawn)
		}),
	}
	from.flags(cmd)
	cmd.Flags().StringVar(&n.Name, "name", "", "full `NAME`, shown to apps with the scope profile")
	cmd.Flags().StringVar(&n.Email, "email", "", "e-mail `ADDRESS`")
	cmd.Flags().BoolVar(&n.EmailVerified, "email-verified", false, "somebody has made sure that the address is theirs")
	return cmd
}

// printUser says what was done, and the password if it was drawn here: nobody
// else knows it.
func (a *admin) printUser(u account.User, done string, password secret.Value, drawn bool) error {
	v := viewUser(u)
	if !drawn {
		return a.print(v, "%s", done)
	}
	v.Password = password.Reveal()
	return a.print(v, "%s\npassword: %s", done, v.Password)
}

func (p *program) userSetPassword(t *target) *cobra.Command {
	var from passwordSource
	cmd := &cobra.Command{
		Use:     "set-password NAME",
		Short:   "Set a new password, and end all sessions and tokens",
		Long:    "Set a new password, and end all sessions and tokens. A password has at least 15 characters.",
		Example: "  sallyport user set-password ada\n  sallyport user set-password ada --generate-password",
		Args:    oneArg("NAME"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			u, err := a.userNamed(ctx, args[0])
			if err != nil {
				return err
			}
			password, drawn, err := from.read(p)
			if err != nil {
				return err
			}
			accounts, err := a.accountsWithRing(ctx)
			if err != nil {
				return err
			}
			if err := accounts.SetPassword(ctx, u.ID, password); err != nil {
				return ruled(err)
			}
			return a.printUser(u, u.Username+" has a new password; all sessions and tokens end within a second", password, drawn)
		}),
	}
	from.flags(cmd)
	return cmd
}
