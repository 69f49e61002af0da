package conformance_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

const cibaGrant = "urn:openid:params:grant-type:ciba"

// ciba is a relying party of FAPI-CIBA: it asks for the consent of a person who is
// elsewhere, by signed requests, and is pinged or polls.
type ciba struct {
	*fapi
	mode   string // poll or ping
	person *rig.Person
	notes  *notices
}

func (c *ciba) with(t testing.TB) *ciba {
	next := *c
	next.fapi = c.fapi.with(t)
	return &next
}

// cibaServer serves two clients for each variant of a mode.
func cibaServer(t *testing.T, mode string) (first, second map[string]*ciba) {
	t.Helper()
	first, second = map[string]*ciba{}, map[string]*ciba{}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"ok":true}`)
	}))
	t.Cleanup(backend.Close)
	ca, notes := newAuthority(t), listen(t)
	var all []*ciba
	s := serveWith(t, backend.URL, func(s *rig.Server) string {
		write(t, s, "clients-ca.pem", ca.pem)
		text := fmt.Sprintf("mtls_listen: %q\nmtls_client_ca_file: clients-ca.pem\nclients:\n", rig.FreeAddr(t))
		for _, v := range variants {
			for n, into := range []map[string]*ciba{first, second} {
				c := &ciba{fapi: newFAPI(t, ca, "fapi2", v.auth, v.bind, n+1), mode: mode, notes: notes}
				c.id = "ciba-" + c.id
				c.cert = ca.issue(t, c.id+".example.com")
				into[v.auth+" "+v.bind] = c
				all = append(all, c)
				text += c.registration(t, s)
			}
		}
		return text
	})
	person := s.Person(t)
	for _, c := range all {
		c.s, c.person = s, person
	}
	return first, second
}

// registration is the client in the configuration: that of FAPI, without a
// redirect URI.
func (c *ciba) registration(t testing.TB, s *rig.Server) string {
	t.Helper()
	var text strings.Builder
	for line := range strings.Lines(c.fapi.registration(t, s)) {
		if !strings.Contains(line, "redirect_uris") {
			text.WriteString(line)
		}
	}
	fmt.Fprintf(&text, "    grant_types: [%q, refresh_token]\n    backchannel_token_delivery_mode: %s\n", cibaGrant, c.mode)
	if c.mode == "ping" {
		fmt.Fprintf(&text, "    backchannel_client_notification_endpoint: %s/ciba\n", c.notes.address)
	}
	return text.String()
}

// notices is the notification endpoint of all clients.
type notices struct {
	address  string
	answered []string // what the modules about answers have asked

	mu    sync.Mutex
	calls []notice
	grew  chan struct{}
}

type notice struct{ path, auth, kind, body string }

// listen starts an endpoint whose certificate the server will trust.
func listen(t *testing.T) *notices {
	t.Helper()
	n := &notices{grew: make(chan struct{}, 1)}
	srv := httptest.NewTLSServer(n)
	t.Cleanup(srv.Close)
	n.address = srv.URL
	s := &rig.Server{State: t.TempDir()}
	write(t, s, "notify.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	t.Setenv("SSL_CERT_FILE", filepath.Join(s.State, "notify.pem"))
	return n
}

// ServeHTTP answers as the token of the request says: status-CODE-…, or 204.
func (n *notices) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	auth := r.Header.Get("Authorization")
	n.mu.Lock()
	n.calls = append(n.calls, notice{r.URL.Path, auth, r.Header.Get("Content-Type"), string(body)})
	n.mu.Unlock()
	select {
	case n.grew <- struct{}{}:
	default:
	}
	status := http.StatusNoContent
	if _, err := fmt.Sscanf(auth, "Bearer status-%d-", &status); err != nil {
		status = http.StatusNoContent
	}
	if status == http.StatusMovedPermanently {
		w.Header().Set("Location", n.address+"/elsewhere")
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		fmt.Fprint(w, `{"a":"body that nobody reads"}`)
	}
}

// of returns the calls about a request.
func (n *notices) of(id string) (list []notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.calls {
		if strings.Contains(c.body, id) {
			list = append(list, c)
		}
	}
	return list
}

func (n *notices) wait(t testing.TB, id string) notice {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		if list := n.of(id); len(list) > 0 {
			return list[0]
		}
		select {
		case <-n.grew:
		case <-time.After(100 * time.Millisecond):
		case <-limit:
			t.Fatal("the client was not pinged")
		}
	}
}

// waiting is an authentication request that was accepted.
type waiting struct{ id, message, token string }

// claims of a good authentication request; nil removes one.
func (c *ciba) claims(changes map[string]any) map[string]any {
	c.t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": c.id, "aud": c.s.Issuer, "iat": now, "nbf": now, "exp": now + 300, "jti": rig.Random(),
		"scope": "openid catalog.read", "login_hint": c.s.Username, "binding_message": rig.Random()[:8],
	}
	if c.mode == "ping" {
		claims["client_notification_token"] = rig.Random()
	}
	return changed(claims, changes)
}

func (c *ciba) backchannel(jwt string, o call) answer {
	c.t.Helper()
	o.form = url.Values{"request": {jwt}}
	return c.send("backchannel_authentication_endpoint", o)
}

func (c *ciba) signed(changes map[string]any) string {
	c.t.Helper()
	return sign(c.t, c.key, map[string]any{"kid": "sig"}, c.claims(changes))
}

// ask makes a request that must be accepted.
func (c *ciba) ask(changes map[string]any) waiting {
	c.t.Helper()
	return c.askAs(map[string]any{"kid": "sig"}, changes)
}

func (c *ciba) askAs(header, changes map[string]any) waiting {
	c.t.Helper()
	claims := c.claims(changes)
	res := c.backchannel(sign(c.t, c.key, header, claims), call{})
	life, _ := res.body["expires_in"].(float64)
	interval, _ := res.body["interval"].(float64)
	if res.status != http.StatusOK || len(res.text("auth_req_id")) < 43 || life < 1 || interval < 5 {
		c.t.Fatalf("backchannel authentication endpoint: status %d: %s", res.status, res.raw)
	}
	w := waiting{id: res.text("auth_req_id")}
	w.message, _ = claims["binding_message"].(string)
	w.token, _ = claims["client_notification_token"].(string)
	return w
}

var waitingLink = regexp.MustCompile(`<li><a href="([^"]+)"[^>]*>[^\n]*\n[^\n]*<strong><bdi>([^<]*)</bdi></strong>`)

