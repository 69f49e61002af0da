package hashworker_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/hashworker"
	"sallyport/internal/passhash"
)

// This program is the worker, too.
func TestMain(m *testing.M) {
	switch os.Getenv("WORKER") {
	case "":
		os.Exit(m.Run())
	case "good":
		if err := hashworker.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
	case "dies":
		_, _ = io.ReadFull(os.Stdin, make([]byte, 10))
	case "babbles":
		_, _ = os.Stdout.WriteString("\x01\xff\xff\xff\xff")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

var cheap = passhash.Argon2Params{MemoryKiB: 64, Passes: 1, Threads: 1}

const password = "seven brown otters juggle"

// pool makes workers of a kind and remembers them.
type pool struct {
	*hashworker.Pool
	mu      sync.Mutex
	started []*exec.Cmd
}

func newPool(t *testing.T, kinds ...string) *pool {
	t.Helper()
	p := &pool{}
	p.Pool = hashworker.New(func() *exec.Cmd {
		p.mu.Lock()
		defer p.mu.Unlock()
		cmd := exec.Command(os.Args[0]) //nolint:gosec // this program
		cmd.Env = []string{"WORKER=" + kinds[min(len(p.started), len(kinds)-1)]}
		p.started = append(p.started, cmd)
		return cmd
	})
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestAU01AHashOfAWorkerIsThatOfThisProcess(t *testing.T) {
	t.Parallel()
	p := newPool(t, "good")
	for _, text := range []string{
		passhash.Dummy(cheap).String(),
		"$2b$04$XYIBPgu7qLF34BGFJQZpFutnZEuEx7veVPdFIhStSMYtegSCsyzJy",
		"$pbkdf2$1000$AAECAwQFBgcICQoLDA0ODw$4j35KLcabMjcb3uL6ih5iCP83eY",
	} {
		h, err := passhash.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		there, err := p.Compute(h.Work(password))
		here, _ := passhash.Here(h.Work(password))
		if err != nil || string(there) != string(here) || len(here) == 0 {
			t.Errorf("%s: %x there, %x here, %v", text, there, here, err)
		}
	}
	made, err := passhash.New(cheap, nil, password, p.Compute)
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]bool{password: true, password + "s": false} {
		if ok, err := passhash.Matches(made, typed, nil, p.Compute); ok != want || err != nil {
			t.Errorf("%q fits: %t, %v", typed, ok, err)
		}
	}
	if len(p.started) != 1 {
		t.Errorf("%d workers for one piece of work at a time", len(p.started))
	}
}

func TestWhatIsNoWorkIsRefusedAndTheWorkerLives(t *testing.T) {
	t.Parallel()
	p := newPool(t, "good")
	if _, err := p.Compute(passhash.Work{Hash: "$argon2id$", Password: password}); !errors.Is(err, passhash.ErrHash) {
		t.Errorf("no hash: %v", err)
	}
	if _, err := p.Compute(passhash.Work{Hash: "x", Password: strings.Repeat("x", 1<<20)}); err == nil {
		t.Error("a password of a mebibyte is taken")
	}
	if _, err := p.Compute(passhash.Dummy(cheap).Work(password)); err != nil || len(p.started) != 1 {
		t.Errorf("afterwards: %v, %d workers", err, len(p.started))
	}
}

func TestADeadWorkerIsReplacedAndTheSignInHoldsNothingOfIt(t *testing.T) {
	t.Parallel()
	p := newPool(t, "good")
	work := passhash.Dummy(cheap).Work(password)
	if _, err := p.Compute(work); err != nil {
		t.Fatal(err)
	}
	if err := p.started[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Compute(work); err != nil || len(p.started) != 2 {
		t.Errorf("after the kill: %v, %d workers", err, len(p.started))
	}
	for _, kind := range []string{"dies", "babbles"} {
		p := newPool(t, kind)
		if result, err := p.Compute(work); err == nil {
			t.Errorf("%s: %x", kind, result)
		}
		if len(p.started) != 2 {
			t.Errorf("%s: tried with %d workers", kind, len(p.started))
		}
		p = newPool(t, kind, "good")
		if _, err := p.Compute(work); err != nil {
			t.Errorf("%s, then a good one: %v", kind, err)
		}
	}
}

func TestWorkersAreAsManyAsWorkAtATimeAndEndWithThePool(t *testing.T) {
	t.Parallel()
	p := newPool(t, "good")
	for range 4 {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := p.Compute(passhash.Dummy(cheap).Work(password)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := len(p.started); n < 1 || n > 3 {
		t.Errorf("%d workers for three pieces of work at a time", n)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		alive := 0
		for _, cmd := range p.started {
			if running(cmd.Process.Pid) {
				alive++
			}
		}
		if alive == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d workers outlive their pool", alive)
		}
	}
	if _, err := p.Compute(passhash.Dummy(cheap).Work(password)); err == nil {
		t.Error("a closed pool computes")
	}
}

func TestWhatCannotBeStartedIsSaid(t *testing.T) {
	t.Parallel()
	p := hashworker.New(func() *exec.Cmd { return exec.Command("/nowhere/sallyport") })
	if err := p.Start(); err == nil || !strings.Contains(err.Error(), "/nowhere/sallyport") {
		t.Errorf("Start: %v", err)
	}
}
