package gateway_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/apikey"
	"sallyport/internal/gateway"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// keyTable finds keys without a store.
type keyTable struct {
	mu    sync.Mutex
	keys  map[secret.Hash]*apikey.Key
	used  map[secret.ID]int
	asked int
	err   error
}

func (k *keyTable) Find(_ context.Context, h secret.Hash) (*apikey.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.err != nil {
		return nil, k.err
	}
	if key, ok := k.keys[h]; ok {
		return key, nil
	}
	return nil, apikey.ErrNotFound
}

func (k *keyTable) Used(id secret.ID) { k.mu.Lock(); defer k.mu.Unlock(); k.used[id]++ }

// keyed is a fixture whose API is of tier low and takes keys.
func keyed(t *testing.T, changes ...change) (*fixture, *keyTable) {
	t.Helper()
	table := &keyTable{keys: map[secret.Hash]*apikey.Key{}, used: map[secret.ID]int{}}
	standard := token.TierStandard
	f := newFixture(t, nil, append([]change{func(o *gateway.Options) {
		o.Keys = table
		o.APIs[0].APIKeys, o.APIs[0].Tier = true, token.TierLow
		o.APIs[0].Operations = []gateway.Operation{
			{Method: "GET", Path: "/weather", Scope: "catalog.read"},
			{Method: "POST", Path: "/weather", Scope: "catalog.write"},
			{Method: "GET", Path: "/alerts", Scope: "catalog.read"},
			{Method: "GET", Path: "/payments", Scope: "catalog.read", Tier: &standard},
			{Method: "GET", Path: "/mine", Scope: "catalog.read", ACR: token.ACRPassword},
			{Method: "GET", Path: "/recent", Scope: "catalog.read", MaxAge: time.Hour},
		}
	}}, changes...)...)
	return f, table
}

func (k *keyTable) add(f *fixture, mods ...func(*apikey.Key)) (*apikey.Key, string) {
	handle := secret.NewHandle(secret.APIKey)
	key := &apikey.Key{
		ID: secret.NewID(f.now()), Hash: handle.Hash(), API: "catalog", Operations: []string{"GET /weather", "GET /mine", "GET /recent", "GET /payments"},
		CreatedAt: f.now(), ExpiresAt: f.now().Add(time.Hour),
	}
	for _, m := range mods {
		m(key)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[key.Hash] = key
	return key, handle.Reveal()
}

func TestT026AKeyIsForItsOperations(t *testing.T) {
	t.Parallel()
	f, table := keyed(t)
	key, text := table.add(f)
	for _, c := range []struct {
		name, method, target, code, reason string
		status                             int
	}{
		{"its operation", "GET", "/catalog/weather", "", "", 200},
		{"another one", "GET", "/catalog/alerts", "operation_not_allowed", "key_operation", 403},
		{"another method", "POST", "/catalog/weather", "operation_not_allowed", "key_operation", 403},
		{"T025 one that asks for a sign-in", "GET", "/catalog/mine", "person_required", "no_person", 403},
		{"T025 one that asks for a recent sign-in", "GET", "/catalog/recent", "person_required", "no_person", 403},
		{"T014 one of a higher tier, although the key lists it", "GET", "/catalog/payments", "credential_class_not_allowed", "credential_class", 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := f.call(c.method, c.target, "Authorization: Bearer "+text)
			if got.Status != c.status || got.Code != c.code {
				t.Errorf("%d %q, want %d %q", got.Status, got.Code, c.status, c.code)
			}
			if reasons := strings.Join(f.reasons(), " "); !strings.Contains(reasons, c.reason) {
				t.Errorf("reasons %s, want %s", reasons, c.reason)
			}
			if strings.Contains(got.Body, text) {
				t.Error("the answer has the key")
			}
			if passed := len(f.taken()) == 1; passed != (c.status == 200) {
				t.Errorf("reached the backend: %v", passed)
			}
		})
	}
	if table.used[key.ID] != 1 {
		t.Errorf("used %d times, want 1: refused calls do not count", table.used[key.ID])
	}
	if got := f.call("GET", "/catalog/payments", "Authorization: Bearer "+text); !strings.Contains(got.Body, "sallyport apikey upgrade") {
		t.Errorf("no way to go on: %s", got.Body)
	}
}

func TestT025AKeyIsNobody(t *testing.T) {
	t.Parallel()
	f, table := keyed(t)
	key, text := table.add(f)
	if got := f.get("/catalog/weather", "Bearer "+text); got.Status != 200 {
		t.Fatal(got.Status, got.Code)
	}
	call := f.taken()[0]
	claims := verified(t, f.keys(), call.Header.Get("Authorization"))
	if want := "key:" + key.ID.String(); claims["sub"] != want || claims["client_id"] != want || claims["scope"] != "catalog.read" {
		t.Errorf("claims %v", claims)
	}
	for _, name := range []string{"acr", "amr", "auth_time", "grant"} {
		if v, there := claims[name]; there {
			t.Errorf("%s: %v", name, v)
		}
	}
	for name, lines := range call.Header {
		if strings.Contains(strings.Join(lines, " "), text) {
			t.Errorf("the backend gets the key in %s", name)
		}
	}
	f2, table2 := keyed(t, func(o *gateway.Options) { o.APIs[0].PeopleOnly = true })
	_, text = table2.add(f2)
	if got := f2.get("/catalog/weather", "Bearer "+text); got.Status != 403 || got.Code != "person_required" {
		t.Errorf("an API for people: %d %q", got.Status, got.Code)
	}
}

