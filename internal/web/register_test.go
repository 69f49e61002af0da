package web_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sallyport/internal/oauth"
)

const metadataOfShop = `{"client_name":"New shop","redirect_uris":["https://new.example.com/cb"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}`

func openHouse(t *testing.T, changes ...func(*oauth.Options)) *house {
	return newHouse(t, options{change: func(o *oauth.Options) {
		o.Registration = oauth.RegistrationPolicy{Policy: oauth.RegisterOpen, Types: oauth.ClientTypes}
		o.MayFetch = func(string) error { return errors.New("never") }
		for _, c := range changes {
			c(o)
		}
	}})
}

func (b *browser) json(method, address, body string, header ...string) reply {
	b.t.Helper()
	req := b.request(method, address, body, header...)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return b.do(req)
}

func TestCL16TheLifeOfARegistration(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	made := b.json("POST", "/oauth/register", metadataOfShop)
	wantStatus(t, made, http.StatusCreated)
	if made.Header.Get("Cache-Control") != "no-store" || made.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v", made.Header)
	}
	m := made.json(t)
	uri, token, id := m["registration_client_uri"].(string), m["registration_access_token"].(string), m["client_id"].(string)
	auth := []string{"Authorization", "Bearer " + token}
	wantStatus(t, b.json("GET", uri, "", auth...), http.StatusOK)
	for name, r := range map[string]reply{
		"no token": b.json("GET", uri, ""), "a wrong one": b.json("GET", uri, "", "Authorization", "Bearer x"), "another client": b.json("GET", "/oauth/register/nobody", "", auth...),
		"no token to delete": b.json("DELETE", uri, ""),
	} {
		if r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") != `Bearer realm="sallyport", error="invalid_token", error_description="`+r.json(t)["error_description"].(string)+`"` {
			t.Errorf("%s: %d %q %s", name, r.StatusCode, r.Header.Get("WWW-Authenticate"), r.body)
		}
	}
	for path, status := range map[string]int{"/oauth/register/": 404, "/oauth/register/*": 401, "/oauth/register/a/b": 404, "/oauth/register/a%2fb": 404, "/oauth/register/a;b": 404} {
		wantStatus(t, b.json("GET", path, "", auth...), status)
	}
	if r := b.json("POST", uri, metadataOfShop, auth...); r.StatusCode != 405 || r.Header.Get("Allow") != "DELETE, GET, PUT" {
		t.Errorf("POST: %d %q", r.StatusCode, r.Header.Get("Allow"))
	}
	wantStatus(t, b.json("GET", "/oauth/register", ""), 405)
	put := b.json("PUT", uri, strings.Replace(metadataOfShop, "{", `{"client_id":"`+id+`",`, 1), auth...)
	wantStatus(t, put, http.StatusOK)
	wantStatus(t, b.json("DELETE", uri, "", auth...), 401) // the token was rotated
	auth[1] = "Bearer " + put.json(t)["registration_access_token"].(string)
	gone := b.json("DELETE", uri, "", auth...)
	wantStatus(t, gone, http.StatusNoContent)
	if gone.body != "" {
		t.Errorf("%q", gone.body)
	}
	wantStatus(t, b.json("GET", uri, "", auth...), 401)
	if log := h.log.String(); strings.Contains(log, token) || !strings.Contains(log, "client.registered") || !strings.Contains(log, "client.removed") {
		t.Error("the log has a token, or lacks the events")
	}
}

