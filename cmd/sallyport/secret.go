package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	secrets "sallyport/internal/vault"
)

func (p *program) secretCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Keep keys of third-party APIs on the server",
		Long: "Secrets are keys and passwords of other systems that the server uses so that no app has to hold them. They are\n" +
			"encrypted in the store, and a running server uses a new value at its next call. Values come from standard input, a\n" +
			"file or a prompt, never from arguments, and no command prints one.",
		Example: "  sallyport secret set maps_key < maps.key\n  sallyport secret compromise maps_key",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	cmd.AddCommand(p.secretSet(t), p.secretRotate(t), p.secretList(t), p.secretShow(t), p.secretCompromise(t), p.secretRemove(t))
	return cmd
}

// sealedView is a secret in listings, without the secret.
type sealedView struct {
	Name          string        `json:"name"`
	Version       int64         `json:"version"`
	Kind          secrets.Kind  `json:"kind"`
	State         secrets.State `json:"state"` // current, overlapping, ended or compromised
	SetBy         string        `json:"set_by,omitempty"`
	CreatedAt     string        `json:"created_at"`
	Until         string        `json:"until,omitempty"`
	CompromisedAt string        `json:"compromised_at,omitempty"`
	LastUsed      string        `json:"last_used,omitempty"`
	UsedBy        []string      `json:"used_by"`
	Versions      []sealedView  `json:"versions,omitempty"` // the older ones; only of show
}

func (a *admin) viewSecret(v secrets.Version, newest bool) sealedView {
	return sealedView{
		Name: v.Name, Version: v.Number, Kind: v.Kind, State: secrets.StateOf(v, newest, a.now()), SetBy: v.SetBy, CreatedAt: moment(v.CreatedAt),
		Until: moment(v.Until), CompromisedAt: moment(v.CompromisedAt), LastUsed: moment(v.UsedAt), UsedBy: append([]string{}, a.config.secretUsers(v.Name)...),
	}
}

// secretSource says where a value comes from.
type secretSource struct{ file string }

func (s *secretSource) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "file", "", "read the value from `FILE` instead of standard input")
}

// read returns the value. One line break at the end of a text is that of the
// editor and does not belong to it.
func (s *secretSource) read(p *program) (secret.Value, error) {
	in := p.stdin
	if s.file != "" {
		f, err := os.Open(s.file)
		if err != nil {
			return secret.Value{}, fmt.Errorf("read secret: %w", err)
		}
		defer f.Close()
		in = f
	} else if fd, ok := terminal(p.stdin); ok {
		fmt.Fprint(p.stderr, "Secret: ")
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(p.stderr)
		if err != nil {
			return secret.Value{}, fmt.Errorf("read secret: %w", err)
		}
		return secret.New(string(b)), nil
	}
	b, err := io.ReadAll(io.LimitReader(in, secrets.MaxValue+3))
	if err != nil {
		return secret.Value{}, fmt.Errorf("read secret: %w", err)
	}
	return secret.New(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")), nil
}

func (p *program) secretSet(t *target) *cobra.Command {
	var from secretSource
	var kind string
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Set a secret from standard input, a file or a prompt; the one before it ends at once",
		Long: "Set stores a value under a name, encrypted. If the name has a value already, that one ends at once: to keep it for\n" +
			"a while, use rotate. Connectors name the secret in the configuration.",
		Example: "  sallyport secret set maps_key < maps.key\n" +
			"  sallyport secret set firestore --kind google-service-account --file service-account.json",
		Args: secretName,
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			return a.setSecret(ctx, args[0], kind, 0, false, from)
		}),
	}
	cmd.Flags().StringVar(&kind, "kind", "", "text, google-service-account or aws-access-key; without it, that of the value before, or text")
	from.flags(cmd)
	return cmd
}

func (p *program) secretRotate(t *target) *cobra.Command {
	var from secretSource
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Set a new value; the one before it is remembered for a while",
		Long: "Rotate makes a new value current at once. For the time of the overlap the one before it may still be used where the\n" +
			"new one is not accepted yet, and is still looked for in what comes back. For a value that has leaked, use compromise.",
		Example: "  sallyport secret rotate maps_key < new.key\n  sallyport secret rotate maps_key --overlap 1h --file new.key",
		Args:    secretName,
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			if overlap < 0 || overlap > maxOverlap {
				return refusef("--overlap must be between 0 and %s", maxOverlap)
			}
			return a.setSecret(ctx, args[0], "", overlap, true, from)
		}),
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the value before may still be used")
	from.flags(cmd)
	return cmd
}

func (a *admin) setSecret(ctx context.Context, name, kind string, overlap time.Duration, exists bool, from secretSource) error {
	if why := secrets.CheckName(name); why != "" {
		return refusef("%q: the name of a secret %s", name, why)
	}
	before, err := a.store.Vault().Versions(ctx, name)
	switch {
	case err != nil:
		return err
	case exists && len(before) == 0:
		return refusef("there is no secret %q: sallyport secret list shows all, set makes a new one", name)
	}
	known := kind == ""
	for _, k := range secrets.Kinds {
		known = known || string(k) == kind
	}
	if !known {
		return refusef("there is no kind %q: use text, google-service-account or aws-access-key", kind)
	}
	value, err := from.read(a.program)
	if err != nil {
		return err
	}
	ring, err := a.ring(ctx)
	if err != nil {
		return err
	}
	v, err := secrets.Set(ctx, a.store.Vault(), ring, a.now(), secrets.Change{
		Name: name, Kind: secrets.Kind(kind), Value: value, SetBy: whoRuns(), Overlap: overlap, Keep: keep(a.now()),
	})
	var wrong secrets.CheckError
	switch {
	case errors.As(err, &wrong):
		return refusef("%v", wrong)
	case errors.Is(err, secrets.ErrStale):
		return refusef("%s was set by somebody else in this moment: look at sallyport secret show %s", name, name)
	case err != nil:
		return err
	}
	line := fmt.Sprintf("%s has version %d, from the next call on", name, v.Number)
	if len(before) > 0 && overlap > 0 {
		line += "; the one before it ends " + moment(v.CreatedAt.Add(overlap))
	}
	return a.print(a.viewSecret(v, true), "%s", line)
}

