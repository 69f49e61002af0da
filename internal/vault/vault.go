package vault

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sallyport/internal/secret"
)

// Sealer seals and opens values; token.Ring is one.
type Sealer interface {
	SealSecret(label string, plain []byte) (string, error)
	OpenSecret(label, sealed string) ([]byte, error)
	// Drops changes when a key was compromised: what it has opened before is
	// forgotten.
	Drops() uint64
	// Reload reads the keys anew: one may be younger than this node's view of them.
	Reload(context.Context) error
}

// Options configure a Vault. All are needed.
type Options struct {
	Store Store
	Keys  Sealer
	Now   func() time.Time
	// Fresh reports whether this node has heard of every change up to a moment
	// ago. Where it has not, nothing is answered from memory.
	Fresh func() bool
}

// Vault hands secrets out by name. A new value counts from the next call on, on
// every node: nodes forget a name when the feed says that it has changed. It
// fails closed: what cannot be known is not handed out. Safe for concurrent use.
type Vault struct {
	o Options

	mu      sync.Mutex
	changes uint64 // counts what the feed said, so that no older reading is kept
	held    map[string]held
	used    map[string]time.Time
	asked   time.Time // when keys were read anew
}

// held is what the store said of a name.
type held struct {
	values []value // the newest first
	err    error   // ErrNoSecret or ErrCompromised
	drops  uint64
	until  time.Time
}

type value struct {
	secret secret.Value
	kind   Kind
	until  time.Time // zero for the newest
}

const (
	heldFor = 30 * time.Second // in case that the feed was missed
	maxHeld = 1000             // names; asked for are those of the configuration
)

// New returns a Vault that holds nothing yet.
func New(o Options) *Vault {
	return &Vault{o: o, held: map[string]held{}, used: map[string]time.Time{}}
}

// Secret returns the newest value of name: ErrNoSecret if there is none,
// ErrCompromised if it was compromised since.
func (v *Vault) Secret(ctx context.Context, name string) (secret.Value, error) {
	h, err := v.find(ctx, name)
	if err != nil {
		return secret.Value{}, err
	}
	v.mu.Lock()
	v.used[name] = v.o.Now()
	v.mu.Unlock()
	return h.values[0].secret, nil
}

// Values returns every value of name that may be in use now: the newest, then
// those in overlap. What is sent to somebody must be looked for in all of them.
func (v *Vault) Values(ctx context.Context, name string) ([]secret.Value, error) {
	h, err := v.find(ctx, name)
	if err != nil {
		return nil, err
	}
	now := v.o.Now()
	var list []secret.Value
	for i, x := range h.values {
		if i == 0 || x.until.After(now) {
			list = append(list, x.secret)
		}
	}
	return list, nil
}

func (v *Vault) find(ctx context.Context, name string) (held, error) {
	now, drops := v.o.Now(), v.o.Keys.Drops()
	v.mu.Lock()
	h, known := v.held[name]
	before := v.changes
	v.mu.Unlock()
	if known && h.drops == drops && now.Before(h.until) && h.until.Sub(now) <= heldFor && v.o.Fresh() {
		return h, h.err
	}
	h, err := v.read(ctx, name, now)
	if err != nil {
		return held{}, err
	}
	h.drops = drops
	v.mu.Lock()
	if v.changes == before {
		if len(v.held) >= maxHeld {
			clear(v.held)
		}
		v.held[name] = h
	}
	v.mu.Unlock()
	return h, h.err
}

func (v *Vault) read(ctx context.Context, name string, now time.Time) (held, error) {
	versions, err := v.o.Store.Versions(ctx, name)
	if err != nil {
		return held{}, fmt.Errorf("read secret %s: %w", name, err)
	}
	h := held{until: now.Add(heldFor)}
	switch {
	case len(versions) == 0:
		h.err = fmt.Errorf("%s: %w", name, ErrNoSecret)
		return h, nil
	case !versions[0].CompromisedAt.IsZero():
		h.err = fmt.Errorf("%s: %w", name, ErrCompromised)
		return h, nil
	}
	for i, x := range versions {
		if x.Sealed == "" || i > 0 && !x.Until.After(now) {
			continue
		}
		plain, err := v.o.Keys.OpenSecret(label(x), x.Sealed)
		if err != nil && i == 0 && v.mayReload(now) && v.o.Keys.Reload(ctx) == nil {
			plain, err = v.o.Keys.OpenSecret(label(x), x.Sealed)
		}
		switch {
		case err == nil:
			h.values = append(h.values, value{secret.New(string(plain)), x.Kind, x.Until})
		case i == 0: // not remembered: the next call may have the key
			return held{}, fmt.Errorf("open secret %s: %w: %w", name, ErrSealed, err)
		}
	}
	if len(h.values) == 0 { // the newest always has a value, but for a hand in the database
		h.err = fmt.Errorf("%s: %w", name, ErrNoSecret)
	}
	return h, nil
}

// mayReload reports whether to look for a key that is not known, once a second
// at most: calls that need a secret whose key is dead are not to read all keys.
func (v *Vault) mayReload(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.asked).Abs() < time.Second {
		return false
	}
	v.asked = now
	return true
}

// label binds a sealed value to its place: moved to another it does not open.
func label(x Version) string { return "secret " + x.Name + " " + x.ID.String() }

// Forget drops what is known of name, because the feed says that it has changed;
// of all names if it is "".
func (v *Vault) Forget(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.changes++
	if name == "" {
		clear(v.held)
		return
	}
	delete(v.held, name)
}

// Flush notes in the store which secrets were used. Call it now and then, and at
// the end.
func (v *Vault) Flush(ctx context.Context) error {
	v.mu.Lock()
	used := v.used
	v.used = map[string]time.Time{}
	v.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	return v.o.Store.SecretsUsed(ctx, used)
}
