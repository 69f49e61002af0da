package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// leaked reports strings as an operator does.
func (r *rig) leaked(texts ...string) []oauth.LeakFinding {
	r.t.Helper()
	var found []oauth.Found
	for _, text := range texts {
		found = append(found, oauth.Found{Secret: secret.New(text), URL: "https://pastes.example/1?x=" + text, Source: "paste"})
	}
	got, err := r.Leaked(r.t.Context(), found)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range got {
		b, err := json.Marshal(f)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, text := range texts {
			if strings.Contains(string(b), text) {
				r.t.Errorf("the finding has what was found: %s", b)
			}
		}
	}
	return got
}

// told takes what waits in the outbox: recipients by kind.
func (r *rig) told() map[string][]string {
	r.t.Helper()
	r.clock.advance(10 * time.Second)
	told := map[string][]string{}
	for {
		list, err := r.store.Outbox().Claim(r.t.Context(), r.clock.now(), r.clock.now().Add(time.Hour), 100)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(list) == 0 {
			return told
		}
		for _, n := range list {
			var l audit.Leak
			if err := json.Unmarshal(n.Body, &l); err != nil {
				r.t.Fatal(err)
			}
			told[l.Kind] = append(told[l.Kind], n.To)
		}
	}
}

func (r *rig) wantFinding(name string, got []oauth.LeakFinding, kind, action, clientID string, alive bool) {
	r.t.Helper()
	if len(got) != 1 {
		r.t.Fatalf("%s: %d findings: %+v", name, len(got), got)
	}
	f := got[0]
	if f.Kind != kind || f.Action != action || f.ClientID != clientID || f.Alive != alive || len(f.HashPrefix) != 8 || f.Reporter != oauth.Operator {
		r.t.Errorf("%s: %+v, want %s %s of %q, alive %t", name, f, kind, action, clientID, alive)
	}
}

func (r *rig) jobToken() *oauth.TokenResponse {
	r.t.Helper()
	res, err := r.Token(r.t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes"))
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// Each kind, in the middle of other text: it ends, once, and those whom it
// concerns are told once. What is not leaked lives on.
func TestT044EachKindEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	user := oauth.ToUser + r.user.ID
	everybody := []string{oauth.ToRecord, oauth.ToOperator, oauth.ToWebhook}

	first, other := r.tokens(), r.tokens()
	access := "curl -H 'Authorization: Bearer " + first.AccessToken.Reveal() + "'"
	r.wantFinding("access token", r.leaked(access), "access_token", audit.ActionTokenRevoked, "app", true)
	if r.active(first.AccessToken) {
		t.Error("the leaked access token is alive")
	}
	again, err := r.refresh(first.RefreshToken)
	if err != nil || !r.active(again.AccessToken) {
		t.Fatalf("the grant of a leaked access token ended: %v", err)
	}
	r.wantFinding("access token again", r.leaked(access), "access_token", audit.ActionNone, "app", false)

	r.wantFinding("old refresh token", r.leaked("x="+first.RefreshToken.Reveal()+"&y"), "refresh_token", audit.ActionGrantRevoked, "app", true)
	_, err = r.refresh(again.RefreshToken)
	var e *oauth.Error
	if r.active(again.AccessToken) || !errors.As(err, &e) || e.Reason != token.ReasonLeaked {
		t.Errorf("after its refresh token leaked, the grant lives: %v", err)
	}

	code := r.code()
	r.wantFinding("code", r.leaked("https://app/cb?code="+code), "authorization_code", audit.ActionGrantRevoked, "app", true)
	_, err = r.redeem(code)
	wantCode(t, err, oauth.InvalidGrant)
	used := r.code()
	res, err := r.redeem(used)
	if err != nil {
		t.Fatal(err)
	}
	r.wantFinding("used code", r.leaked(used), "authorization_code", audit.ActionGrantRevoked, "app", true)
	if r.active(res.AccessToken) {
		t.Error("what a leaked code was redeemed for is alive")
	}
	late := r.code()
	r.clock.advance(2 * time.Minute)
	r.wantFinding("expired code", r.leaked(late), "authorization_code", audit.ActionNone, "app", false)

	r.wantFinding("ID token", r.leaked(other.IDToken.Reveal()+"."), "id_token", audit.ActionNone, "app", false)
	if got := r.leaked(other.IDToken.Reveal()); len(got) != 1 {
		t.Errorf("ID token again: %+v", got)
	}
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err = r.refresh(other.RefreshToken)
	if err != nil || !r.active(other.AccessToken) {
		t.Errorf("what was not leaked has ended: %v", err)
	}

	told := r.told()
	for kind, times := range map[string]int{"access_token": 1, "refresh_token": 1, "authorization_code": 2, "id_token": 1} {
		got := slices.Sorted(slices.Values(told[kind]))
		var want []string
		for range times {
			want = append(want, append([]string{oauth.ToClient + "app", user}, everybody...)...)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: told %v, want %v", kind, got, want)
		}
	}
	if len(told) != 4 {
		t.Errorf("told of %d kinds", len(told))
	}
}

func TestT035LeakedSessionCookieEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := secret.NewID(r.clock.now())
	cookie := secret.Encode(secret.SessionCookie, append(id[:], secret.Random(32)...))
	s := accountSession(r, id, cookie)
	if err := r.store.Account().AddSession(t.Context(), s, secret.ID{}); err != nil {
		t.Fatal(err)
	}
	tok := r.tokens()
	forged := secret.Encode(secret.SessionCookie, append(id[:], secret.Random(32)...))
	if got := r.leaked(forged.Reveal()); len(got) != 0 {
		t.Errorf("a forged cookie: %+v", got)
	}
	r.wantFinding("cookie", r.leaked("Cookie: __Host-s="+cookie.Reveal()+"; x"), "session_cookie", audit.ActionSessionEnded, "", true)
	if _, err := r.store.Account().Session(t.Context(), id); err == nil {
		t.Error("the session of a leaked cookie lives")
	}
	if !r.active(tok.AccessToken) {
		t.Error("another session ended too")
	}
	if got := r.told()["session_cookie"]; !slices.Contains(got, oauth.ToUser+r.user.ID) {
		t.Errorf("told %v", got)
	}
}

