package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"

	"sallyport/internal/token"
	"sallyport/internal/web"
)

// listeners are the doors of a node. mutual is nil where mtls_listen is not set.
type listeners struct{ public, ops, mutual, challenges net.Listener }

func (l listeners) close() {
	for _, one := range []net.Listener{l.public, l.ops, l.mutual, l.challenges} {
		if one != nil {
			_ = one.Close()
		}
	}
}

// listenAll binds all addresses of the configuration, or none.
func listenAll(ctx context.Context, c *config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.public, err = listen(ctx, c.Listen); err != nil {
		return l, err
	}
	if l.ops, err = listen(ctx, c.MetricsListen); err != nil {
		return l, err
	}
	if c.MTLSListen != "" {
		if l.mutual, err = listen(ctx, c.MTLSListen); err != nil {
			return l, err
		}
	}
	if at := c.TLS.ACME.ChallengeListen; at != "" {
		l.challenges, err = listen(ctx, at)
	}
	return l, err
}

// newProofs is the one judge of DPoP proofs, of issuer and gateway.
func (n *node) newProofs(ring *token.Ring, replay token.Replay) (*token.Proofs, error) {
	o := token.ProofOptions{Ring: ring, Replay: replay, Now: n.now}
	if n.shared == nil { // only this process remembers
		o.Since = n.now()
	}
	return token.NewProofs(o)
}

// newMutual makes the server of the listener that asks for client certificates.
func (n *node) newMutual(handler http.Handler) *http.Server {
	s := newServer(web.MutualTLS(handler), n.log)
	s.TLSConfig = mutualTLSFor(&n.cert)
	return s
}

// mutualTLSFor asks for a certificate and takes any, because a token is bound
// to its digest and not to a name in it (RFC 8705 §3); the handshake proves that
// the client has its key. Each connection proves it anew: without tickets no
// certificate comes from an earlier one.
func mutualTLSFor(cert *certificate) *tls.Config {
	c := tlsConfigFor(cert)
	c.ClientAuth = tls.RequestClientCert
	c.SessionTicketsDisabled = true
	c.VerifyConnection = checkClientKey
	return c
}

const (
	minRSABits   = 2048
	minCurveBits = 256
	maxChain     = 5 // certificates; nobody looks beyond the first
)

var errClientKey = errors.New("the client's certificate has a weak key, or too many beside it")

func checkClientKey(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	ok := false
	switch key := s.PeerCertificates[0].PublicKey.(type) {
	case *ecdsa.PublicKey:
		ok = key.Curve.Params().BitSize >= minCurveBits
	case *rsa.PublicKey:
		ok = key.N.BitLen() >= minRSABits
	case ed25519.PublicKey:
		ok = true
	}
	if !ok || len(s.PeerCertificates) > maxChain {
		return errClientKey
	}
	return nil
}

// mutualURL is where clients reach mtls_listen: mtls_url, or else the host of
// the issuer at the port of the listener. Empty if there is none.
func (c *config) mutualURL() string {
	_, port, err := net.SplitHostPort(c.MTLSListen)
	if err != nil || c.MTLSURL != "" {
		return c.MTLSURL
	}
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return ""
	}
	if u.Host = net.JoinHostPort(u.Hostname(), port); port == "443" {
		u.Host = u.Hostname()
	}
	return u.String()
}
