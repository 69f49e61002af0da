package ratelimit

import (
	"encoding/binary"
	"net/netip"
)

// Key joins parts so that no two lists of parts give the same key. It is for
// counting, not for reading.
func Key(parts ...string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	n := 0
	for _, p := range parts {
		n += binary.MaxVarintLen64 + len(p)
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return string(b)
}

// Address is what counts as one address: an IPv4 address, or the /64 of an
// IPv6 address, since a single machine can use all of it (RFC 4291 §2.5.4). It
// is a key, not for reading.
func Address(a netip.Addr) string { return head(a, 4, 8) }

// Network is what counts as one network: an IPv4 /24, or an IPv6 /48, which
// is the most that one site usually gets (RFC 6177). It is a key, not for
// reading.
func Network(a netip.Addr) string { return head(a, 3, 6) }

// head is the first bytes of an address, and "" for one that is not known: all
// of those count as one. Each of the four lengths means one kind.
func head(a netip.Addr, bytes4, bytes6 int) string {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return string(b[:bytes4])
	case a.Is6():
		b := a.As16()
		return string(b[:bytes6])
	}
	return ""
}
