package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// owned are operations whose objects belong to somebody.
func owned() []gateway.Operation {
	const scope = "catalog.read"
	sub := func(in gateway.ObjectPlace, name string) []gateway.ObjectRule {
		return []gateway.ObjectRule{{In: in, Name: name, Claim: "sub"}}
	}
	return []gateway.Operation{
		{Method: "GET", Path: "/users/{uid}/notes/{id}", Scope: scope, Objects: sub(gateway.InPath, "uid")},
		{Method: "GET", Path: "/notes", Scope: scope, Objects: sub(gateway.InQuery, "owner_id")},
		{Method: "POST", Path: "/search", Scope: scope, Objects: sub(gateway.InQuery, "owner")},
		{Method: "GET", Path: "/inbox", Scope: scope, Objects: sub(gateway.InHeader, "Account-Id")},
		{Method: "POST", Path: "/notes", Scope: scope, Objects: sub(gateway.InBody, "/owner/id")},
		{Method: "POST", Path: "/batch", Scope: scope, Objects: sub(gateway.InBody, "/items/*/owner_id")},
		{Method: "PATCH", Path: "/notes/{id}", Scope: scope, Objects: []gateway.ObjectRule{{In: gateway.InBody, Name: "/owner", Claim: "sub", Optional: true}}},
		{Method: "POST", Path: "/graphql", Scope: scope, Objects: []gateway.ObjectRule{{In: gateway.InBody, Name: "/variables/id", Claim: "sub", Node: "User"}}},
		{Method: "GET", Path: "/apps/{app}", Scope: scope, Objects: []gateway.ObjectRule{{In: gateway.InPath, Name: "app", Claim: "client_id"}}},
		{Method: "GET", Path: "/accounts/{iban}", Scope: scope, Objects: []gateway.ObjectRule{{In: gateway.InPath, Name: "iban", Claim: "authorization_details.account.information.iban"}}},
		{Method: "GET", Path: "/tenants/{tenant}/users/{uid}", Scope: scope, Objects: []gateway.ObjectRule{
			{In: gateway.InPath, Name: "tenant", Claim: "authorization_details.tenant.id"},
			{In: gateway.InPath, Name: "uid", Claim: "sub"},
		}},
	}
}

type objectCall struct {
	rule         string
	method, path string
	lines        []string
	body         string
	want         int
}

const jsonType = "Content-Type: application/json"

