package outbound_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"sallyport/internal/outbound"
)

func TestEG05G20Addresses(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	for kind, list := range map[string][]string{
		"loopback":     {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"},
		"private":      {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff:ffff::1", "::ffff:10.0.0.1"},
		"CGNAT":        {"100.64.0.1", "100.127.255.254"},
		"link-local":   {"169.254.1.1", "fe80::1", "febf::1", "fec0::1"},
		"multicast":    {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		"unspecified":  {"0.0.0.0", "0.1.2.3", "::"},
		"broadcast":    {"255.255.255.255", "240.0.0.1"},
		"documents":    {"192.0.2.1", "198.51.100.7", "203.0.113.9", "2001:db8::1", "3fff::1"},
		"benchmarks":   {"198.18.0.1", "198.19.255.255", "2001:2::1"},
		"6to4":         {"2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1", "192.88.99.1"},
		"Teredo":       {"2001:0:4136:e378:8000:63bf:3fff:fdd2"},
		"NAT64":        {"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::6440:1"},
		"NAT64, local": {"64:ff9b:1::1", "64:ff9b:1:ffff::808:808"},
		"ISATAP":       {"2a00:1450::5efe:a00:1", "2a00:1450::200:5efe:7f00:1"},
		"compatible":   {"::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1"},
		"other ranges": {"100::1", "5f00::1", "4000::1", "8000::1", "192.0.0.8", "2001:10::1", "2001:20::1", "192.175.48.1"},
		"metadata":     {"169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"},
	} {
		for _, a := range list {
			c, d, _ := far(s, addrs(a))
			_, err := c.Get(t.Context(), "https://example.com/keys")
			wantReason(t, err, outbound.ReasonAddress)
			if at := d.dialled(); len(at) != 0 {
				t.Errorf("%s: %s was dialled: %v", kind, a, at)
			}
			// One bad address among good ones refuses the name.
			c, d, _ = far(s, addrs("93.184.215.14", a, "2606:2800:21f:cb07::1"))
			if _, err = c.Get(t.Context(), "https://example.com/keys"); outbound.ReasonOf(err) != outbound.ReasonAddress || len(d.dialled()) != 0 {
				t.Errorf("%s: %s beside a public address: %v, dialled %v", kind, a, err, d.dialled())
			}
		}
	}
	for _, a := range []string{
		"93.184.215.14", "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.0", "198.17.255.255", "198.20.0.1",
		"169.253.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2400:cb00::1", "64:ff9b::808:808",
	} {
		c, d, n := far(s, addrs(a))
		if _, err := c.Get(t.Context(), "https://example.com/keys"); err != nil {
			t.Errorf("public address %s: %v", a, err)
		}
		want := []string{netip.AddrPortFrom(netip.MustParseAddr(a), 443).String()}
		if got := d.dialled(); !slices.Equal(got, want) || n.asked != 1 {
			t.Errorf("dialled %v after %d questions, want %v after one", got, n.asked, want)
		}
	}
}

func TestEG05Rebinding(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	c, d, n := far(s, addrs("93.184.215.14"), addrs("127.0.0.1"), addrs("93.184.215.14"))
	if _, err := c.Get(t.Context(), "https://example.com/keys"); err != nil {
		t.Fatal(err)
	}
	if got := d.dialled(); !slices.Equal(got, []string{"93.184.215.14:443"}) || n.asked != 1 {
		t.Fatalf("dialled %v after %d questions: what is dialled must be what was judged", got, n.asked)
	}
	// The connection is not kept: the second request is judged by itself.
	_, err := c.Get(t.Context(), "https://example.com/keys")
	wantReason(t, err, outbound.ReasonAddress)
	if got := d.dialled(); len(got) != 1 {
		t.Errorf("dialled %v", got)
	}
	if _, err := c.Get(t.Context(), "https://example.com/keys"); err != nil {
		t.Error(err)
	}
}

// The dialer judges what the system is about to connect to, whatever was
// judged before: here the resolver's word is not looked at.
func TestEG05TheDialerJudgesAgain(t *testing.T) {
	t.Parallel()
	port, count := trap(t, "tcp", "127.0.0.1:0")
	dial := outbound.NewDialer(outbound.Options{})
	if conn, err := dial(t.Context(), "tcp", "127.0.0.1:"+port); err == nil {
		_ = conn.Close()
		t.Error("connected to a loopback address")
	}
	time.Sleep(20 * time.Millisecond)
	if n := count.Load(); n != 0 {
		t.Errorf("%d connections arrived", n)
	}
	conn, err := outbound.NewDialer(outbound.Options{AllowLoopback: true})(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatalf("allowed: %v", err)
	}
	_ = conn.Close()
}

func TestAllowNetworksExcusesPrivateAddressesAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	for address, allowed := range map[string]bool{
		"10.1.2.3": true, "10.2.0.1": false, "100.64.7.7": true, "fd12::1": true, "192.168.1.1": false,
		"100.100.100.200": false, "fd00:ec2::254": false, "169.254.169.254": false, "127.0.0.1": false, "::1": false,
		"64:ff9b::a01:203": false, "0.0.0.0": false,
	} {
		n := &names{list: map[string][][]netip.Addr{"example.com.": {addrs(address)}}}
		c := outbound.NewClient(outbound.Options{RootCAs: rootsOf(s), Resolver: n, AllowNetworks: []netip.Prefix{
			netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fd00::/8"),
			netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::/0"),
		}})
		d := &door{to: s.Listener.Addr().String()}
		c.SetDial(d.dial)
		_, err := c.Get(t.Context(), "https://example.com/")
		if (err == nil) != allowed || (len(d.dialled()) == 1) != allowed {
			t.Errorf("%s: %v, dialled %v, want allowed: %v", address, err, d.dialled(), allowed)
		}
	}
}

func TestPortsThatMayBeAsked(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	for port, allowed := range map[int]bool{443: true, 8443: true, 22: false, 25: false, 80: false, 6379: false, 5432: false, 65535: false} {
		c, d, _ := far(s, addrs("93.184.215.14"))
		_, err := c.Get(t.Context(), "https://example.com:"+strconv.Itoa(port)+"/")
		if (err == nil) != allowed || (len(d.dialled()) == 1) != allowed {
			t.Errorf("port %d: %v, dialled %v, want allowed: %v", port, err, d.dialled(), allowed)
		}
	}
	// Allowing this machine opens its ports, not those of others.
	n := &names{list: map[string][][]netip.Addr{"example.com.": {addrs("93.184.215.14")}}}
	c := outbound.NewClient(outbound.Options{RootCAs: rootsOf(s), Resolver: n, AllowLoopback: true})
	d := &door{to: s.Listener.Addr().String()}
	c.SetDial(d.dial)
	_, err := c.Get(t.Context(), "https://example.com:6379/")
	wantReason(t, err, outbound.ReasonAddress)
	_, err = c.Get(t.Context(), "http://example.com/")
	wantReason(t, err, outbound.ReasonURL)
	if got := d.dialled(); len(got) != 0 {
		t.Errorf("dialled %v", got)
	}
}
