package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func (p *program) sessionCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:     "session",
		Short:   "List and end what people have signed in",
		Long:    "These commands work on the store, whether the server runs or not. What ends is refused within a second.",
		Example: "  sallyport session list --user ada --grants\n  sallyport session end --user ada",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	cmd.AddCommand(p.sessionList(t), p.sessionEnd(t))
	return cmd
}

// sessionView is a browser in which somebody is signed in, or a grant of an app.
type sessionView struct {
	ID         string `json:"id"`
	Kind       string `json:"kind"` // session or grant
	UserID     string `json:"user_id"`
	ClientID   string `json:"client_id,omitempty"`
	Scope      string `json:"scope,omitempty"`
	Device     string `json:"device,omitempty"`
	Place      string `json:"place,omitempty"`
	Methods    string `json:"methods,omitempty"`
	ACR        string `json:"acr"`
	CreatedAt  string `json:"created_at"`
	LastUsedAt string `json:"last_used_at"`
	Until      string `json:"until"`
}

// mostListed is how many grants of a person are listed.
const mostListed = 1000

func (p *program) sessionList(t *target) *cobra.Command {
	var name, after string
	var grants bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the browsers in which people are signed in, the newest first",
		Long: fmt.Sprintf("List the browsers in which people are signed in, the newest first, %d at a time: --after names the last one of the page before.\n"+
			"With --user and --grants also the grants of apps, whose tokens live and die with them.", account.MostSessionsListed),
		Example: "  sallyport session list --json\n  sallyport session list --user ada --grants",
		Args:    noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			if grants && name == "" {
				return refusef("--grants needs --user")
			}
			views, err := a.sessionViews(ctx, name, after, grants)
			if err != nil {
				return err
			}
			return a.printSessions(views)
		}),
	}
	cmd.Flags().StringVar(&name, "user", "", "only those of the person called `NAME`")
	cmd.Flags().StringVar(&after, "after", "", "the page that follows the session `ID`")
	cmd.Flags().BoolVar(&grants, "grants", false, "the grants of apps, too")
	return cmd
}

func (a *admin) sessionViews(ctx context.Context, name, after string, grants bool) ([]sessionView, error) {
	var userID string
	var before secret.ID
	if name != "" {
		u, err := a.userNamed(ctx, name)
		if err != nil {
			return nil, err
		}
		userID = u.ID
	}
	if after != "" {
		var err error
		if before, err = secret.ParseID(after); err != nil {
			return nil, refusef("%q is no session ID", after)
		}
	}
	list, err := a.accounts().Sessions(ctx, userID, before)
	if err != nil {
		return nil, err
	}
	views := make([]sessionView, 0, len(list))
	for i := range list {
		s := &list[i]
		views = append(views, sessionView{
			ID: s.ID.String(), Kind: "session", UserID: s.UserID, Device: s.Device, Place: s.Place, Methods: string(s.Methods), ACR: s.ACR,
			CreatedAt: moment(s.CreatedAt), LastUsedAt: moment(s.LastSeen), Until: moment(s.AbsoluteUntil),
		})
	}
	if !grants {
		return views, nil
	}
	of, err := a.store.OAuth().GrantsOf(ctx, userID, "", a.now(), mostListed)
	if err != nil {
		return nil, err
	}
	for i := range of {
		g := &of[i]
		views = append(views, sessionView{
			ID: g.ID.String(), Kind: "grant", UserID: g.UserID, ClientID: g.ClientID, Scope: g.Scope, Device: g.Device, Place: g.Place, ACR: g.ACR,
			CreatedAt: moment(g.CreatedAt), LastUsedAt: moment(g.RotatedAt), Until: moment(g.AbsoluteUntil),
		})
	}
	return views, nil
}

func (a *admin) printSessions(views []sessionView) error {
	if a.asJSON {
		return a.print(views, "")
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tID\tUSER ID\tCLIENT\tDEVICE\tPLACE\tCREATED\tLAST USED")
	for i := range views {
		v := &views[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Kind, v.ID, v.UserID, printable(v.ClientID), printable(v.Device), printable(v.Place), v.CreatedAt, v.LastUsedAt)
	}
	return w.Flush()
}

func (p *program) sessionEnd(t *target) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "end [ID]",
		Short: "End a session with its grants, a grant, or all of a person",
		Long: "End one session with every grant that came from it, or one grant, by the ID that session list shows; or with --user everything of a person.\n" +
			"The apps that want to be are told.",
		Example: "  sallyport session end ID\n  sallyport session end --user ada",
		Args:    cobra.ArbitraryArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			if len(args) > 1 || (len(args) == 1) == (name != "") {
				return refusef("name a session by its ID, or a person by --user")
			}
			if name != "" {
				return a.endAllOf(ctx, name)
			}
			return a.endOne(ctx, args[0])
		}),
	}
	cmd.Flags().StringVar(&name, "user", "", "everything of the person called `NAME`")
	return cmd
}

func (a *admin) endAllOf(ctx context.Context, name string) error {
	u, err := a.userNamed(ctx, name)
	if err != nil {
		return err
	}
	if err := a.accounts().EndSessions(ctx, u.ID); err != nil {
		return err
	}
	return a.print(map[string]string{"username": u.Username, "done": "end"}, "%s is signed out everywhere; all sessions and tokens end within a second", u.Username)
}

func (a *admin) endOne(ctx context.Context, text string) error {
	id, err := secret.ParseID(text)
	if err != nil {
		return refusef("%q is no ID of a session or a grant", text)
	}
	kind, err := a.endAny(ctx, id, a.now())
	if err != nil {
		return err
	}
	if kind == "" {
		return refusef("there is no living session or grant %s", id)
	}
	return a.print(map[string]string{"id": id.String(), "kind": kind, "done": "end"}, "the %s %s has ended; its tokens end within a second", kind, id)
}

// endAny ends what an ID names, as its owner would, and says what it was.
func (a *admin) endAny(ctx context.Context, id secret.ID, now time.Time) (kind string, err error) {
	if s, err := a.store.Account().Session(ctx, id); err == nil {
		ended, err := a.store.OAuth().EndSessionOf(ctx, s.UserID, id, token.ReasonAdmin, now, keep(now))
		return named(ended, "session"), err
	}
	g, err := a.store.OAuth().Grant(ctx, id)
	if err != nil {
		if errors.Is(err, oauth.ErrNotFound) {
			return "", nil
		}
		return "", err
	}
	ended, err := a.store.OAuth().EndGrantOf(ctx, g.UserID, id, token.ReasonAdmin, now, keep(now))
	return named(ended, "grant"), err
}

func named(ended bool, kind string) string {
	if ended {
		return kind
	}
	return ""
}

// printable is a text of a client as a terminal may show it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}
