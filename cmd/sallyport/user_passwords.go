package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sallyport/internal/breached"
)

func (p *program) userPasswords() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "passwords",
		Short:   "Work with lists of passwords that have leaked",
		Example: "  sallyport user passwords build-filter pwned-passwords.txt -o breached.filter",
		Args:    subcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.buildFilter())
	return cmd
}

func (p *program) buildFilter() *cobra.Command {
	var out string
	reading := breached.Reading{}
	cmd := &cobra.Command{
		Use:   "build-filter FILE…",
		Short: "Build a filter of breached passwords from lists, for people.breached_passwords_file",
		Long: "Build-filter makes one small file of lists of leaked passwords. A line is a password, or a SHA-1 hash with or\n" +
			"without :count, which is what the downloads of Have I Been Pwned have; - is standard input. A password that is\n" +
			"on a list is always found; one that is not is found with a probability of 1 in 65536 for each of the three\n" +
			"forms that are looked up.\n\n" +
			"It takes 2.3 bytes on disk for each password, and while it is built 8 more and at most 300 MB of memory. serve keeps\n" +
			"nothing of it in memory.",
		Example: "  sallyport user passwords build-filter pwned-passwords.txt -o breached.filter\n" +
			"  sallyport user passwords build-filter --min-count 10 pwned-passwords.txt own.txt -o breached.filter",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%s needs a FILE; see %s --help", spoken(cmd), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return p.writeFilter(out, reading, args) },
	}
	cmd.Flags().StringVarP(&out, "output", "o", "breached.filter", "write to `FILE`, which is replaced when the new one is whole")
	cmd.Flags().IntVar(&reading.MinLength, "min-length", breached.MinBundled, "leave out passwords with fewer `CHARACTERS`; does not apply to hashes")
	cmd.Flags().Uint64Var(&reading.MinCount, "min-count", 0, "leave out hashes that were seen less often than `N` times")
	return cmd
}

func (p *program) writeFilter(out string, reading breached.Reading, lists []string) (err error) {
	b, err := breached.NewBuilder(filepath.Dir(out))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	bar := p.progress()
	defer bar.end()
	var all breached.Taken
	for _, name := range lists {
		t, err := p.readList(name, reading, b, bar)
		if err != nil {
			return err
		}
		all.Words, all.Hashes, all.Left = all.Words+t.Words, all.Hashes+t.Hashes, all.Left+t.Left
	}
	if all.Words+all.Hashes == 0 {
		return refusef("there is no password in the lists that is long enough or was seen often enough")
	}
	f, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".new-*")
	if err != nil {
		return err
	}
	keys, err := b.Write(f, func(done, of int) { bar.show("building", int64(done), int64(of)) })
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil { // no secret: the server may run as another user
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	bar.end()
	_, err = fmt.Fprintf(p.stdout, "%s: %d different passwords of %d words and %d hashes; %d lines left out\n", out, keys, all.Words, all.Hashes, all.Left)
	return err
}

func (p *program) readList(name string, reading breached.Reading, b *breached.Builder, bar *progress) (breached.Taken, error) {
	list := p.stdin
	var size int64
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return breached.Taken{}, fmt.Errorf("read list: %w", err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		list = f
	}
	t, err := reading.Read(list, b, func(n int64) { bar.show("reading "+cmp.Or(filepath.Base(name), name), n, size) })
	if err != nil {
		return t, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// breachedFilters opens the filter of the operator, if there is one. The file stays
// open for as long as the program runs.
func (c *config) breachedFilters() ([]*breached.Filter, error) {
	if c.People.BreachedPasswordsFile == "" {
		return nil, nil
	}
	f, err := os.Open(c.file(c.People.BreachedPasswordsFile))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	filter, err := breached.Open(f, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is %w", c.People.BreachedPasswordsFile, err), f.Close())
	}
	return []*breached.Filter{filter}, nil
}
