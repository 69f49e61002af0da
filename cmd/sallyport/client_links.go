package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
)

// linksTime is how long the hosts of redirect URIs may take.
const linksTime = 15 * time.Second

// linkProblems asks the hosts of the https redirect URIs of a native client
// whether they know the app that it names.
func (c *config) linkProblems(ctx context.Context, client *oauth.Client) []oauth.AppLinkProblem {
	ctx, cancel := context.WithTimeout(ctx, linksTime)
	defer cancel()
	return oauth.AppLinkProblems(ctx, outbound.NewClient(c.clientDoor()).Get, client)
}

func (a *admin) linkProblemsUnless(ctx context.Context, offline bool, client *oauth.Client) []oauth.AppLinkProblem {
	if offline {
		return nil
	}
	return a.config.linkProblems(ctx, client)
}

func (p *program) clientVerify(t *target) *cobra.Command {
	return &cobra.Command{
		Use:   "verify CLIENT_ID",
		Short: "Ask the hosts of a native client's https redirect URIs whether they know its app",
		Long: "Verify fetches assetlinks.json and apple-app-site-association from each host and holds them against app_links of the\n" +
			"client: package and certificates, app ID and path. It ends with 1 if a host does not know the app.",
		Example: "  sallyport client verify shop-app", Args: oneArg("CLIENT_ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			c, ok := a.configClient(args[0])
			if !ok {
				var err error
				if c, err = a.storedClient(ctx, args[0]); err != nil {
					return err
				}
			}
			if l := c.Settings.AppLinks; l.AndroidPackage == "" && l.AppleAppID == "" {
				return refusef("%s names no app: set app_links", c.ID)
			}
			problems := a.config.linkProblems(ctx, &c)
			if a.asJSON {
				if err := a.print(map[string]any{"client_id": c.ID, "ok": len(problems) == 0, "problems": linkTexts(problems)}, ""); err != nil {
					return err
				}
				if len(problems) > 0 {
					return refuse(errSaid)
				}
				return nil
			}
			if len(problems) > 0 {
				return refusef("%s", linkText(problems))
			}
			return a.print(nil, "the hosts of all https redirect URIs of %s know its app", c.ID)
		}),
	}
}

func linkTexts(problems []oauth.AppLinkProblem) []string {
	list := []string{}
	for _, p := range problems {
		list = append(list, p.URI+" "+p.Why)
	}
	return list
}

func linkText(problems []oauth.AppLinkProblem) string {
	return fmt.Sprintf("%s %s", problems[0].URI, problems[0].Why) + more(len(problems)-1)
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %d more", n)
}

// askLinks adds to the verdict about redirect URIs, if it is a good one, what the
// hosts say of the apps that clients name: it stops nothing, since a host may be
// down.
func (c *config) askLinks(ctx context.Context, verdicts []verdict) {
	for i := range verdicts {
		v := &verdicts[i]
		if v.Rule.ID != ruleRedirects || v.Unjudged || len(v.Problems) > 0 || c.Issuer == "" {
			continue
		}
		j := judge{c: c}
		for k := range c.Clients {
			client := c.Clients[k].client()
			for _, p := range c.linkProblems(ctx, &client) {
				j.warnf(fmt.Sprintf("clients[%d].app_links", k), "%s %s", p.URI, p.Why)
			}
		}
		v.Warnings = append(v.Warnings, j.warnings...)
	}
}
