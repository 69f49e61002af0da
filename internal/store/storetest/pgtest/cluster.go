//go:build unix

package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var errMissing = errors.New("initdb and postgres were not found: install the package postgresql (apt-get install postgresql)")

type cluster struct {
	port     int
	password string
	guard    *os.File // the server lives as long as this is open

	mu   sync.Mutex
	free []string // empty databases that no test uses
	made int
}

// guardScript runs the server and ends it, and removes its folder, when
// standard input closes. The kernel closes it for a process that is killed.
const guardScript = `
"$1/postgres" -D "$2/data" >"$2/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$2"
`

// Nothing here is worth keeping, so nothing is flushed to the disk.
const settings = `
listen_addresses = '127.0.0.1'
port = %d
unix_socket_directories = '%s'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 32MB
max_connections = 300
wal_level = minimal
max_wal_senders = 0
logging_collector = off
`

func startCluster() (*cluster, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sallyport-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{password: rand.Text()}
	if err := c.start(bin, dir, owner); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) //nolint:gosec // made above
		if c.guard != nil {
			_ = c.guard.Close()
		} else {
			_ = os.RemoveAll(dir)
		}
		return nil, fmt.Errorf("%w\n%s", err, log)
	}
	return c, nil
}

func (c *cluster) start(bin, dir string, owner *syscall.Credential) error {
	pwfile := filepath.Join(dir, "pw")
	if err := os.WriteFile(pwfile, []byte(c.password), 0o600); err != nil {
		return err
	}
	if owner != nil {
		for _, p := range []string{dir, pwfile} {
			if err := os.Chown(p, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	data := filepath.Join(dir, "data")
	initdb := as(owner, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--pwfile="+pwfile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	var err error
	if c.port, err = freePort(); err != nil {
		return err
	}
	if err := appendFile(filepath.Join(data, "postgresql.conf"), fmt.Sprintf(settings, c.port, dir)); err != nil {
		return err
	}
	cmd := as(owner, dir, "/bin/sh", "-c", guardScript, "sh", bin, dir)
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin = read
	if err := cmd.Start(); err != nil {
		_ = write.Close()
		return err
	}
	_ = read.Close()
	c.guard = write
	go func() { _ = cmd.Wait() }()
	return c.wait()
}

// wait returns when the server answers.
func (c *cluster) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := c.run(ctx, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the server does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// as is a command that runs in dir as owner, and in a process group of its own
// so that an interrupt at the terminal reaches the tests first.
func as(owner *syscall.Credential, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), name, args...) //nolint:gosec // the programs of PostgreSQL
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	return cmd
}

// serverUser is postgres when the tests run as root, because the server refuses
// to; otherwise nil, for the same user.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("root may not run PostgreSQL and there is no user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// findBin returns the folder with the newest server programs: Debian keeps
// them out of PATH.
func findBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if p, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			found = append(found, real)
		}
	}
	for _, p := range found {
		if _, err := os.Stat(filepath.Join(filepath.Dir(p), "postgres")); err == nil {
			return filepath.Dir(p), nil
		}
	}
	return "", errMissing
}

func version(path string) int {
	parts := strings.Split(path, "/")
	n, _ := strconv.Atoi(parts[len(parts)-3])
	return n
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0) //nolint:gosec // made above
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
