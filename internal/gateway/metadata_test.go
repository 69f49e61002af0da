package gateway_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/gateway"
)

func TestMD09ProtectedResourceMetadata(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	challenge := f.get("/catalog/items/1", "").Header.Get("WWW-Authenticate")
	_, link, _ := strings.Cut(challenge, `resource_metadata="https://api.example.com`)
	got := f.get(strings.TrimSuffix(link, `"`), "")
	var doc struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
		Methods  []string `json:"bearer_methods_supported"`
		Name     string   `json:"resource_name"`
	}
	if err := json.Unmarshal([]byte(got.Body), &doc); err != nil || got.Status != 200 || got.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %d %s", err, got.Status, got.Body)
	}
	if doc.Resource != audience || !slices.Equal(doc.Servers, []string{issuer}) || !slices.Equal(doc.Methods, []string{"header"}) ||
		!slices.Equal(doc.Scopes, []string{"catalog.read", "catalog.write", "catalog.admin"}) || doc.Name != "catalog" {
		t.Errorf("%+v", doc)
	}
	for target, status := range map[string]int{
		"/.well-known/oauth-protected-resource": 404, "/.well-known/oauth-protected-resource/other": 404, "/catalog/.well-known/oauth-protected-resource": 404,
		"/.well-known/oauth-protected-resource/catalog/": 404, "/.well-known/oauth-protected-resource/catalog?x": 200,
	} {
		if got := f.get(target, ""); got.Status != status {
			t.Errorf("%s: status %d, want %d", target, got.Status, status)
		}
	}
	if got := f.call("POST", "/.well-known/oauth-protected-resource/catalog", "Content-Length: 0"); got.Status != 405 || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", got.Status)
	}
	if got := f.call("HEAD", "/.well-known/oauth-protected-resource/catalog"); got.Status != 200 || got.Body != "" {
		t.Errorf("HEAD: %d %q", got.Status, got.Body)
	}
}

func TestMD09MetadataListsTypesOfDetails(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) { o.APIs[0].DetailsTypes = []string{"payment", "order"} })
	if got := f.get("/.well-known/oauth-protected-resource/catalog", ""); !strings.Contains(got.Body, `"authorization_details_types_supported":["payment","order"]`) {
		t.Errorf("%s", got.Body)
	}
	if got := newFixture(t, nil).get("/.well-known/oauth-protected-resource/catalog", ""); strings.Contains(got.Body, "authorization_details") || !strings.Contains(got.Body, `"tls_client_certificate_bound_access_tokens":false`) {
		t.Errorf("%s", got.Body)
	}
}

func TestMD09AudienceElsewhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) { o.APIs[0].Audience = "urn:example:catalog" })
	if got := f.get("/catalog/items/1", "").Header.Get("WWW-Authenticate"); got != `Bearer resource_metadata="https://auth.example.com/.well-known/oauth-protected-resource/catalog"` {
		t.Errorf("challenge %q", got)
	}
}

func TestGW25CORS(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	auth := "Authorization: " + f.bearer()
	for origin, allowed := range map[string]bool{
		"https://app.example.com": true, "null": false, "*": false, "http://app.example.com": false, "https://evilapp.example.com": false, "https://app.example.com.evil.com": false,
		"https://app.example.com:443": false, "https://APP.example.com": false, "https://app.example.com/": false, "https://example.com": false, "": false,
	} {
		want := ""
		if allowed {
			want = origin
		}
		for name, got := range map[string]answer{
			"call":      f.call("GET", "/catalog/items/1", "Origin: "+origin, auth),
			"refusal":   f.call("GET", "/catalog/items/1", "Origin: "+origin),
			"preflight": f.call("OPTIONS", "/catalog/items/1", "Origin: "+origin, "Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: authorization,content-type, x-custom, x-user-id,cookie,b\"d"),
		} {
			if have := got.Header.Get("Access-Control-Allow-Origin"); have != want {
				t.Errorf("%s from %q: Access-Control-Allow-Origin %q", name, origin, have)
			}
			if !slices.Contains(got.Header["Vary"], "Origin") {
				t.Errorf("%s from %q: Vary %q", name, origin, got.Header["Vary"])
			}
			if got.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %q allows credentials", name, origin)
			}
			if name != "preflight" {
				continue
			}
			if status := map[bool]int{true: 204, false: 403}[allowed]; got.Status != status {
				t.Errorf("preflight from %q: status %d", origin, got.Status)
			}
			if allowed && (got.Header.Get("Access-Control-Allow-Methods") != "GET, PUT, HEAD, OPTIONS" || got.Header.Get("Access-Control-Allow-Headers") != "authorization, content-type, x-custom") {
				t.Errorf("preflight: %v", got.Header)
			}
		}
	}
	for _, got := range []answer{
		f.call("OPTIONS", "/catalog/none/1", "Origin: https://app.example.com", "Access-Control-Request-Method: GET"),
		f.call("OPTIONS", "/none", "Origin: https://app.example.com", "Access-Control-Request-Method: GET"),
	} {
		if got.Status != 404 {
			t.Errorf("preflight for nothing: status %d", got.Status)
		}
	}
	for _, r := range f.taken() {
		if r.Method == "OPTIONS" {
			t.Error("a preflight reached the backend")
		}
	}
}

func TestGW25NoCORSUnlessAsked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) { o.APIs[0].CORSOrigins = nil })
	got := f.call("GET", "/catalog/items/1", "Origin: https://app.example.com", "Authorization: "+f.bearer())
	if got.Status != 200 || got.Header.Get("Access-Control-Allow-Origin") != "" || got.Header.Get("Vary") != "" {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	if got := f.call("OPTIONS", "/catalog/items/1", "Origin: https://app.example.com", "Access-Control-Request-Method: GET"); got.Status != 405 {
		t.Errorf("preflight: status %d", got.Status)
	}
}
