package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// withDocument is a configuration whose API a has an OpenAPI document, and the document.
func withDocument(extra string) string {
	return strings.Replace(localConfig, `    operations: [{match: "GET /x/{id}", scope: a.read}]`+"\n", "    openapi: a.yaml\n"+extra, 1)
}

const smallDocument = `openapi: 3.1.0
info: {title: a, version: "1"}
servers: [{url: "https://api.example.com/a/v2"}]
security: [{sign_in: [a.read]}]
paths:
  /x/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {responses: {"200": {description: one}}}
    put:
      x-sallyport: {tier: standard, acr: mfa, max_age: 5m, objects: [{path: id, claim: sub}], responses: report}
      responses: {"200": {description: one}}
    options: {responses: {"200": {description: not ours}}}
  /old:
    get:
      x-sallyport: {retired: true}
      responses: {"200": {description: one}}
components:
  securitySchemes:
    sign_in: {type: oauth2, flows: {}}
`

// parsedWith reads a configuration beside a document.
func parsedWith(t *testing.T, text, document string) (*config, error) {
	t.Helper()
	dir := folder(t)
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "parts.yaml"), []byte("Id: {type: string, maxLength: 3}\nOther: {type: integer}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(text), nil)
}

func TestOperationsOfAnOpenAPIDocument(t *testing.T) {
	t.Parallel()
	c, err := parsedWith(t, withDocument("    operations: [{match: \"GET /v2/x/{id}\", acr: phr}]\n"), smallDocument)
	if err != nil {
		t.Fatal(err)
	}
	if err := mustHold(c, environment{now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	api, err := c.APIs[0].gatewayAPI()
	if err != nil {
		t.Fatal(err)
	}
	if len(api.Operations) != 2 {
		t.Fatalf("%d operations, want 2: OPTIONS and what is retired are not served", len(api.Operations))
	}
	get, put := api.Operations[0], api.Operations[1]
	if get.Path != "/v2/x/{id}" || get.Scope != "a.read" || get.ACR != "urn:sallyport:phr" || get.Contract == nil {
		t.Errorf("GET: %+v", get)
	}
	if put.Method != "PUT" || put.ACR != "urn:sallyport:mfa" || put.MaxAge != 5*time.Minute || len(put.Objects) != 1 || put.Contract.Answers != 1 {
		t.Errorf("PUT: %+v", put)
	}
}

func TestOpenAPIDocumentsThatCannotBeHeld(t *testing.T) {
	t.Parallel()
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(smallDocument) }
	for rule, tc := range map[string]struct{ config, document, want string }{
		"an operation without security": {
			withDocument(""), change("    get: {resp", "    get: {security: [], resp"),
			"apis[0].openapi: a.yaml:8: GET /v2/x/{id}: security: names no scope",
		},
		"two scopes":                {withDocument(""), change("[a.read]", "[a.read, a.write]"), "names a.read, a.write"},
		"a scope of a key":          {withDocument(""), change("oauth2", "apiKey"), "names no scope"},
		"a scheme that is not":      {withDocument(""), change("    sign_in: {", "    other: {"), "a.yaml:4: security: there is no security scheme"},
		"a match that is not there": {withDocument("    operations: [{match: \"GET /v2/y/{id}\"}]\n"), smallDocument, "apis[0].operations[0].match: \"GET /v2/y/{id}\" is not in a.yaml: did you mean GET /v2/x/{id}?"},
		"another name of a parameter": {
			withDocument("    operations: [{match: \"GET /v2/x/{key}\"}]\n"), smallDocument, "write GET /v2/x/{id}",
		},
		"a slip in the extension":   {withDocument(""), change("max_age", "max_aeg"), "a.yaml:10: x-sallyport.max_aeg: unknown field: did you mean max_age?"},
		"a match in the extension":  {withDocument(""), change("retired: true", "match: GET /"), "x-sallyport.match: is what the document says itself"},
		"servers of two versions":   {withDocument(""), change(`"}]`, `"}, {url: "https://api.example.com/a/v3"}]`), "servers: their paths differ"},
		"Swagger 2":                 {withDocument(""), change("openapi: 3.1.0", `swagger: "2.0"`), "no version that is read"},
		"YAML aliases":              {withDocument(""), change("info: {title: a", "info: &a {title: a, a: *a"), "aliases"},
		"a name twice":              {withDocument(""), smallDocument + "paths: {}\n", "a.yaml:20: \"paths\" is there twice"},
		"a file of another folder":  {withDocument(""), change("schema: {type: string}", "schema: {$ref: '../parts.yaml#/Id'}"), "is not a file of the same folder"},
		"a keyword that is unknown": {withDocument(""), change("schema: {type: string}", "schema: {type: string, maxLenght: 3}"), "CF15 apis[0].operations[0].match: a.yaml:8: GET /v2/x/{id}: a.yaml:7: the schema keyword"},
		"a header that is dropped":  {withDocument(""), change("[{name: id", "[{name: X-User-Id, in: header, required: true}, {name: id"), "CF06 apis[0].operations[0].match: a.yaml:8: GET /v2/x/{id}: the document requires the header"},
		"a cookie that is needed":   {withDocument(""), change("[{name: id", "[{name: sid, in: cookie, required: true}, {name: id"), "cookies are not passed on"},
		"a path that nobody tells":  {withDocument(""), change("name: id, in: path", "name: id, in: query"), "of the path is not described"},
		"a scope of the issuer":     {withDocument(""), change("[a.read]", "[openid]"), "CF07 apis[0].operations[0].scope: a.yaml:8: GET /v2/x/{id}: openid is a scope of the issuer"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			c, err := parsedWith(t, tc.config, tc.document)
			if err == nil {
				for _, v := range validate(c, environment{now: time.Now()}) {
					for _, p := range v.Problems {
						p.Line = 0
						if strings.Contains(v.Rule.ID+" "+strings.TrimPrefix(p.in("f"), "f: "), tc.want) {
							return
						}
						t.Logf("%s %s", v.Rule.ID, p.in("f"))
					}
				}
				t.Fatalf("passes, want %q", tc.want)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestOpenAPIDocumentsInManyFiles(t *testing.T) {
	t.Parallel()
	c, err := parsedWith(t, withDocument(""), strings.Replace(smallDocument, "schema: {type: string}", "schema: {$ref: './parts.yaml#/Id'}", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.APIs[0].gatewayAPI(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range c.files() {
		if f.policy {
			names = append(names, filepath.Base(f.name))
		}
	}
	for _, want := range []string{"a.yaml", "parts.yaml"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not watched: %v", want, names)
		}
	}
}

func TestAP03PagesWithoutAnEndAreWarnedOf(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]bool{"{type: integer}": true, "{type: integer, maximum: 100}": false} {
		c, err := parsedWith(t, withDocument(""), strings.Replace(smallDocument, "[{name: id", "[{name: page_size, in: query, schema: "+schema+"}, {name: id", 1))
		if err != nil {
			t.Fatal(err)
		}
		var warned bool
		for _, v := range validate(c, environment{now: time.Now()}) {
			for _, p := range v.Warnings {
				warned = warned || v.Rule.ID == "CF15" && strings.Contains(p.Text, "page_size has no maximum")
			}
		}
		if warned != want {
			t.Errorf("%s: warned %v, want %v", schema, warned, want)
		}
	}
}
