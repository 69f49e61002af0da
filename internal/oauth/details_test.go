package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// payments has types of authorization_details and clients that may ask for them.
func payments(o *oauth.Options) {
	o.DetailsTypes = []oauth.DetailsType{
		{Type: "payment", APIs: []string{"catalog"}, Text: "Pay {amount.value} {amount.currency} to {creditor}", Fields: []oauth.DetailsField{
			{Name: "amount.value", Required: true, Pattern: `[0-9]{1,9}[.][0-9]{2}`},
			{Name: "amount.currency", Required: true, Enum: []string{"EUR", "USD"}},
			{Name: "creditor", Label: "To", Required: true, Max: 70},
			{Name: "urgent", Kind: "boolean"},
			{Name: "actions", Kind: "strings", Enum: []string{"initiate", "status"}},
			{Name: "times", Kind: "integer", Max: 12},
		}},
		{Type: "visit", APIs: []string{"catalog", "weather"}, Text: "Visit {city}", Fields: []oauth.DetailsField{{Name: "city", Required: true}}},
	}
	hashed := []oauth.ClientSecret{{Hash: o.Clients[2].Secrets[0].Hash}}
	may := oauth.Settings{DetailsTypes: []string{"payment", "visit"}}
	o.Clients = append(
		o.Clients,
		oauth.Client{ID: "payer", Type: oauth.Native, Scope: "openid catalog.read weather.read", RedirectURIs: []string{callback}, Settings: may},
		oauth.Client{ID: "pay-job", Type: oauth.ServiceClient, Scope: "weather.read", Secrets: hashed, Settings: may},
		oauth.Client{ID: "visitor", Type: oauth.Native, Scope: "openid catalog.read", RedirectURIs: []string{callback}, Settings: oauth.Settings{DetailsTypes: []string{"visit"}}},
	)
}

func newPaymentsRig(t *testing.T, changes ...func(*oauth.Options)) *rig {
	r := newRig(t)
	r.Service = r.node(r.feed, append([]func(*oauth.Options){payments}, changes...)...)
	return r
}

const (
	payment = `{"type":"payment","amount":{"value":"123.50","currency":"EUR"},"creditor":"Merchant A"}`
	visit   = `{"type":"visit","city":"Rome"}`
	// As they are granted: canonical, with locations.
	paid    = `{"amount":{"currency":"EUR","value":"123.50"},"creditor":"Merchant A","locations":["` + catalog + `"],"type":"payment"}`
	visited = `{"city":"Rome","locations":["` + catalog + `","` + weather + `"],"type":"visit"}`
)

func authorizeError(t *testing.T, r *rig, change ...string) (code, description string) {
	t.Helper()
	_, err := r.Authorize(t.Context(), authorizeParams(change...))
	var back *oauth.RedirectError
	if !errors.As(err, &back) {
		return "", fmt.Sprint(err)
	}
	return back.Code, back.Description
}

