package backends_test

import (
	"fmt"
	"testing"
	"time"

	"sallyport/test/attack"
)

// cooldown is how long the examples leave the key set alone.
const cooldown = 30 * time.Second

func TestMD06J043J130ExamplesFollowARotation(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, func(tg attack.Target) []byte { return attack.Set(tg.Key.JWK()) })
			next, never := attack.NewKey("EdDSA", "next"), attack.NewKey("EdDSA", "never")
			p := i.run(t, e)
			check := func(step string, k attack.Key, want int) {
				t.Helper()
				if status, _ := ask(t, p, i.token(k)); status != want {
					t.Errorf("%s: got %d, want %d: %s", step, status, want, p.log)
				}
			}
			check("first", i.Key, 200)
			began := time.Now()
			for n := range 100 {
				check("unknown kid", attack.Key{ID: fmt.Sprintf("random-%d", n), Algorithm: "EdDSA", Private: never.Private}, 401)
			}
			check("meanwhile", i.Key, 200)
			// Nimbus allows two fetches in 30 s, the others one.
			if n := i.fetches.Load(); n > 2 || n > 1 && e.name != "java" {
				t.Errorf("100 unknown kids made it fetch the keys %d times", n)
			}
			i.publish(attack.Set(next.JWK())) // as after a compromise: the old key is gone at once
			time.Sleep(time.Until(began.Add(cooldown + time.Second)))
			check("the new key", next, 200)
			check("J043 the removed key", i.Key, 401)
			i.down.Store(true)
			check("the new key, JWKS down", next, 200)
			check("unknown kid, JWKS down", never, 401)
			check("the new key, JWKS still down", next, 200)
			if !p.alive() {
				t.Errorf("ended: %s", p.log)
			}
		})
	}
}

func TestJ132ExamplesStartWithoutKeys(t *testing.T) {
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, func(tg attack.Target) []byte { return attack.Set(tg.Key.JWK()) })
			i.down.Store(true)
			p := i.run(t, e)
			if status, _ := ask(t, p, i.token(i.Key)); status != 401 && status != 503 {
				t.Errorf("no keys: got %d", status)
			}
			i.down.Store(false)
			time.Sleep(1100 * time.Millisecond)
			if status, _ := ask(t, p, i.token(i.Key)); status != 200 {
				t.Errorf("when they are back: got %d: %s", status, p.log)
			}
		})
	}
}
