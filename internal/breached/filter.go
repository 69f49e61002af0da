package breached

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
)

// A file is a header, a table with one line for each shard, and the shards: binary
// fuse filters (Graefe and Lemire, 2022) of 16-bit fingerprints, little-endian. A
// key is in the shard that its first byte names, or in the only one.
const (
	magic      = "SPBRCH1\n"
	headerSize = len(magic) + 4 + 8 // shards, keys
	lineSize   = 8 + 8 + 4 + 4 + 4  // seed, offset, segment length, segments, CRC-32
	manyShards = 256

	maxSegment  = 1 << 18 // as the builder has it
	maxSegments = 1 << 16
)

// FalsePositive is the probability that a form which is on no list is found.
const FalsePositive = 1.0 / (1 << 16)

var errFilter = errors.New("not a filter of breached passwords, or damaged")

// Filter is a set of keys on a file, of which nothing but the table is kept in
// memory: a question reads six bytes. Safe for concurrent use.
type Filter struct {
	file   io.ReaderAt
	shards []shard
	keys   uint64
}

type shard struct {
	seed    uint64
	offset  int64 // of the fingerprints
	segment uint32
	count   uint32 // segments in which the first of the three may be; 0: no key is in this shard
	sum     uint32
}

// size is how many bytes the fingerprints take.
func (s shard) size() int64 {
	if s.count == 0 {
		return 0
	}
	return 2 * int64(s.segment) * (int64(s.count) + 2)
}

// Open reads the table of a filter of size bytes. Whatever file holds, it takes no
// more than ten kilobytes, and a later question reads only inside of it.
func Open(file io.ReaderAt, size int64) (*Filter, error) {
	var head [headerSize]byte
	if _, err := file.ReadAt(head[:], 0); err != nil || string(head[:len(magic)]) != magic {
		return nil, errFilter
	}
	n := binary.LittleEndian.Uint32(head[len(magic):])
	if n != 1 && n != manyShards {
		return nil, errFilter
	}
	f := &Filter{file: file, keys: binary.LittleEndian.Uint64(head[len(magic)+4:])}
	table := make([]byte, int(n)*lineSize)
	if _, err := file.ReadAt(table, int64(headerSize)); err != nil {
		return nil, errFilter
	}
	next := int64(headerSize + len(table))
	for ; len(table) > 0; table = table[lineSize:] {
		s, err := parseShard(table)
		if err != nil || s.offset != next {
			return nil, errFilter
		}
		next += s.size()
		f.shards = append(f.shards, s)
	}
	if next != size {
		return nil, fmt.Errorf("%w: it has %d bytes and should have %d", errFilter, size, next)
	}
	return f, nil
}

func parseShard(line []byte) (shard, error) {
	le := binary.LittleEndian
	offset := le.Uint64(line[8:])
	s := shard{le.Uint64(line), int64(offset), le.Uint32(line[16:]), le.Uint32(line[20:]), le.Uint32(line[24:])} //nolint:gosec // compared with what it must be
	if s.count > maxSegments || s.count > 0 && (s.segment > maxSegment || bits.OnesCount32(s.segment) != 1) {
		return s, errFilter
	}
	return s, nil
}

// Close closes the file, if that can be closed. It is not asked anything afterwards.
func (f *Filter) Close() error {
	if c, ok := f.file.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Keys is how many keys the filter was made of.
func (f *Filter) Keys() uint64 { return f.keys }

// Contains reports whether k is one of the keys, or happens to look like one. An
// error is one of reading.
func (f *Filter) Contains(k Key) (bool, error) {
	s := f.shards[0]
	if len(f.shards) == manyShards {
		s = f.shards[k>>56]
	}
	if s.count == 0 {
		return false, nil
	}
	hash := mix(uint64(k) + s.seed)
	got := uint16(hash ^ hash>>32) //nolint:gosec // the fingerprint is the low half
	for _, at := range s.places(hash) {
		var b [2]byte
		if _, err := f.file.ReadAt(b[:], s.offset+2*int64(at)); err != nil {
			return false, fmt.Errorf("read filter of breached passwords: %w", err)
		}
		got ^= binary.LittleEndian.Uint16(b[:])
	}
	return got == 0, nil
}

// places are the three fingerprints that make one, each in a segment of its own.
func (s shard) places(hash uint64) [3]uint32 {
	hi, _ := bits.Mul64(hash, uint64(s.segment)*uint64(s.count))
	first, mask := uint32(hi), s.segment-1 //nolint:gosec // below segment × count
	return [3]uint32{
		first,
		(first + s.segment) ^ uint32(hash>>18)&mask, //nolint:gosec // cut on purpose
		(first + 2*s.segment) ^ uint32(hash)&mask,   //nolint:gosec // cut on purpose
	}
}

// mix is the finaliser of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Verify reads the whole file and reports whether it is as it was built.
func (f *Filter) Verify() error {
	for _, s := range f.shards {
		sum := crc32.NewIEEE()
		if _, err := io.Copy(sum, io.NewSectionReader(f.file, s.offset, s.size())); err != nil {
			return fmt.Errorf("read filter of breached passwords: %w", err)
		}
		if sum.Sum32() != s.sum {
			return errFilter
		}
	}
	return nil
}