// send makes a call with a token that may call everything.
func (f *fixture) send(method, path, auth, body string, lines ...string) answer {
	head := append([]string{method + " /catalog" + path + " HTTP/1.1", "Host: api.example.com", "Connection: close", "Authorization: " + auth}, lines...)
	if method != "GET" && method != "HEAD" {
		head = append(head, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	}
	return f.raw(head...)
}

func TestGW29ObjectsBelongToTheCaller(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withOperations(owned()...))
	for _, tc := range []objectCall{
		{"path: mine", "GET", "/users/u1/notes/7", nil, "", 200},
		{"path: mine, HEAD", "HEAD", "/users/u1/notes/7", nil, "", 200},
		{"path: another's", "GET", "/users/u2/notes/7", nil, "", 403},
		{"path: another's, HEAD", "HEAD", "/users/u2/notes/7", nil, "", 403},
		{"path: mine but for case", "GET", "/users/U1/notes/7", nil, "", 403},
		{"path: mine and more, encoded", "GET", "/users/u1%20/notes/7", nil, "", 400},
		{"path: a list with mine", "GET", "/users/u1,u2/notes/7", nil, "", 403},
		{"path: another's also in the query", "GET", "/users/u1/notes/7?uid=u2", nil, "", 403},
		{"query: mine", "GET", "/notes?owner_id=u1", nil, "", 200},
		{"query: mine, encoded", "GET", "/notes?%6fwner_id=%751", nil, "", 200},
		{"query: another's", "GET", "/notes?owner_id=u2", nil, "", 403},
		{"query: missing", "GET", "/notes", nil, "", 403},
		{"query: empty", "GET", "/notes?owner_id=", nil, "", 403},
		{"query: mine, then another's", "GET", "/notes?owner_id=u1&owner_id=u2", nil, "", 403},
		{"query: another's, then mine", "GET", "/notes?owner_id=u2&owner_id=u1", nil, "", 403},
		{"query: another's as an array", "GET", "/notes?owner_id=u1&owner_id[]=u2", nil, "", 403},
		{"query: another's in other case", "GET", "/notes?owner_id=u1&Owner_Id=u2", nil, "", 403},
		{"query: another's with a dot", "GET", "/notes?owner_id=u1&owner.id=u2", nil, "", 403},
		{"query: another's in a form", "POST", "/search?owner=u1", []string{"Content-Type: application/x-www-form-urlencoded"}, "owner=u2", 403},
		{"query: mine, body is no form", "POST", "/search?owner=u1", []string{jsonType}, "{}", 200},
		{"header: mine", "GET", "/inbox", []string{"Account-Id: u1"}, "", 200},
		{"header: another's", "GET", "/inbox", []string{"Account-Id: u2"}, "", 403},
		{"header: missing", "GET", "/inbox", nil, "", 403},
		{"header: twice", "GET", "/inbox", []string{"Account-Id: u1", "Account-Id: u2"}, "", 403},
		{"header: taken away on the way", "GET", "/inbox", []string{"Account-Id: u1", "Connection: Account-Id"}, "", 403},
		{"body: mine", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"u1"}}`, 200},
		{"body: mine, escaped", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"\u00751"}}`, 200},
		{"body: another's", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"u2"}}`, 403},
		{"body: missing", "POST", "/notes", []string{jsonType}, `{"owner":{}}`, 403},
		{"body: empty", "POST", "/notes", []string{jsonType}, ``, 400},
		{"body: null", "POST", "/notes", []string{jsonType}, `{"owner":{"id":null}}`, 403},
		{"body: an array with mine", "POST", "/notes", []string{jsonType}, `{"owner":{"id":["u1"]}}`, 403},
		{"body: an array of owners", "POST", "/notes", []string{jsonType}, `{"owner":[{"id":"u1"}]}`, 403},
		{"body: the name twice", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"u1","id":"u2"}}`, 400},
		{"body: the name twice, escaped", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"u1","\u0069d":"u2"}}`, 400},
		{"body: the name in other case", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"u1","ID":"u2"}}`, 403},
		{"body: the parent in other case", "POST", "/notes", []string{jsonType}, `{"owner":{"id":"u1"},"OWNER":{"id":"u2"}}`, 403},
		{"body: also in the query", "POST", "/notes?owner[id]=u2", []string{jsonType}, `{"owner":{"id":"u1"}}`, 403},
		{"body: as another type", "POST", "/notes", []string{"Content-Type: text/plain"}, `{"owner":{"id":"u1"}}`, 403},
		{"body: in another encoding", "POST", "/notes", []string{"Content-Type: application/json; charset=utf-16"}, `{"owner":{"id":"u1"}}`, 403},
		{"body: two types", "POST", "/notes", []string{jsonType, "Content-Type: application/x-www-form-urlencoded"}, `{"owner":{"id":"u1"}}`, 403},
		{"body: compressed", "POST", "/notes", []string{jsonType, "Content-Encoding: gzip"}, `{"owner":{"id":"u1"}}`, 403},
		{"batch: all mine", "POST", "/batch", []string{jsonType}, `{"items":[{"owner_id":"u1"},{"owner_id":"u1"}]}`, 200},
		{"batch: one is another's", "POST", "/batch", []string{jsonType}, `{"items":[{"owner_id":"u1"},{"owner_id":"u2"}]}`, 403},
		{"batch: one has none", "POST", "/batch", []string{jsonType}, `{"items":[{"owner_id":"u1"},{}]}`, 403},
		{"batch: the other spelling of the name", "POST", "/batch", []string{jsonType}, `{"items":[{"owner_id":"u1","ownerId":"u2"}]}`, 403},
		{"batch: no array", "POST", "/batch", []string{jsonType}, `{"items":{"0":{"owner_id":"u1"}}}`, 403},
		{"batch: nothing in it", "POST", "/batch", []string{jsonType}, `{"items":[]}`, 403},
		{"optional: not there", "PATCH", "/notes/7", []string{jsonType}, `{"text":"hi"}`, 200},
		{"optional: mine", "PATCH", "/notes/7", []string{jsonType}, `{"owner":"u1"}`, 200},
		{"optional: another's", "PATCH", "/notes/7", []string{jsonType}, `{"owner":"u2"}`, 403},
		{"node id: mine", "POST", "/graphql", []string{jsonType}, `{"query":"query($id:ID!){node(id:$id){id}}","variables":{"id":"VXNlcjp1MQ=="}}`, 200},
		{"node id: another's", "POST", "/graphql", []string{jsonType}, `{"query":"query($id:ID!){node(id:$id){id}}","variables":{"id":"VXNlcjp1Mg=="}}`, 403},
		{"node id: bare", "POST", "/graphql", []string{jsonType}, `{"query":"query($id:ID!){node(id:$id){id}}","variables":{"id":"u1"}}`, 403},
		{"client: this one", "GET", "/apps/shop-app", nil, "", 200},
		{"client: another", "GET", "/apps/other-app", nil, "", 403},
		{"details: what was agreed to", "GET", "/accounts/DE02", nil, "", 200},
		{"details: the second that was agreed to", "GET", "/accounts/DE03", nil, "", 200},
		{"details: another", "GET", "/accounts/DE04", nil, "", 403},
		{"details: of another type", "GET", "/accounts/acme", nil, "", 403},
		{"two rules: both hold", "GET", "/tenants/acme/users/u1", nil, "", 200},
		{"two rules: another tenant", "GET", "/tenants/other/users/u1", nil, "", 403},
		{"two rules: another person", "GET", "/tenants/acme/users/u2", nil, "", 403},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			f.t = t
			f.taken()
			auth := f.bearer(func(a *token.Access) {
				a.Serial[0]++ // each on its own: this is not about many
				a.ClientID = "shop-app"
				a.Details = `[{"type":"account.information","iban":["DE02","DE03"]},{"type":"tenant","id":"acme"}]`
			})
			got := f.send(tc.method, tc.path, auth, tc.body, tc.lines...)
			want := tc.want
			if want == 403 && got.Status == 429 && slices.Contains(f.reasons(), "object.probed objects_enumerated") {
				want = 429 // by now it looks like a search
			}
			if got.Status != want {
				t.Errorf("%s %s %s: %d %s, want %d", tc.method, tc.path, tc.body, got.Status, got.Body, tc.want)
			}
			if calls := f.taken(); (len(calls) > 0) != (tc.want == 200) {
				t.Errorf("the backend saw %d calls", len(calls))
			}
		})
	}
}