func TestPR12DetailsByTheSchemaOfTheirType(t *testing.T) {
	t.Parallel()
	r := newPaymentsRig(t)
	nested := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	many := "[" + strings.TrimSuffix(strings.Repeat(visit+",", 11), ",") + "]"
	for name, details := range map[string]string{
		"unknown type":                        `[{"type":"loan"}]`,
		"no type":                             `[{"city":"Rome"}]`,
		"type of another kind":                `[{"type":["payment"]}]`,
		"missing amount":                      `[{"type":"payment","creditor":"A"}]`,
		"missing part of the amount":          `[{"type":"payment","amount":{"value":"1.00"},"creditor":"A"}]`,
		"extra field":                         `[{"type":"visit","city":"Rome","country":"IT"}]`,
		"extra field inside":                  `[{"type":"payment","amount":{"value":"1.00","currency":"EUR","cents":1},"creditor":"A"}]`,
		"a dotted name for the one inside":    `[{"type":"payment","amount.value":"1.00","amount":{"currency":"EUR"},"creditor":"A"}]`,
		"a text for an object":                `[{"type":"payment","amount":"1.00","creditor":"A"}]`,
		"an object for a text":                `[{"type":"visit","city":{"name":"Rome"}}]`,
		"a number for a text":                 `[{"type":"visit","city":1}]`,
		"an empty required text":              `[{"type":"visit","city":""}]`,
		"null":                                `[{"type":"visit","city":null}]`,
		"an amount that does not fit":         strings.Replace("["+payment+"]", "123.50", "1e9", 1),
		"a text of spaces":                    `[{"type":"visit","city":"  "}]`,
		"spaces that pages leave out":         `[{"type":"visit","city":"New  York"}]`,
		"a space at the end":                  `[{"type":"visit","city":"Rome "}]`,
		"a space that looks like none":        `[{"type":"visit","city":"Ro\u200ame"}]`,
		"a filler that shows as nothing":      `[{"type":"visit","city":"\u3164"}]`,
		"a blank pattern of dots":             `[{"type":"visit","city":"\u2800"}]`,
		"a variation of nothing":              `[{"type":"visit","city":"Rome\ufe0f"}]`,
		"a direction":                         `[{"type":"visit","city":"\u202eemoR"}]`,
		"an amount with a second line":        strings.Replace("["+payment+"]", "123.50", `1.00\n`, 1),
		"a currency that is not listed":       strings.Replace("["+payment+"]", "EUR", "XAU", 1),
		"a text that is too long":             strings.Replace("["+payment+"]", "Merchant A", strings.Repeat("x", 71), 1),
		"a text that turns around":            strings.Replace("["+payment+"]", "Merchant A", `\u202eA`, 1),
		"a text for a boolean":                strings.Replace("["+payment+"]", `"type"`, `"urgent":"true","type"`, 1),
		"a fraction for an integer":           strings.Replace("["+payment+"]", `"type"`, `"times":1.5,"type"`, 1),
		"another spelling of an integer":      strings.Replace("["+payment+"]", `"type"`, `"times":1e1,"type"`, 1),
		"a negative integer":                  strings.Replace("["+payment+"]", `"type"`, `"times":-1,"type"`, 1),
		"an integer that is too large":        strings.Replace("["+payment+"]", `"type"`, `"times":13,"type"`, 1),
		"an action that is not listed":        strings.Replace("["+payment+"]", `"type"`, `"actions":["delete"],"type"`, 1),
		"no action":                           strings.Replace("["+payment+"]", `"type"`, `"actions":[],"type"`, 1),
		"a location of another API":           strings.Replace("["+payment+"]", `"type"`, `"locations":["`+weather+`"],"type"`, 1),
		"a location of somebody else":         strings.Replace("["+payment+"]", `"type"`, `"locations":["https://evil.example"],"type"`, 1),
		"no location":                         strings.Replace("["+payment+"]", `"type"`, `"locations":[],"type"`, 1),
		"duplicate keys":                      `[{"type":"visit","city":"Rome","city":"Oslo"}]`,
		"duplicate keys inside":               `[{"type":"payment","amount":{"value":"1.00","value":"9.00","currency":"EUR"},"creditor":"A"}]`,
		"duplicate keys by an escape":         `[{"type":"visit","city":"Rome","c\u0069ty":"Oslo"}]`,
		"deep nesting":                        `[{"type":"visit","city":` + nested + `}]`,
		"an object, not an array":             visit,
		"an array of texts":                   `["visit"]`,
		"an array with null":                  `[null]`,
		"an empty array":                      `[]`,
		"more after the array":                `[` + visit + `],"b":[]`,
		"no JSON":                             `[{"type":`,
		"eleven objects":                      many,
		"more than 4 KiB":                     `[{"type":"visit","city":"` + strings.Repeat("x", 4096) + `"}]`,
		"a byte that is not UTF-8":            "[{\"type\":\"visit\",\"city\":\"\xff\"}]",
		"half of a surrogate pair":            `[{"type":"visit","city":"\ud800"}]`,
		"two objects of which one is unknown": `[` + visit + `,{"type":"loan"}]`,
	} {
		code, why := authorizeError(t, r, "client_id", "payer", "authorization_details", details)
		if code != oauth.InvalidAuthorizationDetails && !(code == oauth.InvalidRequest && strings.Contains(name, "UTF-8")) {
			t.Errorf("%s: %q %s", name, code, why)
		}
		if strings.ContainsAny(why, "\"\\") || strings.Contains(why, "evil") || strings.Contains(why, "loan") {
			t.Errorf("%s: the description quotes the request: %s", name, why)
		}
	}
	if code, why := authorizeError(t, r, "client_id", "visitor", "authorization_details", "["+payment+"]"); code != oauth.InvalidAuthorizationDetails {
		t.Errorf("a client that is not registered for the type: %q %s", code, why)
	}
	twice := authorizeParams("client_id", "payer", "authorization_details", "["+visit+"]")
	twice.Add("authorization_details", "["+visit+"]")
	if _, err := r.Authorize(t.Context(), twice); !strings.Contains(fmt.Sprint(err), oauth.InvalidRequest) {
		t.Errorf("the parameter twice: %v", err)
	}
	for name, details := range map[string]string{
		"payment": "[" + payment + "]", "both": "[" + payment + "," + visit + "]", "white space": " [ " + visit + " ] ",
		"everything": strings.Replace("["+payment+"]", `"type"`, `"urgent":true,"times":12,"actions":["initiate"],"locations":["`+catalog+`"],"type"`, 1),
	} {
		if code, why := authorizeError(t, r, "client_id", "payer", "authorization_details", details); code != "" {
			t.Errorf("%s is refused: %s %s", name, code, why)
		}
	}
}