// A leaked secret of the configuration is refused although the file names it,
// for every client that has it, and their own tokens end.
func TestT037LeakedSecretOfTheConfiguration(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	peer := r.node(r.feed)
	mine := r.jobToken()
	grant, err := r.Token(t.Context(), r.form("grant_type", "refresh_token", "client_id", "web", "client_secret", "yes",
		"refresh_token", r.webTokens().RefreshToken.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	before := r.introspect("rs", mine.AccessToken)
	if before["active"] != true {
		t.Fatal("the token is not active")
	}
	got := r.leaked("SECRET=" + r.secret.Reveal())
	if len(got) != 6 { // web, job, bound-job, cert-job, rs, rs2
		t.Fatalf("found %+v", got)
	}
	for _, s := range []*oauth.Service{r.Service, peer} {
		r.forget(s)
		_, err := s.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes"))
		wantCode(t, err, oauth.InvalidClient)
	}
	var a token.Access
	if err := r.ring.OpenAccess(mine.AccessToken.Reveal(), &a); err != nil || !r.feed.Revoked(&a) {
		t.Errorf("the client's own token lives: %v", err)
	}
	if err := r.ring.OpenAccess(grant.AccessToken.Reveal(), &a); err != nil || r.feed.Revoked(&a) {
		t.Errorf("what a person agreed to has ended: %v", err)
	}
	if got := r.leaked(r.secret.Reveal()); len(got) != 6 || got[0].Alive {
		t.Errorf("again: %+v", got)
	}
}

// A secret that somebody made with another tool is known as a whole word.
func TestT035LeakedForeignSecret(t *testing.T) {
	t.Parallel()
	foreign := base64.StdEncoding.EncodeToString(secret.Random(33))
	r := newRig(t)
	s, err := oauth.New(oauth.Options{
		Issuer: issuer, Store: r.store.OAuth(), Users: r.store.OAuth(), Ring: r.ring, Feed: r.feed, Proofs: r.proofs, Now: r.clock.now,
		Clients: []oauth.Client{{ID: "mate", Type: oauth.ServiceClient, Secrets: []oauth.ClientSecret{{Hash: secret.New(foreign).Hash()}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Service = s
	for _, text := range []string{"key: " + foreign[1:], foreign + "x", foreign[:20]} {
		if got := r.leaked(text); len(got) != 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
	r.wantFinding("foreign secret", r.leaked(`{"client":"mate","key":"`+foreign+`"}`), "client_secret", audit.ActionSecretEnded, "mate", true)
	r.wantFinding("in an env file", r.leaked("KEY="+foreign), "client_secret", audit.ActionNone, "mate", false)
}

func TestT035MasterKeyCannotBeRevokedAndAlarms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	master := secret.NewHandle(secret.MasterKey)
	s, err := oauth.New(oauth.Options{
		Issuer: issuer, Store: r.store.OAuth(), Users: r.store.OAuth(), Ring: r.ring, Feed: r.feed, Proofs: r.proofs, Now: r.clock.now, IsMaster: master.Equal,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Service = s
	if got := r.leaked(secret.NewHandle(secret.MasterKey).Reveal()); len(got) != 0 {
		t.Errorf("another master key: %+v", got)
	}
	got := r.leaked(master.Reveal())
	r.wantFinding("master key", got, "master_key", audit.ActionNotPossible, "", false)
	if got[0].Event != audit.LeakMasterKey {
		t.Errorf("event %s", got[0].Event)
	}
	r.leaked(master.Reveal())
	if told := r.told()["master_key"]; len(told) != 3 || !slices.Contains(told, oauth.ToOperator) {
		t.Errorf("told %v, want the operator once", told)
	}
}

func TestT035WhatIsNotOursIsNothing(t *testing.T) {
	t.Parallel()
	r, stranger := newRig(t), newRig(t)
	tok, job := stranger.tokens(), stranger.jobToken()
	session := secret.NewHandle(secret.SessionCookie)
	got := r.leaked("", "hello", tok.AccessToken.Reveal(), tok.RefreshToken.Reveal(), tok.IDToken.Reveal(), stranger.code(), job.AccessToken.Reveal(),
		stranger.secret.Reveal(), session.Reveal(), secret.NewHandle(secret.AuthCode).Reveal(), secret.NewHandle(secret.AccessToken).Reveal(),
		secret.NewHandle(secret.RefreshToken).Reveal(), secret.NewHandle(secret.PendingSignIn).Reveal(), secret.NewHandle(secret.MasterKey).Reveal())
	if len(got) != 0 {
		t.Errorf("found %+v", got)
	}
	// A stranger who knows the ID of a grant, which is no secret, cannot end it.
	mine := r.tokens()
	var a token.Access
	if err := r.ring.OpenAccess(mine.AccessToken.Reveal(), &a); err != nil {
		t.Fatal(err)
	}
	for _, ring := range []*token.Ring{r.ring, stranger.ring} {
		if got := r.leaked(ring.RefreshToken(a.GrantID, 1, secret.Random(16)).Reveal()); len(got) != 0 {
			t.Errorf("a forged refresh token: %+v", got)
		}
	}
	if !r.active(mine.AccessToken) {
		t.Error("a forged refresh token has ended the grant")
	}
	if told := r.told(); len(told) != 0 {
		t.Errorf("told %v", told)
	}
}

func TestLeakReporterNeedsScopeAndSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, err := oauth.New(oauth.Options{
		Issuer: issuer, Store: r.store.OAuth(), Users: r.store.OAuth(), Ring: r.ring, Feed: r.feed, Proofs: r.proofs, Now: r.clock.now,
		Clients: []oauth.Client{
			{ID: "partner", Type: oauth.ServiceClient, Scope: "catalog.read " + oauth.ReportScope, Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}},
			{ID: "plain", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}},
			{ID: "web", Type: oauth.Server, Scope: oauth.ReportScope, Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}},
			{ID: "app", Type: oauth.Native, Scope: oauth.ReportScope},
		},
		Resources: []oauth.Resource{{Name: "catalog", Audience: catalog, Scopes: []string{"catalog.read"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	basic := func(id, sec string) oauth.Request {
		return oauth.Request{Authorization: []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+sec))}}
	}
	if id, err := s.LeakReporter(t.Context(), basic("partner", r.secret.Reveal())); err != nil || id != "partner" {
		t.Errorf("the partner: %q %v", id, err)
	}
	for name, c := range map[string]struct {
		req  oauth.Request
		want string
	}{
		"no authentication":    {oauth.Request{}, oauth.InvalidClient},
		"in the body":          {r.form("client_id", "partner", "client_secret", "yes"), oauth.InvalidClient},
		"wrong secret":         {basic("partner", "x"), oauth.InvalidClient},
		"public":               {basic("app", ""), oauth.InvalidClient},
		"without the scope":    {basic("plain", r.secret.Reveal()), oauth.UnauthorizedClient},
		"not a service client": {basic("web", r.secret.Reveal()), oauth.UnauthorizedClient},
	} {
		_, err := s.LeakReporter(t.Context(), c.req)
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.want) })
	}
	// The scope is for no token, asked for or not.
	tok, err := s.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "partner", "client_secret", "yes"))
	if err != nil || tok.Scope != "catalog.read" {
		t.Errorf("a token of the partner has %+v %v", tok, err)
	}
	_, err = s.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "partner", "client_secret", "yes", "scope", oauth.ReportScope))
	wantCode(t, err, oauth.InvalidScope)
	_, err = s.Authorize(t.Context(), authorizeParams("client_id", "app", "scope", oauth.ReportScope))
	if err == nil {
		t.Error("a person can be asked for the scope")
	}
	_, err = oauth.New(oauth.Options{
		Issuer: issuer, Store: r.store.OAuth(), Users: r.store.OAuth(), Ring: r.ring, Feed: r.feed, Proofs: r.proofs, Now: r.clock.now,
		Resources: []oauth.Resource{{Name: "x", Audience: catalog, Scopes: []string{oauth.ReportScope}}},
	})
	if err == nil {
		t.Error("an API can have the scope")
	}
}

