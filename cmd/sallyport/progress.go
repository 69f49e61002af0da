package main

import (
	"fmt"
	"io"
	"time"
)

// progress is one line on a terminal that says how far long work is, and nothing
// anywhere else.
type progress struct {
	out   io.Writer // nil: no terminal
	now   func() time.Time
	last  time.Time
	shown bool
}

func (p *program) progress() *progress {
	if _, ok := terminal(p.stderr); !ok {
		return &progress{}
	}
	return &progress{out: p.stderr, now: p.now}
}

// show writes at most five times a second. of may be 0: not known.
func (b *progress) show(what string, done, of int64) {
	if b.out == nil {
		return
	}
	now := b.now()
	if now.Sub(b.last) < time.Second/5 {
		return
	}
	b.last, b.shown = now, true
	if of > 0 {
		fmt.Fprintf(b.out, "\r\x1b[K%s: %d %%", what, done*100/of)
		return
	}
	fmt.Fprintf(b.out, "\r\x1b[K%s: %d", what, done)
}

// end clears the line.
func (b *progress) end() {
	if b.shown {
		fmt.Fprint(b.out, "\r\x1b[K")
		b.shown = false
	}
}
