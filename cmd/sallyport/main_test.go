package main

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the reference pages anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sallyport": main, "rewrap-killed": killedRewrap})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"waitfile": waitFile, "certificate": makeCertificate, "remember": remember},
	})
}

// waitFile waits until a file is there and has a text in it.
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfile file text")
	}
	for range 1000 {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && bytes.Contains(b, []byte(args[1])) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%s does not say %q", args[0], args[1])
}

// makeCertificate writes cert.pem and key.pem for localhost.
func makeCertificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: certificate folder")
	}
	_, err := devCertificates(ts.MkAbs(args[0]), time.Now())
	ts.Check(err)
}

// remember sets a variable to what a pattern matched on the last stdout.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: remember NAME pattern")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("%q is not on stdout", args[1])
	}
	ts.Setenv(args[0], m[len(m)-1])
}

// execute runs the program in this process.
func execute(t *testing.T, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	status = run(t.Context(), args, nil, strings.NewReader(stdin), &out, &problems)
	return status, out.String(), problems.String()
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	t.Parallel()
	p := &program{now: time.Now}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s has no example or no description", c.CommandPath())
		}
		status, stdout, stderr := execute(t, "", append(strings.Fields(c.CommandPath())[1:], "--help")...)
		if status != exitOK || !strings.Contains(stdout, "Examples:") || stderr != "" {
			t.Errorf("%s --help ends with %d and prints\n%s%s", c.CommandPath(), status, stdout, stderr)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(p.root())
}

// No secret is an argument: everybody on the machine can see those.
func TestNoFlagTakesASecret(t *testing.T) {
	t.Parallel()
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, name := range []string{"password", "secret", "client-secret", "token"} {
			if c.Flags().Lookup(name) != nil {
				t.Errorf("%s has a flag --%s", c.CommandPath(), name)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&program{now: time.Now}).root())
}

func TestNoPromptWithoutATerminal(t *testing.T) {
	t.Parallel()
	if _, err := (&program{stdin: strings.NewReader("typed\ntyped\n")}).ask(); err == nil {
		t.Error("a password was asked for where there is no terminal")
	}
}

func TestPasswordIsOneLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"without line break":        {"correct horse", "correct horse"},
		"line break is dropped":     {"correct horse\n", "correct horse"},
		"so is one of Windows":      {"correct horse\r\n", "correct horse"},
		"spaces belong to it":       {"  x  \n", "  x  "},
		"empty is refused":          {"\n", ""},
		"two lines are refused":     {"a\nb\n", ""},
		"more than 4 KiB is refuse": {strings.Repeat("x", maxPassword+1), ""},
	} {
		got, err := firstLine(strings.NewReader(tc.in))
		if (err == nil) != (tc.want != "") || got.Reveal() != tc.want {
			t.Errorf("%s: got %q, %v; want %q", name, got.Reveal(), err, tc.want)
		}
	}
}

func TestNewPasswordsDiffer(t *testing.T) {
	t.Parallel()
	a, b := newPassword().Reveal(), newPassword().Reveal()
	if a == b || !regexp.MustCompile(`^([a-z2-9]{5}-){3}[a-z2-9]{5}$`).MatchString(a) {
		t.Errorf("passwords %q and %q", a, b)
	}
}
