package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/secret"
)

// OAuthOptions are the client that we are to somebody else's authorization server.
// All but Scope, Audience and Post are needed.
type OAuthOptions struct {
	Secrets  Secrets
	Secret   string // name of the client secret
	Door     Asker
	Now      func() time.Time
	TokenURL string
	ClientID string
	Scope    string
	Audience string // what some servers want in addition
	Post     bool   // the secret goes into the form, for servers that know no Basic
}

// OAuthInjector sends an access token that the client credentials grant gives
// (RFC 6749 §4.4). The client secret goes to the token endpoint and nowhere else.
type OAuthInjector struct {
	o      OAuthOptions
	tokens *fetched
}

// NewOAuthInjector returns one without a token; the first call fetches it.
func NewOAuthInjector(o OAuthOptions) *OAuthInjector {
	i := &OAuthInjector{o: o}
	i.tokens = &fetched{secrets: o.Secrets, name: o.Secret, now: o.Now, exchange: i.exchange}
	return i
}

// Owns implements Owner.
func (*OAuthInjector) Owns() Owned { return Owned{Headers: []string{"Authorization"}} }

// Inject implements Injector.
func (i *OAuthInjector) Inject(ctx context.Context, r *http.Request, _ []byte) ([]secret.Value, error) {
	return injectBearer(ctx, r, i.tokens)
}

// Renew implements Renewer.
func (i *OAuthInjector) Renew(_ context.Context, _ int, sent []secret.Value) bool {
	return i.tokens.forget(sent)
}

func injectBearer(ctx context.Context, r *http.Request, tokens *fetched) ([]secret.Value, error) {
	token, err := tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	r.Header["Authorization"] = []string{"Bearer " + token.Reveal()}
	return []secret.Value{token}, nil
}

// exchange asks with the newest secret, and with one that is in overlap where that is
// refused: the other side may not know the new one yet.
func (i *OAuthInjector) exchange(ctx context.Context, newest secret.Value) (issued, error) {
	got, err := i.ask(ctx, newest)
	older, ok := i.o.Secrets.(interface {
		Values(ctx context.Context, name string) ([]secret.Value, error)
	})
	if !ok || !errors.Is(err, errRefused) {
		return got, err
	}
	values, listErr := older.Values(ctx, i.o.Secret)
	if listErr != nil || len(values) < 2 || !values[0].Equal(newest) {
		return got, err
	}
	for _, v := range values[1:] {
		if got, err = i.ask(ctx, v); !errors.Is(err, errRefused) {
			return got, err
		}
	}
	return got, err
}

func (i *OAuthInjector) ask(ctx context.Context, s secret.Value) (issued, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, value := range map[string]string{"scope": i.o.Scope, "audience": i.o.Audience} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if i.o.Post {
		form.Set("client_id", i.o.ClientID)
		form.Set("client_secret", s.Reveal())
		return askToken(ctx, i.o.Door, i.o.TokenURL, nil, form)
	}
	pair := url.QueryEscape(i.o.ClientID) + ":" + url.QueryEscape(s.Reveal()) // RFC 6749 §2.3.1
	header := map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}
	return askToken(ctx, i.o.Door, i.o.TokenURL, header, form)
}
