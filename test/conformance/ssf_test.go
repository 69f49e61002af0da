package conformance_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

const (
	sessionRevoked   = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	credentialChange = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
	verificationType = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	pushMethod       = "urn:ietf:rfc:8935"
	pollMethod       = "urn:ietf:rfc:8936"
)

// receiver is a receiver of events, with a push endpoint.
type receiver struct {
	t      testing.TB
	s      *rig.Server
	meta   map[string]any
	secret string
	token  string
	site   *site
	mu     sync.Mutex
	pushed []event
}

// event is a security event token that was verified.
type event struct {
	kind    string
	claims  map[string]any
	payload map[string]any
}

func (r *receiver) with(t testing.TB) *receiver { r.t = t; return r }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/secevent+jwt" || req.Header.Get("Authorization") != "Bearer of-the-receiver" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e := r.read(string(b))
	r.mu.Lock()
	r.pushed = append(r.pushed, e)
	r.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// read verifies a security event token (RFC 8417, CAEP interoperability §2).
func (r *receiver) read(jwt string) event {
	header, claims := part(r.t, jwt, 0), part(r.t, jwt, 1)
	keys := &rp{t: r.t, s: r.s, meta: r.meta}
	keys.verify(jwt)
	if header["typ"] != "secevent+jwt" || header["alg"] != "RS256" || claims["iss"] != r.s.Issuer || claims["aud"] != "receiver" || claims["jti"] == "" || claims["iat"] == nil {
		r.t.Errorf("%v %v", header, claims)
	}
	for _, name := range []string{"sub", "exp"} {
		if claims[name] != nil {
			r.t.Errorf("has %s: %v", name, claims)
		}
	}
	events, _ := claims["events"].(map[string]any)
	if len(events) != 1 || claims["sub_id"] == nil {
		r.t.Errorf("%v", claims)
	}
	e := event{claims: claims}
	for kind, payload := range events {
		e.kind = kind
		e.payload, _ = payload.(map[string]any)
	}
	return e
}

// call asks the transmitter. body "" is none.
func (r *receiver) call(method, address, token, body string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return do(r.t, r.s.Client(), req)
}

func (r *receiver) at(name string) string {
	address, _ := r.meta[name].(string)
	return address
}

// ask makes a call that has to end with a status.
func (r *receiver) ask(method, address, body string, status int) answer {
	r.t.Helper()
	res := r.call(method, address, r.token, body)
	if res.status != status {
		r.t.Fatalf("%s %s: status %d, want %d: %s", method, address, res.status, status, res.raw)
	}
	return res
}

func (r *receiver) delivery(method string) string {
	if method == pollMethod {
		return `{"method":"` + pollMethod + `"}`
	}
	return fmt.Sprintf(`{"method":%q,"endpoint_url":%q,"authorization_header":"Bearer of-the-receiver"}`, pushMethod, r.site.URL+"/events")
}

// create makes a stream.
func (r *receiver) create(method string) answer {
	r.t.Helper()
	body := fmt.Sprintf(`{"delivery":%s,"events_requested":[%q,%q,"https://schemas.example.com/unknown"],"description":"Conformance"}`, r.delivery(method), sessionRevoked, credentialChange)
	return r.ask(http.MethodPost, r.at("configuration_endpoint"), body, http.StatusCreated)
}

func (r *receiver) stream(id string) string {
	return r.at("configuration_endpoint") + "?stream_id=" + id
}

func (r *receiver) remove(id string) {
	r.t.Helper()
	r.ask(http.MethodDelete, r.stream(id), "", http.StatusNoContent)
}

// wait returns the next event of a kind: what was pushed, or from poll.
func (r *receiver) wait(kind, poll string) event {
	r.t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		var list []event
		if poll == "" {
			r.mu.Lock()
			list, r.pushed = r.pushed, nil
			r.mu.Unlock()
		} else {
			list = r.poll(poll)
		}
		for i, e := range list {
			if e.kind == kind {
				r.mu.Lock()
				r.pushed = append(list[i+1:], r.pushed...)
				r.mu.Unlock()
				return e
			}
		}
	}
	r.t.Fatalf("no %s", kind)
	return event{}
}

