package gateway

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"sallyport/internal/audit"
	"sallyport/internal/token"
)

// confirm holds the sender against what the token is bound to: with every
// request, upgrades and streams among them (FAPI 2.0 §5.3.4, RFC 9449 §7, RFC
// 8705 §3). A bound token that comes as an ordinary one is refused, and so is
// the reverse: the scheme is the issuer's choice, not the sender's.
func (c *call) confirm() refusal {
	switch bound := &c.access.Confirm; bound.Method {
	case token.ConfirmNone:
		switch {
		case c.cred.scheme != schemeBearer:
			return c.invalid("bearer_token_as_dpop")
		case c.op.bound:
			return c.invalid("token_not_bound")
		}
		return handled
	case token.ConfirmJKT:
		if c.cred.scheme != schemeDPoP {
			return c.invalid("dpop_token_as_bearer")
		}
		return c.checkProof()
	case token.ConfirmX5T:
		if c.cred.scheme != schemeBearer {
			return c.invalid("certificate_token_as_dpop")
		}
		return c.checkCertificate()
	}
	return c.invalid("token_bound_unknown")
}

// checkCertificate asks for the certificate of this very connection. Headers
// that speak of certificates are somebody's words and are dropped.
func (c *call) checkCertificate() refusal {
	if c.r.TLS == nil || len(c.r.TLS.PeerCertificates) == 0 {
		return c.invalid("certificate_missing")
	}
	leaf, now := c.r.TLS.PeerCertificates[0], c.g.now()
	switch {
	case !c.access.Confirm.ConfirmedBy(token.ConfirmX5T, token.CertificateDigest(leaf)):
		return c.invalid("certificate_other")
	case now.Before(leaf.NotBefore) || now.After(leaf.NotAfter):
		return c.invalid("certificate_expired")
	}
	return handled
}

// checkProof checks the DPoP proof, and leaves using it up to spend.
func (c *call) checkProof() refusal {
	proof, err := c.g.proofs.Check(c, token.ProofRequest{
		Lines: c.r.Header["Dpop"], Method: c.r.Method, URL: c.externalURL(), Token: c.cred.token,
		NonceFor: token.NonceGateway, NeedNonce: c.op.needNonce,
	})
	if err != nil {
		return c.refuseProof(err)
	}
	if proof.Renew {
		c.nonce = c.g.proofs.Nonce(token.NonceGateway)
	}
	if !c.access.Confirm.ConfirmedBy(token.ConfirmJKT, proof.Key) {
		no := c.invalid("proof_other_key") // RFC 9449 §7.1: the token is not valid for this key
		no.event = audit.ProofRefused
		return no
	}
	c.proof, c.proved = proof, true
	return handled
}

// spend uses the proof up, when nothing but that can refuse the call any more:
// whoever copies a proof and sends it elsewhere takes nothing from its owner.
func (c *call) spend() refusal {
	if !c.proved {
		return handled
	}
	if err := c.g.proofs.Spend(c, c.proof); err != nil {
		return c.refuseProof(err)
	}
	return handled
}

// refuseProof turns an error of a proof into the one of two answers that it
// gets, or into a 503 if it cannot be known whether it was used before.
func (c *call) refuseProof(err error) refusal {
	var refused *token.ProofError
	switch {
	case errors.Is(err, token.ErrReplayFull):
		return refusal{problem: unavailable, reason: "replay_full"}
	case !errors.As(err, &refused):
		return refusal{problem: unavailable, reason: "replay_unavailable"}
	case errors.Is(err, token.ErrUseNonce):
		c.nonce = c.g.proofs.Nonce(token.NonceGateway)
		return refusal{problem: useNonce, reason: refused.Reason, challenge: c.op.challenges.nonce}
	}
	return refusal{problem: invalidProof, reason: refused.Reason, event: audit.ProofRefused, challenge: c.op.challenges.proof}
}

// offerNonce has a 401 bring the nonce that the next call will need.
func (c *call) offerNonce() {
	if c.nonce == "" && c.op != nil && c.op.needNonce {
		c.nonce = c.g.proofs.Nonce(token.NonceGateway)
	}
}

func (c *call) setNonce(h http.Header) {
	if c.nonce != "" {
		h.Set("DPoP-Nonce", c.nonce)
	}
}

func proofAlgorithms() []string {
	out := make([]string, len(token.ProofAlgorithms))
	for i, a := range token.ProofAlgorithms {
		out[i] = string(a)
	}
	return out
}

// external is a place where clients reach an API. host may be followed by port,
// which is the scheme's own.
type external struct{ host, port, origin string }

// externals are the places where an API can be: on the host of its audience, if
// that is a URL, on the issuer's, and on both at the port of the listener that
// asks for certificates.
func externals(o *Options, a API) []external {
	var out []external
	places := []string{metadataURL(o.Issuer, a), a.Audience, o.Issuer}
	if m, err := url.Parse(o.MutualTLS); err == nil && m.Host != "" {
		places = append(places, o.MutualTLS)
		if u, err := url.Parse(a.Audience); err == nil && u.Host != "" {
			m.Host = strings.TrimSuffix(u.Host, ":"+u.Port()) + strings.TrimPrefix(m.Host, strings.TrimSuffix(m.Host, ":"+m.Port()))
			places = append(places, m.String())
		}
	}
	for _, s := range places {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			continue
		}
		port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
		host := strings.TrimSuffix(strings.ToLower(u.Host), port)
		out = append(out, external{host, port, u.Scheme + "://" + host})
	}
	return out
}

// externalURL is the address that the client called: the path as received, at
// one of the configured places. The Host header only chooses among them, and
// nothing that a proxy adds is read.
func (c *call) externalURL() string {
	for _, e := range c.api.external {
		if strings.EqualFold(e.host, c.r.Host) || strings.EqualFold(e.host+e.port, c.r.Host) {
			return e.origin + c.path
		}
	}
	if len(c.api.external) == 0 {
		return ""
	}
	return c.api.external[0].origin + c.path
}
