package oauth_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sallyport/internal/oauth"
	"sallyport/internal/token/jose"
)

func TestCL09CL20HowAClientProvesItselfIsJudged(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	keys := keySet(publicKey(t, "k1", jose.ES256, a.key))
	rsaBare := keySet(publicKey(t, "r1", "", a.rsa))
	x := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	private := strings.Replace(keys, `"kty"`, fmt.Sprintf(`"d":%q,"kty"`, x), 1)
	weak := `{"keys":[` + string(publicKey(t, "k1", jose.ES256, a.key).AppendJWK(nil)) + `,{"kty":"RSA","kid":"w","n":"` + strings.Repeat("u", 171) + `","e":"AQAB"}]}`
	twice := keySet(publicKey(t, "k1", jose.ES256, a.key), publicKey(t, "k1", jose.ES256, a.other))
	mixed := strings.Replace(keys, `{"keys":[`, `{"keys":[{"kty":"oct","kid":"s","k":"`+strings.Repeat("A", 43)+`","alg":"HS256"},`, 1)
	type s = oauth.Settings
	for name, c := range map[string]struct {
		kind     oauth.ClientType
		settings s
		setting  string // "" passes
	}{
		"nothing":                          {oauth.Server, s{}, ""},
		"private_key_jwt":                  {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: keys}, ""},
		"private_key_jwt, keys elsewhere":  {oauth.Server, s{AuthMethod: "private_key_jwt", JWKSURI: "https://shop.example.com/jwks.json"}, ""},
		"private_key_jwt with RSA and alg": {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: rsaBare, AuthAlg: jose.PS256}, ""},
		"a word that is no method":         {oauth.Server, s{AuthMethod: "client_secret_jwt"}, "token_endpoint_auth_method"},
		"private_key_jwt without keys":     {oauth.Server, s{AuthMethod: "private_key_jwt"}, "jwks"},
		"RSA without alg fits two":         {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: rsaBare}, "jwks"},
		"keys for another alg":             {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: keys, AuthAlg: jose.PS256}, "jwks"},
		"an alg that fapi2 forbids":        {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: rsaBare, AuthAlg: jose.RS256, Profile: oauth.ProfileFAPI2}, "token_endpoint_auth_signing_alg"},
		"private members":                  {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: private}, "jwks"},
		"one kid twice":                    {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: twice}, "jwks"},
		"a symmetric key among them":       {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: mixed}, "jwks"},
		"a weak key among them":            {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: weak}, "jwks"},
		"private members, for another use": {oauth.Server, s{JWKS: private}, "jwks"},
		"keys and an address of keys":      {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: keys, JWKSURI: "https://shop.example.com/jwks.json"}, "jwks_uri"},
		"CL02 private_key_jwt in an app":   {oauth.Native, s{AuthMethod: "private_key_jwt", JWKS: keys}, "token_endpoint_auth_method"},
		"CL02 a secret in an app":          {oauth.Native, s{AuthMethod: "client_secret_basic"}, "token_endpoint_auth_method"},
		"CL02 a secret in a browser":       {oauth.Browser, s{AuthMethod: "client_secret_post"}, "token_endpoint_auth_method"},
		"nothing, for a server":            {oauth.Server, s{AuthMethod: "none"}, "token_endpoint_auth_method"},
		"nothing, for an app":              {oauth.Native, s{AuthMethod: "none"}, ""},
		"an attested app":                  {oauth.Native, s{AuthMethod: "attest_jwt_client_auth"}, ""},
		"an attested page":                 {oauth.Browser, s{AuthMethod: "attest_jwt_client_auth_dpop"}, "token_endpoint_auth_method"},
		"one name of a certificate":        {oauth.Server, s{AuthMethod: "tls_client_auth", TLSDNS: "shop.example.com"}, ""},
		"two names of a certificate":       {oauth.Server, s{AuthMethod: "tls_client_auth", TLSDNS: "shop.example.com", TLSSubject: "CN=shop"}, "tls_client_auth_san_dns"},
		"no name of a certificate":         {oauth.Server, s{AuthMethod: "tls_client_auth"}, "tls_client_auth_subject_dn"},
		"a name for another method":        {oauth.Server, s{TLSDNS: "shop.example.com"}, "tls_client_auth_san_dns"},
		"a wildcard":                       {oauth.Server, s{AuthMethod: "tls_client_auth", TLSDNS: "*.example.com"}, "tls_client_auth_san_dns"},
		"an address with a mask":           {oauth.Server, s{AuthMethod: "tls_client_auth", TLSIP: "192.0.2.0/24"}, "tls_client_auth_san_ip"},
		"a subject that is none":           {oauth.Server, s{AuthMethod: "tls_client_auth", TLSSubject: "/CN=shop"}, "tls_client_auth_subject_dn"},
		"a mailbox that is none":           {oauth.Server, s{AuthMethod: "tls_client_auth", TLSEmail: "example.com"}, "tls_client_auth_san_email"},
		"a URI that is none":               {oauth.Server, s{AuthMethod: "tls_client_auth", TLSURI: "shop"}, "tls_client_auth_san_uri"},
		"a certificate of its own":         {oauth.Server, s{AuthMethod: "self_signed_tls_client_auth", JWKS: certifiedKey(t, a.key, a.own)}, ""},
		"keys without certificates":        {oauth.Server, s{AuthMethod: "self_signed_tls_client_auth", JWKS: keys}, "jwks"},
		"an x5c of another key":            {oauth.Server, s{AuthMethod: "self_signed_tls_client_auth", JWKS: certifiedKey(t, a.other, a.own)}, "jwks"},
		"the token endpoint as audience":   {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: keys, AuthAudience: "token_endpoint"}, ""},
		"another word as audience":         {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: keys, AuthAudience: "any"}, "token_endpoint_auth_audience"},
		"fapi2 with the token endpoint":    {oauth.Server, s{AuthMethod: "private_key_jwt", JWKS: keys, AuthAudience: "token_endpoint", Profile: oauth.ProfileFAPI2}, "token_endpoint_auth_audience"},
		"fapi2 with a secret":              {oauth.Server, s{AuthMethod: "client_secret_basic", Profile: oauth.ProfileFAPI2}, "token_endpoint_auth_method"},
	} {
		t.Run(name, func(t *testing.T) {
			client := oauth.Client{ID: "c", Type: c.kind, Settings: c.settings, DPoPBound: c.settings.Profile != ""}
			if setting, why := client.Problem(); setting != c.setting || (why == "") != (setting == "") {
				t.Errorf("%q %q, want %q", setting, why, c.setting)
			}
		})
	}
}

