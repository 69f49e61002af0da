package rig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Record keeps every credential that was handed out and every place where one
// could have been left, so that a test can look for the one in the other.
// Safe for concurrent use.
type Record struct {
	mu      sync.Mutex
	secrets map[string]string // value to kind
	urls    []string
	pages   []string // bodies of answers that are not 2xx
}

func newRecord() *Record { return &Record{secrets: map[string]string{}} }

// Add notes a credential. Short values are no credentials.
func (r *Record) Add(kind, value string) {
	const shortest = 8
	if len(value) < shortest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets[value] = kind
}

// Kinds counts the credentials by kind.
func (r *Record) Kinds() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := map[string]int{}
	for _, kind := range r.secrets {
		kinds[kind]++
	}
	return kinds
}

// URLs returns every address that was asked for or redirected to.
func (r *Record) URLs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.urls...)
}

// ErrorPages returns the bodies of all answers that refused something.
func (r *Record) ErrorPages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.pages...)
}

// FoundIn returns the kinds of the credentials that text contains, whole, in
// another encoding, or a piece that would be enough to recognise one.
func (r *Record) FoundIn(text string, except ...string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for value, kind := range r.secrets {
		skip := false
		for _, e := range except {
			skip = skip || e == kind
		}
		if !skip && contains(text, value) {
			found = append(found, kind)
		}
	}
	return found
}

func contains(text, value string) bool {
	forms := []string{
		value, url.QueryEscape(value),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)),
	}
	const piece = 24
	if len(value) >= 2*piece { // past the prefix and version that all of a kind share
		mid := len(value) / 2
		forms = append(forms, value[mid:mid+piece], value[len(value)-piece:])
	}
	for _, f := range forms {
		if strings.Contains(text, f) {
			return true
		}
	}
	return false
}

// recorder is a transport that fills a record.
type recorder struct {
	next http.RoundTripper
	to   *Record
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.seen(req.URL.String())
	res, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		r.to.Add("cookie", c.Value)
	}
	if loc := res.Header.Get("Location"); loc != "" {
		r.seen(loc)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	r.answer(res, body)
	return res, nil
}

func (r *recorder) seen(address string) {
	r.to.mu.Lock()
	r.to.urls = append(r.to.urls, address)
	r.to.mu.Unlock()
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	r.to.Add("code", u.Query().Get("code"))
	r.to.Add("flow", u.Query().Get("flow"))
}

func (r *recorder) answer(res *http.Response, body []byte) {
	if res.StatusCode >= 400 {
		r.to.mu.Lock()
		r.to.pages = append(r.to.pages, string(body))
		r.to.mu.Unlock()
		return
	}
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) != nil {
		return
	}
	for _, kind := range []string{"access_token", "refresh_token", "id_token", "client_secret"} {
		if v, ok := tokens[kind].(string); ok {
			r.to.Add(kind, v)
		}
	}
}
