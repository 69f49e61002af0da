package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const emptyReport = `{"found":[]}`

// partner is a house with a client that may report leaks.
func partner(t *testing.T) (*house, *browser, []string) {
	t.Helper()
	key := secret.NewHandle(secret.ClientSecret)
	h := newHouse(t, options{clients: []oauth.Client{
		{ID: "partner", Type: oauth.ServiceClient, Scope: oauth.ReportScope, Secrets: []oauth.ClientSecret{{Hash: key.Hash()}}},
	}})
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("partner:"+key.Reveal()))
	return h, h.browser(), []string{"Authorization", basic, "Content-Type", "application/json"}
}

func (b *browser) leak(body string, header ...string) reply {
	b.t.Helper()
	req := b.request(http.MethodPost, "/leaks", body)
	req.Header.Del("Content-Type")
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return b.do(req)
}

func TestT035LeaksEndpoint(t *testing.T) {
	t.Parallel()
	_, b, auth := partner(t)
	report, err := json.Marshal(map[string]any{"found": []map[string]string{{"secret": secret.NewHandle(secret.AccessToken).Reveal()}, {"secret": "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	r := b.leak(string(report), auth...)
	if took := time.Since(begun); r.StatusCode != http.StatusAccepted || r.body != `{"received":2}` || took < 500*time.Millisecond {
		t.Errorf("%d %s after %s", r.StatusCode, r.body, took)
	}
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", r.Header)
	}
	for name, c := range map[string]struct {
		body   string
		header []string
		want   int
	}{
		"no authentication":       {emptyReport, auth[2:], 401},
		"wrong secret":            {emptyReport, []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("partner:x")), auth[2], auth[3]}, 401},
		"another client":          {emptyReport, []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("job:x")), auth[2], auth[3]}, 401},
		"a bearer token":          {emptyReport, []string{"Authorization", "Bearer x", auth[2], auth[3]}, 401},
		"two Authorizations":      {emptyReport, append([]string{"Authorization", auth[1]}, auth...), 400},
		"a form":                  {"found=x", []string{auth[0], auth[1], "Content-Type", "application/x-www-form-urlencoded"}, 415},
		"no media type":           {emptyReport, auth[:2], 415},
		"compressed":              {emptyReport, append([]string{"Content-Encoding", "gzip"}, auth...), 415},
		"another charset":         {emptyReport, []string{auth[0], auth[1], "Content-Type", "application/json; charset=latin1"}, 415},
		"its charset":             {emptyReport, []string{auth[0], auth[1], "Content-Type", "application/json; charset=utf-8"}, 202},
		"no JSON":                 {"x", auth, 400},
		"too large":               {emptyReport + strings.Repeat(" ", oauth.MaxLeakReport), auth, 413},
		"too large from stranger": {emptyReport + strings.Repeat(" ", oauth.MaxLeakReport), auth[2:], 401},
	} {
		if r := b.leak(c.body, c.header...); r.StatusCode != c.want {
			t.Errorf("%s: %d %s, want %d", name, r.StatusCode, r.body, c.want)
		}
	}
	if r := b.get("/leaks"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", r.StatusCode, r.Header)
	}
	if r := b.do(b.request(http.MethodPost, "/leaks?client_secret=x", emptyReport, auth...)); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a secret in the query: %d", r.StatusCode)
	}
}

// A stranger's body is not read: it could be a megabyte, sent slowly.
func TestLeaksReadNoBodyOfStrangers(t *testing.T) {
	t.Parallel()
	h, b, auth := partner(t)
	body := &untouched{}
	req := b.request(http.MethodPost, "/leaks", "x", auth[2:]...)
	req.Body, req.ContentLength = body, 100
	res, err := h.RoundTrip(req)
	if err != nil || body.read {
		t.Fatalf("the body was read: %t %v", body.read, err)
	}
	_ = res.Body.Close()
}

type untouched struct {
	bytes.Buffer
	read bool
}

func (u *untouched) Read([]byte) (int, error) { u.read = true; return 0, http.ErrBodyNotAllowed }
func (u *untouched) Close() error             { return nil }

func TestReportsAreLimited(t *testing.T) {
	t.Parallel()
	h, b, auth := partner(t)
	refused := 0
	for range 70 { // nothing is waited for: the body is no report
		r := b.leak("x", auth...)
		if r.StatusCode == http.StatusTooManyRequests {
			refused++
			if r.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
	}
	if refused != 10 {
		t.Errorf("%d of 70 were refused, want those past 60", refused)
	}
	h.clock.advance(time.Second)
	if r := b.leak("x", auth...); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a second later: %d", r.StatusCode)
	}
}
