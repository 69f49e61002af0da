package blackbox_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/test/rig"
)

// firestoreConfig is that of docs/guide/firebase.md, with addresses of this machine.
func firestoreConfig(t *testing.T, s *rig.Server, f *firestore) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "firebase.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("the guide has no configuration")
	}
	block = strings.NewReplacer("https://firestore.googleapis.com", f.URL, "PROJECT", "demo").Replace(block)
	block = strings.Replace(block, "google:\n", "google:\n        token_url: "+f.URL+"/token\n", 1)
	return fmt.Sprintf(`issuer: %s
listen: "%s"
metrics_listen: "%s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
clients:
  - {client_id: %s, type: native, redirect_uris: ["%s"], scope: openid offline_access notes.read notes.write}
`, s.Issuer, s.Listen, rig.FreeAddr(t), s.ClientID, s.RedirectURI) + block
}

// stage is a server in front of a Firestore, and two people.
type stage struct {
	t        *testing.T
	s        *rig.Server
	f        *firestore
	config   string
	ann, bob someone
}

type someone struct{ token, sub string }

func newStage(t *testing.T) *stage {
	f := newFirestore(t)
	dev := rig.Start(t, rig.Options{})
	wantExit(t, dev, 0)
	st := &stage{t: t, f: f, config: filepath.Join(dev.State, "serve.yaml")}
	text := firestoreConfig(t, dev, f)
	if err := os.WriteFile(st.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	st.run("secret", "set", "firestore", "--kind", "google-service-account", "--file", f.account("key-1"))
	var bob struct{ Password string }
	if err := json.Unmarshal([]byte(st.run("user", "add", "bob", "--generate-password", "--json")), &bob); err != nil {
		t.Fatal(err)
	}
	st.s = dev.ServeText(t, text)
	a, b := st.s.Person(t), st.s.Person(t)
	b.Username, b.Password = "bob", bob.Password
	st.ann, st.bob = st.signIn(a), st.signIn(b)
	return st
}

func (st *stage) run(args ...string) string {
	st.t.Helper()
	status, out, problem := rig.Run(st.t, append(args, "-c", st.config)...)
	if status != 0 {
		st.t.Fatalf("sallyport %s: %d %s%s", strings.Join(args, " "), status, out, problem)
	}
	return out
}

func (st *stage) signIn(p *rig.Person) someone {
	st.t.Helper()
	tok := p.Tokens(st.t, "openid offline_access notes.read notes.write")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(tok.IDToken, ".")[1])
	if err != nil {
		st.t.Fatal(err)
	}
	var claims struct{ Sub string }
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Sub == "" {
		st.t.Fatal(err, string(payload))
	}
	return someone{tok.AccessToken, claims.Sub}
}

