package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/contract"
	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// orders is a document that uses most of what is held.
const orders = `
openapi: 3.0.3
info: {title: orders, version: "1"}
paths:
  /orders:
    get:
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
        - {name: state, in: query, schema: {type: string, enum: [open, sent]}}
        - {name: tag, in: query, schema: {type: array, maxItems: 3, items: {type: string, maxLength: 5}}}
        - {name: ids, in: query, explode: false, schema: {type: array, items: {type: integer}}}
        - {name: range, in: query, style: deepObject, schema: {type: object, properties: {from: {type: string, format: date}, to: {type: string, format: date}}}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object, required: [a], properties: {a: {type: integer}}}}}}
        - {name: Trace-Id, in: header, schema: {type: string, pattern: "^[a-f0-9]{8}$"}}
      responses:
        "200": {content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Order"}}}}}
        4XX: {content: {application/json: {}}}
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: "#/components/schemas/Order"}}
          application/x-www-form-urlencoded: {schema: {$ref: "#/components/schemas/Order"}}
          multipart/form-data: {schema: {$ref: "#/components/schemas/Order"}}
      responses:
        "201": {content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, format: int32, minimum: 1}}
    get:
      responses:
        "200": {content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
        "404": {description: no such order}
    delete:
      responses: {"204": {description: gone}}
    put:
      requestBody: {content: {application/json: {}}}
      responses: {default: {description: any}}
components:
  schemas:
    Order:
      type: object
      required: [item, id]
      properties:
        id: {type: integer, readOnly: true}
        item: {type: string, maxLength: 20}
        count: {type: integer, minimum: 1, maximum: 10}
        gift: {type: boolean}
        notes: {type: array, items: {type: string}}
        secret: {type: string, writeOnly: true}
        lines: {type: array, items: {type: object, properties: {sku: {type: string}}}}
`

// described are the operations of a document, with a scope that every token has.
func described(t testing.TB, text string, closed bool, answers gateway.AnswerCheck) change {
	t.Helper()
	doc, err := contract.Read("orders.yaml", func(string) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		t.Fatal(err)
	}
	listed, err := doc.Operations()
	if err != nil {
		t.Fatal(err)
	}
	var ops []gateway.Operation
	for _, l := range listed {
		op, err := doc.Compile(l, contract.CompileOptions{Closed: closed})
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, gateway.Operation{
			Method: l.Method, Path: l.Path, Scope: "catalog.read", Contract: &gateway.Contract{Operation: op, Answers: answers},
		})
	}
	return withOperations(ops...)
}

