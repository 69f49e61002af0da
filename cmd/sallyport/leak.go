package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func (p *program) leakCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:     "leak",
		Short:   "End credentials that were found where others can read them",
		Example: "  sallyport leak report found.txt",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	cmd.AddCommand(p.leakReport(t))
	return cmd
}

// maxLeakFile is the longest file that is read, in bytes.
const maxLeakFile = 64 << 20

func (p *program) leakReport(t *target) *cobra.Command {
	var url, source string
	cmd := &cobra.Command{
		Use:   "report [FILE|-]",
		Short: "Look for credentials of ours in a text, and end each at once",
		Long: "Report reads any text (a list, a log, a source file) from a file or standard input, finds the credentials of this\n" +
			"server in it, and ends each without overlap. Who looks after the client, the person, and the operator are told by\n" +
			"the running server. It prints no credential. It ends with 0 if none was ours, 1 if some were, 2 if it could not run.",
		Example: "  sallyport leak report found.txt\n  git log -p | sallyport leak report - --url https://code.example.com/shop --json",
		Args:    cobra.MaximumNArgs(1),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			text, err := p.leakText(args)
			if err != nil {
				return err
			}
			return a.reportLeaks(ctx, text, url, source)
		}),
	}
	cmd.Flags().StringVar(&url, "url", "", "`ADDRESS` where it was found, for those who are told")
	cmd.Flags().StringVar(&source, "source", "", "what kind of place that is, in a word")
	return cmd
}

func (p *program) leakText(args []string) ([]byte, error) {
	in := p.stdin
	if len(args) > 0 && args[0] != "-" {
		f, err := os.Open(args[0])
		if failed := (*fs.PathError)(nil); errors.As(err, &failed) { // the argument may be what was found
			return nil, fmt.Errorf("read what was found: %w; give it in a file or on standard input, not as an argument", failed.Err)
		}
		if err != nil {
			return nil, errors.New("read what was found: it cannot be opened")
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxLeakFile+1))
	if err != nil {
		return nil, fmt.Errorf("read what was found: %w", err)
	}
	if len(text) > maxLeakFile {
		return nil, fmt.Errorf("more than %d MiB: report it in parts", maxLeakFile>>20)
	}
	return text, nil
}

// leakView is one credential that was ours.
type leakView struct {
	Kind       string `json:"kind"`
	HashPrefix string `json:"hash_prefix"`
	Action     string `json:"action"`
	Ended      bool   `json:"ended"` // now; it may have been dead before
	ClientID   string `json:"client_id,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Grant      string `json:"grant_id,omitempty"`
	Incident   string `json:"incident,omitempty"`
}

func (a *admin) reportLeaks(ctx context.Context, text []byte, url, source string) error {
	issuer, err := a.issuer(ctx)
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	found := make([]oauth.Found, 0, len(lines))
	for _, line := range lines {
		found = append(found, oauth.Found{Secret: secret.New(string(line)), URL: url, Source: source})
	}
	ours, failed := issuer.Leaked(ctx, found)
	if failed != nil && len(ours) == 0 {
		return failed
	}
	views, ended, lost := make([]leakView, 0, len(ours)), 0, 0
	for _, f := range ours {
		v := leakView{f.Kind, f.HashPrefix, f.Action, f.Alive, f.ClientID, f.Subject, f.Grant, f.ID}
		if f.Alive {
			ended++
		}
		lost += f.Lost
		views = append(views, v)
	}
	if a.asJSON {
		err = a.print(map[string]any{"lines": len(lines), "ours": len(ours), "ended": ended, "not_told": lost, "found": views}, "")
	} else {
		err = a.printLeaks(len(lines), views, ended, lost)
	}
	switch {
	case failed != nil:
		return failed
	case err == nil && len(ours) > 0:
		return refuse(errSaid)
	}
	return err
}

func (a *admin) printLeaks(lines int, views []leakView, ended, lost int) error {
	fmt.Fprintf(a.stdout, "%d lines: %d credentials of ours, %d ended now\n", lines, len(views), ended)
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	if len(views) > 0 {
		fmt.Fprintln(w, "KIND\tHASH\tCLIENT_ID\tACTION")
	}
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Kind, v.HashPrefix, v.ClientID, v.Action)
	}
	if lost > 0 {
		fmt.Fprintf(w, "%s\n", notTold(lost))
	}
	return w.Flush()
}

// notTold says what the outbox did not take.
func notTold(lost int) string {
	return fmt.Sprintf("%s (outbox_full): %d notices were lost; tell those people yourself", audit.NoticeLost, lost)
}

// issuer puts together the authorization server of a deployment, to apply its
// rules without running it.
func (a *admin) issuer(ctx context.Context) (*oauth.Service, error) {
	keys, err := a.config.openKeyring(ctx, a.store, slog.New(slog.DiscardHandler), a.now)
	if err != nil {
		return nil, err
	}
	clients, err := a.config.oauthClients()
	if err != nil {
		return nil, err
	}
	feed := revocation.NewFollower(a.store.Feed(), a.now)
	if err := feed.CatchUp(ctx); err != nil {
		return nil, err
	}
	proofs, err := token.NewProofs(token.ProofOptions{Ring: keys.Ring, Replay: token.NewReplayTable(1, a.now), Now: a.now}) // nobody sends one here
	if err != nil {
		return nil, err
	}
	return oauth.New(oauth.Options{
		Issuer: a.config.Issuer, Store: a.store.OAuth(), Users: a.store.OAuth(), Ring: keys.Ring, Feed: feed, Proofs: proofs,
		Clients: clients, Now: a.now, IsMaster: a.config.isMaster,
	})
}
