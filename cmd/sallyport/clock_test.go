package main

import (
	"testing"
	"time"
)

func TestNothingIsDeletedInAnHourInWhichTheClockWasSet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wall time.Duration
		held bool
	}{
		"as the steady one": {time.Hour, true},
		"corrected a bit":   {time.Hour + 30*time.Second, true},
		"two hours ahead":   {3 * time.Hour, false},
		"set back":          {-time.Hour, false},
	} {
		if got := clockHeld(time.Hour, c.wall); got != c.held {
			t.Errorf("%s: held %v, want %v", name, got, c.held)
		}
	}
}
