package contract

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaOf compiles a schema of a document that has one body.
func schemaOf(t testing.TB, version, body, components string, of direction, closed bool) (*schema, error) {
	t.Helper()
	text := `{"openapi":"` + version + `","paths":{},"schema":` + body + `,"components":{"schemas":{` + components + `}}}`
	d, err := Read("d.json", func(string) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		return nil, err
	}
	return newCompiler(d, of, closed).compile(d.root.get("schema"))
}

func parsed(t testing.TB, text string) any {
	t.Helper()
	v, code := ParseJSON([]byte(text))
	if code != "" {
		t.Fatalf("%s: %s", text, code)
	}
	return v
}

// oracle is what another implementation says of 2020-12.
func oracle(t testing.TB, schema, components string, v any) bool {
	t.Helper()
	doc := parsed(t, `{"schema":`+schema+`,"components":{"schemas":{`+components+`}}}`)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("contract:///d.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("contract:///d.json#/schema")
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return s.Validate(v) == nil
}

func list(faults []Fault) string {
	var out []string
	for _, f := range faults {
		out = append(out, strings.TrimSpace(f.Pointer+" "+f.Code))
	}
	return strings.Join(out, "; ")
}

func TestGW24SchemasOf31(t *testing.T) {
	t.Parallel()
	const tree = `"Tree":{"type":"object","properties":{"v":{"type":"integer"},"sub":{"type":"array","items":{"$ref":"#/components/schemas/Tree"}}},"required":["v"]}`
	for _, tc := range []struct{ schema, value, want string }{
		{`{"type":"string"}`, `"a"`, ""},
		{`{"type":"string"}`, `1`, "type"},
		{`{"type":["string","null"]}`, `null`, ""},
		{`{"type":"integer"}`, `1.0`, ""},
		{`{"type":"integer"}`, `1.5`, "type"},
		{`{"type":"integer"}`, `1e2`, ""},
		{`{"type":"number"}`, `1`, ""},
		{`{"minimum":1,"maximum":3}`, `0`, "minimum"},
		{`{"minimum":1,"maximum":3}`, `3.0000000000000000000000001`, "maximum"},
		{`{"exclusiveMinimum":1}`, `1`, "minimum"},
		{`{"exclusiveMaximum":1,"maximum":5}`, `1`, "maximum"},
		{`{"multipleOf":0.01}`, `19.99`, ""},
		{`{"multipleOf":0.01}`, `19.995`, "multiple_of"},
		{`{"enum":["a",1,null]}`, `1.0`, ""},
		{`{"enum":["a",1,null]}`, `"b"`, "enum"},
		{`{"const":{"a":[1]}}`, `{"a":[1.0]}`, ""},
		{`{"const":{"a":[1]}}`, `{"a":[1,2]}`, "const"},
		{`{"minLength":2,"maxLength":3}`, `"é"`, "min_length"},
		{`{"minLength":2,"maxLength":3}`, `"éééé"`, "max_length"},
		{`{"pattern":"^[a-z]+$"}`, `"A"`, "pattern"},
		{`{"minItems":1,"maxItems":2}`, `[]`, "min_items"},
		{`{"minItems":1,"maxItems":2}`, `[1,2,3]`, "max_items"},
		{`{"uniqueItems":true}`, `[{"a":1,"b":2},{"b":2.0,"a":1}]`, "unique_items"},
		{`{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, `["a",1,"b"]`, "/2 type"},
		{`{"prefixItems":[{"type":"string"}],"items":false}`, `["a",1]`, "/1 not_allowed"},
		{`{"contains":{"type":"string"},"maxContains":1}`, `["a","b"]`, "contains"},
		{`{"contains":{"type":"string"}}`, `[1]`, "contains"},
		{`{"contains":{"type":"string"},"minContains":0}`, `[1]`, ""},
		{`{"properties":{"a/b":{"type":"string"}}}`, `{"a/b":1}`, "/a~1b type"},
		{`{"required":["a","b"]}`, `{"a":1}`, "/b required"},
		{`{"minProperties":1}`, `{}`, "min_properties"},
		{`{"maxProperties":1}`, `{"a":1,"b":1}`, "max_properties"},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{"a":1,"b":1}`, "unknown_field"},
		{`{"properties":{"a":{}},"additionalProperties":{"type":"string"}}`, `{"a":1,"b":1}`, "/* type"},
		{`{"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false}`, `{"x-a":"b"}`, ""},
		{`{"patternProperties":{"^x-":{"type":"string"}}}`, `{"x-a":1}`, "/* type"},
		{`{"propertyNames":{"maxLength":2}}`, `{"abc":1}`, "property_names"},
		{`{"dependentRequired":{"card":["cvc"]}}`, `{"card":1}`, "/cvc required"},
		{`{"dependentSchemas":{"card":{"required":["cvc"]}}}`, `{"card":1}`, "/cvc required"},
		{`{"allOf":[{"type":"string"},{"minLength":2}]}`, `"a"`, "min_length"},
		{`{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `true`, "any_of"},
		{`{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1`, "one_of"},
		{`{"oneOf":[{"type":"number"},{"type":"integer"}]}`, `1.5`, ""},
		{`{"not":{"type":"string"}}`, `"a"`, "not"},
		{`{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]},"else":{"required":["b"]}}`, `{"k":1}`, "/a required"},
		{`{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]},"else":{"required":["b"]}}`, `{"k":2}`, "/b required"},
		{`{"allOf":[{"properties":{"a":{}}}],"properties":{"b":{}},"unevaluatedProperties":false}`, `{"a":1,"b":1}`, ""},
		{`{"allOf":[{"properties":{"a":{}}}],"properties":{"b":{}},"unevaluatedProperties":false}`, `{"a":1,"c":1}`, "unknown_field"},
		{`{"oneOf":[{"properties":{"a":{"const":1}}},{"properties":{"a":{"const":2},"b":{}}}],"unevaluatedProperties":false}`, `{"a":1,"b":1}`, "unknown_field"},
		{`{"oneOf":[{"properties":{"a":{"const":1}}},{"properties":{"a":{"const":2},"b":{}}}],"unevaluatedProperties":false}`, `{"a":2,"b":1}`, ""},
		{`{"$ref":"#/components/schemas/Tree"}`, `{"v":1,"sub":[{"v":2},{"v":"x"}]}`, "/sub/1/v type"},
		{`{"$ref":"#/components/schemas/Tree","required":["sub"]}`, `{"v":1}`, "/sub required"},
		{`false`, `1`, "not_allowed"},
		{`true`, `1`, ""},
	} {
		t.Run(tc.schema+" "+tc.value, func(t *testing.T) {
			t.Parallel()
			s, err := schemaOf(t, "3.1.0", tc.schema, tree, ofRequest, false)
			if err != nil {
				t.Fatal(err)
			}
			v := parsed(t, tc.value)
			if got := list(s.validate("body", v, nil)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if holds := oracle(t, tc.schema, tree, v); holds != (tc.want == "") {
				t.Errorf("another implementation says %v", holds)
			}
		})
	}
}

func TestGW24UnknownFieldsWhereTheDocumentIsClosed(t *testing.T) {
	t.Parallel()
	const parts = `"Base":{"type":"object","properties":{"id":{"type":"string","readOnly":true},"name":{"type":"string"}},"required":["id","name"]},
		"Item":{"allOf":[{"$ref":"#/components/schemas/Base"},{"properties":{"price":{"type":"number"},"pin":{"type":"string","writeOnly":true}}}]},
		"Cat":{"type":"object","required":["lives"],"properties":{"lives":{"type":"integer"}}},
		"Dog":{"type":"object","required":["barks"],"properties":{"barks":{"type":"boolean"}}},
		"Role":{"type":"string","readOnly":true}`
	for _, tc := range []struct {
		rule, version, schema, value, closed, open string
		of                                         direction
	}{
		{"T180 isAdmin beside what is known", "3.0.3", `{"type":"object","properties":{"name":{"type":"string"}}}`, `{"name":"a","isAdmin":true}`, "unknown_field", "", ofRequest},
		{"in an object inside", "3.0.3", `{"type":"object","properties":{"o":{"type":"object","properties":{"a":{}}}}}`, `{"o":{"a":1,"b":1}}`, "/o unknown_field", "", ofRequest},
		{"in an item of a list", "3.1.0", `{"type":"array","items":{"type":"object","properties":{"a":{}}}}`, `[{"a":1},{"b":1}]`, "/1 unknown_field", "", ofRequest},
		{"allOf: known to one", "3.0.3", `{"$ref":"#/components/schemas/Item"}`, `{"name":"a","price":1}`, "", "", ofRequest},
		{"allOf: known to none", "3.0.3", `{"$ref":"#/components/schemas/Item"}`, `{"name":"a","price":1,"owner":"b"}`, "unknown_field", "", ofRequest},
		{"oneOf: known to the one", "3.1.0", `{"oneOf":[{"$ref":"#/components/schemas/Cat"},{"$ref":"#/components/schemas/Dog"}]}`, `{"lives":9}`, "", "", ofRequest},
		{"oneOf: known to the other only", "3.1.0", `{"oneOf":[{"$ref":"#/components/schemas/Cat"},{"$ref":"#/components/schemas/Dog"}]}`, `{"lives":9,"barks":"no"}`, "unknown_field", "", ofRequest},
		{"anyOf: known to both", "3.1.0", `{"anyOf":[{"$ref":"#/components/schemas/Cat"},{"$ref":"#/components/schemas/Dog"}]}`, `{"lives":9,"barks":true}`, "", "", ofRequest},
		{"said to be open", "3.1.0", `{"type":"object","properties":{"a":{}},"additionalProperties":true}`, `{"b":{"c":1}}`, "", "", ofRequest},
		{"others have a schema", "3.1.0", `{"type":"object","additionalProperties":{"type":"object","properties":{"a":{}}}}`, `{"x":{"b":1}}`, "/* unknown_field", "", ofRequest},
		{"any value", "3.1.0", `{"type":"object","properties":{"meta":{}}}`, `{"meta":{"x":1}}`, "", "", ofRequest},
		{"readOnly in a request", "3.0.3", `{"$ref":"#/components/schemas/Base"}`, `{"id":"7","name":"a"}`, "/id read_only", "/id read_only", ofRequest},
		{"readOnly behind a reference", "3.1.0", `{"type":"object","properties":{"role":{"$ref":"#/components/schemas/Role"}}}`, `{"role":"admin"}`, "/role read_only", "/role read_only", ofRequest},
		{"readOnly in an answer", "3.0.3", `{"$ref":"#/components/schemas/Base"}`, `{"id":"7","name":"a"}`, "", "", ofResponse},
		{"readOnly is needed in an answer", "3.0.3", `{"$ref":"#/components/schemas/Base"}`, `{"name":"a"}`, "/id required", "/id required", ofResponse},
		{"writeOnly in an answer", "3.0.3", `{"$ref":"#/components/schemas/Item"}`, `{"id":"7","name":"a","pin":"1"}`, "/pin write_only", "/pin write_only", ofResponse},
		{"an answer says more than it should", "3.0.3", `{"$ref":"#/components/schemas/Item"}`, `{"id":"7","name":"a","password_hash":"x"}`, "unknown_field", "", ofResponse},
		{"3.0: nullable", "3.0.3", `{"type":"string","nullable":true}`, `null`, "", "", ofRequest},
		{"3.0: not nullable", "3.0.3", `{"type":"string"}`, `null`, "type", "type", ofRequest},
		{"3.0: a flag for the limit", "3.0.3", `{"type":"integer","minimum":1,"exclusiveMinimum":true}`, `1`, "minimum", "minimum", ofRequest},
		{"3.0: what stands beside $ref is nothing", "3.0.3", `{"$ref":"#/components/schemas/Cat","required":["barks"]}`, `{"lives":1}`, "", "", ofRequest},
		{"3.1: it counts", "3.1.0", `{"$ref":"#/components/schemas/Cat","required":["barks"]}`, `{"lives":1}`, "/barks required", "/barks required", ofRequest},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			for closed, want := range map[bool]string{true: tc.closed, false: tc.open} {
				s, err := schemaOf(t, tc.version, tc.schema, parts, tc.of, closed)
				if err != nil {
					t.Fatal(err)
				}
				if got := list(s.validate("body", parsed(t, tc.value), nil)); got != want {
					t.Errorf("closed %v: %q, want %q", closed, got, want)
				}
			}
		})
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, values := range map[string][2][]string{
		"date-time": {{`"2026-02-28T10:00:00Z"`, `"2026-02-28t10:00:00.5+01:00"`, `1`}, {`"2026-02-30T10:00:00Z"`, `"2026-02-28 10:00:00Z"`, `"2026-02-28T10:00:00"`, `"2026-02-28T10:00:00,5Z"`}},
		"date":      {{`"2026-02-28"`}, {`"2026-2-28"`, `"2026-02-30"`}},
		"duration":  {{`"P1DT2H"`, `"P3W"`}, {`"P"`, `"PT"`, `"1D"`}},
		"email":     {{`"a@example.com"`}, {`"a"`, `"A <a@example.com>"`, `"a@example.com\nb"`}},
		"hostname":  {{`"api.example.com"`}, {`"-a.example"`, `"a..b"`, `""`}},
		"ipv4":      {{`"192.0.2.1"`}, {`"192.0.2.1.1"`, `"::1"`, `"010.0.0.1"`}},
		"ipv6":      {{`"2001:db8::1"`}, {`"fe80::1%eth0"`, `"192.0.2.1"`}},
		"uri":       {{`"https://example.com/a"`}, {`"/a"`, `"http://[::1"`}},
		"uuid":      {{`"f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`}, {`"f81d4fae7dec11d0a76500a0c91e6bf6"`}},
		"byte":      {{`"YQ=="`}, {`"YQ"`, `"Y_=="`}},
		"int32":     {{`2147483647`, `"x"`}, {`2147483648`}},
		"int64":     {{`9223372036854775807`}, {`9223372036854775808`}},
		"float":     {{`1e38`}, {`1e39`}},
	} {
		s, err := schemaOf(t, "3.1.0", `{"format":"`+format+`"}`, "", ofRequest, false)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"", "format"} {
			for _, text := range values[i] {
				if got := list(s.validate("body", parsed(t, text), nil)); got != want {
					t.Errorf("%s %s: %q, want %q", format, text, got, want)
				}
			}
		}
	}
}

