package certificates

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"sallyport/internal/outbound"
	"sallyport/internal/token"
)

// Options configure a Manager. Hosts, Directory, Store, Ring and Now are needed.
type Options struct {
	Hosts     []string       // names that it may have certificates for, lower case
	Directory string         // of the authority: an https address
	Roots     *x509.CertPool // that vouch for the directory; nil: those of the system
	Email     string         // of whom the authority may write to; may be empty
	Store     Store
	Ring      *token.Ring
	Now       func() time.Time
	Agent     string // of our requests
}

// Manager has the certificates. Safe for concurrent use.
type Manager struct {
	hosts []string
	now   func() time.Time
	acme  *autocert.Manager
}

// New returns a Manager. Whoever makes one has accepted the terms of the authority.
func New(o Options) *Manager {
	client := &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: outbound.CipherSuites, RootCAs: o.Roots},
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Manager{hosts: o.Hosts, now: o.Now, acme: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: cache{o.Store, o.Ring}, HostPolicy: autocert.HostWhitelist(o.Hosts...), Email: o.Email,
		Client: &acme.Client{DirectoryURL: o.Directory, HTTPClient: client, UserAgent: o.Agent},
	}}
}

// Protocol is what the authority asks for in a handshake that is a challenge (RFC 8737):
// it must be among the protocols of the listener.
const Protocol = acme.ALPNProto

// Get is a tls.Config.GetCertificate. A client that names no host gets the certificate
// of the first.
func (m *Manager) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "" && !slices.Contains(hello.SupportedProtos, Protocol) {
		named := *hello
		named.ServerName = m.hosts[0]
		hello = &named
	}
	return m.acme.GetCertificate(hello)
}

// Challenges answers those of the kind http-01 on port 80, and everything else with 404:
// an API is never redirected from plain HTTP, because its token has been read by then.
func (m *Manager) Challenges() http.Handler {
	answer := m.acme.HTTPHandler(http.NotFoundHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host // an authority of one's own may ask at another port
		}
		answer.ServeHTTP(w, r)
	})
}

// State is how a host stands.
type State struct {
	Host             string
	NotBefore, Until time.Time // zero: there is no certificate
	Err              error     // why there is none
}

// Late reports whether a certificate should have been renewed by now: an authority has
// been asked since a third of its life was left.
func (s *State) Late(now time.Time) bool {
	return s.Until.IsZero() || s.Until.Sub(now) < s.Until.Sub(s.NotBefore)/5
}

// modern is a client that any certificate will do for.
func modern(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{
		ServerName: host, SupportedVersions: []uint16{tls.VersionTLS13}, SupportedPoints: []uint8{0},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256},
		CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256},
	}
}

// States gets the certificates that are not there yet, and says how each host stands. It
// waits for the authority as long as that takes, some minutes at most.
func (m *Manager) States() []State {
	states := make([]State, 0, len(m.hosts))
	for _, host := range m.hosts {
		s := State{Host: host}
		cert, err := m.acme.GetCertificate(modern(host))
		if err != nil {
			s.Err = err
		} else if leaf := cert.Leaf; leaf != nil {
			s.NotBefore, s.Until = leaf.NotBefore, leaf.NotAfter
		}
		states = append(states, s)
	}
	return states
}

const (
	lookEvery  = time.Hour
	retryAfter = time.Minute
)

// Run looks after the certificates until ctx ends, and reports each time how they stand.
func (m *Manager) Run(ctx context.Context, report func([]State)) {
	for {
		states := m.States()
		report(states)
		wait := lookEvery
		for i := range states {
			if states[i].Err != nil {
				wait = retryAfter
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Usable reports whether a host can have a certificate of an authority: a name with a dot,
// in lower case, no wildcard, no address.
func Usable(host string) bool {
	return strings.Contains(host, ".") && host == strings.ToLower(host) && !strings.HasPrefix(host, ".") && !strings.HasSuffix(host, ".") &&
		strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && strings.Trim(host, "0123456789.") != ""
}
