package oauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"net/url"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

func uri(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// shopName is CN=shop,OU=web+L=Bern,O=Example\, Inc as a certificate has it.
func shopName() pkix.RDNSequence {
	cn, ou, l, o := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.ObjectIdentifier{2, 5, 4, 7}, asn1.ObjectIdentifier{2, 5, 4, 10}
	return pkix.RDNSequence{{{Type: o, Value: "Example, Inc"}}, {{Type: l, Value: "Bern"}, {Type: ou, Value: "web"}}, {{Type: cn, Value: "shop"}}}
}

func subject(t *testing.T, seq pkix.RDNSequence) func(*x509.Certificate) {
	t.Helper()
	der, err := asn1.Marshal(seq)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *x509.Certificate) { c.RawSubject = der }
}

func TestCL09CertificatesOfAPKI(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	now := a.clock.now()
	show := func(id string, cert *x509.Certificate, more ...*x509.Certificate) oauth.Request {
		r := asks("client_id", id)
		r.Certificate, r.Intermediates = cert, more
		return r
	}
	dns := func(c *x509.Certificate) { c.DNSNames = []string{"shop.example.com"} }
	good := map[string]func(*x509.Certificate){
		"tls-dn": subject(t, shopName()), "tls-dns": dns,
		"tls-uri":  func(c *x509.Certificate) { c.URIs = []*url.URL{uri(t, "https://shop.example.com/id?a=%2f")} },
		"tls-ip":   func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("192.0.2.7")} },
		"tls-ip6":  func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::7")} },
		"tls-mail": func(c *x509.Certificate) { c.EmailAddresses = []string{"other@example.com", "shop@example.com"} },
	}
	for id, change := range good {
		t.Run("accepted: "+id, func(t *testing.T) { a.accepted(t, show(id, a.ca.issue(change))) })
	}
	between := a.ca.make(&x509.Certificate{Subject: pkix.Name{CommonName: "between"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, a.other, a.ca.cert, a.ca.key)
	below := (&authority{t: t, key: a.other, cert: between, now: now}).issue(dns)
	a.accepted(t, show("tls-dns", below, between))
	stranger := newAuthority(t, now, "clients") // of the same name

	for name, c := range map[string]struct {
		r      oauth.Request
		reason string
	}{
		"no certificate":                      {asks("client_id", "tls-dns"), "certificate_missing"},
		"another authority of the same name":  {show("tls-dns", stranger.issue(dns)), "certificate_chain"},
		"self-signed":                         {show("tls-dns", a.ca.make(&x509.Certificate{DNSNames: []string{"shop.example.com"}}, a.other, nil, a.other)), "certificate_chain"},
		"below an authority that is not sent": {show("tls-dns", below), "certificate_chain"},
		"signed by a client":                  {show("tls-dns", leafSigned(t, a, dns), a.ca.issue(dns)), "certificate_chain"},
		"expired": {show("tls-dns", a.ca.issue(func(c *x509.Certificate) {
			dns(c)
			c.NotBefore, c.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Second)
		})), "certificate_chain"},
		"not yet valid":                   {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { dns(c); c.NotBefore, c.NotAfter = now.Add(time.Hour), now.Add(2*time.Hour) })), "certificate_chain"},
		"for servers":                     {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { dns(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })), "certificate_chain"},
		"another name":                    {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { c.DNSNames = []string{"shop.example.com.evil.example"} })), "certificate_other"},
		"a wildcard that covers the name": {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { c.DNSNames = []string{"*.example.com"} })), "certificate_other"},
		"the name in capital letters":     {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { c.DNSNames = []string{"Shop.example.com"} })), "certificate_other"},
		"the name as CN":                  {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { c.Subject.CommonName = "shop.example.com" })), "certificate_other"},
		"the name as an e-mail address":   {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { c.EmailAddresses = []string{"shop.example.com"} })), "certificate_other"},
		"a name with a zero behind":       {show("tls-dns", a.ca.issue(func(c *x509.Certificate) { c.DNSNames = []string{"shop.example.com\x00.evil.example"} })), "certificate_other"},
		"a URI that means the same":       {show("tls-uri", a.ca.issue(func(c *x509.Certificate) { c.URIs = []*url.URL{uri(t, "https://shop.example.com/id?a=%2F")} })), "certificate_other"},
		"another address":                 {show("tls-ip", a.ca.issue(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("192.0.2.70")} })), "certificate_other"},
		"another mailbox":                 {show("tls-mail", a.ca.issue(func(c *x509.Certificate) { c.EmailAddresses = []string{"shop@Example.com"} })), "certificate_other"},
		"two names registered":            {show("tls-two", a.ca.issue(func(c *x509.Certificate) { dns(c); c.IPAddresses = []net.IP{net.ParseIP("192.0.2.7")} })), "certificate_other"},
	} {
		t.Run(name, func(t *testing.T) { a.refused(t, c.r, "invalid_client", "tls_client_auth:"+c.reason) })
	}

	for name, change := range map[string]func(s pkix.RDNSequence) pkix.RDNSequence{
		"CN in other letters": func(s pkix.RDNSequence) pkix.RDNSequence { s[2][0].Value = "Shop"; return s },
		"CN with a space":     func(s pkix.RDNSequence) pkix.RDNSequence { s[2][0].Value = "shop "; return s },
		"CN with another o":   func(s pkix.RDNSequence) pkix.RDNSequence { s[2][0].Value = "sh\u043ep"; return s },
		"CN with the rest in it": func(pkix.RDNSequence) pkix.RDNSequence {
			return pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "shop,OU=web+L=Bern,O=Example, Inc"}}}
		},
		"one attribute more":   func(s pkix.RDNSequence) pkix.RDNSequence { return append(s, s[2]) },
		"one attribute less":   func(s pkix.RDNSequence) pkix.RDNSequence { return s[1:] },
		"another order":        func(s pkix.RDNSequence) pkix.RDNSequence { s[0], s[2] = s[2], s[0]; return s },
		"two attributes apart": func(s pkix.RDNSequence) pkix.RDNSequence { return pkix.RDNSequence{s[0], {s[1][0]}, {s[1][1]}, s[2]} },
		"the value of another": func(s pkix.RDNSequence) pkix.RDNSequence { s[2][0].Type = asn1.ObjectIdentifier{2, 5, 4, 4}; return s },
	} {
		t.Run("subject: "+name, func(t *testing.T) {
			r := show("tls-dn", a.ca.issue(subject(t, change(shopName()))))
			a.refused(t, r, "invalid_client", "tls_client_auth:certificate_other")
		})
	}
}

