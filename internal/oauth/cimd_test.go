package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/oauth"
)

const document = "https://mcp.example.com/client.json"

// publisher serves metadata documents.
type publisher struct {
	mu    sync.Mutex
	body  map[string]string
	keep  time.Duration
	down  bool
	asked atomic.Int32
	slow  chan struct{}
}

func (p *publisher) fetch(ctx context.Context, uri string) ([]byte, time.Duration, error) {
	p.asked.Add(1)
	if p.slow != nil {
		select {
		case <-p.slow:
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	body, ok := p.body[uri]
	if !ok || p.down {
		return nil, 0, errors.New("nothing there")
	}
	return []byte(body), p.keep, nil
}

func (p *publisher) set(f func()) { p.mu.Lock(); defer p.mu.Unlock(); f() }

func documentOf(id string, pairs ...any) string {
	return changed(`{"client_name":"MCP Client","redirect_uris":["http://127.0.0.1/cb","https://mcp.example.com/cb"],"grant_types":["authorization_code","refresh_token"]}`,
		append([]any{"client_id", id}, pairs...)...)
}

func (r *rig) publishing(p *publisher, changes ...func(*oauth.Options)) {
	r.Service = r.registering(append([]func(*oauth.Options){func(o *oauth.Options) {
		o.Registration = oauth.RegistrationPolicy{}
		o.Documents = oauth.DocumentPolicy{On: true, Scope: "openid catalog.read"}
		o.FetchDocument = p.fetch
	}}, changes...)...)
}

func (r *rig) mayBegin(id string) error {
	_, err := r.Authorize(r.t.Context(), authorizeParams("client_id", id, "redirect_uri", "http://127.0.0.1:4711/cb", "scope", "catalog.read"))
	return err
}

func TestClientIDMetadataDocuments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := &publisher{body: map[string]string{document: documentOf(document)}}
	r.publishing(p)
	if !strings.Contains(string(r.Metadata()), `"client_id_metadata_document_supported":true`) {
		t.Error("metadata does not say so")
	}
	const uri = "http://127.0.0.1:4711/cb"
	a, err := r.Authorize(t.Context(), authorizeParams("client_id", document, "redirect_uri", uri, "scope", "openid catalog.read"))
	if err != nil {
		t.Fatal(err)
	}
	if c := a.Client(); c.Type != oauth.Native || c.Origin != oauth.OriginDocument || c.Scope != "openid catalog.read" || len(c.Secrets) != 0 {
		t.Errorf("%+v", c)
	}
	if v := r.Consent(a); v.Registered || v.Verified || v.Publisher == "" || !strings.Contains(a.ClientID, "//"+v.Publisher+"/") {
		t.Errorf("AZ17 the page shows %+v", v)
	}
	if step, err := r.Next(t.Context(), a, r.session); err != nil || step != oauth.StepConsent {
		t.Errorf("step %v, %v: people must be asked", step, err)
	}
	out, err := r.Approve(t.Context(), a, r.session)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.redeem(query(t, out.Location).Get("code"), "client_id", document, "redirect_uri", uri)
	if err != nil {
		t.Fatal(err)
	}
	if !r.active(res.AccessToken) {
		t.Error("its token is not active")
	}
	if _, err := r.refresh(res.RefreshToken, "client_id", document); err != nil {
		t.Errorf("refresh: %v", err)
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	_, err = r.Authorize(t.Context(), authorizeParams("client_id", document, "redirect_uri", uri, "scope", "pay"))
	var page *oauth.PageError
	if !errors.As(err, &page) || page.Code != oauth.InvalidScope {
		t.Errorf("AZ22: a scope beyond the policy: %v, want a page", err)
	}
}

func TestWhatIsNoMetadataDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := func(path string) string { return "https://mcp.example.com/" + path }
	docs := map[string]string{
		at("other"):                         documentOf(document),
		at("none"):                          `{"redirect_uris":["http://127.0.0.1/cb"]}`,
		at("secret"):                        documentOf(at("secret"), "client_secret", "x"),
		at("method"):                        documentOf(at("method"), "token_endpoint_auth_method", "client_secret_post"),
		at("basic"):                         documentOf(at("basic"), "token_endpoint_auth_method", "client_secret_basic"),
		at("keyless"):                       documentOf(at("keyless"), "token_endpoint_auth_method", "private_key_jwt"),
		at("twice"):                         `{"client_id":"` + at("twice") + `","client_id":"x","redirect_uris":["http://127.0.0.1/cb"]}`,
		at("long"):                          documentOf(at("long"), "x", strings.Repeat("x", oauth.MaxDocument)),
		at("array"):                         `[]`,
		at("uris"):                          documentOf(at("uris"), "redirect_uris", []string{"javascript:x"}),
		at("name"):                          documentOf(at("name"), "client_name", "B\u0430nk"),
		at("q?x"):                           documentOf(at("q?x")),
		at("%2e%2e/a"):                      documentOf(at("%2e%2e/a")),
		at("../a"):                          documentOf(at("../a")),
		"https://mcp.example.com":           documentOf("https://mcp.example.com"),
		"https://u@mcp.example.com/c":       documentOf("https://u@mcp.example.com/c"),
		"https://MCP.example.com/c":         documentOf("https://MCP.example.com/c"),
		"https://mcp.example.com:443/c":     documentOf("https://mcp.example.com:443/c"),
		"http://mcp.example.com/c":          documentOf("http://mcp.example.com/c"),
		"https://mcp.example.com/c#f":       documentOf("https://mcp.example.com/c#f"),
		at(strings.Repeat("a", 300)):        documentOf(at(strings.Repeat("a", 300))),
		"https://evil.example.org/c":        documentOf("https://evil.example.org/c"),
		"https://evilmcp.example.com.evil/": documentOf("https://evilmcp.example.com.evil/"),
		at("good"):                          documentOf(at("good")),
		"https://a.partner.example/good":    documentOf("https://a.partner.example/good"),
	}
	p := &publisher{body: docs}
	r.publishing(p, func(o *oauth.Options) { o.Documents.Hosts = []string{"mcp.example.com", ".partner.example"} })
	for id := range docs {
		err := r.mayBegin(id)
		if good := strings.HasSuffix(id, "/good"); (err == nil) != good {
			t.Errorf("%.60s: %v", id, err)
		}
	}
	r.publishing(&publisher{body: docs}, func(o *oauth.Options) { o.Documents.On = false })
	if r.mayBegin(at("good")) == nil || strings.Contains(string(r.Metadata()), "client_id_metadata_document") {
		t.Error("off lets it in")
	}
}

func TestMetadataDocumentsAreKeptWithinBounds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		says          time.Duration
		fresh, fetche time.Duration
	}{
		"nothing said":      {0, 59 * time.Minute, 2 * time.Minute},
		"a second":          {time.Second, 4 * time.Minute, 2 * time.Minute},
		"a year":            {365 * 24 * time.Hour, 23 * time.Hour, 2 * time.Hour},
		"what is in bounds": {2 * time.Hour, 119 * time.Minute, 2 * time.Minute},
	} {
		r := newRig(t)
		p := &publisher{body: map[string]string{document: documentOf(document)}, keep: tc.says}
		r.publishing(p)
		for i, step := range []time.Duration{0, tc.fresh, tc.fetche} {
			r.clock.advance(step)
			if err := r.mayBegin(document); err != nil {
				t.Fatal(name, err)
			}
			if want := []int32{1, 1, 2}[i]; p.asked.Load() != want {
				t.Errorf("%s: step %d: asked %d times, want %d", name, i, p.asked.Load(), want)
			}
		}
	}
}

