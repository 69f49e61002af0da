package main

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sallyport/internal/secret"
)

//go:embed dev_app.html
var demoPage string

//go:embed dev_app.css
var demoStyle []byte

// demoApp is a web app whose tokens stay on its server: the browser has a
// cookie and nothing else. It needs no JavaScript. Everything is in memory and
// bounded; a restart signs everybody out here, not at the issuer.
type demoApp struct {
	client *demoClient
	apis   map[string]string // URL at the gateway, by name
	page   *template.Template
	log    *slog.Logger
	mux    http.Handler

	mu       sync.Mutex
	sessions map[secret.Hash]*demoSession
}

// demoSession is one browser.
type demoSession struct {
	mu      sync.Mutex // one request of a browser at a time, so that a refresh token is used once
	csrf    string
	pending *signIn
	tokens  demoTokens
	dead    secret.Value // what a thief could have copied before the person signed out
	call    string       // what was asked last, and what came of it
	result  string
	status  int // of the answer, 0 if there was none
	created time.Time
}

const (
	demoCookie   = "__Host-sallyport-demo"
	maxSessions  = 1000
	sessionLife  = 12 * time.Hour
	readScopes   = "openid profile catalog.read weather.read"
	writeScopes  = readScopes + " catalog.write"
	demoPolicy   = "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "
	maxDemoForm  = 4 << 10
	refreshEarly = 30 * time.Second
)

func newDemoApp(client *demoClient, apis map[string]string, logger *slog.Logger) *demoApp {
	a := &demoApp{
		client: client, apis: apis, log: logger, sessions: map[secret.Hash]*demoSession{},
		page: template.Must(template.New("page").Parse(demoPage)),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.show)
	mux.HandleFunc("GET /app.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(demoStyle)
	})
	mux.HandleFunc("GET /signin", a.signIn)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("POST /call", a.call)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("/", a.missing)
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.render(w, http.StatusForbidden, nil, "This request came from another site.")
	}))
	a.mux = protection.Handler(mux)
	return a
}

func (a *demoApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", demoPolicy+a.client.issuer)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	a.mux.ServeHTTP(w, r)
}

// session finds the browser's session, which comes back locked, or nil.
func (a *demoApp) session(r *http.Request) *demoSession {
	cookies := r.CookiesNamed(demoCookie)
	if len(cookies) != 1 {
		return nil
	}
	a.mu.Lock()
	s := a.sessions[secret.New(cookies[0].Value).Hash()]
	a.mu.Unlock()
	if s == nil || a.client.now().Sub(s.created) > sessionLife {
		return nil
	}
	s.mu.Lock()
	return s
}

