package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// asksCertificates reports whether a listener asks for client certificates.
func (s *Service) asksCertificates() bool { return s.mutualTLS != "" }

func (s *Service) knowsCAs() bool { return s.asksCertificates() && s.clientCAs != nil }

// provesByCertificate reports whether the client is proven by the connection.
func (c *Client) provesByCertificate() bool {
	return c.Settings.AuthMethod == methodTLS || c.Settings.AuthMethod == methodSelfSigned
}

const (
	errNoCertificate refusal = "certificate_missing"
	errChain         refusal = "certificate_chain"
	errCertificate   refusal = "certificate_other"
)

// proveCertificate checks a certificate of a PKI (RFC 8705 §2.1): its chain ends
// at an authority of the configuration, and the one name that the client is
// registered with is in it, character by character.
func (s *Service) proveCertificate(_ context.Context, c *Client, r *Request, _ *presented) error {
	if r.Certificate == nil {
		return errNoCertificate
	}
	if s.clientCAs == nil {
		return errChain
	}
	between := x509.NewCertPool()
	for _, cert := range r.Intermediates {
		between.AddCert(cert)
	}
	if _, err := r.Certificate.Verify(x509.VerifyOptions{
		Roots: s.clientCAs, Intermediates: between, CurrentTime: s.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}); err != nil {
		return fmt.Errorf("%w: %w", errChain, err)
	}
	name, problem := c.Settings.tlsName()
	if problem != "" || !name.in(r.Certificate) {
		return errCertificate
	}
	return nil
}

// tlsName is the name of a certificate that a client is registered with.
type tlsName struct {
	setting string
	value   string
	tag     int // of GeneralName (RFC 5280 §4.2.1.6); tagSubject for the subject
}

const (
	tagEmail   = 1
	tagDNS     = 2
	tagURI     = 6
	tagIP      = 7
	tagSubject = -1
)

func (r *Settings) tlsNames() []tlsName {
	all := []tlsName{
		{"tls_client_auth_subject_dn", r.TLSSubject, tagSubject},
		{"tls_client_auth_san_dns", r.TLSDNS, tagDNS},
		{"tls_client_auth_san_uri", r.TLSURI, tagURI},
		{"tls_client_auth_san_ip", r.TLSIP, tagIP},
		{"tls_client_auth_san_email", r.TLSEmail, tagEmail},
	}
	return slices.DeleteFunc(all, func(n tlsName) bool { return n.value == "" })
}

// tlsName returns the one name of the settings, or why there is none (RFC 8705
// §2.1.2: exactly one).
func (r *Settings) tlsName() (tlsName, string) {
	names := r.tlsNames()
	switch len(names) {
	case 0:
		return tlsName{}, "is missing, or another of the five names of a certificate: one is needed with " + methodTLS
	case 1:
		return names[0], names[0].problem()
	}
	return names[1], "is set together with " + names[0].setting + ": a certificate is known by one name"
}

// problem says why no certificate could have the name.
func (n tlsName) problem() string {
	switch n.tag {
	case tagSubject:
		if _, err := parseDN(n.value); err != nil {
			return err.Error()
		}
	case tagIP:
		if a, err := netip.ParseAddr(n.value); err != nil || a.Zone() != "" || a.Is4In6() {
			return "is not an IP address"
		}
	case tagDNS:
		if strings.ContainsAny(n.value, "* /:@") || n.value != strings.ToLower(n.value) || strings.HasPrefix(n.value, ".") {
			return "is not a DNS name in lower case; wildcards stand for nobody"
		}
	case tagEmail:
		if user, host, ok := strings.Cut(n.value, "@"); !ok || user == "" || host == "" || strings.ContainsAny(n.value, "* ") {
			return "is not an e-mail address"
		}
	case tagURI:
		if scheme, _, ok := strings.Cut(n.value, ":"); !ok || scheme == "" || strings.ContainsAny(n.value, "* ") {
			return "is not a URI"
		}
	}
	return ""
}

// in reports whether cert has the name.
func (n tlsName) in(cert *x509.Certificate) bool {
	if n.tag == tagSubject {
		return subjectIs(cert, n.value)
	}
	want := n.value
	if n.tag == tagIP {
		a, err := netip.ParseAddr(n.value)
		if err != nil {
			return false
		}
		want = string(a.AsSlice())
	}
	names, err := alternativeNames(cert, n.tag)
	return err == nil && slices.Contains(names, want)
}

var oidAlternativeNames = asn1.ObjectIdentifier{2, 5, 29, 17}

// alternativeNames returns the names of one kind as the certificate spells them;
// what crypto/x509 makes of a URI is not that any more.
func alternativeNames(cert *x509.Certificate, tag int) ([]string, error) {
	var names []string
	for _, e := range cert.Extensions {
		if !e.Id.Equal(oidAlternativeNames) {
			continue
		}
		var all asn1.RawValue
		if rest, err := asn1.Unmarshal(e.Value, &all); err != nil || len(rest) > 0 {
			return nil, errors.New("malformed subjectAltName")
		}
		for rest := all.Bytes; len(rest) > 0; {
			var name asn1.RawValue
			var err error
			if rest, err = asn1.Unmarshal(rest, &name); err != nil {
				return nil, errors.New("malformed subjectAltName")
			}
			if name.Class == asn1.ClassContextSpecific && name.Tag == tag {
				names = append(names, string(name.Bytes))
			}
		}
	}
	return names, nil
}

// certified finds a key by its certificate; jose.KeySet and jose.RemoteKeys do.
type certified interface {
	Certified(ctx context.Context, digest [sha256.Size]byte) (*jose.Key, error)
}

// proveOwnCertificate checks a certificate that the client has made for itself
// (RFC 8705 §2.2): it is, byte for byte, the x5c of one of the client's keys.
// Who signed it does not matter.
func (s *Service) proveOwnCertificate(ctx context.Context, c *Client, r *Request, _ *presented) error {
	if r.Certificate == nil {
		return errNoCertificate
	}
	keys, err := s.keysOf(c)
	if err != nil {
		return err
	}
	set, ok := keys.(certified)
	if !ok {
		return errCertificate
	}
	_, err = set.Certified(ctx, token.CertificateDigest(r.Certificate))
	if errors.Is(err, jose.ErrNoKey) {
		return errCertificate
	}
	return err
}
