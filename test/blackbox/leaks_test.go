package blackbox_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

// leakHouse is `sallyport serve` with a mail server and a webhook that are not
// ours, and a client in the store that has a contact.
type leakHouse struct {
	*rig.Server
	mail *rig.MailServer
	hook *hook

	config       string
	owned        string // client_id of the client in the store
	ownedSecret  string
	hookSecret   string
	mailPassword string
}

// hook is a receiver that checks each call as docs/guide/leaks.md says.
type hook struct {
	t   *testing.T
	key string

	mu    sync.Mutex
	calls []leakCall
	seen  map[string]bool
}

type leakCall struct {
	ID, Event, Kind, Action, Reporter, URL string
	HashPrefix                             string `json:"hash_prefix"`
	ClientID                               string `json:"client_id"`
	Subject                                string
	raw                                    string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	t, v1, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Sallyport-Signature"), "t="), ",v1=")
	seconds, err := strconv.ParseInt(t, 10, 64)
	mac := hmac.New(sha256.New, []byte(h.key))
	mac.Write([]byte(t + "." + string(body)))
	sum, _ := hex.DecodeString(v1)
	if !ok || err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute || !hmac.Equal(sum, mac.Sum(nil)) || r.Header.Get("Sallyport-Delivery") == "" {
		h.t.Errorf("a call without a good signature: %v", r.Header)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	c := leakCall{raw: string(body)}
	if err := json.Unmarshal(body, &c); err != nil {
		h.t.Errorf("%v: %s", err, body)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = map[string]bool{}
	}
	if id := r.Header.Get("Sallyport-Delivery"); !h.seen[id] { // a crash may repeat a call
		h.seen[id] = true
		h.calls = append(h.calls, c)
	}
}

func (h *hook) all() []leakCall { h.mu.Lock(); defer h.mu.Unlock(); return slices.Clone(h.calls) }

func openLeakHouse(t *testing.T, mail rig.MailSettings) *leakHouse {
	t.Helper()
	mail.User, mail.Pass = "sallyport", rig.Random()
	h := &leakHouse{Server: rig.Start(t, rig.Options{}), hookSecret: rig.Random(), mailPassword: mail.Pass, owned: "owned"}
	wantExit(t, h.Server, 0)
	h.mail, h.hook = rig.StartMail(t, mail), &hook{t: t, key: h.hookSecret}
	receiver := httptest.NewServer(h.hook)
	t.Cleanup(receiver.Close)
	text, err := os.ReadFile(filepath.Join(h.State, "sallyport.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name, content string) {
		if err := os.WriteFile(filepath.Join(h.State, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("mail.password", mail.Pass)
	file("webhook.secret", h.hookSecret)
	const before = "    scope: catalog.read weather.read egress.maps\n"
	if !strings.Contains(string(text), before) {
		t.Fatal("the demo's service client has changed")
	}
	config := strings.Replace(demoMail.ReplaceAllString(string(text), ""), before, "    scope: catalog.read weather.read leaks.report\n", 1)
	config += fmt.Sprintf("\nmail: {server: \"smtps://127.0.0.1:%s\", username: sallyport, password_file: mail.password, ca_file: %q, from: Sallyport <auth@example.com>}\n"+
		"leaks: {notify: [ops@example.com], webhook: %q, webhook_secret_file: webhook.secret}\n", h.mail.Port, h.mail.CAFile, receiver.URL)
	h.config = filepath.Join(h.State, "serve.yaml")
	file("serve.yaml", config)
	h.Record().Add("mail password", mail.Pass)
	h.Record().Add("webhook secret", h.hookSecret)
	h.Server = h.Serve(t, h.config)
	h.ownedSecret = h.command(t, 0, "", "client", "add", h.owned, "--type", "service", "--scope", "catalog.read", "--contact", "owner@example.com")["client_secret"].(string)
	h.Record().Add("client secret", h.ownedSecret)
	return h
}

// command runs an administration command with --json.
func (h *leakHouse) command(t *testing.T, want int, stdin string, args ...string) map[string]any {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), rig.Binary(t), append(args, "-c", h.config, "--json")...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &problems
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("%v ends with %d, want %d: %s%s", args, got, want, &out, &problems)
	}
	var m map[string]any
	if err := json.Unmarshal(out.Bytes(), &m); err != nil {
		t.Fatalf("%v: %v: %s", args, err, &out)
	}
	return m
}

// report sends strings as the partner and returns the answer, whole.
func (h *leakHouse) report(t *testing.T, found ...string) (answer string, took time.Duration) {
	t.Helper()
	var list []map[string]string
	for _, f := range found {
		list = append(list, map[string]string{"secret": f, "url": "https://pastes.example.org/p/1?t=" + url.QueryEscape(f) + "#L7", "source": "paste site"})
	}
	body, err := json.Marshal(map[string]any{"found": list})
	if err != nil {
		t.Fatal(err)
	}
	return h.reportBody(t, string(body), h.ServiceSecret(t))
}

func (h *leakHouse) reportBody(t *testing.T, body, secret string) (answer string, took time.Duration) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Issuer+"/leaks", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(h.ServiceClientID, url.QueryEscape(secret))
	req.Header.Set("Content-Type", "application/json")
	begun := time.Now()
	res, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text := rig.ReadBody(t, res)
	took = time.Since(begun)
	for _, name := range []string{"Date", "Alt-Svc"} {
		res.Header.Del(name)
	}
	var head bytes.Buffer
	if err := res.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s\n%s", res.StatusCode, &head, text), took
}

// lasts fails unless f holds within five seconds (T037).
func within5s(t *testing.T, what string, f func() bool) {
	t.Helper()
	for begun := time.Now(); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > 5*time.Second {
			t.Errorf("%s: not after 5 s", what)
			return
		}
	}
}

func (h *leakHouse) active(t *testing.T, token string) bool {
	t.Helper()
	res, err := h.Post("/oauth/introspect", url.Values{"token": {token}}, h.ServiceClientID, h.ServiceSecret(t))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(rig.ReadBody(t, res), `"active":true`)
}

func (h *leakHouse) clientToken(t *testing.T, id, secret string) rig.Tokens {
	t.Helper()
	res, err := h.Post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"catalog.read"}}, id, secret)
	if err != nil {
		t.Fatal(err)
	}
	tok := rig.Tokens{Status: res.StatusCode}
	if err := json.Unmarshal([]byte(rig.ReadBody(t, res)), &tok); err != nil {
		t.Fatal(err)
	}
	return tok
}

