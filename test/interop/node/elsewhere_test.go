package interop_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	cibaGrant   = "urn:openid:params:grant-type:ciba"
)

// elsewhere is the person who decides, and the endpoint where a client is pinged.
type elsewhere struct {
	t      *testing.T
	s      *rig.Server
	person *rig.Person
	pings  chan map[string]string
}

// The device grant and CIBA of openid-client, unmodified.
func TestTK21JavaScriptAsksElsewhere(t *testing.T) {
	e := &elsewhere{t: t, pings: make(chan map[string]string, 10)}
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ping := map[string]string{}
		_ = json.NewDecoder(r.Body).Decode(&ping)
		ping["auth"] = r.Header.Get("Authorization")
		e.pings <- ping
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(app.Close)
	trust(t, app)
	e.s = rig.Start(t, rig.Options{})
	e.person = e.s.Person(t)
	e.addClient("tv", "native", "--grant-types", deviceGrant, "--grant-types", "refresh_token")
	secret := e.addClient("bank", "server", "--grant-types", cibaGrant, "--backchannel-token-delivery-mode", "poll")
	pinged := e.addClient("pinged", "server", "--grant-types", cibaGrant, "--backchannel-token-delivery-mode", "ping", "--backchannel-client-notification-endpoint", app.URL+"/ciba")
	e.s.Node(t, "elsewhere.mjs", map[string]string{
		"issuer": e.s.Issuer, "username": e.s.Username, "tv": "tv", "bank": "bank", "pinged": "pinged", "secret": secret, "pinged_secret": pinged,
		"item": e.s.API(t, "catalog").Item("1"),
	}, nil, e.answer)
}

// trust makes the program trust the certificate of a server of the test.
func trust(t *testing.T, srv *httptest.Server) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
}

func (e *elsewhere) addClient(id, kind string, more ...string) (secret string) {
	e.t.Helper()
	args := append([]string{"client", "add", id, "--type", kind, "--scope", "openid offline_access catalog.read", "--json", "-c", filepath.Join(e.s.State, "sallyport.yaml")}, more...)
	status, out, problem := rig.Run(e.t, args...)
	var made struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || status != 0 {
		e.t.Fatalf("client add ends with %d: %s %s", status, out, problem)
	}
	e.s.Record().Add("client secret", made.Secret)
	return made.Secret
}

func (e *elsewhere) answer(q map[string]string) any {
	e.t.Helper()
	switch {
	case q["device"] != "":
		page := e.person.Go(e.t, q["device"], "")
		fill := url.Values{}
		if q["code"] != "" {
			fill.Set("user_code", q["code"])
		} else if _, rest, found := strings.Cut(q["device"], "user_code="); found {
			fill.Set("user_code", rest) // what the browser has filled in
		}
		e.decide(e.person.Press(e.t, page, "continue", fill, ""), q["press"])
	case q["ciba"] != "":
		page := e.person.Go(e.t, e.s.Issuer+"/ciba", "")
		link := regexp.MustCompile(`<li><a href="([^"]+)"[^>]*>[^\n]*\n[^\n]*` + q["ciba"]).FindStringSubmatch(page.Body)
		if link == nil {
			e.t.Fatalf("nothing waits:\n%s", page.Body)
		}
		e.decide(e.person.Go(e.t, e.s.Issuer+link[1], ""), q["press"])
	case q["ping"] != "":
		select {
		case ping := <-e.pings:
			return ping
		case <-time.After(30 * time.Second):
			e.t.Fatal("the client was not pinged")
		}
	}
	return map[string]string{}
}

func (e *elsewhere) decide(page rig.Page, press string) {
	e.t.Helper()
	if page.Has("login") {
		page = e.person.SignIn(e.t, page, "")
	}
	if page = e.person.Press(e.t, page, press, nil, ""); page.Status != http.StatusOK || !strings.Contains(page.Body, `id="done"`) {
		e.t.Fatalf("status %d:\n%s", page.Status, page.Body)
	}
}
