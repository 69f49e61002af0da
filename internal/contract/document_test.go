package contract_test

import (
	"errors"
	"strings"
	"testing"

	"sallyport/internal/contract"
)

func read(files map[string]string) (*contract.Document, error) {
	return contract.Read("a.yaml", func(name string) ([]byte, error) {
		text, there := files[name]
		if !there {
			return nil, errors.New("cannot be read")
		}
		return []byte(text), nil
	})
}

const head = "openapi: 3.1.0\npaths: {}\n"

func TestDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	for rule, tc := range map[string]struct{ text, want string }{
		"a large file":        {head + strings.Repeat("#", 5<<20), "larger than 4 MiB"},
		"a deep one":          {head + "x: " + strings.Repeat("[", 200) + strings.Repeat("]", 200), "too large or too deep"},
		"a very deep one":     {head + "x: " + strings.Repeat("[", 200_000), "a.yaml: "},
		"very deep in lines":  {head + "x:\n" + strings.Repeat(" ", 4) + strings.Repeat("- ", 200_000), "a.yaml: "},
		"many values":         {head + "x: [" + strings.Repeat("1,", 200_001) + "]", "too large or too deep"},
		"an alias bomb":       {head + "a: &a [x]\nb: [*a, *a]\n", "aliases are not read"},
		"merging":             {head + "a: {<<: {b: c}}\n", "merging by << is not read"},
		"two documents":       {head + "---\n" + head, "more than one document"},
		"a name that is none": {head + "? [a]\n: b\n", "must be text"},
		"files without end":   {head + "x: {$ref: b.yaml}\n", "cannot be read"},
		"another version":     {"openapi: 3.2.0\npaths: {}\n", "no version that is read"},
		"no paths":            {"openapi: 3.0.0\n", "paths: missing"},
		"another dialect":     {"openapi: 3.1.0\njsonSchemaDialect: https://example.com/x\npaths: {}\n", "jsonSchemaDialect"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			if _, err := read(map[string]string{"a.yaml": tc.text}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestServersLeadToAPrefix(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ servers, mount, upstream, want string }{
		{`[]`, "/shop", "", ""},
		{`[{url: /}]`, "/shop", "", ""},
		{`[{url: "https://api.example.com/shop"}]`, "/shop", "", ""},
		{`[{url: "https://api.example.com/shop/v1/"}]`, "/shop", "", "/v1"},
		{`[{url: "https://api.example.com/v1"}]`, "/shop", "", "/v1"},
		{`[{url: "https://api.example.com/v1"}]`, "/shop", "/v1", ""},
		{`[{url: "https://api.example.com/v1/b"}]`, "/shop", "/v1", "/b"},
		{`[{url: "https://api.example.com/shopping"}]`, "/shop", "", "/shopping"},
		{`[{url: "https://{env}.example.com/shop/{v}", variables: {env: {default: api}, v: {default: v2}}}]`, "/shop", "", "/v2"},
		{`[{url: "https://a.example.com/shop"}, {url: "https://b.example.com/shop"}]`, "/shop", "", ""},
		{`[{url: "https://a.example.com/shop"}, {url: "https://b.example.com/shop/v1"}]`, "/shop", "", "error"},
		{`[{url: "https://a.example.com/{v}"}]`, "/shop", "", "error"},
	} {
		d, err := read(map[string]string{"a.yaml": head + "servers: " + tc.servers + "\n"})
		got := "error"
		if err == nil {
			if got, err = d.Prefix(tc.mount, tc.upstream); err != nil {
				got = "error"
			}
		}
		if got != tc.want {
			t.Errorf("%s at %s: %q %v, want %q", tc.servers, tc.mount, got, err, tc.want)
		}
	}
}

// A hostile document is refused or compiled, without a panic.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"paths: {/a/{b}: {parameters: [{name: b, in: path, schema: {type: [integer, 'null']}}], get: {responses: {200: {content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}}}}\ncomponents: {schemas: {A: {allOf: [{$ref: '#/components/schemas/A'}], oneOf: [{not: {}}], if: {}, then: {}}}}",
		"paths: {/a: {post: {security: [{x: [y]}], requestBody: {content: {'*/*': {}, multipart/form-data: {schema: {properties: {a: {items: {}}}}}}}}}}",
		"servers: [{url: '{a}', variables: {a: {default: '{a}'}}}]\npaths: {x: {$ref: b.yaml#/x}}",
	} {
		f.Add("openapi: 3.1.0\n"+s, "x: {get: {}}")
	}
	f.Fuzz(func(_ *testing.T, text, other string) {
		d, err := read(map[string]string{"a.yaml": text, "b.yaml": other})
		if err != nil {
			return
		}
		_, _ = d.Prefix("/a", "/b")
		listed, err := d.Operations()
		if err != nil {
			return
		}
		for _, l := range listed {
			op, err := d.Compile(l, contract.CompileOptions{Closed: true})
			if err != nil {
				continue
			}
			_ = op.CheckHead("/a/1", "a=1&b[c]=2", nil)
			if m, _ := op.CheckMedia(map[string][]string{"Content-Type": {"application/json"}}, 2); m != nil {
				_ = m.Check([]byte(`{"a":[{}]}`))
			}
		}
	})
}
