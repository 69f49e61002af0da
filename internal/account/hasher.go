package account

import (
	"context"
	"sync/atomic"

	"sallyport/internal/secret"
)

// queuePerSlot is how many may wait for each hash that runs. At 50 ms a hash,
// the last in a full queue waits under two seconds.
const queuePerSlot = 32

// hasher runs at most cap(slots) Argon2 computations at once, because each
// takes a core and its megabytes. Safe for concurrent use.
type hasher struct {
	params  Argon2Params
	dummy   phc
	slots   chan struct{}
	waiting atomic.Int64
	done    atomic.Int64
}

func newHasher(params Argon2Params, atOnce int) *hasher {
	return &hasher{
		params: params,
		slots:  make(chan struct{}, atOnce),
		// No password has this hash: it is random, not computed.
		dummy: phc{params: params, salt: secret.Random(saltBytes), hash: secret.Random(hashBytes)},
	}
}

// run computes when its turn comes, or returns ErrBusy if the queue is full or
// ctx ends first.
func (h *hasher) run(ctx context.Context, compute func()) error {
	if h.waiting.Add(1) > int64(cap(h.slots)*(1+queuePerSlot)) {
		h.waiting.Add(-1)
		return ErrBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ErrBusy
	}
	defer func() { <-h.slots }()
	compute()
	h.done.Add(1)
	return nil
}

// verify reports whether password has the hash want.
func (h *hasher) verify(ctx context.Context, want phc, password string) (bool, error) {
	match := false
	err := h.run(ctx, func() { match = want.matches(password) })
	return match, err
}

// hash returns a new PHC string for password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	out := phc{params: h.params, salt: secret.Random(saltBytes), hash: make([]byte, hashBytes)}
	err := h.run(ctx, func() { out.hash = out.compute(password) })
	return out.String(), err
}
