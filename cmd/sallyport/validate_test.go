package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

// folder makes a folder with everything that localConfig names.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := devCertificates(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"master.key": secret.NewHandle(secret.MasterKey).Reveal(),
		"web.secret": secret.NewHandle(secret.ClientSecret).Reveal(),
	} {
		if err := writeNew(filepath.Join(dir, name), text+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const localConfig = `issuer: https://localhost:8443
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {a.read: Read, b.read: Read}
apis:
  - name: a
    audience: https://api.example.com/a
    path: /a
    upstream: http://127.0.0.1:9000
    operations: [{match: "GET /x/{id}", scope: a.read}]
  - name: b
    audience: https://api.example.com/b
    path: /b
    upstream: http://127.0.0.1:9001
    tier: high
    operations: [{match: "GET /x", scope: b.read}]
clients:
  - {client_id: app, type: native, redirect_uris: ["com.example.app:/callback"], scope: openid a.read}
  - {client_id: web, type: server, secret_file: web.secret, redirect_uris: ["https://web.example.com/callback"], scope: openid a.read, resources: [a]}
`

// failing returns the IDs of the rules that a configuration breaks, with the
// evidence.
func failing(t *testing.T, dir, text string) (ids []string, evidence string) {
	t.Helper()
	c, err := parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range validate(c, environment{now: time.Now()}) {
		for _, p := range v.Problems {
			ids = appendNew(ids, v.Rule.ID)
			evidence += p.in("f") + "\n"
		}
	}
	return ids, evidence
}

// verifying is an API that verifies nested tokens itself.
func verifying(keys string) string {
	return "  - name: c\n    audience: https://c.example.com\n    token_format: nested\n    scopes: [c.read]\n    " + keys + "\n"
}

// encrypted is what a client writes who wants all answers encrypted.
func encrypted(file, alg string) string {
	return ", jwks_file: " + file + ", id_token_encrypted_response_alg: " + alg + ", id_token_encrypted_response_enc: A256GCM, " +
		"userinfo_signed_response_alg: ES256, userinfo_encrypted_response_alg: " + alg
}

// detailsTypes declares a type of authorization_details.
const detailsTypes = `
authorization_details_types:
  - type: invoice
    apis: [a]
    text: "Pay {amount.value}"
    fields: [{name: amount.value, label: Amount, required: true, pattern: "[0-9]+", max: 9}, {name: urgent, kind: boolean}]`

// writeKeys writes the JWK Sets that the rules are tried on.
func writeKeys(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]gojose.JSONWebKey{
		"api.jwks":     {Key: key.Public(), KeyID: "1", Use: "enc"},
		"sig.jwks":     {Key: key.Public(), KeyID: "1", Use: "sig"},
		"private.jwks": {Key: key, KeyID: "1", Use: "enc"},
	} {
		b, err := json.Marshal(gojose.JSONWebKeySet{Keys: []gojose.JSONWebKey{k}})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	writeKeys(t, dir)
	files := map[string]string{
		"cut.secret": secret.NewHandle(secret.ClientSecret).Reveal()[:40], "changeme.secret": "changeme-changeme-changeme-changeme-changeme-changeme",
		"short.secret": "Zk3v9QpL1xT", "same.secret": strings.Repeat("ab", 30), "other.key": "spmk_nonsense", "empty.secret": " \n",
		"good.secret": "J7x/0pVq2mRkYc5uWz8dLh3nTb6sEf1gAiOoPv4QyXj9Z=",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "open.secret"), []byte(secret.NewHandle(secret.ClientSecret).Reveal()), 0o644); err != nil {
		t.Fatal(err)
	}
	const issuer, tls, store, aPath, redirect = "issuer: https://localhost:8443", "tls: {cert_file: cert.pem, key_file: key.pem}",
		"store: sqlite:sallyport.db", "path: /a", `["com.example.app:/callback"]`
	for name, tc := range map[string]struct{ old, new, rule, evidence string }{
		"all is well":                                   {"", "", "", ""},
		"issuer without TLS":                            {issuer, "issuer: http://localhost:8443", "CF01", "https://"},
		"issuer with a slash":                           {issuer, "issuer: https://localhost:8443/", "CF01", "ends with a slash"},
		"issuer with a path":                            {issuer, "issuer: https://localhost:8443/tenant", "CF01", "has a path"},
		"issuer with a query":                           {issuer, "issuer: https://localhost:8443?a=b", "CF01", "query"},
		"issuer with a fragment":                        {issuer, "issuer: https://localhost:8443#a", "CF01", "fragment"},
		"issuer with a user":                            {issuer, "issuer: https://me@localhost:8443", "CF01", "user"},
		"issuer in capitals":                            {issuer, "issuer: https://LOCALHOST:8443", "CF01", "lower case"},
		"issuer with the port of https":                 {issuer, "issuer: https://localhost:443", "CF01", "port"},
		"listen without a port":                         {issuer, issuer + "\nlisten: localhost", "CF02", "host:port"},
		"two listeners, one address":                    {issuer, issuer + "\nlisten: 127.0.0.1:9464", "CF02", "same address"},
		"metrics on the port of every address":          {issuer, issuer + "\nlisten: \":9464\"", "CF02", "same address"},
		"metrics on the same port by another name":      {issuer, issuer + "\nlisten: localhost:9464", "CF02", "same address"},
		"listeners at two addresses of this machine":    {issuer, issuer + "\nlisten: 127.0.0.2:9464", "", ""},
		"PP21 every address at a port that is taken":    {issuer, issuer + "\nlisten: 127.0.0.1:28443\nmtls_listen: \":28443\"", "PP21", "address of another listener"},
		"PP21 localhost at a port that is taken":        {issuer, issuer + "\nlisten: 127.0.0.1:28443\nmtls_listen: localhost:28443", "PP21", "address of another listener"},
		"PP21 the port of the metrics":                  {issuer, issuer + "\nmtls_listen: \"[::]:9464\"", "PP21", "metrics_listen has"},
		"PP21 the same port of IPv4 and IPv6":           {issuer, issuer + "\nlisten: 0.0.0.0:28443\nmtls_listen: \"[::1]:28443\"", "", ""},
		"LK01 a password in the mail server":            {issuer, issuer + "\nmail: {server: \"smtps://u:hunter2@h\", from: a@example.com}", "LK01", `"smtps://…@h" is not smtps://HOST`},
		"KY05 a password in the address of keys":        {redirect, redirect + ", jwks_uri: \"https://u:hunter2@h/j\", id_token_encrypted_response_alg: ECDH-ES", "KY05", `"https://…@h/j" is not an address`},
		"a password in the issuer":                      {issuer, "issuer: https://u:hunter2@localhost:8443", "CF01", "has a user"},
		"a password in a redirect URI":                  {redirect, `["https://u:hunter2@a.example/cb"]`, "CL03", "has a user"},
		"a password in an audience":                     {"audience: https://api.example.com/a", "audience: https://u:hunter2@api.example.com/a#x", "CF06", "audience"},
		"KY05 client with keys inside":                  {redirect, redirect + ", jwks_uri: \"https://10.0.0.1/j\", id_token_encrypted_response_alg: ECDH-ES", "KY05", "10.0.0.1:443 is an address that is never asked: private"},
		"KY05 client with keys at a metadata server":    {redirect, redirect + ", jwks_uri: \"https://169.254.169.254/j\", id_token_encrypted_response_alg: ECDH-ES", "KY05", "never asked: cloud metadata"},
		"KY05 nested with keys inside":                  {"apis:\n", "apis:\n" + verifying("jwks_uri: https://10.0.0.1/j"), "KY05", "allow its network in apis[0].jwks_networks"},
		"nested with keys inside, allowed":              {"apis:\n", "apis:\n" + verifying("jwks_uri: https://10.0.0.1:8000/j\n    jwks_networks: [10.0.0.0/8]"), "", ""},
		"KY05 nested with keys at a metadata server":    {"apis:\n", "apis:\n" + verifying("jwks_uri: https://169.254.169.254/j\n    jwks_networks: [10.0.0.0/8]"), "KY05", "never asked: cloud metadata"},
		"KY05 a network with bits of a host":            {"apis:\n", "apis:\n" + verifying("jwks_uri: https://c.example.com/j\n    jwks_networks: [10.1.2.3/8]"), "KY05", "is not a network"},
		"KY05 every network":                            {"apis:\n", "apis:\n" + verifying("jwks_uri: https://c.example.com/j\n    jwks_networks: [0.0.0.0/0]"), "KY05", "is not a private network"},
		"LK02 a webhook inside":                         {issuer, issuer + "\nleaks: {webhook: \"https://10.1.1.1/x\", webhook_secret_file: web.secret}", "LK02", "allow its network in leaks.webhook_networks"},
		"a webhook inside, allowed":                     {issuer, issuer + "\nleaks: {webhook: \"https://10.1.1.1/x\", webhook_secret_file: web.secret, webhook_networks: [10.0.0.0/8]}", "", ""},
		"LK02 every network":                            {issuer, issuer + "\nleaks: {webhook: \"https://h.example/x\", webhook_secret_file: web.secret, webhook_networks: [0.0.0.0/0]}", "LK02", "is not a private network"},
		"CF09 exchange for an API that is none":         {redirect, redirect + ", grant_types: [authorization_code, \"urn:ietf:params:oauth:grant-type:token-exchange\"], token_exchange: {audiences: [z]}", "CF09", "no API is called \"z\""},
		"services that a cluster vouches for":           {issuer, issuer + vouched("jwks_file: sig.jwks", "job"), "", ""},
		"TK20 an issuer without keys":                   {issuer, issuer + vouched("repeatable: true", "job"), "TK20", "assertion_issuers[0].jwks_file: is missing"},
		"TK20 an issuer with keys twice":                {issuer, issuer + vouched("jwks_file: sig.jwks\n    jwks_uri: https://c.example.com/j", "job"), "TK20", "keep one of them"},
		"TK20 an issuer with keys inside":               {issuer, issuer + vouched("jwks_uri: https://10.0.0.1/j", "job"), "TK20", "allow its network in assertion_issuers[0].jwks_networks"},
		"TK20 an issuer with a private key":             {issuer, issuer + vouched("jwks_file: private.jwks", "job"), "TK20", "jwks_file"},
		"TK20 a client that is not for it":              {issuer, issuer + vouched("jwks_file: sig.jwks", "app"), "TK20", "has no grant_types with urn"},
		"a type of authorization_details":               {issuer, issuer + detailsTypes, "", ""},
		"PR12 a type for an API that is not there":      {issuer, issuer + strings.Replace(detailsTypes, "[a]", "[z]", 1), "PR12", "authorization_details_types[0].apis[0]: no API is called"},
		"PR12 a type that is there twice":               {issuer, issuer + detailsTypes + strings.TrimPrefix(detailsTypes, "\nauthorization_details_types:"), "PR12", "is there twice"},
		"PR12 a text of a field that is not there":      {issuer, issuer + strings.Replace(detailsTypes, "{amount.value}", "{price}", 1), "PR12", "text: names {price}"},
		"PR12 a pattern that is none":                   {issuer, issuer + strings.Replace(detailsTypes, "[0-9]+", "[0-9", 1), "PR12", "fields[0].pattern: is no regular expression"},
		"a lifetime under the cap":                      {redirect, redirect + ", access_token_lifetime: 2m", "", ""},
		"a lifetime above the cap":                      {redirect, redirect + ", access_token_lifetime: 59m", "KY05", "access_token_lifetime: is 59m0s"},
		"a client of a type that is not there":          {redirect, redirect + ", authorization_details_types: [loan]", "KY05", "is no type of authorization_details here"},
		"no store":                                      {store, "", "CF03", "is missing"},
		"two stores":                                    {store, store + "\nstore_file: web.secret", "CF03", "keep one"},
		"another database":                              {store, "store: mysql://x/y", "CF03", "neither"},
		"a password in the file":                        {store, "store: postgres://u:hunter2@db/x", "CF03", "password in it"},
		"shared state":                                  {store, store + "\nshared: rediss://cache.example.com", "", ""},
		"PP09 shared state twice":                       {store, store + "\nshared: redis://x\nshared_file: web.secret", "PP09", "keep one"},
		"PP09 another kind of server":                   {store, store + "\nshared: memcached://x", "PP09", "is not redis://"},
		"PP09 a password in the file":                   {store, store + "\nshared: rediss://:hunter2@x", "PP09", "password in it"},
		"PP09 a file that is not there":                 {store, store + "\nshared_file: nowhere", "PP09", "no such file"},
		"PP09 a file with something else":               {store, store + "\nshared_file: web.secret", "PP09", "is not redis://"},
		"no master key":                                 {"master_key_file: master.key", "", "CF04", "is missing"},
		"master key that is none":                       {"master.key", "other.key", "CF04", "not a master key"},
		"master key that is not there":                  {"master.key", "nowhere.key", "CF04", "no such file"},
		"API over the pages of the issuer":              {aPath, "path: /oauth/a", "CF05", "hides /oauth"},
		"API over pages of later versions":              {aPath, "path: /admin", "CF05", "hides /admin"},
		"API over everything":                           {aPath, "path: /", "CF05", "every address"},
		"KY05 nested behind the gateway":                {aPath, aPath + "\n    token_format: nested\n    jwks_file: api.jwks", "KY05", "the gateway cannot open tokens that only the API can read"},
		"KY05 keys for tokens that are not encrypted":   {aPath, aPath + "\n    token_format: jwt\n    jwks_file: api.jwks", "KY05", "keys of an API are for nested tokens alone"},
		"jwt behind the gateway":                        {aPath, aPath + "\n    token_format: jwt", "", ""},
		"an API that verifies nested tokens":            {"apis:\n", "apis:\n" + verifying("jwks_file: api.jwks"), "", ""},
		"KY05 nested without keys":                      {"apis:\n", "apis:\n" + verifying(""), "KY05", "apis[0].jwks_file: is missing"},
		"KY05 nested with keys that are not there":      {"apis:\n", "apis:\n" + verifying("jwks_file: no.jwks"), "KY05", "no such file"},
		"KY05 nested with keys for signatures":          {"apis:\n", "apis:\n" + verifying("jwks_file: sig.jwks"), "KY05", "has no key for encryption"},
		"KY05 nested with a private key":                {"apis:\n", "apis:\n" + verifying("jwks_file: private.jwks"), "KY05", "not a JWK Set of public keys"},
		"KY05 nested with keys that are no JSON":        {"apis:\n", "apis:\n" + verifying("jwks_file: web.secret"), "KY05", "not a JWK Set of public keys"},
		"a client with encrypted answers":               {redirect, redirect + encrypted("api.jwks", "ECDH-ES"), "", ""},
		"a client with signed userinfo":                 {redirect, redirect + ", userinfo_signed_response_alg: ES256", "", ""},
		"KY05 client without keys":                      {redirect, redirect + ", id_token_encrypted_response_alg: ECDH-ES", "KY05", "clients[0].jwks_file: is missing"},
		"KY05 client with keys of another kind":         {redirect, redirect + encrypted("api.jwks", "RSA-OAEP-256"), "KY05", "has no key for RSA-OAEP-256"},
		"KY05 client with a private key":                {redirect, redirect + encrypted("private.jwks", "ECDH-ES"), "KY05", "not a JWK Set of public keys"},
		"KY05 client with keys for signatures":          {redirect, redirect + encrypted("sig.jwks", "ECDH-ES"), "KY05", "has no key for ECDH-ES"},
		"KY05 client with enc alone":                    {redirect, redirect + ", jwks_file: api.jwks, id_token_encrypted_response_enc: A256GCM", "KY05", "stands alone"},
		"KY05 encrypted userinfo without a signature":   {redirect, redirect + ", jwks_file: api.jwks, userinfo_encrypted_response_alg: ECDH-ES", "KY05", "userinfo_signed_response_alg: is missing"},
		"nested with keys elsewhere":                    {"apis:\n", "apis:\n" + verifying("jwks_uri: https://c.example.com/jwks\n    jwks_networks: [10.0.0.0/8]"), "", ""},
		"KY05 nested with keys by http":                 {"apis:\n", "apis:\n" + verifying("jwks_uri: http://c.example.com/jwks"), "KY05", "use https"},
		"KY05 nested with keys twice":                   {"apis:\n", "apis:\n" + verifying("jwks_uri: https://c.example.com/jwks\n    jwks_file: api.jwks"), "KY05", "keep one of them"},
		"KY05 networks without keys":                    {"apis:\n", "apis:\n" + verifying("jwks_file: api.jwks\n    jwks_networks: [10.0.0.0/8]"), "KY05", "is for jwks_uri"},
		"KY05 a network that is none":                   {"apis:\n", "apis:\n" + verifying("jwks_uri: https://c.example.com/jwks\n    jwks_networks: [ten]"), "KY05", "is not a network"},
		"KY05 client with keys by http":                 {redirect, redirect + ", jwks_uri: \"http://c.example.com/jwks\", id_token_encrypted_response_alg: ECDH-ES", "KY05", "use https"},
		"theme that cannot be read":                     {"apis:\n", "people: {theme: {accent: \"#ffcc00\"}}\napis:\n", "CF13", "the nearest colour that has it is #886d00"},
		"theme whose logo is not there":                 {"apis:\n", "people: {theme: {logo_file: nowhere.svg}}\napis:\n", "CF13", "read logo:"},
		"API without path and scopes":                   {"apis:\n", "apis:\n  - {name: c, audience: \"https://c.example.com\"}\n", "CF12", "apis[0].scopes: are missing"},
		"API without path, two scopes in one":           {"apis:\n", "apis:\n  - {name: c, audience: \"https://c.example.com\", scopes: [\"c d\"]}\n", "CF12", "not one scope value"},
		"API without path, the audience of another":     {"apis:\n", "apis:\n  - {name: c, audience: \"https://api.example.com/a\", scopes: [c.read]}\n", "CF12", "is that of c"},
		"API without path, the name of another":         {"  - name: b", "  - {name: a, audience: \"https://c.example.com\", scopes: [c.read]}\n  - name: b", "CF12", "name of another API"},
		"API without path, the scope of another":        {"  - name: b", "  - {name: c, audience: \"https://c.example.com\", scopes: [a.read]}\n  - name: b", "CF07", "belongs to the API a already"},
		"API without path, for browsers":                {"  - name: b", "  - {name: c, audience: \"https://c.example.com\", scopes: [c.read], cors_origins: [\"https://x.example.com\"]}\n  - name: b", "CF12", "only the gateway answers browsers"},
		"API behind the gateway with scopes of its own": {aPath, aPath + "\n    scopes: [a.more]", "CF12", "has the scopes of its operations"},
		"two APIs, one path":                            {"path: /b", "path: /a", "CF06", "apis[1].path: the same as"},
		"audience that is no URI":                       {"audience: https://api.example.com/a", "audience: a", "CF06", "apis[0].audience"},
		"operation without a method":                    {"GET /x/{id}", "/x/{id}", "CF06", "apis[0].operations[0].match"},
		"operation with a wild method":                  {"GET /x/{id}", "FETCH /x/{id}", "CF06", "apis[0].operations[0].match"},
		"parameter inside a segment":                    {"GET /x/{id}", "GET /x/a{id}", "CF06", "one whole segment"},
		"API without operations":                        {`operations: [{match: "GET /x", scope: b.read}]`, "operations: []", "CF06", "everything unlisted is refused"},
		"operation without a scope":                     {", scope: a.read}", "}", "CF06", "every operation needs one"},
		"upstream without a scheme":                     {"http://127.0.0.1:9000", "127.0.0.1:9000", "CF06", `f:10: apis[0].upstream: "127.0.0.1:9000" is not an http or https URL with a host: write for example http://127.0.0.1:9000`},
		"upstream with a name and a port":               {"http://127.0.0.1:9000", "localhost:9000", "CF06", "is not an http or https URL with a host"},
		"upstream without a host":                       {"http://127.0.0.1:9000", "http://:9000", "CF06", "is not an http or https URL with a host"},
		"upstream with a password":                      {"http://127.0.0.1:9000", "u:hunter2@127.0.0.1:9000", "CF06", `"…" is not an http or https URL with a host`},
		"upstream with a user":                          {"http://127.0.0.1:9000", "http://u:p@127.0.0.1:9000", "CF06", "neither user"},
		"one scope, two APIs":                           {"scope: b.read}", "scope: a.read}", "CF07", "belongs to the API a already"},
		"operation with the scope openid":               {"scope: b.read}", "scope: openid}", "CF07", "scope of the issuer"},
		"words for a scope that is nowhere":             {"b.read: Read", "b.raed: Read", "CF07", "did you mean b.read?"},
		"client_id with a space":                        {"client_id: app", `client_id: "my app"`, "CF08", "other characters"},
		"one client_id twice":                           {"client_id: web", "client_id: app", "CF08", "is there twice"},
		"CL02 a native client with a secret": {
			"type: native", "type: native, secret_file: web.secret", "CL02",
			"cannot keep a secret",
		},
		"CL02 a browser client with a secret":                {"type: native, redirect_uris: " + redirect, `type: browser, secret_file: web.secret, redirect_uris: ["https://a.example/"]`, "CL02", "cannot keep a secret"},
		"CL02 a server client without one":                   {", secret_file: web.secret", "", "CL02", "is missing"},
		"CL02 a secret file that is not there":               {"web.secret", "nowhere.secret", "CL02", "no such file"},
		"CL02 a secret file with nothing in it":              {"web.secret", "empty.secret", "CL02", "is empty"},
		"CL03 wildcard":                                      {redirect, `["https://*.example.com/cb"]`, "CL03", "wildcard"},
		"no redirect URI":                                    {redirect, "[]", "CL03", "at least one"},
		"scope that no API has":                              {"scope: openid a.read}", "scope: openid a.raed}", "CF09", "did you mean a.read?"},
		"two spaces in a scope":                              {"scope: openid a.read}", `scope: "openid  a.read"}`, "CF09", "more than one space"},
		"resource that is no API":                            {"resources: [a]", "resources: [c]", "CF09", "no API is called"},
		"native client that introspects":                     {"type: native", "type: native, resources: [a]", "CF09", "cannot introspect"},
		"KY07 a handle that was cut":                         {"web.secret", "cut.secret", "KY07", "checksum"},
		"KY07 changeme":                                      {"web.secret", "changeme.secret", "KY07", "placeholder"},
		"KY07 a short secret":                                {"web.secret", "short.secret", "KY07", "at least 43"},
		"KY07 few characters repeated":                       {"web.secret", "same.secret", "KY07", "repeats"},
		"a foreign secret with 256 bits is good":             {"web.secret", "good.secret", "", ""},
		"PP16 bound in two ways":                             {"type: native,", "type: native, dpop_bound_access_tokens: true, tls_client_certificate_bound_access_tokens: true,", "PP16", "one key"},
		"PP16 bound by DPoP is good":                         {"type: native,", "type: native, dpop_bound_access_tokens: true,", "", ""},
		"PP16 bound to a certificate that nobody asks for":   {"type: native,", "type: native, tls_client_certificate_bound_access_tokens: true,", "PP16", "set mtls_listen"},
		"PP16 a browser with a certificate":                  {"type: native, redirect_uris: " + redirect, `type: browser, tls_client_certificate_bound_access_tokens: true, redirect_uris: ["https://a.example/"]`, "PP16", "would ask people"},
		"PP21 a second listener is good":                     {issuer, issuer + "\nmtls_listen: 127.0.0.1:8444", "", ""},
		"PP21 under another name of the certificate is good": {issuer, issuer + "\nmtls_listen: 127.0.0.1:8444\nmtls_url: https://127.0.0.1:9444", "", ""},
		"PP21 on the first listener's address":               {issuer, issuer + "\nmtls_listen: \":8443\"", "PP21", "another listener"},
		"PP21 on no port":                                    {issuer, issuer + "\nmtls_listen: 127.0.0.1:0", "PP21", "no fixed port"},
		"PP21 an address without a listener":                 {issuer, issuer + "\nmtls_url: https://localhost:8444", "PP21", "without mtls_listen"},
		"PP21 at the issuer's address":                       {issuer, issuer + "\nmtls_listen: 127.0.0.1:8444\nmtls_url: https://localhost:8443", "PP21", "own address"},
		"PP21 an address with a path":                        {issuer, issuer + "\nmtls_listen: 127.0.0.1:8444\nmtls_url: https://localhost:8444/x", "PP21", "nothing behind it"},
		"PP21 without TLS":                                   {issuer, issuer + "\nmtls_listen: 127.0.0.1:8444\nmtls_url: http://localhost:8444", "PP21", "nothing behind it"},
		"PP21 a host that the certificate does not have":     {issuer, issuer + "\nmtls_listen: 127.0.0.1:8444\nmtls_url: https://mtls.example.com", "PP21", "not for mtls.example.com"},
		"a secret that others can read":                      {"web.secret", "open.secret", "CF10", "chmod 600"},
		"TL07 an authority beside files":                     {tls, "tls: {cert_file: cert.pem, key_file: key.pem, acme: {directory: \"https://ca.example.com\", accept_terms: true, hosts: [localhost]}}", "CF11", "keep one"},
		"TL07 an authority without its address":              {tls, "tls: {acme: {accept_terms: true, hosts: [auth.example.com]}}", "TL07", "directory: is missing"},
		"TL07 an authority over plain HTTP":                  {tls, "tls: {acme: {directory: \"http://ca.example.com\", accept_terms: true}}", "TL07", "not an https address"},
		"TL07 terms that nobody agreed to":                   {tls, "tls: {acme: {directory: \"https://ca.example.com\"}}", "TL07", "must be true"},
		"TL07 a host that no authority can check":            {tls, "tls: {acme: {directory: \"https://ca.example.com\", accept_terms: true}}", "TL07", "\"localhost\" is not a name"},
		"TL07 a wildcard":                                    {tls, "tls: {acme: {directory: \"https://ca.example.com\", accept_terms: true, hosts: [\"*.example.com\"]}}", "TL07", "not a name"},
		"TL07 hosts without that of the issuer":              {tls, "tls: {acme: {directory: \"https://ca.example.com\", accept_terms: true, hosts: [a.example.com]}}", "TL07", "lacks localhost"},
		"TL07 an authority that a missing file vouches for":  {tls, "tls: {acme: {directory: \"https://ca.example.com\", accept_terms: true, ca_file: none.pem}}", "TL07", "none.pem"},
		"TL07 an address to write to that is none":           {tls, "tls: {acme: {directory: \"https://ca.example.com\", accept_terms: true, email: me}}", "TL07", "not an address"},
		"no certificate":                                     {tls, "tls: {}", "CF11", "is missing"},
		"certificate without a key":                          {tls, "tls: {cert_file: cert.pem}", "CF11", "key_file"},
		"certificate and self-signed":                        {tls, "tls: {cert_file: cert.pem, key_file: key.pem, self_signed: true}", "CF11", "keep one"},
		"certificate with another key":                       {"key_file: key.pem", "key_file: ca-key.pem", "CF11", "does not match"},
		"certificate of another host":                        {issuer, "issuer: https://auth.example.com", "CF11", "is not for auth.example.com"},
		"self-signed on this machine is good":                {tls, "tls: {self_signed: true}", "", ""},
		"CL09 tls_client_auth without a listener":            {", secret_file: web.secret", ", token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: web.example.com", "CL09", "set mtls_listen"},
		"CL09 two names of a certificate":                    {", secret_file: web.secret", ", token_endpoint_auth_method: tls_client_auth, tls_client_auth_san_dns: web.example.com, tls_client_auth_san_ip: 192.0.2.7", "KY05", "one name"},
		"CL09 private_key_jwt without keys":                  {", secret_file: web.secret", ", token_endpoint_auth_method: private_key_jwt", "KY05", "jwks_uri"},
		"CL09 private_key_jwt with its keys":                 {", secret_file: web.secret", ", token_endpoint_auth_method: private_key_jwt, jwks_file: sig.jwks", "", ""},
		"CL09 an app that nobody vouches for":                {"client_id: app, type: native", "client_id: app, token_endpoint_auth_method: attest_jwt_client_auth, type: native", "CL09", "attesters"},
		"CL09 an attester without clients":                   {store, store + "\nattesters: [{issuer: \"https://a.example.com\", jwks_file: sig.jwks}]", "CL09", "clients"},
		"CL09 an attester without keys":                      {store, store + "\nattesters: [{issuer: \"https://a.example.com\", clients: [app]}]", "CL09", "jwks_file"},
		"CL09 assertions that live for a day":                {store, store + "\nassertion_lifetime: 24h", "CL09", "is not between"},
		"CL09 authorities without a listener":                {store, store + "\nmtls_client_ca_file: cert.pem", "CL09", "without mtls_listen"},
		"a path of the issuer as a prefix is no-one":         {aPath, "path: /oauthx", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(localConfig, tc.old, tc.new, 1)
			if text == localConfig && tc.old != "" {
				t.Fatalf("%q is not in the configuration", tc.old)
			}
			ids, evidence := failing(t, dir, text)
			if tc.rule == "" && len(ids) > 0 {
				t.Fatalf("breaks %v:\n%s", ids, evidence)
			}
			if tc.rule != "" && (len(ids) == 0 || !contains(ids, tc.rule) || !strings.Contains(evidence, tc.evidence)) {
				t.Errorf("breaks %v, want %s with %q:\n%s", ids, tc.rule, tc.evidence, evidence)
			}
			if strings.Contains(evidence, "hunter2") {
				t.Errorf("the evidence has a password: %s", evidence)
			}
		})
	}
}

