package account_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sallyport/internal/account"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	p, err := account.ReadPlaces(strings.NewReader("192.0.2.0/25,Berlin\n198.51.100.7/32,\"Oslo, NO\"\n192.0.2.128,192.0.2.200,Wien\n" +
		"2001:db8::/32,القاهرة\n2001:db9::,2001:db9::ff,Berlin\n0.0.0.0/8,Zero\n255.255.255.255/32,Last\n"))
	if err != nil || p.Len() != 7 {
		t.Fatal(err, p)
	}
	for addr, want := range map[string]string{
		"192.0.2.0": "Berlin", "192.0.2.127": "Berlin", "192.0.2.128": "Wien", "192.0.2.200": "Wien", "192.0.2.201": "", "192.0.1.255": "",
		"198.51.100.7": "Oslo, NO", "198.51.100.8": "", "198.51.100.6": "", "::ffff:192.0.2.1": "Berlin", "0.0.0.0": "Zero", "255.255.255.255": "Last",
		"2001:db8::1": "القاهرة", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": "القاهرة", "2001:db9::ff": "Berlin", "2001:db9::100": "", "::1": "",
	} {
		if got := p.Find(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Find(%s) = %q, want %q", addr, got, want)
		}
	}
	if got := p.Find(netip.Addr{}) + (*account.Places)(nil).Find(start0) + (&account.Places{}).Find(start0); got != "" {
		t.Errorf("nowhere is %q", got)
	}
}

func TestPlacesRefuseWhatTheyDoNotUnderstand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ table, want string }{
		"a header":            {"network,place\n", "line 1"},
		"host bits":           {"192.0.2.0/24,ok\n192.0.2.1/24,A\n", "line 2"},
		"one column":          {"192.0.2.0/24\n", "line 1"},
		"four columns":        {"192.0.2.0,192.0.2.1,A,B\n", "line 1"},
		"no place":            {"192.0.2.0/24,\n", "line 1"},
		"a long place":        {"192.0.2.0/24," + strings.Repeat("x", 101), "line 1"},
		"LG04 a control":      {"192.0.2.0/24,\"A\nB\"\n", "line 1"},
		"LG04 turned letters": {"192.0.2.0/24,A\u202e\n", "line 1"},
		"not UTF-8":           {"192.0.2.0/24,\xff\n", "line 1"},
		"backwards":           {"192.0.2.9,192.0.2.1,A\n", "line 1"},
		"two kinds":           {"192.0.2.9,2001:db8::1,A\n", "line 1"},
		"a zone":              {"fe80::1%eth0,fe80::2%eth0,A\n", "line 1"},
		"overlap":             {"192.0.2.0/24,A\n192.0.2.128/25,B\n", "192.0.2.128"},
		"overlap of IPv6":     {"2001:db8::/32,A\n2001:db8:1::/48,B\n", "2001:db8:1::"},
		"twice":               {"192.0.2.0/24,A\n192.0.2.0/24,A\n", "192.0.2.0"},
		"a stray quote":       {"192.0.2.0/24,A\"B\n", "line 1"},
	} {
		if p, err := account.ReadPlaces(strings.NewReader(c.table)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error with %q", name, p, err, c.want)
		}
	}
}

func FuzzReadPlaces(f *testing.F) {
	f.Add("192.0.2.0/25,Berlin\n2001:db9::,2001:db9::ff,X\n", "192.0.2.3")
	f.Add("::/0,A", "::1")
	f.Add("0.0.0.0/0,A", "1.2.3.4")
	f.Add("::ffff:0.0.0.0/96,A", "1.2.3.4")
	f.Fuzz(func(t *testing.T, table, addr string) {
		p, err := account.ReadPlaces(strings.NewReader(table))
		if err != nil {
			return
		}
		a, err := netip.ParseAddr(addr)
		if err != nil {
			return
		}
		if got := p.Find(a); got != "" && !strings.Contains(table, strings.ReplaceAll(got, `"`, `""`)) {
			t.Errorf("Find(%s) = %q of %q", a, got, table)
		}
	})
}

func BenchmarkFindPlace(b *testing.B) {
	var table strings.Builder
	for i := range 300_000 {
		fmt.Fprintf(&table, "%d.%d.%d.0/24,Place %d\n", 1+i>>16, i>>8&255, i&255, i%250)
	}
	p, err := account.ReadPlaces(strings.NewReader(table.String()))
	if err != nil {
		b.Fatal(err)
	}
	a := netip.MustParseAddr("3.77.12.9")
	for b.Loop() {
		p.Find(a)
	}
}
