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

// forOthers are the rights to a master key that nobody may have: of the group
// all but reading, and all of the rest.
const forOthers = 0o027

// privateMaster reads it, unless others could have read or changed it too.
func (c *config) privateMaster() (*token.Master, error) {
	name := c.file(c.MasterKeyFile)
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&forOthers != 0 && runtime.GOOS != "windows" {
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
// durably and whole or not at all. Owner, group and mode stay, but for rights
// that a master key must not give: the server may run as another user. name must
// not be a symbolic link, which would be replaced.
func replaceLines(name string, lines []secret.Value) (err error) {
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
	if err = errors.Join(err, keepOwner(f, old), f.Chmod(old.Mode().Perm()&^forOthers), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// removeLeftovers removes what killed replacements have left: it holds secrets.
func removeLeftovers(name string) error {
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
