package blackbox_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/test/rig"
)

// TestNothingLeaks runs every flow, the refused ones too, and looks for every
// credential that was handed out in every place where one could be left.
func TestNothingLeaks(t *testing.T) {
	s := rig.Start(t, rig.Options{})
	walkEverything(t, s)
	metrics := get(t, s.Metrics)
	wantExit(t, s, 0)
	stdout, stderr := s.Output()

	wantKinds(t, s.Record(), "password", "code", "verifier", "flow", "cookie", "access_token", "refresh_token", "id_token", "client secret")
	sinks := map[string]string{"stdout": stdout, "stderr": stderr, "metrics": metrics}
	for _, page := range s.Record().ErrorPages() {
		sinks["error pages"] += page + "\n"
	}
	if strings.TrimSpace(metrics) == "" || strings.TrimSpace(stdout+stderr) == "" || sinks["error pages"] == "" {
		t.Fatal("a sink is empty, so nothing was searched")
	}
	for name, text := range sinks {
		rig.Lines(text, func(line string) {
			except := ""
			if name == "error pages" {
				except = "flow" // a login page that says "wrong" carries the request on
			}
			for _, kind := range s.Record().FoundIn(line, except) {
				t.Errorf("%s has a %s in: %s", name, kind, line)
			}
		})
	}
	searchURLs(t, s)
	searchStore(t, s)
}

func get(t *testing.T, address string) string {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	return rig.ReadBody(t, res)
}

func wantKinds(t *testing.T, r *rig.Record, kinds ...string) {
	t.Helper()
	have := r.Kinds()
	for _, k := range kinds {
		if have[k] == 0 {
			t.Errorf("no %s was handed out, so none was looked for; there are %v", k, have)
		}
	}
}

