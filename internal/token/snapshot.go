package token

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"sallyport/internal/secret"
)

// snapshot is what a ring knows at one moment. It never changes: readers need
// no lock.
type snapshot struct {
	keys map[Purpose]keyset
}

// keyset has the keys of one purpose, in the order in which they became or
// become active.
type keyset struct {
	list []*liveKey
	// settled says that the newest was active when the snapshot was made, and not
	// retired. That is so but for minutes around a rotation, and then nobody asks
	// the clock.
	settled bool
}

// liveKey is an unwrapped key. Its purpose says which of the last three it has.
type liveKey struct {
	id      secret.ID
	short   keyID
	active  int64 // Unix seconds
	retired int64 // from then on it makes nothing, even if the next is compromised; 0 if never
	publish int64 // until then it is in the key set
	xaes    *xaes
	mac     []byte
	signer  *Signer
}

// keyID is the random tail of a key's ID, as sealed tokens carry it.
type keyID [4]byte

func shortID(id secret.ID) keyID { return keyID(id[12:]) }

// maker returns the key that makes now, or nil. On a node whose clock is behind,
// that may be one that is not active there yet: better than none.
func (s keyset) maker(now func() time.Time) *liveKey {
	n := len(s.list)
	if n == 0 {
		return nil
	}
	if s.settled {
		return s.list[n-1]
	}
	unix := now().Unix()
	k := s.list[0]
	for i := n - 1; i > 0; i-- {
		if s.list[i].active <= unix {
			k = s.list[i]
			break
		}
	}
	if k.retired > 0 && k.retired <= unix {
		return nil // its successor was compromised: what it makes would be refused too soon
	}
	return k
}

func (s keyset) find(short []byte) *liveKey {
	for i := len(s.list) - 1; i >= 0; i-- {
		if k := s.list[i]; string(k.short[:]) == string(short) {
			return k
		}
	}
	return nil
}

// without returns s without a key, and whether that was in it.
func (s *snapshot) without(id secret.ID) (*snapshot, bool) {
	out, had := &snapshot{keys: make(map[Purpose]keyset, len(s.keys))}, false
	for p, set := range s.keys {
		list := slices.DeleteFunc(slices.Clone(set.list), func(k *liveKey) bool { return k.id == id })
		if len(list) < len(set.list) {
			had = true
			// The key that makes may now be one with a successor that is pending.
			set = keyset{list: list}
		}
		out.keys[p] = set
	}
	return out, had
}

// read makes a snapshot of records. Keys that are live already are taken over
// with what they have derived, the others unwrapped. What does not unwrap is
// left out and reported.
func (ring *Ring) read(records []KeyRecord) (*snapshot, error) {
	live := map[secret.ID]*liveKey{}
	for _, set := range ring.current.Load().keys {
		for _, k := range set.list {
			live[k.id] = k
		}
	}
	now, s := ring.now(), &snapshot{keys: map[Purpose]keyset{}}
	var problems []error
	for _, r := range usable(records, now) {
		if ring.dead[r.ID] {
			continue
		}
		k, err := ring.unwrap(r.KeyRecord, live[r.ID])
		if err != nil {
			problems = append(problems, fmt.Errorf("key %s: %w", r.ID, err))
			continue
		}
		k.active, k.retired, k.publish = r.ActiveAt.Unix(), 0, r.publish.Unix()
		if !r.retired.IsZero() {
			k.retired = r.retired.Unix()
		}
		set := s.keys[r.Purpose]
		set.list = append(set.list, k)
		set.settled = k.active <= now.Unix() && k.retired == 0
		s.keys[r.Purpose] = set
	}
	return s, errors.Join(problems...)
}

// unwrap returns a key of its own for the new snapshot.
func (ring *Ring) unwrap(r KeyRecord, live *liveKey) (*liveKey, error) {
	if live != nil {
		k := *live
		return &k, nil
	}
	material, err := ring.master.unwrap(r)
	if err != nil {
		return nil, err
	}
	if policy, _ := PolicyOf(r.Purpose); policy.Algorithm != r.Algorithm {
		return nil, fmt.Errorf("%s is not the algorithm of %s", r.Algorithm, r.Purpose) // RFC 8725 §3.1
	}
	k := &liveKey{id: r.ID, short: shortID(r.ID)}
	switch r.Algorithm {
	case XAES256GCM:
		k.xaes, err = newXAES(material)
	case HS256:
		if len(material) < 32 {
			err = errors.New("an HMAC key must have 32 bytes") // RFC 7518 §3.2
		}
		k.mac = material
	default:
		k.signer, err = newSigner(r, material)
	}
	return k, err
}

// datedRecord is a record with what follows from those after it.
type datedRecord struct {
	KeyRecord
	retired time.Time // when its successor became or becomes active; zero if it has none
	until   time.Time // accepted until then; zero without a successor
	publish time.Time // in the key set until then
}

// dated puts records into the order in which they became active and says when
// each ends. A key that was compromised before it made anything retires none.
func dated(records []KeyRecord) []datedRecord {
	list := make([]datedRecord, len(records))
	for i, r := range records {
		list[i].KeyRecord = r
	}
	slices.SortStableFunc(list, func(a, b datedRecord) int {
		if d := a.ActiveAt.Compare(b.ActiveAt); d != 0 {
			return d
		}
		if dead := !a.CompromisedAt.IsZero(); dead == b.CompromisedAt.IsZero() {
			if dead {
				return -1 // in the second in which its successor is active
			}
			return 1
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	for i := range list {
		r := &list[i]
		for _, next := range list[i+1:] {
			neverMade := !next.CompromisedAt.IsZero() && next.CompromisedAt.Before(next.ActiveAt)
			if next.Purpose == r.Purpose && !neverMade {
				r.retired = next.ActiveAt
				break
			}
		}
		policy, _ := PolicyOf(r.Purpose)
		if r.publish = time.Unix(1<<40, 0); !r.retired.IsZero() {
			r.until, r.publish = r.retired.Add(policy.Keep), r.retired.Add(policy.Publish)
		}
	}
	return list
}

// usable are the records of keys that a node holds at a time. A purpose that
// only a newer release knows is none of ours.
func usable(records []KeyRecord, now time.Time) []datedRecord {
	return slices.DeleteFunc(dated(records), func(r datedRecord) bool {
		_, known := PolicyOf(r.Purpose)
		return !known || !r.CompromisedAt.IsZero() || !r.until.IsZero() && now.After(r.until)
	})
}

// wrapper is the fingerprint of the master key that the records are wrapped by.
func wrapper(records []KeyRecord) string {
	for i := len(records) - 1; i >= 0; i-- {
		if r := records[i]; r.CompromisedAt.IsZero() && r.WrappedBy != "" {
			return r.WrappedBy
		}
	}
	return ""
}
