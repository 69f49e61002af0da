package bff

import (
	"sync"
	"time"

	"sallyport/internal/secret"
)

// mostRemembered bounds the sessions that a node remembers. One that is forgotten
// costs a look at its row.
const mostRemembered = 20_000

// Memory is what a node remembers of browser sessions between requests. It
// outlives the configuration. Safe for concurrent use.
type Memory struct {
	mu      sync.RWMutex
	known   map[secret.Hash]*known
	byGrant map[string]secret.Hash
	flights map[secret.Hash]*flight
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{known: map[secret.Hash]*known{}, byGrant: map[string]secret.Hash{}, flights: map[secret.Hash]*flight{}}
}

// known is a session that a request may use without a look at its row until the
// given moment. It is never changed.
type known struct {
	app    string
	access secret.Value
	grant  string
	until  time.Time
}

// flight is a look at a row that is under way, for all that ask meanwhile.
type flight struct {
	done chan struct{}
	k    *found
	err  error
}

func (m *Memory) get(h secret.Hash) *known {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.known[h]
}

func (m *Memory) put(h secret.Hash, k *known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for other, o := range m.known { // any will do
		if len(m.known) < mostRemembered {
			break
		}
		delete(m.known, other)
		delete(m.byGrant, o.grant)
	}
	m.known[h], m.byGrant[k.grant] = k, h
}

func (m *Memory) drop(h secret.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.known[h]; k != nil {
		delete(m.byGrant, k.grant)
		delete(m.known, h)
	}
}

// GrantEnded forgets the session of a grant that the feed says has ended: its row
// is looked at again, and found to be over.
func (m *Memory) GrantEnded(id string) {
	m.mu.RLock()
	h, ok := m.byGrant[id]
	m.mu.RUnlock()
	if ok {
		m.drop(h)
	}
}

// Forget drops all that is remembered: the store may have gone back to an earlier
// state.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.known)
	clear(m.byGrant)
}

// once runs f for all who ask for the same session meanwhile.
func (m *Memory) once(h secret.Hash, f func() (*found, error)) (*found, error) {
	m.mu.Lock()
	if fl := m.flights[h]; fl != nil {
		m.mu.Unlock()
		<-fl.done
		return fl.k, fl.err
	}
	fl := &flight{done: make(chan struct{}), err: errUnfinished}
	m.flights[h] = fl
	m.mu.Unlock()
	defer func() { // also if f panics: the others must not wait for ever
		m.mu.Lock()
		delete(m.flights, h)
		m.mu.Unlock()
		close(fl.done)
	}()
	fl.k, fl.err = f()
	return fl.k, fl.err
}
