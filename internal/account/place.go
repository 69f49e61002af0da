package account

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxPlaces    = 4_000_000 // lines; a list of the countries of all addresses has under a million
	maxPlaceName = 100       // bytes
)

// Places says where addresses are, coarsely, from a table of an operator. It is
// never changed, and safe for concurrent use. The zero value knows no place.
type Places struct {
	v4    []span4
	v6    []span6
	names []string
}

// span4 takes 12 bytes, so that the list of all countries takes few megabytes.
type span4 struct {
	first, last uint32
	name        uint32
}

type span6 struct {
	first, last [16]byte
	name        uint32
}

// ReadPlaces reads a table, in CSV (RFC 4180) without a header: NETWORK,PLACE with
// a network such as 192.0.2.0/24, or FIRST,LAST,PLACE with two addresses. It is
// strict: a line that it does not understand, or two that overlap, refuse the
// whole table, and the error names the line.
func ReadPlaces(r io.Reader) (*Places, error) {
	p, known := &Places{}, map[string]uint32{}
	c := csv.NewReader(bufio.NewReader(r))
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	for n := 0; ; n++ {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("places: %w", err)
		}
		line, _ := c.FieldPos(0)
		if n >= maxPlaces {
			return nil, fmt.Errorf("places: more than %d lines", maxPlaces)
		}
		if err := p.add(fields, known); err != nil {
			return nil, fmt.Errorf("places: line %d: %w", line, err)
		}
	}
	return p, p.sort()
}

var (
	errPlaceLine = errors.New("is neither NETWORK,PLACE nor FIRST,LAST,PLACE")
	errPlaceName = fmt.Errorf("the place is empty, has more than %d bytes, or invisible characters", maxPlaceName)
	errPlaceSpan = errors.New("the addresses are not a span of one kind, the lower first")
)

func (p *Places) add(fields []string, known map[string]uint32) error {
	var first, last netip.Addr
	var err error
	switch len(fields) {
	case 2:
		first, last, err = network(fields[0])
	case 3:
		if first, err = netip.ParseAddr(fields[0]); err == nil {
			last, err = netip.ParseAddr(fields[1])
		}
	default:
		return errPlaceLine
	}
	if err != nil {
		return errPlaceLine
	}
	first, last = first.Unmap(), last.Unmap()
	if first.Is4() != last.Is4() || first.Zone() != "" || last.Zone() != "" || last.Less(first) {
		return errPlaceSpan
	}
	name := fields[len(fields)-1]
	if name == "" || len(name) > maxPlaceName || !utf8.ValidString(name) || strings.ContainsFunc(name, invisible) {
		return errPlaceName
	}
	i, ok := known[name]
	if !ok {
		name = strings.Clone(name)
		i = uint32(len(p.names)) //nolint:gosec // at most maxPlaces
		known[name], p.names = i, append(p.names, name)
	}
	if first.Is4() {
		p.v4 = append(p.v4, span4{number4(first), number4(last), i})
	} else {
		p.v6 = append(p.v6, span6{first.As16(), last.As16(), i})
	}
	return nil
}

// network is the first and the last address of a prefix, which has no host bits.
func network(s string) (first, last netip.Addr, err error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix != prefix.Masked() {
		return first, last, errPlaceLine
	}
	end := prefix.Addr().AsSlice()
	for i := prefix.Bits(); i < len(end)*8; i++ {
		end[i/8] |= 1 << (7 - i%8)
	}
	last, _ = netip.AddrFromSlice(end)
	return prefix.Addr(), last, nil
}

func (p *Places) sort() error {
	slices.SortFunc(p.v4, func(a, b span4) int { return cmp.Compare(a.first, b.first) })
	slices.SortFunc(p.v6, func(a, b span6) int { return compare6(a.first, b.first) })
	for i := 1; i < len(p.v4); i++ {
		if p.v4[i].first <= p.v4[i-1].last {
			return fmt.Errorf("places: two lines have %s", address4(p.v4[i].first))
		}
	}
	for i := 1; i < len(p.v6); i++ {
		if compare6(p.v6[i].first, p.v6[i-1].last) <= 0 {
			return fmt.Errorf("places: two lines have %s", netip.AddrFrom16(p.v6[i].first))
		}
	}
	p.v4, p.v6 = slices.Clip(p.v4), slices.Clip(p.v6)
	return nil
}

// Find is where an address is; empty: not known.
func (p *Places) Find(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case p == nil:
	case a.Is4():
		n := number4(a)
		i, ok := slices.BinarySearchFunc(p.v4, n, func(s span4, n uint32) int { return cmp.Compare(s.first, n) })
		if !ok {
			i--
		}
		if i >= 0 && n <= p.v4[i].last {
			return p.names[p.v4[i].name]
		}
	case a.Is6():
		n := a.As16()
		i, ok := slices.BinarySearchFunc(p.v6, n, func(s span6, n [16]byte) int { return compare6(s.first, n) })
		if !ok {
			i--
		}
		if i >= 0 && compare6(n, p.v6[i].last) <= 0 {
			return p.names[p.v6[i].name]
		}
	}
	return ""
}

// Len is the number of spans.
func (p *Places) Len() int { return len(p.v4) + len(p.v6) }

func number4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func compare6(a, b [16]byte) int { return netip.AddrFrom16(a).Compare(netip.AddrFrom16(b)) }

func address4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) //nolint:gosec // the bytes one by one
}

// place is where an address is, coarsely; empty: not known.
func (s *Service) place(a netip.Addr) string { return s.places.Find(a) }
