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

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

func (p *program) clientCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Add, list, change and remove apps",
		Long: "These commands work on the store, whether the server runs or not; what they change is in force within a\n" +
			"second. Clients of the configuration file are listed too, and changed there.",
		Example: "  sallyport client add shop-app --type native --redirect-uri com.example.shop:/callback --scope \"openid catalog.read\"\n" +
			"  sallyport client list --json",
		Args: subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	one := func(use, short, example string, f func(context.Context, oauth.ClientAdmin, string, time.Time) error, done string) *cobra.Command {
		return &cobra.Command{
			Use: use + " CLIENT_ID", Short: short, Example: example, Args: oneArg("CLIENT_ID"),
			RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
				if _, err := a.storedClient(ctx, args[0]); err != nil {
					return err
				}
				if err := f(ctx, a.store.OAuth(), args[0], a.now()); err != nil {
					return err
				}
				return a.print(map[string]string{"client_id": args[0], "done": use}, "%s "+done, args[0])
			}),
		}
	}
	cmd.AddCommand(
		p.clientAdd(t), p.clientList(t), p.clientShow(t), p.clientRotate(t), p.clientCompromise(t), p.clientVerify(t),
		one("disable", "Refuse a client, and end all that it has", "  sallyport client disable shop-app",
			func(ctx context.Context, s oauth.ClientAdmin, id string, now time.Time) error {
				return s.SetClientDisabled(ctx, id, true, now, keep(now))
			}, "is disabled; all its tokens end within a second"),
		one("enable", "Accept a disabled client again", "  sallyport client enable shop-app",
			func(ctx context.Context, s oauth.ClientAdmin, id string, now time.Time) error {
				return s.SetClientDisabled(ctx, id, false, now, keep(now))
			}, "is accepted again within a second"),
		one("remove", "Remove a client, and end all that it has", "  sallyport client remove shop-app",
			func(ctx context.Context, s oauth.ClientAdmin, id string, now time.Time) error {
				return s.RemoveClient(ctx, id, now, keep(now))
			}, "is removed; all its tokens end within a second"),
	)
	return cmd
}

// clientView is a client in listings.
type clientView struct {
	ClientID               string       `json:"client_id"`
	Name                   string       `json:"name,omitempty"`
	Type                   string       `json:"type"`
	RedirectURIs           []string     `json:"redirect_uris"`
	PostLogoutRedirectURIs []string     `json:"post_logout_redirect_uris"`
	Scope                  string       `json:"scope"`
	Resources              []string     `json:"resources"`
	Contacts               []string     `json:"contacts"`
	DPoPBound              bool         `json:"dpop_bound_access_tokens"`
	CertificateBound       bool         `json:"tls_client_certificate_bound_access_tokens"`
	Disabled               bool         `json:"disabled"`
	Source                 string       `json:"source"` // config or store
	CreatedAt              string       `json:"created_at,omitempty"`
	Secrets                []secretView `json:"secrets"`
	ClientSecret           string       `json:"client_secret,omitempty"` // only when it was made just now

	oauth.Settings
}