func TestSchemasThatAreNotHeld(t *testing.T) {
	t.Parallel()
	for rule, tc := range map[string][2]string{
		"a keyword that is not read":    {`{"$dynamicRef":"#x"}`, "not read"},
		"a slip":                        {`{"maxLenght":3}`, "not read"},
		"no type":                       {`{"type":"strin"}`, "is no type"},
		"a pattern that looks ahead":    {`{"pattern":"^(?=a)"}`, "RE2"},
		"a reference to nothing":        {`{"$ref":"#/components/schemas/Nope"}`, "there is no"},
		"a file elsewhere":              {`{"$ref":"../other.yaml#/a"}`, "same folder"},
		"an address":                    {`{"$ref":"https://example.com/a.json"}`, "same folder"},
		"itself, with nothing between":  {`{"$ref":"#/components/schemas/Loop"}`, "circle"},
		"itself, in a list of branches": {`{"$ref":"#/components/schemas/Self"}`, "contains itself"},
		"a negative length":             {`{"maxLength":-1}`, "whole number"},
	} {
		_, err := schemaOf(t, "3.1.0", tc[0], `"Loop":{"$ref":"#/components/schemas/Loop"},"Self":{"allOf":[{"$ref":"#/components/schemas/Self"}]}`, ofRequest, false)
		if err == nil || !strings.Contains(err.Error(), tc[1]) {
			t.Errorf("%s: %v, want %q", rule, err, tc[1])
		}
	}
}

