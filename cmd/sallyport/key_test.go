package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// Two nodes over one PostgreSQL. What one has made is good at the other, until
// the key is compromised: then it is refused at both, and what either makes
// afterwards is good at both.
func TestKY08CompromiseIsSeenByEveryNode(t *testing.T) {
	t.Parallel()
	here := deploy(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	if status, _, problem := execute(t, "", "migrate", "-c", here.config()); status != exitOK {
		t.Fatal(problem)
	}
	there := *here
	here.serve()
	there.serve()
	const limit = 5 * time.Second
	var slowest time.Duration
	for round := range 5 {
		tok := here.token()
		for name, node := range map[string]*deployment{"here": here, "there": &there} {
			if status, body := node.do("GET", "/a/x/1", tok, nil); status != 200 {
				t.Fatalf("round %d, %s, before: %d %s", round, name, status, body)
			}
		}
		began := time.Now()
		if status, _, problem := execute(t, "", "key", "compromise", "--purpose", "seal_access", "-c", here.config()); status != exitOK {
			t.Fatal(problem)
		}
		for name, node := range map[string]*deployment{"here": here, "there": &there} {
			for {
				status, body := node.do("GET", "/a/x/1", tok, nil)
				if status == 401 {
					break
				}
				if time.Since(began) > limit {
					t.Fatalf("round %d: %s still answers %d %s after %v", round, name, status, body, limit)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		slowest = max(slowest, time.Since(began))
		for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
			status, _ := there.do("GET", "/a/x/1", here.token(), nil)
			if status == 200 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("round %d: a new token gets %d at the other node", round, status)
			}
		}
		if status, body := here.do("GET", "/a/x/1", tok, nil); status != 401 {
			t.Errorf("round %d: the old token gets %d %s again", round, status, body)
		}
	}
	t.Logf("refused at both nodes %v after the command began, at the slowest", slowest)
	for _, node := range []*deployment{here, &there} {
		if status := node.stop(); status != exitOK {
			t.Errorf("serve ends with %d", status)
		}
	}
}

// killed runs one step of a rewrap as a process of its own, which ends itself
// with SIGKILL where the environment says.
func killedRewrap() {
	file, at := os.Getenv("REWRAP_CONFIG"), os.Getenv("REWRAP_AT")
	c, err := readConfig(file, nil)
	if err == nil {
		var st *store.Store
		if st, err = c.openStore(context.Background(), time.Now); err == nil {
			w := &rewrap{
				file: c.file(c.MasterKeyFile), store: st.Keys(), now: time.Now, generate: true, read: c.privateMaster,
				step: func(step string) {
					if step == at {
						_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
						select {}
					}
				},
			}
			err = w.run(context.Background())
		}
	}
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}

// vault is a deployment on SQLite with keys in it.
type vault struct {
	t      *testing.T
	dir    string
	sealed secret.Value // by the first seal_access key
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t: t, dir: folder(t)}
	text := strings.Replace(fmt.Sprintf(serveConfig, "http://127.0.0.1:1"), "store_file: dsn", "store: sqlite:sallyport.db", 1)
	if err := os.WriteFile(v.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, problem := execute(t, "", "migrate", "-c", v.config()); status != exitOK {
		t.Fatal(problem)
	}
	v.ring(func(r *token.Ring) error {
		var err error
		v.sealed, err = r.SealAccess(&token.Access{Serial: secret.NewID(time.Now()), ClientID: "job", Subject: "client:job", Lifetime: 60})
		return err
	})
	return v
}

func (v *vault) config() string { return filepath.Join(v.dir, "sallyport.yaml") }

// ring opens the keys as a starting server does.
func (v *vault) ring(f func(*token.Ring) error) {
	v.t.Helper()
	c, err := readConfig(v.config(), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	st, err := c.openStore(v.t.Context(), time.Now)
	if err != nil {
		v.t.Fatal(err)
	}
	master, err := c.privateMaster()
	if err == nil {
		var ring *token.Ring
		if ring, err = token.OpenRing(v.t.Context(), st.Keys(), master, time.Now); err == nil {
			err = f(ring)
		}
	}
	if err = errors.Join(err, st.Close()); err != nil {
		v.t.Fatal(err)
	}
}

// starts makes sure that a server would start and know its tokens.
func (v *vault) starts() {
	v.t.Helper()
	v.ring(func(r *token.Ring) error {
		var a token.Access
		return r.OpenAccess(v.sealed.Reveal(), &a)
	})
}

// finish runs rewrap again and looks at what is left.
func (v *vault) finish() {
	v.t.Helper()
	if status, _, problem := execute(v.t, "", "key", "rewrap", "-c", v.config()); status != exitOK {
		v.t.Fatal(problem)
	}
	v.starts()
	lines, err := readLines(filepath.Join(v.dir, "master.key"))
	if err != nil || len(lines) != 1 {
		v.t.Errorf("the file has %d keys in the end, %v", len(lines), err)
	}
	left, err := filepath.Glob(filepath.Join(v.dir, "master.key*"))
	if err != nil || len(left) != 1 {
		v.t.Errorf("left behind: %v, %v", left, err)
	}
	if info, err := os.Stat(filepath.Join(v.dir, "master.key")); err != nil || info.Mode().Perm() != 0o600 {
		v.t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestKY06RewrapSurvivesAKillAtEveryStep(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{stepWriteBoth, stepTransaction, stepCheck, stepRemove, stepEnd} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			v := newVault(t)
			old, err := os.ReadFile(filepath.Join(v.dir, "master.key"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Args[0] = "rewrap-killed"
			cmd.Env = append(os.Environ(), "REWRAP_CONFIG="+v.config(), "REWRAP_AT="+step)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the process was not killed: %v %s", err, out)
			}
			v.starts()
			v.finish()
			now, err := os.ReadFile(filepath.Join(v.dir, "master.key"))
			if err != nil {
				t.Fatal(err)
			}
			if changed := string(now) != string(old); changed == (step == stepWriteBoth) {
				t.Errorf("the master key has changed: %t", changed)
			}
		})
	}
}

// The same at moments that nobody has chosen, in the middle of a step too.
func TestKY06RewrapSurvivesAKillAtAnyMoment(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v := newVault(t)
	killed := 0
	for range 25 {
		cmd := exec.CommandContext(t.Context(), self, "key", "rewrap", "--generate", "-c", v.config())
		cmd.Args[0] = "sallyport"
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(10+rand.IntN(120)) * time.Millisecond)
		_ = cmd.Process.Kill()
		if cmd.Wait() != nil {
			killed++
		}
		v.starts()
	}
	v.finish()
	if killed == 0 {
		t.Error("nothing was killed in time")
	}
	t.Logf("%d of 25 were killed before their end", killed)
}

func TestKY06TwoRewrapsDoNotMeet(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	unlock, err := lockFolder(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, problem := execute(t, "", "key", "rewrap", "--generate", "-c", v.config()); status == exitOK || !strings.Contains(problem, "somebody else is changing the master key") {
		t.Errorf("a second one: %d %s", status, problem)
	}
	unlock()
	if status, _, problem := execute(t, "", "key", "rewrap", "--generate", "-c", v.config()); status != exitOK {
		t.Error(problem)
	}
	v.finish()
}

func TestKY08IntervalsAreBounded(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"keys: {signing: 24h, sealing: 1h, refresh: 24h}":       true,
		"keys: {signing: 2160h, sealing: 168h, refresh: 4320h}": true,
		"keys: {signing: 23h59m}":                               false, "keys: {signing: 2161h}": false, "keys: {sealing: 59m}": false,
		"keys: {sealing: 169h}": false, "keys: {refresh: 1h}": false, "keys: {refresh: 4321h}": false,
	} {
		c, err := parseConfig("f.yaml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		j := &judge{c: c}
		checkKeys(j)
		if (len(j.problems) == 0) != good {
			t.Errorf("%s: %v", text, j.problems)
		}
	}
	c, err := parseConfig("f.yaml", []byte("listen: :1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range token.Policies {
		if got := c.Keys.rotate()[p.Group]; got != p.Rotate {
			t.Errorf("%s: the configuration says %v, the policy %v", p.Purpose, got, p.Rotate)
		}
	}
}

// LG01: every change of keys is logged by every node that follows the feed,
// once, and what happened before it started is not news.
func TestLG01ChangesOfKeysAreLogged(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c, err := readConfig(v.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.openStore(t.Context(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	log := &watched{}
	k, err := c.openKeyring(t.Context(), st, slog.New(slog.NewJSONHandler(log, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	feed := revocation.NewFollower(st.Feed(), time.Now)
	feed.OnEntry(k.onEntry)
	if err := feed.CatchUp(t.Context()); err != nil || log.String() != "" {
		t.Fatalf("old events: %v %s", err, log)
	}
	k.told = true
	for _, args := range [][]string{{"rotate", "sign_id"}, {"rotate", "sign_id", "--now"}, {"compromise", "--purpose", "mac_nonce"}, {"rewrap", "--generate"}} {
		if status, _, problem := execute(t, "", append(append([]string{"key"}, args...), "-c", v.config())...); status != exitOK {
			t.Fatal(problem)
		}
	}
	if err := feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[audit.Name]int{audit.KeyMade: 2, audit.KeyActivated: 1, audit.KeyCompromised: 1, audit.KeyRewrapped: 1} {
		if got := strings.Count(log.String(), `"events":"`+string(name)+`"`); got != want {
			t.Errorf("%s is logged %d times, want %d:\n%s", name, got, want, log)
		}
	}
}

func TestAFailureOfTheScheduleIsLoggedOnce(t *testing.T) {
	t.Parallel()
	log := &watched{}
	var c complaint
	for _, err := range []error{nil, errors.New("away"), errors.New("away"), errors.New("still"), nil, nil, errors.New("away")} {
		c.about(t.Context(), slog.New(slog.NewJSONHandler(log, nil)), "keys cannot be rotated", err)
	}
	if n, over := strings.Count(log.String(), "cannot be rotated"), strings.Count(log.String(), "followed again"); n != 2 || over != 1 {
		t.Errorf("logged %d times, and %d times that it is over:\n%s", n, over, log)
	}
}
