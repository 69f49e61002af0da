package gateway_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sallyport/internal/token"
)

func TestGW01OneCredentialInOnePlace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	tok := f.seal(f.access())
	other := f.seal(f.access())
	basic := "Authorization: Basic dTpzcGF0Xw=="
	for _, tt := range []struct {
		name   string
		target string
		lines  []string
		status int
		reason string
	}{
		{"header passes", "/catalog/items/1", []string{"Authorization: Bearer " + tok}, 200, ""},
		{"J142 lower-case header name passes", "/catalog/items/1", []string{"authorization: Bearer " + tok}, 200, ""},
		{"J142 hop-by-hop Authorization passes", "/catalog/items/1", []string{"Authorization: Bearer " + tok, "Connection: authorization"}, 200, ""},
		{"none", "/catalog/items/1", nil, 401, "request.refused no_credential"},
		{"J141 two headers", "/catalog/items/1", []string{"Authorization: Bearer " + tok, "authorization: Bearer " + other}, 400, "request.refused repeated_credential"},
		{"J141 the same twice", "/catalog/items/1", []string{"Authorization: Bearer " + tok, "Authorization: Bearer " + tok}, 400, "request.refused repeated_credential"},
		{"J141 good then Basic", "/catalog/items/1", []string{"Authorization: Bearer " + tok, basic}, 400, "request.refused repeated_credential"},
		{"T016 Basic", "/catalog/items/1", []string{basic}, 401, "request.refused basic_credential"},
		{"PP12 DPoP scheme for a bearer token", "/catalog/items/1", []string{"Authorization: DPoP " + tok}, 401, "request.refused bearer_token_as_dpop"},
		{"unknown scheme", "/catalog/items/1", []string{"Authorization: MAC " + tok}, 401, "request.refused unsupported_scheme"},
		{"PP12 J141 both schemes", "/catalog/items/1", []string{"Authorization: Bearer " + tok, "Authorization: DPoP " + tok}, 400, "request.refused repeated_credential"},
		{"PP18 Proxy-Authorization", "/catalog/items/1", []string{"Proxy-Authorization: DPoP " + tok}, 401, "request.refused no_credential"},
		{"T143 query", "/catalog/items/1?access_token=" + tok, nil, 400, "token.in_url token_in_url"},
		{"T143 query beside header", "/catalog/items/1?access_token=x", []string{"Authorization: Bearer " + tok}, 400, "token.in_url token_in_url"},
		{"T143 query, encoded name", "/catalog/items/1?a=b&%61ccess%5ftoken=x", []string{"Authorization: Bearer " + tok}, 400, "token.in_url token_in_url"},
		{"T143 query, array name", "/catalog/items/1?access_token[]=x", []string{"Authorization: Bearer " + tok}, 400, "token.in_url token_in_url"},
		{"T143 query, folded name", "/catalog/items/1?Access.Token=x", []string{"Authorization: Bearer " + tok}, 400, "token.in_url token_in_url"},
		{"T143 query under another name", "/catalog/items/1?jwt=" + tok, []string{"Authorization: Bearer " + tok}, 400, "token.in_url token_in_url"},
		{"T143 path", "/catalog/items/" + tok, []string{"Authorization: Bearer " + tok}, 400, "token.in_url token_in_url"},
		{"J140 cookie", "/catalog/items/1", []string{"Cookie: access_token=" + tok}, 401, "request.refused no_credential"},
		{"J140 WebSocket sub-protocol", "/catalog/items/1", []string{"Sec-WebSocket-Protocol: bearer, " + tok}, 400, "request.refused token_in_subprotocol"},
		{"other header", "/catalog/items/1", []string{"X-Access-Token: " + tok, "Proxy-Authorization: Bearer " + tok}, 401, "request.refused no_credential"},
		{"underscore header", "/catalog/items/1", []string{"X_Authorization: Bearer " + tok}, 401, "request.refused no_credential"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.call("GET", tt.target, tt.lines...)
			if got.Status != tt.status {
				t.Errorf("status %d, want %d: %s", got.Status, tt.status, got.Body)
			}
			if why := strings.Join(f.reasons(), ","); why != tt.reason {
				t.Errorf("reason %q, want %q", why, tt.reason)
			}
			calls := f.taken()
			if (len(calls) == 1) != (tt.status == 200) {
				t.Errorf("the backend got %d calls", len(calls))
			}
			for _, r := range calls {
				for name, vv := range r.Header {
					if strings.Contains(strings.Join(vv, " "), tok) {
						t.Errorf("the credential reached the backend in %s", name)
					}
				}
			}
			if strings.Contains(got.Body, tok) {
				t.Errorf("the answer echoes the credential: %s", got.Body)
			}
		})
	}
	t.Run("J140 a form body is no place", func(t *testing.T) {
		body := "access_token=" + tok
		got := f.raw("POST /catalog/items HTTP/1.1", "Host: a", "Connection: close", "Content-Type: application/x-www-form-urlencoded",
			"Content-Length: "+strconv.Itoa(len(body)), "", body)
		if got.Status != 401 || len(f.taken()) != 0 {
			t.Errorf("status %d", got.Status)
		}
	})
}

