package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// checked runs check on a configuration and returns its findings by rule.
func checked(t *testing.T, dir, text string) map[string]finding {
	t.Helper()
	file := filepath.Join(dir, "sallyport.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	run(t.Context(), []string{"check", "--json", "-c", file}, nil, strings.NewReader(""), &out, &errs)
	var answer struct{ Findings []finding }
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		t.Fatalf("%v: %s %s", err, out.String(), errs.String())
	}
	found := map[string]finding{}
	for _, f := range answer.Findings {
		found[f.Rule] = f
	}
	return found
}

func TestCheckSaysWhatServeSaysOfTheMasterKey(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	if f := checked(t, dir, localConfig)["CF13"]; f.Result != notJudged {
		t.Errorf("without a database: %+v", f)
	}
	c, err := parseConfig(filepath.Join(dir, "sallyport.yaml"), []byte(localConfig), nil)
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.openStore(t.Context(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := checked(t, dir, localConfig)["CF13"]; f.Result != "pass" {
		t.Errorf("a new database: %+v", f)
	}
	if keys, err := st.Keys().Keys(t.Context()); err != nil || len(keys) > 0 {
		t.Fatalf("check has made keys: %d, %v", len(keys), err)
	}
	master, err := c.master()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.OpenRing(t.Context(), st.Keys(), master, time.Now); err != nil {
		t.Fatal(err)
	}
	if f := checked(t, dir, localConfig)["CF13"]; f.Result != "pass" {
		t.Errorf("its own master key: %+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, "master.key"), []byte(secret.NewHandle(secret.MasterKey).Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, served := c.openKeyring(t.Context(), st, nil, time.Now)
	f := checked(t, dir, localConfig)["CF13"]
	if served == nil || f.Result != "fail" || len(f.Evidence) != 1 || !strings.HasSuffix(f.Evidence[0], served.Error()) {
		t.Errorf("the master key of another database: %+v, serve says %v", f, served)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCheckAsksTheSharedState(t *testing.T) {
	t.Parallel()
	f := checked(t, folder(t), localConfig+"shared: redis://127.0.0.1:1\n")["PP09"]
	if f.Result != "warn" || !strings.Contains(strings.Join(f.Evidence, "\n"), "shared: serve would not start now: ") {
		t.Errorf("nobody answers: %+v", f)
	}
}

func TestCheckTellsWarningsFromFailures(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	found := checked(t, dir, localConfig+"mail: {server: smtps://mail.example.com, from: a}\n")
	f := found["LK01"]
	if f.Result != "fail" || len(f.Evidence) != 1 || len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "leaks.notify: is empty") {
		t.Errorf("a failure and a warning: %+v", f)
	}
	if strings.Contains(f.Warnings[0], ":1:") {
		t.Errorf("what is absent has a line: %s", f.Warnings[0])
	}
	f = checked(t, dir, strings.Replace(localConfig, "scope: openid a.read}", "scope: openid a.read, contacts: [a@example.com]}", 1))["LK01"]
	if f.Result != "warn" || !strings.Contains(f.Evidence[0], "clients[0].contacts: nobody is told of a leak without mail.server") {
		t.Errorf("contacts without mail: %+v", f)
	}
}

func TestEG05AddressesThatAreNeverAskedAreNamed(t *testing.T) {
	t.Parallel()
	strict, local := outbound.Options{}, outbound.Options{AllowLoopback: true}
	for uri, want := range map[string]string{
		"https://a.example/j":    "",
		"https://8.8.8.8/j":      "",
		"https://a.example:22/j": "port",
		"https://db/j":           "full name",
		"https://localhost/j":    "this machine",
		"https://127.0.0.1/j":    "loopback",
		"https://[::1]/j":        "loopback",
		"https://10.0.0.1/j":     "allow its network in jwks_networks",
	} {
		if got := unaskedProblem(strict, uri, "jwks_networks"); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
	if got := unaskedProblem(local, "http://127.0.0.1:9000/j", ""); got != "" {
		t.Errorf("this machine, allowed: %q", got)
	}
}

// client add is held to what the rules say of the file.
func TestClientAddWarnsAndHides(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	checked(t, dir, localConfig)
	file := filepath.Join(dir, "sallyport.yaml")
	command := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(context.WithoutCancel(t.Context()), append(args, "-c", file), nil, strings.NewReader(""), &out, &errs)
		return code, errs.String()
	}
	if code, said := command("migrate"); code != exitOK {
		t.Fatal(said)
	}
	add := func(id string, more ...string) (int, string) {
		return command(append([]string{"client", "add", id, "--type", "native", "--redirect-uri", "com.example.x:/cb"}, more...)...)
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		says string
	}{
		"plain":                 {[]string{"--scope", "a.read"}, exitOK, ""},
		"PP16 tier high":        {[]string{"--scope", "b.read"}, exitOK, "warning: c"},
		"PP16 and bound":        {[]string{"--scope", "b.read", "--dpop-bound-access-tokens"}, exitOK, ""},
		"contacts without mail": {[]string{"--contact", "a@example.com"}, exitOK, "without mail.server"},
		"password":              {[]string{"--jwks-uri", "https://u:hunter2@h/j", "--id-token-encrypted-response-alg", "ECDH-ES"}, exitRefused, `"https://…@h/j"`},
		"EG05 private address":  {[]string{"--jwks-uri", "https://10.0.0.1/j", "--id-token-encrypted-response-alg", "ECDH-ES"}, exitRefused, "never asked: private"},
		"EG05 metadata":         {[]string{"--jwks-uri", "https://169.254.169.254/j", "--id-token-encrypted-response-alg", "ECDH-ES"}, exitRefused, "never asked: cloud metadata"},
	} {
		id := "c-" + strings.ToLower(strings.Fields(name)[0]+secret.NewID(time.Now()).String())
		code, said := add(id, tc.args...)
		if code != tc.code || (tc.says == "") != (said == "") || !strings.Contains(said, tc.says) || strings.Contains(said, "hunter2") {
			t.Errorf("%s: %d %q, want %d with %q", name, code, said, tc.code, tc.says)
		}
	}
	if code, said := command("client", "list", "--state", "x"); code != exitFailed || !strings.Contains(said, "-c and --state both name") {
		t.Errorf("-c and --state: %d %q", code, said)
	}
}
