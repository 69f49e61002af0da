package shared

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"sallyport/internal/secret"
)

// Address is where the servers are: redis://HOST:PORT/DB or rediss:// with TLS.
// More nodes of a cluster, from which the rest is learnt, are further addr
// parameters: rediss://a:6379?addr=b:6379&addr=c:6379.
type Address struct {
	Hosts    []string // host:port
	TLS      bool
	User     string
	Password secret.Value
	Database int // 0 in a cluster
}

// maxHosts is far above what finding a cluster takes.
const maxHosts = 32

// The faults of an address. They say nothing of what it holds: it may have a
// password.
var (
	errNotRedis   = errors.New("is not redis://HOST:PORT or rediss://HOST:PORT")
	errHost       = errors.New("names a host that is not HOST or HOST:PORT")
	errDatabase   = errors.New("has a path that is not the number of a database, 0 to 15")
	errParameters = errors.New("has parameters other than addr=HOST:PORT")
)

// ParseAddress reads s strictly: what it does not know it refuses.
func ParseAddress(s string) (Address, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Opaque != "" || u.Fragment != "" {
		return Address{}, errNotRedis // url's own error quotes the password
	}
	a := Address{TLS: u.Scheme == "rediss", User: u.User.Username()}
	if password, ok := u.User.Password(); ok {
		a.Password = secret.New(password)
	}
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(parameters) > 1 || len(parameters) == 1 && parameters["addr"] == nil || len(parameters["addr"]) >= maxHosts {
		return Address{}, errParameters
	}
	for _, host := range append([]string{u.Host}, parameters["addr"]...) {
		address, ok := withPort(host)
		if !ok {
			return Address{}, errHost
		}
		a.Hosts = append(a.Hosts, address)
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		n, err := strconv.ParseUint(db, 10, 8)
		if err != nil || n > 15 || strconv.FormatUint(n, 10) != db {
			return Address{}, errDatabase
		}
		a.Database = int(n)
	}
	return a, nil
}

// withPort adds the usual port to a host that names none.
func withPort(host string) (string, bool) {
	u, err := url.Parse("redis://" + host) // which refuses odd hosts and ports
	if err != nil || u.Host != host || u.Hostname() == "" || strings.HasSuffix(host, ":") || strings.Contains(host, ",") {
		return "", false
	}
	port := cmp.Or(u.Port(), "6379")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false
	}
	return net.JoinHostPort(u.Hostname(), port), true
}

// Local reports whether all servers are on this machine.
func (a Address) Local() bool {
	for _, h := range a.Hosts {
		host, _, err := net.SplitHostPort(h)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