func TestGW02BearerSyntax(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	tok := f.seal(f.access())
	for _, tt := range []struct {
		name, value string
		status      int
	}{
		{"as in the RFC", "Bearer " + tok, 200},
		{"scheme in lower case", "bearer " + tok, 200},
		{"scheme in upper case", "BEARER " + tok, 200},
		{"two spaces", "Bearer  " + tok, 400},
		{"tab", "Bearer\t" + tok, 400},
		{"no token", "Bearer", 400},
		{"comma list", "Bearer " + tok + ", Bearer " + tok, 400},
		{"comma without space", "Bearer " + tok + ",x", 400},
		{"two tokens", "Bearer " + tok + " " + tok, 400},
		{"quotes", `Bearer "` + tok + `"`, 400},
		{"parameter form", "Bearer token=" + tok, 400},
		{"non-ASCII", "Bearer " + tok + "\u00e9", 400},
		{"only padding", "Bearer ==", 400},
		{"padding inside", "Bearer a=b", 400},
		{"empty", "", 400},
		{"colon", "Bearer: " + tok, 400},
		{"token alone", tok, 400},
		{"longer than 8 KiB", "Bearer " + strings.Repeat("a", 8<<10+1), 400},
		{"not one of ours", "Bearer abc", 401},
		{"a JWT", "Bearer eyJhbGciOiJub25lIn0.e30.", 401},
		{"padded", "Bearer " + tok + "=", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.call("GET", "/catalog/items/1", "Authorization: "+tt.value)
			if got.Status != tt.status {
				t.Errorf("status %d, want %d: %v", got.Status, tt.status, f.reasons())
			}
			if calls := f.taken(); (len(calls) == 1) != (tt.status == 200) {
				t.Errorf("the backend got %d calls", len(calls))
			}
		})
	}
	t.Run("control characters", func(t *testing.T) {
		// The server refuses some before the gateway sees them; either way nothing passes.
		for _, c := range []string{"\x00", "\x01", "\x0b", "\x7f", "\n "} {
			got := f.call("GET", "/catalog/items/1", "Authorization: Bearer "+tok[:20]+c+tok[20:])
			if got.Status != 400 || len(f.taken()) != 0 {
				t.Errorf("%q: status %d", c, got.Status)
			}
		}
	})
	t.Run("J142 space before the colon", func(t *testing.T) {
		got := f.call("GET", "/catalog/items/1", "Authorization : Bearer "+tok)
		if got.Status != 400 || len(f.taken()) != 0 {
			t.Errorf("status %d", got.Status)
		}
	})
}

