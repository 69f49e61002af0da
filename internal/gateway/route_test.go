package gateway_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

func TestT013UnlistedIsNotFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, target := range []string{
		"/", "/v1/internal/export", "/catalog", "/catalog/", "/catalog/items", "/catalogue/items/1", "/catalog/items/1/", "/catalog/items/",
		"/catalog/items/1/2", "/catalo/items/1", "/Catalog/items/1", "/catalog/Items/1", "/catalog/items/SECRET", "/.well-known/other", "/healthz",
	} {
		for _, authorization := range []string{"", f.bearer()} {
			got := f.get(target, authorization)
			want, why := 404, "route.probed unlisted_path"
			if target == "/catalog/items" {
				want, why = 405, "request.refused unlisted_method"
			}
			if got.Status != want || strings.Join(f.reasons(), ",") != why || got.Header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: got %d %v", target, got.Status, f.reasons())
			}
		}
	}
	if len(f.taken()) != 0 {
		t.Error("the backend was called")
	}
}

func TestT030GW15Methods(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	reader := "Authorization: " + f.bearer()
	for _, tt := range []struct {
		name, method, target string
		lines                []string
		status               int
		allow                string
	}{
		{"GET", "GET", "/catalog/items/1", nil, 200, ""},
		{"HEAD follows GET", "HEAD", "/catalog/items/1", nil, 200, ""},
		{"PUT without its scope", "PUT", "/catalog/items/1", nil, 403, ""},
		{"HEAD follows GET to the special item", "HEAD", "/catalog/items/secret", nil, 403, ""},
		{"the special item", "GET", "/catalog/items/secret", nil, 403, ""},
		{"the special item in other letters", "GET", "/catalog/items/Secret", nil, 404, ""},
		{"method of no operation", "DELETE", "/catalog/items/1", nil, 405, "GET, PUT, HEAD, OPTIONS"},
		{"lower case", "put", "/catalog/items/1", nil, 405, "GET, PUT, HEAD, OPTIONS"},
		{"lower case get", "get", "/catalog/items/1", nil, 405, "GET, PUT, HEAD, OPTIONS"},
		{"TRACE", "TRACE", "/catalog/items/1", nil, 405, "GET, PUT, HEAD, OPTIONS"},
		{"CONNECT with a path", "CONNECT", "/catalog/items/1", nil, 405, "GET, PUT, HEAD, OPTIONS"},
		{"CONNECT", "CONNECT", "api.example.com:443", nil, 400, ""},
		{"OPTIONS", "OPTIONS", "/catalog/items/1", nil, 405, "GET, PUT, HEAD, OPTIONS"},
		{"OPTIONS for the server", "OPTIONS", "*", nil, 400, ""},
		{"HTTP/2 preface", "PRI", "*", nil, 400, ""},
		{"override", "GET", "/catalog/items/1", []string{"X-HTTP-Method-Override: PUT"}, 400, ""},
		{"override, second name", "GET", "/catalog/items/1", []string{"X-Method-Override: PUT"}, 400, ""},
		{"override, third name", "GET", "/catalog/items/1", []string{"X-HTTP-Method: PUT"}, 400, ""},
		{"override, underscores", "GET", "/catalog/items/1", []string{"x_http_method_override: PUT"}, 400, ""},
		{"override, mixed", "GET", "/catalog/items/1", []string{"X_HTTP-Method_Override: PUT"}, 400, ""},
		{"override, hidden as hop-by-hop", "GET", "/catalog/items/1", []string{"Connection: x-http-method-override", "X-HTTP-Method-Override: PUT"}, 400, ""},
		{"override in the query", "GET", "/catalog/items/1?_method=PUT", nil, 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.call(tt.method, tt.target, append(tt.lines, reader)...)
			if got.Status != tt.status || got.Header.Get("Allow") != tt.allow {
				t.Errorf("got %d Allow %q, want %d %q", got.Status, got.Header.Get("Allow"), tt.status, tt.allow)
			}
			calls := f.taken()
			if (len(calls) == 1) != (tt.status == 200) {
				t.Fatalf("the backend got %d calls", len(calls))
			}
			if len(calls) == 1 && calls[0].Method != tt.method {
				t.Errorf("the backend ran %s", calls[0].Method)
			}
		})
	}
}

