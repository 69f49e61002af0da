package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"sallyport/internal/locale"
)

//go:embed templates static
var files embed.FS

// pageName is a file in templates.
type pageName string

const (
	pageLogin     pageName = "login"
	pageSecond    pageName = "second"
	pageEnrol     pageName = "enrol"
	pagePasskeys  pageName = "passkeys"
	pageConsent   pageName = "consent"
	pageLogout    pageName = "logout"
	pageSignedOut pageName = "signed_out"
	pageError     pageName = "error"
	pageEmbedded  pageName = "embedded"
	pageFormPost  pageName = "form_post"
)

// Pages of people who sign in at another provider.
const (
	pageSent    pageName = "sent"
	pageUnknown pageName = "unknown"
	pageLinked  pageName = "linked"
)

// Pages of what people get by mail.
const (
	pageStep      pageName = "step"
	pageSignUp    pageName = "sign_up"
	pageRecover   pageName = "recover"
	pageAddresses pageName = "addresses"
)

// Pages of requests that are decided elsewhere.
const (
	pageDevice  pageName = "device"
	pageDone    pageName = "done"
	pageWaiting pageName = "waiting"
)

// Pages of what people sign in with.
const (
	pageSecurity      pageName = "security"
	pageAuthenticator pageName = "authenticator"
	pageRecoveryCodes pageName = "recovery_codes"
	pagePassword      pageName = "password"
)

// Pages of an account.
const (
	pageAccount  pageName = "account"
	pageSessions pageName = "account_sessions"
	pageApps     pageName = "account_apps"
	pageEvents   pageName = "account_events"
	pageProfile  pageName = "account_profile"
	pageData     pageName = "account_data"
)

var pageNames = []pageName{
	pageLogin, pageSecond, pageEnrol, pagePasskeys, pageConsent, pageLogout, pageSignedOut, pageError, pageEmbedded, pageFormPost, pageDevice, pageDone, pageWaiting, pageSent, pageUnknown, pageLinked,
	pageSecurity, pageAuthenticator, pageRecoveryCodes, pagePassword,
	pageStep, pageSignUp, pageRecover, pageAddresses,
	pageAccount, pageSessions, pageApps, pageEvents, pageProfile, pageData,
}

// templates are parsed at the start of the program; a mistake in one of them
// never gets as far as a test.
var templates = func() map[pageName]*template.Template {
	m := map[pageName]*template.Template{}
	for _, name := range pageNames {
		m[name] = template.Must(template.ParseFS(files, "templates/layout.html", "templates/account_nav.html", "templates/"+string(name)+".html"))
	}
	return m
}()

// frame is what every page has. Its methods write in the language of the page.
type frame struct {
	*locale.Language
	Title     string
	Authority string // where the person is, as the address bar has it
	Prefix    string // path of the issuer
	Service   string // the name of those who run it; empty: not told
	Style     string
	Theme     string // a stylesheet that changes its colours; empty: none
	Logo      string // empty: our mark
	Icon      string
	Failed    bool
	Embedded  bool // shown inside an app, whose client is registered with embedded_ua: warn
	Wide      bool // much is on it: cards, and the way about beside them
	Picker    *picker
	Nav       []navItem // between the pages of an account
}

// T is a message without markup, H one with it; see locale.Language.
func (f *frame) T(key string, args ...any) string { return f.Text(key, args...) }

// H is T with markup.
func (f *frame) H(key string, args ...any) template.HTML { return f.HTML(key, args...) }

func (s *site) frame(r *http.Request, title string, failed bool) frame {
	return frame{
		Language: s.language(r), Title: title, Authority: s.authority, Prefix: s.prefix, Style: s.styleURL, Icon: s.iconURL,
		Service: s.name, Theme: s.themeURL, Logo: s.logoURL, Failed: failed, Picker: s.picker(r), Nav: s.accountNav(r),
	}
}

// page is the view of a page; frame makes it one.
type page interface{ language() *locale.Language }

func (f *frame) language() *locale.Language { return f.Language }

// render writes a page. It is complete before the first byte leaves, so half a
// page is never sent.
func (s *site) render(w http.ResponseWriter, status int, name pageName, view page) error {
	var b bytes.Buffer
	if err := templates[name].ExecuteTemplate(&b, "layout", view); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", view.language().Tag)
	h.Add("Vary", "Accept-Language")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

// busyFor is what a client is told to wait when the server cannot answer now.
const busyFor = time.Second

func setRetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10))
}
