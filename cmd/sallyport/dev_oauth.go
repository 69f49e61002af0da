package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// demoClient is the OAuth side of the demo's web app: a confidential client
// that knows an issuer, its client_id and its secret, and talks to them over
// TLS like any other. RFC numbers say what each check is for.
type demoClient struct {
	issuer      string
	clientID    string
	secret      secret.Value
	redirectURI string
	http        *http.Client
	keys        jose.KeySource
	now         func() time.Time
}

// signIn is a sign-in under way, kept at the app until the browser is back.
type signIn struct {
	state, nonce string
	verifier     secret.Value
	expires      time.Time
}

// demoTokens is what a sign-in gave. Nothing of it goes to the browser.
type demoTokens struct {
	access, refresh, id secret.Value
	scope               string
	expires             time.Time
	name                string // of the person
	subject             string
}

const signInLife = 30 * time.Minute

// begin returns where to send the browser and what to remember meanwhile.
func (c *demoClient) begin(scope string) (string, signIn) {
	s := signIn{state: random(), nonce: random(), verifier: secret.New(random()), expires: c.now().Add(signInLife)}
	sum := sha256.Sum256([]byte(s.verifier.Reveal()))
	return c.issuer + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {c.clientID}, "redirect_uri": {c.redirectURI}, "scope": {scope},
		"state": {s.state}, "nonce": {s.nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), s
}

func random() string { return base64.RawURLEncoding.EncodeToString(secret.Random(32)) }

// errRefused: the person did not agree (RFC 6749 §4.1.2.1).
var errRefused = errors.New("access was refused")

// finish redeems the code that came back. The answer must be of this sign-in
// (state, RFC 9700 §4.7) and of this issuer (iss, RFC 9207).
func (c *demoClient) finish(ctx context.Context, s signIn, back url.Values) (demoTokens, error) {
	same := subtle.ConstantTimeCompare([]byte(back.Get("state")), []byte(s.state)) == 1
	if !same || back.Get("iss") != c.issuer || c.now().After(s.expires) {
		return demoTokens{}, errors.New("this answer belongs to another sign-in")
	}
	if code := back.Get("error"); code == "access_denied" {
		return demoTokens{}, errRefused
	} else if code != "" {
		return demoTokens{}, fmt.Errorf("the issuer answered %q", code)
	}
	return c.tokens(ctx, s.nonce, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {c.redirectURI},
		"code_verifier": {s.verifier.Reveal()},
	})
}

// renew exchanges the refresh token. The old one is dead afterwards.
func (c *demoClient) renew(ctx context.Context, old demoTokens) (demoTokens, error) {
	t, err := c.tokens(ctx, "", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {old.refresh.Reveal()}})
	if err != nil {
		return demoTokens{}, err
	}
	t.name, t.subject = old.name, old.subject
	if t.id.IsZero() {
		t.id = old.id
		return t, nil
	}
	// OpenID Connect Core §12.2: a new ID token is of the same person.
	subject, err := c.subject(ctx, t.id.Reveal(), "")
	if err == nil && subject != old.subject {
		err = errors.New("the ID token is about somebody else")
	}
	return t, err
}

func (c *demoClient) tokens(ctx context.Context, nonce string, params url.Values) (demoTokens, error) {
	status, body, err := c.post(ctx, "/oauth/token", params)
	if err != nil {
		return demoTokens{}, err
	}
	var wire struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		IDToken      string `json:"id_token"`
		Scope        string `json:"scope"`
		ExpiresIn    int64  `json:"expires_in"`
		Error        string `json:"error"`
	}
	if err := json.Unmarshal(body, &wire); err != nil || status != http.StatusOK {
		return demoTokens{}, fmt.Errorf("the token endpoint answered %d %s", status, wire.Error)
	}
	t := demoTokens{
		access: secret.New(wire.AccessToken), refresh: secret.New(wire.RefreshToken), id: secret.New(wire.IDToken),
		scope: wire.Scope, expires: c.now().Add(time.Duration(wire.ExpiresIn) * time.Second),
	}
	if nonce == "" {
		return t, nil
	}
	t.subject, err = c.subject(ctx, wire.IDToken, nonce)
	if err == nil {
		t.name, err = c.personName(ctx, t)
	}
	return t, err
}

// subject verifies the ID token (OpenID Connect Core §3.1.3.7). nonce is empty for
// one that came with a refresh.
func (c *demoClient) subject(ctx context.Context, raw, nonce string) (string, error) {
	verifier, err := jose.NewVerifier(jose.Profile{
		Purpose: "ID token", Types: []string{"jwt", ""}, Algorithms: []jose.Algorithm{jose.ES256}, Keys: c.keys,
		Issuer: jose.Exactly(c.issuer), Audience: jose.Exactly(c.clientID), MaxLife: time.Hour, Skew: time.Minute,
		Require: []string{"sub"}, Now: c.now,
	})
	if err != nil {
		return "", err
	}
	claims, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("the ID token: %w", err)
	}
	if got, err := claims.String("nonce"); err != nil || nonce != "" && got != nonce {
		return "", errors.New("the ID token is not of this sign-in")
	}
	return claims.Subject, nil
}

// fetchKeys gets a key set with the demo's own client, which trusts the local CA.
func fetchKeys(client *http.Client) jose.Fetch {
	return func(ctx context.Context, url string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, errors.New("the keys cannot be fetched")
		}
		defer res.Body.Close()
		const most = 64 << 10
		body, err := io.ReadAll(io.LimitReader(res.Body, most))
		if err != nil || res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the keys cannot be fetched: status %d", res.StatusCode)
		}
		return body, nil
	}
}

// personName asks userinfo; the answer must be about the same person (OpenID
// Connect Core §5.3.2).
func (c *demoClient) personName(ctx context.Context, t demoTokens) (string, error) {
	status, body, err := c.call(ctx, http.MethodGet, c.issuer+"/oauth/userinfo", t.access, "")
	var info struct {
		Subject  string `json:"sub"`
		Name     string `json:"name"`
		Username string `json:"preferred_username"`
	}
	if err != nil || status != http.StatusOK || json.Unmarshal(body, &info) != nil || info.Subject != t.subject {
		return "", errors.New("userinfo is not about this person")
	}
	for _, name := range []string{info.Name, info.Username} {
		if name != "" {
			return name, nil
		}
	}
	return t.subject, nil
}

// revoke ends the sign-in at the issuer: without its refresh token a grant and
// all that came from it are dead (RFC 7009 §2.1).
func (c *demoClient) revoke(ctx context.Context, t demoTokens) error {
	value := t.refresh
	if value.IsZero() {
		value = t.access
	}
	status, _, err := c.post(ctx, "/oauth/revoke", url.Values{"token": {value.Reveal()}})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the revocation endpoint answered %d", status)
	}
	return err
}

// post sends a form with the client's own authentication.
func (c *demoClient) post(ctx context.Context, path string, params url.Values) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.issuer+path, strings.NewReader(params.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(c.clientID), url.QueryEscape(c.secret.Reveal()))
	return c.do(req)
}

// call sends a request with an access token.
func (c *demoClient) call(ctx context.Context, method, address string, access secret.Value, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	req.Header.Set("Authorization", "Bearer "+access.Reveal())
	return c.do(req)
}

const maxAnswer = 64 << 10

func (c *demoClient) do(req *http.Request) (int, []byte, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, errors.New("the issuer cannot be reached")
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, body, err
}
