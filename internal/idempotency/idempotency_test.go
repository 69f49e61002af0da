package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/idempotency"
	"sallyport/internal/secret"
)

// servers stand in for those that nodes share.
type servers struct {
	mu     sync.Mutex
	values map[[32]byte][]byte
	down   bool
}

var errDown = errors.New("down")

func (s *servers) Begin(_ context.Context, id [32]byte, value []byte, _ time.Duration) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, false, errDown
	}
	if v, there := s.values[id]; there {
		return v, false, nil
	}
	s.values[id] = value
	return nil, true, nil
}

func (s *servers) Replace(_ context.Context, id [32]byte, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.values[id]; there {
		s.values[id] = value
	}
	return nil
}

func (s *servers) Remove(_ context.Context, id [32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, id)
	return nil
}

// sealer hides texts under their label.
type sealer struct{}

func (sealer) SealStored(label string, plain []byte) (string, error) {
	return label + "|" + string(flip(plain)), nil
}

func (sealer) OpenStored(label, sealed string) ([]byte, error) {
	if len(sealed) < len(label) || sealed[:len(label)] != label {
		return nil, errors.New("another label")
	}
	return flip([]byte(sealed[len(label)+1:])), nil
}

// flip keeps the bytes within ASCII, as JSON wants texts.
func flip(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	if len(b) == 64 {
		for i := 0; i < 64; i += 2 {
			out = append(out, (b[i]-'a')<<4|(b[i+1]-'a'))
		}
		return out
	}
	for _, x := range b {
		out = append(out, 'a'+x>>4, 'a'+x&15)
	}
	return out
}

type records interface {
	Claim(ctx context.Context, key idempotency.Key, request idempotency.Request, caller string, keep time.Duration) (idempotency.Record, error)
	Finish(ctx context.Context, key idempotency.Key, r idempotency.Record) error
	Forget(ctx context.Context, key idempotency.Key) error
}

func newKey() idempotency.Key { return idempotency.Key(secret.Random(32)) }

