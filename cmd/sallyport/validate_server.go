package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"sallyport/internal/outbound"
)

// environment is what rules ask of the machine.
type environment struct{ now time.Time }

func checkIssuer(j *judge) {
	s := j.c.Issuer
	if s == "" {
		j.failf("issuer", "is missing")
		return
	}
	u, err := url.Parse(s)
	shown := outbound.Show(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		j.failf("issuer", "%s is not an address", shown)
	case u.Scheme != "https":
		j.failf("issuer", "%s does not begin with https://: passwords and tokens go there", shown)
	case u.User != nil:
		j.failf("issuer", "%s has a user in it", shown)
	case strings.ContainsAny(s, "?#"):
		j.failf("issuer", "%s has a query or a fragment", shown)
	case u.Path == "/":
		j.failf("issuer", "%s ends with a slash: write %s", shown, strings.TrimSuffix(s, "/"))
	case u.Path != "":
		j.failf("issuer", "%s has a path, which this version does not serve: use a host of its own", shown)
	case s != strings.ToLower(s) || s != u.String():
		j.failf("issuer", "%s is not written as browsers write it: use lower case and plain characters", shown)
	case strings.HasSuffix(u.Host, ":443") || strings.HasSuffix(u.Host, ":"):
		j.failf("issuer", "%s names the port that https has anyway: remove it", shown)
	}
}

// issuerHost is the host name of the issuer, without its port.
func (c *config) issuerHost() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func checkListeners(j *judge) {
	checkAddress(j, "listen", j.c.Listen)
	checkAddress(j, "metrics_listen", j.c.MetricsListen)
	if sameSocket(j.c.Listen, j.c.MetricsListen) {
		j.failf("metrics_listen", "%s is the same address as listen, which has %s", j.c.MetricsListen, j.c.Listen)
	}
	if host, _, err := net.SplitHostPort(j.c.MetricsListen); err == nil && !isLoopback(host) {
		j.warnf("metrics_listen", "%s can be reached from other machines, and answers everybody in plain HTTP", j.c.MetricsListen)
	}
}

func checkAddress(j *judge, path, s string) {
	_, port, err := net.SplitHostPort(s)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || strconv.FormatUint(n, 10) != port {
		j.failf(path, "%q is not host:port", s)
	}
}

// sameSocket reports whether of two listeners the second would find its port
// taken: a host that stands for all addresses holds the port of each.
func sameSocket(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	if hostA == hostB || takesAll(hostA, hostB) || takesAll(hostB, hostA) {
		return true
	}
	ipA, ipB := hostIP(hostA), hostIP(hostB)
	return ipA.IsValid() && ipA == ipB
}

// takesAll reports whether a listener at host holds the port of other too.
// 0.0.0.0 leaves the addresses of IPv6 alone.
func takesAll(host, other string) bool {
	ip, theirs := hostIP(host), hostIP(other)
	switch {
	case host == "":
		return true
	case !ip.IsValid() || !ip.IsUnspecified():
		return false
	}
	return ip.Is6() || !theirs.IsValid() || theirs.Is4()
}

// hostIP is the address of a host that is written as one, or is localhost.
func hostIP(host string) netip.Addr {
	if host == "localhost" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}) // which listeners prefer
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkStore(j *judge) {
	switch {
	case j.c.Store == "" && j.c.StoreFile == "":
		j.failf("store", "is missing")
		return
	case j.c.Store != "" && j.c.StoreFile != "":
		j.failf("store_file", "is set together with store: keep one")
		return
	}
	dsn, err := j.c.dsn()
	if err != nil {
		j.failf("store_file", "%v", err)
		return
	}
	path := "store"
	if j.c.StoreFile != "" {
		path = "store_file"
	}
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if file == "" || strings.ContainsAny(file, "?#") {
			j.failf(path, "sqlite: needs the name of a file and nothing else")
		}
		return
	}
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && u.Query().Get("host") == "" {
		j.failf(path, "is neither sqlite:FILE nor postgres://HOST/DATABASE")
		return
	}
	_, hasPassword := u.User.Password()
	if (hasPassword || u.Query().Has("password")) && j.c.StoreFile == "" {
		j.failf(path, "has a password in it, which ends up in copies of this file: move it to a file and set store_file")
	}
}

// maxSecretFile is the longest file with a key or secret, in bytes.
const maxSecretFile = 8 << 10

// readSecret returns the content of a small file, without white space around.
func readSecret(path string) (string, error) {
	info, err := os.Stat(path) //nolint:gosec // the operator names it
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return "", fmt.Errorf("%s is not a small file", path)
	}
	b, err := os.ReadFile(path) //nolint:gosec // as above
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return text, nil
}

