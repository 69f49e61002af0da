package ratelimit

import (
	"net/netip"
	"strconv"
	"strings"
)

// Key joins parts so that no two lists of parts give the same key.
func Key(parts ...string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(strconv.Itoa(len(p)))
		b.WriteByte(':')
		b.WriteString(p)
	}
	return b.String()
}

// Address is what counts as one address: an IPv4 address, or the /64 of an
// IPv6 address, since a single machine can use all of it (RFC 4291 §2.5.4).
func Address(a netip.Addr) string { return prefix(a, 32, 64) }

// Network is what counts as one network: an IPv4 /24, or an IPv6 /48, which
// is the most that one site usually gets (RFC 6177).
func Network(a netip.Addr) string { return prefix(a, 24, 48) }

// prefix is "" for an address that is not known: all of those count as one.
func prefix(a netip.Addr, bits4, bits6 int) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := bits6
	if a.Is4() {
		bits = bits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
