package rig

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
)

// Person is somebody at a browser that keeps cookies and runs no JavaScript.
type Person struct {
	Username, Password string

	server *Server
	client *http.Client
}

// Person returns the demo user at a browser with nothing in it.
func (s *Server) Person(t testing.TB) *Person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := s.Client()
	c.Jar = jar
	return &Person{Username: s.Username, Password: s.Password, server: s, client: c}
}

// At returns the same browser, looking at a server that was started again.
func (p *Person) At(s *Server) *Person {
	c := s.Client()
	c.Jar = p.client.Jar
	return &Person{Username: p.Username, Password: p.Password, server: s, client: c}
}

// Page is where a person ended up.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
}

// Title is what the browser's tab says.
func (p Page) Title() string {
	_, rest, _ := strings.Cut(p.Body, "<title>")
	title, _, _ := strings.Cut(rest, "</title>")
	return strings.TrimSpace(title)
}

// Go opens an address and follows redirects until there is a page, or an
// address that begins with stop, which is not opened.
func (p *Person) Go(t testing.TB, address, stop string) Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p.do(t, req, stop)
}

// Post opens an address as a page elsewhere that sends a form there.
func (p *Person) Post(t testing.TB, address string, form url.Values, stop string) Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	return p.do(t, req, stop)
}

func (p *Person) do(t testing.TB, req *http.Request, stop string) Page {
	t.Helper()
	const mostRedirects = 10
	for range mostRedirects {
		if stop != "" && strings.HasPrefix(req.URL.String(), stop) {
			return Page{URL: req.URL}
		}
		req.Header.Set("Accept", "text/html")
		res, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := ReadBody(t, res)
		loc := res.Header.Get("Location")
		if res.StatusCode/100 != 3 || loc == "" {
			return Page{req.URL, res.StatusCode, res.Header, body}
		}
		next, err := req.URL.Parse(loc)
		if err != nil {
			t.Fatalf("redirect to %q: %v", loc, err)
		}
		if req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, next.String(), nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("more than %d redirects, the last to %s", mostRedirects, req.URL)
	return Page{}
}

// Press fills the form that has the button with this id and presses it.
func (p *Person) Press(t testing.TB, page Page, buttonID string, fill url.Values, stop string) Page {
	t.Helper()
	f, ok := find(page.Body, buttonID)
	if !ok {
		t.Fatalf("no button %q on %s (status %d):\n%s", buttonID, page.URL, page.Status, page.Body)
	}
	for name, values := range fill {
		f.fields[name] = values
	}
	b := f.press[buttonID]
	if b.name != "" {
		f.fields.Set(b.name, b.value)
	}
	action := f.action
	if b.action != "" {
		action = b.action
	}
	target, err := page.URL.Parse(action)
	if err != nil {
		t.Fatal(err)
	}
	if f.method != http.MethodPost {
		t.Fatalf("the form of %q on %s is sent with %q", buttonID, page.URL, f.method)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", target.Scheme+"://"+target.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(t, req, stop)
}

// Has reports whether a page offers the button.
func (p Page) Has(buttonID string) bool {
	_, ok := find(p.Body, buttonID)
	return ok
}

// FormTo returns the fields of a page's form that goes to an address.
func (p Page) FormTo(action string) (url.Values, bool) {
	for _, f := range forms(p.Body) {
		if f.action == action {
			return f.fields, true
		}
	}
	return nil, false
}

// SignIn fills the login page.
func (p *Person) SignIn(t testing.TB, page Page, stop string) Page {
	t.Helper()
	return p.Press(t, page, "login", url.Values{"username": {p.Username}, "password": {p.Password}}, stop)
}

// Authorize opens an authorization request, signs in and agrees where asked,
// and returns the address that the app is called back with.
func (p *Person) Authorize(t testing.TB, address, redirectURI string) *url.URL {
	t.Helper()
	page := p.Go(t, address, redirectURI)
	if page.Has("login") {
		page = p.SignIn(t, page, redirectURI)
	}
	if page.Has("allow") {
		page = p.Press(t, page, "allow", nil, redirectURI)
	}
	if !strings.HasPrefix(page.URL.String(), redirectURI) {
		t.Fatalf("no way to %s: ended at %s (status %d):\n%s", redirectURI, page.URL, page.Status, page.Body)
	}
	return page.URL
}

// Logout opens the logout endpoint and confirms where asked.
func (p *Person) Logout(t testing.TB, address string) Page {
	t.Helper()
	page := p.Go(t, address, "")
	if page.Has("confirm") {
		page = p.Press(t, page, "confirm", nil, "")
	}
	return page
}
