package conformance_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sallyport/test/rig"
)

// frontChannel is the site of a relying party that signs out in a frame.
type frontChannel struct {
	rp
	site *site
	mu   sync.Mutex
	got  []url.Values
}

func (f *frontChannel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/signed-out" {
		f.mu.Lock()
		f.got = append(f.got, r.URL.Query())
		f.mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>%s</title>", r.URL.Path)
}

// frames are the queries with which the frame was loaded for a session.
func (f *frontChannel) frames(sid string) (list []url.Values) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, query := range f.got {
		if query.Get("sid") == sid {
			list = append(list, query)
		}
	}
	return list
}

func servesFrontChannel(t *testing.T) *frontChannel {
	t.Helper()
	f := &frontChannel{rp: rp{t: t, id: "front", method: "client_secret_basic", scope: "openid", algs: []string{"RS256"}}}
	f.s = serve(t, func(s *rig.Server) string {
		f.site = newSite(t, s, f)
		f.secret, f.redirect = secretFile(t, s, "front.secret"), f.site.URL+"/callback"
		return fmt.Sprintf(`clients:
  - client_id: front
    type: server
    profile: oidc-basic
    secret_file: front.secret
    id_token_signed_response_alg: RS256
    redirect_uris: [%[1]s/callback]
    post_logout_redirect_uris: [%[1]s/after]
    frontchannel_logout_uri: %[1]s/signed-out?shop=1
    frontchannel_logout_session_required: true
    scope: openid
`, f.site.URL)
	})
	return f
}

var frame = regexp.MustCompile(`<iframe src="([^"]*)"`)

// framesOf are the addresses of the frames of a page.
func framesOf(t testing.TB, page rig.Page) (list []*url.URL) {
	t.Helper()
	for _, m := range frame.FindAllStringSubmatch(page.Body, -1) {
		u, err := url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, u)
	}
	return list
}

// The plan oidcc-frontchannel-rp-initiated-logout-certification-test-plan.
func TestID10RV14OIDCFrontChannelLogout(t *testing.T) {
	f := servesFrontChannel(t)
	t.Run("oidcc-frontchannel-discovery-endpoint-verification", func(t *testing.T) {
		if meta := f.rp.with(t).discover(); meta["frontchannel_logout_supported"] != true || meta["frontchannel_logout_session_supported"] != true {
			t.Errorf("frontchannel_logout_supported %v, frontchannel_logout_session_supported %v", meta["frontchannel_logout_supported"], meta["frontchannel_logout_session_supported"])
		}
	})
	t.Run("oidcc-frontchannel-rp-initiated-logout", f.plain)
	t.Run("oidcc-frontchannel-rp-initiated-logout-no-post-logout-redirect-uri", func(t *testing.T) {
		c, person := f.rp.with(t), f.s.Person(t)
		tok := c.signIn(person)
		page := person.Go(t, c.endpoint("end_session_endpoint")+"?"+url.Values{"id_token_hint": {tok.text("id_token")}}.Encode(), f.site.URL)
		f.wantFrame(t, page, tok)
		if page.Header.Get("Refresh") != "" || !c.signedOut(person) {
			t.Errorf("goes on to %q, or the person is still signed in", page.Header.Get("Refresh"))
		}
	})
	t.Run("oidcc-frontchannel-rp-initiated-logout-no-id-token-hint", func(t *testing.T) {
		c, person := f.rp.with(t), f.s.Person(t)
		tok := c.signIn(person)
		page := person.Go(t, c.endpoint("end_session_endpoint"), f.site.URL)
		if !page.Has("confirm") || len(framesOf(t, page)) != 0 {
			t.Fatalf("the person is not asked, or there are frames before: %s", page.Body)
		}
		f.wantFrame(t, person.Press(t, page, "confirm", nil, f.site.URL), tok)
	})
	t.Run("a sign-out of somebody who never was there has no frame", func(t *testing.T) {
		c, person := f.rp.with(t), f.s.Person(t)
		page := person.Go(t, c.endpoint("end_session_endpoint"), f.site.URL)
		if list := framesOf(t, page); len(list) != 0 {
			t.Errorf("frames %v", list)
		}
	})
	t.Run("in Chromium", f.chromium)
}

// wantFrame checks the frame of the page after signing out, and that the page
// allows it and no other.
func (f *frontChannel) wantFrame(t testing.TB, page rig.Page, tok tokens) {
	t.Helper()
	list := framesOf(t, page)
	if len(list) != 1 {
		t.Fatalf("%d frames: %s", len(list), page.Body)
	}
	query := list[0].Query()
	if !strings.HasPrefix(list[0].String(), f.site.URL+"/signed-out?") || len(query) != 3 || query.Get("iss") != f.s.Issuer || query.Get("sid") != sidOf(tok) || query.Get("shop") != "1" {
		t.Errorf("frame %s, want iss and sid %s", list[0], sidOf(tok))
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-src "+f.site.URL) {
		t.Errorf("policy %s", policy)
	}
}

// plain: without scripts the page has the frame, goes on by itself after a while,
// and has a link for who does not want to wait.
func (f *frontChannel) plain(t *testing.T) {
	c, person := f.rp.with(t), f.s.Person(t)
	tok := c.signIn(person)
	params := url.Values{"id_token_hint": {tok.text("id_token")}, "post_logout_redirect_uri": {f.site.URL + "/after"}, "state": {"s-1"}}
	page := person.Go(t, c.endpoint("end_session_endpoint")+"?"+params.Encode(), f.site.URL)
	if page.Status != http.StatusOK {
		t.Fatalf("status %d at %s", page.Status, page.URL)
	}
	f.wantFrame(t, page, tok)
	next := f.site.URL + "/after?state=s-1"
	if refresh := page.Header.Get("Refresh"); refresh != "5; url="+next || !strings.Contains(page.Body, `href="`+next+`"`) {
		t.Errorf("goes on to %q: %s", refresh, page.Body)
	}
	if !c.signedOut(person) {
		t.Error("the person is still signed in")
	}
}

// chromium: a real browser loads the frame, with scripts and without, and ends
// where the relying party wants it.
func (f *frontChannel) chromium(t *testing.T) {
	c, home := f.rp.with(t), t.TempDir()
	rig.TrustCA(t, home, f.s.CAFile)
	var a asked
	settings := map[string]string{"username": f.s.Username, "password": f.s.Password, "redirect_uri": f.redirect, "after": f.site.URL + "/after", "frame": f.site.URL + "/signed-out"}
	f.s.Node(t, "browser-front-channel.mjs", settings, []string{"HOME=" + home, "SALLYPORT_SCREENSHOTS=" + t.TempDir()}, func(q map[string]string) any {
		if sid, ok := q["sid"]; ok {
			return map[string]any{"frames": len(f.frames(sid))}
		}
		landed, ok := q["landed"]
		if !ok {
			a = c.request()
			return map[string]string{"address": c.address(a)}
		}
		back, err := url.Parse(landed)
		if err != nil {
			t.Error(err)
			return nil
		}
		tok := c.finish(a, c.checked(a, back.Query()))
		params := url.Values{"id_token_hint": {tok.text("id_token")}, "post_logout_redirect_uri": {f.site.URL + "/after"}, "state": {"s-1"}}
		return map[string]string{"logout": c.endpoint("end_session_endpoint") + "?" + params.Encode(), "sid": sidOf(tok)}
	})
}
