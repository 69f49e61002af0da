// Command sallyport is the issuer, the gateway and their administration in one
// program. It decides how the parts are put together and how people and
// machines talk to it: commands, configuration, files, exit codes. Rules of
// the protocols are in internal/. Start at run, then serve.go, the only place
// where everything meets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes, the same for every command.
const (
	exitOK      = 0
	exitRefused = 1 // findings, or something that was asked for is not allowed
	exitFailed  = 2 // could not run
)

// program is what a command may touch: everything that is not an argument.
type program struct {
	env    []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
	lines  *lineWriter // of the log; nil where there is none, or people read it
}

// run is the whole program: it returns the exit code. An error is one sentence
// on stderr.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{env: env, stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
	root := p.root() //nolint:contextcheck // commands get ctx from cobra
	root.SetArgs(args)
	err := noCredential(args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if p.lines != nil {
		_ = p.lines.flush() // there is nowhere to say so
	}
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(stderr, "sallyport: "+strings.TrimSuffix(err.Error(), "\n"))
	}
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return exitRefused
	}
	return exitFailed
}

// refusedError ends a command with exit code 1.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func refuse(err error) error { return &refusedError{err} }

func refusef(format string, args ...any) error { return refuse(fmt.Errorf(format, args...)) }

// errSaid is in an error of which everything has been printed already.
var errSaid = errors.New("printed already")

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "sallyport",
		Short:         "An OAuth 2.1 and OpenID Connect issuer and an API gateway",
		Long:          "Sallyport signs people in, issues opaque access tokens, and guards the APIs that they are for.",
		Example:       "  sallyport dev\n  sallyport init && sallyport check && sallyport serve",
		Args:          subcommand,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(
		p.devCommand(), p.initCommand(), p.serveCommand(), p.hashWorkerCommand(), p.checkCommand(),
		p.apiCommand(), p.clientCommand(), p.keyCommand(), p.secretCommand(), p.apikeyCommand(), p.leakCommand(), p.registrationCommand(), p.userCommand(), p.sessionCommand(), p.signalsCommand(), p.migrateCommand(), p.versionCommand(),
	)
	return root
}

// terminal returns the descriptor of f if it is a terminal.
func terminal(f any) (int, bool) {
	file, ok := f.(*os.File)
	if !ok {
		return 0, false
	}
	fd := int(file.Fd())
	return fd, term.IsTerminal(fd)
}
