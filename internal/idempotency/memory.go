package idempotency

import (
	"context"
	"sync"
	"time"
)

// Bounds of Memory.
const (
	overhead       = 256       // bytes of a record without its answer
	DefaultBytes   = 256 << 20 // of all records
	callerKeys     = 10_000    // of one caller
	callerAnswers  = 16 << 20  // bytes of answers of one caller; past it they are not kept
	sweepsAtATime  = 64
	reservedAnswer = 8 // answers may take up to 7/8 of the memory, the rest is for keys
)

// Memory is for one node. Safe for concurrent use.
type Memory struct {
	now func() time.Time
	max int64

	mu      sync.Mutex
	records map[Key]*record
	callers map[string]*usage
	queue   []due // in the order of claims
	bytes   int64
}

type record struct {
	Record
	caller string
	until  time.Time
}

type usage struct{ keys, bytes int }

type due struct {
	key   Key
	until time.Time
}

// NewMemory returns an empty Memory of at most max bytes; 0 for DefaultBytes.
func NewMemory(max int64, now func() time.Time) *Memory {
	if max == 0 {
		max = DefaultBytes
	}
	return &Memory{now: now, max: max, records: map[Key]*record{}, callers: map[string]*usage{}}
}

// Claim returns what is known of the key. State First means that the caller makes
// the call and ends it with Finish or Forget; all others are told Running until
// then. The key is kept for keep from now on.
func (m *Memory) Claim(_ context.Context, key Key, request Request, caller string, keep time.Duration) (Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.sweep(now)
	if r := m.records[key]; r != nil && r.until.After(now) {
		return r.Record, nil
	} else if r != nil {
		m.drop(key, r)
	}
	u := m.callers[caller]
	switch {
	case m.bytes+overhead > m.max:
		return Record{}, ErrFull
	case u != nil && u.keys >= callerKeys:
		return Record{}, ErrTooMany
	case u == nil:
		u = &usage{}
		m.callers[caller] = u
	}
	u.keys++
	m.bytes += overhead
	until := now.Add(min(keep, MaxKeep))
	m.records[key] = &record{Record{State: Running, Request: request}, caller, until}
	m.queue = append(m.queue, due{key, until})
	return Record{State: First, Request: request}, nil
}

// Finish says what came of a call that was claimed. An answer for which there is
// no room is not kept.
func (m *Memory) Finish(_ context.Context, key Key, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	have := m.records[key]
	if have == nil {
		return nil
	}
	size, u := r.Answer.size(), m.callers[have.caller]
	if r.State == Done && (u.bytes+size > callerAnswers || m.bytes+int64(size) > m.max/reservedAnswer*(reservedAnswer-1)) {
		r.State = Gone
	}
	if r.State != Done {
		r.Answer, size = Answer{}, 0
	}
	r.Request = have.Request
	have.Record = r
	u.bytes += size
	m.bytes += int64(size)
	return nil
}

// Forget gives a key free whose call had no effect.
func (m *Memory) Forget(_ context.Context, key Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.records[key]; r != nil {
		m.drop(key, r)
	}
	return nil
}

// Len returns how many keys are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records)
}

func (m *Memory) drop(key Key, r *record) {
	size := r.Answer.size()
	m.bytes -= int64(overhead + size)
	if u := m.callers[r.caller]; u != nil {
		if u.keys, u.bytes = u.keys-1, u.bytes-size; u.keys == 0 {
			delete(m.callers, r.caller)
		}
	}
	delete(m.records, key)
}

// sweep forgets some of those whose time is over. Calls that are still being made
// are kept until they end.
func (m *Memory) sweep(now time.Time) {
	for range min(sweepsAtATime, len(m.queue)) {
		first := m.queue[0]
		if first.until.After(now) {
			return
		}
		m.queue = m.queue[1:]
		r := m.records[first.key]
		switch {
		case r == nil || !r.until.Equal(first.until):
		case r.State == Running:
			r.until = now.Add(time.Minute)
			m.queue = append(m.queue, due{first.key, r.until})
		default:
			m.drop(first.key, r)
		}
	}
}
