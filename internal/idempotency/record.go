// Package idempotency remembers what became of requests that carry an
// Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), so that one that
// is sent again has one effect. It decides who may make the call and refuses to
// know what it is. Nothing is forgotten before its time: who finds no room is
// refused. Start at Memory.Claim; Shared is the same for many nodes.
package idempotency

import (
	"errors"
	"time"
)

// Key names a request of one caller, Request what was asked for: hashes both.
type (
	Key     [32]byte
	Request [32]byte
)

// State is what is known of a key.
type State uint8

// The states.
const (
	First   State = iota // nobody has used it: whoever is told so makes the call, and ends it
	Running              // somebody else is making the call
	Done                 // there is an answer
	Gone                 // the call was answered, and the answer is not kept
	Lost                 // the call was made, and nobody knows what came of it
)

// Record is what is known of a key that has been used.
type Record struct {
	State   State
	Request Request
	Answer  Answer // of Done
}

// Answer is an answer as it is given again.
type Answer struct {
	Status int
	Header [][2]string
	Body   []byte
}

// size is what an answer takes, in bytes.
func (a *Answer) size() int {
	n := len(a.Body)
	for _, h := range a.Header {
		n += len(h[0]) + len(h[1])
	}
	return n
}

// Who is refused, and why. Nothing was claimed.
var (
	ErrFull    = errors.New("idempotency: no room for a key more")
	ErrTooMany = errors.New("idempotency: the caller has too many keys")
)

// MaxKeep is the longest time for which a key is kept.
const MaxKeep = 24 * time.Hour