func (r *rig) payer(change ...string) *oauth.TokenResponse {
	r.t.Helper()
	code := r.code(append([]string{"client_id", "payer", "scope", "openid", "authorization_details", "[" + payment + "," + visit + "]"}, change...)...)
	res, err := r.redeem(code, "client_id", "payer")
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

func TestPR13GrantedDetailsAreSaidEverywhere(t *testing.T) {
	t.Parallel()
	r := newPaymentsRig(t, func(o *oauth.Options) {
		o.Resources[0].Format, o.Resources[2].Format = token.FormatJWT, token.FormatJWT
	})
	res := r.payer()
	want := "[" + paid + "," + visited + "]"
	if res.Details != want {
		t.Errorf("the answer says %s, want %s", res.Details, want)
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(res.AppendJSON(nil), &body); err != nil || string(body["authorization_details"]) != want {
		t.Errorf("on the wire: %s, %v", body["authorization_details"], err)
	}
	if got := claims(t, res.AccessToken.Reveal())["authorization_details"]; !sameJSON(t, got, want) {
		t.Errorf("the JWT says %v", got)
	}
	if got := r.introspect("rs", res.AccessToken)["authorization_details"]; !sameJSON(t, got, want) {
		t.Errorf("introspection says %v", got)
	}
	if got := r.introspect("rs2", res.AccessToken)["authorization_details"]; !sameJSON(t, got, "["+visited+"]") {
		t.Errorf("the weather API learns of %v", got)
	}
	sealed := newPaymentsRig(t)
	alone := sealed.payer("scope", "") // RFC 9396 §3: scope is not needed
	var a token.Access
	if err := sealed.ring.OpenAccess(alone.AccessToken.Reveal(), &a); err != nil || a.Details != want || a.Audience != catalog+" "+weather || a.Scope != "" {
		t.Errorf("the sealed token says %+v, %v", a, err)
	}
	if got := sealed.introspect("rs", alone.AccessToken); got["active"] != true || !sameJSON(t, got["authorization_details"], want) {
		t.Errorf("introspection says %v", got)
	}
	both, err := sealed.Token(t.Context(), sealed.form("grant_type", "client_credentials", "client_id", "pay-job", "client_secret", "yes", "authorization_details", "["+payment+"]"))
	if err != nil || both.Details != "["+paid+"]" || both.Scope != "" {
		t.Errorf("a service client gets %+v, %v", both, err)
	}
}

func TestJ099DetailsThatDifferFromTheGrant(t *testing.T) {
	t.Parallel()
	r := newPaymentsRig(t)
	res := r.payer()
	more := strings.Replace(payment, "123.50", "999.00", 1)
	for name, asked := range map[string]string{
		"J099 another amount":                   "[" + more + "]",
		"J099 another amount beside the one":    "[" + payment + "," + more + "]",
		"J099 another creditor":                 "[" + strings.Replace(payment, "Merchant A", "Merchant B", 1) + "]",
		"J099 the amount twice":                 "[" + payment + "," + payment + "]",
		"J099 the amount twice, once in part":   "[" + payment + "," + strings.Replace(payment, `"type"`, `"locations":["`+catalog+`"],"type"`, 1) + "]",
		"J099 one more field":                   "[" + strings.Replace(payment, `"type"`, `"urgent":true,"type"`, 1) + "]",
		"J099 one field less":                   `[{"type":"payment","amount":{"value":"123.50","currency":"EUR"}}]`,
		"J099 another type with the same rest":  "[" + strings.Replace(payment, `"payment"`, `"visit"`, 1) + "]",
		"J099 type confusion: a list":           "[" + strings.Replace(payment, `"payment"`, `["payment"]`, 1) + "]",
		"J099 type confusion: a number":         "[" + strings.Replace(payment, `"123.50"`, `123.50`, 1) + "]",
		"J099 another location":                 "[" + strings.Replace(payment, `"type"`, `"locations":["`+weather+`"],"type"`, 1) + "]",
		"J099 two amounts in one object":        "[" + strings.Replace(payment, `"value":"123.50"`, `"value":"123.50","value":"999.00"`, 1) + "]",
		"J099 a type that was not granted":      `[{"type":"loan"}]`,
		"J099 the grant, in an object":          `{"a":[` + payment + `]}`,
		"J099 an empty list that means nothing": `[]`,
	} {
		_, err := r.refresh(res.RefreshToken, "client_id", "payer", "authorization_details", asked)
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != oauth.InvalidAuthorizationDetails {
			t.Errorf("%s: %v", name, err)
		}
		code := r.code("client_id", "payer", "authorization_details", "["+payment+"]")
		if _, err := r.redeem(code, "client_id", "payer", "authorization_details", asked); err == nil {
			t.Errorf("%s, with a code", name)
		}
		if _, err := r.redeem(code, "client_id", "payer"); err != nil {
			t.Errorf("%s has used up the code: %v", name, err)
		}
	}
	// The pair: what was granted, or less of it. The refresh token was not spent above.
	less, err := r.refresh(res.RefreshToken, "client_id", "payer", "authorization_details", " ["+visit+"]")
	if err != nil || less.Details != "["+visited+"]" {
		t.Fatalf("less: %+v, %v", less, err)
	}
	there, err := r.refresh(less.RefreshToken, "client_id", "payer", "authorization_details", `[{"type":"visit","city":"Rome","locations":["`+weather+`"]}]`)
	if err != nil || there.Details != `[{"city":"Rome","locations":["`+weather+`"],"type":"visit"}]` {
		t.Fatalf("at one location: %+v, %v", there, err)
	}
	if again, err := r.refresh(there.RefreshToken, "client_id", "payer"); err != nil || again.Details != res.Details {
		t.Errorf("the grant has kept %+v, %v", again, err)
	}
	t.Run("J099 a token that was changed", func(t *testing.T) {
		jwts := newPaymentsRig(t, func(o *oauth.Options) {
			o.Resources[0].Format, o.Resources[2].Format = token.FormatJWT, token.FormatJWT
		})
		res := jwts.payer()
		parts := strings.Split(res.AccessToken.Reveal(), ".")
		plain, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(plain), "123.50", "999.00", 1)))
		if got := jwts.introspect("rs", secret.New(strings.Join(parts, "."))); got["active"] != false {
			t.Errorf("changed: %v", got)
		}
		if got := jwts.introspect("rs", res.AccessToken); got["active"] != true {
			t.Errorf("as it was: %v", got)
		}
	})
}

