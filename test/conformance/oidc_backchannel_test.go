package conformance_test

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// told is a logout token as it came.
type told struct {
	at  time.Time
	jwt string
	sid string
	jti string
}

// backChannel is the server of two relying parties, at /1 and /2.
type backChannel struct {
	t *testing.T

	mu    sync.Mutex
	got   map[string][]told // by path
	first map[string]func(w http.ResponseWriter, r *http.Request)
}

func (b *backChannel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil || len(r.PostForm) != 1 {
		b.t.Errorf("%s %s %v %v", r.Method, r.URL, r.Header, r.PostForm)
	}
	jwt := r.PostFormValue("logout_token")
	claims := part(b.t, jwt, 1)
	sid, _ := claims["sid"].(string)
	jti, _ := claims["jti"].(string)
	b.mu.Lock()
	b.got[r.URL.Path] = append(b.got[r.URL.Path], told{time.Now(), jwt, sid, jti})
	first := b.first[r.URL.Path]
	delete(b.first, r.URL.Path)
	b.mu.Unlock()
	if first != nil {
		first(w, r)
	}
}

// answers lets something else answer the next request of a path.
func (b *backChannel) answers(path string, how func(w http.ResponseWriter, r *http.Request)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first[path] = how
}

func (b *backChannel) about(path, sid string) (list []told) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, got := range b.got[path] {
		if got.sid == sid {
			list = append(list, got)
		}
	}
	return list
}

// wait returns the nth token about a session.
func (b *backChannel) wait(t testing.TB, path, sid string, n int) told {
	t.Helper()
	for limit := time.Now().Add(40 * time.Second); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if list := b.about(path, sid); len(list) >= n {
			return list[n-1]
		}
	}
	t.Fatalf("%s was told %d times of %s, want %d", path, len(b.about(path, sid)), sid, n)
	return told{}
}

func servesBackChannel(t *testing.T) (b *backChannel, first, second *rp) {
	t.Helper()
	b = &backChannel{t: t, got: map[string][]told{}, first: map[string]func(http.ResponseWriter, *http.Request){}}
	list := []*rp{
		{t: t, id: "back-1", method: "client_secret_basic", redirect: basicCallback, scope: "openid offline_access", algs: []string{"RS256"}},
		{t: t, id: "back-2", method: "client_secret_basic", redirect: basicCallback, scope: "openid", algs: []string{"ES256"}},
	}
	s := serve(t, func(s *rig.Server) string {
		text, at := "clients:\n", newSite(t, s, b)
		for i, c := range list {
			c.secret = secretFile(t, s, c.id+".secret")
			text += fmt.Sprintf(`  - client_id: %[1]s
    type: server
    profile: oidc-basic
    secret_file: %[1]s.secret
    id_token_signed_response_alg: %[2]s
    redirect_uris: [%[3]s]
    post_logout_redirect_uris: [%[4]s]
    backchannel_logout_uri: %[5]s/%[6]d
    backchannel_logout_session_required: true
    scope: %[7]s
`, c.id, c.algs[0], basicCallback, afterLogout, at.URL, i+1, c.scope)
		}
		return text
	})
	list[0].s, list[1].s = s, s
	return b, list[0], list[1]
}

// logoutToken checks a logout token as Back-Channel Logout §2.6 wants it.
func (c *rp) logoutToken(tok tokens, jwt string) {
	c.t.Helper()
	header, claims := part(c.t, c.verify(jwt), 0), part(c.t, jwt, 1)
	if header["typ"] != "logout+jwt" || header["alg"] != c.algs[0] {
		c.t.Errorf("header %v", header)
	}
	if claims["iss"] != c.s.Issuer || claims["aud"] != c.id || claims["sub"] != tok.id.Subject || claims["sid"] != tok.claims["sid"] || claims["jti"] == "" {
		c.t.Errorf("claims %v of the session %v", claims, tok.claims)
	}
	if _, has := claims["nonce"]; has {
		c.t.Errorf("has a nonce: %v", claims)
	}
	events, _ := claims["events"].(map[string]any)
	if event, ok := events[logoutEvent].(map[string]any); !ok || len(event) != 0 || len(events) != 1 {
		c.t.Errorf("events %v", claims["events"])
	}
	iat, _ := claims["iat"].(float64)
	exp, _ := claims["exp"].(float64)
	if now := float64(time.Now().Unix()); iat > now+1 || iat < now-60 || exp <= iat || exp > iat+120 {
		c.t.Errorf("iat %v and exp %v at %v", iat, exp, now)
	}
}

func sidOf(tok tokens) string {
	sid, _ := tok.claims["sid"].(string)
	return sid
}

