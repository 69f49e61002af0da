package outbound

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const maxURL = 2048 // bytes

// target is a URL that has been judged, as far as that is possible without
// asking for the addresses of its name.
type target struct {
	url  *url.URL
	name string     // lower case, without port; "" if the host is an address
	addr netip.Addr // the host if it is an address
	port uint16
}

func (t *target) host() string {
	if t.addr.IsValid() {
		return netip.AddrPortFrom(t.addr, t.port).String()
	}
	return t.name + ":" + strconv.Itoa(int(t.port))
}

// Check judges a URL without sending anything: it is what a registration or a
// configuration asks. A name that passes may still lead to an address that is
// refused when it is dialled. The error is an *Error.
func (c *Client) Check(raw string) error {
	_, err := c.parse(raw)
	return err
}

// parse accepts what RFC 3986 calls an absolute URI, and less: all spellings
// that two readers could take for two hosts are refused, not mended.
func (c *Client) parse(raw string) (*target, error) {
	if raw == "" || len(raw) > maxURL || strings.ContainsFunc(raw, notURL) {
		return nil, badURL("", "not an absolute URL without a fragment, of at most 2048 printable ASCII characters")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, badURL("", "not an absolute URL") // the error of url.Parse would quote it
	}
	if u.User != nil {
		return nil, badURL("", "has user information")
	}
	t := &target{url: u}
	if word := t.readHost(c); word != "" {
		return nil, badURL("", word)
	}
	if word := t.readPort(c); word != "" {
		return nil, badURL("", word)
	}
	if word := t.judgeScheme(c); word != "" {
		return nil, badURL(t.host(), word)
	}
	if kind := c.judge.refuses(t.addr); t.addr.IsValid() && kind != "" {
		return nil, &Error{Reason: ReasonAddress, Host: t.host(), detail: kind}
	}
	u.Host = hostHeader(u, t)
	return t, nil
}

// notURL is what RFC 3986 appendix A has no place for; and # begins a fragment.
func notURL(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`#\"<>^{|}`+"`", r)
}

func (t *target) readHost(c *Client) string {
	host := t.url.Hostname()
	if strings.HasPrefix(t.url.Host, "[") {
		a, err := netip.ParseAddr(host)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "the host is not an IPv6 address"
		}
		t.addr = a
		return ""
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
		t.addr = a
		return ""
	}
	if t.name = strings.ToLower(host); !isName(t.name) {
		return "the host is not a name of the DNS, nor an address in its one spelling"
	}
	if isLocalhost(t.name) {
		if !c.judge.loopback {
			return "the host is this machine"
		}
	} else if !strings.Contains(t.name, ".") && len(c.judge.networks) == 0 {
		return "the host is not a full name"
	}
	return ""
}

// isLocalhost knows the names of RFC 6761 §6.3.
func isLocalhost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// isName accepts a host name of RFC 1123 §2.1 without a final dot. The last
// label begins with a letter, as every top-level domain does: 2130706433,
// 0x7f.1 and 127.1 are names to one reader and addresses to another.
func isName(s string) bool {
	if len(s) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notLabel) {
			return false
		}
		last = label
	}
	return last != "" && last[0] >= 'a' && last[0] <= 'z'
}

func notLabel(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

func (t *target) readPort(c *Client) string {
	s := t.url.Port()
	if s == "" {
		if strings.HasSuffix(t.url.Host, ":") {
			return "the port is empty"
		}
		t.port = 443
		if t.url.Scheme == "http" {
			t.port = 80
		}
		return ""
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || s[0] == '0' {
		return "the port is not a number"
	}
	if t.port = uint16(n); !c.judge.loopback && !c.allowsPort(t.port) {
		return "the port is not one of those allowed"
	}
	return ""
}

func (c *Client) allowsPort(port uint16) bool { return slices.Contains(c.ports, port) }

func (t *target) judgeScheme(c *Client) string {
	switch {
	case t.url.Scheme == "https":
		return ""
	case t.url.Scheme == "http" && c.judge.loopback && (isLocalhost(t.name) || t.addr.Unmap().IsLoopback()):
		return ""
	}
	return "the scheme is not https"
}

// hostHeader spells the host in the one way that was judged.
func hostHeader(u *url.URL, t *target) string {
	host := t.host()
	if u.Port() == "" {
		host = host[:strings.LastIndexByte(host, ':')]
	}
	return host
}