// Metadata lists what is configured, and nothing else.
func TestMD02CL27MetadataOfClientAuthentication(t *testing.T) {
	t.Parallel()
	a := newAuthRig(t)
	full := string(a.Metadata())
	for _, want := range []string{
		`"token_endpoint_auth_methods_supported":["none","client_secret_basic","client_secret_post","private_key_jwt","tls_client_auth","self_signed_tls_client_auth","attest_jwt_client_auth","attest_jwt_client_auth_dpop"]`,
		`"introspection_endpoint_auth_methods_supported":["client_secret_basic",`,
		`"token_endpoint_auth_signing_alg_values_supported":["RS256","ES256","EdDSA","PS256"]`,
		`"challenge_endpoint":"` + issuer + `/oauth/challenge"`,
		`"client_attestation_signing_alg_values_supported":["ES256","EdDSA","PS256"]`,
		`"client_attestation_pop_signing_alg_values_supported":["ES256","EdDSA","PS256"]`,
	} {
		if !strings.Contains(full, want) {
			t.Errorf("%s is not in\n%s", want, full)
		}
	}
	bare := string(a.rig.node(a.feed).Metadata())
	if !strings.Contains(bare, `"token_endpoint_auth_methods_supported":["none","client_secret_basic","client_secret_post"]`) || strings.Contains(bare, "challenge_endpoint") || strings.Contains(bare, "attest") {
		t.Errorf("without keys, certificates and attesters:\n%s", bare)
	}
}