// secretView is a secret without the secret.
type secretView struct {
	CreatedAt string `json:"created_at,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

func viewClient(c oauth.Client, source string) clientView {
	v := clientView{
		ClientID: c.ID, Name: c.Name, Type: string(c.Type), Scope: c.Scope, Disabled: c.Disabled, Source: source,
		RedirectURIs: append([]string{}, c.RedirectURIs...), PostLogoutRedirectURIs: append([]string{}, c.PostLogoutRedirectURIs...),
		Resources: append([]string{}, c.Resources...), Contacts: append([]string{}, c.Contacts...), CreatedAt: moment(c.CreatedAt), Secrets: []secretView{}, Settings: c.Settings,
		DPoPBound: c.DPoPBound, CertificateBound: c.CertificateBound,
	}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, secretView{moment(s.CreatedAt), moment(s.ExpiresAt)})
	}
	return v
}

// boundTo says in words what the client's tokens are bound to.
func (v *clientView) boundTo() string {
	switch {
	case v.DPoPBound:
		return "a DPoP key"
	case v.CertificateBound:
		return "its certificate"
	}
	return "a DPoP key if it proves one"
}

func (a *admin) configClient(id string) (oauth.Client, bool) {
	for i := range a.config.Clients {
		if a.config.Clients[i].ClientID == id {
			return a.config.Clients[i].client(), true
		}
	}
	return oauth.Client{}, false
}

// storedClient refuses clients of the file, which is where they are changed.
func (a *admin) storedClient(ctx context.Context, id string) (oauth.Client, error) {
	if _, ok := a.configClient(id); ok {
		return oauth.Client{}, refusef("%s is defined in %s: change it there", id, a.config.path)
	}
	c, err := a.store.OAuth().Client(ctx, id)
	if errors.Is(err, oauth.ErrNotFound) {
		return c, refusef("there is no client %q", id)
	}
	return c, err
}

func (p *program) clientAdd(t *target) *cobra.Command {
	var c oauth.Client
	var kind string
	var answers clientConfig
	var life time.Duration
	var offline bool
	cmd := &cobra.Command{
		Use:   "add CLIENT_ID",
		Short: "Add a client; the secret of a server or service client is printed once",
		Example: "  sallyport client add shop-app --type native --redirect-uri com.example.shop:/callback --scope \"openid catalog.read\"\n" +
			"  sallyport client add shop-job --type service --scope catalog.read --json",
		Args: oneArg("CLIENT_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			c.ID, c.Type, c.CreatedAt = args[0], oauth.ClientType(kind), a.now()
			var err error
			if c.Settings, err = answers.settings(&config{}); err != nil {
				return refusef("jwks_file: %v", err)
			}
			if err := a.judgeClient(c); err != nil {
				return err
			}
			if problems := a.linkProblemsUnless(ctx, offline, &c); len(problems) > 0 {
				return refusef("app_links: %s; with --offline nobody is asked", linkText(problems))
			}
			var made secret.Value
			if c.UsesSecret() {
				made = secret.NewHandle(secret.ClientSecret)
				c.Secrets = []oauth.ClientSecret{{Hash: made.Hash(), CreatedAt: c.CreatedAt}}
				if life != 0 {
					c.Secrets[0].ExpiresAt = c.CreatedAt.Add(life)
				}
			}
			err = a.store.OAuth().AddClient(ctx, c)
			if errors.Is(err, oauth.ErrExists) {
				return refusef("there is a client %q already", c.ID)
			}
			if err != nil {
				return err
			}
			for _, why := range []string{a.config.unboundProblem(c), a.config.unheardProblem(c)} {
				if why != "" {
					fmt.Fprintln(a.stderr, "sallyport: warning: "+why)
				}
			}
			return a.printClient(c, made, "added "+c.ID)
		}),
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not ask the hosts of redirect URIs whether they know the app")
	cmd.Flags().StringVar(&kind, "type", "", "native, browser, server or service")
	cmd.Flags().StringVar(&c.Name, "name", "", "what people are shown")
	cmd.Flags().StringArrayVar(&c.RedirectURIs, "redirect-uri", nil, "`URI` that people are sent back to; may be repeated")
	cmd.Flags().StringArrayVar(&c.PostLogoutRedirectURIs, "post-logout-redirect-uri", nil, "`URI` after signing out; may be repeated")
	cmd.Flags().StringVar(&c.Scope, "scope", "", "all scopes that it may ask for, separated by spaces")
	cmd.Flags().StringArrayVar(&c.Resources, "resource", nil, "`API` whose tokens it may introspect; may be repeated")
	cmd.Flags().StringArrayVar(&c.Contacts, "contact", nil, "e-mail `ADDRESS` of who looks after it and is told of leaks; may be repeated")
	cmd.Flags().DurationVar(&life, "secret-lifetime", 0, "how long the secret works; without it, until it is changed")
	settingFlags(cmd, &answers)
	cmd.Flags().BoolVar(&c.DPoPBound, "dpop-bound-access-tokens", false, "no token without a DPoP proof")
	cmd.Flags().BoolVar(&c.CertificateBound, "tls-client-certificate-bound-access-tokens", false, "no token without a client certificate")
	return cmd
}

// judgeClient holds a client against the rules of the configuration file.
func (a *admin) judgeClient(c oauth.Client) error {
	if _, taken := a.configClient(c.ID); taken {
		return refusef("there is a client %q in %s already", c.ID, a.config.path)
	}
	var wrong []string
	if !clientID.MatchString(c.ID) {
		wrong = append(wrong, "client_id: use letters, digits and . _ ~ -")
	}
	if problem := checkName(c.Name); problem != "" {
		wrong = append(wrong, "name: "+problem)
	}
	known := false
	for _, t := range oauth.ClientTypes {
		known = known || t == c.Type
	}
	if !known {
		wrong = append(wrong, "type: use native, browser, server or service")
	} else {
		for _, p := range slices.Concat(redirectProblems(c), a.config.scopeProblems(c), a.config.bindingProblems(c), contactProblems(c.Contacts), []problem{a.config.settingsProblem(c), a.config.authProblem(c)}) {
			if p.Text == "" {
				continue
			}
			wrong = append(wrong, p.Path+": "+p.Text)
		}
	}
	if len(wrong) > 0 {
		return refusef("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

func (a *admin) printClient(c oauth.Client, made secret.Value, line string) error {
	return a.printClientOf(c, "store", made, line)
}

func (a *admin) printClientOf(c oauth.Client, source string, made secret.Value, line string) error {
	v := viewClient(c, source)
	v.ClientSecret = made.Reveal()
	if v.ClientSecret != "" && !a.asJSON {
		line += "\nclient_secret: " + v.ClientSecret + "\nIt is shown this once; only its hash is kept."
	}
	return a.print(v, "%s", line)
}

func (p *program) clientRotate(t *target) *cobra.Command {
	var overlap, life time.Duration
	cmd := &cobra.Command{
		Use:   "rotate-secret CLIENT_ID",
		Short: "Make a new secret; the old ones go on working for a while",
		Example: "  sallyport client rotate-secret shop-web\n" +
			"  sallyport client rotate-secret shop-web --overlap 1h\n" +
			"  sallyport client compromise-secret shop-web    # the old one has leaked",
		Args: oneArg("CLIENT_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			c, err := a.storedClient(ctx, args[0])
			switch {
			case err != nil:
				return err
			case c.Type.Public():
				return refusef("%s is a %s client and has no secret", c.ID, c.Type)
			case !c.UsesSecret():
				return refusef("%s proves who it is by %s and has no secret", c.ID, c.Settings.AuthMethod)
			case life < 0:
				return refusef("--secret-lifetime must not be negative")
			case overlap < 0 || overlap > maxOverlap:
				return refusef("--overlap must be between 0 and %s", maxOverlap)
			}
			made, now := secret.NewHandle(secret.ClientSecret), a.now()
			s := oauth.ClientSecret{Hash: made.Hash(), CreatedAt: now}
			if life != 0 {
				s.ExpiresAt = now.Add(life)
			}
			if err := a.store.OAuth().AddClientSecret(ctx, c.ID, s, now.Add(overlap), now, keep(now)); err != nil {
				return err
			}
			if c, err = a.storedClient(ctx, c.ID); err != nil {
				return err
			}
			line := fmt.Sprintf("%s has a new secret; the old ones end %s", c.ID, moment(now.Add(overlap)))
			return a.printClient(c, made, line)
		}),
	}
	cmd.Flags().DurationVar(&life, "secret-lifetime", 0, "how long the new one works; without it, until it is changed")
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the old secrets go on working")
	return cmd
}

// maxOverlap bounds how long two secrets live side by side.
const maxOverlap = 30 * 24 * time.Hour

func (p *program) clientShow(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "show CLIENT_ID", Short: "Show a client", Example: "  sallyport client show shop-app --json", Args: oneArg("CLIENT_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			source := "config"
			c, ok := a.configClient(args[0])
			if !ok {
				var err error
				if c, err = a.storedClient(ctx, args[0]); err != nil {
					return err
				}
				source = "store"
			}
			v := viewClient(c, source)
			return a.print(v, "client_id    %s\nname         %s\ntype         %s\nscope        %s\nredirects    %s\nafter logout %s\n"+
				"resources    %s\ncontacts     %s\nbound to     %s\nsettings     %s\ndisabled     %t\nsource       %s\ncreated      %s\nsecrets      %d",
				v.ClientID, v.Name, v.Type, v.Scope, strings.Join(v.RedirectURIs, " "), strings.Join(v.PostLogoutRedirectURIs, " "),
				strings.Join(v.Resources, " "), strings.Join(v.Contacts, " "), v.boundTo(), settingsText(v.Settings), v.Disabled, v.Source, v.CreatedAt, len(v.Secrets))
		}),
	}
}

func (p *program) clientList(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List all clients", Example: "  sallyport client list", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			views := []clientView{}
			for i := range a.config.Clients {
				views = append(views, viewClient(a.config.Clients[i].client(), "config"))
			}
			stored, err := a.store.OAuth().Clients(ctx)
			if err != nil {
				return err
			}
			for _, c := range stored {
				views = append(views, viewClient(c, "store"))
			}
			if a.asJSON {
				return a.print(views, "")
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "CLIENT_ID\tTYPE\tNAME\tDISABLED\tSOURCE")
			for _, v := range views {
				fmt.Fprintf(w, "%s\t%s\t%s\t%t\t%s\n", v.ClientID, v.Type, v.Name, v.Disabled, v.Source)
			}
			return w.Flush()
		}),
	}
}
