package web_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/oauth"
	"sallyport/internal/revocation"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

// rx is a receiver of signals at an issuer.
type rx struct {
	*house
	b        *browser
	clientID string
	token    string

	mu     sync.Mutex
	pushed []push
	answer func(n int) (int, string, error) // to the nth push
}

type push struct {
	url, body string
	header    map[string]string
}

func newReceiver(t *testing.T) *rx {
	t.Helper()
	r := &rx{clientID: "rx"}
	o := options{push: r.take}
	h := newHouse(t, o)
	r.house, r.b = h, h.browser()
	for _, c := range []oauth.Client{
		{ID: "rx", Type: oauth.ServiceClient, Scope: "ssf.read ssf.manage"},
		{ID: "looker", Type: oauth.ServiceClient, Scope: "ssf.read"},
		{ID: "other", Type: oauth.ServiceClient, Scope: "ssf.manage catalog.read"},
	} {
		c.Secrets, c.CreatedAt, c.Epoch = []oauth.ClientSecret{{Hash: h.secret.Hash()}}, h.clock.now(), secret.NewID(h.clock.now())
		if err := h.store.OAuth().AddClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	r.token = r.tokenOf("rx", "ssf.manage")
	return r
}

func (r *rx) take(url string, header map[string]string, body []byte) (int, []byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pushed = append(r.pushed, push{url, string(body), header})
	if r.answer == nil {
		return 202, nil, nil
	}
	status, text, err := r.answer(len(r.pushed))
	return status, []byte(text), err
}

func (r *rx) pushes() []push { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.pushed) }

func (r *rx) tokenOf(clientID, scope string) string {
	r.t.Helper()
	res := r.b.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {r.secret.Reveal()}, "scope": {scope}})
	tok, _ := res.json(r.t)["access_token"].(string)
	if tok == "" {
		r.t.Fatalf("no token: %d %s", res.StatusCode, res.body)
	}
	return tok
}

