package chaos_test

import (
	"fmt"
	"sync"
	"time"
)

// verdict is what must become of a kind of call.
type verdict int

const (
	open   verdict = iota // it is answered by the backend
	shut                  // it is refused, and the backend hears nothing of it
	broken                // its backend is gone: it fails
	either                // it is just being changed
	dying                 // its backend is going or coming
)

// truth is what must become of a kind of call, from time to time.
type truth struct {
	mu    sync.Mutex
	since []moment
}

type moment struct {
	at time.Time
	verdict
}

func begins(v verdict) *truth { return &truth{since: []moment{{time.Time{}, v}}} }

func (t *truth) turn(v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = append(t.since, moment{time.Now(), v})
}

// during lists what was true at some moment of a call.
func (t *truth) during(start, end time.Time) map[verdict]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := map[verdict]bool{}
	for i, m := range t.since {
		over := i+1 < len(t.since) && t.since[i+1].at.Before(start)
		if !over && !m.at.After(end) {
			seen[m.verdict] = true
		}
	}
	return seen
}

// judge says what is wrong with an answer, "" for nothing.
func (t *truth) judge(start, end time.Time, status int, err error) string {
	seen := t.during(start, end)
	if seen[either] && err == nil && (status < 500 || seen[broken]) {
		return ""
	}
	switch {
	case err != nil:
		return fmt.Sprintf("no answer: %v", err)
	case status == 200 && seen[open], (status == 401 || status == 403 || status == 404) && seen[shut], status >= 502 && status <= 504 && (seen[broken] || seen[dying]), status == 200 && seen[dying]:
		return ""
	}
	return fmt.Sprintf("status %d", status)
}