// dsn is where the store is. A relative SQLite file starts at the folder of
// the configuration.
func (c *config) dsn() (string, error) {
	dsn := c.Store
	if c.StoreFile != "" {
		var err error
		if dsn, err = readSecret(c.file(c.StoreFile)); err != nil {
			return "", err
		}
	}
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok && file != "" {
		return "sqlite:" + c.file(file), nil
	}
	return dsn, nil
}

func checkMasterKey(j *judge) {
	if j.c.MasterKeyFile == "" {
		j.failf("master_key_file", "is missing")
		return
	}
	if _, err := j.c.master(); err != nil {
		j.failf("master_key_file", "%v", err)
	}
}

func checkPermissions(j *judge) {
	if runtime.GOOS == "windows" {
		return
	}
	private := []struct{ path, file string }{
		{"master_key_file", j.c.MasterKeyFile},
		{"store_file", j.c.StoreFile},
		{"shared_file", j.c.SharedFile},
		{"tls.key_file", j.c.TLS.KeyFile},
		{"mail.password_file", j.c.Mail.PasswordFile},
		{"leaks.webhook_secret_file", j.c.Leaks.WebhookSecretFile},
	}
	for i, c := range j.c.Clients {
		private = append(private, struct{ path, file string }{fmt.Sprintf("clients[%d].secret_file", i), c.SecretFile})
	}
	for i := range j.c.APIs {
		private = append(private, struct{ path, file string }{fmt.Sprintf("apis[%d].upstream_tls.key_file", i), j.c.APIs[i].UpstreamTLS.KeyFile})
	}
	for i, p := range j.c.Providers {
		private = append(private, []struct{ path, file string }{
			{fmt.Sprintf("providers[%d].client_secret_file", i), p.ClientSecretFile}, {fmt.Sprintf("providers[%d].private_key_file", i), p.PrivateKeyFile},
		}...)
	}
	for _, p := range private {
		info, err := os.Stat(j.c.file(p.file))
		if p.file == "" || err != nil {
			continue // the rule that reads it says so
		}
		switch mode := info.Mode().Perm(); {
		case mode&0o027 != 0:
			j.failf(p.path, "%s has mode %04o, so others can use it: chmod 600 %s", p.file, mode, j.c.file(p.file))
		case mode&0o040 != 0:
			j.warnf(p.path, "%s has mode %04o, so its group can read it", p.file, mode)
		}
	}
}

func checkTLS(j *judge) {
	t, hasFiles := j.c.TLS, j.c.TLS.CertFile != "" || j.c.TLS.KeyFile != ""
	switch {
	case t.ACME.on() && (hasFiles || t.SelfSigned):
		j.failf("tls.acme", "is set together with another certificate: keep one")
	case t.ACME.on():
	case !hasFiles && !t.SelfSigned:
		j.failf("tls", "is missing")
	case hasFiles && t.SelfSigned:
		j.failf("tls.self_signed", "is set together with a certificate: keep one")
	case t.SelfSigned:
		if host := j.c.issuerHost(); host != "" && !isLoopback(host) {
			j.failf("tls.self_signed", "nobody can trust it for %s: it is for an issuer on this machine", j.c.issuerHost())
		}
	case t.CertFile == "":
		j.failf("tls.cert_file", "is missing beside key_file")
	case t.KeyFile == "":
		j.failf("tls.key_file", "is missing beside cert_file")
	default:
		checkPair(j)
	}
}

func checkPair(j *judge) {
	pair, err := tls.LoadX509KeyPair(j.c.file(j.c.TLS.CertFile), j.c.file(j.c.TLS.KeyFile))
	if err != nil {
		j.failf("tls.cert_file", "%v", err)
		return
	}
	leaf := pair.Leaf
	if leaf == nil {
		j.failf("tls.cert_file", "has no certificate")
		return
	}
	switch until := leaf.NotAfter.UTC().Format(time.DateOnly); {
	case j.env.now.After(leaf.NotAfter):
		j.failf("tls.cert_file", "expired on %s", until)
	case j.env.now.Before(leaf.NotBefore):
		j.failf("tls.cert_file", "is valid from %s on", leaf.NotBefore.UTC().Format(time.DateOnly))
	case j.env.now.Add(14 * 24 * time.Hour).After(leaf.NotAfter):
		j.warnf("tls.cert_file", "expires on %s", until)
	}
	var wrongHost x509.HostnameError
	if host := j.c.issuerHost(); host != "" && errors.As(leaf.VerifyHostname(host), &wrongHost) {
		j.failf("tls.cert_file", "is not for %s, the host of the issuer", host)
	}
}