func TestT035ReportsAreStrict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := func(n int, text string) string {
		return `{"found":[` + strings.TrimSuffix(strings.Repeat(`{"secret":"`+text+`"},`, n), ",") + `]}`
	}
	for name, c := range map[string]struct {
		body string
		n    int // -1: refused
	}{
		"one":                         {`{"found":[{"secret":"x","url":"https://a/","source":"paste"}]}`, 1},
		"none":                        {`{"found":[]}`, 0},
		"a hundred":                   {many(100, "x"), 100},
		"white space":                 {" {\n\"found\" : [ {\"secret\": \"x\"} ] }\n", 1},
		"8 KiB":                       {many(1, strings.Repeat("x", 8<<10)), 1},
		"too many":                    {many(101, "x"), -1},
		"too long":                    {many(1, strings.Repeat("x", 8<<10+1)), -1},
		"nothing":                     {``, -1},
		"no found":                    {`{}`, -1},
		"another spelling":            {`{"Found":[]}`, -1},
		"found twice":                 {`{"found":[],"found":[{"secret":"x"}]}`, -1},
		"an unknown name":             {`{"found":[],"more":1}`, -1},
		"secret twice":                {`{"found":[{"secret":"x","secret":"y"}]}`, -1},
		"secret missing":              {`{"found":[{"url":"https://a/"}]}`, -1},
		"secret in another spelling":  {`{"found":[{"Secret":"x"}]}`, -1},
		"a number":                    {`{"found":[{"secret":1}]}`, -1},
		"null":                        {`{"found":null}`, -1},
		"a list of text":              {`{"found":["x"]}`, -1},
		"a nested object":             {`{"found":[{"secret":{"a":1}}]}`, -1},
		"something behind":            {`{"found":[]}{}`, -1},
		"a comma behind":              {`{"found":[],}`, -1},
		"an array":                    {`[]`, -1},
		"not UTF-8":                   {"{\"found\":[{\"secret\":\"\xff\"}]}", -1},
		"a long URL":                  {`{"found":[{"secret":"x","url":"` + strings.Repeat("u", 2<<10+1) + `"}]}`, -1},
		"a long source":               {`{"found":[{"secret":"x","source":"` + strings.Repeat("u", 65) + `"}]}`, -1},
		"larger than a report may be": {`{"found":[]}` + strings.Repeat(" ", oauth.MaxLeakReport), -1},
	} {
		n, hold, err := r.ReportLeaks(t.Context(), "partner", []byte(c.body))
		switch {
		case c.n < 0:
			t.Run(name, func(t *testing.T) { wantCode(t, err, oauth.InvalidRequest) })
		case err != nil || n != c.n || hold < 500*time.Millisecond:
			t.Errorf("%s: %d %s %v, want %d", name, n, hold, err, c.n)
		}
	}
}

