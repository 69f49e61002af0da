package egress

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/vault"
)

// GoogleTokenURL is where Google exchanges assertions of service accounts.
const GoogleTokenURL = "https://oauth2.googleapis.com/token" //nolint:gosec // an address

// GoogleOptions are a service account and what it is used for. All are needed.
type GoogleOptions struct {
	Secrets Secrets
	Secret  string // name of a secret of the kind vault.GoogleServiceAccount
	Door    Asker
	Now     func() time.Time
	// TokenURL is asked, and named as aud. The file's token_uri is not: who may put a
	// file in place is not to choose where assertions go.
	TokenURL string
	Scopes   []string
}

// GoogleInjector sends an access token that a service account's assertion was exchanged
// for (RFC 7523 §2.1). The private key signs here and goes nowhere.
type GoogleInjector struct {
	o      GoogleOptions
	tokens *fetched
}

// NewGoogleInjector returns one without a token; the first call fetches it.
func NewGoogleInjector(o GoogleOptions) *GoogleInjector {
	i := &GoogleInjector{o: o}
	i.tokens = &fetched{secrets: o.Secrets, name: o.Secret, now: o.Now, exchange: i.exchange}
	return i
}

// Owns implements Owner. x-goog-api-key and the parameters beside it would be another
// credential, and access_token in the query the same.
func (*GoogleInjector) Owns() Owned {
	return Owned{Headers: []string{"Authorization", "X-Goog-Api-Key", "X-Goog-User-Project", "X-Goog-Iam-Authorization-Token"}, Parameters: []string{"access_token", "oauth_token", "key", "quotaUser", "$key"}}
}

// Inject implements Injector.
func (i *GoogleInjector) Inject(ctx context.Context, r *http.Request, _ []byte) ([]secret.Value, error) {
	return injectBearer(ctx, r, i.tokens)
}

// Renew implements Renewer.
func (i *GoogleInjector) Renew(_ context.Context, _ int, sent []secret.Value) bool {
	return i.tokens.forget(sent)
}

// assertionLife is how long an assertion may be used: it is sent at once.
const assertionLife = 2 * time.Minute

const grantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

func (i *GoogleInjector) exchange(ctx context.Context, s secret.Value) (issued, error) {
	account, err := vault.ParseServiceAccount(s)
	if err != nil {
		return issued{}, errors.Join(errUnusable, err) // it quotes nothing
	}
	assertion, err := i.assertion(account)
	if err != nil {
		return issued{}, errors.Join(errUnusable, err)
	}
	return askToken(ctx, i.o.Door, i.o.TokenURL, nil, url.Values{"grant_type": {grantJWTBearer}, "assertion": {assertion}})
}

// assertion says who asks, for what, and that it is now. iat is a little in the past,
// for a clock there that is behind.
func (i *GoogleInjector) assertion(a vault.ServiceAccount) (string, error) {
	now := i.o.Now()
	header, err1 := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": a.KeyID})
	claims, err2 := json.Marshal(map[string]any{
		"iss": a.Email, "scope": strings.Join(i.o.Scopes, " "), "aud": i.o.TokenURL,
		"iat": now.Add(-5 * time.Second).Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if err := errors.Join(err1, err2); err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.Key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
