package main

import (
	"strings"
	"testing"
	"time"
)

const egressGood = `egress:
  - name: maps
    upstream: https://maps.example.net
    inject: {header: X-Api-Key, secret: maps_key}
    allow: ["GET /v1/geocode"]
    operations: [{match: "GET /v1/places/{id}", cost: 2, query: [fields]}]
    query: [address]
    quota: {per_user: 100/h}
`

func TestEG01AConnectorIsJudgedBeforeItServes(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	for name, tt := range map[string]struct{ old, text, want string }{
		"a good one":                       {"", "", ""},
		"plain http":                       {"https://maps", "http://maps", "egress[0].upstream"},
		"a private address":                {"maps.example.net", "10.0.0.7", "allow its network in egress[0].networks"},
		"a cloud's metadata":               {"maps.example.net", "169.254.169.254", "never asked"},
		"AP04 this machine as a number":    {"maps.example.net", "2130706433", "egress[0].upstream"},
		"user information":                 {"maps.example.net", "u:p@maps.example.net", "egress[0].upstream"},
		"a query in the address":           {"maps.example.net", "maps.example.net/?a=b", "egress[0].upstream"},
		"two ways to send the key":         {"header: X-Api-Key,", "header: X-Api-Key, query: key,", "more than one way"},
		"no way":                           {"header: X-Api-Key, ", "", "no way"},
		"no secret":                        {", secret: maps_key", "", "egress[0].inject.secret"},
		"the key's own header for clients": {"query: [address]", "headers: [x-api-key]", "belongs to the credential"},
		"the key's own parameter":          {"header: X-Api-Key", "query: ADDRESS", "belongs to the credential"},
		"that of one operation":            {"header: X-Api-Key", "query: fields", "operations[0].query[0]"},
		"Range for clients":                {"query: [address]", "headers: [Range]", "never passed on"},
		"cookies of the upstream":          {"query: [address]", "answer_headers: [Set-Cookie]", "never passed on"},
		"pages of the upstream":            {"query: [address]", "answer_types: [text/html]", "programs"},
		"a quota without a unit":           {"100/h", "\"100\"", "egress[0].quota.per_user"},
		"an operation that is none":        {"GET /v1/geocode", "/v1/geocode", "egress[0].allow[0]"},
		"a path among the issuer's pages":  {"    query: [address]", "    path: /oauth/maps\n    query: [address]", "egress[0].path"},
		"a scope that is another API's":    {"    query: [address]", "    scope: a.read\n    query: [address]", "belongs to"},
		"a name that is an API's":          {"name: maps", "name: a", "the same as of api"},
		"authorities that are not there":   {"    query: [address]", "    ca_file: none.pem\n    query: [address]", "egress[0].ca_file"},
	} {
		text := strings.Replace(localConfig, "clients:", egressGood+"clients:", 1)
		if tt.old != "" {
			if !strings.Contains(text, tt.old) {
				t.Fatalf("%s: there is no %q", name, tt.old)
			}
			text = strings.Replace(text, tt.old, tt.text, 1)
		}
		c, err := parseConfig(dir+"/sallyport.yaml", []byte(text), nil)
		if err == nil {
			err = mustHold(c, environment{now: time.Now()})
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
