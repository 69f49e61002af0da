package jose_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/token/jose"
)

// world publishes something at each URL.
type world struct {
	mu     sync.Mutex
	bodies map[string]string
	asked  map[string]int
}

func (w *world) fetch(_ context.Context, url string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked == nil {
		w.asked = map[string]int{}
	}
	w.asked[url]++
	body, ok := w.bodies[url]
	if !ok {
		return nil, errors.New("404")
	}
	return []byte(body), nil
}

// Two issuers publish different keys under one kid. A token is verified with
// the keys of the issuer that it is expected from, whatever it says itself.
func TestMD07J036J039J040OneKidAtTwoIssuers(t *testing.T) {
	t.Parallel()
	const other = "https://other.example"
	w := &world{bodies: map[string]string{
		"https://auth.example.com/jwks": jwks(public("k1", ecKey)),
		"https://other.example/jwks":    jwks(public("k1", otherKey), public("k2", otherKey)),
	}}
	set := must(jose.NewRemoteSet(8, jose.RemoteOptions{Fetch: w.fetch, Now: clock}))
	verifier := func(iss string) *jose.Verifier {
		return profile(func(p *jose.Profile) { p.Issuer, p.Keys = jose.Exactly(iss), must(set.Keys(iss, iss+"/jwks")) })
	}
	ours, theirs := es(ecKey, crypto.SHA256), es(otherKey, crypto.SHA256)
	as := func(iss string) string { return claims(map[string]any{"iss": iss}) }
	head := func(kid string) string { return `{"alg":"ES256","kid":"` + kid + `","typ":"at+jwt"}` }
	pair := raw(goodHeader, as(other), theirs)
	run(t, verifier(issuer), good(), []attack{
		{"J036 the other's key under the same kid", raw(goodHeader, as(issuer), theirs), jose.ReasonSignature},
		{"J036 the other's own kid", raw(head("k2"), as(issuer), theirs), jose.ReasonKeyID},
		{"J040 a token of the other tenant", pair, jose.ReasonSignature},
		{"J040 another tenant's name, signed by us", raw(goodHeader, as(other), ours), jose.ReasonIssuer},
		{"J039 iss names an inside host", raw(goodHeader, as("https://169.254.169.254"), ours), jose.ReasonIssuer},
		{"J039 kid names an inside host", raw(head("https://127.0.0.1/k1"), as(issuer), ours), jose.ReasonKeyID},
		{"J039 kid climbs out of a path", raw(head("../other/jwks"), as(issuer), ours), jose.ReasonKeyID},
		{"J039 tid names a host", raw(goodHeader, claims(map[string]any{"tid": "other.example"}), theirs), jose.ReasonSignature},
	})
	run(t, verifier(other), pair, []attack{
		{"J036 the first's key under the same kid", raw(goodHeader, as(other), ours), jose.ReasonSignature},
	})
	for url := range w.asked {
		if w.bodies[url] == "" {
			t.Errorf("%s was asked for", url)
		}
	}
	if a, b := must(set.Keys("a", other+"/jwks")), must(set.Keys("b", other+"/jwks")); a == b {
		t.Error("two owners share keys because they name one URL")
	}
}

func TestRemoteSetIsBoundedAndNoWayRoundTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{bodies: map[string]string{}}
		for i := range 10 {
			w.bodies[fmt.Sprint("https://", i, ".example/")] = jwks(public("k1", ecKey))
		}
		set := must(jose.NewRemoteSet(3, jose.RemoteOptions{Fetch: w.fetch, Now: time.Now}))
		use := func(i int) error {
			k, err := set.Keys(fmt.Sprint(i), fmt.Sprint("https://", i, ".example/"))
			if err != nil {
				return err
			}
			_, err = k.Key(t.Context(), "k1", jose.ES256)
			return err
		}
		for range 2 {
			for i := range 3 {
				want(t, use(i), nil)
			}
		}
		want(t, use(3), jose.ErrKeysUnavailable) // all have fetched just now
		want(t, use(0), nil)
		time.Sleep(31 * time.Second)
		want(t, use(3), nil) // in the place of 1, used before all others
		if n := set.Len(); n != 3 {
			t.Errorf("%d owners are held, want 3", n)
		}
		want(t, use(0), nil)
		want(t, use(2), nil)
		if w.asked["https://0.example/"] != 1 || w.asked["https://2.example/"] != 1 {
			t.Errorf("asked %v", w.asked)
		}
		// An owner whose URL has changed has none of the old keys.
		k := must(set.Keys("0", "https://gone.example/"))
		_, err := k.Key(t.Context(), "k1", jose.ES256)
		want(t, err, jose.ErrKeysUnavailable)
		set.Forget("0")
		set.Forget("nobody")
		if n := set.Len(); n != 2 {
			t.Errorf("%d owners are held, want 2", n)
		}
	})
}

func TestRemoteSetOptions(t *testing.T) {
	t.Parallel()
	w := &world{}
	if _, err := jose.NewRemoteSet(0, jose.RemoteOptions{Fetch: w.fetch, Now: clock}); err == nil {
		t.Error("a set without room")
	}
	if _, err := jose.NewRemoteSet(1, jose.RemoteOptions{Now: clock}); err == nil {
		t.Error("a set without fetch")
	}
	set := must(jose.NewRemoteSet(1, jose.RemoteOptions{Fetch: w.fetch, Now: clock}))
	if _, err := set.Keys("a", "not a URL"); err == nil || set.Len() != 0 {
		t.Errorf("a bad URL: %v, %d", err, set.Len())
	}
}
