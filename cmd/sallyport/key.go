package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func (p *program) keyCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "key",
		Short: "List and change the keys that tokens are made with",
		Long: "These commands work on the store, whether the server runs or not; a running server follows within a second.\n" +
			"Keys change by themselves (keys in the configuration). docs/guide/keys.md says what to do when one has leaked.",
		Example: "  sallyport key list\n  sallyport key compromise --purpose sign_id",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	cmd.AddCommand(p.keyList(t), p.keyRotate(t), p.keyCompromise(t), p.keyRewrap(t))
	return cmd
}

// keyView is a key in listings, without the key.
type keyView struct {
	Purpose   string `json:"purpose"`
	KeyID     string `json:"key_id"`
	Algorithm string `json:"algorithm"`
	State     string `json:"state"` // pending, ahead, active, retiring or compromised
	CreatedAt string `json:"created_at"`
	ActiveAt  string `json:"active_at"`
	Until     string `json:"until,omitempty"` // accepted until then; nothing while it has no successor
	WrappedBy string `json:"wrapped_by,omitempty"`
}

func viewKey(k token.KeyState) keyView {
	return keyView{
		Purpose: string(k.Purpose), KeyID: k.ID.String(), Algorithm: string(k.Algorithm), State: string(k.State),
		CreatedAt: moment(k.CreatedAt), ActiveAt: moment(k.ActiveAt), Until: moment(k.Until), WrappedBy: k.WrappedBy,
	}
}

func (a *admin) keeper() *token.Keeper { return a.config.keeper(a.store, a.now) }

func (p *program) keyList(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all keys: purpose, state, and when they end", Example: "  sallyport key list --json", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			states, err := a.keeper().States(ctx)
			if err != nil {
				return err
			}
			views := []keyView{}
			for _, s := range states {
				views = append(views, viewKey(s))
			}
			if a.asJSON {
				return a.print(views, "")
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PURPOSE\tKEY_ID\tALGORITHM\tSTATE\tCREATED\tACTIVE\tUNTIL\tMASTER")
			for _, v := range views {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Purpose, v.KeyID, v.Algorithm, v.State, v.CreatedAt, v.ActiveAt, v.Until, v.WrappedBy)
			}
			return w.Flush()
		}),
	}
}

func purposeNames() []string {
	var names []string
	for _, p := range token.Policies {
		names = append(names, string(p.Purpose))
	}
	return names
}

func purposeNamed(name string) (token.Policy, error) {
	policy, ok := token.PolicyOf(token.Purpose(name))
	if !ok {
		return policy, refusef("there is no purpose %q%s", name, suggest(name, purposeNames()))
	}
	return policy, nil
}

func (p *program) keyRotate(t *target) *cobra.Command {
	var atOnce bool
	cmd := &cobra.Command{
		Use:   "rotate PURPOSE",
		Short: "Make a successor now; what the old key made stays good",
		Long: "Rotate makes the next key of a purpose without waiting until it is due. It begins to make when every node and\n" +
			"every cache of the key set knows it; the old key is accepted for as long as what it made can live. For a key\n" +
			"that has leaked this is the wrong command: use compromise.\n\nThe purposes: " + strings.Join(purposeNames(), ", ") + ".",
		Example: "  sallyport key rotate sign_id\n  sallyport key rotate sign_id --now",
		Args:    oneArg("PURPOSE"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			policy, err := purposeNamed(args[0])
			if err != nil {
				return err
			}
			r, err := a.keeper().RotateNow(ctx, policy, atOnce)
			switch {
			case errors.Is(err, token.ErrPending):
				return refusef("%s has a successor already, which is active from %s: --now brings it forward", policy.Purpose, moment(r.ActiveAt))
			case err != nil:
				return a.keyProblem(err)
			}
			view := viewKey(token.KeyState{KeyRecord: r, State: token.Pending})
			if !r.ActiveAt.After(a.now()) {
				view.State = string(token.Active)
			}
			return a.print(view, "%s: key %s makes from %s on; the one before it is accepted for %s longer", policy.Purpose, view.KeyID, view.ActiveAt, spell(policy.Keep))
		}),
	}
	cmd.Flags().BoolVar(&atOnce, "now", false, "let it make at once; whoever keeps the key set does not know it for up to five minutes")
	return cmd
}

