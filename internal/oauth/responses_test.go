package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

// receiver is a client's side of encrypted answers.
type receiver struct {
	*rig
	key any // private
	alg gojose.KeyAlgorithm
	enc gojose.ContentEncryption
}

// newReceiver lets the client app want answers, to a key of its own.
func newReceiver(t *testing.T, want oauth.Settings) *receiver {
	t.Helper()
	r := &receiver{rig: newRig(t), alg: gojose.KeyAlgorithm(want.IDTokenAlg), enc: gojose.ContentEncryption(want.IDTokenEnc)}
	if r.enc == "" {
		r.enc = gojose.A128CBC_HS256
	}
	r.Service = r.node(r.feed, func(o *oauth.Options) { o.Clients[0].Settings = want })
	return r
}

func setOf(t *testing.T, keys ...gojose.JSONWebKey) string {
	t.Helper()
	b, err := json.Marshal(gojose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// open decrypts an answer and verifies the signature in it with the published
// keys.
func (r *receiver) open(compact, typ string) map[string]any {
	r.t.Helper()
	object, err := gojose.ParseEncryptedCompact(compact, []gojose.KeyAlgorithm{r.alg}, []gojose.ContentEncryption{r.enc})
	if err != nil {
		r.t.Fatalf("%.80s: %v", compact, err)
	}
	if object.Header.ExtraHeaders["cty"] != "JWT" || object.Header.KeyID != "mine" {
		r.t.Errorf("header %+v", object.Header)
	}
	plain, err := object.Decrypt(r.key)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.verify(string(plain), typ)
}

func (r *receiver) verify(jwt, typ string) map[string]any {
	r.t.Helper()
	published, err := r.JWKS()
	if err != nil {
		r.t.Fatal(err)
	}
	var keys gojose.JSONWebKeySet
	if err := json.Unmarshal(published, &keys); err != nil {
		r.t.Fatal(err)
	}
	signed, err := gojose.ParseSignedCompact(jwt, []gojose.SignatureAlgorithm{gojose.ES256})
	if err != nil {
		r.t.Fatal(err)
	}
	if got := signed.Signatures[0].Header.ExtraHeaders["typ"]; got != typ {
		r.t.Errorf("typ %v, want %s", got, typ)
	}
	payload, err := signed.Verify(keys.Key(signed.Signatures[0].Header.KeyID)[0])
	if err != nil {
		r.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

func TestC12IDTokensAndUserInfoAreSignedThenEncrypted(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	old := gojose.JSONWebKey{Key: ec.Public(), KeyID: "sig", Use: "sig"}
	for name, c := range map[string]struct {
		private any
		public  gojose.JSONWebKey
		alg     jose.Algorithm
		enc     jose.Encryption
	}{
		"EC":           {ec, gojose.JSONWebKey{Key: ec.Public(), KeyID: "mine", Use: "enc"}, jose.ECDHESA256, jose.A256GCM},
		"EC, default":  {ec, gojose.JSONWebKey{Key: ec.Public(), KeyID: "mine", Use: "enc"}, jose.ECDHES, ""},
		"RSA":          {rsaKey, gojose.JSONWebKey{Key: rsaKey.Public(), KeyID: "mine", Use: "enc", Algorithm: "RSA-OAEP-256"}, jose.RSAOAEP256, jose.A256CBCHS512},
		"EC, 128 bits": {ec, gojose.JSONWebKey{Key: ec.Public(), KeyID: "mine"}, jose.ECDHESA128, jose.A128GCM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := oauth.Settings{
				JWKS: setOf(t, old, c.public), IDTokenAlg: c.alg, IDTokenEnc: c.enc,
				UserInfoSig: jose.ES256, UserInfoAlg: c.alg, UserInfoEnc: c.enc,
			}
			if setting, why := (&oauth.Client{Type: oauth.Server, Settings: want}).Problem(); setting != "" {
				t.Fatalf("%s %s", setting, why)
			}
			r := newReceiver(t, want)
			r.key, r.alg = c.private, gojose.KeyAlgorithm(c.alg)
			res := r.tokens("scope", "openid profile catalog.read")
			m := r.open(res.IDToken.Reveal(), "JWT")
			if m["iss"] != issuer || m["aud"] != "app" || m["sub"] != r.user.ID || m["nonce"] != "no" {
				t.Errorf("ID token %v", m)
			}
			answer, err := r.UserInfo(t.Context(), bearer(res.AccessToken))
			if err != nil || !answer.JWT {
				t.Fatalf("userinfo %+v, %v", answer, err)
			}
			m = r.open(string(answer.Body), "userinfo+jwt")
			if m["iss"] != issuer || m["aud"] != "app" || m["sub"] != r.user.ID || m["name"] != "Ada L." {
				t.Errorf("userinfo %v", m)
			}
		})
	}
}

func TestUserInfoThatIsSignedOnly(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, oauth.Settings{UserInfoSig: jose.ES256})
	res := r.tokens("scope", "openid")
	if strings.Count(res.IDToken.Reveal(), ".") != 2 {
		t.Error("the ID token is encrypted, which nobody asked for")
	}
	answer, err := r.UserInfo(t.Context(), bearer(res.AccessToken))
	if err != nil || !answer.JWT {
		t.Fatalf("userinfo %+v, %v", answer, err)
	}
	if m := r.verify(string(answer.Body), "userinfo+jwt"); m["sub"] != r.user.ID {
		t.Errorf("userinfo %v", m)
	}
	// J092: it has the key of ID tokens, and is none.
	if _, err := r.Logout(t.Context(), map[string][]string{"id_token_hint": {string(answer.Body)}}, nil); err == nil {
		t.Error("a userinfo answer passes as an ID token")
	}
}

// A client whose keys are gone gets no error of ours and loses nothing.
func TestAnswersWithoutKeys(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, oauth.Settings{JWKSURI: "https://app.example.com/jwks", IDTokenAlg: jose.ECDHES})
	_, err := r.redeem(r.code())
	wantCode(t, err, oauth.TemporarilyUnavailable)

	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseKeySet([]byte(setOf(t, gojose.JSONWebKey{Key: ec.Public(), KeyID: "mine", Use: "enc"})))
	if err != nil {
		t.Fatal(err)
	}
	keys, asked := &lostKeys{err: jose.ErrKeysUnavailable}, 0
	r.Service = r.node(r.feed, func(o *oauth.Options) {
		o.Clients[0].Settings = oauth.Settings{JWKSURI: "https://app.example.com/jwks", IDTokenAlg: jose.ECDHES}
		o.KeysAt = func(owner, uri string) (jose.KeySource, error) {
			asked++
			if owner != "app" || uri != "https://app.example.com/jwks" {
				t.Errorf("asked for %s of %s", uri, owner)
			}
			return keys, nil
		}
	})
	code := r.code()
	_, err = r.redeem(code)
	wantCode(t, err, oauth.TemporarilyUnavailable)
	keys.err, keys.set = nil, set
	r.key, r.alg = ec, gojose.ECDH_ES
	res, err := r.redeem(code)
	if err != nil {
		t.Fatalf("the code is spent: %v", err)
	}
	r.open(res.IDToken.Reveal(), "JWT")
	if asked != 1 {
		t.Errorf("the source was made %d times", asked)
	}
}

func TestResponsesThatCannotBeKept(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := setOf(t, gojose.JSONWebKey{Key: ec.Public(), KeyID: "1", Use: "enc"})
	for name, c := range map[string]struct {
		r       oauth.Settings
		setting string
	}{
		"nothing":                          {oauth.Settings{}, ""},
		"keys alone":                       {oauth.Settings{JWKS: good}, ""},
		"all":                              {oauth.Settings{JWKS: good, IDTokenAlg: jose.ECDHES, IDTokenEnc: jose.A256GCM}, ""},
		"keys elsewhere":                   {oauth.Settings{JWKSURI: "https://a.example", IDTokenAlg: jose.RSAOAEP256}, ""},
		"KY05 RSA1_5":                      {oauth.Settings{JWKS: good, IDTokenAlg: "RSA1_5"}, "id_token_encrypted_response_alg"},
		"KY05 dir":                         {oauth.Settings{JWKS: good, IDTokenAlg: "dir"}, "id_token_encrypted_response_alg"},
		"KY05 A192GCM":                     {oauth.Settings{JWKS: good, IDTokenAlg: jose.ECDHES, IDTokenEnc: "A192GCM"}, "id_token_encrypted_response_enc"},
		"enc alone":                        {oauth.Settings{JWKS: good, IDTokenEnc: jose.A256GCM}, "id_token_encrypted_response_enc"},
		"userinfo by none":                 {oauth.Settings{UserInfoSig: "none"}, "userinfo_signed_response_alg"},
		"C12 userinfo encrypted, unsigned": {oauth.Settings{JWKS: good, UserInfoAlg: jose.ECDHES}, "userinfo_signed_response_alg"},
		"no keys":                          {oauth.Settings{IDTokenAlg: jose.ECDHES}, "jwks"},
		"keys twice":                       {oauth.Settings{JWKS: good, JWKSURI: "https://a.example", IDTokenAlg: jose.ECDHES}, "jwks_uri"},
		"keys of another kind":             {oauth.Settings{JWKS: good, IDTokenAlg: jose.RSAOAEP256}, "jwks"},
		"keys that are none":               {oauth.Settings{JWKS: "{}", IDTokenAlg: jose.ECDHES}, "jwks"},
	} {
		if setting, why := (&oauth.Client{Type: oauth.Server, Settings: c.r}).Problem(); setting != c.setting || (why == "") != (setting == "") {
			t.Errorf("%s: got %q %q, want %q", name, setting, why, c.setting)
		}
	}
}