func TestT027KeysEnd(t *testing.T) {
	t.Parallel()
	f, table := keyed(t)
	for _, c := range []struct {
		name, reason string
		mod          func(*apikey.Key)
		status       int
	}{
		{"a good one", "", func(*apikey.Key) {}, 200},
		{"expired now", "key_expired", func(k *apikey.Key) { k.ExpiresAt = f.now() }, 401},
		{"revoked", "key_revoked", func(k *apikey.Key) { k.RevokedAt = f.now() }, 401},
		{"of another API", "key_api", func(k *apikey.Key) { k.API = "orders" }, 401},
	} {
		_, text := table.add(f, c.mod)
		got := f.get("/catalog/weather", "Bearer "+text)
		if reasons := strings.Join(f.reasons(), " "); got.Status != c.status || !strings.Contains(reasons, c.reason) {
			t.Errorf("%s: %d %q, reasons %q", c.name, got.Status, got.Code, reasons)
		}
	}
	// The feed says that it has ended, before anybody looks into the store again.
	key, text := table.add(f)
	if got := f.get("/catalog/weather", "Bearer "+text); got.Status != 200 {
		t.Fatal(got.Code)
	}
	f.log.add(revocation.Entry{Kind: revocation.APIKey, ID: key.ID.String(), Reason: revocation.ReasonAdmin, ExpiresAt: f.now().Add(time.Hour)})
	f.catchUp()
	if got := f.get("/catalog/weather", "Bearer "+text); got.Status != 401 {
		t.Errorf("after its entry in the feed: %d", got.Status)
	}
	f.ahead.Store(int64(61 * time.Second))
	_, text = table.add(f)
	if got := f.get("/catalog/weather", "Bearer "+text); got.Status != 503 {
		t.Errorf("without news for a minute: %d", got.Status)
	}
}

func TestT014KeysAreTakenInOnePlaceOnly(t *testing.T) {
	t.Parallel()
	f, table := keyed(t)
	_, text := table.add(f)
	for _, c := range []struct {
		name, target string
		lines        []string
		status       int
	}{
		{"as it should be", "/catalog/weather", []string{"Authorization: Bearer " + text}, 200},
		{"the scheme in another case", "/catalog/weather", []string{"Authorization: bearer " + text}, 200},
		{"as a DPoP token", "/catalog/weather", []string{"Authorization: DPoP " + text}, 401},
		{"as Basic", "/catalog/weather", []string{"Authorization: Basic " + text}, 401},
		{"as a header of its own", "/catalog/weather", []string{"X-Api-Key: " + text}, 401},
		{"without a scheme", "/catalog/weather", []string{"Authorization: " + text}, 400},
		{"twice", "/catalog/weather", []string{"Authorization: Bearer " + text, "Authorization: Bearer " + text}, 400},
		{"in the query", "/catalog/weather?access_token=" + text, nil, 400},
		{"with a letter changed", "/catalog/weather", []string{"Authorization: Bearer " + text[:10] + "X" + text[11:]}, 401},
		{"cut", "/catalog/weather", []string{"Authorization: Bearer " + text[:len(text)-1]}, 401},
		{"one that nobody made", "/catalog/weather", []string{"Authorization: Bearer " + secret.NewHandle(secret.APIKey).Reveal()}, 401},
	} {
		asked := table.asked
		got := f.call("GET", c.target, c.lines...)
		if got.Status != c.status {
			t.Errorf("%s: %d %q, want %d", c.name, got.Status, got.Code, c.status)
		}
		if whole := c.status == 200 || c.name == "one that nobody made"; table.asked-asked > 0 != whole {
			t.Errorf("%s: the store was asked %d times", c.name, table.asked-asked)
		}
	}
	table.err = errors.New("away")
	if got := f.get("/catalog/weather", "Bearer "+text); got.Status != 503 {
		t.Errorf("without the store: %d", got.Status)
	}
	off, _ := keyed(t, func(o *gateway.Options) { o.APIs[0].APIKeys = false })
	if got := off.get("/catalog/weather", "Bearer "+text); got.Status != 403 || got.Code != "credential_class_not_allowed" {
		t.Errorf("an API without keys: %d %q", got.Status, got.Code)
	}
	if got := off.get("/catalog/weather", off.bearer()); got.Status != 200 {
		t.Errorf("a token there: %d %q", got.Status, got.Code)
	}
}

// A stream that a key has opened goes on when keys of the server change, and ends
// with the key.
func TestStreamsOfAKey(t *testing.T) {
	t.Parallel()
	table := &keyTable{keys: map[secret.Hash]*apikey.Key{}, used: map[secret.ID]int{}}
	f := newFixture(t, streaming(t), func(o *gateway.Options) {
		o.Keys = table
		o.APIs[0].APIKeys, o.APIs[0].Tier = true, token.TierLow
	})
	key, text := table.add(f, func(k *apikey.Key) { k.Operations = []string{"GET /items/{id}"} })
	s := open(t, f, "Bearer "+text, false)
	if s.head.StatusCode != 200 {
		t.Fatal(s.head.Status)
	}
	var line string
	for range 250 { // more than a second, and so several looks
		var err error
		if line, err = s.r.ReadString('\n'); err != nil {
			t.Fatalf("ended by itself: %v", err)
		}
		if f.ring.Drops() == 0 && strings.HasPrefix(line, "data: 1") {
			f.ring.Drop(secret.NewID(f.now()))
		}
	}
	f.log.add(revocation.Entry{Kind: revocation.APIKey, ID: key.ID.String(), Reason: revocation.ReasonAdmin, ExpiresAt: f.now().Add(time.Hour)})
	f.catchUp()
	s.ends(t)
}
