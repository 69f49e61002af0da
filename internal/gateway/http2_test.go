package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// Over HTTP/2 the target arrives as :path, and field names in lower case.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	front := httptest.NewUnstartedServer(f.handler())
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	for _, tt := range []struct {
		name, target string
		lines        []string
		status       int
	}{
		{"passes", "/catalog/items/1", []string{f.bearer()}, 200},
		{"passes unchanged", "/catalog/items/a%20b?x=%2F", []string{f.bearer()}, 200},
		{"J142 two credentials", "/catalog/items/1", []string{f.bearer(), f.bearer()}, 400},
		{"GW14 dot segments", "/catalog/x/../items/1", []string{f.bearer()}, 400},
		{"GW14 encoded slash", "/catalog/items%2f1", []string{f.bearer()}, 400},
		{"GW14 double slash", "//catalog/items/1", []string{f.bearer()}, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.taken()
			u, err := url.Parse(front.URL)
			if err != nil {
				t.Fatal(err)
			}
			u.Opaque = tt.target
			req := &http.Request{Method: "GET", URL: u, Host: u.Host, Header: http.Header{"Authorization": tt.lines}}
			if tt.target[:2] == "//" {
				u.Opaque, u.Path = "", tt.target
			}
			res, err := front.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, res); got.Status != tt.status || res.ProtoMajor != 2 {
				t.Errorf("status %d, want %d, HTTP/%d", got.Status, tt.status, res.ProtoMajor)
			}
			for _, r := range f.taken() {
				if "/catalog"+r.URI != tt.target {
					t.Errorf("forwarded as %s", r.URI)
				}
			}
		})
	}
}