func TestBranchesInsideBranchesAreBounded(t *testing.T) {
	t.Parallel()
	const twice = `"A":{"oneOf":[{"properties":{"a":{"$ref":"#/components/schemas/A"}}},{"properties":{"a":{"$ref":"#/components/schemas/A"},"b":{}}}]}`
	s, err := schemaOf(t, "3.1.0", `{"$ref":"#/components/schemas/A"}`, twice, ofRequest, false)
	if err != nil {
		t.Fatal(err)
	}
	v := parsed(t, strings.Repeat(`{"a":`, 30)+"1"+strings.Repeat("}", 30))
	if got := list(s.validate("body", v, nil)); !strings.Contains(got, "too_complex") {
		t.Errorf("%q, want too_complex", got)
	}
}

// Random schemas and values: two implementations agree.
func TestSchemasAgainstAnotherImplementation(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var holds int
	for range 1000 {
		g := generator{random}
		text, value := g.schema(3), g.value(3)
		s, err := schemaOf(t, "3.1.0", text, `"S":{"type":"object","properties":{"a":{"type":"integer"},"b":{"$ref":"#/components/schemas/S"}}}`, ofRequest, false)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		v := parsed(t, value)
		got := len(s.validate("body", v, nil)) == 0
		if want := oracle(t, text, `"S":{"type":"object","properties":{"a":{"type":"integer"},"b":{"$ref":"#/components/schemas/S"}}}`, v); got != want {
			t.Fatalf("%s of %s: %v, another implementation says %v", value, text, got, want)
		}
		if got {
			holds++
		}
	}
	if holds < 100 || holds > 900 {
		t.Errorf("%d of 1000 hold: the values do not tell right from wrong", holds)
	}
}

