package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/internal/secret"
)

// oneArg wants exactly one argument, which the usage calls name.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("%s needs a %s; see %s --help", spoken(cmd), name, cmd.CommandPath())
		case 1:
			return nil
		}
		return fmt.Errorf("%s takes one %s, %q is too much; see %s --help", spoken(cmd), name, args[1], cmd.CommandPath())
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no arguments, %q is too much; see %s --help", spoken(cmd), args[0], cmd.CommandPath())
}

// subcommand is for commands that only hold others: an argument of theirs is
// one that does not exist.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("unknown command %q for %s: did you mean %s?", args[0], cmd.CommandPath(), strings.Join(like, " or "))
	}
	return fmt.Errorf("unknown command %q for %s; see %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
}

// spoken is the name of a command without that of the program.
func spoken(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// errCredentialArgument names no value: what is printed is kept, too.
var errCredentialArgument = errors.New("an argument has a credential in it, which is now in the history of the shell and was in the list of processes: " +
	"remove it there, and give what has leaked in a file or on standard input: sallyport leak report FILE, or sallyport leak report -")

// noCredential refuses arguments that no command takes, before anything can
// print them.
func noCredential(args []string) error {
	for _, a := range args {
		if len(secret.Find(a, 1)) > 0 {
			return errCredentialArgument
		}
	}
	return nil
}
