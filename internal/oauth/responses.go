package oauth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// defaultEnc is what enc is where alg is set alone (Registration §2).
const defaultEnc = jose.A128CBCHS256

// SignedBy lists the algorithms that sign what clients read.
var SignedBy = []jose.Algorithm{jose.ES256, jose.RS256}

// maxClientKeys is the longest key set of a client, in bytes.
const maxClientKeys = 64 << 10

// encryptionProblem judges what the client wants of its answers.
func (r *Settings) encryptionProblem() (setting, why string) {
	for _, e := range []struct {
		name string
		alg  jose.Algorithm
		enc  jose.Encryption
	}{
		{"id_token", r.IDTokenAlg, r.IDTokenEnc},
		{"userinfo", r.UserInfoAlg, r.UserInfoEnc},
		{"introspection", r.IntrospectionAlg, r.IntrospectionEnc},
		{"authorization", r.ResponseEncAlg, r.ResponseEnc},
	} {
		setting := e.name + "_encrypted_response_"
		switch {
		case e.alg != "" && !slices.Contains(jose.KeyAlgorithms, e.alg):
			return setting + "alg", fmt.Sprintf("%q is not one of %v", e.alg, jose.KeyAlgorithms)
		case e.enc != "" && !slices.Contains(jose.Encryptions, e.enc):
			return setting + "enc", fmt.Sprintf("%q is not one of %v", e.enc, jose.Encryptions)
		case e.enc != "" && e.alg == "":
			return setting + "enc", "stands alone: " + setting + "alg is needed with it"
		}
	}
	switch {
	case r.UserInfoSig != "" && !slices.Contains(SignedBy, r.UserInfoSig):
		return "userinfo_signed_response_alg", fmt.Sprintf("%q is not one of %v", r.UserInfoSig, SignedBy)
	case r.IntrospectionSig != "" && !slices.Contains(SignedBy, r.IntrospectionSig):
		return "introspection_signed_response_alg", fmt.Sprintf("%q is not one of %v", r.IntrospectionSig, SignedBy)
	case r.UserInfoAlg != "" && r.UserInfoSig == "":
		return "userinfo_signed_response_alg", "is missing: encryption does not say who wrote an answer, so it comes with a signature"
	}
	return r.keysProblem()
}

func (r *Settings) keysProblem() (setting, why string) {
	switch {
	case r.JWKS != "" && r.JWKSURI != "":
		return "jwks_uri", "is there beside the keys themselves: keep one of them"
	case r.IDTokenAlg == "" && r.UserInfoAlg == "" && r.IntrospectionAlg == "" && r.ResponseEncAlg == "":
		return "", ""
	case r.JWKS == "" && r.JWKSURI == "":
		return "jwks", "is missing, and so is jwks_uri: there is no key to encrypt to"
	case r.JWKSURI != "":
		return "", ""
	case len(r.JWKS) > maxClientKeys:
		return "jwks", "is longer than 64 KiB"
	}
	set, err := jose.ParseKeySet([]byte(r.JWKS))
	if err != nil {
		return "jwks", "is not a JWK Set of public keys: " + err.Error()
	}
	for _, alg := range []jose.Algorithm{r.IDTokenAlg, r.UserInfoAlg, r.IntrospectionAlg, r.ResponseEncAlg} {
		if alg != "" && !slices.ContainsFunc(set.Keys(), func(k *jose.Key) bool { return k.Encrypts(alg) }) {
			return "jwks", fmt.Sprintf("has no key for %s: it needs one of use enc", alg)
		}
	}
	return "", ""
}

// recipients remembers for whom is encrypted, so that keys are read once. It is
// bounded; a full one is emptied. Safe for concurrent use.
type recipients struct {
	keysAt func(owner, uri string) (jose.KeySource, error)
	mu     sync.Mutex
	m      map[recipientOf]*jose.Recipient
}

// recipientOf has the client's ID in it, so that keys of two clients never meet.
type recipientOf struct {
	clientID, jwks, uri string
	alg                 jose.Algorithm
	enc                 jose.Encryption
}

const maxRecipients = 1000

func (t *recipients) find(c *Client, alg jose.Algorithm, enc jose.Encryption) (*jose.Recipient, error) {
	key := recipientOf{c.ID, c.Settings.JWKS, c.Settings.JWKSURI, alg, cmp.Or(enc, defaultEnc)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.m[key]; r != nil {
		return r, nil
	}
	var keys jose.KeySource
	var err error
	switch {
	case key.jwks != "":
		keys, err = jose.ParseKeySet([]byte(key.jwks))
	case t.keysAt != nil:
		keys, err = t.keysAt(c.ID, key.uri)
	default:
		err = jose.ErrKeysUnavailable
	}
	if err != nil {
		return nil, err
	}
	r, err := jose.NewRecipient(keys, alg, key.enc)
	if err != nil {
		return nil, err
	}
	if t.m == nil || len(t.m) >= maxRecipients {
		t.m = map[recipientOf]*jose.Recipient{}
	}
	t.m[key] = r
	return r, nil
}

// encryptFor wraps a signed token of which a client wants an encrypted form.
func (s *Service) encryptFor(ctx context.Context, c *Client, alg jose.Algorithm, enc jose.Encryption, signed secret.Value, what string) (secret.Value, error) {
	if alg == "" {
		return signed, nil
	}
	to, err := s.recipients.find(c, alg, enc)
	if err != nil {
		return secret.Value{}, noKey(what, err)
	}
	return encrypt(ctx, to, signed, what)
}

// typeUserInfo is the typ of signed userinfo answers. It is not that of ID
// tokens, which have the same key and much the same claims (RFC 8725 §3.11).
const typeUserInfo = "userinfo+jwt"

// signUserInfo makes the answer of the UserInfo endpoint that a client wants
// (OpenID Connect Core §5.3.2): claims is a JSON object.
func (s *Service) signUserInfo(ctx context.Context, c *Client, claims []byte) (secret.Value, error) {
	b := token.AppendJSONString(append(make([]byte, 0, len(claims)+128), `{"iss":`...), s.issuer)
	b = token.AppendJSONString(append(b, `,"aud":`...), c.ID)
	b = append(append(b, ','), claims[1:]...)
	signer, err := s.clientSigner(c.Settings.UserInfoSig)
	if err != nil {
		return secret.Value{}, err
	}
	jwt, err := signer.Sign(typeUserInfo, b)
	if err != nil {
		return secret.Value{}, unavailable("sign userinfo", err)
	}
	return s.encryptFor(ctx, c, c.Settings.UserInfoAlg, c.Settings.UserInfoEnc, secret.New(jwt), "userinfo answer")
}