func TestT190SomebodyWhoGoesThroughIdentifiersIsSeen(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, withOperations(owned()...))
	auth := f.bearer()
	var forbidden, slowed int
	for i := range 40 {
		switch a := f.send("GET", fmt.Sprintf("/users/v%d/notes/1", i), auth, ""); a.Status {
		case 403:
			forbidden++
		case 429:
			slowed++
			if a.Header.Get("Retry-After") == "" || f.reasons()[0] != "object.probed objects_enumerated" {
				t.Errorf("slowed without Retry-After or event: %v %v", a.Header, f.reasons())
			}
		default:
			t.Fatalf("answer %d", a.Status)
		}
	}
	if forbidden != 20 || slowed != 20 {
		t.Errorf("%d refused and %d slowed, want 20 and 20", forbidden, slowed)
	}
	if a := f.send("GET", "/users/u1/notes/1", auth, ""); a.Status != 200 {
		t.Errorf("the own object: %d, want 200", a.Status)
	}
	other := f.bearer(func(a *token.Access) { a.Subject = "u9" })
	for range 30 {
		if a := f.send("GET", "/users/u1/notes/1", other, ""); a.Status != 403 {
			t.Fatalf("somebody else who asks for one object again and again: %d, want 403", a.Status)
		}
	}
}

func TestObjectRulesThatCannotHold(t *testing.T) {
	t.Parallel()
	for rule, tc := range map[string]struct {
		method string
		gateway.ObjectRule
		want string
	}{
		"a claim that no token has":       {"PUT", gateway.ObjectRule{Name: "id", Claim: "tenant"}, "no access token has"},
		"a field without its type":        {"PUT", gateway.ObjectRule{Name: "id", Claim: "authorization_details.iban"}, "no access token has"},
		"a parameter that is not there":   {"PUT", gateway.ObjectRule{Name: "uid", Claim: "sub"}, "does not have"},
		"an optional path":                {"PUT", gateway.ObjectRule{Name: "id", Claim: "sub", Optional: true}, "optional"},
		"a header that is dropped":        {"PUT", gateway.ObjectRule{In: gateway.InHeader, Name: "X-User-Id", Claim: "sub"}, "not passed on"},
		"a header with an underscore":     {"PUT", gateway.ObjectRule{In: gateway.InHeader, Name: "account_id", Claim: "sub"}, "not passed on"},
		"a pointer that is none":          {"PUT", gateway.ObjectRule{In: gateway.InBody, Name: "owner", Claim: "sub"}, "JSON Pointer"},
		"the body of a GET":               {"GET", gateway.ObjectRule{In: gateway.InBody, Name: "/owner", Claim: "sub"}, "does not have"},
		"an array as the name of a query": {"PUT", gateway.ObjectRule{In: gateway.InQuery, Name: "owner[]", Claim: "sub"}, "letters"},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			o := gateway.Options{Issuer: issuer, APIs: []gateway.API{{Name: "catalog", Operations: []gateway.Operation{
				{Method: tc.method, Path: "/items/{id}", Scope: "s", Objects: []gateway.ObjectRule{tc.ObjectRule}},
			}}}}
			f := newFixture(t, nil)
			o.Ring, o.Feed, o.Now, o.Proofs = f.ring, f.feed, f.now, newProofs(t, f.ring, f.now)
			if _, err := gateway.New(o); err == nil || !strings.Contains(err.Error(), "objects: rule 1") || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}