// What a client or the deployment has lost since, the grant has lost too.
func TestTK16RefreshLosesTypesThatTheClientHasLost(t *testing.T) {
	t.Parallel()
	r := newPaymentsRig(t)
	res := r.payer()
	r.Service = r.node(r.feed, payments, func(o *oauth.Options) {
		for i := range o.Clients {
			if o.Clients[i].ID == "payer" {
				o.Clients[i].Settings.DetailsTypes = []string{"visit"}
			}
		}
	})
	if again, err := r.refresh(res.RefreshToken, "client_id", "payer"); err != nil || again.Details != "["+visited+"]" {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestPR12MetadataListsTheTypes(t *testing.T) {
	t.Parallel()
	var m struct {
		Types []string `json:"authorization_details_types_supported"`
	}
	if err := json.Unmarshal(newPaymentsRig(t).Metadata(), &m); err != nil || fmt.Sprint(m.Types) != "[payment visit]" {
		t.Errorf("%v, %v", m.Types, err)
	}
	if strings.Contains(string(newRig(t).Metadata()), "authorization_details") {
		t.Error("a deployment without types says something of them")
	}
}

func TestPR12TypesThatCannotBe(t *testing.T) {
	t.Parallel()
	good := oauth.DetailsType{Type: "payment", APIs: []string{"pay"}, Text: "Pay {amount}", Fields: []oauth.DetailsField{{Name: "amount", Required: true}}}
	if setting, why := good.Problem(); why != "" {
		t.Fatal(setting, why)
	}
	for name, change := range map[string]func(*oauth.DetailsType){
		"no type":                   func(d *oauth.DetailsType) { d.Type = "" },
		"a type with a space":       func(d *oauth.DetailsType) { d.Type = "a b" },
		"no API":                    func(d *oauth.DetailsType) { d.APIs = nil },
		"no text":                   func(d *oauth.DetailsType) { d.Text = "" },
		"a text of another field":   func(d *oauth.DetailsType) { d.Text = "Pay {price}" },
		"a text of an optional one": func(d *oauth.DetailsType) { d.Fields[0].Required = false },
		"a field twice":             func(d *oauth.DetailsType) { d.Fields = append(d.Fields, d.Fields[0]) },
		"a field in a value":        func(d *oauth.DetailsType) { d.Fields = append(d.Fields, oauth.DetailsField{Name: "amount.value"}) },
		"a field called type":       func(d *oauth.DetailsType) { d.Fields[0].Name, d.Text = "type", "Pay" },
		"a field without a name":    func(d *oauth.DetailsType) { d.Fields[0].Name, d.Text = "", "Pay" },
		"a field that is too deep":  func(d *oauth.DetailsType) { d.Fields[0].Name, d.Text = "a.b.c.d.e", "Pay" },
		"a pattern that is none":    func(d *oauth.DetailsType) { d.Fields[0].Pattern = "[" },
		"a pattern for an integer":  func(d *oauth.DetailsType) { d.Fields[0].Pattern, d.Fields[0].Kind = "1", "integer" },
		"a kind that is none":       func(d *oauth.DetailsType) { d.Fields[0].Kind = "float" },
		"a length below nothing":    func(d *oauth.DetailsType) { d.Fields[0].Max = -1 },
	} {
		bad := good
		bad.Fields = append([]oauth.DetailsField(nil), good.Fields...)
		change(&bad)
		if setting, why := bad.Problem(); why == "" || setting == "" {
			t.Errorf("%s is no problem", name)
		}
	}
}

func FuzzAuthorizationDetails(f *testing.F) {
	for _, s := range []string{"[" + payment + "]", "[" + visit + "," + visit + "]", `[{"type":"visit","city":"\u00e9"}]`, `[]`, `{}`, `[{"type":"payment","amount":{}}]`, `[1],"b":2`} {
		f.Add(s)
	}
	var o oauth.Options
	o.Clients = make([]oauth.Client, 3)
	o.Clients[2].Secrets = make([]oauth.ClientSecret, 1)
	payments(&o)
	r, err := oauth.NewDetailsReader([]oauth.Resource{{Name: "catalog", Audience: catalog}, {Name: "weather", Audience: weather}}, o.DetailsTypes)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := r.ReadDetails(text, "payment", "visit")
		if !ok || got == "" {
			return
		}
		again, ok := r.ReadDetails(got, "payment", "visit")
		if !ok || again != got {
			t.Errorf("%q is read as %q and that as %q, %t", text, got, again, ok)
		}
	})
}

func sameJSON(t *testing.T, got any, want string) bool {
	t.Helper()
	a, err1 := json.Marshal(got)
	var v any
	err2 := json.Unmarshal([]byte(want), &v)
	b, err3 := json.Marshal(v)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return string(a) == string(b)
}