func TestGW24RequestsAreAsDescribed(t *testing.T) {
	t.Parallel()
	const form, multi = "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=xx"
	part := func(lines ...string) string {
		return "--xx\r\n" + strings.Join(lines, "\r\n") + "\r\n--xx--\r\n"
	}
	fixtures := map[bool]*fixture{true: newFixture(t, nil, described(t, orders, true, 0)), false: newFixture(t, nil, described(t, orders, false, 0))}
	both, closedOnly := []bool{true, false}, []bool{true}
	for _, tc := range []struct {
		rule, method, path string
		lines              []string
		body               string
		closed             []bool
		want               string // of errors, "" for 200
	}{
		{"no parameters", "GET", "/orders", nil, "", both, ""},
		{"all parameters", "GET", "/orders?limit=10&state=open&tag=a&tag=b&ids=1,2&range[from]=2026-01-01&filter=%7B%22a%22:1%7D", []string{"Trace-Id: 0123abcd"}, "", both, ""},
		{"AP03 a page of 10,000", "GET", "/orders?limit=10000", nil, "", both, "query limit maximum"},
		{"a word for a number", "GET", "/orders?limit=ten", nil, "", both, "query limit type"},
		{"a number in another notation", "GET", "/orders?limit=0x10", nil, "", both, "query limit type"},
		{"a number with a space", "GET", "/orders?limit=+10", nil, "", both, "query limit type"},
		{"nothing for a number", "GET", "/orders?limit=", nil, "", both, "query limit type"},
		{"a parameter twice", "GET", "/orders?limit=1&limit=10000", nil, "", both, "query limit duplicate"},
		{"a parameter as an array", "GET", "/orders?limit[]=10000", nil, "", both, "query limit duplicate"},
		{"a parameter in other case", "GET", "/orders?LIMIT=10000", nil, "", both, "query limit duplicate"},
		{"none of the words", "GET", "/orders?state=gone", nil, "", both, "query state enum"},
		{"an array that is too long", "GET", "/orders?tag=a&tag=b&tag=c&tag=d", nil, "", both, "query tag max_items"},
		{"an item of it", "GET", "/orders?tag=a&tag=abcdef", nil, "", both, "query tag/1 max_length"},
		{"a list with a comma", "GET", "/orders?ids=1,x", nil, "", both, "query ids/1 type"},
		{"a member of an object", "GET", "/orders?range[from]=yesterday", nil, "", both, "query range/from format"},
		{"an unknown member of an object", "GET", "/orders?range[day]=x", nil, "", closedOnly, "query range unknown_field"},
		{"JSON in a parameter", "GET", "/orders?filter=%7B%22a%22:1,%22a%22:2%7D", nil, "", both, "query filter duplicate_name"},
		{"JSON in a parameter, wrong", "GET", "/orders?filter=%7B%7D", nil, "", both, "query filter/a required"},
		{"T180 a parameter that nobody described", "GET", "/orders?debug=1", nil, "", closedOnly, "query  unknown_parameter"},
		{"a parameter that is not UTF-8", "GET", "/orders?state=%ff", nil, "", both, "query state encoding"},
		{"a header", "GET", "/orders", []string{"Trace-Id: xyz"}, "", both, "header Trace-Id pattern"},
		{"a header twice", "GET", "/orders", []string{"Trace-Id: 0123abcd", "Trace-Id: 0123abcd"}, "", both, "header Trace-Id duplicate"},
		{"a number in the path", "GET", "/orders/7", nil, "", both, ""},
		{"a word in the path", "GET", "/orders/seven", nil, "", both, "path id type"},
		{"a number in the path that is too large", "GET", "/orders/4294967296", nil, "", both, "path id format"},
		{"0 in the path", "GET", "/orders/0", nil, "", both, "path id minimum"},
		{"a body with GET", "GET", "/orders", []string{jsonType, "Content-Length: 2", "", "{}"}, "", both, "body  body_unexpected"},
		{"a body with DELETE", "DELETE", "/orders/7", []string{jsonType}, "{}", both, "body  body_unexpected"},
		{"DELETE without one", "DELETE", "/orders/7", nil, "", both, ""},

		{"a body", "POST", "/orders", []string{jsonType}, `{"item":"a","count":2}`, both, ""},
		{"T181 the wrong type", "POST", "/orders", []string{jsonType}, `{"item":"a","count":"2"}`, both, "body /count type"},
		{"OF07 a negative amount", "POST", "/orders", []string{jsonType}, `{"item":"a","count":-2}`, both, "body /count minimum"},
		{"something is missing", "POST", "/orders", []string{jsonType}, `{}`, both, "body /item required"},
		{"T157 isAdmin", "POST", "/orders", []string{jsonType}, `{"item":"a","isAdmin":true}`, closedOnly, "body  unknown_field"},
		{"an unknown field inside", "POST", "/orders", []string{jsonType}, `{"item":"a","lines":[{"sku":"a"},{"price":0}]}`, closedOnly, "body /lines/1 unknown_field"},
		{"what only the server sets", "POST", "/orders", []string{jsonType}, `{"item":"a","id":1}`, both, "body /id read_only"},
		{"a name twice", "POST", "/orders", []string{jsonType}, `{"item":"a","item":"b"}`, both, "body  duplicate_name"},
		{"T180 deep nesting", "POST", "/orders", []string{jsonType}, strings.Repeat("[", 10000), both, "body  too_deep"},
		{"no JSON", "POST", "/orders", []string{jsonType}, `{item:1}`, both, "body  json"},
		{"no body", "POST", "/orders", []string{jsonType}, "", both, "body  required"},
		{"no body, chunked", "POST", "/orders", []string{jsonType, "Transfer-Encoding: chunked", "X: y", "", "0"}, "chunked", both, "body  required"},
		{"no type", "POST", "/orders", nil, `{"item":"a"}`, both, "415"},
		{"another type", "POST", "/orders", []string{"Content-Type: text/xml"}, `<a/>`, both, "415"},
		{"another encoding", "POST", "/orders", []string{"Content-Type: application/json; charset=utf-16"}, `{"item":"a"}`, both, "415"},
		{"compressed", "POST", "/orders", []string{jsonType, "Content-Encoding: gzip"}, `{"item":"a"}`, both, "415"},
		{"a body that may be missing", "PUT", "/orders/7", nil, "", both, ""},
		{"any JSON", "PUT", "/orders/7", []string{jsonType}, `[1]`, both, ""},

		{"a form", "POST", "/orders", []string{form}, "item=a&count=2&gift=true&notes=a&notes=b", both, ""},
		{"a form: the wrong type", "POST", "/orders", []string{form}, "item=a&count=two", both, "body /count type"},
		{"a form: twice", "POST", "/orders", []string{form}, "item=a&item=b", both, "body  duplicate_name"},
		{"a form: unknown", "POST", "/orders", []string{form}, "item=a&admin=1", closedOnly, "body  unknown_field"},
		{"a form: hundreds of fields", "POST", "/orders", []string{form}, strings.Repeat("a=1&", 300), both, "body  too_many_fields"},
		{"parts", "POST", "/orders", []string{multi}, part(`Content-Disposition: form-data; name="item"`, "", "a"), both, ""},
		{"parts: a file", "POST", "/orders", []string{multi}, part(`Content-Disposition: form-data; name="item"; filename="a.png"`, "", "a"), both, ""},
		{"parts: the wrong type", "POST", "/orders", []string{multi}, part(`Content-Disposition: form-data; name="count"`, "", "many"), both, "body /item required"},
		{"parts: a header twice", "POST", "/orders", []string{multi}, part(`Content-Disposition: form-data; name="item"`, `Content-Disposition: form-data; name="id"`, "", "a"), both, "body  multipart"},
		{"parts: something before the first", "POST", "/orders", []string{multi}, "x\r\n" + part(`Content-Disposition: form-data; name="item"`, "", "a"), both, "body  multipart"},
		{"parts: encoded", "POST", "/orders", []string{multi}, part(`Content-Disposition: form-data; name="item"`, "Content-Transfer-Encoding: base64", "", "YQ=="), both, "body  multipart"},
		{"parts: another boundary", "POST", "/orders", []string{"Content-Type: multipart/form-data; boundary=yy"}, part(`Content-Disposition: form-data; name="item"`, "", "a"), both, "body  multipart"},
	} {
		for _, closed := range both {
			t.Run(fmt.Sprintf("%s, closed %v", tc.rule, closed), func(t *testing.T) {
				f, want := fixtures[closed], tc.want
				if !closed && len(tc.closed) == 1 {
					want = ""
				}
				f.t = t
				f.taken()
				lines, body := tc.lines, tc.body
				var got answer
				if body == "chunked" {
					got = f.raw(append([]string{tc.method + " /catalog" + tc.path + " HTTP/1.1", "Host: api.example.com", "Connection: close", "Authorization: " + f.bearer()}, lines...)...)
				} else {
					got = f.send(tc.method, tc.path, f.bearer(), body, lines...)
				}
				calls := len(f.taken())
				switch want {
				case "":
					if got.Status != 200 || calls != 1 {
						t.Errorf("%d %s, %d calls, want 200", got.Status, got.Body, calls)
					}
				case "415":
					if got.Status != 415 || calls != 0 {
						t.Errorf("%d %s, %d calls, want 415", got.Status, got.Body, calls)
					}
				default:
					part := strings.Split(want, " ")
					first := fmt.Sprintf(`"errors":[{"in":%q,"pointer":%q,"code":%q}`, part[0], part[1], part[2])
					if got.Status != 400 || got.Code != "invalid_request" || !strings.Contains(got.Body, first) || calls != 0 {
						t.Errorf("%d %s, %d calls, want 400 with %s", got.Status, got.Body, calls, first)
					}
				}
			})
		}
	}
}

