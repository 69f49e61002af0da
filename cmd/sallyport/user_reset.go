package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (p *program) userReset(t *target) *cobra.Command {
	var secondFactor bool
	cmd := &cobra.Command{
		Use:   "reset NAME",
		Short: "Take somebody's password away, so that they choose a new one",
		Long: "Reset takes the password away and ends all sessions and tokens: the person chooses a new one through recovery.\n" +
			"Nobody else chooses it. Passkeys, authenticators and recovery codes stay, unless --second-factor takes them away too,\n" +
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
			return a.print(map[string]any{"username": u.Username, "done": "reset", "second_factor": secondFactor},
				"%s has no password any more; all sessions and tokens end within a second", u.Username)
		}),
	}
	cmd.Flags().BoolVar(&secondFactor, "second-factor", false, "take passkeys, authenticators and recovery codes away too")
	return cmd
}
