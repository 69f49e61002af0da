package contract_test

import (
	"fmt"
	"strings"
	"testing"

	"sallyport/internal/contract"
)

func TestAP03GraphQL(t *testing.T) {
	t.Parallel()
	limits := contract.GraphQL{Depth: 4, Aliases: 3, Fields: 20, Batch: 2, PageSize: 50}
	aliases := ""
	for i := range 4 {
		aliases += fmt.Sprintf(" a%d: me { id }", i)
	}
	bomb := "query { ...f0 }"
	for i := range 30 {
		bomb += fmt.Sprintf(" fragment f%d on Q { ...f%d ...f%d }", i, i+1, i+1)
	}
	bomb += " fragment f30 on Q { id }"
	for _, tc := range []struct{ rule, query, code string }{
		{"a plain query", `{ me { id name } }`, ""},
		{"a named one with everything", "query Q($n: Int = 10, $t: [ID!]!) @a(b: {c: [1, \"}\"]}) { me(first: $n, x: \"\"\"a \\\"\"\" }\"\"\") @include(if: true) { ...F ... on User { id } ... @skip(if: false) { name } } } # {{{{\nfragment F on User { id }", ""},
		{"a mutation", `mutation { pay(amount: 5) { id } }`, ""},
		{"four levels", `{ a { b { c { d } } } }`, ""},
		{"five levels", `{ a { b { c { d { e } } } } }`, "graphql_depth"},
		{"five levels through a fragment", `{ a { b { ...F } } } fragment F on B { c { d { e } } }`, "graphql_depth"},
		{"five levels inline", `{ a { ... on A { b { ... on B { c { d { e } } } } } } }`, "graphql_depth"},
		{"an alias flood", "{" + aliases + "}", "graphql_aliases"},
		{"an alias flood in a fragment", "{ ...F } fragment F on Q {" + aliases + "}", "graphql_aliases"},
		{"many fields", "{" + strings.Repeat(" id", 21) + "}", "graphql_fields"},
		{"few fields, often", "{ a { ...F } b { ...F } c { ...F } } fragment F on X {" + strings.Repeat(" id", 8) + "}", "graphql_fields"},
		{"a fragment bomb", bomb, "graphql_fields"},
		{"fragments in a circle", "{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }", "graphql_circle"},
		{"a fragment of itself", "{ ...A } fragment A on Q { ...A }", "graphql_circle"},
		{"a page of 10,000", `{ items(first: 10000) { id } }`, "graphql_page_size"},
		{"a page of 10,000 inside an object", `{ items(page: {limit: 10000}) { id } }`, "graphql_page_size"},
		{"a page of 10,000 as a default", `query($n: Int = 10000) { items(first: $n) { id } }`, "graphql_page_size"},
		{"10,000 of something else", `query($n: Int = 10000) { items(price: $n, first: 5) { id } }`, ""},
		{"a page of less than nothing", `{ items(first: -1) { id } }`, "graphql_page_size"},
		{"the schema", `{ __schema { types { name } } }`, "graphql_introspection"},
		{"the schema by an alias", `{ x: __type(name: "User") { name } }`, "graphql_introspection"},
		{"the name of a type", `{ me { __typename } }`, ""},
		{"a type definition", `type A { b: C }`, "graphql"},
		{"no query", ``, "graphql"},
		{"no end", `{ a`, "graphql"},
		{"no end of a string", `{ a(b: "c) }`, "graphql"},
		{"an unknown fragment", `{ ...F }`, "graphql"},
		{"a fragment twice", `{ ...F } fragment F on Q { a } fragment F on Q { b }`, "graphql"},
		{"brackets without end", "{ a(b: " + strings.Repeat("[", 100), "too_deep"},
		{"thousands of tokens", "{ a(b: [" + strings.Repeat("1 ", 20000) + "]) }", "graphql"},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			got := limits.CheckRequest(map[string]any{"query": tc.query})
			code := ""
			if len(got) > 0 {
				code = got[0].Code
			}
			if code != tc.code {
				t.Errorf("%.80s: %q, want %q", tc.query, code, tc.code)
			}
		})
	}
}

func TestAP03GraphQLBatchesAndVariables(t *testing.T) {
	t.Parallel()
	value := func(text string) any {
		v, code := contract.ParseJSON([]byte(text))
		if code != "" {
			t.Fatal(code)
		}
		return v
	}
	for text, want := range map[string]string{
		`[{"query":"{a}"},{"query":"{a}"}]`:                 "",
		`[{"query":"{a}"},{"query":"{a}"},{"query":"{a}"}]`: "graphql_batch",
		`[]`: "graphql_batch",
		`{}`: "required",
		`{"query":"query($n: Int){a(first: $n)}","variables":{"n":10000}}`:      "graphql_page_size",
		`{"query":"query($n: Int){a(first: $n)}","variables":{"n":10}}`:         "",
		`{"query":"{user(id: \"7\"){id}}"}`:                                     "graphql_literal",
		`{"query":"{user(id: 7){id}}"}`:                                         "graphql_literal",
		`{"query":"query($id: ID = \"7\"){user(id: $id){id}}"}`:                 "graphql_literal",
		`{"query":"query($id: ID!){user(id: $id){id}}","variables":{"id":"7"}}`: "",
	} {
		limits := contract.GraphQL{Depth: 4, Aliases: 3, Fields: 20, Batch: 2, PageSize: 50, Variables: true}
		code := ""
		if got := limits.CheckRequest(value(text)); len(got) > 0 {
			code = got[0].Code
		}
		if code != want {
			t.Errorf("%s: %q, want %q", text, code, want)
		}
	}
}

// Whatever is sent is judged, without a panic and within bounds.
func FuzzGraphQL(f *testing.F) {
	for _, s := range []string{`{a}`, `query Q($a:B=[{c:"d"}]){x:a(b:$a)@i(if:true){...F ...on X{y}}} fragment F on X{z}`, `{a(b:"""c""")}`, "{#\n}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		limits := contract.DefaultGraphQL
		_ = limits.CheckRequest(map[string]any{"query": query})
	})
}
