//go:build !linux

package hashworker

import "os/exec"

// startLast starts cmd. Only on Linux does it have a lower priority.
func startLast(cmd *exec.Cmd) error { return cmd.Start() }
