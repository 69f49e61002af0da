package outbound

import (
	"errors"
	"net/netip"
)

// KindPrivate is Error.Detail of an address that AllowNetworks could excuse.
const KindPrivate = "private"

// Other kinds of addresses that are refused, as errors name them.
const (
	kindInvalid   = "invalid"
	kindMetadata  = "cloud metadata"
	kindLoopback  = "loopback"
	kindLocal     = "link-local"
	kindMulticast = "multicast"
	kindReserved  = "reserved"
	kindTransit   = "embedded IPv4"
)

// refused is read from the top; the first prefix that holds an address names
// it. It is a list of ours because netip.Addr.IsPrivate knows neither RFC 6598
// nor NAT64. Source: the IANA special-purpose address registries (RFC 6890),
// including what they call globally reachable but nobody serves from.
var refused = prefixes(
	kindMetadata, "169.254.169.254/32", "169.254.170.0/24", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
	"fd00:ec2::/32", "fd20:ce::254/128", // the latter two and 168.63.129.16 hide in ranges that may otherwise be had
	kindLoopback, "127.0.0.0/8", "::1/128",
	kindLocal, "169.254.0.0/16", "fe80::/10", "fec0::/10",
	KindPrivate, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", // RFC 1918, RFC 4193
	KindPrivate, "100.64.0.0/10", "64:ff9b:1::/48", // RFC 6598, RFC 8215
	kindMulticast, "224.0.0.0/4", "ff00::/8",
	kindReserved, "0.0.0.0/8", "192.0.0.0/24", "240.0.0.0/4", // 240/4 holds the broadcast address
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", // documentation
	"198.18.0.0/15", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", // benchmarks, AS112, AMT, relays
	"2620:4f:8000::/48",
	kindTransit, "2001::/32", "2002::/16", // Teredo and 6to4 lead to an IPv4 address of the sender's choice
	kindReserved, "2001::/23",
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")     // all that IANA has given out
	nat64         = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 §2.1
)

type refusal struct {
	kind   string
	prefix netip.Prefix
}

// prefixes reads a list in which a word that is no prefix begins a new kind.
func prefixes(list ...string) []refusal {
	var all []refusal
	var kind string
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			all = append(all, refusal{kind, p.Masked()})
		} else {
			kind = s
		}
	}
	return all
}

// judge says which addresses may be dialled. Its zero value allows what is
// public and nothing else.
type judge struct {
	loopback bool
	networks []netip.Prefix // of KindPrivate alone
}

// refuses returns the kind of a if it must not be dialled, and "" if it may.
func (j judge) refuses(a netip.Addr) string {
	if !a.IsValid() || a.Zone() != "" {
		return kindInvalid
	}
	a = a.Unmap()
	if nat64.Contains(a) {
		return judge{}.refuses(lastFour(a)) // no exception was meant for what lies behind a translator
	}
	for _, r := range refused {
		if r.prefix.Contains(a) {
			return j.excuse(a, r.kind)
		}
	}
	if a.Is4() {
		return ""
	}
	if !globalUnicast.Contains(a) {
		return kindReserved
	}
	if isISATAP(a) && (judge{}).refuses(lastFour(a)) != "" {
		return kindTransit
	}
	return ""
}

// excuse returns "" if the operator has allowed this address of that kind.
func (j judge) excuse(a netip.Addr, kind string) string {
	if kind == kindLoopback && j.loopback {
		return ""
	}
	if kind == KindPrivate {
		for _, n := range j.networks {
			if n.Contains(a) {
				return ""
			}
		}
	}
	return kind
}

// ParseNetwork reads a network that may stand in Options.AllowNetworks: one that
// is private as a whole, written without bits of a host.
func ParseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Masked() != p {
		return netip.Prefix{}, errors.New("is not a network: write for example 10.0.0.0/8")
	}
	for _, r := range refused {
		if r.kind == KindPrivate && r.prefix.Contains(p.Addr()) && p.Bits() >= r.prefix.Bits() {
			return p, nil
		}
	}
	return netip.Prefix{}, errors.New("is not a private network, and no other can be allowed")
}

func lastFour(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

// isISATAP knows the interface identifiers of RFC 5214 §6.1.
func isISATAP(a netip.Addr) bool {
	b := a.As16()
	return b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
