package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// lockFile takes the lock on f or fails at once. The lock ends with the
// process, however it ends.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
}

// lockFolder keeps out others who lock it.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".sallyport.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }, nil
}

// keepOwner does nothing: a new file inherits from its folder.
func keepOwner(*os.File, os.FileInfo) error { return nil }

// syncFolder does nothing: folders cannot be flushed.
func syncFolder(string) error { return nil }
