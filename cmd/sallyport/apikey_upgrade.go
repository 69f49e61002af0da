package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/apikey"
	"sallyport/internal/gateway"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// upgradeView is the client that has taken the place of a key.
type upgradeView struct {
	ID           string   `json:"id"` // of the key
	KeyEndsAt    string   `json:"key_ends_at"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"` // only now
	Scope        string   `json:"scope"`
	Also         []string `json:"also_allowed,omitempty"` // operations that the scope opens besides
	Token        string   `json:"token_endpoint"`
	Resource     string   `json:"resource"`
	Sample       string   `json:"sample"`
}

func (p *program) apikeyUpgrade(t *target) *cobra.Command {
	name, grace := "", 7*24*time.Hour
	cmd := &cobra.Command{
		Use:   "upgrade ID",
		Short: "Make a client with the rights of an API key, and let the key end",
		Long: "Upgrade makes a service client that may do what the key may, prints its secret once with a sample that works, and lets\n" +
			"the key end after a while. What travels with each call is then a token that lives for an hour at most.",
		Example: "  sallyport apikey upgrade 06h0qraq035vkr9e7dlm6ptb9o --client-id weather-job --grace 72h",
		Args:    oneArg("ID"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error {
			k, err := a.apiKey(ctx, args[0])
			switch {
			case err != nil:
				return err
			case k.Dead(a.now()):
				return refusef("%s has ended: sallyport client add makes a client", args[0])
			case k.Successor != "":
				return refusef("%s has the successor %s already", args[0], k.Successor)
			case grace < 0 || grace > apikey.MaxLife:
				return refusef("--grace must be between 0 and 90d")
			}
			if name == "" {
				name = k.API + "-" + args[0][:8]
			}
			return a.upgrade(ctx, k, name, grace)
		}),
	}
	cmd.Flags().StringVar(&name, "client-id", "", "`CLIENT_ID` of the client; without it, the API and the beginning of the ID")
	cmd.Flags().DurationVar(&grace, "grace", grace, "how long the key goes on working")
	return cmd
}

func (a *admin) upgrade(ctx context.Context, k apikey.Key, id string, grace time.Duration) error {
	api, err := a.keyAPI(k.API)
	if err != nil {
		return err
	}
	scope, also := rightsOf(api, k.Operations)
	if scope == "" {
		return refusef("the API %s has none of the operations of the key any more", k.API)
	}
	made, now := secret.NewHandle(secret.ClientSecret), a.now()
	c := oauth.Client{ID: id, Name: id, Type: oauth.ServiceClient, Scope: scope, CreatedAt: now, Secrets: []oauth.ClientSecret{{Hash: made.Hash(), CreatedAt: now}}}
	if k.Owner != "" {
		c.Contacts = []string{k.Owner}
	}
	if err := a.judgeClient(c); err != nil {
		return err
	}
	if err := a.store.OAuth().AddClient(ctx, c); err != nil {
		if errors.Is(err, oauth.ErrExists) {
			return refusef("there is a client %q already: choose another with --client-id", id)
		}
		return err
	}
	if err := a.store.APIKeys().SucceedAPIKey(ctx, k.ID, id, now.Add(grace), now, keep(now)); err != nil {
		err = errors.Join(err, a.store.OAuth().RemoveClient(ctx, id, now, keep(now)))
		if errors.Is(err, apikey.ErrStale) {
			return refusef("%s was changed by somebody else in this moment: look at sallyport apikey show %s", k.ID, k.ID)
		}
		return err
	}
	ends := k.ExpiresAt
	if end := now.Add(grace); end.Before(ends) {
		ends = end
	}
	v := upgradeView{
		ID: k.ID.String(), KeyEndsAt: moment(ends), ClientID: id, ClientSecret: made.Reveal(), Scope: scope, Also: also,
		Token: a.config.Issuer + "/oauth/token", Resource: api.Audience,
	}
	v.Sample = fmt.Sprintf("curl -s -u %s:%s -d grant_type=client_credentials -d 'scope=%s' -d 'resource=%s' %s", id, v.ClientSecret, scope, v.Resource, v.Token)
	line := fmt.Sprintf("client_id: %s\nclient_secret: %s\nIt is shown this once; only its hash is kept. The key ends %s.\n\nGet a token, which lives for an hour at most:\n  %s\n"+
		"Send it as before, in place of the key:\n  curl -H \"Authorization: Bearer $TOKEN\" …", id, v.ClientSecret, v.KeyEndsAt, v.Sample)
	if len(also) > 0 {
		line += "\n\nThe scope opens these operations, too: " + strings.Join(also, ", ") + ". Give them scopes of their own if the client should not have them."
	}
	return a.print(v, "%s", line)
}

// rightsOf returns the scopes of operations, and which others they open.
func rightsOf(api gateway.API, operations []string) (scope string, also []string) {
	var scopes []string
	for _, o := range api.Operations {
		if slices.Contains(operations, labelOf(o)) {
			scopes = appendNew(scopes, o.Scope)
		}
	}
	for _, o := range api.Operations {
		if slices.Contains(scopes, o.Scope) && !slices.Contains(operations, labelOf(o)) {
			also = append(also, labelOf(o))
		}
	}
	return strings.Join(scopes, " "), also
}
