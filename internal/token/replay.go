package token

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"sync"
	"time"
)

// Replay remembers what may be used once: the jti of a DPoP proof (RFC 9449
// §11.1), of a client assertion and the like. Safe for concurrent use.
type Replay interface {
	// Spend uses id up until then and reports whether this call was the first.
	// The first eight bytes of id name the party that spends, so that what one
	// party spends cannot take the room of others; see ReplayID. On any error
	// the caller refuses: ErrReplayFull if this party has spent too much, other
	// errors if the store cannot be asked.
	Spend(ctx context.Context, id [32]byte, until time.Time) (fresh bool, err error)
}

// ErrReplayFull says that a party has spent so much that nothing more of it can
// be remembered for now.
var ErrReplayFull = errors.New("too many single-use identifiers at once")

// DefaultReplayEntries is room for 14,000 proofs a second, at some 130 bytes
// each.
const DefaultReplayEntries = 1 << 20

// ReplayTable is a Replay in the memory of one node. An entry lives as long as
// what it stands for and is never dropped before, so a full table refuses. It
// refuses those who filled it first: a party may hold an eighth of the room that
// the others have left free. Who makes up many parties can fill it all the same;
// then everybody is refused.
type ReplayTable struct {
	now    func() time.Time
	seed   maphash.Seed
	room   int // of a shard
	shards []replayShard
}

// replayShard holds some of the entries: a set to find one, and a heap that has
// the first to expire on top.
type replayShard struct {
	mu      sync.Mutex
	spent   map[[32]byte]struct{}
	heap    []replayEntry
	parties map[uint64]int32 // how many entries each has
}

type replayEntry struct {
	until int64 // Unix nanoseconds
	id    [32]byte
}

const (
	replayShards   = 64
	replayShardMin = 1024 // entries; smaller tables have fewer shards
	replayShare    = 8
)

// NewReplayTable returns an empty table for max entries; 0 stands for
// DefaultReplayEntries.
func NewReplayTable(max int, now func() time.Time) *ReplayTable {
	if max <= 0 {
		max = DefaultReplayEntries
	}
	n := 1
	for n < replayShards && max/(2*n) >= replayShardMin {
		n *= 2
	}
	return &ReplayTable{now: now, seed: maphash.MakeSeed(), room: (max + n - 1) / n, shards: make([]replayShard, n)}
}

// Spend implements Replay.
func (t *ReplayTable) Spend(_ context.Context, id [32]byte, until time.Time) (bool, error) {
	// The shard is chosen under a random seed: nobody can aim at one.
	s := &t.shards[maphash.Bytes(t.seed, id[:])%uint64(len(t.shards))]
	return s.spend(replayEntry{until.UnixNano(), id}, t.now().UnixNano(), t.room)
}

func (s *replayShard) spend(e replayEntry, now int64, room int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire(now)
	if e.until <= now {
		return false, nil // its time is over: whoever comes with it comes too late
	}
	if _, used := s.spent[e.id]; used {
		return false, nil
	}
	party, free := partyOf(e.id), room-len(s.heap)
	if held := int(s.parties[party]); free == 0 || held > 0 && held*replayShare >= free {
		return false, ErrReplayFull
	}
	if s.spent == nil {
		s.spent, s.parties = map[[32]byte]struct{}{}, map[uint64]int32{}
	}
	s.spent[e.id] = struct{}{}
	s.parties[party]++
	s.heap = append(s.heap, e)
	s.up(len(s.heap) - 1)
	return true, nil
}

func partyOf(id [32]byte) uint64 { return binary.BigEndian.Uint64(id[:8]) }

// expire drops what is over. Each entry is dropped once, so a call pays for
// itself; only the first one after a quiet time has more to do.
func (s *replayShard) expire(now int64) {
	for len(s.heap) > 0 && s.heap[0].until <= now {
		s.drop()
	}
}

func (s *replayShard) drop() {
	e := s.heap[0]
	delete(s.spent, e.id)
	party := partyOf(e.id)
	if s.parties[party]--; s.parties[party] == 0 {
		delete(s.parties, party)
	}
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	s.down()
}

func (s *replayShard) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if s.heap[parent].until <= s.heap[i].until {
			return
		}
		s.heap[parent], s.heap[i] = s.heap[i], s.heap[parent]
		i = parent
	}
}

func (s *replayShard) down() {
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(s.heap) && s.heap[child].until < s.heap[least].until {
				least = child
			}
		}
		if least == i {
			return
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
