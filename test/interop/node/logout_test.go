package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"sallyport/test/rig"
)

// The client's server refuses the first delivery, as one that is just starting
// does, and is sent the token again.
func TestRV11RV13RV14ID12JavaScriptSignsOut(t *testing.T) {
	const callback, bye = "https://app.example.com/callback", "https://app.example.com/bye" // never opened
	told := make(chan string, 10)
	calls := 0
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		told <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(app.Close)
	s := rig.Start(t, rig.Options{})
	status, out, problem := rig.Run(t, "client", "add", "shop-web", "--type", "server", "--scope", "openid catalog.read", "--redirect-uri", callback,
		"--post-logout-redirect-uri", bye, "--backchannel-logout-uri", app.URL+"/logout", "--json", "-c", filepath.Join(s.State, "sallyport.yaml"))
	var made struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || status != 0 {
		t.Fatalf("client add ends with %d: %s %s", status, out, problem)
	}
	s.Record().Add("client secret", made.Secret)
	p := s.Person(t)
	answer := func(q map[string]string) any {
		if address, ok := q["end"]; ok {
			return map[string]string{"landed": p.Go(t, address, bye).URL.String()}
		}
		if _, ok := q["authorize"]; ok {
			return map[string]string{"landed": p.Authorize(t, q["authorize"], callback).String()}
		}
		select {
		case token := <-told:
			return map[string]string{"logout_token": token}
		case <-time.After(time.Minute):
			t.Error("the app was not told")
			return map[string]string{}
		}
	}
	s.Node(t, "logout.mjs", map[string]string{
		"issuer": s.Issuer, "client_id": "shop-web", "client_secret": made.Secret, "redirect_uri": callback, "bye": bye,
	}, nil, answer)
}
