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

	"sallyport/internal/apikey"
	"sallyport/internal/gateway"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func (p *program) apikeyCommand() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "apikey",
		Short: "Make, list and end API keys for APIs of tier low",
		Long: "An API key is sent as it is with every call, so it counts only where little is at stake: for listed operations of\n" +
			"tier low of an API with api_keys, for ninety days at most, and never for a person. Upgrade makes a client of it,\n" +
			"with the same rights and tokens that live for an hour.",
		Example: "  sallyport apikey create --api weather --operations \"GET /weather\" --expires 720h",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.flags(cmd)
	cmd.AddCommand(p.apikeyCreate(t), p.apikeyList(t), p.apikeyShow(t), p.apikeyRevoke(t), p.apikeyUpgrade(t))
	return cmd
}

// apikeyView is a key in listings, without the key.
type apikeyView struct {
	ID         string   `json:"id"`
	API        string   `json:"api"`
	Operations []string `json:"operations"`
	Owner      string   `json:"owner,omitempty"`
	State      string   `json:"state"` // active, expired or revoked
	Strength   string   `json:"strength"`
	CreatedAt  string   `json:"created_at"`
	ExpiresAt  string   `json:"expires_at"`
	LastUsed   string   `json:"last_used,omitempty"`
	Unused     bool     `json:"unused_30_days"`
	Successor  string   `json:"successor,omitempty"`
	APIKey     string   `json:"api_key,omitempty"` // only when it was made just now
}

// keyStrength says what a key is good for (T022).
const keyStrength = "low only: static, sent with every call, no person"

func (a *admin) viewAPIKey(k apikey.Key) apikeyView {
	now, state := a.now(), "active"
	switch {
	case !k.RevokedAt.IsZero():
		state = "revoked"
	case k.Dead(now):
		state = "expired"
	}
	return apikeyView{
		ID: k.ID.String(), API: k.API, Operations: k.Operations, Owner: k.Owner, State: state, Strength: keyStrength, CreatedAt: moment(k.CreatedAt),
		ExpiresAt: moment(k.ExpiresAt), LastUsed: moment(k.UsedAt), Unused: state == "active" && k.Unused(now), Successor: k.Successor,
	}
}

func (p *program) apikeyCreate(t *target) *cobra.Command {
	var api, owner, expires string
	var operations []string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make an API key; it is printed once",
		Long: "Create makes a key for listed operations of one API. They are written as in the configuration, METHOD and template,\n" +
			"and all of them are of tier low. The key has to expire: --expires is at most 90d.",
		Example: "  sallyport apikey create --api weather --operations \"GET /weather,GET /alerts\" --expires 30d --owner team@example.com",
		Args:    noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			life, err := days(expires)
			switch {
			case expires == "":
				return refusef("--expires is missing: every key ends, after 90d at most, for example --expires 30d")
			case err != nil || life < time.Minute || life > apikey.MaxLife:
				return refusef("--expires must be between 1m and 90d, for example 30d or 12h")
			}
			if err := a.judgeOperations(api, operations); err != nil {
				return err
			}
			if owner != "" {
				if problems := contactProblems([]string{owner}); len(problems) > 0 {
					return refusef("--owner: %s", problems[0].Text)
				}
			}
			made, now := secret.NewHandle(secret.APIKey), a.now()
			k := apikey.Key{ID: secret.NewID(now), Hash: made.Hash(), API: api, Operations: operations, Owner: owner, CreatedAt: now, ExpiresAt: now.Add(life)}
			if err := a.store.APIKeys().AddAPIKey(ctx, k); err != nil {
				return err
			}
			v := a.viewAPIKey(k)
			v.APIKey = made.Reveal()
			return a.print(v, "api_key: %s\nIt is good for %s of %s until %s, and shown this once; only its hash is kept.\nid: %s\nuse: curl -H 'Authorization: Bearer %s' …",
				v.APIKey, strings.Join(operations, ", "), api, v.ExpiresAt, v.ID, v.APIKey)
		}),
	}
	cmd.Flags().StringVar(&api, "api", "", "`NAME` of the API")
	cmd.Flags().StringSliceVar(&operations, "operations", nil, "`LIST` of operations, separated by commas: \"GET /weather,GET /alerts\"")
	cmd.Flags().StringVar(&expires, "expires", "", "how `LONG` it lives: 30d, 12h")
	cmd.Flags().StringVar(&owner, "owner", "", "mail `ADDRESS` of who looks after it")
	return cmd
}

// days reads a duration that may be in whole days, as in 30d.
func days(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		d, err := time.ParseDuration(n + "h")
		return d * 24, err
	}
	return time.ParseDuration(s)
}