type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) value(depth int) string {
	if depth == 0 || g.IntN(3) == 0 {
		return g.one("null", "true", "0", "1", "1.0", "2.5", "-3", `""`, `"a"`, `"ab"`, "[]", "{}")
	}
	if g.IntN(3) == 0 {
		return "[" + g.value(depth-1) + "," + g.value(depth-1) + "]"
	}
	var members []string
	for _, name := range []string{"a", "b", "xa", "c"} {
		if g.IntN(2) == 0 {
			members = append(members, `"`+name+`":`+g.value(depth-1))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (g generator) schema(depth int) string {
	if depth == 0 {
		return g.one("{}", "true", `{"type":"integer"}`, `{"type":"string"}`, `{"type":["object","null"]}`, `{"minimum":1}`, `{"const":"a"}`, `{"enum":[1,"ab",null]}`)
	}
	sub := func() string { return g.schema(depth - 1) }
	parts := map[string]string{}
	for range 1 + g.IntN(3) {
		switch g.IntN(17) {
		case 0:
			parts["type"] = g.one(`"object"`, `"array"`, `"number"`, `["object","array","string"]`)
		case 1:
			parts["properties"] = fmt.Sprintf(`{"a":%s,"b":%s}`, sub(), sub())
		case 2:
			parts["additionalProperties"] = g.one("false", sub())
		case 3:
			parts["patternProperties"] = fmt.Sprintf(`{"^x":%s}`, sub())
		case 4:
			parts["required"] = g.one(`["a"]`, `["b","c"]`)
		case 5:
			parts["allOf"] = fmt.Sprintf(`[%s,%s]`, sub(), sub())
		case 6:
			parts["anyOf"] = fmt.Sprintf(`[%s,%s]`, sub(), sub())
		case 7:
			parts["oneOf"] = fmt.Sprintf(`[%s,%s]`, sub(), sub())
		case 8:
			parts["not"] = sub()
		case 9:
			parts["if"], parts["then"], parts["else"] = sub(), sub(), sub()
		case 10:
			parts["unevaluatedProperties"] = g.one("false", sub())
		case 11:
			parts["items"] = sub()
		case 12:
			parts["prefixItems"] = fmt.Sprintf(`[%s]`, sub())
		case 13:
			parts["contains"] = sub()
		case 14:
			parts["dependentSchemas"] = fmt.Sprintf(`{"a":%s}`, sub())
		case 15:
			parts["$ref"] = `"#/components/schemas/S"`
		case 16:
			parts["propertyNames"] = g.one(`{"maxLength":1}`, `{"pattern":"^[abc]$"}`)
		}
	}
	var list []string
	for name, s := range parts {
		list = append(list, `"`+name+`":`+s)
	}
	return "{" + strings.Join(list, ",") + "}"
}

// One body of 1 KiB, as in docs/adr/0037-openapi.md.
func BenchmarkValidate(b *testing.B) {
	s, err := schemaOf(b, "3.0.3", `{"$ref":"#/components/schemas/Order"}`, `"Order":{"type":"object","additionalProperties":false,"required":["customer","lines"],"properties":{"customer":{"type":"string","minLength":1,"maxLength":64},"note":{"type":"string","maxLength":200},"lines":{"type":"array","maxItems":50,"items":{"$ref":"#/components/schemas/Line"}}}},
"Line":{"type":"object","additionalProperties":false,"required":["sku","count"],"properties":{"sku":{"type":"string","pattern":"^[A-Z0-9-]{4,20}$"},"count":{"type":"integer","minimum":1,"maximum":100},"price":{"type":"number","minimum":0},"gift":{"type":"boolean"}}}`, ofRequest, false)
	if err != nil {
		b.Fatal(err)
	}
	var lines []any
	for range 15 {
		lines = append(lines, map[string]any{"sku": "ABC-12345", "count": 3, "price": 12.5, "gift": true})
	}
	text, _ := json.Marshal(map[string]any{"customer": "somebody", "note": "leave it at the door", "lines": lines})
	b.ReportAllocs()
	for b.Loop() {
		v, code := ParseJSON(text)
		if code != "" || len(s.validate("body", v, nil)) > 0 {
			b.Fatal(code)
		}
	}
}
