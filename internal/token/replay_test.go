package token_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/token"
)

func idOf(party, n uint64) [32]byte {
	var id [32]byte
	binary.BigEndian.PutUint64(id[:], party)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func TestPP09SixteenFightOverOneJTI(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	key := es256(t)
	for range 20 {
		r := newDraft(key).request(t)
		var won atomic.Int32
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if _, err := p.Verify(t.Context(), r); err == nil {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d of 16 won", won.Load())
		}
	}
}

func TestReplayTableAgreesWithAMap(t *testing.T) {
	t.Parallel()
	c := &proofClock{now}
	table := token.NewReplayTable(4096, c.now)
	alive := map[[32]byte]time.Time{}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 200_000 {
		c.at = c.at.Add(time.Duration(rng.IntN(int(40 * time.Millisecond))))
		id, until := idOf(rng.Uint64N(2000), rng.Uint64N(4)), c.at.Add(time.Duration(rng.IntN(int(20*time.Second)))-time.Second)
		fresh, err := table.Spend(t.Context(), id, until)
		want := until.After(c.at) && !alive[id].After(c.at)
		if err != nil || fresh != want {
			t.Fatalf("step %d: %v, %v, want %v", i, fresh, err, want)
		}
		if want {
			alive[id] = until
		}
	}
}

// One party that fills the table is refused, and nobody else is.
func TestJ135OnePartyCannotFillTheTable(t *testing.T) {
	t.Parallel()
	for _, room := range []int{64, 1000, 1 << 16} {
		c := &proofClock{now}
		table := token.NewReplayTable(room, c.now)
		until := now.Add(time.Minute)
		held := 0
		for n := range uint64(room) {
			fresh, err := table.Spend(t.Context(), idOf(1, n), until)
			if fresh {
				held++
			} else if !errors.Is(err, token.ErrReplayFull) {
				t.Fatal(err)
			}
		}
		if held == 0 || held > room/8 {
			t.Errorf("%d: one party holds %d", room, held)
		}
		// What it has spent stays spent, also now.
		if fresh, _ := table.Spend(t.Context(), idOf(1, 0), until); fresh {
			t.Error("spent twice")
		}
		for party := range uint64(20) {
			if fresh, err := table.Spend(t.Context(), idOf(2+party, 0), until); !fresh || err != nil {
				t.Errorf("%d: party %d: %v, %v", room, party, fresh, err)
			}
		}
		c.at = until
		if fresh, err := table.Spend(t.Context(), idOf(1, uint64(room)), until.Add(time.Minute)); !fresh || err != nil {
			t.Errorf("%d: after a minute: %v, %v", room, fresh, err)
		}
	}
}

// Many that flood together each get less, and newcomers still find room.
func TestJ135ManyPartiesCannotFillTheTable(t *testing.T) {
	t.Parallel()
	table := token.NewReplayTable(1<<14, clock)
	until := now.Add(time.Minute)
	const flooders = 200
	for n := range uint64(1000) {
		for party := range uint64(flooders) {
			_, _ = table.Spend(t.Context(), idOf(party, n), until)
		}
	}
	for party := range uint64(50) {
		if fresh, err := table.Spend(t.Context(), idOf(flooders+party, 0), until); !fresh || err != nil {
			t.Errorf("newcomer %d: %v, %v", party, fresh, err)
		}
	}
}

// When really nothing is free, the table refuses and forgets nothing.
func TestPP09AFullTableFailsClosed(t *testing.T) {
	t.Parallel()
	const room = 100
	table := token.NewReplayTable(room, clock)
	until := now.Add(time.Minute)
	for party := range uint64(room) {
		if fresh, err := table.Spend(t.Context(), idOf(party, 0), until); !fresh || err != nil {
			t.Fatalf("party %d: %v, %v", party, fresh, err)
		}
	}
	if fresh, err := table.Spend(t.Context(), idOf(room, 0), until); fresh || !errors.Is(err, token.ErrReplayFull) {
		t.Errorf("beyond the room: %v, %v", fresh, err)
	}
	for party := range uint64(room) {
		if fresh, _ := table.Spend(t.Context(), idOf(party, 0), until); fresh {
			t.Errorf("party %d: spent twice", party)
		}
	}
	ring, _, _ := newRing(t)
	p := proofsOf(t, ring, &proofClock{now}, table)
	if _, err := p.Verify(t.Context(), newDraft(es256(t)).request(t)); !errors.Is(err, token.ErrReplayFull) || errors.Is(err, token.ErrProof) {
		t.Errorf("a proof: %v", err)
	}
}