func TestADocumentThatCannotBeFetchedGoesOnForADayAndNoLonger(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := &publisher{body: map[string]string{document: documentOf(document)}}
	r.publishing(p)
	if err := r.mayBegin(document); err != nil {
		t.Fatal(err)
	}
	p.set(func() { p.down = true })
	r.clock.advance(2 * time.Hour)
	if err := r.mayBegin(document); err != nil {
		t.Errorf("while the host is down: %v", err)
	}
	r.clock.advance(23 * time.Hour)
	if r.mayBegin(document) == nil {
		t.Error("a day later it still counts")
	}
	p.set(func() { p.down = false })
	if n := p.asked.Load(); r.mayBegin(document) == nil || p.asked.Load() != n {
		t.Error("what is no client is asked for again at once")
	}
	r.clock.advance(2 * time.Minute)
	if err := r.mayBegin(document); err != nil {
		t.Error(err)
	}
	p.set(func() { p.body[document] = documentOf(document, "client_id", "https://evil.example/") })
	r.clock.advance(2 * time.Hour)
	if r.mayBegin(document) == nil {
		t.Error("a document that names another client still counts")
	}
}

func TestOneDocumentIsFetchedOnceAndManyWithinABudget(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := &publisher{body: map[string]string{document: documentOf(document)}, slow: make(chan struct{})}
	r.publishing(p)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := r.mayBegin(document); err != nil {
				t.Error(err)
			}
		})
	}
	for p.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	close(p.slow)
	wg.Wait()
	if p.asked.Load() != 1 {
		t.Errorf("asked %d times", p.asked.Load())
	}
	for i := range 2000 {
		_ = r.mayBegin(fmt.Sprintf("https://mcp.example.com/%d", i))
	}
	wantCode(t, r.mayBegin("https://mcp.example.com/one-more"), oauth.TemporarilyUnavailable)
	if n := p.asked.Load(); n > 250 {
		t.Errorf("strangers made it ask %d times", n)
	}
	if err := r.mayBegin(document); err != nil {
		t.Errorf("a client that is known suffers: %v", err)
	}
}

func TestMD11ADocumentsPagesMayCallTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := &publisher{body: map[string]string{document: documentOf(document, "redirect_uris", []string{"https://spa.example.com/cb"})}}
	r.publishing(p)
	if r.BrowserOrigin(t.Context(), "https://spa.example.com") {
		t.Error("before anybody has named it")
	}
	if _, err := r.Authorize(t.Context(), authorizeParams("client_id", document, "redirect_uri", "https://spa.example.com/cb", "scope", "openid")); err != nil {
		t.Fatal(err)
	}
	if !r.BrowserOrigin(t.Context(), "https://spa.example.com") || r.BrowserOrigin(t.Context(), "https://mcp.example.com") {
		t.Error("its origin, and no other")
	}
}
