package contract_test

import (
	"net/http"
	"net/url"
	"testing"

	"sallyport/internal/contract"
)

// fuzzed is an operation with most kinds of parameters and bodies.
func fuzzed(t testing.TB) *contract.Operation {
	t.Helper()
	doc, err := read(map[string]string{"a.yaml": `
openapi: 3.1.0
paths:
  /a/{id}:
    post:
      parameters:
        - {name: id, in: path, required: true, schema: {type: array, items: {type: integer}}}
        - {name: q, in: query, schema: {type: integer}}
        - {name: l, in: query, explode: false, schema: {type: array, items: {type: boolean}}}
        - {name: o, in: query, style: deepObject, schema: {type: object, properties: {a: {type: integer}}}}
        - {name: p, in: query, style: pipeDelimited, schema: {type: array}}
        - {name: H-A, in: header, schema: {type: object, properties: {a: {type: integer}}}}
      requestBody:
        content:
          application/x-www-form-urlencoded: {schema: {type: object, properties: {a: {type: integer}, b: {type: array, items: {type: integer}}}}}
          multipart/form-data: {schema: {type: object, properties: {a: {type: integer}, b: {type: array, items: {type: integer}}}}}
`})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := doc.Operations()
	if err != nil {
		t.Fatal(err)
	}
	op, err := doc.Compile(listed[0], contract.CompileOptions{Closed: true})
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// What passes has one reading: net/url finds the parameter once, with a number.
func FuzzParameters(f *testing.F) {
	f.Add("/a/1,2", "q=1&l=true,false&o[a]=1&p=a|b", "a,1")
	f.Add("/a/", "q=1&q=2", "")
	f.Add("/a/%31", "%71=1;q=2&&=&Q=3", "a=1")
	op := fuzzed(f)
	f.Fuzz(func(t *testing.T, path, query, header string) {
		if faults := op.CheckHead(path, query, http.Header{"H-A": {header}}); len(faults) > 0 {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil || len(values["q"]) > 1 {
			t.Errorf("%q passes: %v %v", query, values, err)
		}
	})
}

func FuzzBodies(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", []byte("a=1&b=2&b=3"))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"))
	f.Add("multipart/form-data; boundary=\"x y\"", []byte("--x y\r\n\r\n--x y--"))
	op := fuzzed(f)
	f.Fuzz(func(_ *testing.T, kind string, body []byte) {
		if m, _ := op.CheckMedia(http.Header{"Content-Type": {kind}}, int64(len(body))); m != nil {
			_ = m.Check(body)
		}
	})
}