// call asks for something below the documents.
func (st *stage) call(by someone, method, path, body string, lines ...string) (int, string) {
	req, err := http.NewRequestWithContext(st.t.Context(), method, st.s.Issuer+"/egress/firestore"+strings.TrimPrefix(projectPath, "/v1")+path, strings.NewReader(body))
	if err != nil {
		st.t.Error(err)
		return 0, ""
	}
	if by.token != "" {
		req.Header.Set("Authorization", "Bearer "+by.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(lines); i += 2 {
		req.Header.Set(lines[i], lines[i+1])
	}
	res, err := st.s.Client().Do(req)
	if err != nil {
		st.t.Error(err)
		return 0, ""
	}
	return res.StatusCode, rig.ReadBody(st.t, res)
}

const note = `{"fields":{"text":{"stringValue":"milk"}}}`

// The mission's case: an app with documents of its users in Firestore, whose service
// account no app has, and of which each person reaches the own ones.
func TestT187FirestoreBehindTheGateway(t *testing.T) {
	st := newStage(t)
	mine, hers := "users/"+st.bob.sub+"/notes/", "users/"+st.ann.sub+"/notes/"

	t.Run("EG08 people work with documents of their own", func(t *testing.T) {
		for i, who := range []someone{st.ann, st.bob} {
			if status, body := st.call(who, "PATCH", "users/"+who.sub+"/notes/1?updateMask.fieldPaths=text", strings.Replace(note, "milk", fmt.Sprint("milk-", i), 1)); status != 200 {
				t.Fatal(status, body)
			}
			if status, body := st.call(who, "GET", "users/"+who.sub+"/notes/1", ""); status != 200 || !strings.Contains(body, fmt.Sprint("milk-", i)) {
				t.Errorf("%d %s", status, body)
			}
			if status, body := st.call(who, "GET", "users/"+who.sub+"/notes?pageSize=10", ""); status != 200 || strings.Count(body, "milk") != 1 {
				t.Errorf("%d %s", status, body)
			}
		}
		if made, _ := st.f.count(); made != 1 {
			t.Errorf("%d tokens for all calls, want 1", made)
		}
	})

	t.Run("T190 nobody reaches documents of others", func(t *testing.T) {
		_, before := st.f.count()
		for _, c := range []struct {
			name, method, path, body string
			status                   int
		}{
			{"reads", "GET", hers + "1", "", 403},
			{"lists", "GET", strings.TrimSuffix(hers, "/"), "", 403},
			{"writes", "PATCH", hers + "1", note, 403},
			{"deletes", "DELETE", hers + "1", "", 403},
			{"all users", "GET", "users", "", 404},
			{"another collection", "GET", "admin/1", "", 404},
			{"climbs", "GET", mine + "../../" + st.ann.sub + "/notes/1", "", 404},
			{"climbs, escaped", "GET", mine + "%2e%2e/%2e%2e/" + st.ann.sub + "/notes/1", "", 404},
			{"hides a slash", "GET", mine + "1%2f..%2f..%2f" + st.ann.sub, "", 404},
			{"a query over everything", "POST", "users/" + st.bob.sub + ":runQuery", `{"structuredQuery":{"from":[{"collectionId":"notes","allDescendants":true}]}}`, 404},
			{"a commit", "POST", ":commit", `{"writes":[]}`, 404},
			{"a batch", "POST", ":batchGet", `{"documents":[]}`, 404},
		} {
			status, body := st.call(st.bob, c.method, c.path, c.body)
			if status != c.status && (c.status != 404 || status != 400 && status != 405) {
				t.Errorf("%s: %d %s, want %d", c.name, status, body, c.status)
			}
		}
		if _, after := st.f.count(); after != before {
			t.Errorf("%d calls reached Firestore: %q", after-before, st.f.seen[before:])
		}
	})

	t.Run("EG02 clients choose no credential", func(t *testing.T) {
		_, before := st.f.count()
		for _, query := range []string{"access_token=x", "key=x", "oauth_token=x", "quotaUser=x", "%24key=x", "alt=media", "mask.fieldPaths=a&mask.fieldPaths=b"} {
			if status, body := st.call(st.bob, "GET", mine+"1?"+query, ""); status != 400 {
				t.Errorf("%s: %d %s", query, status, body)
			}
		}
		for _, name := range []string{"X-Goog-Api-Key", "X-Goog-User-Project", "X_Goog_Api_Key"} {
			if status, body := st.call(st.bob, "GET", mine+"1", "", name, "x"); status != 400 {
				t.Errorf("%s: %d %s", name, status, body)
			}
		}
		if _, after := st.f.count(); after != before {
			t.Errorf("%d calls reached Firestore", after-before)
		}
	})

	t.Run("T187 the way around is closed", func(t *testing.T) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, st.f.URL+projectPath+mine+"1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+st.bob.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != 401 {
			t.Errorf("our token at Firestore: %d", res.StatusCode)
		}
		if status, _ := st.call(someone{}, "GET", mine+"1", ""); status != 401 {
			t.Errorf("nobody at the gateway: %d", status)
		}
	})

	t.Run("EG05 a token that comes back is taken out", func(t *testing.T) {
		st.f.mu.Lock()
		st.f.echo = true
		st.f.mu.Unlock()
		status, body := st.call(st.bob, "GET", mine+"1", "")
		if status != 200 || strings.Contains(body, "ya29") || !strings.Contains(body, "****") {
			t.Errorf("%d %s", status, body)
		}
		st.f.mu.Lock()
		st.f.echo = false
		st.f.mu.Unlock()
	})

	t.Run("EG07 T189 the key is changed while people work", st.rotate)
	t.Run("EG07 a leaked key is dead at once", st.leak)
	_, logged := st.s.Whole()
	for _, secret := range []string{"ya29", "PRIVATE KEY", st.bob.token} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(logged, st.bob.sub) {
		t.Error("the log does not say who called")
	}
}

// rotate sets a new key while calls go on, and then deletes the old one.
func (st *stage) rotate(t *testing.T) {
	var calls atomic.Int64
	done := make(chan struct{})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(10 * time.Millisecond):
				}
				if status, body := st.call(st.ann, "GET", "users/"+st.ann.sub+"/notes/1", ""); status != 200 {
					t.Errorf("%d %s", status, body)
					return
				}
				calls.Add(1)
			}
		})
	}
	before, _ := st.f.count()
	st.run("secret", "rotate", "firestore", "--file", st.f.account("key-2"))
	limit := time.Now().Add(5 * time.Second)
	for made := before; made == before && time.Now().Before(limit); made, _ = st.f.count() {
		time.Sleep(10 * time.Millisecond)
	}
	st.f.forget("key-1")
	for start := calls.Load(); calls.Load() < start+20 && time.Now().Before(limit.Add(5*time.Second)) && !t.Failed(); {
		time.Sleep(10 * time.Millisecond)
	}
	close(done)
	work.Wait()
	if made, _ := st.f.count(); made == before || calls.Load() < 20 {
		t.Errorf("the new key was used for %d tokens, in %d calls", made-before, calls.Load())
	}
}

func (st *stage) leak(t *testing.T) {
	path := "users/" + st.ann.sub + "/notes/1"
	st.run("secret", "compromise", "firestore")
	limit := time.Now().Add(5 * time.Second)
	status, body := st.call(st.ann, "GET", path, "")
	for ; status == 200 && time.Now().Before(limit); status, body = st.call(st.ann, "GET", path, "") {
		time.Sleep(10 * time.Millisecond)
	}
	_, before := st.f.count()
	for range 5 {
		status, body = st.call(st.ann, "GET", path, "")
		if status != 503 || !strings.Contains(body, "temporarily_unavailable") {
			t.Errorf("%d %s", status, body)
		}
	}
	if _, after := st.f.count(); after != before {
		t.Errorf("%d calls reached Firestore with a dead key", after-before)
	}
	if _, logged := st.s.Whole(); !strings.Contains(logged, "egress_secret_compromised") {
		t.Error("the log does not say why")
	}
	st.run("secret", "set", "firestore", "--file", st.f.account("key-3"))
	limit = time.Now().Add(5 * time.Second)
	for ; status != 200 && time.Now().Before(limit); status, body = st.call(st.ann, "GET", path, "") {
		time.Sleep(10 * time.Millisecond)
	}
	if status != 200 {
		t.Errorf("after a new key: %d %s", status, body)
	}
}
