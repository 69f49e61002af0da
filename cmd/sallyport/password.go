package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"sallyport/internal/secret"
)

// letters cannot be taken for one another.
const letters = "abcdefghijkmnpqrstuvwxyz23456789"

// newPassword draws twenty letters, 100 bits, in groups that can be typed.
func newPassword() secret.Value {
	var b strings.Builder
	for i, r := range secret.Random(20) {
		if i > 0 && i%5 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[int(r)%len(letters)]) // 32 letters divide 256: each as likely
	}
	return secret.New(b.String())
}

// passwordSource says where a password comes from. It is never an argument:
// arguments are seen by everybody on the machine.
type passwordSource struct {
	file     string
	stdin    bool
	generate bool
}

func (s *passwordSource) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "password-file", "", "read the password from `FILE`")
	cmd.Flags().BoolVar(&s.stdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().BoolVar(&s.generate, "generate-password", false, "draw a password and print it once")
	cmd.MarkFlagsMutuallyExclusive("password-file", "password-stdin", "generate-password")
}

const maxPassword = 4 << 10

// read returns the password, and whether it is one that nobody knows yet.
func (s *passwordSource) read(p *program) (password secret.Value, drawn bool, err error) {
	switch {
	case s.generate:
		return newPassword(), true, nil
	case s.file != "":
		f, err := os.Open(s.file)
		if err != nil {
			return secret.Value{}, false, fmt.Errorf("read password: %w", err)
		}
		defer f.Close()
		password, err = firstLine(f)
		return password, false, err
	case s.stdin:
		password, err = firstLine(p.stdin)
		return password, false, err
	}
	password, err = p.ask()
	return password, false, err
}

// firstLine is all of r without the line break at the end. Spaces may belong
// to the password.
func firstLine(r io.Reader) (secret.Value, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPassword+1))
	if err != nil {
		return secret.Value{}, fmt.Errorf("read password: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" || len(b) > maxPassword || strings.ContainsAny(text, "\r\n") {
		return secret.Value{}, errors.New("read password: it must be one line, not empty")
	}
	return secret.New(text), nil
}

// ask prompts twice without echo.
func (p *program) ask() (secret.Value, error) {
	fd, ok := terminal(p.stdin)
	if !ok {
		return secret.Value{}, errors.New("there is no terminal to ask for a password: use --password-stdin, --password-file or --generate-password")
	}
	var typed [2]string
	for i, question := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(p.stderr, question)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(p.stderr)
		if err != nil {
			return secret.Value{}, fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return secret.Value{}, refusef("the two passwords are not the same")
	}
	return secret.New(typed[0]), nil
}
