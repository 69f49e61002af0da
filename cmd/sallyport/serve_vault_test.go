package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	secrets "sallyport/internal/vault"
)

// running is a node over v that follows the feed.
func (v *vault) running() (*node, *watched) {
	v.t.Helper()
	c, err := readConfig(v.config(), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	log := &watched{}
	n, err := openNode(v.t.Context(), c, slog.New(slog.NewJSONHandler(log, nil)), time.Now)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(n.close)
	return n, log
}

func (v *vault) follow(nodes ...*node) {
	v.t.Helper()
	for _, n := range nodes {
		if err := n.feed.CatchUp(v.t.Context()); err != nil {
			v.t.Fatal(err)
		}
	}
}

// Two nodes run; commands change a secret under them.
func TestEG07EveryNodeHasTheNewSecretAtItsNextCall(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	one, log := v.running()
	two, _ := v.running()
	for _, step := range []struct {
		name, stdin string
		args        []string
		want        string
		err         error
	}{
		{"none", "", []string{"list"}, "", secrets.ErrNoSecret},
		{"set", "first-value\n", []string{"set", "maps"}, "first-value", nil},
		{"rotated", "second-value\n", []string{"rotate", "maps"}, "second-value", nil},
		{"compromised", "", []string{"compromise", "maps"}, "", secrets.ErrCompromised},
		{"set again", "third-value\n", []string{"set", "maps"}, "third-value", nil},
		{"removed", "", []string{"remove", "maps"}, "", secrets.ErrNoSecret},
	} {
		args := append(append([]string{"secret"}, step.args...), "-c", v.config())
		if status, _, problem := execute(t, step.stdin, args...); status != exitOK {
			t.Fatal(step.name, problem)
		}
		v.follow(one, two)
		for _, n := range []*node{one, two} {
			got, err := n.statics.vault.Secret(t.Context(), "maps")
			if got.Reveal() != step.want || !errors.Is(err, step.err) {
				t.Errorf("%s: %q %v, want %q %v", step.name, got.Reveal(), err, step.want, step.err)
			}
		}
	}
	one.statics.flush(t.Context())
	for event, want := range map[string]int{"secret.set": 3, "secret.compromised": 1, "secret.removed": 1} {
		if got := strings.Count(log.String(), `"events":"`+event+`"`); got != want {
			t.Errorf("%s: %d times in the log, want %d:\n%s", event, got, want, log)
		}
	}
	if strings.Contains(log.String(), "-value") {
		t.Errorf("the log has a value:\n%s", log)
	}
}

func TestTheLastUseOfASecretIsShown(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	if status, _, problem := execute(t, "some-value\n", "secret", "set", "maps", "-c", v.config()); status != exitOK {
		t.Fatal(problem)
	}
	n, log := v.running()
	if _, err := n.statics.vault.Secret(t.Context(), "maps"); err != nil {
		t.Fatal(err)
	}
	n.statics.flush(t.Context())
	if _, out, _ := execute(t, "", "secret", "show", "maps", "--json", "-c", v.config()); !strings.Contains(out, `"last_used":"20`) {
		t.Errorf("%s %s", out, log)
	}
}

// What is held when the store goes back is forgotten.
func TestSecretsAreForgottenWhenTheStoreGoesBack(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	n, _ := v.running()
	if status, _, problem := execute(t, "first-value\n", "secret", "set", "maps", "-c", v.config()); status != exitOK {
		t.Fatal(problem)
	}
	v.follow(n)
	if _, err := n.statics.vault.Secret(t.Context(), "maps"); err != nil {
		t.Fatal(err)
	}
	change := secrets.Change{Name: "maps", Value: secret.New("second-value"), Keep: keep(time.Now())}
	if _, err := secrets.Set(t.Context(), n.store.Vault(), n.keys.Ring, time.Now(), change); err != nil {
		t.Fatal(err)
	}
	n.statics.forget()
	if got, err := n.statics.vault.Secret(t.Context(), "maps"); err != nil || got.Reveal() != "second-value" {
		t.Errorf("%q %v", got.Reveal(), err)
	}
}
