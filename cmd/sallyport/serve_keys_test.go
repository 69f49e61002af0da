package main

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// node is the keyring of a server over v, and its clock.
func (v *vault) node() (k *keyring, log *watched, advance func(time.Duration)) {
	v.t.Helper()
	c, st := v.open()
	log, at := &watched{}, time.Now()
	k, err := c.openKeyring(v.t.Context(), st, slog.New(slog.NewJSONHandler(log, nil)), func() time.Time { return at })
	if err != nil {
		v.t.Fatal(err)
	}
	return k, log, func(d time.Duration) { at = at.Add(d) }
}

// A key dies while the master key is away; the server that runs refuses, says
// so, and makes the successor when the file is back.
func TestKY08ServeMakesTheMissingSuccessor(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	k, log, advance := v.node()
	var c complaints
	if again := k.once(t.Context(), &c); again != keysEvery {
		t.Fatalf("again in %v: %s", again, log)
	}
	if err := os.Rename(v.master(), v.master()+".away"); err != nil {
		t.Fatal(err)
	}
	if status, out, problem := execute(t, "", "key", "compromise", "--purpose", "seal_access", "-c", v.config()); status != exitOK || !strings.Contains(out, "until the master key is back") {
		t.Fatal(status, out, problem)
	}
	advance(time.Second)
	if again := k.once(t.Context(), &c); again != keysAgain || !strings.Contains(log.String(), "seal_access") {
		t.Errorf("again in %v: %s", again, log)
	}
	var a token.Access
	if err := k.OpenAccess(v.sealed.Reveal(), &a); !errors.Is(err, token.ErrInvalid) {
		t.Errorf("what the dead key made: %v", err)
	}
	if _, err := k.SealAccess(&token.Access{Serial: secret.NewID(time.Now()), ClientID: "job", Subject: "client:job", Lifetime: 60}); !errors.Is(err, token.ErrNoKey) {
		t.Errorf("something is made: %v", err)
	}
	if err := os.Rename(v.master()+".away", v.master()); err != nil {
		t.Fatal(err)
	}
	if again := k.once(t.Context(), &c); again != keysEvery {
		t.Errorf("again in %v: %s", again, log)
	}
	if _, err := k.SealAccess(&token.Access{Serial: secret.NewID(time.Now()), ClientID: "job", Subject: "client:job", Lifetime: 60}); err != nil {
		t.Error(err)
	}
	if k.OpenAccess(v.sealed.Reveal(), &a) == nil {
		t.Error("what the dead key made is accepted again")
	}
}

func TestKeysThatCannotBeReadMakeANodeUnready(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	k, log, advance := v.node()
	var c complaints
	k.once(t.Context(), &c)
	advance(keysOld - time.Second) // it counts whole seconds
	if err := k.ready(); err != nil {
		t.Errorf("too early: %v", err)
	}
	advance(3 * time.Second)
	if err := (&node{keys: k}).ready(t.Context()); !errors.Is(err, errKeysOld) {
		t.Errorf("keys of %v ago: %v", keysOld, err)
	}
	k.once(t.Context(), &c)
	if err := k.ready(); err != nil {
		t.Errorf("read again: %v %s", err, log)
	}
}

func TestAKeyFarAheadIsLoggedOnceAndListed(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	k, log, _ := v.node()
	wrong := *k.keeper.Load()
	wrong.Now = func() time.Time { return time.Now().Add(20 * 365 * 24 * time.Hour) }
	policy, _ := token.PolicyOf(token.SignIDToken)
	if _, err := wrong.RotateNow(t.Context(), policy, false); err != nil {
		t.Fatal(err)
	}
	var c complaints
	for range 3 {
		k.once(t.Context(), &c)
	}
	if n := strings.Count(log.String(), "only far ahead"); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
	if _, out, _ := execute(t, "", "key", "list", "-c", v.config()); !strings.Contains(out, "  ahead  ") {
		t.Errorf("not marked:\n%s", out)
	}
}
