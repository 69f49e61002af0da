package sallyport_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sallyport "sallyport/sdk/go"
	"sallyport/test/attack"
)

func whoami(w http.ResponseWriter, r *http.Request) {
	c, _ := sallyport.CallerFrom(r.Context())
	_, _ = io.WriteString(w, c.Subject+r.Header.Get("Authorization"))
}

func TestJ140J141OnlyOneHeaderCounts(t *testing.T) {
	g := newGateway(t, "EdDSA")
	s := httptest.NewServer(g.verifier(t).Require(http.HandlerFunc(whoami)))
	t.Cleanup(s.Close)
	for _, p := range attack.Placements(s.URL+"/", g.Valid("place")) {
		t.Run(p.ID+" "+p.Name, func(t *testing.T) {
			res, err := http.DefaultClient.Do(p.Request)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if p.Valid && (res.StatusCode != 200 || string(body) != attack.Subject) || !p.Valid && res.StatusCode != 401 {
				t.Errorf("status %d: %s", res.StatusCode, body)
			}
		})
	}
}

func TestJ024OneAnswerForEveryRefusal(t *testing.T) {
	g := newGateway(t, "EdDSA")
	h := g.verifier(t).Require(http.HandlerFunc(whoami))
	answers := map[string]string{}
	for _, c := range g.List() {
		if c.Valid {
			continue
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + c.Token}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var b strings.Builder
		_ = w.Result().Write(&b)
		answers[b.String()] = c.String()
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	for a := range answers {
		if !strings.Contains(a, `401 Unauthorized`) || !strings.Contains(a, `Www-Authenticate: Bearer error="invalid_token"`) {
			t.Errorf("got %s", a)
		}
	}
}

func TestScopes(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	call := func(h http.Handler) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "bearer "+g.Valid("x"))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	next := http.HandlerFunc(whoami)
	if w := call(v.Require(sallyport.RequireScope(next, "catalog.read"))); w.Code != 200 {
		t.Errorf("with the scope: %d", w.Code)
	}
	w := call(v.Require(sallyport.RequireScope(next, "catalog.read", "catalog.write")))
	if w.Code != 403 || w.Header().Get("WWW-Authenticate") != `Bearer error="insufficient_scope", scope="catalog.read catalog.write"` {
		t.Errorf("without: %d %v", w.Code, w.Header())
	}
	if w := call(sallyport.RequireScope(next)); w.Code != 401 {
		t.Errorf("without Require: %d", w.Code)
	}
}

func TestUnavailableKeysAre503(t *testing.T) {
	g := newGateway(t, "EdDSA")
	g.publish(nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+g.Valid("x"))
	w := httptest.NewRecorder()
	g.verifier(t).Require(http.HandlerFunc(whoami)).ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestNothingLeaksIntoTheLog(t *testing.T) {
	g := newGateway(t, "EdDSA")
	var buf bytes.Buffer
	log := slog.New(slog.NewTextHandler(&buf, nil))
	v, err := sallyport.NewVerifier(sallyport.Options{
		Issuer: g.Issuer, Audience: g.Audience, JWKSURL: g.JWKSURL, AllowLoopbackHTTP: true, Now: g.clock,
		Refused: func(r *http.Request, err error) { log.Info("refused", "err", err, "headers", len(r.Header)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	h := v.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c, _ := sallyport.CallerFrom(r.Context())
		log.Info("call", "caller", c, "headers", r.Header)
	}))
	good, bad := g.Valid("x"), g.With(`"typ":"JWT"`, "")
	for _, tok := range []string{good, bad} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+tok)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if strings.Contains(buf.String(), tok[len(tok)-40:]) {
			t.Errorf("the log holds a token: %s", &buf)
		}
	}
	if !strings.Contains(buf.String(), "typ") || !strings.Contains(buf.String(), attack.Subject) {
		t.Errorf("the log says too little: %s", &buf)
	}
}