// What CF00 has named is not named again for what it leaves behind.
func TestNoFindingsBehindCF00(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, tc := range map[string]struct{ old, new string }{
		"wrong type of client":       {"type: native", "type: mobile"},
		"misspelled field":           {"issuer:", "isuer:"},
		"misspelled field in a list": {"upstream:", "upsteam:"},
		"tls is a word":              {"tls: {cert_file: cert.pem, key_file: key.pem}", "tls: yes"},
		"tls of a later version":     {"tls: {cert_file: cert.pem, key_file: key.pem}", "tls: {stapling: {email: a@example.com}}"},
		"store is a number":          {"store: sqlite:sallyport.db", "store: 5"},
		"operations are a word":      {`operations: [{match: "GET /x", scope: b.read}]`, "operations: none"},
		"no address at all":          {"issuer: https://localhost:8443", "issuer: [a]"},
	} {
		text := strings.Replace(localConfig, tc.old, tc.new, 1)
		c, err := parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(text), nil)
		if err == nil {
			t.Errorf("%s: the file was read", name)
			continue
		}
		for _, v := range validate(c, environment{now: time.Now()}) {
			for _, p := range append(v.Problems, v.Warnings...) {
				t.Errorf("%s: %s says %s", name, v.Rule.ID, p.in("f"))
			}
		}
	}
}

