package upstream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// Kind says what a provider speaks.
type Kind string

// The kinds. Each has a line in kinds.
const (
	OIDC      Kind = "oidc"
	Google    Kind = "google"
	Microsoft Kind = "microsoft"
	Apple     Kind = "apple"
	GitHub    Kind = "github" // OAuth 2.0 without OpenID Connect
)

// kinds says what is particular to each. To add one, add a line.
var kinds = map[Kind]struct {
	issuer   string // unless configured
	label    string
	scopes   []string
	hints    map[string]string // parameters that its authorization endpoint wants
	formPost bool              // it answers by a POST
	// dated: it says when somebody signed in where it is asked with max_age (OpenID
	// Connect Core §2), so that an old sign-in there can be told from a new one.
	dated bool
	// words: it writes booleans as strings too, as Apple says that it may.
	words bool
	// verified is the claim by which it says that an address is the person's.
	verified string
}{
	OIDC:      {scopes: []string{"openid", "email", "profile"}, dated: true, verified: "email_verified"},
	Google:    {issuer: "https://accounts.google.com", label: "Google", scopes: []string{"openid", "email", "profile"}, verified: "email_verified"},
	Microsoft: {label: "Microsoft", scopes: []string{"openid", "email", "profile"}, verified: "xms_edov"},
	Apple: {
		issuer: "https://appleid.apple.com", label: "Apple", scopes: []string{"openid", "email", "name"},
		hints: map[string]string{"response_mode": "form_post"}, formPost: true, dated: true, words: true, verified: "email_verified",
	},
	GitHub: {issuer: "https://github.com", label: "GitHub", scopes: []string{"read:user", "user:email"}},
}

// Options are one provider.
type Options struct {
	Name     string // in addresses: lower case letters, digits and -
	Kind     Kind
	Issuer   string // exactly as the provider writes it; empty: that of the kind
	ClientID string
	Label    string   // what people are shown; empty: that of the kind, or the name
	Scopes   []string // empty: those of the kind

	Secret secret.Value  // for client_secret_basic and client_secret_post
	Key    *token.Signer // for private_key_jwt, and for Apple
	TeamID string        // of Apple

	Tenants []string // of Microsoft: IDs of those whose people may sign in; "*": everybody's
	// EmailDomains are those for which the provider's word counts that an address is
	// the person's; "*": all. Empty: none, so an address is only shown.
	EmailDomains []string
	// MultiFactor are values of acr and amr that stand for two factors, and are believed.
	MultiFactor []string
	// Joins: an account is made for people who have none, if their address is verified.
	Joins bool
	Door  *outbound.Client
}

// ServiceOptions are all providers, and what they need. All but Providers must be set.
type ServiceOptions struct {
	Issuer    string // of this server; callbacks are below it
	Providers []Options
	Ring      *token.Ring
	Now       func() time.Time
	// Spend uses up a name until then, and reports whether this call was the first.
	Spend func(ctx context.Context, name secret.Hash, until time.Time) (fresh bool, err error)
}

