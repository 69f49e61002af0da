package ratelimit

import (
	"sync"
	"time"
)

// shard holds some of the cells of one limit: a map to find one, and a heap
// that has the cell nearest to a full bucket on top.
type shard struct {
	mu       sync.Mutex
	index    map[uint64]int32 // position in heap
	heap     []entry
	overflow cell
}

type entry struct {
	key  uint64
	cell cell
}

// sweep drops full buckets, which say nothing. A few at a time keep the cost
// of each call small and still outrun insertion, which is one a call.
func (s *shard) sweep(now int64) {
	for range 4 {
		if len(s.heap) == 0 || s.heap[0].cell > now {
			return
		}
		s.removeAt(0)
	}
}

func (s *shard) spend(r rule, key uint64, now int64, limit int) (bool, time.Duration) {
	_, ok, wait := s.take(r, key, now, limit)
	return ok, wait
}

// take is spend that says what the cell is now.
func (s *shard) take(r rule, key uint64, now int64, limit int) (cell, bool, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	if i, found := s.index[key]; found {
		after, ok, wait := r.spend(s.heap[i].cell, now)
		s.set(int(i), after)
		return after, ok, wait
	}
	if len(s.heap) >= limit && !s.makeRoom(r, now) {
		after, ok, wait := r.spend(s.overflow, now)
		s.overflow = after
		return after, ok, wait
	}
	after, ok, wait := r.spend(0, now)
	s.insert(entry{key, after})
	return after, ok, wait
}

// overflowFor is the cell of key, or the one that it would share. The shard is locked.
func (s *shard) overflowFor(key uint64, limit int) cell {
	if i, found := s.index[key]; found {
		return s.heap[i].cell
	}
	if len(s.heap) >= limit {
		return s.overflow
	}
	return 0
}

// makeRoom drops the cell that is nearest to full. The single events of a
// flood of new keys are nearer to full than any key that has been used more,
// so the flood drops its own. Only a shard in which every key is refused at
// the moment keeps what it has.
func (s *shard) makeRoom(r rule, now int64) bool {
	if _, ok, _ := r.spend(s.heap[0].cell, now); !ok {
		return false
	}
	s.removeAt(0)
	return true
}

func (s *shard) level(r rule, key uint64, now int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.index[key]
	if !found || s.heap[i].cell <= now {
		return 0
	}
	return int((min(s.heap[i].cell-now, r.depth) + r.every - 1) / r.every)
}

func (s *shard) refund(r rule, key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, found := s.index[key]; found {
		s.set(int(i), r.refund(s.heap[i].cell))
	}
}

func (s *shard) insert(e entry) {
	if s.index == nil {
		s.index = map[uint64]int32{}
	}
	s.heap = append(s.heap, e)
	s.place(len(s.heap)-1, e)
	s.up(len(s.heap) - 1)
}

func (s *shard) set(i int, c cell) {
	s.heap[i].cell = c
	s.up(i)
	s.down(i)
}

func (s *shard) removeAt(i int) {
	delete(s.index, s.heap[i].key)
	last := len(s.heap) - 1
	moved := s.heap[last]
	s.heap = s.heap[:last]
	if i < last {
		s.place(i, moved)
		s.up(i)
		s.down(i)
	}
}

func (s *shard) place(i int, e entry) {
	s.heap[i] = e
	s.index[e.key] = int32(i) //nolint:gosec // bounded by MaxEntries
}

func (s *shard) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s.heap[parent].cell <= s.heap[i].cell {
			return
		}
		s.swap(i, parent)
		i = parent
	}
}

func (s *shard) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(s.heap) && s.heap[child].cell < s.heap[least].cell {
				least = child
			}
		}
		if least == i {
			return
		}
		s.swap(i, least)
		i = least
	}
}

func (s *shard) swap(i, j int) {
	a, b := s.heap[i], s.heap[j]
	s.place(i, b)
	s.place(j, a)
}
