package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

// open opens the store of v for a test that works with it directly.
func (v *vault) open() (*config, *store.Store) {
	v.t.Helper()
	c, err := readConfig(v.config(), nil)
	if err != nil {
		v.t.Fatal(err)
	}
	st, err := c.openStore(v.t.Context(), time.Now)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = st.Close() })
	return c, st
}

func (v *vault) master() string { return filepath.Join(v.dir, "master.key") }

// One rewrap has the file by its name, another by a link in another folder.
func TestKY06OneFileByTwoPathsIsLocked(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c, st := v.open()
	link := filepath.Join(t.TempDir(), "master.key")
	if err := os.Symlink(v.master(), link); err != nil {
		t.Fatal(err)
	}
	rewrapOf := func(file string, step func(string)) *rewrap {
		return &rewrap{file: file, store: st.Keys(), now: time.Now, generate: true, read: c.privateMaster, step: step}
	}
	for first, second := range map[string]string{link: v.master(), v.master(): link} {
		met := 0
		err := rewrapOf(first, func(string) {
			met++
			if err := rewrapOf(second, func(string) {}).run(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody else is changing the master key") {
				t.Errorf("a second one, at %s: %v", second, err)
			}
		}).run(t.Context())
		if err != nil || met == 0 {
			t.Errorf("the first, at %s: %v after %d steps", first, err, met)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", info, err)
	}
	v.finish()
}

// Who changes the file and asks for no lock is noticed inside the transaction.
func TestKY06AFileThatChangedMeanwhileStopsTheRewrap(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	c, st := v.open()
	old, err := readLines(v.master())
	if err != nil {
		t.Fatal(err)
	}
	w := &rewrap{file: v.master(), store: st.Keys(), now: time.Now, generate: true, read: c.privateMaster, step: func(step string) {
		if step != stepTransaction {
			return
		}
		if err := replaceLines(v.master(), append([]secret.Value{secret.NewHandle(secret.MasterKey)}, old...)); err != nil {
			t.Fatal(err)
		}
	}}
	if err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing has been wrapped anew") {
		t.Errorf("the file has changed: %v", err)
	}
	was, err := token.NewMaster(old[0])
	if err != nil {
		t.Fatal(err)
	}
	records, err := st.Keys().Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if _, err := was.Rewrap(r); err != nil {
			t.Errorf("%s: the old key does not open it any more: %v", r.Purpose, err)
		}
	}
	v.starts()
	v.finish()
}

// The server may run as another user than the one who rewraps.
func TestKY06RewrapKeepsOwnerAndMode(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	owner := func() (int, int) {
		info, err := os.Stat(v.master())
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		return int(stat.Uid), int(stat.Gid)
	}
	uid, gid := owner()
	if os.Geteuid() == 0 {
		uid, gid = 4711, 4712
	}
	if err := os.Chown(v.master(), uid, gid); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o440, 0o400, 0o600} {
		if err := os.Chmod(v.master(), mode); err != nil {
			t.Fatal(err)
		}
		if status, _, problem := execute(t, "", "key", "rewrap", "--generate", "-c", v.config()); status != exitOK {
			t.Fatal(problem)
		}
		info, err := os.Stat(v.master())
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %04o has become %v, %v", mode, info.Mode(), err)
		}
		if u, g := owner(); u != uid || g != gid {
			t.Errorf("owner %d:%d has become %d:%d", uid, gid, u, g)
		}
	}
	if err := os.Chmod(v.master(), 0o777); err != nil {
		t.Fatal(err)
	}
	lines, err := readLines(v.master())
	if err == nil {
		err = replaceLines(v.master(), lines)
	}
	if info, statErr := os.Stat(v.master()); err != nil || statErr != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("rights of others stay: %v %v %v", info.Mode(), err, statErr)
	}
}
