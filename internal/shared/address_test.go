package shared_test

import (
	"slices"
	"strings"
	"testing"

	"sallyport/internal/shared"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct {
		hosts    string
		tls      bool
		database int
		user     string
		password string
		local    bool
	}{
		"redis://127.0.0.1":                               {hosts: "127.0.0.1:6379", local: true},
		"redis://localhost:7000/3":                        {hosts: "localhost:7000", database: 3, local: true},
		"rediss://cache.example.com":                      {hosts: "cache.example.com:6379", tls: true},
		"rediss://app:p%40ss@cache.example.com:6380/0":    {hosts: "cache.example.com:6380", tls: true, user: "app", password: "p@ss"},
		"redis://:pw@[::1]:6379":                          {hosts: "[::1]:6379", password: "pw", local: true},
		"rediss://a:1?addr=b:2&addr=c":                    {hosts: "a:1 b:2 c:6379", tls: true},
		"redis://127.0.0.1:7000?addr=cache.example.com:1": {hosts: "127.0.0.1:7000 cache.example.com:1"},
	} {
		a, err := shared.ParseAddress(address)
		if err != nil || !slices.Equal(a.Hosts, strings.Fields(want.hosts)) || a.TLS != want.tls || a.Database != want.database ||
			a.User != want.user || a.Password.Reveal() != want.password || a.Local() != want.local {
			t.Errorf("ParseAddress(%s) = %+v, %v; want %+v", address, a, err, want)
		}
	}
}

func TestAddressesRefused(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "redis:", "redis://", "redis://:6379", "127.0.0.1:6379", "http://a", "postgres://a", "unix:///x", "redis://a:0", "redis://a:70000", "redis://a:x",
		"redis://a:", "redis://a,b", "redis://a/16", "redis://a/x", "redis://a/-1", "redis://a/01", "redis://a/1/2", "redis://a?db=1", "redis://a?addr=", "redis://a?addr=b:x",
		"redis://a?addr=b&skip_verify=true", "redis://a#x", "redis://u:hunter2%zz@a", "redis://u:hunter2@", "redis://u:hunter2@a:x", "redis://a?addr=u:hunter2@b:1",
		"redis://a?" + strings.Repeat("addr=b&", 40),
	} {
		if a, err := shared.ParseAddress(address); err == nil {
			t.Errorf("ParseAddress(%q) = %+v", address, a)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("rediss://u:p@a:1/2?addr=b:3")
	f.Add("redis://[::1%25eth0]:6379")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := shared.ParseAddress(s)
		if err == nil && (len(a.Hosts) == 0 || a.Database < 0 || a.Database > 15) {
			t.Errorf("ParseAddress(%q) = %+v", s, a)
		}
	})
}