func contains(list []string, s string) bool { return len(appendNew(list, s)) == len(list) }

func TestSelfSignedIsForThisMachineOnly(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("https://localhost:8443", "https://auth.example.com", "{cert_file: cert.pem, key_file: key.pem}", "{self_signed: true}").Replace(localConfig)
	if ids, evidence := failing(t, folder(t), text); !contains(ids, "CF11") {
		t.Errorf("a self-signed certificate for a host on the internet: breaks %v\n%s", ids, evidence)
	}
}

func TestExpiredCertificateFails(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	c, err := parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(localConfig), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range validate(c, environment{now: time.Now().Add(leafLife)}) {
		if v.Rule.ID == "CF11" && len(v.Problems) == 0 {
			t.Error("an expired certificate passes")
		}
	}
}

func TestCL03RedirectURIRulesByType(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		t    oauth.ClientType
		uri  string
		good bool
	}{
		{oauth.Native, "https://app.example.com/callback", true},
		{oauth.Native, "com.example.app:/callback", true},
		{oauth.Native, "com.example.app://callback", true},
		{oauth.Native, "http://127.0.0.1/callback", true},
		{oauth.Native, "http://127.0.0.1:8080/callback", true},
		{oauth.Native, "http://[::1]/callback", true},
		{oauth.Browser, "https://app.example.com/callback", true},
		{oauth.Server, "https://app.example.com/callback?tenant=1", true},
		{oauth.Native, "myapp:/cb", false},
		{oauth.Native, "com.example.app:callback", false},
		{oauth.Native, ".app:/cb", false},
		{oauth.Native, "Com.Example.App:/cb", false},
		{oauth.Native, "http://localhost/callback", false},
		{oauth.Native, "http://example", false},
		{oauth.Native, "http://198.51.100.7/cb", false},
		{oauth.Native, "http://127.0.0.1.example.com/cb", false},
		{oauth.Native, "http://127.0.0.1@evil.example/cb", false},
		{oauth.Browser, "http://127.0.0.1/callback", false},
		{oauth.Browser, "com.example.app:/callback", false},
		{oauth.Server, "http://app.example.com/cb", false},
		{oauth.Server, "com.example.app:/callback", false},
		{oauth.Server, "https://*.x", false},
		{oauth.Server, "https://app.example.com/*", false},
		{oauth.Server, "https://app.example.com/cb#frag", false},
		{oauth.Server, "https://app.example.com/cb#", false},
		{oauth.Server, "https://user@app.example.com/cb", false},
		{oauth.Server, "https:///cb", false},
		{oauth.Server, "https:app.example.com", false},
		{oauth.Server, "//app.example.com/cb", false},
		{oauth.Server, "/cb", false},
		{oauth.Server, "", false},
		{oauth.Server, "https://app.example.com/ cb", false},
		{oauth.Server, "https://app.example.com/\tcb", false},
		{oauth.Server, `https://app.example.com\cb`, false},
		{oauth.Server, "https://APP.example.com/cb", false},
		{oauth.Server, "https://app.example.com/" + strings.Repeat("a", 2048), false},
		{oauth.Native, "javascript:alert(1)", false},
		{oauth.Native, "JavaScript:alert(1)", false},
		{oauth.Native, "data:text/html,x", false},
		{oauth.Native, "file:///etc/passwd", false},
		{oauth.ServiceClient, "https://app.example.com/cb", false},
		{oauth.Native, "http://shop.example.com/", false},
	} {
		if why := oauth.RedirectProblem(tc.t, tc.uri); (why == "") != tc.good {
			t.Errorf("%s client with %q: %q, want good: %t", tc.t, tc.uri, why, tc.good)
		}
	}
}

