package shared

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"
)

// leaseScript takes from a bucket that is one number, as in package ratelimit: the
// moment at which it is full again, in microseconds of the server's clock.
var leaseScript = valkey.NewLuaScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local every, depth, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cell = tonumber(redis.call('GET', KEYS[1]) or now)
cell = math.min(math.max(cell, now), now + depth)
local got = math.min(want, math.floor((now + depth - cell) / every))
if got > 0 then
  cell = cell + got * every
  redis.call('SET', KEYS[1], string.format('%.0f', cell), 'PX', math.ceil((cell - now) / 1000) + 1000)
end
return {got, math.floor(cell - now)}`)

// Lease takes up to want from the bucket of id, which holds depth/every and gets
// one more each every, a microsecond at least. It returns how many it got, and
// how long until the bucket is full. It is atomic. An error is ErrUnavailable, and
// what was asked for may be gone.
func (s *Store) Lease(ctx context.Context, id [32]byte, every, depth time.Duration, want int) (got int, full time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	list, err := leaseScript.Exec(ctx, s.client, []string{s.key("limit", id)},
		[]string{strconv.FormatInt(every.Microseconds(), 10), strconv.FormatInt(depth.Microseconds(), 10), strconv.Itoa(want)}).AsIntSlice()
	if err != nil || len(list) != 2 {
		return 0, 0, fmt.Errorf("%w: lease: %w", ErrUnavailable, err)
	}
	return int(list[0]), time.Duration(list[1]) * time.Microsecond, nil
}

// addScript counts, and lets the count end some time after it began.
var addScript = valkey.NewLuaScript(`
local sum = redis.call('INCRBY', KEYS[1], ARGV[1])
if sum == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return sum`)

// Add adds n to the count of id and returns the sum. A count that is new is
// forgotten after keep, which is a millisecond at least.
func (s *Store) Add(ctx context.Context, id [32]byte, n int64, keep time.Duration) (sum int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	sum, err = addScript.Exec(ctx, s.client, []string{s.key("count", id)},
		[]string{strconv.FormatInt(n, 10), strconv.FormatInt(max(1, keep.Milliseconds()), 10)}).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("%w: count: %w", ErrUnavailable, err)
	}
	return sum, nil
}

// key is where something of a kind is kept; kinds share nothing.
func (s *Store) key(kind string, id [32]byte) string {
	return s.prefix[:len(s.prefix)-len("spent:")] + kind + ":" + base64.RawURLEncoding.EncodeToString(id[:])
}
