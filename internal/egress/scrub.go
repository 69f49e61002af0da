package egress

import (
	"bytes"
	"io"
)

// mask stands for each byte of a credential that came back. The answer keeps its
// length and stays well-formed.
const mask = '*'

const layers = 2 // of escapes that are undone: a URL in JSON, JSON in JSON

// scrubber masks credentials in a text that comes in pieces. Not safe for
// concurrent use.
type scrubber struct {
	needles *needles
	views   [layers]view
	marks   []span
	found   bool
}

type span struct{ from, to int }

// scan looks through all of buf and returns how much of it can be told apart: a
// credential may begin in the rest. masked is how much of the front was found to
// be one before.
func (s *scrubber) scan(buf []byte, masked int, final bool) (clear, stillMasked int) {
	s.marks = s.marks[:0]
	if masked > 0 {
		s.marks = append(s.marks, span{0, masked})
	}
	clear = s.look(buf, nil, len(buf))
	if bytes.ContainsAny(buf, escapes) {
		text, at := buf, []int32(nil)
		for i := range s.views {
			v := &s.views[i]
			v.unescape(text, at, final, int32(len(buf))) //nolint:gosec // a buffer of some KiB
			clear = min(clear, s.look(v.text, v.at, len(buf)))
			text, at = v.text, v.at
		}
	}
	if final {
		clear = len(buf)
	}
	for _, m := range s.marks {
		for i := m.from; i < min(m.to, clear); i++ {
			buf[i] = mask
		}
		stillMasked = max(stillMasked, m.to-clear)
	}
	return clear, stillMasked
}

// look marks the parts of credentials in a text and returns from where on one
// could be unfinished. Offsets are those of the buffer that the text is a view of.
func (s *scrubber) look(text []byte, at []int32, end int) int {
	n := s.needles
	var h uint64
	run := 0
	for i, b := range text {
		if !n.occurs[b] {
			run, h = 0, 0
			continue
		}
		if run >= n.size {
			h -= n.first * uint64(text[i-n.size])
		} else {
			run++
		}
		h = h*prime + uint64(b)
		if run < n.size {
			continue
		}
		if p := spread(h); n.filter[p>>6]&(1<<(p&63)) == 0 {
			continue
		}
		if _, is := n.parts[string(text[i+1-n.size:i+1])]; is {
			s.mark(offset(at, i+1-n.size), offset(at, i+1))
		}
	}
	open := len(text) - min(run, n.size-1)
	if at == nil {
		return open
	}
	return min(int(at[open]), end)
}

func offset(at []int32, i int) int {
	if at == nil {
		return i
	}
	return int(at[i])
}

func (s *scrubber) mark(from, to int) {
	s.found = true
	if n := len(s.marks); n > 0 && from >= s.marks[n-1].from && from <= s.marks[n-1].to {
		s.marks[n-1].to = max(to, s.marks[n-1].to)
		return
	}
	s.marks = append(s.marks, span{from, to})
}

// scrub masks credentials in a text that is there as a whole, such as a header.
func (n *needles) scrub(text string) (clean string, found bool) {
	if n == nil {
		return text, false
	}
	s := scrubber{needles: n}
	buf := []byte(text)
	s.scan(buf, 0, true)
	return string(buf), s.found
}

// scrubbed is a body without credentials. It gives what it has as soon as no
// credential can begin in it: an event of a stream is not held up.
type scrubbed struct {
	src    io.Reader
	s      scrubber
	buf    []byte // read and not given yet
	clear  int    // of buf, can be given
	masked int    // of buf after clear, is part of a credential
	err    error
	echo   func() // called once, before a masked byte is given
	told   bool
}

const scrubChunk = 16 << 10

func newScrubbed(src io.Reader, n *needles, echo func()) *scrubbed {
	return &scrubbed{src: src, s: scrubber{needles: n}, echo: echo}
}

// Read implements io.Reader.
func (r *scrubbed) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.clear == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.buf[:r.clear])
	r.buf, r.clear = r.buf[:copy(r.buf, r.buf[n:])], r.clear-n
	return n, nil
}

// fill reads once. A body that broke off is not searched to its end: the rest
// is not given.
func (r *scrubbed) fill() {
	have := len(r.buf)
	if cap(r.buf) < have+scrubChunk {
		r.buf = append(make([]byte, 0, 2*scrubChunk+have), r.buf...)
	}
	n, err := r.src.Read(r.buf[have : have+scrubChunk])
	r.buf, r.err = r.buf[:have+n], err
	if n == 0 && err == nil {
		return
	}
	r.clear, r.masked = r.s.scan(r.buf, r.masked, err == io.EOF) //nolint:errorlint // readers return it bare
	if r.s.found && !r.told {
		r.told = true
		r.echo()
	}
}
