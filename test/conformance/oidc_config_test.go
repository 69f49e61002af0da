package conformance_test

import (
	"net/http"
	"strings"
	"testing"
)

// The plan oidcc-config-certification-test-plan.
func TestID07ID10MD04OIDCConfig(t *testing.T) {
	t.Parallel()
	s, c, _, _ := servesBasic(t)
	t.Run("oidcc-discovery-endpoint-verification", func(t *testing.T) {
		c := c.with(t)
		meta := c.discover()
		if meta["issuer"] != s.Issuer {
			t.Errorf("issuer %v", meta["issuer"])
		}
		for _, name := range []string{"authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "registration_endpoint", "end_session_endpoint"} {
			if address, ok := meta[name].(string); ok && !strings.HasPrefix(address, "https://") || !ok && name != "registration_endpoint" {
				t.Errorf("%s is %v", name, meta[name])
			}
		}
		for name, values := range map[string][]string{
			"response_types_supported": {"code"}, "subject_types_supported": {"public", "pairwise"}, "scopes_supported": {"openid"},
			"id_token_signing_alg_values_supported": {"RS256", "ES256"}, "response_modes_supported": {"query", "form_post"},
			"token_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post", "private_key_jwt"},
			"claims_supported":                      {"sub"},
		} {
			for _, value := range values {
				if !c.lists(name, value) {
					t.Errorf("%s does not list %s: %v", name, value, meta[name])
				}
			}
		}
		if c.lists("response_types_supported", "token") || c.lists("id_token_signing_alg_values_supported", "none") {
			t.Error("more is announced than there is")
		}
		if meta["request_uri_parameter_supported"] == nil {
			t.Error("request_uri_parameter_supported is true where it is missing, and that would be a lie")
		}
	})
	t.Run("oidcc-discovery-jwks-endpoint-verification", func(t *testing.T) {
		var set struct{ Keys []map[string]any }
		c.with(t).getJSON(c.with(t).endpoint("jwks_uri"), &set)
		seen := map[any]bool{}
		for _, key := range set.Keys {
			if key["kid"] == nil || seen[key["kid"]] || key["use"] != "sig" || key["alg"] == nil {
				t.Errorf("key %v", key)
			}
			seen[key["kid"]] = true
			for _, private := range []string{"d", "p", "q", "k"} {
				if key[private] != nil {
					t.Errorf("key %v has %s", key["kid"], private)
				}
			}
		}
		if len(set.Keys) == 0 {
			t.Error("no keys")
		}
	})
	t.Run("MD01 issuer does not follow the Host header", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer+"/.well-known/openid-configuration", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "evil.example.com"
		if res := do(t, s.Client(), req); res.status == http.StatusOK {
			t.Errorf("status 200: %s", res.raw)
		}
	})
}
