package egress_test

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/egress"
	"sallyport/internal/secret"
)

func TestEG01T169WhatIsSentIsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) {
		o.Headers, o.UserHeader = []string{"X-Field-Mask"}, "X-User"
		o.Pseudonym = func(s string) string { return "p-" + s }
	}})
	a := h.send("GET", "/egress/maps/v1/geocode?address=Ely%20%26%20Co", "", http.Header{
		"X-Field-Mask": {"a,b"}, "X-Other": {"1"}, "Cookie": {"a=b"}, "Accept": {"application/json"}, "X-Forwarded-For": {"10.0.0.1"}, "Accept-Encoding": {"br"},
		"Referer": {"https://app.example.com/"}, "Range": {"bytes=0-7"},
	})
	if a.Status != 200 || a.Body != `{"ok":true}` {
		t.Fatalf("%d %s %s", a.Status, a.Body, h.events())
	}
	calls := h.taken()
	want := http.Header{
		"X-Api-Key": {key}, "X-User": {"p-ada"}, "X-Field-Mask": {"a,b"}, "Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": {"sallyport"},
	}
	if len(calls) != 1 || calls[0].URI != "/v1/geocode?address=Ely%20%26%20Co" || calls[0].Host != strings.TrimPrefix(h.upstream.URL, "https://") {
		t.Fatalf("%+v", calls)
	}
	for name, lines := range calls[0].Header {
		if strings.Join(want[name], ",") != strings.Join(lines, ",") {
			t.Errorf("the upstream got %s: %q", name, lines)
		}
	}
	for name := range want {
		if calls[0].Header[name] == nil {
			t.Errorf("the upstream did not get %s", name)
		}
	}
	if h.attr("cost") != "3" || h.attr("upstream_status") != "200" || h.attr("subject") != "ada" || h.attr("operation") != "GET /v1/geocode" {
		t.Errorf("T168: the call is not attributed: %v", h.record.Attrs())
	}
}

func TestEG02WhatBelongsToTheCredentialNoClientSends(t *testing.T) {
	t.Parallel()
	byHeader := newHouse(t, setup{})
	byQuery := newHouse(t, setup{change: func(o *egress.Options) {
		o.Inject = &egress.QueryInjector{Secrets: &vault{values: map[string][]string{"k": {key}}}, Name: "api_key", Secret: "k"}
		o.RequestTypes = []string{"application/json", "application/x-www-form-urlencoded"}
	}})
	for name, tt := range map[string]struct {
		h            *house
		method       string
		target, body string
		header       http.Header
		status       int
	}{
		"a good call, header":              {byHeader, "GET", "/egress/maps/v1/geocode?address=x", "", nil, 200},
		"a good call, query":               {byQuery, "GET", "/egress/maps/v1/geocode?address=x", "", nil, 200},
		"a good form":                      {byQuery, "POST", "/egress/maps/v1/places", "a=b", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 200},
		"its header":                       {byHeader, "GET", "/egress/maps/v1/geocode", "", http.Header{"X-Api-Key": {"mine"}}, 400},
		"its header twice":                 {byHeader, "GET", "/egress/maps/v1/geocode", "", http.Header{"X-Api-Key": {"mine", "mine"}}, 400},
		"its header, underscores":          {byHeader, "GET", "/egress/maps/v1/geocode", "", http.Header{"X_Api_Key": {"mine"}}, 400},
		"its header, lower case":           {byHeader, "GET", "/egress/maps/v1/geocode", "", http.Header{"x-api_key": {"mine"}}, 400},
		"its parameter":                    {byQuery, "GET", "/egress/maps/v1/geocode?api_key=mine", "", nil, 400},
		"its parameter behind a good one":  {byQuery, "GET", "/egress/maps/v1/geocode?address=x&api_key=mine", "", nil, 400},
		"its parameter in capitals":        {byQuery, "GET", "/egress/maps/v1/geocode?API_KEY=mine", "", nil, 400},
		"its parameter, encoded":           {byQuery, "GET", "/egress/maps/v1/geocode?api%5Fkey=mine", "", nil, 400},
		"its parameter with a dot":         {byQuery, "GET", "/egress/maps/v1/geocode?api.key=mine", "", nil, 400},
		"its parameter as a list":          {byQuery, "GET", "/egress/maps/v1/geocode?api_key[]=mine", "", nil, 400},
		"its parameter without value":      {byQuery, "GET", "/egress/maps/v1/geocode?api_key", "", nil, 400},
		"its parameter in a form":          {byQuery, "POST", "/egress/maps/v1/places", "a=b&api%5fkey=mine", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, 400},
		"a parameter that is not listed":   {byHeader, "GET", "/egress/maps/v1/geocode?callback=x", "", nil, 400},
		"a parameter of another operation": {byHeader, "GET", "/egress/maps/v1/places/1?address=x", "", nil, 400},
		"another path":                     {byHeader, "GET", "/egress/maps/v1/admin", "", nil, 404},
		"another method":                   {byHeader, "DELETE", "/egress/maps/v1/geocode", "", nil, 405},
		"another host in the path":         {byHeader, "GET", "/egress/maps//evil.example/v1/geocode", "", nil, 400},
		"an address in the path":           {byHeader, "GET", "/egress/maps/@evil.example/v1/geocode", "", nil, 404},
		"a body with GET":                  {byHeader, "GET", "/egress/maps/v1/geocode", "{}", http.Header{"Content-Type": {"application/json"}}, 400},
		"a body of another type":           {byHeader, "POST", "/egress/maps/v1/places", "<x/>", http.Header{"Content-Type": {"text/xml"}}, 415},
		"a packed body":                    {byHeader, "POST", "/egress/maps/v1/places", "{}", http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, 415},
		"a body that is too long":          {byHeader, "POST", "/egress/maps/v1/places", strings.Repeat(" ", 1<<20+1), http.Header{"Content-Type": {"application/json"}}, 413},
		"T168: no token":                   {byHeader, "GET", "/egress/maps/v1/geocode", "", http.Header{"Authorization": nil}, 401},
		"T168: HTTP Basic":                 {byHeader, "GET", "/egress/maps/v1/geocode", "", http.Header{"Authorization": {"Basic YTpi"}}, 401},
	} {
		tt.h.taken()
		a := tt.h.send(tt.method, tt.target, tt.body, tt.header)
		if a.Status != tt.status {
			t.Errorf("%s: %d, want %d: %s", name, a.Status, tt.status, tt.h.events())
		}
		calls := tt.h.taken()
		if (len(calls) == 1) != (tt.status == 200) || len(calls) == 1 && strings.Count(calls[0].URI+calls[0].Header.Get("X-Api-Key"), "mine") > 0 {
			t.Errorf("%s: the upstream got %+v", name, calls)
		}
	}
}