// How long an answer takes depends on how many strings there are, not on what
// they are.
func TestT035AnswersAreHeldAlike(t *testing.T) {
	t.Parallel()
	r, stranger := newRig(t), newRig(t)
	holds := map[time.Duration]bool{}
	for _, text := range []string{r.tokens().AccessToken.Reveal(), stranger.tokens().AccessToken.Reveal(), "hello", r.secret.Reveal(), secret.NewHandle(secret.ClientSecret).Reveal()} {
		b, err := json.Marshal(map[string]any{"found": []map[string]string{{"secret": text}}})
		if err != nil {
			t.Fatal(err)
		}
		_, hold, err := r.ReportLeaks(t.Context(), "partner", b)
		if err != nil {
			t.Fatal(err)
		}
		holds[hold] = true
	}
	if len(holds) != 1 {
		t.Errorf("answers are held for %v", holds)
	}
}

// Where something was found is told without what was found.
func TestLG03AddressesCarryNoCredential(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tok := r.tokens().AccessToken.Reveal()
	for name, c := range map[string]struct{ url, want string }{
		"plain":                  {"https://code.example/a/b.py#L10", "https://code.example/a/b.py#L10"},
		"range of lines":         {"https://code.example/a#L10-L12", "https://code.example/a#L10-L12"},
		"query and fragment":     {"https://code.example/a?t=" + tok + "#t=" + tok, "https://code.example/a"},
		"user":                   {"https://" + tok + "@code.example/a", "https://code.example/a"},
		"in the path":            {"https://code.example/" + tok + "/x#L1", "https://code.example/"},
		"in the path, escaped":   {"https://code.example/" + strings.ReplaceAll(tok, "_", "%5F"), "https://code.example/"},
		"escaped twice":          {"https://code.example/" + strings.ReplaceAll(tok, "_", "%255F"), "https://code.example/"},
		"another scheme":         {"javascript:alert(1)", ""},
		"no address":             {"somewhere", ""},
		"line breaks":            {"https://code.example/a\r\nBcc: x@y", ""},
		"what is not ASCII":      {"https://code.example/ä\u202e", "https://code.example/%C3%A4%E2%80%AE"},
		"a host that is not one": {"https://a b/", ""},
	} {
		fresh := r.tokens().AccessToken.Reveal()
		got, err := r.Leaked(t.Context(), []oauth.Found{{Secret: secret.New(fresh), URL: c.url, Source: "git\r\nX: hub " + tok}})
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %+v %v", name, got, err)
		}
		if got[0].URL != c.want || got[0].Source != "" {
			t.Errorf("%s: %q from %q, want %q", name, got[0].URL, got[0].Source, c.want)
		}
	}
}

