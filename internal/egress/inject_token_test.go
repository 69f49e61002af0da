package egress_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/egress"
	"sallyport/internal/secret"
	secrets "sallyport/internal/vault"
)

// endpoint is a token endpoint that counts and says what a test wants.
type endpoint struct {
	asked  atomic.Int64
	mu     sync.Mutex
	answer func(header map[string]string, form url.Values) (int, string, error)
	wait   chan struct{}
}

func (e *endpoint) Ask(_ context.Context, address string, header map[string]string, form []byte) (int, []byte, error) {
	n := e.asked.Add(1)
	if e.wait != nil {
		<-e.wait
	}
	q, err := url.ParseQuery(string(form))
	if err != nil || address != "https://login.example.net/token" {
		return 0, nil, errors.New("another address")
	}
	e.mu.Lock()
	answer := e.answer
	e.mu.Unlock()
	if answer == nil {
		return 200, fmt.Appendf(nil, `{"access_token":"token-number-%d","token_type":"Bearer","expires_in":600}`, n), nil
	}
	status, text, err := answer(header, q)
	return status, []byte(text), err
}

func (e *endpoint) says(answer func(map[string]string, url.Values) (int, string, error)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000, 0).Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func client(s egress.Secrets, e *endpoint, c *clock) *egress.OAuthInjector {
	return egress.NewOAuthInjector(egress.OAuthOptions{Secrets: s, Secret: "orders", Door: e, Now: c.now, TokenURL: "https://login.example.net/token", ClientID: "our app", Scope: "orders.read", Audience: "x"})
}

// bearer is what an injector sends now.
func bearer(t *testing.T, i egress.Injector) (string, []secret.Value, error) {
	t.Helper()
	r := &http.Request{Header: http.Header{}, URL: &url.URL{}}
	sent, err := i.Inject(t.Context(), r, nil)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), sent, err
}

func TestEG08ClientCredentials(t *testing.T) {
	t.Parallel()
	e, c, s := &endpoint{}, &clock{}, keep("orders", "the-client-secret")
	var got url.Values
	var basic string
	e.says(func(h map[string]string, q url.Values) (int, string, error) {
		got, basic = q, h["Authorization"]
		return 200, `{"access_token":"an-access-token","token_type":"bearer","expires_in":600}`, nil
	})
	token, sent, err := bearer(t, client(s, e, c))
	if err != nil || token != "an-access-token" || len(sent) != 1 || sent[0].Reveal() != token {
		t.Fatal(token, sent, err)
	}
	if got.Encode() != "audience=x&grant_type=client_credentials&scope=orders.read" || basic != "Basic "+base64.StdEncoding.EncodeToString([]byte("our+app:the-client-secret")) {
		t.Errorf("sent %v %q", got, basic)
	}
	post := egress.NewOAuthInjector(egress.OAuthOptions{Secrets: s, Secret: "orders", Door: e, Now: c.now, TokenURL: "https://login.example.net/token", ClientID: "our app", Post: true})
	if _, _, err := bearer(t, post); err != nil || basic != "" || got.Get("client_secret") != "the-client-secret" || got.Get("client_id") != "our app" {
		t.Errorf("in the form: %v %v", got, err)
	}
}

func TestTokensAreFetchedOnceAndRenewedEarly(t *testing.T) {
	t.Parallel()
	e, c := &endpoint{wait: make(chan struct{})}, &clock{}
	i := client(keep("orders", "the-client-secret"), e, c)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if token, _, err := bearer(t, i); token != "token-number-1" || err != nil {
				t.Error(token, err)
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	close(e.wait)
	all.Wait()
	if n := e.asked.Load(); n != 1 {
		t.Fatalf("asked %d times", n)
	}
	c.advance(9 * time.Minute) // less than a fifth is left: used, and renewed meanwhile
	if token, _, err := bearer(t, i); token != "token-number-1" || err != nil {
		t.Error(token, err)
	}
	for token := ""; token != "token-number-2"; token, _, _ = bearer(t, i) {
		time.Sleep(time.Millisecond)
	}
	c.advance(11 * time.Minute)
	if token, _, err := bearer(t, i); token != "token-number-3" || err != nil {
		t.Errorf("after its end: %s %v", token, err)
	}
	c.advance(-time.Hour)
	if token, _, err := bearer(t, i); token != "token-number-4" || err != nil {
		t.Errorf("when the clock went back: %s %v", token, err)
	}
}

// The caller that needed a token first leaves; the others get it.
func TestOneWhoLeavesDoesNotEndTheFetch(t *testing.T) {
	t.Parallel()
	e, c := &endpoint{wait: make(chan struct{})}, &clock{}
	i := client(keep("orders", "the-client-secret"), e, c)
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := i.Inject(ctx, &http.Request{Header: http.Header{}}, nil)
		first <- err
	}()
	for e.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(e.wait)
	if token, _, err := bearer(t, i); token != "token-number-1" || err != nil || e.asked.Load() != 1 {
		t.Error(token, err, e.asked.Load())
	}
}

