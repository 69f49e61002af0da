package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

var (
	errTimeout = errors.New(reasonTimeout)
	errSlow    = errors.New(reasonSlow)
)

// startClock ends an exchange when its time is up, unless end was called.
func startClock(d time.Duration, cancel context.CancelCauseFunc) (end func()) {
	t := time.AfterFunc(d, func() { cancel(errTimeout) })
	return func() { t.Stop() }
}

// An answer that has begun must go on: something within silence, and in all at
// least minRate bytes a second, once grace is over. The time that the client
// needs to take it does not count. Event streams may be as slow as they like,
// but not silent for longer than eventSilence.
const (
	silence      = 10 * time.Second
	eventSilence = 2 * time.Minute
	grace        = 3 * time.Second
	minRate      = 256
)

// paced cuts off a body that drips.
type paced struct {
	src    io.Reader
	now    func() time.Time
	quiet  *time.Timer
	idle   time.Duration
	events bool
	waited time.Duration
	got    int64
}

func newPaced(src io.Reader, now func() time.Time, cancel context.CancelCauseFunc, events bool) *paced {
	p := &paced{src: src, now: now, idle: silence, events: events}
	if events {
		p.idle = eventSilence
	}
	p.quiet = time.AfterFunc(p.idle, func() { cancel(errSlow) })
	p.quiet.Stop()
	return p
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	start := p.now()
	p.quiet.Reset(p.idle)
	n, err := p.src.Read(b)
	p.quiet.Stop()
	p.got += int64(n)
	p.waited += p.now().Sub(start)
	if err == nil && !p.events && p.waited > grace && p.got < int64(p.waited.Seconds()*minRate) {
		return 0, errSlow
	}
	return n, err
}

// capped ends a body that is too long.
type capped struct {
	src  io.Reader
	left int64
}

// Read implements io.Reader.
func (c *capped) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, errSize
	}
	return n, err
}

// plain refuses a body that is compressed although nobody said so: what it holds
// could not be found. Only its beginning is looked at.
type plain struct {
	src  io.Reader
	head []byte
}

// magic are the first bytes of gzip, zstd, xz, bzip2 and zip.
var magic = [][]byte{{0x1f, 0x8b}, {0x28, 0xb5, 0x2f, 0xfd}, {0xfd, '7', 'z', 'X'}, {'B', 'Z', 'h'}, {'P', 'K', 3, 4}}

// Read implements io.Reader.
func (p *plain) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if len(p.head) < 4 {
		p.head = append(p.head, b[:min(n, 4-len(p.head))]...)
		for _, m := range magic {
			if bytes.HasPrefix(p.head, m) {
				return 0, errEncoding
			}
		}
	}
	return n, err
}
