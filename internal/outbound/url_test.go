package outbound_test

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/outbound"
)

// spellings of this machine, of a metadata service, and of URLs that two
// readers take for two hosts. PORT is where somebody listens.
var spellings = []string{
	"https://127.0.0.1:PORT/", "https://127.0.0.2:PORT/", "https://2130706433:PORT/", "https://0177.0.0.1:PORT/", "https://017700000001:PORT/",
	"https://0x7f.0.0.1:PORT/", "https://0x7f000001:PORT/", "https://127.1:PORT/", "https://127.0.1:PORT/", "https://0:PORT/", "https://0.0.0.0:PORT/",
	"https://[::1]:PORT/", "https://[::]:PORT/", "https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://[0:0:0:0:0:ffff:7f00:0001]:PORT/",
	"https://[::127.0.0.1]:PORT/", "https://[64:ff9b::7f00:1]:PORT/", "https://[64:ff9b::127.0.0.1]:PORT/", "https://[64:ff9b:1::7f00:1]:PORT/", "https://[2002:7f00:1::]:PORT/",
	"https://[fe80::1%25lo]:PORT/", "https://[fe80::1%lo]:PORT/", "https://[127.0.0.1]:PORT/", "https://::1:PORT/", "https://127.0.0.1.:PORT/", "https://127.000.000.001:PORT/",
	"https://localhost:PORT/", "https://LOCALHOST:PORT/", "https://localhost.:PORT/", "https://a.localhost:PORT/", "https://127.0.0.1%00.example.com:PORT/",
	"https://127。0。0。1:PORT/", "https://127．0．0．1:PORT/", "https://１２７.0.0.1:PORT/", "https://ⓛocalhost:PORT/", "https://loc%61lhost:PORT/", "https://%31%32%37.0.0.1:PORT/",
	"https://example.com@127.0.0.1:PORT/", "https://example.com:443@127.0.0.1:PORT/", "https://@127.0.0.1:PORT/", "https://:@example.com/", "https://example.com%40127.0.0.1:PORT/",
	`https://example.com\@127.0.0.1:PORT/`, `https://127.0.0.1:PORT\@example.com/`, `https:\\127.0.0.1:PORT\`, "https://example.com#@127.0.0.1:PORT/", "https://127.0.0.1:PORT#example.com",
	"https:127.0.0.1:PORT", "https:/127.0.0.1:PORT/", "https:///127.0.0.1:PORT/", "//127.0.0.1:PORT/", "127.0.0.1:PORT", "/keys", "",
	"http://127.0.0.1:PORT/", "http://example.com/", "ftp://127.0.0.1:PORT/", "file:///etc/passwd", "gopher://127.0.0.1:PORT/_x", "unix:///var/run/x.sock", "data:application/json,{}",
	"jar:https://example.com/!/", "javascript:alert(1)", "https+unix://x/", "HTTPS://127.0.0.1:PORT/", " https://127.0.0.1:PORT/", "https://127.0.0.1:PORT/\r\nX-Injected: 1", "https://127.0.0.1:PORT/\x00",
	"https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://100.100.100.200/", "https://168.63.129.16/", "https://2852039166/", "https://0xA9FEA9FE/",
	"https://example.com:0/", "https://example.com:/", "https://example.com:00443/", "https://example.com:443443/", "https://example.com:-1/", "https://example.com:443:443/", "https://example.com:%34%34%33/",
	"https://example..com/", "https://.example.com/", "https://example.com./", "https://-example.com/", "https://example.com-/", "https://exa mple.com/", "https://ex*mple.com/", "https://kubernetes/", "https://example.com|127.0.0.1/",
	"https://example.com/ä", "https://example.com/ x", "https://example.com/<x>", "https://example.com/?q=`x`", "https://bücher.example.com/",
	"https://example.1/", "https://1.2.3.4.5/", "https://08.8.8.8/", "https://" + strings.Repeat("a.", 127) + "com/", "https://" + strings.Repeat("a", 64) + ".com/", "https://example.com/" + strings.Repeat("a", 2048),
	"https://inside.example:PORT/", "https://mixed.example:PORT/", "https://mapped.example:PORT/", "https://none.example:PORT/",
}

func TestEG05AP04NoSpellingLeadsInside(t *testing.T) {
	t.Parallel()
	port, count := trap(t, "tcp", "localhost:0")
	n := &names{list: map[string][][]netip.Addr{
		"inside.example.": {addrs("127.0.0.1")}, "mixed.example.": {addrs("93.184.215.14", "::1")}, "mapped.example.": {addrs("::ffff:127.0.0.1")},
		"localhost": {addrs("127.0.0.1")}, "localhost.": {addrs("127.0.0.1")}, "a.localhost.": {addrs("127.0.0.1")}, "kubernetes": {addrs("10.96.0.1")},
	}}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	c := outbound.NewClient(outbound.Options{Ports: []uint16{443, uint16(number)}, Resolver: n})
	for _, s := range spellings {
		raw := strings.ReplaceAll(s, "PORT", port)
		_, err := c.Get(t.Context(), raw)
		wantReason(t, err, outbound.ReasonURL, outbound.ReasonAddress, outbound.ReasonResolve)
		err = c.PostJSON(t.Context(), raw, nil, []byte(`{}`))
		wantReason(t, err, outbound.ReasonURL, outbound.ReasonAddress, outbound.ReasonResolve)
		if err := c.Check(raw); err == nil && !strings.Contains(s, ".example:") { // those four are refused when they are resolved
			t.Errorf("Check(%q) is nil", raw)
		}
	}
	time.Sleep(50 * time.Millisecond)
	if n := count.Load(); n != 0 {
		t.Errorf("%d connections arrived", n)
	}
}

func TestURLsThatMayBeAsked(t *testing.T) {
	t.Parallel()
	c := outbound.NewClient(outbound.Options{})
	for _, raw := range []string{
		"https://example.com/keys", "https://example.com", "https://example.com:443/keys?tenant=a", "https://EXAMPLE.com/", "HTTPS://example.com/",
		"https://a_b.example.com/", "https://xn--bcher-kva.example/keys", "https://1password.example/", "https://8.8.8.8/", "https://[2606:4700::1111]:8443/", "https://example.com/a%20b?c=%23",
	} {
		if err := c.Check(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// With AllowLoopback this machine may be asked, also by http; nobody else.
func TestAllowLoopback(t *testing.T) {
	t.Parallel()
	c := outbound.NewClient(outbound.Options{AllowLoopback: true})
	for raw, allowed := range map[string]bool{
		"http://127.0.0.1:8080/": true, "http://localhost:3000/": true, "https://localhost/": true, "http://[::1]:80/": true, "https://127.0.0.1:1/": true,
		"http://example.com/": false, "http://8.8.8.8/": false, "http://10.0.0.1/": false, "https://10.0.0.1/": false, "https://169.254.169.254/": false,
		"https://2130706433/": false, "http://localhost.example.com/": false, "https://0.0.0.0/": false, "http://user@localhost/": false,
	} {
		if err := c.Check(raw); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed: %v", raw, err, allowed)
		}
	}
	// localhost that leads away is not this machine.
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, `{}`) })
	n := &names{list: map[string][][]netip.Addr{"localhost": {addrs("93.184.215.14")}}}
	c = outbound.NewClient(outbound.Options{AllowLoopback: true, Resolver: n})
	d := &door{to: s.Listener.Addr().String()}
	c.SetDial(d.dial)
	for _, raw := range []string{"http://localhost/", "http://localhost:443/"} {
		_, err := c.Get(t.Context(), raw)
		wantReason(t, err, outbound.ReasonAddress)
	}
	if len(d.dialled()) != 0 {
		t.Errorf("dialled %v", d.dialled())
	}
}

// Whatever passes is a URL that every reader reads alike, and no address in it
// is one that the standard library would call local.
func FuzzCheck(f *testing.F) {
	for _, s := range spellings {
		f.Add(strings.ReplaceAll(s, "PORT", "443"))
	}
	f.Add("https://example.com:8443/keys?a=b")
	f.Add("https://[2606:4700::1111]/")
	c := outbound.NewClient(outbound.Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		if c.Check(raw) != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Opaque != "" || strings.ContainsAny(raw, "\\#@ \t\r\n") && strings.ContainsAny(u.Host, "\\#@ \t\r\n") {
			t.Fatalf("passed: %q", raw)
		}
		if p := u.Port(); p != "" && p != "443" && p != "8443" {
			t.Fatalf("port %q passed: %q", p, raw)
		}
		// The naive reader: what stands between the slashes is the host.
		naive, _, _ := strings.Cut(raw[len("https://"):], "/")
		naive, _, _ = strings.Cut(naive, "?")
		if naive != u.Host {
			t.Fatalf("two readers, two hosts: %q and %q", naive, u.Host)
		}
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if a, err := netip.ParseAddr(host); err == nil {
			if a = a.Unmap(); a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || a.Zone() != "" {
				t.Fatalf("%s passed", a)
			}
			return
		}
		if last := host[strings.LastIndexByte(host, '.')+1:]; host == "localhost" || last == "localhost" || !strings.Contains(host, ".") || last[0] < 'a' || last[0] > 'z' {
			t.Fatalf("%q passed", host)
		}
	})
}