// spell is a long duration for people.
func spell(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return strings.Replace(strings.TrimSuffix(d.String(), "0s"), "h0m", "h", 1)
}

// keyProblem explains what the keeper says.
func (a *admin) keyProblem(err error) error {
	if errors.Is(err, token.ErrKeyStale) {
		return refusef("the keys have been changed by somebody else in this moment: look at sallyport key list and try again")
	}
	return a.config.explainMaster(err)
}

// compromisedView is what compromise has done.
type compromisedView struct {
	Purpose     string   `json:"purpose"`
	Compromised []string `json:"compromised"`
	Successor   string   `json:"successor,omitempty"`
	Missing     string   `json:"missing,omitempty"` // why there is no successor yet
	Effect      string   `json:"effect"`
}

func (p *program) keyCompromise(t *target) *cobra.Command {
	var purpose string
	cmd := &cobra.Command{
		Use:   "compromise [KEY_ID]",
		Short: "End a key that has leaked, at once and for ever",
		Long: "Compromise ends a key without overlap: its private part is destroyed, every node refuses what it made within\n" +
			"seconds, and a successor makes at once. It cannot be undone. What it means for people is printed. Without a\n" +
			"master key that can be used the key dies too, and serve makes the successor once the master key is back.",
		Example: "  sallyport key compromise 06h0qraq035vkr9e7dlm6ptb9o\n  sallyport key compromise --purpose mac_refresh",
		Args: func(cmd *cobra.Command, args []string) error {
			if (purpose == "") == (len(args) == 0) || len(args) > 1 {
				return fmt.Errorf("key compromise needs a KEY_ID or --purpose; see %s --help", cmd.CommandPath())
			}
			return nil
		},
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			policy, id, err := a.whichKeys(ctx, purpose, args)
			if err != nil {
				return err
			}
			done, err := a.keeper().Compromise(ctx, policy, id)
			if err != nil {
				return a.keyProblem(err)
			}
			return a.printCompromised(policy, done)
		}),
	}
	cmd.Flags().StringVar(&purpose, "purpose", "", "all keys of a `PURPOSE`: "+strings.Join(purposeNames(), ", "))
	return cmd
}

// whichKeys finds what a person has named.
func (a *admin) whichKeys(ctx context.Context, purpose string, args []string) (policy token.Policy, id secret.ID, err error) {
	if purpose != "" {
		policy, err = purposeNamed(purpose)
		return policy, id, err
	}
	states, err := a.keeper().States(ctx)
	if err != nil {
		return policy, id, err
	}
	at := slices.IndexFunc(states, func(s token.KeyState) bool { return s.ID.String() == args[0] })
	switch {
	case at < 0:
		return policy, id, refusef("there is no key %q: sallyport key list shows all", args[0])
	case states[at].State == token.CompromisedKey:
		return policy, id, refusef("%s was compromised %s already", args[0], moment(states[at].CompromisedAt))
	}
	policy, _ = token.PolicyOf(states[at].Purpose)
	return policy, states[at].ID, nil
}

func (a *admin) printCompromised(policy token.Policy, done token.Compromised) error {
	v := compromisedView{Purpose: string(policy.Purpose), Compromised: []string{}, Effect: policy.Loss}
	for _, id := range done.Dead {
		v.Compromised = append(v.Compromised, id.String())
	}
	line := fmt.Sprintf("%s: dead: %s", policy.Purpose, strings.Join(v.Compromised, " "))
	switch {
	case done.Missing != nil:
		v.Missing = done.Missing.Error()
		line += fmt.Sprintf("\nnothing in its place: nothing can be made with %s until the master key is back, and serve makes the successor then: %s", policy.Purpose, v.Missing)
	case done.Successor != nil:
		v.Successor = done.Successor.ID.String()
		line += "\nin its place, at once: " + v.Successor
	default:
		v.Effect = "only what these keys made; the key that makes goes on. " + upper(policy.Loss)
		line += "\nthe key that makes now is another one, and goes on"
	}
	return a.print(v, "%s", line+"\nwhat it means: "+v.Effect+
		"\nEvery node that can read the feed knows within a second; one that cannot refuses calls by the tier of their API.\n"+
		"A backup from before this moment still holds the key: after restoring one, run this again.")
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
