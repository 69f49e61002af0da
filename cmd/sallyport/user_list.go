package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
)

func (p *program) userList(t *target) *cobra.Command {
	var f account.UserFilter
	var disabled, enabled bool
	cmd := &cobra.Command{
		Use: "list", Short: "List people, by name",
		Example: "  sallyport user list\n  sallyport user list --search example.com --disabled\n  sallyport user list --limit 100 --after grace",
		Args:    noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			if disabled || enabled {
				f.Disabled = &disabled
			}
			var err error
			if f.After != "" {
				if f.After, err = account.FoldUsername(f.After); err != nil {
					return ruled(err)
				}
			}
			users, err := a.accounts().ListUsers(ctx, f)
			if err != nil {
				return err
			}
			return a.printUsers(users, f)
		}),
	}
	cmd.Flags().StringVar(&f.Text, "search", "", "only those with `TEXT` in their username, name or address")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "only those who are disabled")
	cmd.Flags().BoolVar(&enabled, "enabled", false, "only those who are not")
	cmd.Flags().IntVar(&f.Limit, "limit", 0, "at most `N`; 0: everybody")
	cmd.Flags().StringVar(&f.After, "after", "", "those behind this `NAME`, for the next page")
	cmd.MarkFlagsMutuallyExclusive("disabled", "enabled")
	return cmd
}

func (a *admin) printUsers(users []account.User, f account.UserFilter) error {
	views := make([]userView, 0, len(users))
	for _, u := range users {
		views = append(views, viewUser(u))
	}
	if a.asJSON {
		return a.print(views, "")
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USERNAME\tNAME\tDISABLED\tCREATED")
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%t\t%s\n", v.Username, v.Name, v.Disabled, v.CreatedAt)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if n := len(users); f.Limit > 0 && n == f.Limit {
		fmt.Fprintf(a.stderr, "there may be more: --after %s\n", users[n-1].Username)
	}
	return nil
}

// userDetails is what show knows beside the listing.
type userDetails struct {
	userView
	PasswordScheme string `json:"password_scheme,omitempty"` // nothing: no password
	Passkeys       int    `json:"passkeys"`
	Authenticators int    `json:"authenticators"`
	RecoveryCodes  int    `json:"recovery_codes"`
	Identities     int    `json:"identities"`
	Sessions       int    `json:"sessions"`
	LastSeen       string `json:"last_seen,omitempty"`
}

func (p *program) userShow(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a person, how they sign in and when they did", Example: "  sallyport user show ada --json", Args: oneArg("NAME"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			u, err := a.userNamed(ctx, args[0])
			if err != nil {
				return err
			}
			use, f, err := a.accounts().Use(ctx, u.ID)
			if err != nil {
				return err
			}
			v := userDetails{
				viewUser(u), account.HashScheme(u.PasswordHash), f.Passkeys, f.Authenticators, f.RecoveryCodes, f.Identities, use.Sessions, moment(use.LastSeen),
			}
			password := v.PasswordScheme
			if password == "" {
				password = "none"
			}
			return a.print(v, "username  %s\nid        %s\nname      %s\nemail     %s (verified: %t)\ndisabled  %t\ncreated   %s\n"+
				"password  %s\nfactors   %d passkeys, %d authenticators, %d recovery codes, %d sign-ins elsewhere\nsessions  %d\nlast seen %s",
				v.Username, v.ID, v.Name, v.Email, v.EmailVerified, v.Disabled, v.CreatedAt,
				password, v.Passkeys, v.Authenticators, v.RecoveryCodes, v.Identities, v.Sessions, v.LastSeen)
		}),
	}
}