func TestMostSpecificWins(t *testing.T) {
	t.Parallel()
	get := func(path, scope string) gateway.Operation {
		return gateway.Operation{Method: "GET", Path: path, Scope: scope}
	}
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.APIs[0].Operations = []gateway.Operation{
			get("/{a}", "one"), get("/{a}/{b}", "two"), get("/x/{b}", "xb"), get("/x/y", "xy"), get("/a+b", "plus"), get("/{a}/y", "ay"), get("/{a}/{b}/{c}", "three"), get("/slash/", "slash"),
		}
		inner := o.APIs[0]
		inner.Name, inner.Audience, inner.Path = "inner", "https://api.example.com/inner", "/catalog/x/deep"
		inner.Operations = []gateway.Operation{get("/y", "deep")}
		o.APIs = append(o.APIs, inner)
	})
	for target, scope := range map[string]string{
		"/1": "one", "/1/2": "two", "/x/2": "xb", "/x/y": "xy", "/1/y": "ay", "/a+b": "plus", "/a%2Bb": "plus", "/a%2bb": "plus", "/slash/": "slash",
		"/slash": "one", "/x": "one",
	} {
		for _, s := range []string{"one", "two", "xb", "xy", "ay", "plus", "slash"} {
			got := f.get("/catalog"+target, f.bearer(func(a *token.Access) { a.Scope = s }))
			if want := map[bool]int{true: 200, false: 403}[s == scope]; got.Status != want {
				t.Errorf("%s with %s: status %d, want %d", target, s, got.Status, want)
			}
		}
	}
	t.Run("longest prefix owns its paths", func(t *testing.T) {
		for target, status := range map[string]int{"/catalog/x/deep/y": 401, "/catalog/x/deep": 404, "/catalog/x/deeper": 200, "/catalog/x/Deep/y": 404} {
			if got := f.get(target, f.bearer(func(a *token.Access) { a.Scope = "xb three deep" })); got.Status != status {
				t.Errorf("%s: status %d, want %d", target, got.Status, status)
			}
		}
	})
}

