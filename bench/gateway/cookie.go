package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A person of the bench, and where the browser app is. *.localhost is this
// machine, and another origin than the issuer's.
const (
	person   = "ada"
	password = "seven brown otters juggle"
	appHost  = "app.localhost"
)

// addPerson makes the person with the program itself.
func (b *bed) addPerson(ctx context.Context, name string) error {
	cmd := exec.CommandContext(ctx, b.bin, "user", "add", person, "--password-stdin", "-c", filepath.Join(b.dir, name, "sallyport.yaml"))
	cmd.Stdin = strings.NewReader(password + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("add a person: %w: %s", err, out)
	}
	return nil
}

// cookie signs the person in at the browser app, once, and calls with its cookie as
// a page of the app does.
func (s *sallyport) cookie(v *variant) (caller, error) {
	if s.session == "" {
		var err error
		if s.session, err = s.signIn(); err != nil {
			return nil, err
		}
	}
	request := v.get("", "Cookie: "+s.session, "X-Sallyport-Csrf: 1", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty")
	return func(int, int) []byte { return request }, nil
}

var (
	hidden = regexp.MustCompile(`name="(flow|csrf)"[^>]*value="([^"]*)"`)
	allow  = regexp.MustCompile(`id="allow"[^>]*value="([^"]*)"`)
	action = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
)

// signIn goes through the pages as a browser would, and returns the cookie.
func (s *sallyport) signIn() (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	app := "https://" + appHost + ":" + port(s.address)
	client := &http.Client{Jar: jar, Transport: visitor{&http.Transport{
		TLSClientConfig: s.http.Transport.(*http.Transport).TLSClientConfig, //nolint:errcheck,forcetypeassert // as it was made
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.address)
		},
	}}}
	res, err := client.Get(app + "/bff/login?return_to=/")
	for range 4 { // the form for the password, and that for consent
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return "", err
		}
		home, err := url.Parse(app)
		if err != nil {
			return "", err
		}
		for _, c := range jar.Cookies(home) {
			if strings.HasPrefix(c.Name, "__Host-Http-bench") {
				return c.Name + "=" + c.Value, nil
			}
		}
		at := res.Request.URL.Path
		if res, err = answerForm(client, s.issuer, string(text)); err != nil {
			return "", fmt.Errorf("sign in: %s: %w", at, err)
		}
	}
	return "", errors.New("signing in ends nowhere")
}

// answerForm fills in the page's first form of its main part.
func answerForm(client *http.Client, issuer, page string) (*http.Response, error) {
	form := url.Values{"username": {person}, "password": {password}}
	to := ""
	for _, m := range action.FindAllStringSubmatch(page, -1) {
		if path, _, _ := strings.Cut(m[1], "?"); strings.HasSuffix(path, "/login") || strings.HasSuffix(path, "/consent") {
			to = m[1]
		}
	}
	if to == "" {
		return nil, errors.New("a page without the form")
	}
	_, page, _ = strings.Cut(page, `action="`+to+`"`)
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		if !form.Has(m[1]) {
			form.Set(m[1], m[2])
		}
	}
	if m := allow.FindStringSubmatch(page); m != nil {
		form.Set("decision", m[1])
	}
	return client.PostForm(issuer+to, form)
}

// visitor says what a browser says that goes somewhere as a whole.
type visitor struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if r.Method == http.MethodGet {
		r.Header.Set("Sec-Fetch-Site", "none")
	} else {
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	return t.RoundTripper.RoundTrip(r)
}