// keyAPI returns the API of a key as the gateway has it, with the operations of
// its OpenAPI document.
func (a *admin) keyAPI(name string) (gateway.API, error) {
	all, err := a.config.gatewayAPIs()
	if err != nil {
		return gateway.API{}, err
	}
	at := slices.IndexFunc(all, func(g gateway.API) bool { return g.Name == name })
	if at < 0 {
		return gateway.API{}, refusef("there is no API %q behind the gateway in %s", name, a.config.path)
	}
	return all[at], nil
}

// judgeOperations refuses what a key could not be used for.
func (a *admin) judgeOperations(name string, operations []string) error {
	api, err := a.keyAPI(name)
	switch {
	case name == "":
		return refusef("--api is missing: a key is for operations of one API")
	case err != nil:
		return err
	case !api.APIKeys:
		return refusef("--api: %s does not accept API keys: set api_keys in %s", name, a.config.path)
	case len(operations) == 0:
		return refusef("--operations is missing: a key is for listed operations, for example %q", labelOf(api.Operations[0]))
	}
	for _, match := range operations {
		i := slices.IndexFunc(api.Operations, func(o gateway.Operation) bool { return labelOf(o) == match })
		if i < 0 {
			return refusef("--operations: %s has no operation %q", name, match)
		}
		o := api.Operations[i]
		switch {
		case o.Tier == nil && api.Tier != token.TierLow || o.Tier != nil && *o.Tier != token.TierLow:
			return refusef("--operations: %s of %s is not of tier low, where alone keys are accepted: sallyport client add --type service makes a client", match, name)
		case api.PeopleOnly || o.ACR != "" || o.MaxAge > 0:
			return refusef("--operations: %s of %s asks for a person, which a key never is", match, name)
		}
	}
	return nil
}

// labelOf is an operation as configuration and keys write it.
func labelOf(o gateway.Operation) string { return o.Method + " " + o.Path }

func (p *program) apikeyList(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List API keys: what they are for, when they end and were used", Example: "  sallyport apikey list", Args: noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			all, err := a.store.APIKeys().APIKeys(ctx)
			if err != nil {
				return err
			}
			views := []apikeyView{}
			for _, k := range all {
				views = append(views, a.viewAPIKey(k))
			}
			if a.asJSON {
				return a.print(views, "")
			}
			w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tAPI\tSTATE\tEXPIRES\tLAST USED\tOWNER\tOPERATIONS")
			for _, v := range views {
				used := v.LastUsed
				if v.Unused {
					used = strings.TrimSpace(used + " (unused for 30 days)")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.API, v.State, v.ExpiresAt, used, v.Owner, strings.Join(v.Operations, ", "))
			}
			return w.Flush()
		}),
	}
}

// apiKey finds a key by what a person has typed.
func (a *admin) apiKey(ctx context.Context, id string) (apikey.Key, error) {
	all, err := a.store.APIKeys().APIKeys(ctx)
	if err != nil {
		return apikey.Key{}, err
	}
	for _, k := range all {
		if k.ID.String() == id {
			return k, nil
		}
	}
	return apikey.Key{}, refusef("there is no API key %q: sallyport apikey list shows all", id)
}

func (p *program) apikeyShow(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show what is known of an API key", Example: "  sallyport apikey show 06h0qraq035vkr9e7dlm6ptb9o", Args: oneArg("ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			k, err := a.apiKey(ctx, args[0])
			if err != nil {
				return err
			}
			v := a.viewAPIKey(k)
			return a.print(v, "id          %s\napi         %s\noperations  %s\nowner       %s\nstate       %s\nstrength    %s\ncreated     %s\nexpires     %s\nlast used   %s\nunused      %t\nsuccessor   %s",
				v.ID, v.API, strings.Join(v.Operations, ", "), v.Owner, v.State, v.Strength, v.CreatedAt, v.ExpiresAt, v.LastUsed, v.Unused, v.Successor)
		}),
	}
}

func (p *program) apikeyRevoke(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End an API key at once", Example: "  sallyport apikey revoke 06h0qraq035vkr9e7dlm6ptb9o", Args: oneArg("ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			k, err := a.apiKey(ctx, args[0])
			if err != nil {
				return err
			}
			now := a.now()
			err = a.store.APIKeys().RevokeAPIKey(ctx, k.ID, revocation.ReasonAdmin, now, keep(now))
			if errors.Is(err, apikey.ErrStale) || errors.Is(err, apikey.ErrNotFound) {
				return refusef("%s has ended already", args[0])
			}
			if err != nil {
				return err
			}
			return a.print(map[string]string{"id": args[0], "done": "revoke"}, "%s is revoked; every node refuses it within a second", args[0])
		}),
	}
}
