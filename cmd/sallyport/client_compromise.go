package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

func (p *program) clientCompromise(t *target) *cobra.Command {
	var killGrants bool
	cmd := &cobra.Command{
		Use:   "compromise-secret CLIENT_ID",
		Short: "Make a new secret and end all old ones at once, because one has leaked",
		Long: "Compromise-secret makes a new secret and ends every old one without overlap, with every token that the client has\n" +
			"for itself; no node accepts them after a few seconds. Who looks after the client is told. The secret of a client\n" +
			"of the configuration file is refused from then on, whatever the file says: put the new one there.",
		Example: "  sallyport client compromise-secret shop-web\n" +
			"  sallyport client compromise-secret shop-web --kill-grants    # people must sign in again",
		Args: oneArg("CLIENT_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			c, file, err := a.compromised(ctx, args[0])
			if err != nil {
				return err
			}
			made, now := secret.NewHandle(secret.ClientSecret), a.now()
			what := oauth.Compromise{ClientID: c.ID, New: oauth.ClientSecret{Hash: made.Hash(), CreatedAt: now}, KillGrants: killGrants}
			line, source := c.ID+" has a new secret; the old ones have ended", "store"
			if file != "" {
				source = "config"
				line = "the secret of " + c.ID + " is refused from now on; put the new one into " + file + " and start the server again"
				for _, s := range c.Secrets {
					what.FromConfig = append(what.FromConfig, s.Hash)
				}
			}
			e, err := oauth.CompromiseEnding(c.ID, killGrants, now)
			if err != nil {
				return err
			}
			done, err := a.store.OAuth().CompromiseSecret(ctx, what, e)
			if err != nil {
				return err
			}
			if done.Lost > 0 {
				fmt.Fprintln(a.stderr, "sallyport: "+notTold(done.Lost))
			}
			if source == "store" {
				if c, err = a.store.OAuth().Client(ctx, c.ID); err != nil {
					return err
				}
			}
			return a.printClientOf(c, source, made, line)
		}),
	}
	cmd.Flags().BoolVar(&killGrants, "kill-grants", false, "end every grant that people gave the client, too")
	return cmd
}

// compromised finds a client that has secrets, and the file that one of the
// configuration has them in.
func (a *admin) compromised(ctx context.Context, id string) (c oauth.Client, file string, err error) {
	for i := range a.config.Clients {
		if a.config.Clients[i].ClientID != id {
			continue
		}
		if file = a.config.Clients[i].SecretFile; file == "" {
			return c, "", refusef("%s is a %s client and has no secret", id, a.config.Clients[i].Type)
		}
		clients, err := a.config.oauthClients()
		if err != nil {
			return c, "", err
		}
		return clients[i], file, nil
	}
	c, err = a.store.OAuth().Client(ctx, id)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return c, "", refusef("there is no client %q", id)
	case err != nil:
		return c, "", err
	case c.Type.Public():
		return c, "", refusef("%s is a %s client and has no secret", id, c.Type)
	}
	return c, "", nil
}