func TestCL12RegistrationOverHTTP(t *testing.T) {
	closed := newHouse(t, options{}).browser()
	wantStatus(t, closed.json("POST", "/oauth/register", metadataOfShop), 403)
	b := openHouse(t).browser()
	for name, r := range map[string]reply{
		"form":        b.post("/oauth/register", url.Values{"redirect_uris": {"https://new.example.com/cb"}}),
		"too long":    b.json("POST", "/oauth/register", `{"client_name":"`+strings.Repeat("x", 70_000)+`"}`),
		"not JSON":    b.json("POST", "/oauth/register", `{`),
		"bad address": b.json("POST", "/oauth/register", `{"redirect_uris":["http://new.example.com/cb"]}`),
	} {
		want := map[string]int{"form": 415, "too long": 413, "not JSON": 400, "bad address": 400}[name]
		if r.StatusCode != want {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	if r := b.json("POST", "/oauth/register", `{"redirect_uris":["http://new.example.com/cb"]}`); r.json(t)["error"] != "invalid_redirect_uri" {
		t.Errorf("%s", r.body)
	}
	last := 0
	for range 30 {
		last = b.json("POST", "/oauth/register", metadataOfShop).StatusCode
	}
	if last != 429 {
		t.Errorf("after 30 registrations: status %d", last)
	}
}

func TestMD11ARegisteredPageMayCallTheTokenEndpointAtOnce(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	const page = "https://new.example.com"
	preflight := func() int {
		return b.do(b.request("OPTIONS", "/oauth/token", "", "Origin", page, "Access-Control-Request-Method", "POST")).StatusCode
	}
	if got := preflight(); got != 403 {
		t.Errorf("before: %d", got)
	}
	m := b.json("POST", "/oauth/register", metadataOfShop).json(t)
	h.oauth.ForgetClient(m["client_id"].(string)) // what the feed does
	if got := preflight(); got != 204 {
		t.Errorf("after: %d", got)
	}
	if r := b.do(b.request("OPTIONS", "/oauth/register", "", "Origin", page, "Access-Control-Request-Method", "POST")); r.StatusCode < 400 {
		t.Errorf("registration is not for pages: %d", r.StatusCode)
	}
}

// TestMD02MetadataTellsTheTruth is made from the metadata: whatever it lists is
// there and is understood, and what it does not list is refused.
func TestMD02MetadataTellsTheTruth(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	meta := b.get("/.well-known/oauth-authorization-server").json(t)
	if meta["signed_metadata"] != nil || meta["issuer"] != issuer {
		t.Errorf("MD10, MD01: %v", meta)
	}
	list := func(name string) []string {
		t.Helper()
		var out []string
		raw, _ := meta[name].([]any)
		for _, v := range raw {
			out = append(out, v.(string))
		}
		if len(out) == 0 {
			t.Errorf("metadata lacks %s", name)
		}
		return out
	}
	t.Run("endpoints", func(t *testing.T) {
		for name, v := range meta {
			address, ok := v.(string)
			if !ok || !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
				continue
			}
			if get := b.get(address); get.StatusCode == 404 || get.StatusCode >= 500 {
				t.Errorf("%s: GET %s: %d", name, address, get.StatusCode)
			}
			if post := b.post(address, url.Values{"x": {"y"}}); post.StatusCode == 404 || post.StatusCode >= 500 {
				t.Errorf("%s: POST %s: %d", name, address, post.StatusCode)
			}
		}
	})
	code := func(r reply) string {
		var e struct{ Error string }
		_ = json.Unmarshal([]byte(r.body), &e)
		return e.Error
	}
	t.Run("grant types", func(t *testing.T) {
		for _, g := range list("grant_types_supported") {
			r := b.post("/oauth/token", url.Values{"grant_type": {g}, "client_id": {"web"}, "client_secret": {h.secret.Reveal()}})
			if got := code(r); got == "unsupported_grant_type" || r.StatusCode >= 500 {
				t.Errorf("%s is listed: %d %s", g, r.StatusCode, r.body)
			}
		}
		for _, g := range []string{"password", "implicit", "urn:example:none"} {
			if got := code(b.post("/oauth/token", url.Values{"grant_type": {g}, "client_id": {"web"}, "client_secret": {h.secret.Reveal()}})); got != "unsupported_grant_type" {
				t.Errorf("%s is not listed: %s", g, got)
			}
		}
	})
	asks := func(change ...string) string {
		r := b.get(authorizeURL(append([]string{"client_id", "web"}, change...)...))
		location, err := url.Parse(r.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if e := location.Query().Get("error"); e != "" {
			return e
		}
		if r.StatusCode >= 400 {
			return fmt.Sprint(r.StatusCode)
		}
		return ""
	}
	for name, tc := range map[string]struct {
		list, param string
		refused     []string
	}{
		"response types":  {"response_types_supported", "response_type", []string{"token", "id_token", "code token", "code id_token", "none"}},
		"response modes":  {"response_modes_supported", "response_mode", []string{"fragment", "web_message"}},
		"PKCE":            {"code_challenge_methods_supported", "code_challenge_method", []string{"plain", "s256"}},
		"scopes":          {"scopes_supported", "scope", []string{"admin", "catalog"}},
		"prompts":         {"prompt_values_supported", "prompt", []string{"create", "all"}},
		"classes of ours": {"acr_values_supported", "acr_values", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range list(tc.list) {
				if got := asks(tc.param, v); got != "" && !(v == "none" && got == "login_required") && !strings.HasSuffix(v, "jwt") {
					t.Errorf("%s=%s is listed: %s", tc.param, v, got)
				}
			}
			for _, v := range tc.refused {
				if asks(tc.param, v) == "" {
					t.Errorf("%s=%s is not listed and works", tc.param, v)
				}
			}
		})
	}
	const base = `{"redirect_uris":["https://new.example.com/cb"],"client_name":"x"`
	registers := func(t *testing.T, name, value string) reply {
		more := ""
		if strings.Contains(name, "_alg") || value == "private_key_jwt" || strings.HasPrefix(value, "self_signed") {
			more = `,"jwks":` + clientKeys
		}
		if value == "tls_client_auth" {
			more = `,"tls_client_auth_san_dns":"new.example.com"`
		}
		if strings.Contains(name, "encrypted") && strings.HasPrefix(name, "userinfo") {
			more += `,"userinfo_signed_response_alg":"ES256"`
		}
		h.clock.advance(3 * 60e9) // the next may register
		return b.json("POST", "/oauth/register", base+`,"`+name+`":"`+value+`"`+more+`}`)
	}
	for name, tc := range map[string]struct {
		list, member string
		refused      []string
	}{
		"client authentication": {"token_endpoint_auth_methods_supported", "token_endpoint_auth_method", []string{"client_secret_jwt", "magic"}},
		"subject types":         {"subject_types_supported", "subject_type", []string{"both"}},
		"ID token signature":    {"id_token_signing_alg_values_supported", "id_token_signed_response_alg", []string{"HS256", "none", "ES512"}},
		"ID token encryption":   {"id_token_encryption_alg_values_supported", "id_token_encrypted_response_alg", []string{"dir", "RSA1_5"}},
		"userinfo signature":    {"userinfo_signing_alg_values_supported", "userinfo_signed_response_alg", []string{"HS256", "none"}},
		"request objects":       {"request_object_signing_alg_values_supported", "request_object_signing_alg", []string{"HS256", "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range list(tc.list) {
				if r := registers(t, tc.member, v); r.StatusCode != 201 && !strings.HasPrefix(v, "attest") {
					t.Errorf("%s=%s is listed: %d %s", tc.member, v, r.StatusCode, r.body)
				}
			}
			for _, v := range tc.refused {
				if r := registers(t, tc.member, v); r.StatusCode != 400 {
					t.Errorf("%s=%s is not listed: %d %s", tc.member, v, r.StatusCode, r.body)
				}
			}
		})
	}
}

