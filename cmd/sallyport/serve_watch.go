package main

import (
	"os"
	"time"
)

// sight is what the files of a configuration looked like, and since how many
// looks.
type sight struct {
	files map[string]os.FileInfo // nil: there is none
	same  int                    // looks since the last change
	dirty bool                   // a change waits to be taken
}

// look looks at all files of a configuration.
func look(c *config) *sight {
	s := &sight{files: map[string]os.FileInfo{}}
	for _, f := range append(c.files(), namedFile{name: c.path}) {
		info, err := os.Stat(f.name)
		if err != nil {
			info = nil
		}
		s.files[f.name] = info
	}
	return s
}

// settled remembers a further look, and reports whether there was a change that
// has lasted for that long. It reports each once.
func (s *sight) settled(now *sight, lasting time.Duration) bool {
	if !s.equals(now) {
		s.files, s.same, s.dirty = now.files, 0, true
		return false
	}
	if !s.dirty {
		return false
	}
	s.same++
	if time.Duration(s.same)*lookEvery < lasting {
		return false
	}
	s.dirty = false
	return true
}

func (s *sight) equals(o *sight) bool {
	if len(s.files) != len(o.files) {
		return false
	}
	for name, a := range s.files {
		b, known := o.files[name]
		if !known || (a == nil) != (b == nil) {
			return false
		}
		if a != nil && (a.Size() != b.Size() || !a.ModTime().Equal(b.ModTime()) || !os.SameFile(a, b)) {
			return false
		}
	}
	return true
}
