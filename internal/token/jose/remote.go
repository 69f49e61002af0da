package jose

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Numbers of RemoteKeys that nobody needs to choose.
const (
	refetchEvery = 30 * time.Second // at most one fetch in it, once there are keys
	firstRetry   = time.Second      // without keys: 1 s, 2 s, 4 s … up to refetchEvery
	fetchTimeout = 15 * time.Second
	patience     = time.Second // how long a caller waits for newer keys when old ones would still do
	missingFor   = time.Minute // how long a kid that a fetch did not bring asks for no other
	maxMissing   = 1024        // of them that are remembered
)

// Fetch returns what is at a URL. It ends when ctx does, bounds what it reads,
// and says no with an error: redirects, other statuses and other types are no
// keys. outbound.Client.Get is one.
type Fetch func(ctx context.Context, url string) ([]byte, error)

// RemoteOptions of RemoteKeys. URL, Fetch and Now are needed.
type RemoteOptions struct {
	// URL comes from a registration or a configuration, never from a token.
	URL   string
	Fetch Fetch
	Now   func() time.Time
	// MaxAge is how old keys may be before newer are asked for; 10 min if 0.
	// They are asked for on use, the first time at three quarters of it.
	MaxAge time.Duration
	// MaxStale is how old keys may be at most, when newer cannot be had; 1 h
	// if 0. Older ones are ErrKeysUnavailable.
	MaxStale time.Duration
}

// RemoteKeys are the keys that one issuer publishes at a jwks_uri. One value
// serves one issuer, so a kid can never mean the key of another. Safe for
// concurrent use; while keys are fresh, looking one up takes no lock.
//
// A token can cause a fetch only by a kid that is not known, and all of them
// together one in 30 s, whether it succeeds or not. Callers share it. What a
// fetch brings replaces all keys: those that the issuer removed are gone. What
// it does not bring changes nothing.
type RemoteKeys struct {
	o    RemoteOptions
	seed maphash.Seed

	good   atomic.Pointer[fetched]
	flight atomic.Pointer[flight]
	next   atomic.Int64 // Unix nanoseconds before which no fetch begins

	mu      sync.Mutex // for what follows, and to begin and end a flight
	missing map[uint64]int64
	row     int // failures since the last success
	status  RemoteStatus
}

// fetched is a set that was current at a time.
type fetched struct {
	set *KeySet
	at  time.Time
}

// RemoteStatus says how a RemoteKeys is doing, for metrics and health.
type RemoteStatus struct {
	Keys      int       // that can be used
	FetchedAt time.Time // when the fetch that brought them began; zero if none did
	Fetches   uint64    // in all
	Failures  uint64    // of them
	Err       error     // of the last fetch; nil if it succeeded
}

// NewRemoteKeys returns the keys at o.URL. Nothing is fetched yet.
func NewRemoteKeys(o RemoteOptions) (*RemoteKeys, error) {
	o.MaxAge, o.MaxStale = cmp.Or(o.MaxAge, 10*time.Minute), cmp.Or(o.MaxStale, time.Hour)
	switch u, err := url.Parse(o.URL); {
	case err != nil || u.Host == "":
		return nil, errors.New("jose: remote keys need an absolute URL")
	case o.Fetch == nil || o.Now == nil:
		return nil, errors.New("jose: remote keys need Fetch and Now")
	case o.MaxAge < refetchEvery || o.MaxStale < o.MaxAge:
		return nil, errors.New("jose: remote keys need a MaxAge of at least 30 s, and MaxStale not below it")
	}
	return &RemoteKeys{o: o, seed: maphash.MakeSeed(), missing: map[uint64]int64{}}, nil
}

// Key implements KeySource.
func (r *RemoteKeys) Key(ctx context.Context, kid string, alg Algorithm) (*Key, error) {
	set, err := r.Set(ctx)
	if err != nil {
		return nil, err
	}
	k, err := set.Key(ctx, kid, alg)
	if !errors.Is(err, ErrNoKey) {
		return k, err
	}
	return r.unknown(ctx, kid, func(set *KeySet) (*Key, error) { return set.Key(ctx, kid, alg) })
}

// Set returns all keys as they are now, or an error that matches
// ErrKeysUnavailable, or that of ctx.
func (r *RemoteKeys) Set(ctx context.Context) (*KeySet, error) {
	now, g := r.o.Now(), r.good.Load()
	if g == nil {
		return r.wait(ctx, r.begin(ctx, now), 0)
	}
	switch age := now.Sub(g.at); {
	case age >= 0 && age < r.o.MaxAge*3/4:
		return g.set, nil
	case age >= 0 && age < r.o.MaxAge:
		r.begin(ctx, now) // nobody waits for it yet
		return g.set, nil
	case age < r.o.MaxStale:
		return r.wait(ctx, r.begin(ctx, now), patience)
	}
	return r.wait(ctx, r.begin(ctx, now), 0)
}

// wait waits for a flight, if there is one, and returns the keys that count
// then. At most limit is waited, counted from the begin of the flight, so that
// a slow issuer delays each caller a little only once; 0 waits for its end.
func (r *RemoteKeys) wait(ctx context.Context, f *flight, limit time.Duration) (*KeySet, error) {
	if f != nil {
		if err := f.wait(ctx, r.o.Now(), limit); err != nil {
			return nil, err
		}
	}
	if g := r.good.Load(); g != nil && r.o.Now().Sub(g.at) < r.o.MaxStale {
		return g.set, nil
	}
	return nil, ErrKeysUnavailable
}

// unknown answers for a name, such as a kid, that look does not find in the set:
// perhaps it is new.
func (r *RemoteKeys) unknown(ctx context.Context, name string, look func(*KeySet) (*Key, error)) (*Key, error) {
	now, id := r.o.Now(), maphash.String(r.seed, name)
	if r.isMissing(id, now) {
		return nil, ErrNoKey
	}
	f := r.begin(ctx, now)
	if f == nil {
		if k, err := look(r.good.Load().set); err == nil {
			return k, nil // a flight has ended since the set was looked at
		}
		return nil, r.absence()
	}
	if err := f.wait(ctx, now, 0); err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, ErrKeysUnavailable // whether there is such a key, nobody knows
	}
	k, err := look(r.good.Load().set)
	if errors.Is(err, ErrNoKey) {
		r.remember(id, now)
	}
	return k, err
}

// absence is what a kid gets that is not in the set when none may be fetched:
// right after a failure that is no verdict.
func (r *RemoteKeys) absence() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Err != nil {
		return ErrKeysUnavailable
	}
	return ErrNoKey
}

func (r *RemoteKeys) isMissing(id uint64, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, found := r.missing[id]
	return found && now.UnixNano() < until
}

// remember keeps a kid that a fetch did not bring. It has a room of its own:
// however many there are, they take no place of a key, and when the room is
// full the rule of one fetch in 30 s still holds.
func (r *RemoteKeys) remember(id uint64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.missing) >= maxMissing {
		for old, until := range r.missing {
			if until <= now.UnixNano() {
				delete(r.missing, old)
			}
		}
	}
	if len(r.missing) < maxMissing {
		r.missing[id] = now.Add(missingFor).UnixNano()
	}
}

// Status returns how it is going.
func (r *RemoteKeys) Status() RemoteStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	if g := r.good.Load(); g != nil {
		s.Keys, s.FetchedAt = len(g.set.keys), g.at
	}
	return s
}
