package jose

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"time"
)

// RemoteSet holds the RemoteKeys of many owners: clients or upstream issuers.
// Keys are found by owner first and kid second, so no two owners share any,
// also if they name one URL. Safe for concurrent use.
type RemoteSet struct {
	max int
	o   RemoteOptions

	mu     sync.Mutex
	owners map[string]*list.Element
	order  *list.List // of *ownerKeys, the one used last first
}

type ownerKeys struct {
	owner string
	keys  *RemoteKeys
}

// NewRemoteSet returns a set for at most most owners at a time. Each has the
// options o, with a URL of its own.
func NewRemoteSet(most int, o RemoteOptions) (*RemoteSet, error) {
	o.URL = "https://owner.invalid/"
	if _, err := NewRemoteKeys(o); err != nil {
		return nil, err
	}
	if most < 1 {
		return nil, errors.New("jose: a set of remote keys needs room for one owner at least")
	}
	return &RemoteSet{max: most, o: o, owners: map[string]*list.Element{}, order: list.New()}, nil
}

// Keys returns the keys of owner at url, both as registered and never as a
// token says. An owner whose url has changed begins anew, without the old
// keys. With too many owners the one not used for longest is forgotten, unless
// it has fetched in the last 30 s: then the error matches ErrKeysUnavailable,
// since forgetting would be a way round that limit.
func (s *RemoteSet) Keys(owner, url string) (*RemoteKeys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.owners[owner]; e != nil {
		if k := e.Value.(*ownerKeys).keys; k.o.URL == url {
			s.order.MoveToFront(e)
			return k, nil
		}
	}
	o := s.o
	o.URL = url
	k, err := NewRemoteKeys(o)
	if err != nil {
		return nil, err
	}
	s.drop(s.owners[owner])
	if s.order.Len() == s.max {
		oldest := s.order.Back()
		if !oldest.Value.(*ownerKeys).keys.idle(s.o.Now()) {
			return nil, fmt.Errorf("too many owners of remote keys: %w", ErrKeysUnavailable)
		}
		s.drop(oldest)
	}
	s.owners[owner] = s.order.PushFront(&ownerKeys{owner, k})
	return k, nil
}

// Forget forgets an owner that is gone.
func (s *RemoteSet) Forget(owner string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(s.owners[owner])
}

// Len is the number of owners that are held.
func (s *RemoteSet) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.order.Len()
}

func (s *RemoteSet) drop(e *list.Element) {
	if e != nil {
		delete(s.owners, e.Value.(*ownerKeys).owner)
		s.order.Remove(e)
	}
}

// idle reports whether nothing is lost by forgetting it.
func (r *RemoteKeys) idle(now time.Time) bool {
	return r.flight.Load() == nil && !r.tooEarly(now)
}