// remember gives the browser a new cookie for s, so that a cookie from before a
// sign-in is worth nothing after it.
func (a *demoApp) remember(w http.ResponseWriter, r *http.Request, s *demoSession) {
	handle := secret.New(random())
	a.mu.Lock()
	if len(a.sessions) >= maxSessions {
		clear(a.sessions)
	}
	if old := r.CookiesNamed(demoCookie); len(old) == 1 {
		delete(a.sessions, secret.New(old[0].Value).Hash())
	}
	s.csrf, s.created = random(), a.client.now()
	a.sessions[handle.Hash()] = s
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{
		Name: demoCookie, Value: handle.Reveal(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (a *demoApp) signIn(w http.ResponseWriter, r *http.Request) {
	scope := readScopes
	if r.URL.Query().Get("write") != "" {
		scope = writeScopes
	}
	address, pending := a.client.begin(scope)
	s := &demoSession{pending: &pending}
	if old := a.session(r); old != nil {
		s.tokens, s.dead = old.tokens, old.dead
		old.mu.Unlock()
	}
	a.remember(w, r, s)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (a *demoApp) callback(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s == nil || s.pending == nil {
		if s != nil {
			s.mu.Unlock()
		}
		a.render(w, http.StatusBadRequest, nil, "This browser has not begun to sign in here.")
		return
	}
	pending, before, dead := *s.pending, s.tokens, s.dead
	s.pending = nil
	s.mu.Unlock()
	tokens, err := a.client.finish(r.Context(), pending, r.URL.Query())
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		a.render(w, http.StatusBadRequest, s, notSignedIn(err, !before.access.IsZero()))
		return
	}
	if !before.access.IsZero() { // a sign-in for more replaces the one before
		if err := a.client.revoke(r.Context(), before); err != nil {
			a.log.WarnContext(r.Context(), "revoke demo tokens", slog.Any("error", err))
		}
	}
	a.remember(w, r, &demoSession{tokens: tokens, dead: dead})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func notSignedIn(err error, before bool) string {
	switch {
	case errors.Is(err, errRefused) && before:
		return "You refused access, so nothing has changed."
	case errors.Is(err, errRefused):
		return "You refused access, so you are not signed in."
	case before:
		return "Nothing has changed: " + err.Error() + "."
	}
	return "Not signed in: " + err.Error() + "."
}

func (a *demoApp) missing(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s != nil {
		defer s.mu.Unlock()
	}
	a.render(w, http.StatusNotFound, s, "There is no such page here.")
}

func (a *demoApp) show(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s != nil {
		defer s.mu.Unlock()
	}
	a.render(w, http.StatusOK, s, "")
}

// demoView is what the page shows.
type demoView struct {
	Title, Problem, Name, Scope, CSRF, Call, Result string
	SignedIn, MayWrite, HasDead                     bool
}

func (a *demoApp) render(w http.ResponseWriter, status int, s *demoSession, problem string) {
	v := demoView{Problem: problem}
	if s != nil {
		v.SignedIn, v.HasDead = !s.tokens.access.IsZero(), !s.dead.IsZero()
		v.Name, v.Scope, v.CSRF, v.Call, v.Result = s.tokens.name, s.tokens.scope, s.csrf, s.call, s.result
		v.MayWrite = strings.Contains(" "+s.tokens.scope+" ", " catalog.write ")
	}
	v.Title = v.title(s)
	var page bytes.Buffer
	if err := a.page.Execute(&page, v); err != nil {
		a.log.Error("render demo page", slog.Any("error", err))
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// title is the state of the page, read out first and seen in the tab.
func (v *demoView) title(s *demoSession) string {
	switch {
	case v.Problem != "":
		return "Error"
	case v.Result != "" && s.status != 0:
		return fmt.Sprintf("Answer: %d", s.status)
	case v.Result != "":
		return "No answer"
	case v.SignedIn:
		return "Signed in"
	}
	return "Signed out"
}

// form returns the locked session and the form of a POST that comes from a
// page of this session. Otherwise it has answered.
func (a *demoApp) form(w http.ResponseWriter, r *http.Request) (*demoSession, url.Values) {
	r.Body = http.MaxBytesReader(w, r.Body, maxDemoForm)
	s := a.session(r)
	if s == nil || r.ParseForm() != nil || subtle.ConstantTimeCompare([]byte(r.PostForm.Get("csrf")), []byte(s.csrf)) != 1 {
		if s != nil {
			s.mu.Unlock()
		}
		a.render(w, http.StatusForbidden, nil, "This form is not of this session. Open the page again.")
		return nil, nil
	}
	return s, r.PostForm
}

// demoCalls are what the buttons do.
var demoCalls = map[string]struct{ method, api, path, body string }{
	"read":      {http.MethodGet, "catalog", "/items/1", ""},
	"write":     {http.MethodPut, "catalog", "/items/1", `{"name":"lamp","price":42}`},
	"weather":   {http.MethodGet, "weather", "/forecast/lisbon", ""},
	"pay":       {http.MethodPost, "payments", "/payments", `{"amount":12}`},
	"old-token": {http.MethodGet, "catalog", "/items/1", ""},
}

func (a *demoApp) call(w http.ResponseWriter, r *http.Request) {
	s, form := a.form(w, r)
	if s == nil {
		return
	}
	defer s.mu.Unlock()
	do, known := demoCalls[form.Get("do")]
	s.call, s.status = form.Get("do"), 0
	access := s.tokens.access
	if form.Get("do") == "old-token" {
		access = s.dead
	} else if a.client.now().Add(refreshEarly).After(s.tokens.expires) && !s.tokens.refresh.IsZero() {
		if fresh, err := a.client.renew(r.Context(), s.tokens); err == nil {
			s.tokens, access = fresh, fresh.access
		}
	}
	if !known || access.IsZero() {
		s.result = "There is no token for this."
	} else {
		status, body, err := a.client.call(r.Context(), do.method, a.apis[do.api]+do.path, access, do.body)
		s.result, s.status = describe(do.method+" "+a.apis[do.api]+do.path, status, body, err), status
	}
	http.Redirect(w, r, "/#result", http.StatusSeeOther)
}

func describe(request string, status int, body []byte, err error) string {
	if err != nil {
		return request + "\n\n" + err.Error()
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, bytes.TrimSpace(body), "", "  ") == nil {
		body = pretty.Bytes()
	}
	return fmt.Sprintf("%s\n\n%d %s\n%s", request, status, http.StatusText(status), body)
}

// logout ends the sign-in at the issuer, for this app by revoking and for the
// person by RP-initiated logout, and keeps one token to show that it is dead.
func (a *demoApp) logout(w http.ResponseWriter, r *http.Request) {
	s, _ := a.form(w, r)
	if s == nil {
		return
	}
	tokens := s.tokens
	s.mu.Unlock()
	if !tokens.access.IsZero() {
		if err := a.client.revoke(r.Context(), tokens); err != nil {
			a.log.WarnContext(r.Context(), "revoke demo tokens", slog.Any("error", err))
		}
	}
	a.remember(w, r, &demoSession{dead: tokens.access})
	end := a.client.issuer + "/oauth/logout?" + url.Values{
		"id_token_hint": {tokens.id.Reveal()}, "client_id": {a.client.clientID},
		"post_logout_redirect_uri": {strings.TrimSuffix(a.client.redirectURI, "callback")},
	}.Encode()
	http.Redirect(w, r, end, http.StatusSeeOther)
}