// What both promise.
func TestRecords(t *testing.T) {
	t.Parallel()
	shared := &servers{values: map[[32]byte][]byte{}}
	for name, nodes := range map[string][]records{
		"memory": {idempotency.NewMemory(0, time.Now)},
		"shared": {
			idempotency.NewShared(shared, func() idempotency.Sealer { return sealer{} }),
			idempotency.NewShared(shared, func() idempotency.Sealer { return sealer{} }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := nodes[0], nodes[len(nodes)-1]
			ctx, request := t.Context(), idempotency.Request{1}
			state := func(r records, key idempotency.Key) idempotency.Record {
				t.Helper()
				got, err := r.Claim(ctx, key, request, "u1", time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			t.Run("one of 64 makes the call", func(t *testing.T) {
				var first, running atomic.Int64
				var all sync.WaitGroup
				key := newKey()
				for i := range 64 {
					all.Go(func() {
						r, err := nodes[i%len(nodes)].Claim(ctx, key, request, "u1", time.Hour)
						switch {
						case err != nil:
							t.Error(err)
						case r.State == idempotency.First:
							first.Add(1)
						case r.State == idempotency.Running:
							running.Add(1)
						}
					})
				}
				all.Wait()
				if first.Load() != 1 || running.Load() != 63 {
					t.Errorf("%d first, %d running", first.Load(), running.Load())
				}
			})
			key := newKey()
			state(one, key)
			answer := idempotency.Answer{Status: 201, Header: [][2]string{{"Location", "/a"}}, Body: []byte("secret answer")}
			if err := one.Finish(ctx, key, idempotency.Record{State: idempotency.Done, Request: request, Answer: answer}); err != nil {
				t.Fatal(err)
			}
			if r := state(other, key); r.State != idempotency.Done || r.Request != request || r.Answer.Status != 201 || !bytes.Equal(r.Answer.Body, answer.Body) || r.Answer.Header[0] != answer.Header[0] {
				t.Errorf("the answer is another: %+v", r)
			}
			for _, end := range []idempotency.State{idempotency.Gone, idempotency.Lost} {
				key := newKey()
				state(one, key)
				_ = one.Finish(ctx, key, idempotency.Record{State: end, Request: request})
				if r := state(other, key); r.State != end {
					t.Errorf("state %d, want %d", r.State, end)
				}
			}
			key = newKey()
			state(one, key)
			_ = one.Forget(ctx, key)
			if r := state(other, key); r.State != idempotency.First {
				t.Errorf("after Forget: state %d", r.State)
			}
		})
	}
}

func TestSharedAnswersAreSealedAndFailClosed(t *testing.T) {
	t.Parallel()
	s := &servers{values: map[[32]byte][]byte{}}
	r := idempotency.NewShared(s, func() idempotency.Sealer { return sealer{} })
	a, b := newKey(), newKey()
	for _, key := range []idempotency.Key{a, b} {
		_, _ = r.Claim(t.Context(), key, idempotency.Request{1}, "", time.Hour)
		_ = r.Finish(t.Context(), key, idempotency.Record{State: idempotency.Done, Answer: idempotency.Answer{Status: 200, Body: []byte("secret answer")}})
	}
	for _, v := range s.values {
		if bytes.Contains(v, []byte("secret answer")) || bytes.Contains(v, []byte("c2VjcmV0IGFuc3dlc")) {
			t.Errorf("the servers can read it: %s", v)
		}
	}
	s.values[a] = s.values[b] // moved to another key
	if got, err := r.Claim(t.Context(), a, idempotency.Request{1}, "", time.Hour); err == nil && got.State == idempotency.Done {
		t.Errorf("the answer of another key: %+v", got)
	}
	s.values[a] = []byte(`{"s":0}`)
	if _, err := r.Claim(t.Context(), a, idempotency.Request{1}, "", time.Hour); err == nil {
		t.Error("nonsense on the servers lets a call through")
	}
	s.down = true
	if got, err := r.Claim(t.Context(), newKey(), idempotency.Request{1}, "", time.Hour); err == nil {
		t.Errorf("servers that are away let a call through: %+v", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	start := time.Now()
	m := idempotency.NewMemory(64<<10, func() time.Time { return start.Add(time.Duration(ahead.Load())) })
	claim := func(caller string) (idempotency.Key, error) {
		key := newKey()
		_, err := m.Claim(t.Context(), key, idempotency.Request{}, caller, time.Hour)
		return key, err
	}
	finish := func(key idempotency.Key, body int) {
		_ = m.Finish(t.Context(), key, idempotency.Record{State: idempotency.Done, Answer: idempotency.Answer{Body: make([]byte, body)}})
	}
	first, err := claim("u1")
	if err != nil {
		t.Fatal(err)
	}
	finish(first, 10)
	large, _ := claim("u1")
	finish(large, 60<<10)
	if r, _ := m.Claim(t.Context(), large, idempotency.Request{}, "u1", time.Hour); r.State != idempotency.Gone {
		t.Errorf("an answer without room: state %d, want Gone", r.State)
	}
	n := 0
	for ; n < 1000; n++ {
		var key idempotency.Key
		if key, err = claim("u2"); err != nil {
			break
		}
		finish(key, 0)
	}
	if !errors.Is(err, idempotency.ErrFull) || n > 256 {
		t.Errorf("%d keys, then %v", n, err)
	}
	if r, err := m.Claim(t.Context(), first, idempotency.Request{}, "u1", time.Hour); err != nil || r.State != idempotency.Done {
		t.Errorf("a flood made it forget: %+v %v", r, err)
	}
	ahead.Store(int64(time.Hour + time.Second))
	for range 10 {
		if key, err := claim("u1"); err != nil {
			t.Fatalf("an hour later: %v", err)
		} else {
			finish(key, 0)
		}
	}
}

func TestOneCallerCannotTakeAllKeys(t *testing.T) {
	t.Parallel()
	m := idempotency.NewMemory(0, time.Now)
	var err error
	for range 10_001 {
		if _, err = m.Claim(t.Context(), newKey(), idempotency.Request{}, "u1", time.Hour); err != nil {
			break
		}
	}
	if !errors.Is(err, idempotency.ErrTooMany) {
		t.Errorf("%v, want ErrTooMany", err)
	}
	if _, err := m.Claim(t.Context(), newKey(), idempotency.Request{}, "u2", time.Hour); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}
