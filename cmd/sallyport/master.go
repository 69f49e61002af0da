package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// master reads the master key, or the two of a change that is under way. Each
// is a line; the first is the one to wrap with.
func (c *config) master() (*token.Master, error) {
	lines, err := readLines(c.file(c.MasterKeyFile))
	if err != nil {
		return nil, err
	}
	m, err := token.NewMaster(lines[0], lines[1:]...)
	if err != nil {
		return nil, fmt.Errorf("%s is %w", c.MasterKeyFile, err)
	}
	return m, nil
}

// privateMaster reads it, unless others could have read or changed it too.
func (c *config) privateMaster() (*token.Master, error) {
	name := c.file(c.MasterKeyFile)
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o, so others can use it: chmod 600 %s", name, mode, name)
	}
	return c.master()
}

// readLines returns the lines of a small file with secrets; at least one.
func readLines(name string) ([]secret.Value, error) {
	text, err := readSecret(name)
	if err != nil {
		return nil, err
	}
	var lines []secret.Value
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, secret.New(line))
		}
	}
	return lines, nil
}

// leftover is what a killed replaceLines leaves behind.
const leftover = ".new-"

// replaceLines replaces an existing file with secrets by one with these lines,
// durably and whole or not at all. Owner and place stay, even behind a symbolic
// link; nobody else can read it at any moment.
func replaceLines(name string, lines []secret.Value) (err error) {
	if name, err = filepath.EvalSymlinks(name); err != nil {
		return err
	}
	old, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+leftover+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	for _, line := range lines {
		_, writeErr := f.WriteString(line.Reveal() + "\n")
		err = errors.Join(err, writeErr)
	}
	if err = errors.Join(err, f.Chmod(0o600), keepOwner(f, old), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// removeLeftovers removes what killed replacements have left: it holds secrets.
func removeLeftovers(name string) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(name)+leftover) && e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(name), e.Name())))
		}
	}
	return err
}