// decide lets the person find the request, compare the message and press a button.
func (c *ciba) decide(w waiting, button string) {
	c.t.Helper()
	page := c.person.Go(c.t, c.s.Issuer+"/ciba", "")
	if page.Has("login") {
		page = c.person.SignIn(c.t, page, "")
	}
	for _, link := range waitingLink.FindAllStringSubmatch(page.Body, -1) {
		if link[2] != w.message {
			continue
		}
		page = c.person.Go(c.t, c.s.Issuer+strings.ReplaceAll(link[1], "&amp;", "&"), "")
		if !strings.Contains(page.Body, `id="binding_message"><bdi>`+w.message+"<") {
			c.t.Errorf("the page does not show the message:\n%s", page.Body)
		}
		if page = c.person.Press(c.t, page, button, nil, ""); page.Status != http.StatusOK {
			c.t.Fatalf("status %d:\n%s", page.Status, page.Body)
		}
		c.pinged(w)
		return
	}
	c.t.Fatalf("nothing waits with the message %q:\n%s", w.message, page.Body)
}

// pinged checks that the client is told, and what; nobody is with poll.
func (c *ciba) pinged(w waiting) {
	c.t.Helper()
	if c.mode != "ping" {
		return
	}
	n := c.notes.wait(c.t, w.id)
	var body map[string]any
	if err := json.Unmarshal([]byte(n.body), &body); err != nil || !maps.Equal(body, map[string]any{"auth_req_id": w.id}) {
		c.t.Errorf("the ping says %s", n.body)
	}
	if n.path != "/ciba" || n.auth != "Bearer "+w.token || n.kind != "application/json" {
		c.t.Errorf("the ping: %+v", n)
	}
}

func (c *ciba) pollForm(id string) url.Values {
	return url.Values{"grant_type": {cibaGrant}, "auth_req_id": {id}}
}

func (c *ciba) poll(id string) answer {
	c.t.Helper()
	return c.send("token_endpoint", call{form: c.pollForm(id)})
}

// tokens fetches what the person has agreed to, and uses it.
func (c *ciba) tokens(w waiting) tokens {
	c.t.Helper()
	res := c.poll(w.id)
	if res.status != http.StatusOK {
		c.t.Fatalf("token endpoint: status %d: %s", res.status, res.raw)
	}
	tok := c.judge(asked{params: url.Values{"scope": {"openid"}}}, res)
	if res := c.use(tok.access, c.scheme(), c.proofs, nil); res.status != http.StatusOK {
		c.t.Errorf("resource: status %d: %s", res.status, res.raw)
	}
	return tok
}

// happy walks through the whole flow.
func (c *ciba) happy(changes map[string]any) tokens {
	c.t.Helper()
	w := c.ask(changes)
	c.decide(w, "allow")
	return c.tokens(w)
}
