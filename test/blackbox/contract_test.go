package blackbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"sallyport/test/rig"
)

// demoRoute is what the tests know of a route of the demo: a call that passes,
// and which of its parts belong to somebody.
type demoRoute struct {
	path   string // {person} is the sub of the caller
	body   string
	owner  []string            // places of a body that name an owner: pointers of one member
	server map[string][]string // members that only the server sets, by the pointer of their object
}

// demoRoutes is the ownership map of the catalog.
var demoRoutes = map[string]demoRoute{
	"GET /items/{id}":             {path: "/items/1"},
	"PUT /items/{id}":             {path: "/items/1", body: `{"name":"lamp","price":3}`, server: map[string][]string{"": {"id"}}},
	"GET /people/{person}/basket": {path: "/people/{person}/basket"},
	"PUT /people/{person}/basket": {
		path: "/people/{person}/basket", body: `{"lines":[{"id":"1","count":2,"owner":"{person}"},{"id":"2","count":1}]}`,
		owner: []string{"owner"}, server: map[string][]string{"": {"paid"}},
	},
	"GET /offers": {path: "/offers"},
}

// listed is an operation of the document.
type listed struct{ method, path, scope string }

// documented lists the operations of the catalog's document.
func documented(t *testing.T) (list []listed) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "cmd", "sallyport", "dev_catalog.openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths {
		for method, node := range item {
			var op struct {
				Security []map[string][]string `yaml:"security"`
			}
			if node.Kind != yaml.MappingNode || node.Decode(&op) != nil {
				continue // parameters
			}
			list = append(list, listed{strings.ToUpper(method), path, op.Security[0]["sign_in"][0]})
		}
	}
	if len(list) != len(demoRoutes) {
		t.Fatalf("%d operations, and %d in the ownership map", len(list), len(demoRoutes))
	}
	return list
}

// pack makes attacks on every route of the catalog out of its document.
type pack struct {
	s      *rig.Server
	base   string
	person string
	tokens map[string]string // by what they may
	ops    []listed
}