// poll fetches what there is and acknowledges it.
func (r *receiver) poll(address string) (list []event) {
	r.t.Helper()
	got := r.ask(http.MethodPost, address, `{"maxEvents":1,"returnImmediately":true}`, http.StatusOK)
	sets, _ := got.body["sets"].(map[string]any)
	for jti, jwt := range sets {
		e := r.read(jwt.(string))
		if e.claims["jti"] != jti {
			r.t.Errorf("jti %v under %s", e.claims["jti"], jti)
		}
		list = append(list, e)
		r.ask(http.MethodPost, address, fmt.Sprintf(`{"maxEvents":0,"ack":[%q]}`, jti), http.StatusOK)
	}
	return list
}

func (r *receiver) scope(scope string) string {
	r.t.Helper()
	c := &rp{t: r.t, s: r.s, id: "receiver", secret: r.secret, method: "client_secret_basic"}
	res := c.post(c.endpoint("token_endpoint"), url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
	if res.status != http.StatusOK {
		r.t.Fatalf("token: %s", res.raw)
	}
	return res.text("access_token")
}

func servesSignals(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{t: t}
	r.s = serve(t, func(s *rig.Server) string {
		r.site, r.secret = newSite(t, s, r), secretFile(t, s, "receiver.secret")
		return fmt.Sprintf(`signals: {enabled: true}
clients:
  - {client_id: receiver, type: service, secret_file: receiver.secret, scope: ssf.read ssf.manage}
  - {client_id: %s, type: native, redirect_uris: [%q], scope: openid}
`, s.ClientID, s.RedirectURI)
	})
	c := &rp{t: t, s: r.s}
	c.getJSON(r.s.Issuer+"/.well-known/ssf-configuration", &r.meta)
	r.token = r.scope("ssf.manage")
	return r
}

// The plan openid-ssf-transmitter-test-plan, with the events of
// openid-ssf-transmitter-caep-test-plan, by push and by poll.
func TestID10RV16RV17RV19SSFTransmitter(t *testing.T) {
	r := servesSignals(t)
	t.Run("openid-ssf-transmitter-metadata", func(t *testing.T) {
		r := r.with(t)
		if r.meta["issuer"] != r.s.Issuer || r.meta["spec_version"] != "1_0" || r.meta["default_subjects"] != "ALL" {
			t.Errorf("%v", r.meta)
		}
		for _, name := range []string{"jwks_uri", "configuration_endpoint", "status_endpoint", "add_subject_endpoint", "remove_subject_endpoint", "verification_endpoint"} {
			if !strings.HasPrefix(r.at(name), "https://") {
				t.Errorf("%s is %v", name, r.meta[name])
			}
		}
		if methods := text(t, r.meta["delivery_methods_supported"]); !strings.Contains(methods, pushMethod) || !strings.Contains(methods, pollMethod) {
			t.Errorf("delivery methods %s", methods)
		}
		if schemes := text(t, r.meta["authorization_schemes"]); !strings.Contains(schemes, "urn:ietf:rfc:6749") {
			t.Errorf("authorization schemes %s", schemes)
		}
	})
	t.Run("openid-ssf-stream-control-happy-path", func(t *testing.T) { r.with(t).control() })
	t.Run("errors", func(t *testing.T) { r.with(t).errors(t) })
	for name, method := range map[string]string{"push": pushMethod, "poll": pollMethod} {
		t.Run("openid-ssf-transmitter-events by "+name, func(t *testing.T) { r.with(t).events(method) })
	}
}

func (r *receiver) control() {
	made := r.create(pushMethod)
	id := made.text("stream_id")
	defer r.remove(id)
	if id == "" || made.text("iss") != r.s.Issuer || made.body["aud"] != "receiver" {
		r.t.Errorf("created %s", made.raw)
	}
	if got := text(r.t, made.body["events_delivered"]); strings.Contains(got, "unknown") || !strings.Contains(got, sessionRevoked) {
		r.t.Errorf("events_delivered %s", got)
	}
	if strings.Contains(string(made.raw), "of-the-receiver") {
		r.t.Error("the header of the receiver is shown")
	}
	if read := r.ask(http.MethodGet, r.stream(id), "", http.StatusOK); read.text("stream_id") != id || read.text("description") != "Conformance" {
		r.t.Errorf("read %s", read.raw)
	}
	patched := r.ask(http.MethodPatch, r.at("configuration_endpoint"), fmt.Sprintf(`{"stream_id":%q,"description":"Changed"}`, id), http.StatusOK)
	if patched.text("description") != "Changed" || len(patched.body["events_requested"].([]any)) != 3 {
		r.t.Errorf("updated %s", patched.raw)
	}
	body := fmt.Sprintf(`{"stream_id":%q,"delivery":%s,"events_requested":[%q]}`, id, r.delivery(pushMethod), sessionRevoked)
	if put := r.ask(http.MethodPut, r.at("configuration_endpoint"), body, http.StatusOK); put.text("description") != "" || len(put.body["events_requested"].([]any)) != 1 {
		r.t.Errorf("replaced %s", put.raw)
	}
	status := r.at("status_endpoint")
	if got := r.ask(http.MethodGet, status+"?stream_id="+id, "", http.StatusOK); got.text("status") != "enabled" {
		r.t.Errorf("status %s", got.raw)
	}
	for _, next := range []string{"paused", "disabled", "enabled"} {
		r.ask(http.MethodPost, status, fmt.Sprintf(`{"stream_id":%q,"status":%q,"reason":"a test"}`, id, next), http.StatusOK)
		if got := r.ask(http.MethodGet, status+"?stream_id="+id, "", http.StatusOK); got.text("status") != next {
			r.t.Errorf("status %s, want %s", got.raw, next)
		}
	}
}

func (r *receiver) errors(t *testing.T) {
	made := r.create(pollMethod)
	id, config := made.text("stream_id"), r.at("configuration_endpoint")
	gone := "06h1026akulvrc74seevkvhlh0"
	reads := r.scope("ssf.read")
	named := func(id string) string {
		return fmt.Sprintf(`{"stream_id":%q,"events_requested":[%q]}`, id, sessionRevoked)
	}
	for name, x := range map[string]struct {
		method, address, token, body string
		status                       int
	}{
		"openid-ssf-stream-control-error-create-stream-with-broken-input":         {"POST", config, r.token, `{"delivery":`, 400},
		"openid-ssf-stream-control-error-create-stream-with-invalid-token":        {"POST", config, "invalid", `{}`, 401},
		"openid-ssf-stream-control-error-create-stream-with-read-only-token":      {"POST", config, reads, `{}`, 403},
		"openid-ssf-stream-control-error-create-stream-with-duplicate-config":     {"POST", config, r.token, `{}`, 409},
		"openid-ssf-stream-control-error-read-stream-with-invalid-token":          {"GET", r.stream(id), "invalid", "", 401},
		"openid-ssf-stream-control-error-read-stream-without-token":               {"GET", r.stream(id), "", "", 401},
		"openid-ssf-stream-control-error-read-unknown-stream":                     {"GET", r.stream(gone), r.token, "", 404},
		"openid-ssf-stream-control-error-token-in-uri-query":                      {"GET", r.stream(id) + "&access_token=" + r.token, "", "", 400},
		"openid-ssf-stream-control-error-update-stream-with-invalid-token":        {"PATCH", config, "invalid", named(id), 401},
		"openid-ssf-stream-control-error-update-stream-with-invalid-body":         {"PATCH", config, r.token, `{`, 400},
		"openid-ssf-stream-control-error-update-unknown-stream":                   {"PATCH", config, r.token, named(gone), 404},
		"openid-ssf-stream-control-error-replace-stream-with-invalid-token":       {"PUT", config, "invalid", named(id), 401},
		"openid-ssf-stream-control-error-replace-stream-with-invalid-body":        {"PUT", config, r.token, `{`, 400},
		"openid-ssf-stream-control-error-replace-unknown-stream":                  {"PUT", config, r.token, named(gone), 404},
		"openid-ssf-stream-control-error-delete-stream-with-invalid-token":        {"DELETE", r.stream(id), "invalid", "", 401},
		"openid-ssf-stream-control-error-delete-unknown-stream":                   {"DELETE", r.stream(gone), r.token, "", 404},
		"openid-ssf-transmitter-stream-verification-error-unknown-stream":         {"POST", r.at("verification_endpoint"), r.token, named(gone), 404},
		"openid-ssf-transmitter-stream-verification-error-invalid-body":           {"POST", r.at("verification_endpoint"), r.token, `{`, 400},
		"openid-ssf-transmitter-poll-endpoint-authorization, with an invalid one": {"POST", deliveryOf(made), "invalid", `{}`, 401},
	} {
		t.Run(name, func(t *testing.T) {
			time.Sleep(50 * time.Millisecond) // 20 calls in a second
			r := r.with(t)
			if res := r.call(x.method, x.address, x.token, x.body); res.status != x.status || x.status == 401 && x.token != "" && !strings.Contains(res.header.Get("WWW-Authenticate"), "invalid_token") {
				t.Errorf("status %d, want %d: %s %v", res.status, x.status, res.raw, res.header)
			}
		})
	}
	r.with(t).remove(id)
}

func deliveryOf(made answer) string {
	d, _ := made.body["delivery"].(map[string]any)
	address, _ := d["endpoint_url"].(string)
	return address
}

// events: the stream works, a session ends, a password is changed.
func (r *receiver) events(method string) {
	made := r.create(method)
	id, poll := made.text("stream_id"), ""
	defer r.remove(id)
	if method == pollMethod {
		poll = deliveryOf(made)
	}
	r.ask(http.MethodPost, r.at("verification_endpoint"), fmt.Sprintf(`{"stream_id":%q,"state":"s-1"}`, id), http.StatusNoContent)
	if e := r.wait(verificationType, poll); e.payload["state"] != "s-1" || text(r.t, e.claims["sub_id"]) != fmt.Sprintf(`{"format":"opaque","id":%q}`, id) {
		r.t.Errorf("%v", e.claims)
	}
	person := r.s.Person(r.t)
	address, _ := r.s.AuthorizeURL("openid")
	person.Authorize(r.t, address, r.s.RedirectURI)
	person.Logout(r.t, r.s.Issuer+"/oauth/logout")
	r.caep(r.wait(sessionRevoked, poll), "user", "complex")

	// The password of somebody else, so that the person of the other tests keeps theirs.
	name := "ada-" + strings.ToLower(rig.Random()[:8])
	for _, args := range [][]string{{"add", name, "--generate-password"}, {"set-password", name, "--generate-password"}} {
		args = append(append([]string{"user"}, args...), "-c", filepath.Join(r.s.State, "serve.yaml"))
		if status, out, problem := rig.Run(r.t, args...); status != 0 {
			r.t.Fatalf("%v: %s %s", args, out, problem)
		}
	}
	change := r.wait(credentialChange, poll)
	r.caep(change, "admin", "iss_sub")
	if change.payload["credential_type"] != "password" || change.payload["change_type"] != "update" {
		r.t.Errorf("%v", change.claims)
	}
	if after := r.wait(sessionRevoked, poll); after.claims["txn"] != change.claims["txn"] || change.claims["txn"] == nil {
		r.t.Errorf("txn %v and %v", change.claims["txn"], after.claims["txn"])
	}
}

// caep checks what the interoperability profile wants of an event (§3).
func (r *receiver) caep(e event, entity, format string) {
	r.t.Helper()
	subject, _ := e.claims["sub_id"].(map[string]any)
	if subject["format"] != format || e.payload["event_timestamp"] == nil || e.payload["initiating_entity"] != entity || e.payload["reason_admin"] == nil {
		r.t.Errorf("%v", e.claims)
	}
}
