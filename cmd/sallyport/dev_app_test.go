package main

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// visitor is a browser without JavaScript.
type visitor struct {
	t      *testing.T
	client *http.Client
	app    string
}

func (v *visitor) get(address string) (int, string) {
	v.t.Helper()
	res, err := v.client.Get(address)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func (v *visitor) post(path string, form url.Values, header http.Header) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.app+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func TestDemoAppRefusesWhatItDidNotBegin(t *testing.T) {
	t.Parallel()
	r := startDev(t, "\n", "--json", "--state", filepath.Join(t.TempDir(), "s"))
	ready := readyLine(t, r)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, client: trusting(t, ready.CAFile, &tls.Config{MinVersion: tls.VersionTLS12}), app: ready.App}
	v.client.Jar = jar
	if status, page := v.get(ready.App + "/"); status != http.StatusOK || !strings.Contains(page, `id="signin"`) || !strings.Contains(page, "<title>Signed out – Sallyport demo</title>") || strings.Contains(page, "<script") {
		t.Errorf("the first page: %d %s", status, page)
	}
	if status, _ := v.get(ready.App + "/callback?code=x&state=y&iss=" + url.QueryEscape(ready.Issuer)); status != http.StatusBadRequest {
		t.Errorf("an answer without a question: status %d, want 400", status)
	}
	if status, _ := v.get(ready.App + "/signin"); status != http.StatusSeeOther {
		t.Errorf("sign in: status %d, want 303", status)
	}
	for name, query := range map[string]string{
		"wrong state": "?code=x&state=y&iss=" + url.QueryEscape(ready.Issuer), "no issuer": "?code=x",
	} {
		_, _ = v.get(ready.App + "/signin")
		if status, page := v.get(ready.App + "/callback" + query); status != http.StatusBadRequest || !strings.Contains(page, "another sign-in") {
			t.Errorf("%s: status %d, want 400: %s", name, status, page)
		}
	}
	if status, page := v.get(ready.App + "/nowhere"); status != http.StatusNotFound || !strings.Contains(page, `id="problem">There is no such page here.`) ||
		!strings.Contains(page, "<title>Error – Sallyport demo</title>") {
		t.Errorf("an unknown path: status %d, want 404 and a page: %s", status, page)
	}
	same := http.Header{"Sec-Fetch-Site": {"same-origin"}}
	for name, header := range map[string]http.Header{"without the form's token": same, "from another site": {"Sec-Fetch-Site": {"cross-site"}}} {
		for _, path := range []string{"/call", "/logout"} {
			if status, _ := v.post(path, url.Values{"do": {"read"}, "csrf": {"guess"}}, header); status != http.StatusForbidden {
				t.Errorf("POST %s %s: status %d, want 403", path, name, status)
			}
		}
	}
}

// Whoever says no is told what came of it, in words.
func TestDemoAppAfterARefusal(t *testing.T) {
	t.Parallel()
	r := startDev(t, "\n", "--json", "--state", filepath.Join(t.TempDir(), "s"))
	ready := readyLine(t, r)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, client: trusting(t, ready.CAFile, &tls.Config{MinVersion: tls.VersionTLS12}), app: ready.App}
	v.client.Jar = jar
	res, err := v.client.Get(ready.App + "/signin")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	to, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	back := url.Values{"error": {"access_denied"}, "state": {to.Query().Get("state")}, "iss": {ready.Issuer}}
	if _, page := v.get(ready.App + "/callback?" + back.Encode()); !strings.Contains(page, "You refused access, so you are not signed in.") {
		t.Errorf("after a refusal the page says %s", page)
	}
}

func TestDemoTitles(t *testing.T) {
	t.Parallel()
	for want, tc := range map[string]struct {
		v demoView
		s *demoSession
	}{
		"Error":       {demoView{Problem: "x", SignedIn: true}, nil},
		"Answer: 403": {demoView{Result: "x", SignedIn: true}, &demoSession{status: 403}},
		"No answer":   {demoView{Result: "x"}, &demoSession{}},
		"Signed in":   {demoView{SignedIn: true}, &demoSession{}},
		"Signed out":  {demoView{}, nil},
	} {
		if got := tc.v.title(tc.s); got != want {
			t.Errorf("title %q, want %q", got, want)
		}
	}
}

func TestDemoAppHeadersAndCookie(t *testing.T) {
	t.Parallel()
	r := startDev(t, "\n", "--json", "--state", filepath.Join(t.TempDir(), "s"))
	ready := readyLine(t, r)
	res, err := trusting(t, ready.CAFile, &tls.Config{MinVersion: tls.VersionTLS12}).Get(ready.App + "/signin")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	cookie := res.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^__Host-sallyport-demo=[\w-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`).MatchString(cookie) {
		t.Errorf("cookie %q", cookie)
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'self';") {
		t.Errorf("policy %q", csp)
	}
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := to.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("state")) < 43 || len(q.Get("nonce")) < 43 || strings.Contains(q.Get("scope"), "catalog.write") {
		t.Errorf("the request is %s", to)
	}
}