// The plan oidcc-backchannel-rp-initiated-logout-certification-test-plan.
func TestID10RV13OIDCBackChannelLogout(t *testing.T) {
	b, c, second := servesBackChannel(t)
	s := c.s
	bye := func(c *rp, person *rig.Person, tok tokens) {
		c.t.Helper()
		page, _ := c.logout(person, url.Values{"id_token_hint": {tok.text("id_token")}, "post_logout_redirect_uri": {afterLogout}, "state": {"s-1"}})
		c.back(page, "s-1")
	}
	modules := map[string]func(c *rp, person *rig.Person, tok tokens){
		"oidcc-backchannel-discovery-endpoint-verification": func(c *rp, _ *rig.Person, _ tokens) {
			if meta := c.discover(); meta["backchannel_logout_supported"] != true || meta["backchannel_logout_session_supported"] != true {
				c.t.Errorf("backchannel_logout_supported %v, backchannel_logout_session_supported %v", meta["backchannel_logout_supported"], meta["backchannel_logout_session_supported"])
			}
		},
		"oidcc-backchannel-rp-initiated-logout": func(c *rp, person *rig.Person, tok tokens) {
			if sidOf(tok) == "" {
				c.t.Fatal("the ID token has no sid")
			}
			bye(c, person, tok)
			c.logoutToken(tok, b.wait(c.t, "/1", sidOf(tok), 1).jwt)
			if !c.signedOut(person) {
				c.t.Error("the person is still signed in")
			}
		},
		"oidcc-backchannel-rp-initiated-logout-no-id-token-hint": func(c *rp, person *rig.Person, tok tokens) {
			if _, asked := c.logout(person, nil); !asked {
				c.t.Error("the person was not asked")
			}
			c.logoutToken(tok, b.wait(c.t, "/1", sidOf(tok), 1).jwt)
		},
		"oidcc-backchannel-rp-initiated-logout-no-post-logout-redirect-uri": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {tok.text("id_token")}})
			c.stays(page)
			c.logoutToken(tok, b.wait(c.t, "/1", sidOf(tok), 1).jwt)
		},
		"every relying party of the session is told, and nobody of another one": func(c *rp, person *rig.Person, tok tokens) {
			next, elsewhere := second.with(c.t), c.signIn(s.Person(c.t))
			there := next.signIn(person)
			if sidOf(there) != sidOf(tok) || sidOf(elsewhere) == sidOf(tok) {
				c.t.Errorf("sessions %s, %s and %s", sidOf(tok), sidOf(there), sidOf(elsewhere))
			}
			bye(c, person, tok)
			next.logoutToken(there, b.wait(c.t, "/2", sidOf(tok), 1).jwt)
			c.logoutToken(tok, b.wait(c.t, "/1", sidOf(tok), 1).jwt)
			if n := len(b.about("/1", sidOf(elsewhere))); n != 0 {
				c.t.Errorf("and of the other session %d times", n)
			}
		},
		"a relying party that is not in the session is not told": func(c *rp, person *rig.Person, tok tokens) {
			bye(c, person, tok)
			b.wait(c.t, "/1", sidOf(tok), 1)
			if n := len(b.about("/2", sidOf(tok))); n != 0 {
				c.t.Errorf("told %d times", n)
			}
		},
		"one that hangs holds up neither the person nor the others": func(c *rp, person *rig.Person, tok tokens) {
			next, release := second.with(c.t), make(chan struct{})
			next.signIn(person)
			b.answers("/2", func(http.ResponseWriter, *http.Request) { <-release })
			defer close(release)
			begun := time.Now()
			bye(c, person, tok)
			if took := time.Since(begun); took > 4*time.Second {
				c.t.Errorf("signing out took %v", took)
			}
			b.wait(c.t, "/2", sidOf(tok), 1)
			c.logoutToken(tok, b.wait(c.t, "/1", sidOf(tok), 1).jwt)
		},
		"one that fails is told again, by the same jti": func(c *rp, person *rig.Person, tok tokens) {
			b.answers("/1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
			bye(c, person, tok)
			first := b.wait(c.t, "/1", sidOf(tok), 1)
			again := b.wait(c.t, "/1", sidOf(tok), 2)
			if c.logoutToken(tok, again.jwt); first.jti != again.jti || again.at.Sub(first.at) < 2*time.Second {
				c.t.Errorf("jti %s and %s, after %v", first.jti, again.jti, again.at.Sub(first.at))
			}
		},
		"one that refuses is not told again": func(c *rp, person *rig.Person, tok tokens) {
			b.answers("/1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
			bye(c, person, tok)
			b.wait(c.t, "/1", sidOf(tok), 1)
			time.Sleep(7 * time.Second) // the first pause is 5 s
			if n := len(b.about("/1", sidOf(tok))); n != 1 {
				c.t.Errorf("told %d times", n)
			}
		},
		"a wrong hint tells nobody": func(c *rp, person *rig.Person, tok tokens) {
			page, _ := c.logout(person, url.Values{"id_token_hint": {"not.a.token"}, "post_logout_redirect_uri": {afterLogout}})
			c.stays(page)
			if c.signedOut(person) || len(b.about("/1", sidOf(tok))) != 0 {
				c.t.Error("the session was ended")
			}
		},
	}
	for name, module := range modules {
		t.Run(name, func(t *testing.T) {
			c, person := c.with(t), s.Person(t)
			module(c, person, c.signIn(person))
		})
	}
}
