package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// Limits of initial access tokens.
const (
	maxTokenUses = 10_000
	maxTokenLife = 366 * 24 * time.Hour
	maxNote      = 80
)

func (p *program) registrationCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "registration",
		Short: "Let clients register themselves",
		Long: "Clients register themselves where registration.policy in the configuration lets them (RFC 7591). With policy token, or\n" +
			"to vouch for a client with policy open, they bring an initial access token of these commands.",
		Example: "  sallyport registration token create --uses 1 --expires 24h --note \"partner shop\"",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	tokens := &cobra.Command{
		Use: "token", Short: "Make, list and remove initial access tokens", Args: subcommand,
		Example: "  sallyport registration token create --uses 5\n  sallyport registration token list",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	tokens.AddCommand(p.initialCreate(t), p.initialList(t), p.initialRemove(t))
	cmd.AddCommand(tokens)
	return cmd
}

// initialView is an initial access token in listings.
type initialView struct {
	ID        string `json:"id"`
	Note      string `json:"note,omitempty"`
	UsesLeft  int64  `json:"uses_left"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
	Token     string `json:"initial_access_token,omitempty"` // only when it was made just now
}

func viewInitial(i oauth.InitialToken) initialView {
	return initialView{ID: i.ID(), Note: i.Note, UsesLeft: i.UsesLeft, CreatedAt: moment(i.CreatedAt), ExpiresAt: moment(i.ExpiresAt)}
}

func (p *program) initialCreate(t *target) *cobra.Command {
	uses, expires, note := int64(1), 7*24*time.Hour, ""
	cmd := &cobra.Command{
		Use: "create", Short: "Make an initial access token; it is shown once",
		Example: "  sallyport registration token create --uses 5 --expires 72h", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			switch {
			case uses < 1 || uses > maxTokenUses:
				return refusef("--uses must be between 1 and %d", maxTokenUses)
			case expires < time.Minute || expires > maxTokenLife:
				return refusef("--expires must be between 1m and %s", hours(maxTokenLife))
			case len(note) > maxNote || checkName(note) != "":
				return refusef("--note is longer than %d bytes or has characters that cannot be shown", maxNote)
			}
			made, now := secret.NewHandle(secret.InitialAccess), a.now()
			i := oauth.InitialToken{Hash: made.Hash(), Note: note, UsesLeft: uses, CreatedAt: now, ExpiresAt: now.Add(expires)}
			if err := a.store.OAuth().AddInitialToken(ctx, i); err != nil {
				return err
			}
			v := viewInitial(i)
			v.Token = made.Reveal()
			warning := ""
			if policy := a.config.Registration.Policy; policy == oauth.RegisterClosed {
				warning = "\nregistration.policy is closed: nobody can register with it yet"
			}
			return a.print(v, "initial_access_token: %s\nIt is good for %d registrations until %s, and shown this once; only its hash is kept.%s", v.Token, uses, v.ExpiresAt, warning)
		}),
	}
	cmd.Flags().Int64Var(&uses, "uses", uses, "how many clients it registers")
	cmd.Flags().DurationVar(&expires, "expires", expires, "how long it lives")
	cmd.Flags().StringVar(&note, "note", "", "what it is for")
	return cmd
}

func (p *program) initialList(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List initial access tokens", Example: "  sallyport registration token list", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			list, err := a.store.OAuth().InitialTokens(ctx)
			if err != nil {
				return err
			}
			views := []initialView{}
			for _, i := range list {
				views = append(views, viewInitial(i))
			}
			if a.asJSON {
				return a.print(views, "")
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tUSES LEFT\tEXPIRES\tNOTE")
			for _, v := range views {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", v.ID, v.UsesLeft, v.ExpiresAt, v.Note)
			}
			return w.Flush()
		}),
	}
}

func (p *program) initialRemove(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Remove an initial access token; what it registered stays", Example: "  sallyport registration token remove 0a1b2c3d4e5f",
		Args: oneArg("ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			list, err := a.store.OAuth().InitialTokens(ctx)
			if err != nil {
				return err
			}
			for i := range list {
				if list[i].ID() != args[0] {
					continue
				}
				if err := a.store.OAuth().RemoveInitialToken(ctx, list[i].Hash); err != nil && !errors.Is(err, oauth.ErrNotFound) {
					return err
				}
				return a.print(map[string]string{"id": args[0], "done": "remove"}, "%s is removed", args[0])
			}
			return refusef("there is no initial access token %q", args[0])
		}),
	}
}
