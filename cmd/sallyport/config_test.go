package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const goodConfig = `issuer: https://auth.example.com
listen: ":8443"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {catalog.read: See the catalog, catalog.write: Change the catalog}
apis:
  - name: catalog
    audience: https://api.example.com/catalog
    path: /catalog
    upstream: http://127.0.0.1:9000
    tier: standard
    operations:
      - {match: "GET /items/{id}", scope: catalog.read}
      - {match: "PUT /items/{id}", scope: catalog.write, acr: mfa, max_age: 5m}
clients:
  - {client_id: shop-app, type: native, redirect_uris: ["com.example.shop:/callback"], scope: "openid catalog.read"}
`

func TestConfigReadsWhole(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("sallyport.yaml", []byte(goodConfig), nil)
	if err != nil {
		t.Fatal(err)
	}
	op := c.APIs[0].Operations[1]
	if c.MetricsListen != "127.0.0.1:9464" || op.MaxAge.std() != 5*time.Minute || op.acr() != "urn:sallyport:mfa" ||
		c.Clients[0].RedirectURIs[0] != "com.example.shop:/callback" || c.Scopes["catalog.read"] != "See the catalog" {
		t.Errorf("read %+v", c)
	}
	if c.lineOf("apis[0].operations[1].acr") != 15 || c.lineOf("apis[0].cors_origins") != 8 {
		t.Errorf("lines are wrong: %v", c.lines)
	}
}

func TestConfigIsStrict(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"unknown field names the nearest one":     {"isuer: https://a.example\n", "f.yaml:1: isuer: unknown field: did you mean issuer?"},
		"also deep inside":                        {"apis:\n  - name: a\n    upsteam: x\n", "f.yaml:3: apis[0].upsteam: unknown field: did you mean upstream?"},
		"far from all, the known ones are listed": {"tls:\n  zzzzzzzzzz: 1\n", "known are cert_file, key_file, acme, self_signed"},
		"a field twice":                           {"issuer: a\nlisten: b\nissuer: c\n", "f.yaml:3: issuer: is there twice, first in line 1"},
		"list where text is expected":             {"issuer: [a]\n", "f.yaml:1: issuer: must be text, it is a list"},
		"text where a list is expected":           {"apis: catalog\n", "f.yaml:1: apis: must be a list, it is a single value"},
		"number where text is expected":           {"clients:\n  - client_id: 12\n", "f.yaml:2: clients[0].client_id: must be text, 12 is not: write it in quotes"},
		"text where a truth value is expected":    {"tls: {self_signed: maybe}\n", `f.yaml:1: tls.self_signed: must be true or false, it is "maybe"`},
		"empty value":                             {"issuer:\n", "f.yaml:1: issuer: is empty"},
		"duration without a unit":                 {"apis: [{operations: [{max_age: 5}]}]\n", "is not a duration: write for example 90s, 5m or 12h"},
		"negative duration":                       {"apis: [{operations: [{max_age: -5m}]}]\n", "is not a duration"},
		"word outside of the list":                {"apis:\n  - tier: hihg\n", `f.yaml:2: apis[0].tier: "hihg" is not one of low, standard, high: did you mean high?`},
		"a word far from the list gets no hint":   {"clients:\n  - type: mobile\n", `"mobile" is not one of native, browser, server, service` + "\n"},
		"a secret in the file means its file":     {"clients:\n  - client_secret: x\n", "unknown field: did you mean secret_file?"},
		"not YAML":                                {"issuer: [\n", "f.yaml:"},
		"nothing":                                 {"", "f.yaml: is empty"},
		"more than one document":                  {"issuer: a\n---\nissuer: b\n", "more than one document"},
		"an OpenAPI document that is not there":   {"apis:\n  - openapi: x.yaml\n", "f.yaml:2: apis[0].openapi: x.yaml: cannot be read"},
		"an alias that holds itself ends":         {"apis: &a\n  - *a\n", "f.yaml:"},
	} {
		_, err := parseConfig("f.yaml", []byte(tc.text), nil)
		if err == nil || !strings.Contains(err.Error()+"\n", tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func TestConfigListsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := parseConfig("f.yaml", []byte("isuer: a\nlisten: [b]\ntls: {cme: {}}\nclients: [{typ: native}]\n"), nil)
	var all *problemsError
	if !errors.As(err, &all) || len(all.problems) != 4 {
		t.Fatalf("got %v, want four problems", err)
	}
	for i, p := range all.problems {
		if p.Line != i+1 {
			t.Errorf("problem %d is in line %d: %v", i, p.Line, p)
		}
	}
}

func TestConfigEnvironment(t *testing.T) {
	t.Parallel()
	env := []string{
		"SALLYPORT_ISSUER=https://other.example.com", "SALLYPORT_TLS_CERT_FILE=other.pem", "SALLYPORT_TLS_SELF_SIGNED=true",
		"SALLYPORT_STORE=", "SALLYPORT_PORT=tcp://10.0.0.1:8443", "SALLYPORT_APIS=x",
	}
	c, err := parseConfig("f.yaml", []byte(goodConfig), env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "https://other.example.com" || c.TLS.CertFile != "other.pem" || !c.TLS.SelfSigned {
		t.Errorf("not overridden: %+v", c)
	}
	if c.Store != "sqlite:sallyport.db" {
		t.Error("an empty variable counts as unset")
	}
	for entry, want := range map[string]string{
		"SALLYPORT_TLS_SELF_SIGNED=perhaps": `SALLYPORT_TLS_SELF_SIGNED: must be true or false, it is "perhaps"`,
		"SALLYPORT_ISUER=https://a.example": "SALLYPORT_ISUER: unknown variable: did you mean SALLYPORT_ISSUER?",
		"SALLYPORT_TLS_CERTFILE=a.pem":      "SALLYPORT_TLS_CERTFILE: unknown variable: did you mean SALLYPORT_TLS_CERT_FILE?",
	} {
		if _, err := parseConfig("f.yaml", []byte(goodConfig), []string{entry}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", entry, err, want)
		}
	}
	for _, entry := range []string{"SALLYPORT_SERVICE_HOST=10.0.0.1", "SALLYPORT_PORT_8443_TCP_ADDR=10.0.0.1", "SALLYPORT_TEST_PG=require", "SALLYPORT_ISUER="} {
		if _, err := parseConfig("f.yaml", []byte(goodConfig), []string{entry}); err != nil {
			t.Errorf("%s: %v, want it to be left alone", entry, err)
		}
	}
}

// The line of the file is not where a value of the environment is mended.
func TestRulesNameTheVariable(t *testing.T) {
	t.Parallel()
	c, err := parseConfig("f.yaml", []byte(goodConfig), []string{"SALLYPORT_LISTEN=nonsense"})
	if err != nil {
		t.Fatal(err)
	}
	if err := mustHold(c, environment{}); err == nil || !strings.Contains(err.Error(), `SALLYPORT_LISTEN: "nonsense" is not host:port`) || strings.Contains(err.Error(), "f.yaml:2") {
		t.Errorf("got %v, want the variable named", err)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"isuer": "issuer", "Listen": "listen", "redirect_uri": "redirect_uris", "clientid": "client_id"} {
		if got := suggest(word, []string{"issuer", "listen", "redirect_uris", "client_id"}); got != ": did you mean "+want+"?" {
			t.Errorf("suggest(%s) = %q, want %s", word, got, want)
		}
	}
}