func TestT016BasicForAnUpstreamThatKnowsNothingElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) {
		o.Inject = &egress.BasicInjector{Secrets: &vault{values: map[string][]string{"k": {key}}}, Username: "shop", Secret: "k"}
	}})
	if a := h.get("/egress/maps/v1/geocode"); a.Status != 200 || strings.Contains(a.all(), key) {
		t.Fatalf("%d %s", a.Status, h.events())
	}
	r := http.Request{Header: h.taken()[0].Header}
	if user, password, ok := r.BasicAuth(); !ok || user != "shop" || password != key || len(r.Header["Authorization"]) != 1 {
		t.Errorf("the upstream got %q", r.Header["Authorization"])
	}
	if a := h.send("GET", "/egress/maps/v1/geocode", "", http.Header{"Authorization": {"Basic YTpi"}}); a.Status != 401 || len(h.taken()) != 0 {
		t.Errorf("a client's own Basic: %d", a.Status)
	}
}

func TestASecretThatIsNotThereAnswers503(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{change: func(o *egress.Options) { o.Quota.Budget = 3 }})
	h.vault.err = reasoned{}
	if a := h.get("/egress/maps/v1/geocode"); a.Status != 503 || len(h.taken()) != 0 || !strings.Contains(h.events(), "egress_no_secret") {
		t.Errorf("%d %s", a.Status, h.events())
	}
	h.vault.err = nil
	if a := h.get("/egress/maps/v1/geocode"); a.Status != 200 {
		t.Errorf("what was not sent was counted: %d %s", a.Status, h.events())
	}
	h.vault.set("maps_key", "short")
	h.advance(1)
	if a := h.get("/egress/maps/v1/places/1"); a.Status != 429 && !strings.Contains(h.events(), "egress_secret_unusable") {
		t.Errorf("a secret too short to be found again: %d %s", a.Status, h.events())
	}
}

type reasoned struct{}

func (reasoned) Error() string        { return "no " + secret.New(key).String() }
func (reasoned) EgressReason() string { return "egress_no_secret" }

func TestEG07TheNextCallHasTheNewSecret(t *testing.T) {
	t.Parallel()
	h := newHouse(t, setup{answer: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"old":"` + key + `"}`)) // an answer from before
	}})
	h.get("/egress/maps/v1/geocode")
	h.vault.set("maps_key", "another-key-of-maps-7812", key)
	a := h.get("/egress/maps/v1/geocode")
	if calls := h.taken(); len(calls) != 2 || calls[1].Header.Get("X-Api-Key") != "another-key-of-maps-7812" {
		t.Errorf("%+v", calls)
	}
	if a.Status != 200 || strings.Contains(a.Body, key[:16]) {
		t.Errorf("the one before passes: %d %s", a.Status, a.Body)
	}
}