// records are the lines of the log about leaks, by kind. A crash between a line
// and its note in the store repeats the line, with the same incident.
func (h *leakHouse) records(outputs ...string) map[string][]map[string]any {
	found, seen := map[string][]map[string]any{}, map[string]bool{}
	for _, text := range outputs {
		rig.Lines(text, func(line string) {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == "leak" && !seen[fmt.Sprint(m["incident"])] {
				seen[fmt.Sprint(m["incident"])] = true
				found[fmt.Sprint(m["kind"])] = append(found[fmt.Sprint(m["kind"])], m)
			}
		})
	}
	return found
}

// waitRecords waits until the log has n records, with those of an earlier process.
func (h *leakHouse) waitRecords(t *testing.T, n int, earlier string) {
	t.Helper()
	for within := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		have := 0
		_, stderr := h.Whole()
		for _, list := range h.records(earlier, stderr) {
			have += len(list)
		}
		if have >= n {
			return
		}
		if time.Now().After(within) {
			t.Fatalf("%d records, want %d", have, n)
		}
	}
}

// TestT035T037T044LeaksOfEachKind leaks each kind of credential through the
// partner's endpoint. Each is dead when the answer comes; the owner, the person
// and the operator have mail, the webhook is called, and there is one record, even
// though the server is killed in the middle. No sink has any of the credentials.
func TestT035T037T044LeaksOfEachKind(t *testing.T) {
	h := openLeakHouse(t, rig.MailSettings{Implicit: true, Refuse: "1"})
	person := h.Person(t)
	access, refresh, untouched := person.Tokens(t, rig.ReadScope), person.Tokens(t, rig.ReadScope), h.Person(t).Tokens(t, rig.ReadScope)
	own, code := h.clientToken(t, h.owned, h.ownedSecret), ""
	code, verifier := person.Code(t, rig.ReadScope)
	other := h.Person(t)
	fromSession := other.Tokens(t, rig.ReadScope)
	session := ""
	for _, c := range other.Cookies(t) {
		if at := strings.Index(c.Value, "spse_"); at >= 0 {
			session = c.Value[at:]
		}
	}
	if own.Status != http.StatusOK || session == "" || !h.active(t, own.AccessToken) {
		t.Fatalf("at first: %+v, session cookie %d", own.Status, len(session))
	}
	master, err := os.ReadFile(filepath.Join(h.State, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	h.Record().Add("master key", strings.TrimSpace(string(master)))

	nothing, _ := h.report(t, "nothing that is ours")
	if !strings.HasPrefix(nothing, "202 ") || !strings.HasSuffix(nothing, "\n{\"received\":1}") {
		t.Fatalf("the answer is %s", nothing)
	}
	for name, c := range map[string]struct {
		found string
		dead  func() bool
	}{
		"access token": {"curl -H 'Authorization: Bearer " + access.AccessToken + "' https://x", func() bool { return !h.active(t, access.AccessToken) }},
		"refresh token": {`{"refresh_token":"` + refresh.RefreshToken + `"}`, func() bool {
			got, err := h.Refresh(refresh.RefreshToken)
			return err == nil && got.Error == "invalid_grant" && got.ErrorReason == "leaked" && !h.active(t, refresh.AccessToken)
		}},
		"code": {"GET /cb?code=" + code + "&state=x", func() bool {
			got, err := h.Redeem(code, verifier)
			return err == nil && got.Error == "invalid_grant"
		}},
		"session cookie": {"Cookie: " + session, func() bool {
			address, _ := h.AuthorizeURL(rig.ReadScope)
			return other.Go(t, address, h.RedirectURI).Has("login") && !h.active(t, fromSession.AccessToken)
		}},
		"client secret": {"SECRET=" + h.ownedSecret, func() bool {
			return h.clientToken(t, h.owned, h.ownedSecret).Error == "invalid_client" && !h.active(t, own.AccessToken)
		}},
		"ID token":   {access.IDToken, func() bool { return true }},
		"master key": {string(master), func() bool { return true }},
	} {
		if answer, _ := h.report(t, c.found); answer != nothing {
			t.Errorf("%s: the answer tells: %s\nwant %s", name, answer, nothing)
		}
		within5s(t, name, c.dead)
		if answer, _ := h.report(t, c.found); answer != nothing {
			t.Errorf("%s again: the answer tells: %s", name, answer)
		}
	}
	if !h.active(t, untouched.AccessToken) {
		t.Error("a token that nobody has reported is dead")
	}
	if again, err := h.Refresh(access.RefreshToken); err != nil || again.Status != http.StatusOK {
		t.Errorf("the grant of the leaked access token: %v %+v", err, again)
	}
	// What is reported in the last moment before a crash is told after it.
	last := h.Person(t).Tokens(t, rig.ReadScope)
	h.report(t, last.AccessToken)
	h.Kill()
	out1, err1 := h.Whole()
	h.Server = h.Serve(t, h.config)
	if h.active(t, last.AccessToken) {
		t.Error("a leaked token lives after a crash")
	}

	wantKinds := map[string]int{
		"access_token": 2, "refresh_token": 1, "authorization_code": 1, "session_cookie": 1, "client_secret": 1, "id_token": 1, "master_key": 1,
	}
	mails := h.mail.Wait(t, func(got []rig.Mail) bool {
		all := ""
		for _, m := range got {
			all += m.To + "\n" + unwrap(m.Raw)
		}
		return strings.Count(all, "To: <owner@example.com>") >= 1 && strings.Contains(all, "ALARM: the master key") &&
			strings.Count(all, "An access token of your account") >= 2 && strings.Contains(all, "A refresh token of your account") &&
			strings.Contains(all, "A session cookie of the sign-in of your account")
	})
	h.waitRecords(t, 8, err1)
	for within := time.Now().Add(2 * time.Minute); len(h.hook.all()) < 8 && time.Now().Before(within); {
		time.Sleep(50 * time.Millisecond)
	}
	got := map[string]int{}
	for _, c := range h.hook.all() {
		got[c.Kind]++
		if c.Reporter != h.ServiceClientID || c.URL != "https://pastes.example.org/p/1#L7" || len(c.HashPrefix) != 8 {
			t.Errorf("the webhook is told %s", c.raw)
		}
	}
	wantExit(t, h.Server, 0)
	out2, err2 := h.Whole()
	records := h.records(err1, err2)
	for kind, n := range wantKinds {
		if got[kind] != n {
			t.Errorf("the webhook was called %d times for %s, want %d", got[kind], kind, n)
		}
		if len(records[kind]) != n {
			t.Errorf("%d records of %s, want %d", len(records[kind]), kind, n)
		}
	}
	if len(records["master_key"]) == 1 && (records["master_key"][0]["level"] != "ERROR" || records["master_key"][0]["events"] != "leak.master_key") {
		t.Errorf("the master key is not an alarm: %v", records["master_key"])
	}
	wantNoSecret(t, h, map[string]string{"stdout": out1 + out2, "stderr": err1 + err2}, mails)
}

// unwrap undoes the line breaks of quoted-printable.
func unwrap(raw string) string {
	return strings.ReplaceAll(strings.ReplaceAll(raw, "=\r\n", ""), "=3D", "=")
}

// wantNoSecret looks for every credential in mails, calls, logs and the store.
func wantNoSecret(t *testing.T, h *leakHouse, sinks map[string]string, mails []rig.Mail) {
	t.Helper()
	for _, m := range mails {
		if !m.TLS || m.User != "sallyport" {
			t.Errorf("a mail came over TLS: %t, as %q", m.TLS, m.User)
		}
		sinks["mail"] += unwrap(m.Raw)
	}
	for _, c := range h.hook.all() {
		sinks["webhook"] += c.raw + "\n"
	}
	for name, text := range sinks {
		if text == "" && name != "stdout" {
			t.Errorf("%s is empty, so nothing was searched", name)
		}
		rig.Lines(text, func(line string) {
			for _, kind := range h.Record().FoundIn(line) {
				t.Errorf("%s has a %s in: %s", name, kind, line)
			}
		})
	}
	searchStore(t, h.Server)
}

// TestT037CompromiseOfAClientSecret: the operator declares it, the old secret and
// what was made with it are dead within 5 s, the new one works, the owner has mail,
// there is one record.
func TestT037CompromiseOfAClientSecret(t *testing.T) {
	h := openLeakHouse(t, rig.MailSettings{Implicit: true})
	own := h.clientToken(t, h.owned, h.ownedSecret)
	if !h.active(t, own.AccessToken) {
		t.Fatalf("%+v", own)
	}
	overlap := h.command(t, 0, "", "client", "rotate-secret", h.owned)["client_secret"].(string)
	h.Record().Add("client secret", overlap)
	if got := h.clientToken(t, h.owned, h.ownedSecret); got.Status != http.StatusOK {
		t.Errorf("the old secret does not overlap: %+v", got)
	}
	made := h.command(t, 0, "", "client", "compromise-secret", h.owned, "--kill-grants")["client_secret"].(string)
	h.Record().Add("client secret", made)
	for _, old := range []string{h.ownedSecret, overlap} {
		within5s(t, "old secret", func() bool { return h.clientToken(t, h.owned, old).Error == "invalid_client" })
	}
	within5s(t, "own token", func() bool { return !h.active(t, own.AccessToken) })
	fresh := h.clientToken(t, h.owned, made)
	if fresh.Status != http.StatusOK || !h.active(t, fresh.AccessToken) {
		t.Errorf("the new secret does not work: %+v", fresh)
	}
	mails := h.mail.Wait(t, func(got []rig.Mail) bool {
		return len(got) >= 2
	})
	to := []string{mails[0].To, mails[1].To}
	slices.Sort(to)
	if !slices.Equal(to, []string{"ops@example.com", "owner@example.com"}) {
		t.Errorf("mails to %v", to)
	}
	for _, m := range mails {
		if !strings.Contains(unwrap(m.Raw), "declared compromised by an operator") {
			t.Errorf("the mail says: %s", m.Raw)
		}
	}
	// A secret of the configuration file, too; and reporting it needs another then.
	config := h.command(t, 0, "", "client", "compromise-secret", h.ServiceClientID)["client_secret"].(string)
	h.Record().Add("client secret", config)
	within5s(t, "secret of the file", func() bool {
		return h.clientToken(t, h.ServiceClientID, h.ServiceSecret(t)).Error == "invalid_client"
	})
	h.waitRecords(t, 2, "")
	wantExit(t, h.Server, 0)
	stdout, stderr := h.Whole()
	if n := len(h.records(stderr)["client_secret"]); n != 2 {
		t.Errorf("%d records, want one for each", n)
	}
	wantNoSecret(t, h, map[string]string{"stdout": stdout, "stderr": stderr}, h.mail.Mails())
	// At the next start it is said in one sentence, and a new secret in the file works.
	h.Server = h.Serve(t, h.config)
	if _, stderr := h.Whole(); !strings.Contains(stderr, "the secret of demo-service in demo-service.secret was compromised and is refused: put a new one there and start the server again") {
		t.Errorf("the start says nothing of the refused secret: %s", stderr)
	}
	wantExit(t, h.Server, 0)
	if err := os.WriteFile(h.ServiceSecretFile, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	h.Server = h.Serve(t, h.config)
	if got := h.clientToken(t, h.ServiceClientID, config); got.Status != http.StatusOK {
		t.Errorf("the new secret of the file: %+v", got)
	}
	wantExit(t, h.Server, 0)
}

// TestT044AListOfLeakedTokens: an operator hands in a list, and all are dead.
func TestT044AListOfLeakedTokens(t *testing.T) {
	h := openLeakHouse(t, rig.MailSettings{Implicit: true})
	var tokens []string
	list := "# found in a log\n"
	for range 40 {
		tok := h.clientToken(t, h.owned, h.ownedSecret).AccessToken
		tokens = append(tokens, tok)
		h.Record().Add("access_token", tok)
		list += "Authorization: Bearer " + tok + "\n"
	}
	keep := h.clientToken(t, h.owned, h.ownedSecret).AccessToken
	got := h.command(t, 1, list, "leak", "report", "-")
	if got["ours"] != float64(40) || got["ended"] != float64(40) {
		t.Errorf("it says %v", got)
	}
	for _, tok := range tokens {
		within5s(t, "a token of the list", func() bool { return !h.active(t, tok) })
	}
	if !h.active(t, keep) {
		t.Error("a token that is not in the list is dead")
	}
	if got := h.command(t, 1, list, "leak", "report", "-"); got["ended"] != float64(0) {
		t.Errorf("again it says %v", got)
	}
	if got := h.command(t, 0, "nothing\n", "leak", "report"); got["ours"] != float64(0) {
		t.Errorf("for nothing it says %v", got)
	}
	wantExit(t, h.Server, 0)
}

// TestT035AnswersTellNothing: what was found, what was not ours, what is dead
// already and what is no credential at all are answered with the same bytes, and
// their times cannot be told apart.
func TestT035AnswersTellNothing(t *testing.T) {
	h := openLeakHouse(t, rig.MailSettings{Implicit: true})
	h.ServiceSecret(t)
	const rounds = 12
	dead := h.clientToken(t, h.owned, h.ownedSecret).AccessToken
	h.report(t, dead)
	var mu sync.Mutex
	times, answers := map[string][]time.Duration{}, map[string]int{}
	var work sync.WaitGroup
	for round := range rounds {
		ours := h.clientToken(t, h.owned, h.ownedSecret).AccessToken
		for name, text := range map[string]string{
			"ours": ours, "not ours": "spcs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh81Fo8v1", "dead": dead, "malformed": ours[:len(ours)-1] + "*", "words": fmt.Sprint("hello ", round),
		} {
			work.Go(func() {
				answer, took := h.report(t, text)
				mu.Lock()
				defer mu.Unlock()
				times[name] = append(times[name], took)
				answers[answer]++
			})
		}
		work.Wait()
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	// A busy machine delays the requests of a round alike, so they are compared
	// with each other: ours is not the later one.
	for name, list := range times {
		var later []time.Duration
		for round := range list {
			later = append(later, times["ours"][round]-list[round])
		}
		slices.Sort(later)
		if median := later[len(later)/2].Abs(); median > 50*time.Millisecond {
			t.Errorf("what is ours is answered %s apart from %s", median, name)
		}
	}
	for name, list := range times {
		slices.Sort(list)
		t.Logf("%-10s min %s, median %s, max %s", name, list[0], list[len(list)/2], list[len(list)-1])
		if list[0] < 500*time.Millisecond {
			t.Errorf("%s is answered after %s", name, list[0])
		}
		for other, more := range times {
			if list[0] > slices.Max(more) {
				t.Errorf("%s and %s do not overlap", name, other)
			}
		}
	}
	for name, c := range map[string]struct{ body, secret, want string }{
		"not JSON":     {"found=x", h.ServiceSecret(t), "400 "},
		"wrong secret": {`{"found":[]}`, "x", "401 "},
	} {
		if got, _ := h.reportBody(t, c.body, c.secret); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	wantExit(t, h.Server, 0)
}
