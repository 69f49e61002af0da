package main

import (
	"context"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
)

func (p *program) userInvite(t *target) *cobra.Command {
	var mailed bool
	cmd := &cobra.Command{
		Use:   "invite [ADDRESS]",
		Short: "Make a link with which somebody opens an account",
		Long: "Invite makes a link with which one person opens an account, within seven days. With an address it is for that address\n" +
			"alone, and --mail sends it there. The link is printed in any case: give it to nobody else.",
		Example: "  sallyport user invite ada@example.com --mail\n  sallyport user invite",
		Args:    cobra.MaximumNArgs(1),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			address := ""
			if len(args) == 1 {
				address = args[0]
			}
			accounts, err := a.accountsWithRing(ctx)
			if err != nil {
				return err
			}
			switch {
			case accounts.SignUpMode() == account.SignUpOff:
				return refusef("nobody can sign up here: set people.sign_up and mail first")
			case mailed && address == "":
				return refusef("--mail needs an address")
			}
			link, err := accounts.Invite(ctx, address, mailed)
			if err != nil {
				return ruled(err)
			}
			return a.print(map[string]any{"link": link.Reveal(), "address": address, "mailed": mailed}, "%s", link.Reveal())
		}),
	}
	cmd.Flags().BoolVar(&mailed, "mail", false, "send the link to the address")
	return cmd
}
