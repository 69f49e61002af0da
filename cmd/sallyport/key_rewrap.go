package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func (p *program) keyRewrap(t *target) *cobra.Command {
	var generate, prepare bool
	cmd := &cobra.Command{
		Use:   "rewrap",
		Short: "Change the master key",
		Long: "Rewrap wraps all keys anew. The file of the master key may hold several, one a line: the first is the one to\n" +
			"wrap with, each opens what it has wrapped. Rewrap --generate writes a new first line, wraps all keys with it in\n" +
			"one transaction, and then removes the old line. Interrupted anywhere, the server still starts, and running\n" +
			"rewrap again finishes. With machines that have files of their own: rewrap --generate --prepare, copy the file\n" +
			"to all of them, rewrap, copy it again.",
		Example: "  sallyport key rewrap --generate\n  sallyport key rewrap",
		Args:    noArgs,
		RunE: t.run(p, func(ctx context.Context, a *admin, _ []string) error {
			if prepare && !generate {
				return errors.New("--prepare needs --generate")
			}
			w := &rewrap{
				file: a.config.file(a.config.MasterKeyFile), store: a.store.Keys(), now: a.now,
				generate: generate, prepare: prepare, read: a.config.privateMaster, step: func(string) {},
			}
			if err := w.run(ctx); err != nil {
				return a.keyProblem(err)
			}
			return a.print(map[string]string{"master_key_file": w.file, "fingerprint": w.fingerprint, "done": w.done}, "%s", w.sentence())
		}),
	}
	cmd.Flags().BoolVar(&generate, "generate", false, "make a new master key first")
	cmd.Flags().BoolVar(&prepare, "prepare", false, "only write the new key in front of the old one, and wrap nothing yet")
	return cmd
}

// rewrap changes the master key. At every moment, all records can be opened
// with what the file holds.
type rewrap struct {
	file              string // as configured; run follows symbolic links, so that all lock the same folder
	store             token.KeyAdmin
	now               func() time.Time
	generate, prepare bool
	read              func() (*token.Master, error)
	step              func(string) // before each step; tests end the process there

	fingerprint string // of the key that wraps in the end
	done        string // nothing, prepared or rewrapped
}

// The steps, by what comes next.
const (
	stepWriteBoth   = "write the new key in front of the old one" //nolint:gosec // a sentence, not a credential
	stepTransaction = "wrap all keys"
	stepCheck       = "check that the new key opens all"
	stepRemove      = "remove the old key"
	stepEnd         = "end"
)

func (w *rewrap) run(ctx context.Context) (err error) {
	if w.file, err = filepath.EvalSymlinks(w.file); err != nil {
		return fmt.Errorf("read master key: %w", err)
	}
	unlock, err := lockFolder(filepath.Dir(w.file))
	if err != nil {
		return fmt.Errorf("somebody else is changing the master key, or the folder of %s cannot be locked: %w", w.file, err)
	}
	defer unlock()
	if err := removeLeftovers(w.file); err != nil {
		return err
	}
	master, err := w.read()
	if err != nil {
		return fmt.Errorf("read master key: %w", err)
	}
	if err := w.opensAll(ctx, master); err != nil {
		return err
	}
	if w.generate && len(master.Fingerprints()) == 1 {
		if master, err = w.addKey(); err != nil {
			return err
		}
	}
	w.fingerprint = master.Fingerprints()[0]
	if w.prepare {
		w.done = "prepared"
		return nil
	}
	return w.finish(ctx, master)
}

// opensAll makes sure that nothing is written where something is wrong.
func (w *rewrap) opensAll(ctx context.Context, master *token.Master) error {
	records, err := w.store.Keys(ctx)
	if err != nil {
		return err
	}
	for _, r := range records {
		if !r.CompromisedAt.IsZero() {
			continue
		}
		if _, err := master.Rewrap(r); err != nil {
			return err
		}
	}
	return nil
}

func (w *rewrap) addKey() (*token.Master, error) {
	lines, err := readLines(w.file)
	if err != nil {
		return nil, err
	}
	w.step(stepWriteBoth)
	if err := replaceLines(w.file, append([]secret.Value{secret.NewHandle(secret.MasterKey)}, lines...)); err != nil {
		return nil, fmt.Errorf("write the new master key: %w", err)
	}
	return w.read()
}

func (w *rewrap) finish(ctx context.Context, master *token.Master) error {
	if len(master.Fingerprints()) == 1 && w.wrapsAll(ctx) {
		w.done = "nothing"
		return nil
	}
	w.step(stepTransaction)
	if err := w.store.RewrapKeys(ctx, w.fingerprint, w.now(), w.whileSame(master)); err != nil {
		return err
	}
	w.step(stepCheck)
	lines, err := readLines(w.file)
	if err != nil {
		return err
	}
	first, err := token.NewMaster(lines[0])
	if err != nil {
		return err
	}
	if err := w.opensAll(ctx, first); err != nil {
		return fmt.Errorf("the old master key stays in %s: %w", w.file, err)
	}
	w.step(stepRemove)
	if len(lines) > 1 {
		if err := replaceLines(w.file, lines[:1]); err != nil {
			return fmt.Errorf("all keys are wrapped anew, but the old line could not be removed: %w", err)
		}
	}
	w.step(stepEnd)
	w.done = "rewrapped"
	return nil
}

// whileSame wraps with the first key of master, unless that is not the first of
// the file any more: a key that is in no file would wrap all others. It looks
// inside the transaction, because a lock keeps out only those who ask for it.
func (w *rewrap) whileSame(master *token.Master) func(token.KeyRecord) (token.KeyRecord, error) {
	return func(r token.KeyRecord) (token.KeyRecord, error) {
		now, err := w.read()
		if err != nil {
			return r, fmt.Errorf("read master key: %w", err)
		}
		if first := now.Fingerprints()[0]; first != w.fingerprint {
			return r, fmt.Errorf("somebody else has changed %s: its first key is %s now and not %s; nothing has been wrapped anew, run it again", w.file, first, w.fingerprint)
		}
		return master.Rewrap(r)
	}
}

// wrapsAll reports whether every record names the key that wraps.
func (w *rewrap) wrapsAll(ctx context.Context) bool {
	records, err := w.store.Keys(ctx)
	for _, r := range records {
		if r.CompromisedAt.IsZero() && r.WrappedBy != w.fingerprint {
			return false
		}
	}
	return err == nil
}

func (w *rewrap) sentence() string {
	switch w.done {
	case "nothing":
		return fmt.Sprintf("nothing to do: %s has one key, %s, and it wraps all keys; --generate makes a new one", w.file, w.fingerprint)
	case "prepared":
		return fmt.Sprintf("%s has the new key %s in front of the old one: copy it to all machines, then run sallyport key rewrap", w.file, w.fingerprint)
	}
	return fmt.Sprintf("all keys are wrapped by %s, the only one in %s: copy the file to wherever you keep it; whoever has the old one and an old backup can still read that", w.fingerprint, w.file)
}
