package backends_test

import (
	"fmt"
	"testing"
	"time"

	"sallyport/test/attack"
)

// cooldown is how long the examples leave the key set alone.
const cooldown = 30 * time.Second

// rotation is an example whose issuer changes its keys.
type rotation struct {
	example
	*issuer
	p           *process
	next, never attack.Key
}

func (r *rotation) check(t *testing.T, step string, k attack.Key, want int) {
	t.Helper()
	if status, _ := ask(t, r.p, r.token(k)); status != want {
		t.Errorf("%s: got %d, want %d: %s", step, status, want, r.p.log)
	}
}

// The four wait for the cooldown together.
func TestMD06J043J130ExamplesFollowARotation(t *testing.T) {
	t.Parallel()
	var all []*rotation
	for _, e := range examples {
		r := &rotation{example: e, next: attack.NewKey("EdDSA", "next"), never: attack.NewKey("EdDSA", "never")}
		r.issuer = newIssuer(t, func(tg attack.Target) []byte { return attack.Set(tg.Key.JWK()) })
		r.p = e.run(t, r.caFile, "0", r.env()...)
		all = append(all, r)
		t.Run(e.name+" unknown kids", r.flood)
	}
	time.Sleep(cooldown + time.Second)
	for _, r := range all {
		t.Run(r.name+" rotation", r.rotate)
	}
}

func (r *rotation) flood(t *testing.T) {
	r.check(t, "first", r.Key, 200)
	for n := range 100 {
		r.check(t, "unknown kid", attack.Key{ID: fmt.Sprintf("random-%d", n), Algorithm: "EdDSA", Private: r.never.Private}, 401)
	}
	r.check(t, "meanwhile", r.Key, 200)
	// Nimbus allows two fetches in 30 s, the others one.
	if n := r.fetches.Load(); n > 2 || n > 1 && r.name != "java" {
		t.Errorf("100 unknown kids made it fetch the keys %d times", n)
	}
}

func (r *rotation) rotate(t *testing.T) {
	r.publish(attack.Set(r.next.JWK())) // as after a compromise: the old key is gone at once
	r.check(t, "the new key", r.next, 200)
	r.check(t, "J043 the removed key", r.Key, 401)
	r.down.Store(true)
	r.check(t, "the new key, JWKS down", r.next, 200)
	r.check(t, "unknown kid, JWKS down", r.never, 401)
	r.check(t, "the new key, JWKS still down", r.next, 200)
	if !r.p.alive() {
		t.Errorf("ended: %s", r.p.log)
	}
}

func TestJ132ExamplesStartWithoutKeys(t *testing.T) {
	t.Parallel()
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
