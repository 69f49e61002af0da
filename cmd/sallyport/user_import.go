package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/internal/account"
	"sallyport/internal/roster"
)

// importBatch is how many people one transaction takes in.
const importBatch = 100

type importing struct {
	format     string
	onConflict string
	hashConfig string
	keepIDs    bool
	forceReset bool
	dryRun     bool
}

func (p *program) userImport(t *target) *cobra.Command {
	var o importing
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Bring people from Keycloak, Auth0, Firebase, or an export of ours",
		Long: "Import takes in people from a file, or from standard input (-), a hundred in one transaction. What is wrong with an\n" +
			"entry is said with its line, and the others are taken in. Run again, it goes on: who is there already is left as\n" +
			"they are. Passwords go on working: their hashes are replaced by ours when each person signs in the first time.\n" +
			"MD5, SHA-1 and SHA-2 hashes are never stored: each is hashed once more now, 50 ms of a core each.\n\n" +
			"The formats: docs/guide/people.md.",
		Example: "  sallyport user import realm.json --format keycloak --dry-run\n" +
			"  sallyport user import users.json --format firebase --hash-config hash_config.txt",
		Args: oneArg("FILE"),
		RunE: t.run(p, func(ctx context.Context, a *admin, args []string) error { return a.importPeople(ctx, &o, args[0]) }),
	}
	var names []string
	for _, f := range roster.Formats {
		names = append(names, string(f))
	}
	cmd.Flags().StringVar(&o.format, "format", string(roster.Sallyport), "`FORMAT` of the file: "+strings.Join(names, ", "))
	cmd.Flags().StringVar(&o.onConflict, "on-conflict", "skip", "what to do where a name is taken: skip, update, or fail, which stops before that batch")
	cmd.Flags().StringVar(&o.hashConfig, "hash-config", "", "the hash_config of a Firebase project, as its console shows it, in a `FILE`")
	cmd.Flags().BoolVar(&o.keepIDs, "keep-ids", false, "keep the IDs of the other system, so that apps that know people by them go on; an export of ours always keeps them")
	cmd.Flags().BoolVar(&o.forceReset, "force-reset", false, "leave all passwords behind: people choose a new one through recovery")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would happen, and change nothing")
	return cmd
}

// importReport is what an import says at its end.
type importReport struct {
	Imported        int  `json:"imported"`
	Updated         int  `json:"updated"`
	Exists          int  `json:"exists"`
	Failed          int  `json:"failed"`
	Notes           int  `json:"notes"`
	WithoutPassword int  `json:"without_password"`
	DryRun          bool `json:"dry_run,omitempty"`
}

// importRun is one import under way.
type importRun struct {
	*admin
	*importing
	accounts *account.Service
	bar      *progress
	batch    []account.Newcomer
	lines    []int
	report   importReport
}

func (a *admin) importPeople(ctx context.Context, o *importing, file string) error {
	if !slices.Contains([]string{"skip", "update", "fail"}, o.onConflict) {
		return fmt.Errorf("--on-conflict is %q: write skip, update or fail", o.onConflict)
	}
	options := roster.Options{Format: roster.Format(o.format)}
	if !slices.Contains(roster.Formats, options.Format) {
		return fmt.Errorf("there is no format %q; see sallyport user import --help", o.format)
	}
	var err error
	if options.HashConfig, err = readHashConfig(o.hashConfig); err != nil {
		return err
	}
	list, size, err := a.openList(file)
	if err != nil {
		return err
	}
	defer list.Close()
	r := &importRun{admin: a, importing: o, bar: a.progress(), report: importReport{DryRun: o.dryRun}}
	if r.accounts, err = a.accountsWithRing(ctx); err != nil {
		return err
	}
	counted := &countingReader{from: list}
	err = roster.Read(counted, options, func(person roster.Person, problem error) error {
		r.bar.show("importing", counted.n, size)
		return r.take(ctx, person, problem)
	})
	if err == nil {
		err = r.flush(ctx)
	}
	r.bar.end()
	if errors.Is(err, roster.ErrFormat) {
		err = refuse(err)
	}
	return errors.Join(r.finish(), err)
}