func TestEG07ATokenEndsWithItsSecret(t *testing.T) {
	t.Parallel()
	e, c, s := &endpoint{}, &clock{}, keep("orders", "the-client-secret")
	i := client(s, e, c)
	if token, _, err := bearer(t, i); token != "token-number-1" || err != nil {
		t.Fatal(token, err)
	}
	s.fail(secrets.ErrCompromised)
	var word interface{ EgressReason() string }
	if token, _, err := bearer(t, i); token != "" || !errors.As(err, &word) || word.EgressReason() != "egress_secret_compromised" {
		t.Errorf("a compromised secret: %q %v", token, err)
	}
	s.fail(nil)
	s.set("orders", "the-next-secret")
	if token, _, err := bearer(t, i); token != "token-number-2" || err != nil {
		t.Errorf("a new secret: %q %v", token, err)
	}
}

// The other side does not know the new secret yet.
func TestEG07ASecretInOverlapIsTriedWhereTheNewOneIsRefused(t *testing.T) {
	t.Parallel()
	e, c, s := &endpoint{}, &clock{}, keep("orders", "the-new-secret", "the-old-secret")
	e.says(func(h map[string]string, _ url.Values) (int, string, error) {
		pair, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(h["Authorization"], "Basic "))
		if strings.HasSuffix(string(pair), ":the-old-secret") {
			return 200, `{"access_token":"by-the-old-one","token_type":"Bearer"}`, nil
		}
		return 401, `{"error":"invalid_client"}`, nil
	})
	if token, _, err := bearer(t, client(s, e, c)); token != "by-the-old-one" || err != nil {
		t.Error(token, err)
	}
	s.set("orders", "the-new-secret")
	if token, _, err := bearer(t, client(s, e, c)); token != "" || err == nil {
		t.Error("after its overlap:", token, err)
	}
}

func TestA401MakesOneNewTokenNotOneForEachCall(t *testing.T) {
	t.Parallel()
	e, c := &endpoint{}, &clock{}
	i := client(keep("orders", "the-client-secret"), e, c)
	_, sent, err := bearer(t, i)
	if err != nil || !i.Renew(t.Context(), 401, sent) {
		t.Fatal("no second try", err)
	}
	token, again, err := bearer(t, i)
	if token != "token-number-2" || err != nil {
		t.Fatal(token, err)
	}
	if !i.Renew(t.Context(), 401, sent) {
		t.Error("a call that had the one before does not try the new one")
	}
	if i.Renew(t.Context(), 401, again) || e.asked.Load() != 2 {
		t.Error("an upstream that refuses everything makes us ask each time")
	}
	c.advance(11 * time.Second)
	if !i.Renew(t.Context(), 401, again) {
		t.Error("never again")
	}
}

