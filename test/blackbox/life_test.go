package blackbox_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/test/rig"
)

func TestRestartKeepsDataAndResetStartsAnew(t *testing.T) {
	o := rig.Options{State: filepath.Join(t.TempDir(), "state"), Listen: rig.FreeAddr(t)}
	s := rig.Start(t, o)
	browser := s.Person(t)
	tok := browser.Tokens(t, rig.ReadScope)
	first := s.Ready
	wantExit(t, s, 0)

	s = rig.Start(t, o)
	if s.Username != first.Username || s.Password != first.Password || s.Issuer != first.Issuer {
		t.Errorf("after a restart: %s at %s, want %s at %s with the same password", s.Username, s.Issuer, first.Username, first.Issuer)
	}
	wantItem(t, s, http.StatusOK, tok.AccessToken)
	again, err := s.Refresh(tok.RefreshToken)
	if err != nil || again.Status != http.StatusOK {
		t.Fatalf("the refresh token from before the restart: %v %+v", err, again)
	}
	address, _ := s.AuthorizeURL(rig.ReadScope)
	if page := browser.At(s).Go(t, address, s.RedirectURI); page.Has("login") {
		t.Error("after a restart the browser is no longer signed in")
	}
	s.Person(t).Tokens(t, rig.ReadScope)
	wantExit(t, s, 0)

	o.Args = []string{"--reset"}
	s = rig.Start(t, o)
	if s.Password == first.Password {
		t.Error("--reset kept the password")
	}
	wantItem(t, s, http.StatusUnauthorized, again.AccessToken)
	if got, err := s.Refresh(again.RefreshToken); err != nil || got.Error != "invalid_grant" {
		t.Errorf("a refresh token from before --reset: %v %+v, want invalid_grant", err, got)
	}
	s.Person(t).Tokens(t, rig.ReadScope)
	wantExit(t, s, 0)
}

// oneSentence checks how a start that cannot work ends: status 2, nothing on
// stdout, one line on stderr that names what is wrong.
func oneSentence(t *testing.T, names string, args ...string) {
	t.Helper()
	status, stdout, stderr := rig.Run(t, append([]string{"dev", "--json"}, args...)...)
	if status != 2 || stdout != "" {
		t.Errorf("exit status %d, want 2; stdout %q, want nothing", status, stdout)
	}
	line := strings.TrimSuffix(stderr, "\n")
	if line == "" || strings.Contains(line, "\n") || strings.Contains(line, "goroutine") {
		t.Errorf("stderr must be one sentence, it is:\n%s", stderr)
	}
	if !strings.Contains(line, names) {
		t.Errorf("stderr must name %q, it is: %s", names, line)
	}
}

// contents reads every file of a folder.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantUnchanged(t *testing.T, dir string, before map[string][]byte) {
	t.Helper()
	after := contents(t, dir)
	for path, b := range before {
		if got, ok := after[path]; !ok || !bytes.Equal(got, b) {
			t.Errorf("%s has changed (still there: %t)", path, ok)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	state := filepath.Join(t.TempDir(), "state")
	s := rig.Start(t, rig.Options{State: state})
	wantExit(t, s, 0)
	before := contents(t, state)
	oneSentence(t, l.Addr().String(), "--state", state, "--listen", l.Addr().String())
	wantUnchanged(t, state, before)
}

// Another process on the same state would have its own view of revocations.
func TestStateInUse(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	oneSentence(t, s.State, "--state", s.State, "--listen", rig.FreeAddr(t))
	s.Person(t).Tokens(t, rig.ReadScope)
	wantExit(t, s, 0)
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("a file is in the way", func(t *testing.T) {
		oneSentence(t, file, "--state", file, "--listen", rig.FreeAddr(t))
		oneSentence(t, file, "--state", filepath.Join(file, "state"), "--listen", rig.FreeAddr(t))
		oneSentence(t, file, "--reset", "--state", file, "--listen", rig.FreeAddr(t))
	})
	t.Run("no permission", func(t *testing.T) {
		dir := filepath.Join("/proc", "sallyport") // nobody may create a folder here, root neither
		if me, err := user.Current(); err == nil && me.Uid != "0" {
			dir = filepath.Join(t.TempDir(), "locked", "state")
			if err := os.Mkdir(filepath.Dir(dir), 0o500); err != nil {
				t.Fatal(err)
			}
		}
		oneSentence(t, dir, "--state", dir, "--listen", rig.FreeAddr(t))
	})
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("the file in the way is now %q, %v", b, err)
	}
}

// A folder with something else in it is not ours to empty.
func TestResetRefusesAForeignFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"thesis.txt", "sallyport.db"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("years of work"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := contents(t, dir)
	oneSentence(t, dir, "--reset", "--state", dir, "--listen", rig.FreeAddr(t))
	wantUnchanged(t, dir, before)
}

func TestCorruptDatabase(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	s := rig.Start(t, rig.Options{State: state})
	s.Person(t).Tokens(t, rig.ReadScope)
	wantExit(t, s, 0)
	dbs, err := filepath.Glob(filepath.Join(state, "*.db"))
	if err != nil || len(dbs) != 1 {
		t.Fatalf("databases: %v %v", dbs, err)
	}
	good, err := os.ReadFile(dbs[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"not a database":      []byte(strings.Repeat("this is a letter to my aunt\n", 400)),
		"header overwritten":  append(bytes.Repeat([]byte{0xff}, 100), good[100:]...),
		"cut in half":         good[:len(good)/2],
		"pages of other data": append(bytes.Clone(good[:4096]), bytes.Repeat([]byte{0xaa}, len(good)-4096)...),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(dbs[0], bad, 0o600); err != nil {
				t.Fatal(err)
			}
			before := contents(t, state)
			oneSentence(t, dbs[0], "--state", state, "--listen", rig.FreeAddr(t))
			wantUnchanged(t, state, before)
		})
	}
	t.Run("put back it works", func(t *testing.T) {
		if err := os.WriteFile(dbs[0], good, 0o600); err != nil {
			t.Fatal(err)
		}
		s := rig.Start(t, rig.Options{State: state})
		s.Person(t).Tokens(t, rig.ReadScope)
		wantExit(t, s, 0)
	})
}

func TestStateIsPrivate(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	err := filepath.WalkDir(s.State, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && path != s.CAFile {
			t.Errorf("%s has mode %v, others can read it", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
