package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
)

func (p *program) userLogoutAll(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "logout-all", Short: "Sign everybody out everywhere, and end the access of every app",
		Long:    "Sign everybody out everywhere, and end the access of every app. Who signs in meanwhile may stay signed in.",
		Example: "  sallyport user logout-all",
		Args:    noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			users, err := a.accounts().Users(ctx)
			if err != nil {
				return err
			}
			for _, u := range users {
				if err := a.accounts().EndSessions(ctx, u.ID); err != nil && !errors.Is(err, account.ErrNotFound) {
					return err
				}
			}
			return a.print(map[string]any{"people": len(users), "done": "logout-all"}, "%d people are signed out everywhere; all sessions and tokens end within a second", len(users))
		}),
	}
}