// leafSigned is a certificate that a client's certificate has signed.
func leafSigned(t *testing.T, a *authRig, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	key := ecKey(t)
	leaf := a.ca.make(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}, KeyUsage: x509.KeyUsageDigitalSignature}, key, a.ca.cert, a.ca.key)
	return (&authority{t: t, key: key, cert: leaf, now: a.clock.now()}).issue(change)
}

func TestCL10ACertificateOfItsOwn(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	show := func(cert *x509.Certificate) oauth.Request {
		r := asks("client_id", "self")
		r.Certificate = cert
		return r
	}
	a.accepted(t, show(a.own))
	for name, cert := range map[string]*x509.Certificate{
		"none": nil, "the same key in another certificate": a.stolen, "another key under the same name": a.ca.selfSigned(a.other, "own"),
		"one of the authority": a.ca.issue(func(c *x509.Certificate) { c.Subject.CommonName = "own" }),
	} {
		t.Run(name, func(t *testing.T) { a.refused(t, show(cert), "invalid_client", "") })
	}

	// The key of a JWK is not that of its x5c: it is no certificate of the client.
	mixed := certifiedKey(t, a.other, a.own)
	set, err := jose.ParseKeySet([]byte(mixed))
	if err != nil || len(set.Keys()) != 1 {
		t.Fatal(set, err)
	}
	lying := a.node(a.feed, func(o *oauth.Options) {
		o.MutualTLS = mutual
		o.Clients = []oauth.Client{{ID: "self", Type: oauth.ServiceClient, Scope: "catalog.read", Settings: oauth.Settings{AuthMethod: "self_signed_tls_client_auth", JWKS: mixed}}}
	})
	_, err = lying.Token(t.Context(), show(a.own))
	wantCode(t, err, "invalid_client")
}

// Without a key set now nobody can say; it is no verdict.
func TestCL10CertificatesAtAnAddress(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	far := func(keys func(owner, uri string) (jose.KeySource, error)) *oauth.Service {
		return a.node(a.feed, func(o *oauth.Options) {
			o.MutualTLS, o.KeysAt = mutual, keys
			o.Clients = []oauth.Client{{ID: "self", Type: oauth.ServiceClient, Scope: "catalog.read", Settings: oauth.Settings{AuthMethod: "self_signed_tls_client_auth", JWKSURI: "https://shop.example.com/jwks.json"}}}
		})
	}
	r := asks("client_id", "self")
	r.Certificate = a.own
	set, err := jose.ParseKeySet([]byte(certifiedKey(t, a.key, a.own)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far(func(string, string) (jose.KeySource, error) { return set, nil }).Token(t.Context(), r); err != nil {
		t.Errorf("the registered certificate: %v", err)
	}
	_, err = far(func(string, string) (jose.KeySource, error) { return nil, jose.ErrKeysUnavailable }).Token(t.Context(), r)
	wantCode(t, err, "temporarily_unavailable")
}