func TestGW03Challenges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	const link = `resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/catalog"`
	const offer = `|DPoP algs="ES256 EdDSA Ed25519 PS256", ` + link
	for _, tt := range []struct {
		name, method, target, authorization string
		status                              int
		code, challenge                     string
	}{
		{"T001 no credential has no error code", "GET", "/catalog/items/1", "", 401, "unauthorized", "Bearer " + link + offer},
		{"unsupported scheme has none either", "GET", "/catalog/items/1", "Basic dTpw", 401, "unauthorized", "Bearer " + link + offer},
		{"malformed", "GET", "/catalog/items/1", "Bearer", 400, "invalid_request", `Bearer error="invalid_request", ` + link},
		{"unknown", "GET", "/catalog/items/1", "Bearer x", 401, "invalid_token", `Bearer error="invalid_token", ` + link + offer},
		{"scope names what is missing", "PUT", "/catalog/items/1", f.bearer(), 403, "insufficient_scope", `Bearer error="insufficient_scope", scope="catalog.write", ` + link},
		{"HEAD has the headers only", "HEAD", "/catalog/items/1", "", 401, "", "Bearer " + link + offer},
		{"nothing of the request is echoed", "GET", `/catalog/items/a",error="x"`, "", 400, "invalid_request", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines []string
			if tt.authorization != "" {
				lines = append(lines, "Authorization: "+tt.authorization)
			}
			got := f.call(tt.method, tt.target, lines...)
			if got.Status != tt.status || got.Code != tt.code {
				t.Errorf("got %d %q, want %d %q", got.Status, got.Code, tt.status, tt.code)
			}
			want := []string{tt.challenge}
			if tt.challenge == "" {
				want = nil
			}
			if have := got.Header["Www-Authenticate"]; strings.Join(have, "|") != strings.Join(want, "|") {
				t.Errorf("challenge %q, want %q", have, want)
			}
			if len(f.taken()) != 0 {
				t.Error("the backend was called")
			}
		})
	}
}

func TestLG08OneAnswerManyReasons(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	revoked := f.access()
	f.log.add(revocationOf(revoked))
	f.catchUp()
	var bodies []answer
	for _, tt := range []struct {
		name, authorization, reason string
	}{
		{"form", "Bearer spat_x", "token_form"},
		{"foreign key", "Bearer " + newFixture(t, nil).seal(f.access()), "token_form"},
		{"one bit", "Bearer " + flip(f.seal(f.access())), "token_form"},
		{"expired", f.bearer(func(a *token.Access) { a.IssuedAt -= 600 }), "token_expired"},
		{"issued under a laxer tier", f.bearer(func(a *token.Access) { a.IssuedAt -= 601; a.Lifetime = 3600 }), "token_expired"},
		{"GW09 another audience", f.bearer(func(a *token.Access) { a.Audience = "https://api.example.com/catalog2" }), "token_audience"},
		{"GW09 longer audience", f.bearer(func(a *token.Access) { a.Audience = audience + "/" }), "token_audience"},
		{"GW09 shorter audience", f.bearer(func(a *token.Access) { a.Audience = "https://api.example.com" }), "token_audience"},
		{"GW09 wildcard audience", f.bearer(func(a *token.Access) { a.Audience = "*" }), "token_audience"},
		{"GW09 no audience", f.bearer(func(a *token.Access) { a.Audience = "" }), "token_audience"},
		{"J096 PP12 DPoP-bound token as bearer", f.bearer(func(a *token.Access) { a.Confirm.Method = token.ConfirmJKT }), "dpop_token_as_bearer"},
		{"J096 PP20 certificate-bound token without certificate", f.bearer(func(a *token.Access) { a.Confirm.Method = token.ConfirmX5T }), "certificate_missing"},
		{"revoked", "Bearer " + f.seal(revoked), "token_revoked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.get("/catalog/items/1", tt.authorization)
			if why := strings.Join(f.reasons(), ","); why != "request.refused "+tt.reason {
				t.Errorf("reason %q, want %q", why, tt.reason)
			}
			got.Header.Del("Date")
			bodies = append(bodies, got)
			if got.Status != 401 || got.Code != "invalid_token" || len(f.taken()) != 0 {
				t.Errorf("got %d %s", got.Status, got.Code)
			}
			first := bodies[0]
			if got.Body != first.Body || len(got.Header) != len(first.Header) || got.Header.Get("WWW-Authenticate") != first.Header.Get("WWW-Authenticate") {
				t.Errorf("the answer tells which check failed:\n%v\n%v", got, first)
			}
		})
	}
	t.Run("one of several audiences is enough", func(t *testing.T) {
		if got := f.get("/catalog/items/1", f.bearer(func(a *token.Access) { a.Audience = "https://x.example " + audience })); got.Status != http.StatusOK {
			t.Errorf("status %d", got.Status)
		}
	})
}

func flip(s string) string {
	b := []byte(s)
	if b[60] == 'A' {
		b[60] = 'B'
	} else {
		b[60] = 'A'
	}
	return string(b)
}