func TestGW24RefusalsDoNotEchoWhatWasSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, described(t, orders, true, 0))
	const secret = "s3cr3tValue"
	for _, a := range []answer{
		f.send("GET", "/orders?"+secret+"=1&limit="+secret+"&state="+secret, f.bearer(), "", "Trace-Id: "+secret),
		f.send("POST", "/orders", f.bearer(), `{"`+secret+`":"`+secret+`","item":{"`+secret+`":1},"lines":[{"`+secret+`":1}]}`, jsonType),
		f.send("POST", "/orders", f.bearer(), `{"item":"`+secret, jsonType),
	} {
		if a.Status != 400 || strings.Contains(a.Body, secret) {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		for _, attr := range f.record.Attrs() {
			if strings.Contains(attr.String(), secret) {
				t.Errorf("in the log: %s", attr)
			}
		}
	}
	many := strings.Repeat(`{"sku":1},`, 50)
	if a := f.send("POST", "/orders", f.bearer(), `{"item":"a","lines":[`+many+`{}]}`, jsonType); strings.Count(a.Body, `"code":"type"`) != 10 {
		t.Errorf("%s: want ten places", a.Body)
	}
}

func TestGW24AnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	type reply struct {
		status int
		kind   string
		body   string
		header [2]string
	}
	const good = `{"id":7,"item":"a"}`
	const js = "application/json"
	for _, tc := range []struct {
		rule, method, path string
		reply
		want int    // enforced
		code string // of what is noted
	}{
		{"as described", "GET", "/orders/7", reply{200, js, good, [2]string{}}, 200, ""},
		{"HEAD", "HEAD", "/orders/7", reply{200, js, "", [2]string{}}, 200, ""},
		{"a field that is not listed", "GET", "/orders/7", reply{200, js, `{"id":7,"item":"a","password_hash":"x"}`, [2]string{}}, 502, "body unknown_field"},
		{"a field that is only for requests", "GET", "/orders/7", reply{200, js, `{"id":7,"item":"a","secret":"x"}`, [2]string{}}, 502, "body /secret write_only"},
		{"the wrong type", "GET", "/orders/7", reply{200, js, `{"id":"7","item":"a"}`, [2]string{}}, 502, "body /id type"},
		{"something is missing", "GET", "/orders/7", reply{200, js, `{"item":"a"}`, [2]string{}}, 502, "body /id required"},
		{"in a list", "GET", "/orders", reply{200, js, "[" + good + `,{"id":1,"item":"b","cost":1}]`, [2]string{}}, 502, "body /1 unknown_field"},
		{"another status", "GET", "/orders/7", reply{500, "text/plain", "stack trace", [2]string{}}, 502, "status status"},
		{"a range of statuses", "GET", "/orders", reply{422, js, `{"detail":"no"}`, [2]string{}}, 422, ""},
		{"another type", "GET", "/orders/7", reply{200, "text/html", "<p>", [2]string{}}, 502, "header Content-Type media_type"},
		{"not JSON", "GET", "/orders/7", reply{200, js, "{", [2]string{}}, 502, "body json"},
		{"compressed", "GET", "/orders/7", reply{200, js, good, [2]string{"Content-Encoding", "br"}}, 502, "header Content-Encoding media_type"},
		{"a body where none is described", "GET", "/orders/7", reply{404, "text/plain", "no row in table orders", [2]string{}}, 404, "body body_unexpected"},
		{"none where none is described", "DELETE", "/orders/7", reply{204, "", "", [2]string{}}, 204, ""},
		{"larger than can be read", "GET", "/orders/7", reply{200, js, `{"id":7,"item":"` + strings.Repeat("a", 1<<20) + `"}`, [2]string{}}, 502, "body size"},
	} {
		for _, mode := range []gateway.AnswerCheck{gateway.AnswersPass, gateway.AnswersReported, gateway.AnswersEnforced} {
			t.Run(fmt.Sprintf("%s, %d", tc.rule, mode), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) {
					if tc.header[0] != "" {
						w.Header().Set(tc.header[0], tc.header[1])
					}
					if tc.kind != "" {
						w.Header().Set("Content-Type", tc.kind)
					}
					w.WriteHeader(tc.status)
					_, _ = io.WriteString(w, tc.body)
				}, described(t, orders, true, mode))
				got := f.send(tc.method, tc.path, f.bearer(), "", "Accept-Encoding: gzip", "Range: bytes=0-1")
				want, body := tc.status, tc.body
				if mode == gateway.AnswersEnforced {
					want = tc.want
				}
				if got.Status != want {
					t.Fatalf("%d %.200s, want %d", got.Status, got.Body, want)
				}
				switch enforced := mode == gateway.AnswersEnforced && tc.code != ""; {
				case enforced && got.Status == 502 && (got.Code != "response_contract" || strings.Contains(got.Body, "password")):
					t.Errorf("%s", got.Body)
				case enforced && got.Status != 502 && got.Body != "":
					t.Errorf("a body that nobody described got out: %s", got.Body)
				case !enforced && got.Body != body:
					t.Errorf("the body is another: %.100s", got.Body)
				}
				f.checkNoted(t, mode, tc.code, want)
				if seen := f.taken()[0].Header; mode != gateway.AnswersPass && (seen.Get("Accept-Encoding") != "identity" || seen.Get("Range") != "") {
					t.Errorf("the backend was asked for a part, or compressed: %v", seen)
				}
			})
		}
	}
}

