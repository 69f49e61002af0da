package breached

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/FastFilter/xorfilter"
)

// oneShard is up to how many keys a filter has one shard, which is a little
// smaller; above it, what is built at once stays in bounds.
const oneShard = 4 << 20

// Builder makes a filter of any number of keys. It keeps them in files, eight
// bytes each, and builds one 256th of them at a time: a billion keys take 8 GB of
// disk and a quarter of a gigabyte of memory. Not safe for concurrent use.
type Builder struct {
	dir    string
	files  [manyShards]*os.File
	pens   [manyShards]*bufio.Writer
	counts [manyShards]uint64
	single uint64 // up to how many keys there is one shard
}

// NewBuilder keeps its files in a new folder inside of dir. Close removes them.
func NewBuilder(dir string) (*Builder, error) {
	b := &Builder{single: oneShard}
	var err error
	if b.dir, err = os.MkdirTemp(dir, ".breached-*"); err != nil {
		return nil, fmt.Errorf("build filter: %w", err)
	}
	for i := range b.files {
		if b.files[i], err = os.Create(filepath.Join(b.dir, fmt.Sprintf("%02x", i))); err != nil {
			return nil, errors.Join(fmt.Errorf("build filter: %w", err), b.Close())
		}
		b.pens[i] = bufio.NewWriterSize(b.files[i], 16<<10)
	}
	return b, nil
}

// Add adds a key; again is no harm.
func (b *Builder) Add(k Key) error {
	i := k >> 56
	b.counts[i]++
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], uint64(k))
	_, err := b.pens[i].Write(raw[:])
	return err
}

// Close removes the files of the builder.
func (b *Builder) Close() error {
	for _, f := range b.files {
		if f != nil {
			_ = f.Close()
		}
	}
	return os.RemoveAll(b.dir)
}

// keys returns the keys of some buckets, sorted and each once.
func (b *Builder) keys(buckets ...int) ([]uint64, error) {
	var list []uint64
	for _, i := range buckets {
		if err := b.pens[i].Flush(); err != nil {
			return nil, err
		}
		if _, err := b.files[i].Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(b.files[i])
		if err != nil {
			return nil, err
		}
		for ; len(raw) >= 8; raw = raw[8:] {
			list = append(list, binary.LittleEndian.Uint64(raw))
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// shards says which buckets go into each.
func (b *Builder) shards() [][]int {
	var total uint64
	all := make([]int, manyShards)
	each := make([][]int, manyShards)
	for i, n := range b.counts {
		total += n
		all[i], each[i] = i, []int{i}
	}
	if total <= b.single {
		return [][]int{all}
	}
	return each
}

// Write writes the filter to out and returns how many different keys it has.
// progress, if it is not nil, is told how many of the shards are done.
func (b *Builder) Write(out io.WriteSeeker, progress func(done, of int)) (uint64, error) {
	groups := b.shards()
	table := make([]shard, 0, len(groups))
	next := int64(headerSize + len(groups)*lineSize)
	if _, err := out.Seek(next, io.SeekStart); err != nil {
		return 0, fmt.Errorf("write filter: %w", err)
	}
	var builder xorfilter.BinaryFuseBuilder
	var total uint64
	for i, group := range groups {
		keys, err := b.keys(group...)
		if err != nil {
			return 0, fmt.Errorf("read keys: %w", err)
		}
		total += uint64(len(keys))
		s, err := writeShard(out, &builder, keys, next)
		if err != nil {
			return 0, err
		}
		next += s.size()
		table = append(table, s)
		if progress != nil {
			progress(i+1, len(groups))
		}
	}
	return total, writeHead(out, table, total)
}

func writeShard(out io.Writer, builder *xorfilter.BinaryFuseBuilder, keys []uint64, at int64) (shard, error) {
	s := shard{offset: at}
	if len(keys) == 0 {
		return s, nil
	}
	built, err := xorfilter.BuildBinaryFuse[uint16](builder, keys)
	if err != nil {
		return s, fmt.Errorf("build filter: %w", err)
	}
	s.seed, s.segment, s.count = built.Seed, built.SegmentLength, built.SegmentCount
	sum := crc32.NewIEEE()
	pen := bufio.NewWriterSize(io.MultiWriter(out, sum), 64<<10)
	// The builder may have laid out more than the three segments of the last key need.
	for _, print := range built.Fingerprints[:s.size()/2] {
		var raw [2]byte
		binary.LittleEndian.PutUint16(raw[:], print)
		if _, err := pen.Write(raw[:]); err != nil {
			return s, fmt.Errorf("write filter: %w", err)
		}
	}
	err = pen.Flush()
	s.sum = sum.Sum32()
	return s, err
}

func writeHead(out io.WriteSeeker, table []shard, total uint64) error {
	le := binary.LittleEndian
	head := le.AppendUint64(le.AppendUint32([]byte(magic), uint32(len(table))), total) //nolint:gosec // 1 or 256
	for _, s := range table {
		head = le.AppendUint64(le.AppendUint64(head, s.seed), uint64(s.offset)) //nolint:gosec // of a file
		head = le.AppendUint32(le.AppendUint32(le.AppendUint32(head, s.segment), s.count), s.sum)
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("write filter: %w", err)
	}
	if _, err := out.Write(head); err != nil {
		return fmt.Errorf("write filter: %w", err)
	}
	return nil
}
