package vault_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
	"sallyport/internal/vault"
)

// house is a database with keys, a clock, and one node that follows the feed
// only when a test says so.
type house struct {
	t      *testing.T
	mu     sync.Mutex
	at     time.Time
	store  *store.Store
	keeper *token.Keeper
	ring   *token.Ring
	feed   *revocation.Follower
	vault  *vault.Vault
	fresh  bool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, at: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), fresh: true}
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: h.now})
	h.ok(err)
	t.Cleanup(func() { _ = s.Close() })
	h.ok(s.Migrate(t.Context()))
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	h.ok(err)
	h.keeper = &token.Keeper{Store: s.Keys(), Master: func() (*token.Master, error) { return master, nil }, Now: h.now}
	h.ring, err = token.OpenRing(t.Context(), s.Keys(), master, h.now)
	h.ok(err)
	h.store, h.feed = s, revocation.NewFollower(s.Feed(), h.now)
	h.vault = vault.New(vault.Options{Store: s.Vault(), Keys: h.ring, Now: h.now, Fresh: func() bool { return h.fresh }})
	h.feed.OnEntry(func(e revocation.Entry) {
		if e.Kind == revocation.Secret {
			h.vault.Forget(e.ID)
		}
	})
	h.ok(h.feed.CatchUp(t.Context()))
	return h
}

func (h *house) now() time.Time          { h.mu.Lock(); defer h.mu.Unlock(); return h.at }
func (h *house) advance(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.at = h.at.Add(d) }
func (h *house) keep() time.Time         { return h.now().Add(time.Hour) }

func (h *house) ok(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) set(name, value string, overlap time.Duration) {
	h.t.Helper()
	_, err := vault.Set(h.t.Context(), h.store.Vault(), h.ring, h.now(), vault.Change{Name: name, Value: secret.New(value), Overlap: overlap, Keep: h.keep()})
	h.ok(err)
}

func (h *house) follow() { h.t.Helper(); h.ok(h.feed.CatchUp(h.t.Context())) }

// want asks for maps_key: a value, or an error where value is "".
func (h *house) want(what, value string, want error) {
	h.t.Helper()
	got, err := h.vault.Secret(h.t.Context(), "maps_key")
	if got.Reveal() != value || !errors.Is(err, want) || want == nil && err != nil {
		h.t.Errorf("%s: %q %v, want %q %v", what, got.Reveal(), err, value, want)
	}
}

func TestEG07ANewValueCountsAtTheNextCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.want("before there is one", "", vault.ErrNoSecret)
	h.set("maps_key", "first-value", 0)
	h.follow()
	h.want("the first", "first-value", nil)
	h.set("maps_key", "second-value", time.Hour)
	h.set("other", "of-somebody-else", 0)
	h.follow()
	h.want("the second", "second-value", nil)
	values := func() (list []string) {
		all, err := h.vault.Values(t.Context(), "maps_key")
		h.ok(err)
		for _, v := range all {
			list = append(list, v.Reveal())
		}
		return list
	}
	if got := values(); fmt.Sprint(got) != "[second-value first-value]" {
		t.Errorf("in overlap: %v", got)
	}
	h.advance(time.Hour)
	h.want("after the overlap", "second-value", nil)
	if got := values(); fmt.Sprint(got) != "[second-value]" {
		t.Errorf("after the overlap: %v", got)
	}
}

func TestACompromisedSecretIsNeverHandedOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set("maps_key", "leaked-value", 0)
	h.set("other", "another-value", 0)
	h.follow()
	h.want("before", "leaked-value", nil)
	_, err := h.store.Vault().CompromiseSecret(t.Context(), "maps_key", h.now(), h.keep())
	h.ok(err)
	h.follow()
	h.want("after", "", vault.ErrCompromised)
	if got, err := h.vault.Secret(t.Context(), "other"); err != nil || got.Reveal() != "another-value" {
		t.Errorf("another one: %v", err)
	}
	var word interface{ EgressReason() string }
	if _, err := h.vault.Secret(t.Context(), "maps_key"); !errors.As(err, &word) || word.EgressReason() != "egress_secret_compromised" {
		t.Errorf("no word for the log: %v", err)
	}
	h.set("maps_key", "its-successor", time.Hour)
	h.follow()
	h.want("with a successor", "its-successor", nil)
	if all, err := h.vault.Values(t.Context(), "maps_key"); err != nil || len(all) != 1 {
		t.Errorf("%d values live, %v", len(all), err)
	}
}

func TestWhatIsHeldIsBoundedByTimeAndNews(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set("maps_key", "old-value", 0)
	h.follow()
	h.want("read", "old-value", nil)
	h.set("maps_key", "new-value", 0)
	h.want("from memory, before the news is here", "old-value", nil)
	h.fresh = false
	h.want("without news, the store is asked", "new-value", nil)
	h.fresh = true
	h.set("maps_key", "newer-value", 0)
	h.advance(31 * time.Second)
	h.want("what was held for long is read again", "newer-value", nil)
	h.ok(h.store.Close())
	h.fresh = false
	if _, err := h.vault.Secret(t.Context(), "maps_key"); err == nil {
		t.Error("handed out without news and without a store")
	}
}

