package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sallyport/internal/secret"
)

// Files of the state folder of dev. The lock is the mark of a folder that dev
// has made: without it nothing in there is touched.
const (
	devLockFile      = "dev.lock"
	devIgnoreFile    = ".gitignore"
	devConfigFile    = defaultConfig
	devMasterFile    = "master.key"
	devStoreFile     = "sallyport.db"
	devCAFile        = "ca.pem"
	devCAKeyFile     = "ca-key.pem"
	devCertFile      = "cert.pem"
	devKeyFile       = "key.pem"
	devPasswordFile  = "demo-password"
	devWebSecret     = "demo-web.secret"
	devServiceSecret = "demo-service.secret"
	devMailFolder    = "mail" // mails that would have been sent
)

// devFiles are all files that dev makes, in the order in which a reset removes
// them: the mark goes last, so that an interrupted reset can be repeated.
var devFiles = []string{
	devStoreFile, devStoreFile + "-wal", devStoreFile + "-shm", devStoreFile + "-journal", devConfigFile, devMasterFile,
	devCAFile, devCAKeyFile, devCertFile, devKeyFile, devPasswordFile, devWebSecret, devServiceSecret, devCatalogFile, devPaymentsFile, devIgnoreFile, devLockFile,
}

// devFolders are the folders in it.
var devFolders = []string{devMailFolder, devPagesDir}

// devState is the folder, held by this process alone.
type devState struct {
	dir  string
	lock *os.File
}

// openState makes the folder if there is none and takes its lock. With reset,
// it removes what dev made and nothing else.
func openState(dir string, reset bool) (*devState, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, stateProblem("make the state folder", err)
	}
	names, err := foreign(dir)
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(filepath.Join(dir, devLockFile))
	switch made := err == nil; {
	case !made && len(names) > 0:
		return nil, fmt.Errorf("%s is a folder that sallyport dev has not made: choose another with --state, or remove it yourself", dir)
	case reset && made && len(names) > 0:
		return nil, fmt.Errorf("%s has something that sallyport dev has not made (%s): move it away before --reset", dir, names[0])
	}
	s := &devState{dir: dir}
	if s.lock, err = os.OpenFile(s.file(devLockFile), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, stateProblem("write into the state folder", err)
	}
	if err := lockFile(s.lock); err != nil {
		return nil, errors.Join(fmt.Errorf("another sallyport dev is using %s: stop it or choose another folder with --state", dir), s.lock.Close())
	}
	if reset {
		err = s.reset()
	}
	if err == nil {
		err = s.makeOnce(devIgnoreFile, func() string { return "*" })
	}
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// stateProblem says what to do where the folder is somebody else's.
func stateProblem(doing string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%s: %w: choose a folder that you may write to with --state", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// foreign lists what in dir is not of dev. Without the mark even our own names
// are not ours: the sallyport.db of a real server could be one.
func foreign(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, stateProblem("read the state folder", err)
	}
	marked := false
	for _, e := range entries {
		marked = marked || e.Name() == devLockFile
	}
	var names []string
	for _, e := range entries {
		if ours := e.IsDir() && slices.Contains(devFolders, e.Name()); !marked || !ours && (!e.Type().IsRegular() || !isDevFile(e.Name())) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func isDevFile(name string) bool {
	name, _, _ = strings.Cut(name, ".new-") // left by a crash in the middle of replaceFile
	for _, known := range devFiles {
		if name == known {
			return true
		}
	}
	return false
}

// reset removes everything but the lock, which this process holds.
func (s *devState) reset() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read the state folder: %w", err)
	}
	for _, e := range entries {
		remove := os.Remove
		switch {
		case e.IsDir() && slices.Contains(devFolders, e.Name()):
			remove = os.RemoveAll
		case e.Name() == devLockFile || !isDevFile(e.Name()):
			continue
		}
		if err := remove(s.file(e.Name())); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

func (s *devState) file(name string) string { return filepath.Join(s.dir, name) }

// close gives the folder free.
func (s *devState) close() { _ = s.lock.Close() }

// makeOnce writes a file if there is none, readable by its owner only.
func (s *devState) makeOnce(name string, text func() string) error {
	err := writeNew(s.file(name), text()+"\n")
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// checkSecrets looks at the secrets of the demo's clients, which can be made
// anew without a loss.
func (s *devState) checkSecrets() error {
	for _, name := range []string{devWebSecret, devServiceSecret} {
		text, err := readSecret(s.file(name))
		if err != nil {
			return fmt.Errorf("%w: remove the file, dev makes a new one", err)
		}
		if why := secretProblem(text); why != "" {
			return fmt.Errorf("%s %s: remove the file, dev makes a new one", s.file(name), why)
		}
	}
	return nil
}

// makeKeys makes what is missing of master key, client secrets and password.
// A master key that is gone while the database is still there is not replaced:
// the database could never be read again.
func (s *devState) makeKeys() error {
	_, keyErr := os.Lstat(s.file(devMasterFile))
	if _, dbErr := os.Lstat(s.file(devStoreFile)); dbErr == nil && errors.Is(keyErr, os.ErrNotExist) {
		return fmt.Errorf("%s is missing, and %s cannot be read without it: put it back, or start anew with --reset", s.file(devMasterFile), devStoreFile)
	}
	handle := func(p secret.Prefix) func() string { return func() string { return secret.NewHandle(p).Reveal() } }
	return errors.Join(
		s.makeOnce(devMasterFile, handle(secret.MasterKey)),
		s.makeOnce(devWebSecret, handle(secret.ClientSecret)),
		s.makeOnce(devServiceSecret, handle(secret.ClientSecret)),
		s.makeOnce(devPasswordFile, func() string { return newPassword().Reveal() }),
	)
}