// walkEverything goes through each endpoint, well and badly.
func walkEverything(t *testing.T, s *rig.Server) {
	t.Helper()
	person := s.Person(t)
	tok := person.Tokens(t, rig.ReadScope)
	item := s.API(t, "catalog").Item("1")
	secret := s.ServiceSecret(t)
	fresh, err := s.Refresh(tok.RefreshToken)
	if err != nil || fresh.Status != http.StatusOK {
		t.Fatalf("refresh: %v %+v", err, fresh)
	}
	wantItem(t, s, http.StatusOK, fresh.AccessToken)
	s.Call(t, http.MethodPut, item, fresh.AccessToken)
	s.Call(t, http.MethodGet, item+"?access_token="+"spat_inaquery", "")
	s.Call(t, http.MethodGet, item, tok.RefreshToken)
	s.Call(t, http.MethodGet, item, fresh.AccessToken+"x")
	s.Call(t, http.MethodGet, s.Issuer+"/oauth/userinfo", fresh.AccessToken)
	s.Call(t, http.MethodGet, s.Issuer+"/oauth/userinfo", tok.RefreshToken)
	s.ServiceToken(t, "catalog.read")
	for _, value := range []string{fresh.AccessToken, fresh.RefreshToken, fresh.AccessToken + "x", tok.IDToken} {
		post(t, s, "/oauth/introspect", url.Values{"token": {value}}, s.ServiceClientID, secret)
	}
	post(t, s, "/oauth/introspect", url.Values{"token": {fresh.AccessToken}}, s.ServiceClientID, s.Password)
	post(t, s, "/oauth/introspect", url.Values{"token": {fresh.AccessToken}}, secret, s.ServiceClientID)
	post(t, s, "/oauth/token", url.Values{"grant_type": {secret}, "client_id": {secret}, "code": {"x"}}, "", "")
	// What a person typed into the wrong field may be the password.
	post(t, s, "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {s.Password}}, "", "")
	post(t, s, "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "scope": {s.Password}}, s.Password, s.Password)
	post(t, s, "/oauth/token", url.Values{"grant_type": {"password"}, "username": {s.Username}, "password": {s.Password}, "client_id": {s.ClientID}}, "", "")
	post(t, s, "/oauth/token?refresh_token="+"sprt_inaquery", url.Values{"grant_type": {"refresh_token"}, "client_id": {s.ClientID}}, "", "")
	post(t, s, "/oauth/revoke", url.Values{"token": {fresh.AccessToken}, "client_id": {s.ClientID}}, "", "")
	stumbleAtLogin(t, s)
	replay(t, s)
	page := person.Logout(t, s.Issuer+"/oauth/logout")
	if page.Status != http.StatusOK {
		t.Errorf("logout ended with %d", page.Status)
	}
}

func post(t *testing.T, s *rig.Server, path string, params url.Values, user, password string) {
	t.Helper()
	res, err := s.Post(path, params, user, password)
	if err != nil {
		t.Fatal(err)
	}
	rig.ReadBody(t, res)
}

// stumbleAtLogin does what people do: the wrong password, and the right one in
// the wrong field.
func stumbleAtLogin(t *testing.T, s *rig.Server) {
	t.Helper()
	person := s.Person(t)
	address, _ := s.AuthorizeURL(rig.ReadScope)
	page := person.Go(t, address, s.RedirectURI)
	for _, fill := range []url.Values{
		{"username": {s.Username}, "password": {"wrong-" + s.Password}},
		{"username": {s.Password}, "password": {s.Password}},
	} {
		if page = person.Press(t, page, "login", fill, s.RedirectURI); !page.Has("login") {
			t.Fatalf("a wrong sign-in ended at %s with %d", page.URL, page.Status)
		}
	}
}

// replay redeems a code twice and presents a refresh token that was copied.
func replay(t *testing.T, s *rig.Server) {
	t.Helper()
	person := s.Person(t)
	code, verifier := person.Code(t, rig.ReadScope)
	if got, err := s.Redeem(code, rig.Random()); err != nil || got.Error != "invalid_grant" {
		t.Errorf("a wrong verifier: %v %+v, want invalid_grant", err, got)
	}
	first, err := s.Redeem(code, verifier)
	if err != nil || first.Status != http.StatusOK {
		t.Fatalf("redeem: %v %+v", err, first)
	}
	if got, err := s.Redeem(code, verifier); err != nil || got.Error != "invalid_grant" {
		t.Errorf("a code again: %v %+v, want invalid_grant", err, got)
	}
	if got, err := s.Refresh(first.RefreshToken); err != nil || got.Error != "invalid_grant" {
		t.Errorf("refresh after a replayed code: %v %+v, want invalid_grant", err, got)
	}
	stolen := person.Tokens(t, rig.ReadScope)
	for next, n := stolen, 0; n < 2; n++ {
		if next, err = s.Refresh(next.RefreshToken); err != nil || next.Status != http.StatusOK {
			t.Fatalf("refresh: %v %+v", err, next)
		}
	}
	if got, err := s.Refresh(stolen.RefreshToken); err != nil || got.Error != "invalid_grant" {
		t.Errorf("a refresh token two generations old: %v %+v, want invalid_grant", err, got)
	}
	wantItem(t, s, http.StatusUnauthorized, stolen.AccessToken)
}

// searchURLs: an address ends up in histories, logs and Referer headers. Only
// the code may be in one, in the callback's, and the sealed request, in ours.
func searchURLs(t *testing.T, s *rig.Server) {
	t.Helper()
	for _, address := range s.Record().URLs() {
		except := []string{"flow"}
		if strings.HasPrefix(address, s.RedirectURI) {
			except = append(except, "code")
		}
		for _, kind := range s.Record().FoundIn(address, except...) {
			t.Errorf("a %s is in the address %s", kind, address)
		}
	}
}

// searchStore: who reads the database, or a copy of it, gets no credential.
func searchStore(t *testing.T, s *rig.Server) {
	t.Helper()
	dbs, err := filepath.Glob(filepath.Join(s.State, "*.db*"))
	if err != nil || len(dbs) == 0 {
		t.Fatalf("databases in %s: %v %v", s.State, dbs, err)
	}
	for _, name := range dbs {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range s.Record().FoundIn(string(b)) {
			t.Errorf("%s has a %s", filepath.Base(name), kind)
		}
	}
}
