package apikey_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/apikey"
	"sallyport/internal/secret"
)

// finder counts what it is asked.
type finder struct {
	keys      map[secret.Hash]apikey.Key
	asked     atomic.Int64
	now, most atomic.Int64 // that ask at a time
	wait      chan struct{}
	meanwhile func()
	err       error
}

func (f *finder) APIKey(_ context.Context, h secret.Hash) (apikey.Key, error) {
	f.asked.Add(1)
	if n := f.now.Add(1); n > f.most.Load() {
		f.most.Store(n)
	}
	defer f.now.Add(-1)
	if f.wait != nil {
		<-f.wait
	}
	k, ok := f.keys[h]
	if f.meanwhile != nil {
		f.meanwhile()
	}
	switch {
	case f.err != nil:
		return apikey.Key{}, f.err
	case !ok:
		return apikey.Key{}, apikey.ErrNotFound
	}
	return k, nil
}

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func handle() (secret.Hash, apikey.Key) {
	h := secret.NewHandle(secret.APIKey).Hash()
	return h, apikey.Key{ID: secret.NewID(start), Hash: h, API: "weather", CreatedAt: start, ExpiresAt: start.Add(time.Hour)}
}

func TestKeysAreFoundInMemoryUntilTheFeedSaysOtherwise(t *testing.T) {
	t.Parallel()
	h, key := handle()
	f, at := &finder{keys: map[secret.Hash]apikey.Key{h: key}}, start
	keys := apikey.NewKeys(f, func() time.Time { return at })
	want := func(what string, asked int64, revoked bool) {
		t.Helper()
		got, err := keys.Find(t.Context(), h)
		if err != nil || got.RevokedAt.IsZero() == revoked || f.asked.Load() != asked {
			t.Errorf("%s: %+v %v, the store was asked %d times, want %d", what, got, err, f.asked.Load(), asked)
		}
	}
	want("first", 1, false)
	want("from memory", 1, false)
	key.RevokedAt = start
	f.keys[h] = key
	keys.Forget(secret.NewID(start))
	want("another key has ended", 1, false)
	keys.Forget(key.ID)
	want("this one has ended", 2, true)
	at = start.Add(31 * time.Second)
	want("half a minute later", 3, true)
	at = start.Add(-time.Hour)
	want("when the clock went back", 4, true)
	keys.Forget(secret.ID{})
	want("all forgotten", 5, true)
}

func TestWhatIsNotThereIsRememberedForAWhile(t *testing.T) {
	t.Parallel()
	h, key := handle()
	f, at := &finder{keys: map[secret.Hash]apikey.Key{}}, start
	keys := apikey.NewKeys(f, func() time.Time { return at })
	for range 3 {
		if _, err := keys.Find(t.Context(), h); !errors.Is(err, apikey.ErrNotFound) || f.asked.Load() != 1 {
			t.Fatalf("%v, asked %d times", err, f.asked.Load())
		}
	}
	f.keys[h] = key
	at = at.Add(31 * time.Second)
	if got, err := keys.Find(t.Context(), h); err != nil || got.ID != key.ID {
		t.Errorf("it is there now: %v", err)
	}
	f.err = errors.New("the store is away")
	at = at.Add(31 * time.Second)
	if _, err := keys.Find(t.Context(), h); !errors.Is(err, f.err) {
		t.Errorf("the store is away: %v", err)
	}
	f.err = nil
	if _, err := keys.Find(t.Context(), h); err != nil {
		t.Errorf("an error was remembered: %v", err)
	}
}

func TestAReadingThatIsOvertakenIsNotKept(t *testing.T) {
	t.Parallel()
	h, key := handle()
	f := &finder{keys: map[secret.Hash]apikey.Key{h: key}}
	keys := apikey.NewKeys(f, func() time.Time { return start })
	f.meanwhile = func() {
		f.meanwhile = nil
		key.RevokedAt = start
		f.keys[h] = key
		keys.Forget(key.ID)
	}
	if _, err := keys.Find(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Find(t.Context(), h); err != nil || got.RevokedAt.IsZero() {
		t.Errorf("the next call finds %+v %v", got, err)
	}
}

// Made-up keys wait for each other, and not for those that were found before.
func TestStrangersDoNotTakeTheStore(t *testing.T) {
	t.Parallel()
	h, key := handle()
	f, at := &finder{keys: map[secret.Hash]apikey.Key{h: key}}, start
	keys := apikey.NewKeys(f, func() time.Time { return at })
	if _, err := keys.Find(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	at = start.Add(time.Minute)
	f.wait = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 50)
	for range cap(done) {
		go func() {
			made, _ := handle()
			_, err := keys.Find(ctx, made)
			done <- err
		}()
	}
	for f.now.Load() < 4 {
		time.Sleep(time.Millisecond)
	}
	found := make(chan error, 1)
	go func() { _, err := keys.Find(t.Context(), h); found <- err }()
	for f.now.Load() < 5 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	close(f.wait)
	if err := <-found; err != nil {
		t.Errorf("one that was known: %v", err)
	}
	for range cap(done) {
		<-done
	}
	if most := f.most.Load(); most > 5 {
		t.Errorf("%d asked the store at a time", most)
	}
}

func TestUsesAreCollected(t *testing.T) {
	t.Parallel()
	keys := apikey.NewKeys(&finder{}, func() time.Time { return start })
	id := secret.NewID(start)
	keys.Used(id)
	keys.Used(id)
	if got := keys.TakeUsed(); len(got) != 1 || !got[id].Equal(start) {
		t.Errorf("%v", got)
	}
	if got := keys.TakeUsed(); len(got) != 0 {
		t.Errorf("twice: %v", got)
	}
}

func TestT027UnusedKeysAreFlagged(t *testing.T) {
	t.Parallel()
	_, k := handle()
	for _, c := range []struct {
		name   string
		used   time.Time
		now    time.Time
		unused bool
	}{
		{"new", time.Time{}, start.Add(29 * 24 * time.Hour), false},
		{"never used for thirty days", time.Time{}, start.Add(30 * 24 * time.Hour), true},
		{"used lately", start.Add(20 * 24 * time.Hour), start.Add(40 * 24 * time.Hour), false},
		{"used long ago", start.Add(20 * 24 * time.Hour), start.Add(50 * 24 * time.Hour), true},
	} {
		k.UsedAt = c.used
		if got := k.Unused(c.now); got != c.unused {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