func TestRedirectHintsSayWhatToWrite(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{"http://shop.example.com/": "use https", "http://localhost/cb": "write 127.0.0.1"} {
		if got := oauth.RedirectProblem(oauth.Native, uri); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

func TestRuleIDsAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{readable.ID: true}
	for _, r := range rules {
		if seen[r.ID] || r.What == "" || r.Fix == "" {
			t.Errorf("rule %s is there twice or says too little", r.ID)
		}
		seen[r.ID] = true
	}
}

func TestPP16WhoNeedsAKeyIsTold(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, tc := range map[string]struct {
		mark, scope string
		warns       bool
	}{
		"tier high, bound by nothing":     {"", "b.read", true},
		"tier high, bound by DPoP":        {", dpop_bound_access_tokens: true", "b.read", false},
		"tier high, bound to certificate": {", tls_client_certificate_bound_access_tokens: true", "b.read", false},
		"tier standard":                   {"", "a.read", false},
	} {
		text := strings.Replace(localConfig, "scope: openid a.read}", "scope: openid "+tc.scope+tc.mark+"}", 1) + "mtls_listen: 127.0.0.1:8444\n"
		c, err := parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range validate(c, environment{now: time.Now()}) {
			if len(v.Problems) > 0 || v.Rule.ID == "PP16" && (len(v.Warnings) > 0) != tc.warns {
				t.Errorf("%s: %s says %v %v", name, v.Rule.ID, v.Problems, v.Warnings)
			}
		}
	}
}

// vouched is an issuer of assertions with keys that speaks for a client.
func vouched(keys, clientID string) string {
	return "\nassertion_issuers:\n  - issuer: https://cluster.example.com\n    " + keys + "\n    subjects: [{subject: \"system:serviceaccount:shop:job\", client_id: " + clientID + "}]"
}
