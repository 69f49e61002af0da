package hashworker_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"sallyport/internal/passhash"
)

// AU01: a worker stands behind what serves, with all its threads, and what serves
// does not stand behind.
func TestAU01WorkersHaveTheLowestPriorityAndNobodyElse(t *testing.T) {
	t.Parallel()
	p := newPool(t, "good")
	if _, err := p.Compute(passhash.Dummy(cheap).Work(password)); err != nil {
		t.Fatal(err)
	}
	worker := p.started[0].Process.Pid
	for pid, want := range map[int]string{worker: "19", os.Getpid(): "0"} {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatal(err)
		}
		for _, task := range tasks {
			if got := stat(t, fmt.Sprintf("/proc/%d/task/%s/stat", pid, task.Name()), 18); got != want && got != "" {
				t.Errorf("thread %s of %d: nice %s, want %s", task.Name(), pid, got, want)
			}
		}
	}
	if group, err := syscall.Getpgid(worker); err != nil || group == syscall.Getpgrp() {
		t.Errorf("a worker gets the interrupts of this process: group %d, %v", group, err)
	}
}

// stat is a field of a line of proc(5), counted from 0; empty: the thread has ended.
func stat(t *testing.T, path string, field int) string {
	t.Helper()
	line, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(line), ") ") // from field 2 on
	return strings.Fields(rest)[field-2]
}

func running(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(line), ") Z ")
}
