package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"sallyport/internal/secret"
)

// sallyport is the built program with two APIs, whose tokens are sealed and JWT.
type sallyport struct {
	proc    *process
	address string
	issuer  string
	secret  string
	session string // cookie of the browser app, once somebody has signed in
	http    *http.Client
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

func (b *bed) startSallyport(ctx context.Context, name, access string) (*sallyport, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ops, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &sallyport{address: address, issuer: "https://localhost:" + port(address), secret: secret.NewHandle(secret.ClientSecret).Reveal()}
	text := fmt.Sprintf(`issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: ../cert.pem, key_file: ../key.pem}
log: {access: %[5]s}
gateway: {max_delay: 5s} # the load is the measurement's, and is not to be refused
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {sealed.read: Read, jwt.read: Read}
apis:
  - name: sealed
    audience: %[1]s/sealed
    path: /sealed
    limits: {per_user: off, concurrency_per_user: 0}
    upstream: http://%[4]s
    limits: {per_user: 1000000/s}
    operations:
      - {match: "GET /items/{id}", scope: sealed.read}
  - name: jwt
    audience: %[1]s/jwt
    path: /jwt
    limits: {per_user: off, concurrency_per_user: 0}
    upstream: http://%[4]s
    limits: {per_user: 1000000/s}
    token_format: jwt
    operations:
      - {match: "GET /items/{id}", scope: jwt.read}
browser_apps:
  - {name: bench, origin: "https://%[6]s:%[7]s", apis: [sealed]}
clients:
  - {client_id: bench, type: service, secret_file: client.secret, scope: "sealed.read jwt.read"}
`, s.issuer, address, ops, b.upstream, access, appHost, port(address))
	err = errors.Join(b.write(name+"/sallyport.yaml", text), b.write(name+"/client.secret", s.secret), b.write(name+"/master.key", secret.NewHandle(secret.MasterKey).Reveal()))
	if err != nil {
		return nil, err
	}
	s.http = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.tls.RootCAs}}} //nolint:gosec // as the others
	if s.proc, err = b.launch(ctx, serverCore, name, b.bin, "serve", "-c", filepath.Join(b.dir, name, "sallyport.yaml")); err != nil {
		return nil, err
	}
	if err := waitListening(s.proc, address); err != nil {
		return nil, err
	}
	return s, b.addPerson(ctx, name)
}

// token asks for an access token, bound to key if there is one.
func (s *sallyport) token(api string, key *ecdsa.PrivateKey) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {api + ".read"}, "resource": {s.issuer + "/" + api}}
	req, err := http.NewRequest(http.MethodPost, s.issuer+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("bench", url.QueryEscape(s.secret))
	if key != nil {
		req.Header.Set("DPoP", prove(key, http.MethodPost, s.issuer+"/oauth/token", ""))
	}
	res, err := s.http.Do(req)
	if err != nil {
		return "", s.proc.failed(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.AccessToken == "" {
		return "", fmt.Errorf("no token: %s %s, %w", res.Status, text, err)
	}
	return answer.AccessToken, nil
}

func (s *sallyport) bearer(v *variant, api string) (caller, error) {
	tok, err := s.token(api, nil)
	if err != nil {
		return nil, err
	}
	request := v.get("Bearer " + tok)
	return func(int, int) []byte { return request }, nil
}

func (s *sallyport) sealed(v *variant) (caller, error) { return s.bearer(v, "sealed") }
func (s *sallyport) jwt(v *variant) (caller, error)    { return s.bearer(v, "jwt") }

// dpop signs a proof for each call, in the client's time.
func (s *sallyport) dpop(v *variant) (caller, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tok, err := s.token("sealed", key)
	if err != nil {
		return nil, err
	}
	return func(int, int) []byte {
		return v.get("DPoP "+tok, "DPoP: "+prove(key, http.MethodGet, s.issuer+v.path, tok))
	}, nil
}

// prove makes a DPoP proof (RFC 9449 §4.2).
func prove(key *ecdsa.PrivateKey, method, address, tok string) string {
	encode := base64.RawURLEncoding.EncodeToString
	public, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix()}
	if tok != "" {
		digest := sha256.Sum256([]byte(tok))
		claims["ath"] = encode(digest[:])
	}
	header, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": encode(public[1:33]), "y": encode(public[33:]),
	}})
	if err != nil {
		panic(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	signed := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(signed))
	r, ss, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		panic(err)
	}
	var raw [64]byte
	r.FillBytes(raw[:32])
	ss.FillBytes(raw[32:])
	return signed + "." + encode(raw[:])
}
