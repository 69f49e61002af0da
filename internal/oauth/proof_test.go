package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// deviceKey makes DPoP proofs as an app does (RFC 9449 §4.2).
type deviceKey struct {
	rig *rig
	key *ecdsa.PrivateKey
}

func (r *rig) newKey() *deviceKey {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	return &deviceKey{r, key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k *deviceKey) jwk() map[string]any {
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		k.rig.t.Fatal(err)
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
}

// jkt is the thumbprint of the key (RFC 7638).
func (k *deviceKey) jkt() string {
	b, err := json.Marshal(k.jwk()) // members in alphabetical order
	if err != nil {
		k.rig.t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return b64(sum[:])
}

func (k *deviceKey) confirmation() token.Confirmation {
	digest, err := base64.RawURLEncoding.DecodeString(k.jkt())
	if err != nil {
		k.rig.t.Fatal(err)
	}
	return token.Confirmation{Method: token.ConfirmJKT, Digest: [32]byte(digest)}
}

// sign makes a proof of any content.
func (k *deviceKey) sign(header, claims map[string]any) string {
	var parts [2][]byte
	for i, m := range []map[string]any{header, claims} {
		var err error
		if parts[i], err = json.Marshal(m); err != nil {
			k.rig.t.Fatal(err)
		}
	}
	input := b64(parts[0]) + "." + b64(parts[1])
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, k.key, sum[:])
	if err != nil {
		k.rig.t.Fatal(err)
	}
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64(sig)
}

const tokenURL = issuer + "/oauth/token"

// proof is one with nothing wrong for a POST to the token endpoint. change
// replaces claims, or removes them with nil.
func (k *deviceKey) proof(change ...any) string {
	claims := map[string]any{
		"jti": b64(secret.Random(16)), "htm": "POST", "htu": tokenURL, "iat": k.rig.clock.now().Unix(),
		"nonce": k.rig.proofs.Nonce(token.NonceIssuer),
	}
	for i := 0; i < len(change); i += 2 {
		name := change[i].(string) //nolint:forcetypeassert // tests write names
		if claims[name] = change[i+1]; change[i+1] == nil {
			delete(claims, name)
		}
	}
	return k.sign(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": k.jwk()}, claims)
}

// with is the request as it comes to the token endpoint, with proofs.
func with(req oauth.Request, proofs ...string) oauth.Request {
	req.Method, req.URL, req.DPoP = "POST", tokenURL, proofs
	return req
}

func (r *rig) send(req oauth.Request) (*oauth.TokenResponse, error) {
	return r.Token(r.t.Context(), req)
}

func (r *rig) mustSend(req oauth.Request) *oauth.TokenResponse {
	r.t.Helper()
	res, err := r.send(req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// redemption and refreshment are requests of a client, without a proof.
func (r *rig) redemption(client, code string) oauth.Request {
	req := r.form("grant_type", "authorization_code", "client_id", client, "code", code, "code_verifier", verifier, "redirect_uri", callback)
	return r.authenticated(client, req)
}

func (r *rig) refreshment(client string, tok secret.Value) oauth.Request {
	return r.authenticated(client, r.form("grant_type", "refresh_token", "client_id", client, "refresh_token", tok.Reveal()))
}

func (r *rig) authenticated(client string, req oauth.Request) oauth.Request {
	for _, c := range r.clients() {
		if c.ID == client && len(c.Secrets) > 0 {
			req.Params.Set("client_secret", r.secret.Reveal())
		}
	}
	return with(req)
}

// opened is what an access token says.
func (r *rig) opened(tok secret.Value) token.Access {
	r.t.Helper()
	var a token.Access
	if err := r.ring.OpenAccess(tok.Reveal(), &a); err != nil {
		r.t.Fatal(err)
	}
	return a
}

// certificate is one that a client has made for itself.
func (r *rig) certificate() *x509.Certificate {
	r.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "job"},
		NotBefore: r.clock.now().Add(-time.Hour), NotAfter: r.clock.now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		r.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		r.t.Fatal(err)
	}
	return cert
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if got := reasonOf(err); got != reason {
		t.Errorf("error_reason = %q, want %q (%v)", got, reason, err)
	}
}

// later moves the clock, on a node that goes on reading the feed.
func (r *rig) later(d time.Duration) {
	r.t.Helper()
	r.clock.advance(d)
	if err := r.feed.CatchUp(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}