// What is read from the store while the feed says that it changes is not kept.
func TestAReadingThatIsOvertakenIsNotKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set("maps_key", "old-value", 0)
	h.follow()
	slow := &overtaken{Store: h.store.Vault()}
	v := vault.New(vault.Options{Store: slow, Keys: h.ring, Now: h.now, Fresh: func() bool { return true }})
	slow.meanwhile = func() {
		slow.meanwhile = func() {}
		h.set("maps_key", "new-value", 0)
		v.Forget("maps_key")
	}
	if _, err := v.Secret(t.Context(), "maps_key"); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Secret(t.Context(), "maps_key"); err != nil || got.Reveal() != "new-value" {
		t.Errorf("the next call gets %q, %v", got.Reveal(), err)
	}
}

type overtaken struct {
	vault.Store
	meanwhile func()
}

func (o *overtaken) Versions(ctx context.Context, name string) ([]vault.Version, error) {
	list, err := o.Store.Versions(ctx, name)
	o.meanwhile()
	return list, err
}

func TestASealedValueOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set("other", "high-privilege", 0)
	stolen, err := h.store.Vault().Versions(t.Context(), "other")
	h.ok(err)
	if strings.Contains(stolen[0].Sealed, "high-privilege") {
		t.Error("the value is in the store as it is")
	}
	moved := stolen[0]
	moved.Name, moved.Number = "maps_key", 1
	h.ok(h.store.Vault().SetVersion(t.Context(), moved, h.now(), h.keep()))
	h.want("moved to another name", "", vault.ErrSealed)
}

func TestTheSealingKeyDies(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.set("maps_key", "first-value", 0)
	h.want("before", "first-value", nil)
	policy, _ := token.PolicyOf(token.SealSecret)
	h.advance(time.Second)
	_, err := h.keeper.Compromise(t.Context(), policy, secret.ID{})
	h.ok(err)
	h.ok(h.ring.Reload(t.Context()))
	h.want("after, although it was held", "", vault.ErrSealed)
	h.set("maps_key", "second-value", 0)
	h.follow()
	h.want("set again", "second-value", nil)
}

func TestValuesAreJudged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"a text", "abc-123", ""},
		{"letters of other alphabets", "schlüssel", ""},
		{"nothing", "", "is empty"},
		{"a line break", "abc\r\nX-Evil: 1", "line break"},
		{"a zero byte", "a\x00b", "control character"},
		{"as long as may be", strings.Repeat("x", vault.MaxValue), ""},
		{"too long", strings.Repeat("x", vault.MaxValue+1), "longer than 4096"},
	} {
		if got := vault.CheckValue(vault.Text, secret.New(c.text)); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if vault.CheckValue("no-kind", secret.New("x")) == "" {
		t.Error("a kind that there is not")
	}
	for _, name := range []string{"maps_key", "a", "a.b-c_9"} {
		if why := vault.CheckName(name); why != "" {
			t.Errorf("%q: %s", name, why)
		}
	}
	for _, name := range []string{"", "Maps", "9a", "_a", "a b", "a/b", "a\n", "é", strings.Repeat("a", 65)} {
		if vault.CheckName(name) == "" {
			t.Errorf("%q is a name", name)
		}
	}
}

func serviceAccount(t *testing.T, bits int, change func(map[string]string)) secret.Value {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]string{
		"type": "service_account", "project_id": "demo", "private_key_id": "k1", "client_email": "bot@demo.iam.example.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://oauth2.example.com/token",
	}
	if change != nil {
		change(file)
	}
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(string(b))
}

func TestServiceAccountFilesAreJudged(t *testing.T) {
	t.Parallel()
	good := serviceAccount(t, 2048, nil)
	if why := vault.CheckValue(vault.GoogleServiceAccount, good); why != "" {
		t.Errorf("a good one: %s", why)
	}
	a, err := vault.ParseServiceAccount(good)
	if err != nil || a.Email != "bot@demo.iam.example.com" || a.KeyID != "k1" || a.Project != "demo" || a.Key == nil || a.TokenURI != "https://oauth2.example.com/token" {
		t.Errorf("%+v %v", a, err)
	}
	set := func(name, value string) func(map[string]string) { return func(m map[string]string) { m[name] = value } }
	for name, c := range map[string]struct {
		value secret.Value
		want  string
	}{
		"no JSON":             {secret.New("hello"), "not JSON"},
		"a user's file":       {serviceAccount(t, 2048, set("type", "authorized_user")), "type is another"},
		"no email":            {serviceAccount(t, 2048, set("client_email", "")), "lacks"},
		"no key ID":           {serviceAccount(t, 2048, set("private_key_id", "")), "lacks"},
		"no key":              {serviceAccount(t, 2048, set("private_key", "abc")), "PEM"},
		"another form":        {serviceAccount(t, 2048, set("private_key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")), "PKCS #8"},
		"a key that is short": {serviceAccount(t, 1024, nil), "2048"},
	} {
		if why := vault.CheckValue(vault.GoogleServiceAccount, c.value); !strings.Contains(why, c.want) {
			t.Errorf("%s: %q, want %q", name, why, c.want)
		}
	}
}

func FuzzParseServiceAccount(f *testing.F) {
	f.Add(`{"type":"service_account","private_key_id":"k","client_email":"a@b","private_key":"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}`)
	f.Add(`{"type":"service_account"}`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := vault.ParseServiceAccount(secret.New(text))
		if err == nil && (a.Key == nil || a.Email == "" || a.KeyID == "") {
			t.Errorf("%q is complete: %+v", text, a)
		}
		if err != nil && len(text) > 40 && strings.Contains(err.Error(), text) {
			t.Errorf("quotes it: %v", err)
		}
	})
}
