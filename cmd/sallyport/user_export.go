package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
	"sallyport/internal/passhash"
	"sallyport/internal/roster"
)

func (p *program) userExport(t *target) *cobra.Command {
	var out string
	var withHashes bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write everybody as JSON Lines, which import reads",
		Long: "Export writes one person a line: id, username, name, email, email_verified, locale, disabled, created_at. With\n" +
			"--with-hashes also password_hash, into a file that only its owner can read. Hashes that this version made need the\n" +
			"key mac_password of this deployment: they fit nowhere else.",
		Example: "  sallyport user export -o people.jsonl\n  sallyport user export --with-hashes -o people.jsonl",
		Args:    noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			if out == "" && withHashes {
				return errors.New("--with-hashes writes secrets: name a file with -o, which only its owner can read")
			}
			if out == "" {
				_, err := a.exportPeople(ctx, a.stdout, withHashes)
				return err
			}
			return a.exportToFile(ctx, out, withHashes)
		}),
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "write to `FILE` and not to standard output; it is replaced when the new one is whole")
	cmd.Flags().BoolVar(&withHashes, "with-hashes", false, "write password hashes too")
	return cmd
}

func (a *admin) exportToFile(ctx context.Context, out string, withHashes bool) (err error) {
	f, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".new-*") // its mode is 0600
	if err != nil {
		return err
	}
	n, err := a.exportPeople(ctx, f, withHashes)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return a.print(map[string]any{"people": n, "file": out}, "%d people in %s", n, out)
}

// exportPage is how many people are read at once.
const exportPage = 1000

func (a *admin) exportPeople(ctx context.Context, to io.Writer, withHashes bool) (int, error) {
	out := bufio.NewWriter(to)
	n, after := 0, ""
	for {
		list, err := a.accounts().ListUsers(ctx, account.UserFilter{After: after, Limit: exportPage})
		if err != nil {
			return n, err
		}
		for i := range list {
			if err := roster.Write(out, exported(&list[i], withHashes)); err != nil {
				return n, fmt.Errorf("write people: %w", err)
			}
			n++
		}
		if len(list) < exportPage {
			return n, out.Flush()
		}
		if after, err = account.FoldUsername(list[len(list)-1].Username); err != nil {
			return n, err
		}
	}
}

func exported(u *account.User, withHash bool) roster.Person {
	p := roster.Person{
		ID: u.ID, Username: u.Username, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Locale: u.Locale, Disabled: u.Disabled, CreatedAt: u.CreatedAt,
	}
	if withHash {
		p.Password.Hash, _ = passhash.Parse(u.PasswordHash) // nil: none that fits anywhere
	}
	return p
}