// checkNoted sees whether the log tells of an answer.
func (f *fixture) checkNoted(t *testing.T, mode gateway.AnswerCheck, code string, status int) {
	t.Helper()
	event, faults := "", ""
	for _, e := range f.record.Events() {
		event = string(e.Name)
	}
	for _, a := range f.record.Attrs() {
		if a.Key == "faults" {
			faults = a.Value.String()
		}
	}
	want := ""
	if mode != gateway.AnswersPass && code != "" {
		want = "answer.reported"
		if status == 502 {
			want = "answer.refused"
		}
	} else {
		code = ""
	}
	if event != want || faults != code {
		t.Errorf("noted %q with %q, want %q with %q", event, faults, want, code)
	}
}

func TestT029ScopesOfADocument(t *testing.T) {
	t.Parallel()
	scopes := []string{"s.read", "s.write", "s.delete", "s.share", "s.admin"}
	text := "openapi: 3.1.0\npaths:\n"
	for i := range 20 {
		text += fmt.Sprintf("  /r%d/{id}:\n    parameters: [{name: id, in: path, required: true}]\n    get: {security: [{o: [%s]}], responses: {default: {}}}\n", i, scopes[i%5])
	}
	text += "components: {securitySchemes: {o: {type: oauth2}}}\n"
	doc, err := contract.Read("t.yaml", func(string) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		t.Fatal(err)
	}
	listed, err := doc.Operations()
	if err != nil || len(listed) != 20 {
		t.Fatalf("%d operations: %v", len(listed), err)
	}
	var ops []gateway.Operation
	for _, l := range listed {
		ops = append(ops, gateway.Operation{Method: l.Method, Path: l.Path, Scope: l.Scopes[0]})
	}
	f := newFixture(t, nil, withOperations(ops...))
	for s, scope := range scopes {
		auth := f.bearer(func(a *token.Access) { a.Scope = scope })
		for i := range 20 {
			want := 403
			if i%5 == s {
				want = 200
			}
			if a := f.get(fmt.Sprintf("/catalog/r%d/1", i), auth); a.Status != want {
				t.Errorf("%s for r%d: %d, want %d", scope, i, a.Status, want)
			}
		}
	}
}
