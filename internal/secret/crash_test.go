//go:build unix

package secret_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/internal/secret"
)

const crashVariable = "SECRET_TEST_CRASH"

// hold waits with the secret in its arguments, in all the forms that code
// passes one in.
//
//go:noinline
func hold(v secret.Value, p *secret.Value, h holder, s string, b []byte, all []secret.Value, wait chan struct{}) {
	<-wait
	runtime.KeepAlive([]any{v, p, h, s, b, all})
}

func putInto(m map[string]secret.Value, v secret.Value) { m["k"] = v }

func holdForEver() {
	v := secret.New(plain)
	go hold(v, &v, holder{Public: v, private: v}, v.Reveal(), []byte(v.Reveal()), []secret.Value{v}, make(chan struct{}))
	runtime.Gosched()
}

// crashes are the ways for a process to end, or to tell of itself, that print
// what is in memory.
var crashes = map[string]func(v secret.Value){
	"panic value":          func(v secret.Value) { panic(v) },
	"panic pointer":        func(v secret.Value) { panic(&v) },
	"panic struct":         func(v secret.Value) { panic(holder{Public: v, private: v}) },
	"panic struct pointer": func(v secret.Value) { panic(&holder{Public: v, private: v}) },
	"panic error":          func(v secret.Value) { panic(fmt.Errorf("a: %w", &failure{token: v})) },
	"panic joined":         func(v secret.Value) { panic(errors.Join(&failure{token: v}, fmt.Errorf("%#v", v))) },
	"panic text":           func(v secret.Value) { panic(fmt.Sprintf("%v %+v %#v", v, v, holder{v, v})) },
	"panic again": func(v secret.Value) {
		defer func() { panic(fmt.Sprint(recover(), v)) }()
		panic(v)
	},
	"nil map":   func(v secret.Value) { putInto(nil, v) },
	"index":     func(v secret.Value) { _ = []secret.Value{v}[len(v.Reveal())] },
	"assertion": func(v secret.Value) { _ = any(v).(fmt.GoStringer) },
	"SIGQUIT": func(secret.Value) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		time.Sleep(time.Minute)
	},
	"goroutine profile": func(secret.Value) {
		for debug := range 3 {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, debug)
		}
	},
	"stack": func(secret.Value) {
		buf := make([]byte, 1<<20)
		_, _ = os.Stderr.Write(buf[:runtime.Stack(buf, true)])
	},
}

func TestMain(m *testing.M) {
	if how := os.Getenv(crashVariable); how != "" {
		holdForEver()
		time.Sleep(10 * time.Millisecond) // the goroutine waits by now
		crashes[how](secret.New(plain))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLG03J144NoCrashShowsASecret(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name := range crashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), crashVariable+"="+name, "GOTRACEBACK=all")
			cmd.Stdout, cmd.Stderr = &out, &out
			var exit *exec.ExitError
			if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if form := shown(out.String()); form != "" {
				t.Errorf("%q is in what the process said:\n%s", form, out.String())
			}
			if !strings.Contains(out.String(), "secret_test.hold") && !strings.Contains(out.String(), "\x1f\x8b") {
				t.Errorf("the process has not shown the goroutine that holds the secret:\n%s", out.String())
			}
		})
	}
}

// What testing prints of a failed test is read in public logs.
func TestLG03TestLogsShowNoSecret(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSaysItAll$", "-test.v")
	cmd.Env = append(os.Environ(), "SECRET_TEST_SAY=yes")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(bufio.NewReader(pipe))
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if form := shown(string(out)); form != "" || !strings.Contains(string(out), "[redacted]") || !strings.Contains(string(out), "FAIL") {
		t.Errorf("%q is in:\n%s", form, out)
	}
}

func TestSaysItAll(t *testing.T) {
	if os.Getenv("SECRET_TEST_SAY") == "" {
		return // only in a process of its own, by the test above
	}
	for _, sample := range samples() {
		t.Log(sample)
		t.Logf("%v %+v %#v", sample, sample, sample)
		t.Error(sample)
		t.Run(fmt.Sprint(sample), func(*testing.T) {})
	}
}