// secretName is oneArg for commands that somebody may give a secret by mistake:
// it quotes nothing.
func secretName(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one NAME and no value: values come from standard input, a file or a prompt. If one was among the arguments, it is in the history of your shell now: change it; see %s --help", spoken(cmd), cmd.CommandPath())
	}
	return oneArg("NAME")(cmd, args)
}

// ring opens the keys of the deployment, to seal with.
func (a *admin) ring(ctx context.Context) (*token.Ring, error) {
	master, err := a.config.privateMaster()
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	ring, err := token.OpenRing(ctx, a.store.Keys(), master, a.now)
	if err != nil {
		return nil, a.config.explainMaster(err)
	}
	return ring, nil
}

// whoRuns is the name that the system has for whoever runs the command.
func whoRuns() string {
	u, err := user.Current()
	if err != nil || !isName(u.Username) {
		return ""
	}
	return u.Username
}

func isName(s string) bool {
	return s != "" && len(s) <= 64 && checkName(s) == ""
}

func (p *program) secretList(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all secrets: version, state, who set them, when they were used", Example: "  sallyport secret list --json", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			all, err := a.store.Vault().AllVersions(ctx)
			if err != nil {
				return err
			}
			views := []sealedView{}
			for i, v := range all {
				if i == 0 || all[i-1].Name != v.Name {
					views = append(views, a.viewSecret(v, true))
				}
			}
			if a.asJSON {
				return a.print(views, "")
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tVERSION\tKIND\tSTATE\tSET\tBY\tLAST USED\tUSED BY")
			for _, v := range views {
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Name, v.Version, v.Kind, v.State, v.CreatedAt, v.SetBy, v.LastUsed, strings.Join(v.UsedBy, " "))
			}
			return w.Flush()
		}),
	}
}

func (p *program) secretShow(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show what is known of a secret, but not the secret", Example: "  sallyport secret show maps_key", Args: secretName,
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			all, err := a.store.Vault().Versions(ctx, args[0])
			switch {
			case err != nil:
				return err
			case len(all) == 0:
				return refusef("there is no secret %q", args[0])
			}
			view := a.viewSecret(all[0], true)
			for _, v := range all[1:] {
				view.Versions = append(view.Versions, a.viewSecret(v, false))
			}
			var b strings.Builder
			fmt.Fprintf(&b, "name       %s\nkind       %s\nused by    %s\nlast used  %s", view.Name, view.Kind, strings.Join(view.UsedBy, " "), view.LastUsed)
			for _, v := range append([]sealedView{view}, view.Versions...) {
				fmt.Fprintf(&b, "\nversion %d  %s, set %s", v.Version, v.State, v.CreatedAt)
				if v.SetBy != "" {
					b.WriteString(" by " + v.SetBy)
				}
				if v.Until != "" {
					b.WriteString(", ends " + v.Until)
				}
				if v.CompromisedAt != "" {
					b.WriteString(", compromised " + v.CompromisedAt)
				}
			}
			return a.print(view, "%s", b.String())
		}),
	}
}

func (p *program) secretCompromise(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "compromise NAME",
		Short: "Destroy a secret that has leaked, at once, on every node",
		Long: "Compromise destroys all values of a secret without overlap. Within seconds no node sends it any more, and calls that\n" +
			"need it are answered with 503 until a new value is set. It cannot be undone. Revoke the key where it came from, too:\n" +
			"only the other side can make it worthless.",
		Example: "  sallyport secret compromise maps_key\n  sallyport secret set maps_key < new.key",
		Args:    secretName,
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			now := a.now()
			n, err := a.store.Vault().CompromiseSecret(ctx, args[0], now, keep(now))
			switch {
			case errors.Is(err, secrets.ErrNoSecret):
				return refusef("there is no secret %q", args[0])
			case err != nil:
				return err
			case n == 0:
				return refusef("%s was compromised already", args[0])
			}
			return a.print(map[string]any{"name": args[0], "done": "compromise", "versions": n, "used_by": append([]string{}, a.config.secretUsers(args[0])...)},
				"%s is destroyed; every node stops sending it within seconds. Revoke it where it came from, then: sallyport secret set %s", args[0], args[0])
		}),
	}
}

func (p *program) secretRemove(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a secret that nothing needs any more", Example: "  sallyport secret remove maps_key", Args: secretName,
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			if users := a.config.secretUsers(args[0]); len(users) > 0 {
				return refusef("%s is used by %s: remove it there first, or use compromise if it has leaked", args[0], strings.Join(users, ", "))
			}
			err := a.store.Vault().RemoveSecret(ctx, args[0], keep(a.now()))
			if errors.Is(err, secrets.ErrNoSecret) {
				return refusef("there is no secret %q", args[0])
			}
			if err != nil {
				return err
			}
			return a.print(map[string]string{"name": args[0], "done": "remove"}, "%s is removed", args[0])
		}),
	}
}
