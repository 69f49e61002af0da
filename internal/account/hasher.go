package account

import (
	"context"
	"sync/atomic"

	"sallyport/internal/passhash"
)

// hasher computes password hashes, few at once, because each takes a core and its
// megabytes. Safe for concurrent use.
type hasher struct {
	params passhash.Argon2Params
	pepper passhash.Pepper // nil: none
	dummy  passhash.Hash
	queue  *queue
	do     passhash.Compute
	done   atomic.Int64
}

func newHasher(params passhash.Argon2Params, by passhash.Pepper, do passhash.Compute, atOnce, waiting int) *hasher {
	if do == nil {
		do = passhash.Here
	}
	return &hasher{params: params, pepper: by, do: do, dummy: passhash.Dummy(params), queue: newQueue(atOnce, waiting)}
}

// run computes when its turn comes, or returns ErrBusy if there is no room to wait
// or ctx ends first. source is who asks, for fairness.
func (h *hasher) run(ctx context.Context, source string, compute func()) error {
	if err := h.queue.enter(ctx, source); err != nil {
		return err
	}
	defer h.queue.leave()
	compute()
	h.done.Add(1)
	return nil
}

// verify reports whether one of the forms of a password has the hash want.
func (h *hasher) verify(ctx context.Context, source string, want passhash.Hash, forms ...string) (match bool, err error) {
	var failed error
	err = h.run(ctx, source, func() {
		for _, form := range forms {
			if match, failed = passhash.Matches(want, form, h.pepper, h.do); match || failed != nil {
				return
			}
		}
	})
	if err == nil {
		err = failed
	}
	return match, err
}

// hash returns a new hash of password as it is stored.
func (h *hasher) hash(ctx context.Context, source, password string) (string, error) {
	var out passhash.Hash
	var failed error
	if err := h.run(ctx, source, func() { out, failed = passhash.New(h.params, h.pepper, password, h.do) }); err != nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	return out.String(), nil
}

// current reports whether want is what a new hash looks like.
func (h *hasher) current(want passhash.Hash) bool { return passhash.Current(want, h.params, h.pepper) }

// fits reports whether a hash can be verified here: the key over it is one of ours.
func (h *hasher) fits(stored passhash.Hash) bool { return passhash.Usable(stored, h.pepper) }
