package ratelimit

import "time"

// Check reports what Allow would, and spends nothing.
func (t *Table) Check(now time.Time, name Name, key string) (ok bool, retryAfter time.Duration) {
	l, s, h := t.find(name, key)
	return s.check(l.rule, h, now.UnixNano())
}

// Len is the number of keys remembered, of all limits.
func (t *Table) Len() int {
	n := 0
	for _, l := range t.limits {
		for i := range l.shards {
			s := &l.shards[i]
			s.mu.Lock()
			n += len(s.heap)
			s.mu.Unlock()
		}
	}
	return n
}

func (s *shard) check(r rule, key uint64, now int64) (bool, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c cell
	if i, found := s.index[key]; found {
		c = s.heap[i].cell
	}
	_, ok, wait := r.spend(c, now)
	return ok, wait
}

// Leases counts what is held.
func Leases(t *Rates) (n int) {
	for i := range t.leases.stripes {
		n += len(t.leases.stripes[i].held)
	}
	return n
}