func TestT001T011StartIsRefused(t *testing.T) {
	t.Parallel()
	ring, feed := newRing(t), newFixture(t, nil).feed
	api := func(mod func(*gateway.API)) []gateway.API {
		a := gateway.API{
			Name: "catalog", Audience: audience, Path: "/catalog", Upstream: &url.URL{Scheme: "http", Host: "127.0.0.1:9000"},
			Tier: token.TierLow, Operations: []gateway.Operation{{Method: "GET", Path: "/items/{id}", Scope: "catalog.read"}},
		}
		mod(&a)
		return []gateway.API{a}
	}
	op := func(mod func(*gateway.Operation)) []gateway.API {
		return api(func(a *gateway.API) { mod(&a.Operations[0]) })
	}
	add := func(o gateway.Operation) []gateway.API {
		return api(func(a *gateway.API) { a.Operations = append(a.Operations, o) })
	}
	up := func(s string) []gateway.API {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return api(func(a *gateway.API) { a.Upstream = u })
	}
	twice := func(mod func(*gateway.API)) []gateway.API {
		second := api(func(a *gateway.API) {
			a.Name, a.Audience, a.Path = "other", "https://api.example.com/other", "/other"
			mod(a)
		})
		return append(api(func(*gateway.API) {}), second...)
	}
	for _, tt := range []struct {
		name string
		apis []gateway.API
		want []string // parts of the error; none: it starts
	}{
		{"complete", api(func(*gateway.API) {}), nil},
		{"no APIs guard nothing", nil, nil},
		{"no operations", api(func(a *gateway.API) { a.Operations = nil }), []string{`api "catalog"`, "operations", "list each"}},
		{"operation without scope", op(func(o *gateway.Operation) { o.Scope = "" }), []string{`api "catalog"`, "operations[0]", "scope", "every operation needs one"}},
		{"two scopes in one", op(func(o *gateway.Operation) { o.Scope = "a b" }), []string{"scope"}},
		{"quote in scope", op(func(o *gateway.Operation) { o.Scope = `a"` }), []string{"scope"}},
		{"unknown acr", op(func(o *gateway.Operation) { o.ACR = "mfa" }), []string{"acr", token.ACRMFA}},
		{"negative max_age", op(func(o *gateway.Operation) { o.MaxAge = -time.Second }), []string{"max_age"}},
		{"lower-case method", op(func(o *gateway.Operation) { o.Method = "get" }), []string{"method"}},
		{"TRACE", op(func(o *gateway.Operation) { o.Method = "TRACE" }), []string{"method"}},
		{"CONNECT", op(func(o *gateway.Operation) { o.Method = "CONNECT" }), []string{"method"}},
		{"OPTIONS", op(func(o *gateway.Operation) { o.Method = "OPTIONS" }), []string{"method"}},
		{"any method", op(func(o *gateway.Operation) { o.Method = "*" }), []string{"method"}},
		{"relative template", op(func(o *gateway.Operation) { o.Path = "items" }), []string{"path", "slash"}},
		{"template with dots", op(func(o *gateway.Operation) { o.Path = "/a/../b" }), []string{"path"}},
		{"escaped template", op(func(o *gateway.Operation) { o.Path = "/a%20b" }), []string{"path"}},
		{"half a segment", op(func(o *gateway.Operation) { o.Path = "/items/{id}.json" }), []string{"path", "whole segment"}},
		{"nameless parameter", op(func(o *gateway.Operation) { o.Path = "/items/{}" }), []string{"path"}},
		{"parameter named twice", op(func(o *gateway.Operation) { o.Path = "/{a}/{a}" }), []string{"path", "twice"}},
		{"same operation twice", add(gateway.Operation{Method: "GET", Path: "/items/{name}", Scope: "x"}), []string{"operations[1]", "same calls"}},
		{"same but for a slash", add(gateway.Operation{Method: "GET", Path: "/items/{name}/", Scope: "x"}), []string{"operations[1]", "same calls"}},
		{"crossing with other demands", add(gateway.Operation{Method: "GET", Path: "/{kind}/new", Scope: "x"}), []string{"operations[1]", "more specific"}},
		{"crossing with equal demands", add(gateway.Operation{Method: "GET", Path: "/{kind}/new", Scope: "catalog.read"}), nil},
		{"nested", add(gateway.Operation{Method: "GET", Path: "/items/new", Scope: "x"}), nil},
		{"no audience", api(func(a *gateway.API) { a.Audience = "" }), []string{"audience", "absolute URI"}},
		{"relative audience", api(func(a *gateway.API) { a.Audience = "catalog" }), []string{"audience"}},
		{"audience list", api(func(a *gateway.API) { a.Audience = "https://a.example https://b.example" }), []string{"audience"}},
		{"quote in audience", api(func(a *gateway.API) { a.Audience = `https://a.example/"` }), []string{"audience"}},
		{"no path", api(func(a *gateway.API) { a.Path = "" }), []string{"path"}},
		{"path with slash at the end", api(func(a *gateway.API) { a.Path = "/catalog/" }), []string{"path"}},
		{"path with dots", api(func(a *gateway.API) { a.Path = "/../x" }), []string{"path"}},
		{"path over metadata", api(func(a *gateway.API) { a.Path = "/.well-known/x" }), []string{"path"}},
		{"no name", api(func(a *gateway.API) { a.Name = "" }), []string{"apis[0]", "name"}},
		{"no upstream", api(func(a *gateway.API) { a.Upstream = nil }), []string{"upstream", "http://127.0.0.1:9000"}},
		{"upstream without scheme", up("backend/x"), []string{"upstream"}},
		{"upstream without host", up("http:///x"), []string{"upstream"}},
		{"upstream of another kind", up("file:///etc"), []string{"upstream"}},
		{"upstream with a password", up("http://u:p@h/"), []string{"upstream", "user"}},
		{"upstream with a query", up("http://h/?x=1"), []string{"upstream", "query"}},
		{"upstream with dots", up("http://h/a/../b"), []string{"upstream"}},
		{"unknown tier", api(func(a *gateway.API) { a.Tier = 9 }), []string{"tier"}},
		{"any origin", api(func(a *gateway.API) { a.CORSOrigins = []string{"*"} }), []string{"cors_origins"}},
		{"null origin", api(func(a *gateway.API) { a.CORSOrigins = []string{"null"} }), []string{"cors_origins"}},
		{"origin with path", api(func(a *gateway.API) { a.CORSOrigins = []string{"https://a.example/"} }), []string{"cors_origins"}},
		{"origin pattern", api(func(a *gateway.API) { a.CORSOrigins = []string{"https://*.a.example"} }), []string{"cors_origins"}},
		{"plain http origin", api(func(a *gateway.API) { a.CORSOrigins = []string{"http://a.example"} }), []string{"cors_origins"}},
		{"local and app origins", api(func(a *gateway.API) {
			a.CORSOrigins = []string{"http://localhost:8100", "http://127.0.0.1:1", "http://[::1]:1", "capacitor://localhost"}
		}), nil},
		{"two APIs", twice(func(*gateway.API) {}), nil},
		{"same name", twice(func(a *gateway.API) { a.Name = "catalog" }), []string{"name", "its own"}},
		{"same audience", twice(func(a *gateway.API) { a.Audience = audience }), []string{"audience", "its own"}},
		{"same path", twice(func(a *gateway.API) { a.Path = "/catalog" }), []string{"path", "its own"}},
		{"same path in other letters", twice(func(a *gateway.API) { a.Path = "/Catalog" }), []string{"path", "its own"}},
		{"everything at once", api(func(a *gateway.API) { a.Audience, a.Path, a.Upstream, a.Operations = "", "", nil, nil }), []string{"audience", "path", "upstream", "operations"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := gateway.New(gateway.Options{Issuer: issuer, APIs: tt.apis, Ring: ring, Feed: feed, Proofs: newProofs(t, ring, time.Now), Now: time.Now})
			if tt.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || g != nil {
				t.Fatal("it starts")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
	proofs := newProofs(t, ring, time.Now)
	for name, o := range map[string]gateway.Options{
		"no issuer": {Ring: ring, Feed: feed, Proofs: proofs, Now: time.Now}, "no ring": {Issuer: issuer, Feed: feed, Proofs: proofs, Now: time.Now},
		"no feed": {Issuer: issuer, Ring: ring, Proofs: proofs, Now: time.Now}, "no clock": {Issuer: issuer, Ring: ring, Feed: feed, Proofs: proofs},
		"no proofs": {Issuer: issuer, Ring: ring, Feed: feed, Now: time.Now},
	} {
		if _, err := gateway.New(o); err == nil {
			t.Errorf("%s: it starts", name)
		}
	}
}