func FuzzLeakReport(f *testing.F) {
	f.Add([]byte(`{"found":[{"secret":"x","url":"https://a/b#L1","source":"paste"}]}`))
	f.Add([]byte(`{"found":[],"found":[]}`))
	f.Add([]byte(`{"found":[{"secret":"\ud800","url":"https://%zz/"}]}`))
	f.Add(fmt.Appendf(nil, `{"found":[{"secret":%q}]}`, secret.NewHandle(secret.ClientSecret).Reveal()))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, text, address, source, err := oauth.ReadLeakReport(body)
		if err != nil {
			return
		}
		if n > 100 || !json.Valid(body) {
			t.Errorf("%d strings in %q", n, body)
		}
		for _, c := range []byte(address + source) {
			if c < ' ' || c >= 0x7f {
				t.Errorf("%q %q kept of %q", address, source, body)
			}
		}
		if len(text) >= 16 && (strings.Contains(address, text) || len(secret.Find(address, 1)) > 0) {
			t.Errorf("the address %q has what was found, %q", address, text)
		}
	})
}

// Tokens that resource servers read for themselves end the same way at ours.
func TestT044LeakedJWTAccessTokenEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, err := oauth.New(oauth.Options{
		Issuer: issuer, Store: r.store.OAuth(), Users: r.store.OAuth(), Ring: r.ring, Feed: r.feed, Proofs: r.proofs, Now: r.clock.now,
		Clients:   r.clients(),
		Resources: []oauth.Resource{{Name: "catalog", Audience: catalog, Tier: token.TierStandard, Scopes: []string{"catalog.read", "weather.read"}, Format: token.FormatJWT}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Service = s
	leaked, other := r.jobToken(), r.jobToken()
	if !token.LooksLikeJWT(leaked.AccessToken.Reveal()) || !r.active(leaked.AccessToken) {
		t.Fatal("it is no JWT, or not active")
	}
	r.wantFinding("JWT", r.leaked("x "+leaked.AccessToken.Reveal()+"abc"), "access_token", audit.ActionTokenRevoked, "job", true)
	if r.active(leaked.AccessToken) || !r.active(other.AccessToken) {
		t.Error("the leaked one lives, or the other has ended")
	}
	r.wantFinding("JWT again", r.leaked(leaked.AccessToken.Reveal()), "access_token", audit.ActionNone, "job", false)
	r.clock.advance(2 * time.Hour)
	r.wantFinding("expired JWT", r.leaked(other.AccessToken.Reveal()), "access_token", audit.ActionNone, "job", false)
	changed := []byte(leaked.AccessToken.Reveal())
	changed[len(changed)-20] ^= 1
	if got := r.leaked(string(changed)); len(got) != 0 {
		t.Errorf("a changed one: %+v", got)
	}
}
