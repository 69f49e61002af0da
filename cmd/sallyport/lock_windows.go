package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile takes the lock on f or fails at once. The lock ends with the
// process, however it ends.
func lockFile(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{})
}
