package browser_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"testing"

	"sallyport/test/rig"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	cibaGrant   = "urn:openid:params:grant-type:ciba"
)

// asker is a device, and a client that asks alone.
type asker struct {
	t      *testing.T
	s      *rig.Server
	secret string
}

func TestBrowserDecidesWhatIsAskedElsewhere(t *testing.T) {
	a := &asker{t: t, s: rig.Start(t, rig.Options{})}
	a.add("tv", "native", "--name", "Living room TV", "--grant-types", deviceGrant, "--grant-types", "refresh_token")
	a.secret = a.add("bank", "server", "--name", "Example Bank", "--grant-types", cibaGrant, "--backchannel-token-delivery-mode", "poll")
	env := []string{"HOME=" + home(t, a.s.CAFile), "SALLYPORT_SCREENSHOTS=" + screenshots(t)}
	a.s.Node(t, "browser-elsewhere.mjs", map[string]string{"issuer": a.s.Issuer, "username": a.s.Username, "password": a.s.Password}, env, func(q map[string]string) any {
		scope := url.Values{"scope": {"openid offline_access catalog.read"}}
		if _, ok := q["device"]; ok {
			return a.post("/oauth/device", scope)
		}
		if _, ok := q["ciba"]; ok {
			message := rig.Random()[:6]
			scope["login_hint"], scope["binding_message"] = []string{a.s.Username}, []string{message}
			answer := a.post("/oauth/bc-authorize", scope)
			answer["message"] = message
			return answer
		}
		if code := q["poll"]; code[:5] == "spdc_" {
			return a.post("/oauth/token", url.Values{"grant_type": {deviceGrant}, "device_code": {code}})
		}
		return a.post("/oauth/token", url.Values{"grant_type": {cibaGrant}, "auth_req_id": {q["poll"]}})
	})
}

func (a *asker) add(id, kind string, more ...string) (secret string) {
	a.t.Helper()
	args := append([]string{"client", "add", id, "--type", kind, "--scope", "openid offline_access catalog.read", "--json", "-c", filepath.Join(a.s.State, "sallyport.yaml")}, more...)
	status, out, problem := rig.Run(a.t, args...)
	var made struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || status != 0 {
		a.t.Fatalf("client add ends with %d: %s %s", status, out, problem)
	}
	return made.Secret
}

// post asks as the bank where a person is named or was, else as the device.
func (a *asker) post(path string, form url.Values) map[string]string {
	a.t.Helper()
	user, password := "", ""
	if form.Has("login_hint") || form.Has("auth_req_id") {
		user, password = "bank", a.secret
	} else {
		form.Set("client_id", "tv")
	}
	res, err := a.s.Post(path, form, user, password)
	if err != nil {
		a.t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(rig.ReadBody(a.t, res)), &body); err != nil {
		a.t.Fatal(err)
	}
	answer := map[string]string{"status": strconv.Itoa(res.StatusCode)}
	for name, v := range body {
		if text, ok := v.(string); ok {
			answer[name] = text
		}
	}
	if res.StatusCode >= http.StatusInternalServerError {
		a.t.Fatalf("%s: status %d: %v", path, res.StatusCode, body)
	}
	return answer
}