func TestWhatTokenEndpointsSayIsJudged(t *testing.T) {
	t.Parallel()
	const good = `"access_token":"an-access-token","token_type":"Bearer"`
	for _, tt := range []struct {
		name, text, want string
		status           int
		err              error
	}{
		{"all that is needed", `{` + good + `}`, "", 200, nil},
		{"no type", `{"access_token":"an-access-token"}`, "egress_token_form", 200, nil},
		{"another type", `{"access_token":"an-access-token","token_type":"mac"}`, "egress_token_form", 200, nil},
		{"twice", `{` + good + `,"access_token":"another-token"}`, "egress_token_form", 200, nil},
		{"no JSON", `access_token=x`, "egress_token_form", 200, nil},
		{"a line break in it", `{"access_token":"an-access\r\nX-Evil: 1","token_type":"Bearer"}`, "egress_token_form", 200, nil},
		{"too short to be found again", `{"access_token":"short","token_type":"Bearer"}`, "egress_token_form", 200, nil},
		{"too long", `{"access_token":"` + strings.Repeat("x", 9000) + `","token_type":"Bearer"}`, "egress_token_form", 200, nil},
		{"over already", `{` + good + `,"expires_in":0}`, "egress_token_form", 200, nil},
		{"no", `{"error":"invalid_client"}`, "egress_token_refused", 401, nil},
		{"later", `{"error":"slow_down"}`, "egress_token_endpoint", 429, nil},
		{"broken", `{}`, "egress_token_endpoint", 500, nil},
		{"created", `{` + good + `}`, "egress_token_endpoint", 201, nil},
		{"gone", ``, "egress_token_endpoint", 0, errors.New("no route")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, c := &endpoint{}, &clock{}
			e.says(func(map[string]string, url.Values) (int, string, error) { return tt.status, tt.text, tt.err })
			i := client(keep("orders", "the-client-secret"), e, c)
			_, _, err := bearer(t, i)
			var word interface{ EgressReason() string }
			switch {
			case tt.want == "":
				if err != nil {
					t.Error(err)
				}
				return
			case !errors.As(err, &word) || word.EgressReason() != tt.want:
				t.Errorf("%v, want %s", err, tt.want)
			case strings.Contains(err.Error(), "the-client-secret"):
				t.Error(err)
			}
			if _, _, err := bearer(t, i); err == nil || e.asked.Load() != 1 {
				t.Errorf("asked %d times at once", e.asked.Load())
			}
			c.advance(3 * time.Second)
			if _, _, _ = bearer(t, i); e.asked.Load() != 2 {
				t.Error("never asked again")
			}
		})
	}
}

func account(t *testing.T) (*rsa.PrivateKey, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "demo", "private_key_id": "k1", "client_email": "bot@demo.iam.example.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://evil.example.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	return key, string(b)
}

func TestEG08ServiceAccountsGiveShortTokens(t *testing.T) {
	t.Parallel()
	key, file := account(t)
	e, c, s := &endpoint{}, &clock{}, keep("firestore", file)
	var claims struct {
		Iss, Scope, Aud, Sub string
		Iat, Exp             int64
	}
	e.says(func(_ map[string]string, q url.Values) (int, string, error) {
		parts := strings.Split(q.Get("assertion"), ".")
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
		if q.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
			return 400, `{"error":"invalid_grant"}`, nil
		}
		payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
		if header, _ := base64.RawURLEncoding.DecodeString(parts[0]); string(header) != `{"alg":"RS256","kid":"k1","typ":"JWT"}` {
			t.Errorf("header %s", header)
		}
		return 200, `{"access_token":"ya29.token","token_type":"Bearer","expires_in":3599}`, json.Unmarshal(payload, &claims)
	})
	i := egress.NewGoogleInjector(egress.GoogleOptions{
		Secrets: s, Secret: "firestore", Door: e, Now: c.now, TokenURL: "https://login.example.net/token",
		Scopes: []string{"https://www.googleapis.com/auth/datastore"},
	})
	for range 3 {
		if token, sent, err := bearer(t, i); token != "ya29.token" || err != nil || len(sent) != 1 {
			t.Fatal(token, err)
		}
	}
	if e.asked.Load() != 1 {
		t.Errorf("asked %d times", e.asked.Load())
	}
	now := c.now().Unix()
	if claims.Iss != "bot@demo.iam.example.com" || claims.Scope != "https://www.googleapis.com/auth/datastore" || claims.Aud != "https://login.example.net/token" || claims.Sub != "" ||
		claims.Iat > now || claims.Exp <= now || claims.Exp > now+300 {
		t.Errorf("claims %+v at %d", claims, now)
	}
	other, next := account(t)
	s.set("firestore", next)
	if _, _, err := bearer(t, i); err == nil {
		t.Error("the key of another account is accepted by the fake: the test checks nothing")
	}
	*key = *other
	c.advance(3 * time.Second)
	if _, _, err := bearer(t, i); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	s.set("firestore", "no file at all")
	var word interface{ EgressReason() string }
	if _, _, err := bearer(t, i); !errors.As(err, &word) || word.EgressReason() != "egress_secret_unusable" {
		t.Errorf("no file: %v", err)
	}
}
