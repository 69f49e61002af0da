package secret

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// ID names a grant, a session, a key or one token. It is not a credential: it
// may be logged. The first six bytes are the Unix time in milliseconds, the
// other ten are random, so rows inserted one after another sit side by side in
// an index and no two nodes need to agree on a counter.
type ID [16]byte

var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewID returns an ID for the moment now.
func NewID(now time.Time) ID {
	var id ID
	_, _ = rand.Read(id[6:])
	ms := uint64(now.UnixMilli()) //nolint:gosec // after 1970, so not negative
	binary.BigEndian.PutUint16(id[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(ms)) //nolint:gosec // the low half is wanted
	return id
}

// String is 26 lower-case characters that sort by time.
func (id ID) String() string {
	var b [26]byte
	idEncoding.Encode(b[:], id[:])
	return string(b[:])
}

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads what String wrote, and nothing else. Otherwise ErrMalformed.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 26 {
		return ID{}, ErrMalformed
	}
	if n, err := idEncoding.Decode(id[:], []byte(s)); err != nil || n != len(id) || id.String() != s {
		return ID{}, ErrMalformed
	}
	return id, nil
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
