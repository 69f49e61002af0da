package hashworker

import (
	"os/exec"
	"runtime"
	"syscall"
)

// lowest is the last of the priorities of ordinary processes (nice). It still has a
// share of a core when all are busy, which SCHED_IDLE hardly has: a hash must end.
const lowest = 19

// startLast starts cmd at the lowest priority. It has a process group of its own: an
// interrupt from the terminal is for the server, which lets those who wait finish.
func startLast(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	started := make(chan error)
	go onThreadThatEnds(func() { started <- startAtLowest(cmd) })
	return <-started
}

// startAtLowest lowers this thread: on Linux a priority is a thread's, and a process
// inherits that of the thread which starts it.
func startAtLowest(cmd *exec.Cmd) error {
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest); err != nil {
		return err
	}
	return cmd.Start()
}

// onThreadThatEnds calls f on a thread that nothing else will use: one that is locked
// when its goroutine ends, ends too. Only the first thread of a process never does,
// so that is held while another takes its place.
func onThreadThatEnds(f func()) {
	runtime.LockOSThread()
	if syscall.Gettid() != syscall.Getpid() {
		f()
		return
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		onThreadThatEnds(f)
	}()
	<-done
}