func readHashConfig(file string) (*roster.HashConfig, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // there is none, and that is no mistake
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read hash_config: %w", err)
	}
	defer f.Close()
	return roster.ReadHashConfig(f)
}

func (p *program) openList(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		return io.NopCloser(p.stdin), 0, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, fmt.Errorf("read list: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// say writes about one line, without anything that names the person.
func (r *importRun) say(line int, format string, args ...any) {
	r.bar.end()
	fmt.Fprintf(r.stderr, "line %d: "+format+"\n", append([]any{line}, args...)...)
}

func (r *importRun) take(ctx context.Context, p roster.Person, problem error) error {
	if entry := (*roster.EntryError)(nil); errors.As(problem, &entry) {
		r.report.Failed++
		r.say(entry.Line, "%v", entry.Err)
		return nil
	}
	for _, note := range p.Notes {
		r.report.Notes++
		r.say(p.Line, "%s", note)
	}
	n := account.Newcomer{
		User: account.User{
			ID: p.ID, Username: p.Username, Name: p.Name, Email: p.Email, EmailVerified: p.EmailVerified, Locale: p.Locale, Disabled: p.Disabled, CreatedAt: p.CreatedAt,
		},
		Password: p.Password, ForceReset: r.forceReset,
	}
	if !r.keepIDs && roster.Format(r.format) != roster.Sallyport {
		n.ID = ""
	}
	r.batch, r.lines = append(r.batch, n), append(r.lines, p.Line)
	if len(r.batch) < importBatch {
		return nil
	}
	return r.flush(ctx)
}

// flush takes the batch in.
func (r *importRun) flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	if r.onConflict == "fail" {
		if err := r.refuseConflicts(ctx); err != nil {
			return err
		}
	}
	results, problems, err := r.accounts.Import(ctx, r.batch, account.ImportMode{Update: r.onConflict == "update", DryRun: r.dryRun})
	if err != nil {
		return fmt.Errorf("lines %d to %d, of which nobody has been taken in: %w", r.lines[0], r.lines[len(r.lines)-1], err)
	}
	for i, result := range results {
		r.count(i, result, problems[i])
	}
	r.batch, r.lines = r.batch[:0], r.lines[:0]
	return nil
}

// refuseConflicts stops before a batch in which somebody is there already.
func (r *importRun) refuseConflicts(ctx context.Context) error {
	results, _, err := r.accounts.Import(ctx, r.batch, account.ImportMode{DryRun: true})
	if err != nil {
		return err
	}
	for i, result := range results {
		if result == account.Unchanged || result == account.IDTaken {
			return refusef("line %d: %s: nobody from line %d on has been taken in", r.lines[i], conflicts[result], r.lines[0])
		}
	}
	return nil
}

var conflicts = map[account.ImportResult]string{account.Unchanged: "the name is taken", account.IDTaken: "the ID is taken by somebody else"}

func (r *importRun) count(i int, result account.ImportResult, problem error) {
	switch result {
	case account.Imported:
		r.report.Imported++
	case account.Updated:
		r.report.Updated++
	case account.Unchanged:
		r.report.Exists++
		return
	default:
		r.report.Failed++
		if problem == nil {
			problem = errors.New(conflicts[result])
		}
		r.say(r.lines[i], "%v", problem)
		return
	}
	if n := &r.batch[i]; n.ForceReset || n.Password.Hash == nil && n.Password.Weak == nil {
		r.report.WithoutPassword++
	}
}

func (r *importRun) finish() error {
	c := r.report
	done := "people taken in"
	if c.DryRun {
		done = "people would be taken in"
	}
	err := r.print(c, "%d %s, %d changed, %d there already, %d not: see the lines above; %d of them have no password", c.Imported, done, c.Updated, c.Exists, c.Failed, c.WithoutPassword)
	if c.Failed > 0 && err == nil {
		return refuse(errSaid)
	}
	return err
}

// countingReader counts what has been read, for progress.
type countingReader struct {
	from io.Reader
	n    int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