func newPack(t *testing.T) *pack {
	t.Helper()
	p := &pack{s: rig.Start(t, rig.Options{}), tokens: map[string]string{"": ""}, ops: documented(t)}
	p.base = p.s.API(t, "catalog").URL
	browser := p.s.Person(t)
	p.tokens["catalog.read"] = browser.Tokens(t, rig.ReadScope).AccessToken
	p.tokens["catalog.write"] = browser.Tokens(t, rig.WriteScope).AccessToken
	p.tokens["service"] = p.s.ServiceToken(t, "catalog.read").AccessToken
	_, body := p.call(t, "GET", "/items/1", "", p.tokens["catalog.read"])
	var answer struct {
		Seen struct {
			Sub string `json:"sub"`
		} `json:"seen"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Seen.Sub == "" {
		t.Fatalf("who am I: %s", body)
	}
	p.person = answer.Seen.Sub
	return p
}

func (p *pack) call(t *testing.T, method, path, body, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := p.s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, rig.ReadBody(t, res)
}

func (p *pack) want(t *testing.T, what string, want int, method, path, body, token string) string {
	t.Helper()
	status, answer := p.call(t, method, path, body, token)
	if status != want {
		t.Errorf("%s: %s %s %s: %d %s, want %d", what, method, path, body, status, answer, want)
	}
	return answer
}

// route returns the path and body that pass for somebody.
func (p *pack) route(t *testing.T, l listed, person string) demoRoute {
	t.Helper()
	r, known := demoRoutes[l.method+" "+l.path]
	if !known {
		t.Fatalf("%s %s is not in the ownership map", l.method, l.path)
	}
	r.path = strings.ReplaceAll(r.path, "{person}", person)
	r.body = strings.ReplaceAll(r.body, "{person}", person)
	return r
}

// Every route of the demo, attacked with what its document and the ownership map
// make of it.
func TestAP01AttacksOnEveryRouteOfTheDemo(t *testing.T) {
	t.Parallel()
	p := newPack(t)
	for _, l := range p.ops {
		t.Run(l.method+" "+l.path, func(t *testing.T) {
			r := p.route(t, l, p.person)
			if l.path == "/offers" {
				p.want(t, "AP06 a retired route", 404, l.method, r.path, "", p.tokens["catalog.write"])
				return
			}
			p.functions(t, l, r)
			p.objects(t, l)
			p.properties(t, l, r)
			p.want(t, "not attacked", 200, l.method, r.path, r.body, p.tokens["catalog.write"])
		})
	}
	t.Run("AP06 what no document lists", func(t *testing.T) {
		for _, path := range []string{"/items", "/admin", "/v2/items/1", "/people/" + p.person, "/people/" + p.person + "/orders", "/openapi.yaml", "/items/1/.env"} {
			p.want(t, "a route that nobody listed", 404, "GET", path, "", p.tokens["catalog.write"])
		}
	})
}

// functions is API5:2023: without a token, without the scope, by another method.
func (p *pack) functions(t *testing.T, l listed, r demoRoute) {
	t.Helper()
	p.want(t, "no token", 401, l.method, r.path, r.body, "")
	if l.scope == "catalog.write" {
		p.want(t, "a token to read", 403, l.method, r.path, r.body, p.tokens["catalog.read"])
	}
	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		p.want(t, "another method", 405, method, r.path, r.body, p.tokens["catalog.write"])
	}
}

// objects is API1:2023: somebody else's, in every place that names an owner.
func (p *pack) objects(t *testing.T, l listed) {
	t.Helper()
	if !strings.Contains(l.path, "{person}") {
		return
	}
	var answers []string
	for _, other := range []string{"somebody", "00000000-0000-7000-8000-000000000000", strings.ToUpper(p.person) + "x", "client%3Ademo-service"} {
		r := p.route(t, l, other)
		answers = append(answers, p.want(t, "of somebody else", 403, l.method, r.path, r.body, p.tokens["catalog.write"]))
	}
	if slices.Sort(answers); len(slices.Compact(answers)) != 1 {
		t.Errorf("the answers differ: %q", answers)
	}
	if l.method == "GET" {
		p.want(t, "a client without a person", 403, "GET", p.route(t, l, p.person).path, "", p.tokens["service"])
	}
	r := p.route(t, l, p.person)
	for _, name := range r.owner {
		p.want(t, "of somebody else, in the body", 403, l.method, r.path, strings.ReplaceAll(r.body, `"`+name+`":"`+p.person, `"`+name+`":"somebody`), p.tokens["catalog.write"])
	}
}

// properties is API3:2023: members that nobody described, that only the server
// sets, and values of another kind, at every place of the body.
func (p *pack) properties(t *testing.T, l listed, r demoRoute) {
	t.Helper()
	if r.body == "" {
		return
	}
	token := p.tokens["catalog.write"]
	for at, body := range mutants(t, r.body, func(m map[string]any) { m["isAdmin"] = true }) {
		answer := p.want(t, "an unknown member at "+at, 400, l.method, r.path, body, token)
		if !strings.Contains(answer, "unknown_field") || strings.Contains(answer, "isAdmin") {
			t.Errorf("%s: %s", at, answer)
		}
	}
	for object, names := range r.server {
		for _, name := range names {
			body := mutants(t, r.body, func(m map[string]any) { m[name] = "1" })[object]
			p.want(t, "a member of the server's", 400, l.method, r.path, body, token)
		}
	}
	for at, body := range mutants(t, r.body, func(m map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(m))[:1] {
			m[name] = map[string]any{"$ne": nil}
		}
	}) {
		if status, answer := p.call(t, l.method, r.path, body, token); status != 400 && status != 403 {
			t.Errorf("a value of another kind at %s: %d %s", at, status, answer)
		}
	}
	p.want(t, "a name twice", 400, l.method, r.path, `{"lines":[],`+r.body[1:], token)
	p.want(t, "deep nesting", 400, l.method, r.path, strings.Repeat(`{"lines":`, 5000), token)
	p.want(t, "large", 413, l.method, r.path, `{"name":"`+strings.Repeat("a", 2<<20)+`"}`, token)
}

// mutants are the text with each of its objects changed in turn, by its pointer.
func mutants(t *testing.T, text string, change func(map[string]any)) map[string]string {
	t.Helper()
	out := map[string]string{}
	var count func(v any, at string, visit func(at string, m map[string]any))
	count = func(v any, at string, visit func(string, map[string]any)) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				count(inner, at+"/"+name, visit)
			}
			visit(at, v)
		case []any:
			for i, inner := range v {
				count(inner, fmt.Sprintf("%s/%d", at, i), visit)
			}
		}
	}
	parse := func() (v any) {
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	var places []string
	count(parse(), "", func(at string, _ map[string]any) { places = append(places, at) })
	for _, place := range places {
		v := parse()
		count(v, "", func(at string, m map[string]any) {
			if at == place {
				change(m)
			}
		})
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		out[place] = strings.TrimSpace(b.String())
	}
	return out
}