// clientKeys are public keys of a client: to sign and to be encrypted to.
const clientKeys = `{"keys":[{"kty":"EC","crv":"P-256","kid":"s","use":"sig","x":"AVbpZiVkcAy6NU09TJqbVhxwNevisZpQAD32j38PzAM","y":"yWlpjbPsOzToNKoIELOV-jQXlKcn4643_bsVD9JgvEc"},{"kty":"EC","crv":"P-256","kid":"e","use":"enc","x":"AVbpZiVkcAy6NU09TJqbVhxwNevisZpQAD32j38PzAM","y":"yWlpjbPsOzToNKoIELOV-jQXlKcn4643_bsVD9JgvEc"},{"kty":"RSA","kid":"r","use":"sig","e":"AQAB","n":"soyi7DfQ-1oKQzlzKo_llUn4bPGW0SepvxpjDlbe6JPu5CpSt_FEIneMtgibk6Vn5eJdlLTP6bDFwC2EBK7AmVoAwT0xe2JywtvkKeEMCYx8Ol9I26Q3uW05mAzbdHXfxZiAJkSzWWN2oyUvUINLug0Q1pnOcCLWkYlp1-2MkBnNAwHXfXupjPbun4z_6Poa2w-zIUubhrVlCg11ax_LA36cuSbLN93SMsjY_195MR73qv1kxfn073mA02FZ49K_l8I7rFp0wTO8fISWNlIeIdhhsILuqbPT2euRNkiGN-X5LzcnyR8x6GnEe6sQSDs65bzufIn1YiVklYxpU0x49Q"},{"kty":"RSA","kid":"re","use":"enc","e":"AQAB","n":"soyi7DfQ-1oKQzlzKo_llUn4bPGW0SepvxpjDlbe6JPu5CpSt_FEIneMtgibk6Vn5eJdlLTP6bDFwC2EBK7AmVoAwT0xe2JywtvkKeEMCYx8Ol9I26Q3uW05mAzbdHXfxZiAJkSzWWN2oyUvUINLug0Q1pnOcCLWkYlp1-2MkBnNAwHXfXupjPbun4z_6Poa2w-zIUubhrVlCg11ax_LA36cuSbLN93SMsjY_195MR73qv1kxfn073mA02FZ49K_l8I7rFp0wTO8fISWNlIeIdhhsILuqbPT2euRNkiGN-X5LzcnyR8x6GnEe6sQSDs65bzufIn1YiVklYxpU0x49Q"}]}`
