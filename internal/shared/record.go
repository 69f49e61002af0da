package shared

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"
)

// beginScript writes a value unless there is one.
var beginScript = valkey.NewLuaScript(`
local v = redis.call('GET', KEYS[1])
if v then return v end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`)

// Begin writes value for id unless there is one, which it returns then. It is
// atomic. An error is ErrUnavailable, and value may be written.
func (s *Store) Begin(ctx context.Context, id [32]byte, value []byte, keep time.Duration) (found []byte, first bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	text, err := beginScript.Exec(ctx, s.client, []string{s.key("record", id)},
		[]string{string(value), strconv.FormatInt(max(1, keep.Milliseconds()), 10)}).ToString()
	switch {
	case valkey.IsValkeyNil(err):
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("%w: record: %w", ErrUnavailable, err)
	}
	return []byte(text), false, nil
}

// Replace writes value where there is one, for as long as that had left. An error
// is ErrUnavailable.
func (s *Store) Replace(ctx context.Context, id [32]byte, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.client.Do(ctx, s.client.B().Set().Key(s.key("record", id)).Value(string(value)).Xx().Keepttl().Build()).Error()
	if err != nil && !valkey.IsValkeyNil(err) {
		return fmt.Errorf("%w: record: %w", ErrUnavailable, err)
	}
	return nil
}

// Remove forgets what Begin wrote for id. An error is ErrUnavailable.
func (s *Store) Remove(ctx context.Context, id [32]byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Do(ctx, s.client.B().Del().Key(s.key("record", id)).Build()).Error(); err != nil {
		return fmt.Errorf("%w: record: %w", ErrUnavailable, err)
	}
	return nil
}
