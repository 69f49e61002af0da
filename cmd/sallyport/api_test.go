package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const adviceBase = `issuer: https://localhost
listen: 127.0.0.1:8443
metrics_listen: 127.0.0.1:9464
tls: {self_signed: true}
store: sqlite:s.db
master_key_file: master.key
`

// advised is a folder with a configuration that is nothing but advice.
func advised(t *testing.T, args ...string) (file, block string) {
	t.Helper()
	dir := folder(t)
	status, block, problem := execute(t, "", append([]string{"api", "advise"}, args...)...)
	if status != exitOK {
		t.Fatalf("%v: %s", args, problem)
	}
	file = filepath.Join(dir, "sallyport.yaml")
	secret, err := os.ReadFile(filepath.Join(dir, "web.secret"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{file: adviceBase + block, filepath.Join(dir, "api-app.secret"): string(secret)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file, block
}

// Whatever is answered, the block keeps every rule as it is.
func TestT017AdviceOfEachAnswerPassesCheck(t *testing.T) {
	t.Parallel()
	var walk func(i int, args []string)
	walk = func(i int, args []string) {
		if i < len(questions) {
			for _, w := range questions[i].words() {
				walk(i+1, append(args[:len(args):len(args)], "--"+questions[i].flag, w))
			}
			return
		}
		file, block := advised(t, args...)
		status, out, problem := execute(t, "", "check", "--offline", "-c", file)
		if status != exitOK || strings.Contains(out, "fail ") {
			t.Errorf("%v: check ends with %d: %s\n%s\n%s", args, status, problem, out, block)
		}
	}
	walk(0, nil)
}

// The newcomer with a banking app: code, PKCE, a bound token, the highest tier, and
// going below it breaks a rule.
func TestT017ABankingAppGetsTheHighestTierAndNothingWeakerPasses(t *testing.T) {
	t.Parallel()
	bank := []string{"--data", "sensitive", "--effect", "commit", "--app", "native", "--stay", "visit", "--reach", "machine"}
	status, out, problem := execute(t, "", append([]string{"api", "advise", "--json"}, bank...)...)
	var a advice
	if err := json.Unmarshal([]byte(out), &a); status != exitOK || err != nil {
		t.Fatalf("%d %s %v", status, problem, err)
	}
	if a.Tier.String() != "high" || !strings.Contains(a.Grant, "PKCE") || !strings.Contains(a.Grant, "system browser") ||
		!strings.Contains(a.Credential, "DPoP") || !strings.Contains(a.Storage, "Keychain") || len(a.Reasons) < 3 {
		t.Errorf("advice: %+v", a)
	}
	file, block := advised(t, bank...)
	for old, weaker := range map[string]string{
		"tier: high":                         "tier: standard",
		"dpop_bound_access_tokens: true":     "dpop_bound_access_tokens: false",
		`scope: api.read}`:                   `scope: api.read, tier: low}`,
		`type: native`:                       `type: service`,
		`"com.example.api:/callback"`:        `"http://example.com/callback"`,
		"audience: https://api.example.com/": "audience: /",
	} {
		if !strings.Contains(block, old) {
			t.Fatalf("the advice has no %q:\n%s", old, block)
		}
		if err := os.WriteFile(file, []byte(adviceBase+strings.Replace(block, old, weaker, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, _ := execute(t, "", "check", "--offline", "-c", file)
		if strings.HasPrefix(weaker, "dpop") { // no bearer token comes of it, so it is only said
			if !strings.Contains(out, "warn PP16") {
				t.Errorf("%q is not said:\n%s", weaker, out)
			}
			continue
		}
		if status != exitRefused {
			t.Errorf("%q instead of %q passes:\n%s", weaker, old, out)
		}
	}
}

func TestAdviceWithoutATerminalSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	status, out, problem := execute(t, "", "api", "advise", "--data", "public")
	if status != exitFailed || out != "" || !strings.Contains(problem, "--effect read, write, commit") {
		t.Errorf("%d %q %q", status, out, problem)
	}
	status, out, problem = execute(t, "", "api", "advise", "--data", "secret")
	if status != exitFailed || out != "" || !strings.Contains(problem, "public, personal, sensitive") {
		t.Errorf("%d %q %q", status, out, problem)
	}
}

const explainConfig = adviceBase + `scopes: {pay.read: See payments, pay.write: Pay, weather.read: See the weather}
apis:
  - name: payments
    audience: https://localhost/payments
    path: /payments
    upstream: http://127.0.0.1:9000
    operations:
      - {match: "GET /{id}", scope: pay.read, acr: pwd}
      - {match: "POST /", scope: pay.write, tier: high, max_age: 5m}
  - name: weather
    audience: https://localhost/weather
    path: /weather
    upstream: http://127.0.0.1:9001
    tier: low
    operations: [{match: "GET /{town}", scope: weather.read}]
`

func TestT018ExplainSaysWhatAppliesAndWhy(t *testing.T) {
	t.Parallel()
	file := filepath.Join(folder(t), "sallyport.yaml")
	if err := os.WriteFile(file, []byte(explainConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for call, want := range map[string]map[string][2]string{
		"GET /payments/1": {
			"tier": {"standard", "apis[0].tier is not set"}, "scope": {"pay.read", "apis[0].operations[0].scope, line 14"},
			"acr of people": {"urn:sallyport:pwd or stronger", "apis[0].operations[0].acr, line 14"}, "lifetime": {"an access token that was made for at most 10m", "tier standard"},
		},
		"HEAD /payments/1": {"scope": {"pay.read", "apis[0].operations[0].scope, line 14"}},
		"POST /payments/": {
			"tier": {"high", "apis[0].operations[1].tier, line 15"}, "nonce": {"a DPoP proof has a nonce of the server", "tier high"},
			"acr of people": {"urn:sallyport:mfa or stronger", "tier high"}, "age of the sign-in": {"at most 5m", "apis[0].operations[1].max_age, line 15"},
			"revocation": {"a node refuses when it has not heard of revocations for 1s", "tier high"},
		},
		"GET /weather/ulm": {"tier": {"low", "apis[1].tier, line 20"}, "lifetime": {"an access token that was made for at most 1h", "tier low"}},
	} {
		status, out, problem := execute(t, "", "check", "-c", file, "--json", "--explain", call)
		var got struct{ Applies []explainedLine }
		if err := json.Unmarshal([]byte(out), &got); status != exitOK || err != nil {
			t.Errorf("%s: %d %s %v", call, status, problem, err)
			continue
		}
		have := map[string][2]string{}
		for _, l := range got.Applies {
			have[l.What] = [2]string{l.Value, l.From}
		}
		for what, line := range want {
			if have[what] != line {
				t.Errorf("%s: %s is %q, want %q", call, what, have[what], line)
			}
		}
		if _, text, _ := execute(t, "", "check", "-c", file, "--explain", call); !strings.HasPrefix(text, call+" is ") {
			t.Errorf("%s: for people it says %s", call, text)
		}
	}
	for call, says := range map[string]string{
		"DELETE /payments/1": "405, and Allow: GET, HEAD", "GET /payments/1/2": "404", "GET /nowhere": "404", "GET /Payments/1": "404", "GET /payments/%2e%2e": "404",
	} {
		if status, _, problem := execute(t, "", "check", "-c", file, "--explain", call); status != exitRefused || !strings.Contains(problem, says) {
			t.Errorf("%s: %d %s", call, status, problem)
		}
	}
	for _, call := range []string{"payments", "GET payments", "GET /payments?x=1"} {
		if status, _, problem := execute(t, "", "check", "-c", file, "--explain", call); status != exitFailed || !strings.Contains(problem, "write for example") {
			t.Errorf("%s: %d %s", call, status, problem)
		}
	}
}

// What a tier promises cannot be configured away: every attempt breaks a rule.
func TestT018HardCapsCannotBeConfiguredAway(t *testing.T) {
	t.Parallel()
	file, block := advised(t, "--data", "sensitive", "--effect", "commit", "--app", "native", "--stay", "weeks", "--reach", "machine")
	client := "dpop_bound_access_tokens: true"
	check := func(text string) (int, string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(adviceBase+text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, problem := execute(t, "", "check", "--offline", "-c", file)
		return status, out + problem
	}
	for setting, value := range map[string][2]string{ // just above the cap, and at it
		"access_token_lifetime":       {"301s", "300s"},
		"refresh_token_idle_lifetime": {"901s", "900s"},
		"refresh_token_lifetime":      {"43201s", "43200s"},
	} {
		if status, out := check(strings.Replace(block, client, client+"\n    "+setting+": "+value[0], 1)); status != exitRefused || !strings.Contains(out, setting) {
			t.Errorf("%s: %s passes: %d\n%s", setting, value[0], status, out)
		}
		if status, out := check(strings.Replace(block, client, client+"\n    "+setting+": "+value[1], 1)); status != exitOK {
			t.Errorf("%s: %s, which is the cap: %d\n%s", setting, value[1], status, out)
		}
	}
	for what, change := range map[string][2]string{
		"a tier of one's own":                         {"tier: high", "tier: mine"},
		"a tier below the data":                       {"tier: high", "tier: low"},
		"an operation below the data":                 {"scope: api.read}", "scope: api.read, tier: standard}"},
		"no age of a sign-in at all":                  {"max_age: 15m", "max_age: -1s"},
		"numbers of a tier":                           {"tier: high", "tier: high\n    access_token_lifetime: 1h"},
		"a staleness of one's own":                    {"tier: high", "tier: high\n    revocation_max_age: 1h"},
		"a proof without a nonce":                     {client, client + "\n    dpop_nonce: false"},
		"a weaker sign-in by the name of a class":     {"max_age: 15m", "acr: none"},
		"sessions longer than the tier":               {"clients:", "people: {session_lifetime: 720h}\nclients:"},
		"an operation that needs no scope":            {"scope: api.read}", "public: true}"},
		"a client that signs its own":                 {"type: native", "type: native, grant_types: [password]"},
		"an app with a secret inside":                 {client, client + "\n    secret_file: api-app.secret"},
		"a refresh token that outlives its grant":     {client, client + "\n    refresh_token_idle_lifetime: 900s\n    refresh_token_lifetime: 60s"},
		"TLS of one's own":                            {"apis:", "tls: {min_version: \"1.1\"}\napis:"},
		"tokens that everybody can read, in any form": {"tier: high", "tier: high\n    token_format: plain"},
	} {
		if !strings.Contains(block, change[0]) {
			t.Fatalf("%s: the advice has no %q:\n%s", what, change[0], block)
		}
		if status, out := check(strings.Replace(block, change[0], change[1], 1)); status != exitRefused {
			t.Errorf("%s passes: %d\n%s", what, status, out)
		}
	}
}
