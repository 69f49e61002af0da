package web

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"time"
)

type mutualKey struct{}

// MutualTLS is the handler that New has made, for the listener that asks for
// client certificates (RFC 8705 §5). It serves what clients call, the protocol
// endpoints and the APIs, under the address of Options.MutualTLS; no page, so
// that no browser has a reason to come and be asked.
func MutualTLS(public http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		public.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), mutualKey{}, true)))
	})
}

// isMutual reports whether the request came by that listener.
func isMutual(r *http.Request) bool { return r.Context().Value(mutualKey{}) != nil }

// clientCertificate is the certificate whose key the peer has proven in the
// handshake of this connection, if it is valid now. It comes from nowhere else:
// a header that a proxy would set is a header that anybody can send. Who signed
// it does not matter, because tokens are bound to its digest (RFC 8705 §3).
func clientCertificate(r *http.Request, now time.Time) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	leaf := r.TLS.PeerCertificates[0]
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return nil
	}
	return leaf
}

// intermediates are the certificates that came beside it. They are worth what
// they sign.
func intermediates(r *http.Request) []*x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) < 2 {
		return nil
	}
	return r.TLS.PeerCertificates[1:]
}

// setMutual derives what follows from the address of that listener: the hosts
// that are served there are its own, and those of the APIs at its port.
func (s *site) setMutual(address string, audiences []string) error {
	s.mutualHosts, s.mutualAPIHosts = map[string]bool{}, map[string]bool{}
	if address == "" {
		return nil
	}
	u, err := parseBase(address)
	if err != nil {
		return err
	}
	s.mutualOrigin = u.Scheme + "://" + u.Host
	for _, name := range hostNames(u) {
		addHost(s.mutualHosts, name, u)
	}
	for _, audience := range audiences {
		if a, err := url.Parse(audience); err == nil && a.Host != "" {
			addHost(s.mutualAPIHosts, strings.ToLower(a.Hostname()), u)
		}
	}
	return nil
}

// servesHost reports whether the Host header of a request is the issuer's, and
// servesAPIHost whether it may be an API's, on the listener it came by.
func (s *site) servesHost(r *http.Request) bool {
	hosts := s.hosts
	if isMutual(r) {
		hosts = s.mutualHosts
	}
	return hosts[strings.ToLower(r.Host)]
}

func (s *site) servesAPIHost(r *http.Request) bool {
	hosts := s.apiHosts
	if isMutual(r) {
		hosts = s.mutualAPIHosts
	}
	return s.servesHost(r) || hosts[strings.ToLower(r.Host)]
}

// address is the URL of a protocol endpoint as its clients call it. The path is
// one of the table; the rest is configuration.
func (s *site) address(r *http.Request) string {
	if isMutual(r) {
		return s.mutualOrigin + r.URL.EscapedPath()
	}
	return s.origin + r.URL.EscapedPath()
}