var (
	validName   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	validTenant = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// ProblemError is one thing that is wrong with the options of a provider. Field is the
// setting.
type ProblemError struct{ Field, Text string }

// Error implements error.
func (p *ProblemError) Error() string { return p.Field + " " + p.Text }

// Check returns what is wrong with the options, each a *ProblemError. It asks nobody.
func (o *Options) Check() []error {
	var list []error
	need := func(ok bool, field, text string) {
		if !ok {
			list = append(list, &ProblemError{field, text})
		}
	}
	k, known := kinds[o.Kind]
	need(validName.MatchString(o.Name), "name", "is not of lower case letters, digits and -, at most 32")
	need(known, "kind", "is not oidc, google, microsoft, apple or github")
	if !known {
		return list
	}
	need(o.ClientID != "", "client_id", "is missing")
	need(o.Issuer != "" || k.issuer != "" || o.Kind == Microsoft, "issuer", "is missing")
	need(o.Issuer == "" || !strings.HasSuffix(o.Issuer, "/") && !strings.ContainsAny(o.Issuer, "?#"), "issuer", "has a slash at its end, a query or a fragment")
	if o.Kind == Apple {
		need(o.TeamID != "" && o.Key != nil && o.Secret.IsZero(), "team_id", "is needed with key_id and private_key_file, the .p8 of Apple, and no client_secret_file")
		need(o.Key == nil || o.Key.Algorithm == token.ES256, "private_key_file", "is not a P-256 key")
	} else {
		need(o.TeamID == "", "team_id", "is for Apple")
		need(o.Secret.IsZero() != (o.Key == nil), "client_secret_file", "or private_key_file is needed, and only one of them")
	}
	need(o.Kind != GitHub || o.Key == nil, "private_key_file", "is not for GitHub, which has secrets")
	need(o.Kind != GitHub || len(o.MultiFactor) == 0, "trust_mfa", "is not for GitHub, which does not say how somebody signed in")
	need((o.Kind == Microsoft) == (len(o.Tenants) > 0), "tenants", map[bool]string{true: "is missing: the IDs of the tenants whose people may sign in, or \"*\"", false: "is for Microsoft"}[o.Kind == Microsoft])
	for _, t := range o.Tenants {
		need(validTenant.MatchString(t) || t == "*" && len(o.Tenants) == 1, "tenants", fmt.Sprintf("has %q, which is not the ID of a tenant, nor \"*\" alone", t))
	}
	if len(o.Scopes) > 0 && o.Kind != GitHub {
		need(o.has("openid"), "scopes", "lacks openid")
	}
	for _, d := range o.EmailDomains {
		need(d == "*" || d == strings.ToLower(d) && strings.Contains(d, ".") && !strings.ContainsAny(d, "@ *"), "email_domains", fmt.Sprintf("has %q, which is no domain in lower case, nor \"*\"", d))
	}
	need(!o.Joins || len(o.EmailDomains) > 0, "sign_up", "needs email_domains: nobody joins whose address is not made sure of")
	if o.Door != nil && len(list) == 0 {
		if err := o.Door.Check(o.issuer()); err != nil {
			need(false, "issuer", "will never be asked: "+err.Error())
		}
	}
	return list
}

func (o *Options) has(scope string) bool {
	for _, s := range o.scopes() {
		if s == scope {
			return true
		}
	}
	return false
}

func (o *Options) scopes() []string {
	if len(o.Scopes) > 0 {
		return o.Scopes
	}
	return kinds[o.Kind].scopes
}

// issuer is where the provider's metadata is found. Microsoft has one for each
// tenant, and one for all.
func (o *Options) issuer() string {
	switch {
	case o.Issuer != "":
		return o.Issuer
	case o.Kind == Microsoft && len(o.Tenants) == 1 && o.Tenants[0] != "*":
		return microsoft + o.Tenants[0] + "/v2.0"
	case o.Kind == Microsoft:
		return microsoft + "common/v2.0"
	}
	return kinds[o.Kind].issuer
}

const microsoft = "https://login.microsoftonline.com/"

func (o *Options) label() string {
	if o.Label != "" {
		return o.Label
	}
	if l := kinds[o.Kind].label; l != "" {
		return l
	}
	return o.Name
}

// provider is one that people can sign in at. Safe for concurrent use.
type provider struct {
	Options
	redirectURI string
	now         func() time.Time
	found       discovery
}

func (s *Service) newProvider(o Options) (*provider, error) {
	if o.Door == nil {
		return nil, errors.New("upstream: no door")
	}
	if list := o.Check(); len(list) > 0 {
		return nil, fmt.Errorf("upstream: provider %s: %w", o.Name, errors.Join(list...))
	}
	return &provider{Options: o, redirectURI: s.issuer + CallbackPath + o.Name, now: s.now}, nil
}

// algorithms that a provider may sign with: those that need no secret of ours.
var algorithms = []jose.Algorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.Ed25519, jose.PS256, jose.PS384, jose.PS512, jose.RS256, jose.RS384, jose.RS512,
}
