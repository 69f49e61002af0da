package main

import (
	"context"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

func (p *program) userReset(t *target) *cobra.Command {
	var secondFactor, byMail bool
	cmd := &cobra.Command{
		Use:   "reset NAME",
		Short: "Take somebody's password away, so that they choose a new one",
		Long: "Reset takes the password away and ends all sessions and tokens: the person chooses a new one by\n" +
			"the link that is printed. Nobody else chooses it. Passkeys, authenticators and recovery codes stay, unless --second-factor takes them away too,\n" +
			"for somebody who has lost them: make sure first that it is them who asks.",
		Example: "  sallyport user reset ada\n  sallyport user reset ada --second-factor",
		Args:    oneArg("NAME"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			u, err := a.userNamed(ctx, args[0])
			if err != nil {
				return err
			}
			accounts, err := a.accountsWithRing(ctx)
			if err != nil {
				return err
			}
			if secondFactor {
				if err := accounts.ResetFactors(ctx, u.ID); err != nil {
					return err
				}
			}
			if err := accounts.ClearPassword(ctx, u.ID); err != nil {
				return err
			}
			link, err := resetLink(ctx, accounts, u.ID, byMail)
			if err != nil {
				return err
			}
			said := "give them this link, which counts once and for " + spell(account.ResetLife)
			if byMail {
				said = "this link is on its way to their addresses, and counts once and for " + spell(account.ResetLife)
			}
			v := map[string]any{"username": u.Username, "done": "reset", "second_factor": secondFactor, "link": link.Reveal(), "mailed": byMail}
			return a.print(v, "%s has no password any more; all sessions and tokens end within a second\n%s:\n%s", u.Username, said, link.Reveal())
		}),
	}
	cmd.Flags().BoolVar(&secondFactor, "second-factor", false, "take passkeys, authenticators and recovery codes away too")
	cmd.Flags().BoolVar(&byMail, "mail", false, "mail the link to their addresses too")
	return cmd
}

// resetLink is where the person chooses a new password.
func resetLink(ctx context.Context, accounts *account.Service, userID string, byMail bool) (secret.Value, error) {
	if byMail {
		return accounts.MailReset(ctx, userID)
	}
	approval, err := accounts.StartReset(ctx, userID)
	if err != nil {
		return secret.Value{}, err
	}
	return secret.New(accounts.ResetLink(approval)), nil
}