// call makes a call with the receiver's token, or with another.
func (r *rx) call(method, path, body string, as ...string) reply {
	r.t.Helper()
	tok := r.token
	if len(as) > 0 {
		tok = as[0]
	}
	header := []string{}
	if tok != "" {
		header = append(header, "Authorization", "Bearer "+tok)
	}
	if err := r.feed.CatchUp(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	req := r.b.request(method, path, body, header...)
	req.Header.Set("Content-Type", "application/json")
	return r.b.do(req)
}

const pollBody, pushBody = `{"delivery":{"method":"urn:ietf:rfc:8936"},"events_requested":["` + signals.SessionRevoked + `","` + signals.CredentialChange + `","https://x.example/other"],"description":"d"}`,
	`{"delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://rx.example.com/events?a=b","authorization_header":"Bearer s3cret"},"events_requested":["` + signals.SessionRevoked + `"]}`

// create makes a stream and returns its configuration.
func (r *rx) create(body string) (id string, c map[string]any) {
	r.t.Helper()
	res := r.call("POST", signals.StreamPath, body)
	wantStatus(r.t, res, http.StatusCreated)
	c = res.json(r.t)
	return c["stream_id"].(string), c
}

func (r *rx) poll(id, body string) (sets map[string]any, more bool) {
	r.t.Helper()
	res := r.call("POST", signals.PollPath+"?stream_id="+id, body)
	wantStatus(r.t, res, http.StatusOK)
	j := res.json(r.t)
	sets, ok := j["sets"].(map[string]any)
	if !ok {
		r.t.Fatalf("poll: %s", res.body)
	}
	more, _ = j["moreAvailable"].(bool)
	return sets, more
}

const now0 = `{"returnImmediately":true}`

// open verifies a SET by what the transmitter publishes, and returns its claims.
func (r *rx) open(jwt string) map[string]any {
	r.t.Helper()
	meta := r.b.get("/.well-known/ssf-configuration").json(r.t)
	keys := r.b.get(strings.TrimPrefix(meta["jwks_uri"].(string), issuer))
	set, err := jose.ParseKeySet([]byte(keys.body))
	if err != nil {
		r.t.Fatal(err)
	}
	v, err := jose.NewVerifier(jose.Profile{
		Purpose: "SET", Types: []string{"secevent+jwt"}, Algorithms: []jose.Algorithm{jose.RS256}, Keys: set, Issuer: jose.Exactly(issuer),
		Audience: jose.Exactly("rx"), MaxAge: time.Hour, Now: r.clock.now,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	c, err := v.Verify(r.t.Context(), jwt)
	if err != nil {
		r.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(c.JSON(), &m); err != nil {
		r.t.Fatal(err)
	}
	return m
}

// wantSET checks what every SET has (RV16) and returns subject and payload.
func (r *rx) wantSET(jwt, jti, event string) (subject, payload map[string]any) {
	r.t.Helper()
	m := r.open(jwt)
	events := m["events"].(map[string]any)
	if len(events) != 1 || events[event] == nil || jti != "" && m["jti"] != jti || m["txn"] == "" || m["aud"] != "rx" || m["iss"] != issuer {
		r.t.Errorf("%v", m)
	}
	for _, never := range []string{"sub", "exp"} {
		if _, has := m[never]; has {
			r.t.Errorf("the SET has %s", never)
		}
	}
	return m["sub_id"].(map[string]any), events[event].(map[string]any)
}

func TestRV19MD04TheTransmitterSaysWhereItIs(t *testing.T) {
	r := newReceiver(t)
	t.Run("openid-ssf-transmitter-metadata", func(t *testing.T) {
		res := r.b.get("/.well-known/ssf-configuration")
		wantStatus(t, res, 200)
		m := res.json(t)
		for name, want := range map[string]string{
			"spec_version": "1_0", "issuer": issuer, "default_subjects": "ALL", "configuration_endpoint": issuer + signals.StreamPath,
			"status_endpoint": issuer + signals.StatusPath, "verification_endpoint": issuer + signals.VerificationPath,
			"add_subject_endpoint": issuer + signals.AddSubjectPath, "remove_subject_endpoint": issuer + signals.RemoveSubjectPath,
		} {
			if m[name] != want {
				t.Errorf("%s is %v, want %s", name, m[name], want)
			}
		}
		if got := m["authorization_schemes"].([]any)[0].(map[string]any)["spec_urn"]; got != "urn:ietf:rfc:6749" {
			t.Errorf("%v", got)
		}
		keys := r.b.get(strings.TrimPrefix(m["jwks_uri"].(string), issuer)).json(t)["keys"].([]any)
		if len(keys) != 1 || keys[0].(map[string]any)["alg"] != "RS256" || keys[0].(map[string]any)["d"] != nil {
			t.Errorf("%v", keys)
		}
		if other := r.b.get("/.well-known/jwks.json").body; strings.Contains(other, keys[0].(map[string]any)["kid"].(string)) {
			t.Error("RV20: the key of events is among those of tokens")
		}
		if !strings.Contains(r.b.get("/.well-known/openid-configuration").body, `"ssf.manage"`) {
			t.Error("the scopes are not in the metadata of the issuer")
		}
	})
	off := newHouse(t, options{}).browser()
	for _, path := range []string{"/.well-known/ssf-configuration", signals.KeysPath, signals.StreamPath} {
		wantStatus(t, off.get(path), http.StatusNotFound)
	}
}

func TestRV19StreamControl(t *testing.T) {
	t.Run("openid-ssf-stream-control-happy-path", func(t *testing.T) {
		r := newReceiver(t)
		wantStatus(t, r.call("GET", signals.StreamPath, ""), 200)
		if got := r.call("GET", signals.StreamPath, "").body; got != "[]" {
			t.Errorf("without streams: %s", got)
		}
		id, c := r.create(pollBody)
		if c["iss"] != issuer || c["aud"] != "rx" || c["delivery"].(map[string]any)["endpoint_url"] != issuer+signals.PollPath+"?stream_id="+id {
			t.Errorf("%v", c)
		}
		if d := c["events_delivered"].([]any); len(d) != 2 || len(c["events_requested"].([]any)) != 3 || c["min_verification_interval"] != 5.0 {
			t.Errorf("%v", c)
		}
		one := r.call("GET", signals.StreamPath+"?stream_id="+id, "")
		if all := r.call("GET", signals.StreamPath, ""); all.body != "["+one.body+"]" {
			t.Errorf("%s and %s", all.body, one.body)
		}
		patched := r.call("PATCH", signals.StreamPath, `{"stream_id":"`+id+`","iss":"`+issuer+`","aud":["rx"],"description":"new"}`)
		wantStatus(t, patched, 200)
		if m := patched.json(t); m["description"] != "new" || len(m["events_requested"].([]any)) != 3 {
			t.Errorf("%v", m)
		}
		put := r.call("PUT", signals.StreamPath, `{"stream_id":"`+id+`","events_requested":["`+signals.SessionRevoked+`"]}`)
		wantStatus(t, put, 200)
		m := put.json(t)
		if _, has := m["description"]; has || len(m["events_delivered"].([]any)) != 1 || m["delivery"].(map[string]any)["method"] != signals.Poll {
			t.Errorf("what a PUT leaves out stays: %v", m)
		}
		if got := r.call("GET", signals.StreamPath+"?stream_id="+id, "").body; got != put.body {
			t.Errorf("stored %s", got)
		}
		for _, status := range []string{"paused", "disabled", "enabled"} {
			res := r.call("POST", signals.StatusPath, `{"stream_id":"`+id+`","status":"`+status+`","reason":"why"}`)
			wantStatus(t, res, 200)
			if got := r.call("GET", signals.StatusPath+"?stream_id="+id, ""); got.body != res.body || got.json(t)["status"] != status {
				t.Errorf("%s: %s", status, got.body)
			}
		}
		gone := r.call("DELETE", signals.StreamPath+"?stream_id="+id, "")
		wantStatus(t, gone, http.StatusNoContent)
		if gone.body != "" {
			t.Errorf("%q", gone.body)
		}
		wantStatus(t, r.call("GET", signals.StreamPath+"?stream_id="+id, ""), 404)
	})
	t.Run("openid-ssf-stream-subject-control", func(t *testing.T) {
		r := newReceiver(t)
		id, _ := r.create(pollBody)
		for _, subject := range []string{
			`{"format":"email","email":"Ada@example.com"}`, `{"format":"iss_sub","iss":"` + issuer + `","sub":"nobody"}`, `{"format":"opaque","id":"x"}`,
			`{"format":"complex","user":{"format":"email","email":"a@b"},"tenant":{"format":"opaque","id":"x"}}`,
		} {
			body := `{"stream_id":"` + id + `","subject":` + subject + `,"verified":true}`
			added := r.call("POST", signals.AddSubjectPath, body)
			wantStatus(t, added, 200)
			wantStatus(t, r.call("POST", signals.RemoveSubjectPath, body), http.StatusNoContent)
			if added.body != "" {
				t.Errorf("%q", added.body)
			}
		}
		for iss, want := range map[string]bool{"https://other.example": false, issuer: true} {
			body := `{"stream_id":"` + id + `","subject":{"format":"iss_sub","iss":"` + iss + `","sub":"x"}}`
			wantStatus(t, r.call("POST", signals.RemoveSubjectPath, body), http.StatusNoContent)
			if got, err := r.store.Signals().Excluded(t.Context(), mustID(t, id), []string{"sub:x"}); err != nil || got != want {
				t.Errorf("a subject of %s: excluded %t, %v", iss, got, err)
			}
			wantStatus(t, r.call("POST", signals.AddSubjectPath, body), 200)
		}
		for _, subject := range []string{`"x"`, `{}`, `{"format":"email"}`, `{"format":"iss_sub","iss":"x"}`, `{"format":5}`, `{"format":"complex","user":{"format":"complex"}}`, `{"format":"email","email":"a","email":"b"}`} {
			wantStatus(t, r.call("POST", signals.AddSubjectPath, `{"stream_id":"`+id+`","subject":`+subject+`}`), 400)
		}
	})
}

// Errors of stream control by the names of the certification suite.
func TestRV19StreamControlErrors(t *testing.T) {
	r := newReceiver(t)
	id, _ := r.create(pollBody)
	unknown := secret.NewID(r.clock.now()).String()
	foreign := newReceiverOf(r, "other")
	look, people := r.tokenOf("looker", "ssf.read"), r.b.tokens()["access_token"].(string)
	const bad, broken = "spat_wrong", `{"stream_id":`
	stream := func(id string) string { return `{"stream_id":"` + id + `"}` }
	for name, c := range map[string]struct {
		method, path, body, token string
		want                      int
	}{
		"openid-ssf-stream-control-error-create-stream-with-broken-input":         {"POST", signals.StreamPath, broken, r.token, 400},
		"openid-ssf-stream-control-error-create-stream-with-invalid-token":        {"POST", signals.StreamPath, pollBody, bad, 401},
		"openid-ssf-stream-control-error-create-stream-with-duplicate-config":     {"POST", signals.StreamPath, pollBody, r.token, 409},
		"openid-ssf-stream-control-error-create-stream-with-read-only-token":      {"POST", signals.StreamPath, pollBody, look, 403},
		"openid-ssf-stream-control-error-read-stream-with-invalid-token":          {"GET", signals.StreamPath + "?stream_id=" + id, "", bad, 401},
		"openid-ssf-stream-control-error-read-stream-without-token":               {"GET", signals.StreamPath + "?stream_id=" + id, "", "", 401},
		"openid-ssf-stream-control-error-read-unknown-stream":                     {"GET", signals.StreamPath + "?stream_id=" + unknown, "", r.token, 404},
		"openid-ssf-stream-control-error-token-in-uri-query":                      {"GET", signals.StreamPath + "?access_token=" + r.token, "", "", 400},
		"openid-ssf-stream-control-error-update-stream-with-invalid-token":        {"PATCH", signals.StreamPath, stream(id), bad, 401},
		"openid-ssf-stream-control-error-update-stream-with-invalid-body":         {"PATCH", signals.StreamPath, broken, r.token, 400},
		"openid-ssf-stream-control-error-update-unknown-stream":                   {"PATCH", signals.StreamPath, stream(unknown), r.token, 404},
		"openid-ssf-stream-control-error-replace-stream-with-invalid-body":        {"PUT", signals.StreamPath, broken, r.token, 400},
		"openid-ssf-stream-control-error-replace-stream-with-invalid-token":       {"PUT", signals.StreamPath, stream(id), bad, 401},
		"openid-ssf-stream-control-error-replace-unknown-stream":                  {"PUT", signals.StreamPath, stream(unknown), r.token, 404},
		"openid-ssf-stream-control-error-delete-stream-with-invalid-token":        {"DELETE", signals.StreamPath + "?stream_id=" + id, "", bad, 401},
		"openid-ssf-stream-control-error-delete-unknown-stream":                   {"DELETE", signals.StreamPath + "?stream_id=" + unknown, "", r.token, 404},
		"openid-ssf-stream-control-error-read-status-of-unknown-stream":           {"GET", signals.StatusPath + "?stream_id=" + unknown, "", r.token, 404},
		"openid-ssf-stream-control-error-read-stream-status-with-invalid-token":   {"GET", signals.StatusPath + "?stream_id=" + id, "", bad, 401},
		"openid-ssf-transmitter-stream-verification-error-invalid-body":           {"POST", signals.VerificationPath, broken, r.token, 400},
		"openid-ssf-transmitter-stream-verification-error-invalid-token":          {"POST", signals.VerificationPath, stream(id), bad, 401},
		"openid-ssf-transmitter-stream-verification-error-unknown-stream":         {"POST", signals.VerificationPath, stream(unknown), r.token, 404},
		"openid-ssf-transmitter-poll-endpoint-authorization, without a token":     {"POST", signals.PollPath + "?stream_id=" + id, now0, "", 401},
		"openid-ssf-transmitter-poll-endpoint-authorization, with an invalid one": {"POST", signals.PollPath + "?stream_id=" + id, now0, bad, 401},
		"a person's token":                           {"GET", signals.StreamPath, "", people, 403},
		"RV19 a stream of another, read":             {"GET", signals.StreamPath + "?stream_id=" + id, "", foreign, 404},
		"RV19 a stream of another, changed":          {"PATCH", signals.StreamPath, stream(id), foreign, 404},
		"RV19 a stream of another, deleted":          {"DELETE", signals.StreamPath + "?stream_id=" + id, "", foreign, 404},
		"RV19 a stream of another, polled":           {"POST", signals.PollPath + "?stream_id=" + id, now0, foreign, 404},
		"RV19 a stream of another, verified":         {"POST", signals.VerificationPath, stream(id), foreign, 404},
		"a member twice":                             {"PATCH", signals.StreamPath, `{"stream_id":"` + id + `","stream_id":"` + id + `"}`, r.token, 400},
		"another issuer":                             {"PATCH", signals.StreamPath, `{"stream_id":"` + id + `","iss":"https://evil.example"}`, r.token, 400},
		"another audience":                           {"PUT", signals.StreamPath, `{"stream_id":"` + id + `","aud":"other"}`, r.token, 400},
		"J RV19 an endpoint on this machine":         {"PATCH", signals.StreamPath, pushTo(id, "https://127.0.0.1/x"), r.token, 400},
		"RV19 an endpoint in a private network":      {"PATCH", signals.StreamPath, pushTo(id, "https://10.0.0.1/x"), r.token, 400},
		"RV19 an endpoint of the metadata of clouds": {"PATCH", signals.StreamPath, pushTo(id, "https://169.254.169.254/x"), r.token, 400},
		"RV19 an endpoint without TLS":               {"PATCH", signals.StreamPath, pushTo(id, "http://rx.example.com/x"), r.token, 400},
		"RV19 an endpoint with a password":           {"PATCH", signals.StreamPath, pushTo(id, "https://a:b@rx.example.com/x"), r.token, 400},
		"a header of two lines":                      {"PATCH", signals.StreamPath, strings.Replace(pushTo(id, "https://rx.example.com/"), `}}`, `,"authorization_header":"a\r\nb: c"}}`, 1), r.token, 400},
		"an unknown method of delivery":              {"PATCH", signals.StreamPath, `{"stream_id":"` + id + `","delivery":{"method":"x"}}`, r.token, 400},
		"an unknown status":                          {"POST", signals.StatusPath, `{"stream_id":"` + id + `","status":"off"}`, r.token, 400},
		"the status of one subject":                  {"POST", signals.StatusPath, `{"stream_id":"` + id + `","status":"paused","subject":{}}`, r.token, 400},
		"a poll for less than nothing":               {"POST", signals.PollPath + "?stream_id=" + id, `{"maxEvents":-1}`, r.token, 400},
		"a status with a NUL":                        {"POST", signals.StatusPath, `{"stream_id":"` + id + `","status":"enabled","reason":"a\u0000b"}`, r.token, 400},
		"a subject with a NUL":                       {"POST", signals.RemoveSubjectPath, `{"stream_id":"` + id + `","subject":{"format":"email","email":"a\u0000@example.com"}}`, r.token, 400},
		"a poll that is no object":                   {"POST", signals.PollPath + "?stream_id=" + id, `[]`, r.token, 400},
	} {
		t.Run(name, func(t *testing.T) {
			res := r.call(c.method, c.path, c.body, c.token)
			wantStatus(t, res, c.want)
			if challenge := res.Header.Get("WWW-Authenticate"); (c.want == 401 || c.want == 403) && !strings.HasPrefix(challenge, "Bearer ") {
				t.Errorf("challenge %q", challenge)
			} else if c.token == bad && !strings.Contains(challenge, `error="invalid_token"`) || c.want == 403 && !strings.Contains(challenge, `scope="ssf.manage"`) {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
	if got := r.call("GET", signals.StreamPath+"?stream_id="+id, "", look); got.StatusCode != 404 {
		t.Errorf("another client looks: %d", got.StatusCode)
	}
	wantStatus(t, r.call("GET", signals.StreamPath, "", look), 200)
	if got := r.call("GET", signals.StreamPath+"?stream_id="+id, "").json(t)["description"]; got != "d" {
		t.Errorf("something has changed: %v", got)
	}
}

func newReceiverOf(r *rx, clientID string) string { return r.tokenOf(clientID, "ssf.manage") }

func pushTo(id, address string) string {
	return `{"stream_id":"` + id + `","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"` + address + `"}}`
}

func (r *rx) verify(id, state string) {
	r.t.Helper()
	wantStatus(r.t, r.call("POST", signals.VerificationPath, `{"stream_id":"`+id+`","state":"`+state+`"}`), http.StatusNoContent)
	r.clock.advance(5 * time.Second)
}

func mustID(t testing.TB, text string) secret.ID {
	t.Helper()
	id, err := secret.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func one(t testing.TB, sets map[string]any) (jti, jwt string) {
	t.Helper()
	if len(sets) != 1 {
		t.Fatalf("%d sets, want one: %v", len(sets), sets)
	}
	for jti, jwt := range sets {
		return jti, jwt.(string)
	}
	return "", ""
}

func TestRV16RV19PollsAndAcknowledges(t *testing.T) {
	r := newReceiver(t)
	id, _ := r.create(pollBody)
	var jti string
	t.Run("openid-ssf-transmitter-stream-verification-poll-only", func(t *testing.T) {
		r.verify(id, "state 1")
		sets, _ := r.poll(id, now0)
		var jwt string
		jti, jwt = one(t, sets)
		subject, payload := r.wantSET(jwt, jti, signals.Verification)
		if payload["state"] != "state 1" || subject["format"] != "opaque" || subject["id"] != id {
			t.Errorf("%v %v", subject, payload)
		}
		again, _ := r.poll(id, now0)
		if got, _ := one(t, again); got != jti {
			t.Error("what was not acknowledged does not come again")
		}
	})
	t.Run("openid-ssf-transmitter-stream-verification-ack-only", func(t *testing.T) {
		if sets, _ := r.poll(id, `{"maxEvents":0,"ack":["`+jti+`","unknown"]}`); len(sets) != 0 {
			t.Errorf("%v", sets)
		}
		if sets, _ := r.poll(id, now0); len(sets) != 0 {
			t.Errorf("acknowledged, and it comes again: %v", sets)
		}
	})
	t.Run("openid-ssf-transmitter-stream-verification-poll-and-ack", func(t *testing.T) {
		r.verify(id, "a")
		r.verify(id, "b")
		sets, more := r.poll(id, `{"maxEvents":1,"returnImmediately":true}`)
		first, _ := one(t, sets)
		if !more {
			t.Error("there is more")
		}
		sets, more = r.poll(id, `{"maxEvents":1,"returnImmediately":true,"ack":["`+first+`"]}`)
		second, jwt := one(t, sets)
		if _, payload := r.wantSET(jwt, second, signals.Verification); payload["state"] != "b" || more {
			t.Errorf("%v, more %t", payload, more)
		}
		r.poll(id, `{"maxEvents":0,"ack":["`+second+`"]}`)
	})
	t.Run("openid-ssf-transmitter-stream-verification-set-errs", func(t *testing.T) {
		r.verify(id, "c")
		sets, _ := r.poll(id, now0)
		jti, _ := one(t, sets)
		if sets, _ = r.poll(id, `{"maxEvents":0,"returnImmediately":true,"setErrs":{"`+jti+`":{"err":"invalid_request","description":"x"}}}`); len(sets) != 0 {
			t.Errorf("%v", sets)
		}
		if sets, _ = r.poll(id, now0); len(sets) != 0 {
			t.Errorf("reported, and it comes again: %v", sets)
		}
	})
	t.Run("openid-ssf-transmitter-stream-verification-long-poll", func(t *testing.T) {
		done := make(chan map[string]any, 1)
		go func() { sets, _ := r.poll(id, `{"returnImmediately":false}`); done <- sets }()
		time.Sleep(50 * time.Millisecond)
		r.verify(id, "late")
		select {
		case sets := <-done:
			one(t, sets)
		case <-time.After(10 * time.Second):
			t.Fatal("the poll does not see what came")
		}
	})
	t.Run("RV19 a client that was disabled while it waits gets nothing", func(t *testing.T) {
		sets, _ := r.poll(id, now0)
		jti, _ := one(t, sets)
		r.poll(id, `{"maxEvents":0,"ack":["`+jti+`"]}`)
		done := make(chan map[string]any, 1)
		go func() { sets, _ := r.poll(id, `{"returnImmediately":false}`); done <- sets }()
		time.Sleep(50 * time.Millisecond)
		disable := func(disabled bool) {
			now := r.clock.now()
			if err := r.store.OAuth().SetClientDisabled(t.Context(), "rx", disabled, now, now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			r.oauth.ForgetClient("rx")
		}
		disable(true)
		if err := r.store.Signals().AddEvent(t.Context(), mustID(t, id), "rx", signals.Ended(r.user.ID, secret.ID{}, "x", r.clock.now()), r.clock.now()); err != nil {
			t.Fatal(err)
		}
		if sets := <-done; len(sets) != 0 {
			t.Errorf("it hears %v", sets)
		}
		disable(false)
		r.clock.advance(5 * time.Second)
		r.token = r.tokenOf("rx", "ssf.manage")
		sets, _ = r.poll(id, now0)
		jti, _ = one(t, sets)
		r.poll(id, `{"maxEvents":0,"ack":["`+jti+`"]}`)
	})
	t.Run("too often", func(t *testing.T) {
		r.verify(id, "x")
		r.clock.advance(-time.Second)
		res := r.call("POST", signals.VerificationPath, `{"stream_id":"`+id+`"}`)
		wantStatus(t, res, http.StatusTooManyRequests)
	})
	t.Run("openid-ssf-transmitter-paused-stream-holds-events", func(t *testing.T) {
		r.clock.advance(time.Minute)
		set := func(status string) {
			r.call("POST", signals.StatusPath, `{"stream_id":"`+id+`","status":"`+status+`"}`)
		}
		set("disabled")
		set("paused")
		r.verify(id, "held")
		if sets, _ := r.poll(id, now0); len(sets) != 0 {
			t.Errorf("%v", sets)
		}
		set("enabled")
		sets, _ := r.poll(id, now0)
		one(t, sets)
		set("disabled")
		r.verify(id, "gone")
		set("enabled")
		if sets, _ := r.poll(id, now0); len(sets) != 0 {
			t.Errorf("openid-ssf-transmitter-disabled-stream-drops-events: %v", sets)
		}
	})
}

// RV17: what a receiver hears of people.
func TestRV17EventsOfPeople(t *testing.T) {
	r := newReceiver(t)
	id, _ := r.create(pollBody)
	take := func(n int) []string {
		t.Helper()
		res := r.call("POST", signals.PollPath+"?stream_id="+id, now0)
		var order struct{ Sets json.RawMessage }
		if err := json.Unmarshal([]byte(res.body), &order); err != nil {
			t.Fatal(err)
		}
		var jwts, jtis []string
		_ = jose.ScanObject(order.Sets, func(jti string, jwt []byte) error {
			jtis, jwts = append(jtis, `"`+jti+`"`), append(jwts, strings.Trim(string(jwt), `"`))
			return nil
		})
		if len(jwts) != n {
			t.Fatalf("%d events, want %d: %s", len(jwts), n, res.body)
		}
		r.poll(id, `{"maxEvents":0,"ack":[`+strings.Join(jtis, ",")+`]}`)
		return jwts
	}
	sid := secret.NewID(r.clock.now())
	grant := func() { // a sign-in that an app has
		t.Helper()
		if tok := r.b.tokens()["access_token"]; tok == nil {
			t.Fatal("no sign-in")
		}
	}
	grant()
	person := func(m map[string]any) { // iss_sub of ada
		t.Helper()
		if m["format"] != "iss_sub" || m["iss"] != issuer || m["sub"] != r.user.ID {
			t.Errorf("subject %v", m)
		}
	}
	reason := func(p map[string]any, entity string) {
		t.Helper()
		admin, _ := p["reason_admin"].(map[string]any)
		if text, _ := admin["en"].(string); text == "" || p["initiating_entity"] != entity || p["event_timestamp"] != float64(r.clock.now().Unix()) {
			t.Errorf("payload %v", p)
		}
	}
	if err := r.store.Account().SetPassword(t.Context(), r.user.ID, "$x", r.clock.now(), r.clock.now()); err != nil {
		t.Fatal(err)
	}
	jwts := take(2)
	subject, payload := r.wantSET(jwts[0], "", signals.CredentialChange)
	person(subject)
	reason(payload, "admin")
	if payload["credential_type"] != "password" || payload["change_type"] != "update" {
		t.Errorf("%v", payload)
	}
	subject, payload = r.wantSET(jwts[1], "", signals.SessionRevoked)
	person(subject)
	reason(payload, "admin")

	session := r.session(sid)
	if _, err := r.store.OAuth().EndSession(t.Context(), session, revocation.ReasonLogout, r.clock.now(), r.clock.now()); err != nil {
		t.Fatal(err)
	}
	subject, payload = r.wantSET(take(1)[0], "", signals.SessionRevoked)
	reason(payload, "user")
	if subject["format"] != "complex" || subject["session"].(map[string]any)["id"] != session.String() {
		t.Errorf("%v", subject)
	}
	person(subject["user"].(map[string]any))

	removed := `{"stream_id":"` + id + `","subject":{"format":"iss_sub","iss":"` + issuer + `","sub":"` + r.user.ID + `"}}`
	wantStatus(t, r.call("POST", signals.RemoveSubjectPath, removed), http.StatusNoContent)
	end := func() {
		t.Helper()
		if err := r.store.OAuth().EndUser(t.Context(), r.user.ID, revocation.ReasonAdmin, r.clock.now(), r.clock.now()); err != nil {
			t.Fatal(err)
		}
	}
	end()
	take(0)
	wantStatus(t, r.call("POST", signals.AddSubjectPath, removed), 200)
	end()
	person(func() map[string]any { s, _ := r.wantSET(take(1)[0], "", signals.SessionRevoked); return s }())
}

// session adds a session of the person and returns its sid.
func (r *rx) session(id secret.ID) secret.ID {
	r.t.Helper()
	now := r.clock.now()
	user, err := r.accounts.User(r.t.Context(), r.user.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	s := account.Session{
		ID: id, SID: id, Hash: secret.NewHandle(secret.SessionCookie).Hash(), UserID: user.ID, UserVersion: user.Version, ACR: "pwd", AMR: "pwd", AuthTime: now,
		CreatedAt: now, LastSeen: now, IdleUntil: now.Add(time.Hour), AbsoluteUntil: now.Add(12 * time.Hour),
	}
	if err := r.store.Account().AddSession(r.t.Context(), s, secret.ID{}); err != nil {
		r.t.Fatal(err)
	}
	return s.SID
}

// run starts the worker, whose waits are real and whose clock stands still.
func (r *rx) run() {
	ctx := r.t.Context()
	done := make(chan struct{})
	go func() { defer close(done); r.signals.Run(ctx) }()
	r.t.Cleanup(func() { <-done })
}

func (r *rx) wantPushes(n int) []push {
	r.t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if got := r.pushes(); len(got) >= n || time.Now().After(limit) {
			if len(got) != n {
				r.t.Fatalf("%d pushes, want %d", len(got), n)
			}
			return got
		}
	}
}

func TestRV16RV19Pushes(t *testing.T) {
	r := newReceiver(t)
	id, c := r.create(pushBody)
	if strings.Contains(r.call("GET", signals.StreamPath+"?stream_id="+id, "").body, "s3cret") || c["delivery"].(map[string]any)["endpoint_url"] != "https://rx.example.com/events?a=b" {
		t.Errorf("%v", c)
	}
	stored, err := r.store.Signals().Streams(t.Context(), "")
	if err != nil || len(stored) != 1 || stored[0].Authorization == "" || strings.Contains(stored[0].Authorization, "s3cret") {
		t.Errorf("the header of the receiver is stored in the open: %+v %v", stored, err)
	}
	r.run()
	t.Run("openid-ssf-transmitter-stream-verification-push", func(t *testing.T) {
		r.verify(id, "s")
		p := r.wantPushes(1)[0]
		if p.url != "https://rx.example.com/events?a=b" || p.header["Authorization"] != "Bearer s3cret" || p.header["Content-Type"] != "application/secevent+jwt" || p.header["Accept"] != "application/json" {
			t.Errorf("%+v", p)
		}
		subject, payload := r.wantSET(p.body, "", signals.Verification)
		if payload["state"] != "s" || subject["id"] != id {
			t.Errorf("%v %v", subject, payload)
		}
	})
	t.Run("RV21 a refusal that may pass is tried again, the same, before what came later", func(t *testing.T) {
		before := len(r.pushes())
		r.mu.Lock()
		r.answer = func(n int) (int, string, error) {
			switch n - before {
			case 1:
				return 0, "", errors.New("away")
			case 2:
				return 503, "", nil
			case 3:
				return 400, `{"err":"invalid_key","description":"not yet"}`, nil
			}
			return 202, "", nil
		}
		r.mu.Unlock()
		r.verify(id, "1")
		r.verify(id, "2")
		for range 3 {
			time.Sleep(700 * time.Millisecond)
			r.clock.advance(10 * time.Second)
		}
		got := r.wantPushes(before + 5)[before:]
		jtis := map[any]int{}
		for i, p := range got {
			m := r.open(p.body)
			jtis[m["jti"]]++
			state := m["events"].(map[string]any)[signals.Verification].(map[string]any)["state"]
			if want := map[bool]string{true: "1", false: "2"}[i < 4]; state != want {
				t.Errorf("push %d is %v", i, state)
			}
		}
		if len(jtis) != 2 {
			t.Errorf("%v", jtis)
		}
	})
	t.Run("RFC 8935 §2.4 a refusal that is final is not tried again", func(t *testing.T) {
		before := len(r.pushes())
		r.mu.Lock()
		r.answer = func(n int) (int, string, error) {
			if n-before == 1 {
				return 400, `{"err":"invalid_audience","description":"x"}`, nil
			}
			return 202, "", nil
		}
		r.mu.Unlock()
		r.verify(id, "refused")
		r.verify(id, "next")
		r.wantPushes(before + 2)
	})
	t.Run("openid-ssf-transmitter-push-no-auth", func(t *testing.T) {
		before := len(r.pushes())
		wantStatus(t, r.call("PATCH", signals.StreamPath, pushTo(id, "https://rx.example.com/open")), 200)
		r.verify(id, "open")
		p := r.wantPushes(before + 1)[before]
		if _, has := p.header["Authorization"]; has || p.url != "https://rx.example.com/open" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("a client that was disabled hears nothing any more", func(t *testing.T) {
		before := len(r.pushes())
		if err := r.store.OAuth().SetClientDisabled(t.Context(), "rx", true, r.clock.now(), r.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.oauth.ForgetClient("rx")
		if err := r.store.Account().SetPassword(t.Context(), r.user.ID, "$x", r.clock.now(), r.clock.now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		if got := r.pushes(); len(got) != before {
			t.Errorf("%+v", got[before:])
		}
	})
}

// RV16, RV20: a SET is no access token and no hint, and the key of events signs
// nothing that is accepted.
func TestRV16RV20ASETIsNoOtherToken(t *testing.T) {
	r := newReceiver(t)
	id, _ := r.create(pollBody)
	r.verify(id, "x")
	sets, _ := r.poll(id, now0)
	_, set := one(t, sets)
	now := r.clock.now().Unix()
	claims, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": issuer, "sub": r.user.ID, "client_id": "shop", "scope": "openid", "jti": secret.NewID(r.clock.now()).String() + "." + secret.NewID(r.clock.now()).String(),
		"iat": now, "exp": now + 60, "sid": secret.NewID(r.clock.now()).String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	forged := func(typ string) string {
		t.Helper()
		jwt, err := r.ring.Signer(token.SignSET).Sign(typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	for name, tok := range map[string]string{"a SET": set, "an access token by the key of events": forged("at+jwt"), "an ID token by it": forged("JWT")} {
		wantStatus(t, r.call("GET", "/oauth/userinfo", "", tok), 401)
		wantStatus(t, r.call("GET", signals.StreamPath, "", tok), 401)
		hint := r.b.get("/oauth/logout?id_token_hint=" + url.QueryEscape(tok))
		if hint.StatusCode != 400 {
			t.Errorf("%s as a hint: %d", name, hint.StatusCode)
		}
	}
	wantStatus(t, r.call("GET", "/oauth/userinfo", "", r.b.tokens()["access_token"].(string)), 200)
	// The token of a receiver is no token for userinfo, nor the reverse.
	wantStatus(t, r.call("GET", "/oauth/userinfo", "", r.token), 403)
}
