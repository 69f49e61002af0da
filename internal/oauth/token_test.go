package oauth_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

func TestCodeIsExchangedForTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens()
	if res.ExpiresInSeconds != 600 || res.Scope != "openid catalog.read" || res.RefreshToken.IsZero() || res.IDToken.IsZero() {
		t.Errorf("response = %+v", res)
	}
	var wire map[string]any
	if err := json.Unmarshal(res.AppendJSON(nil), &wire); err != nil || wire["token_type"] != "Bearer" || wire["access_token"] != res.AccessToken.Reveal() {
		t.Errorf("TK10: wire form %v, %v", wire, err)
	}
	got := r.introspect("rs", res.AccessToken)
	for name, want := range map[string]any{
		"active": true, "iss": issuer, "sub": r.user.ID, "client_id": "app", "aud": catalog, "scope": "catalog.read",
		"token_type": "Bearer", "acr": token.ACRPassword, "exp": float64(r.clock.now().Unix() + 600),
	} {
		if got[name] != want {
			t.Errorf("IN05: %s = %v, want %v", name, got[name], want)
		}
	}
	idTokens, err := jose.NewVerifier(jose.Profile{
		Purpose: "ID token", Types: []string{"jwt"}, Algorithms: []jose.Algorithm{jose.ES256}, Keys: r.ring.KeySource(token.SignIDToken),
		Issuer: jose.Exactly(issuer), Audience: jose.Exactly("app"), MaxLife: 5 * time.Minute, Now: r.clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := idTokens.Verify(t.Context(), res.IDToken.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var id map[string]any
	if err := json.Unmarshal(claims.JSON(), &id); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"iss": issuer, "sub": r.user.ID, "aud": "app", "nonce": "no", "acr": token.ACRPassword, "sid": r.session.ID.String(),
		"auth_time": float64(r.session.AuthTime.Unix()), "exp": float64(r.clock.now().Unix() + 300),
	} {
		if id[name] != want {
			t.Errorf("ID01: %s = %v, want %v", name, id[name], want)
		}
	}
}

func TestCodeNeedsEverythingToFit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, c := range map[string]struct {
		change []string
		code   string
	}{
		"TK04 verifier of 42":            {[]string{"code_verifier", verifier[:42]}, "invalid_request"},
		"TK04 verifier of 129":           {[]string{"code_verifier", strings.Repeat("a", 129)}, "invalid_request"},
		"TK04 padded verifier":           {[]string{"code_verifier", verifier + "="}, "invalid_request"},
		"TK05 no verifier":               {[]string{"code_verifier", ""}, "invalid_grant"},
		"TK04 wrong verifier":            {[]string{"code_verifier", strings.Repeat("a", 43)}, "invalid_grant"},
		"TK04 the challenge as verifier": {[]string{"code_verifier", challenge(verifier)}, "invalid_grant"},
		"TK06 another client":            {[]string{"client_id", "other"}, "invalid_grant"},
		"TK09 another redirect URI":      {[]string{"redirect_uri", "com.example.shop:/cb"}, "invalid_grant"},
		"no code":                        {[]string{"code", ""}, "invalid_request"},
		"code of another kind":           {[]string{"code", secret.NewHandle(secret.AccessToken).Reveal()}, "invalid_grant"},
		"forged code":                    {[]string{"code", secret.NewHandle(secret.AuthCode).Reveal()}, "invalid_grant"},
		"unknown client":                 {[]string{"client_id", "nobody"}, "invalid_client"},
		"no client":                      {[]string{"client_id", ""}, "invalid_client"},
		"TK19 password grant":            {[]string{"grant_type", "password"}, "unsupported_grant_type"},
		"unknown grant":                  {[]string{"grant_type", "magic"}, "unsupported_grant_type"},
		"no grant":                       {[]string{"grant_type", ""}, "invalid_request"},
		"TK20 grant of others":           {[]string{"grant_type", "client_credentials"}, "unauthorized_client"},
	} {
		code := r.code()
		_, err := r.redeem(code, c.change...)
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
		// Whatever was wrong, the rightful client still gets its tokens.
		if res, err := r.redeem(code); err != nil || !r.active(res.AccessToken) {
			t.Errorf("TK07: %s: a wrong request has spent the code: %v", name, err)
		}
	}
}

func TestAZ11CodeLivesSixtySeconds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	young, old := r.code(), r.code()
	r.clock.advance(59 * time.Second)
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.redeem(young); err != nil {
		t.Errorf("after 59 s: %v", err)
	}
	r.clock.advance(time.Second)
	_, err := r.redeem(old)
	wantCode(t, err, "invalid_grant")
}

func TestTK07ReplayByTheRightClientKillsTheGrant(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"at once": 0, "after the code has expired": 2 * time.Minute} {
		r := newRig(t)
		code := r.code()
		res, err := r.redeem(code)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.redeem(code, "client_id", "other")
		wantCode(t, err, "invalid_grant")
		_, err = r.redeem(code, "code_verifier", strings.Repeat("a", 43))
		wantCode(t, err, "invalid_grant")
		if !r.active(res.AccessToken) {
			t.Fatalf("%s: a stranger's replay has killed the grant", name)
		}
		r.clock.advance(wait)
		_, err = r.redeem(code)
		wantCode(t, err, "invalid_grant")
		if r.active(res.AccessToken) {
			t.Errorf("%s: the access token survives the replay", name)
		}
		_, err = r.refresh(res.RefreshToken)
		wantCode(t, err, "invalid_grant")
	}
}

func TestTK08HundredRedemptionsOneWinner(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	code := r.code()
	var wins, losses int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := r.redeem(code)
			mu.Lock()
			defer mu.Unlock()
			var e *oauth.Error
			switch {
			case err == nil:
				wins++
			case errors.As(err, &e) && e.Code == "invalid_grant":
				losses++
			default:
				t.Errorf("unexpected: %v", err)
			}
		})
	}
	wg.Wait()
	if wins != 1 || losses != 99 {
		t.Errorf("%d winners and %d losers", wins, losses)
	}
}

func TestTK16EndedPeopleSessionsAndClientsGetNothing(t *testing.T) {
	t.Parallel()
	keep := func(r *rig) (time.Time, time.Time) { return r.clock.now(), r.clock.now().Add(time.Hour) }
	for name, end := range map[string]func(*rig) error{
		"J095 user disabled": func(r *rig) error {
			now, until := keep(r)
			return r.store.Account().SetDisabled(r.t.Context(), r.user.ID, true, now, until)
		},
		"J095 user deleted": func(r *rig) error {
			now, until := keep(r)
			return r.store.Account().DeleteUser(r.t.Context(), r.user.ID, now, until)
		},
		"J095 password changed": func(r *rig) error {
			now, until := keep(r)
			return r.store.Account().SetPassword(r.t.Context(), r.user.ID, "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", now, until)
		},
		"nothing happened": nil,
		"J095 signed out":  func(r *rig) error { _, err := r.EndSession(r.t.Context(), r.session.ID); return err },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			code, before := r.code(), r.tokens()
			if end != nil {
				if err := end(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.feed.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, redeemed := r.redeem(code)
			_, refreshed := r.refresh(before.RefreshToken)
			_, told := r.UserInfo(t.Context(), bearer(before.AccessToken))
			if end == nil { // the pair: the same tokens
				if err := errors.Join(redeemed, refreshed, told); err != nil || !r.active(before.AccessToken) {
					t.Errorf("nothing happened, and: %v", err)
				}
				return
			}
			wantCode(t, redeemed, "invalid_grant")
			wantCode(t, refreshed, "invalid_grant")
			if r.active(before.AccessToken) {
				t.Error("the access token lives on")
			}
			if told == nil {
				t.Error("userinfo answers")
			}
		})
	}
}

func bearer(tok secret.Value) oauth.Request {
	return oauth.Request{Authorization: []string{"Bearer " + tok.Reveal()}}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, err := r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes"))
	if err != nil {
		t.Fatal(err)
	}
	if !res.RefreshToken.IsZero() || !res.IDToken.IsZero() {
		t.Error("TK18: a client's own token comes with a refresh or ID token")
	}
	if got := r.introspect("rs", res.AccessToken); got["sub"] != "client:job" || got["scope"] != "catalog.read" || got["aud"] != catalog {
		t.Errorf("introspection = %v", got)
	}
	for name, c := range map[string]struct {
		pairs []string
		code  string
	}{
		"scope of others":         {[]string{"client_id", "job", "client_secret", "yes", "scope", "catalog.write"}, "invalid_scope"},
		"TK18 public client":      {[]string{"client_id", "app"}, "unauthorized_client"},
		"server client":           {[]string{"client_id", "web", "client_secret", "yes"}, "unauthorized_client"},
		"no secret":               {[]string{"client_id", "job"}, "invalid_client"},
		"wrong secret":            {[]string{"client_id", "job", "client_secret", "no"}, "invalid_client"},
		"empty secret":            {[]string{"client_id", "job", "client_secret", ""}, "invalid_client"},
		"T125 public with secret": {[]string{"client_id", "app", "client_secret", "yes"}, "invalid_client"},
		"assertion":               {[]string{"client_id", "job", "client_assertion", "x"}, "invalid_client"},
	} {
		_, err := r.Token(t.Context(), r.form(append([]string{"grant_type", "client_credentials"}, c.pairs...)...))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestIntrospectionTellsOnlyTheAudience(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.mustSend(with(r.redemption("app", r.code("scope", "openid catalog.read pay")), r.newKey().proof()))
	if got := r.introspect("rs2", res.AccessToken); len(got) != 1 || got["active"] != false {
		t.Errorf("IN04: the resource server of another API sees %v", got)
	}
	if got := r.introspect("job", res.AccessToken); len(got) != 1 {
		t.Errorf("IN04: a client that is no resource server sees %v", got)
	}
	if got := r.introspect("rs", res.RefreshToken); len(got) != 1 {
		t.Errorf("IN09: a resource server sees a refresh token: %v", got)
	}
	if got := r.introspect("rs", res.AccessToken); got["scope"] != "catalog.read" || got["aud"] != catalog {
		t.Errorf("IN04: more than its own part: %v", got)
	}
	for name, tok := range map[string]secret.Value{
		"garbage": secret.New("x"), "forged": secret.NewHandle(secret.AccessToken), "ID token": res.IDToken, "code": secret.New(r.code()),
	} {
		if got := r.introspect("rs", tok); len(got) != 1 || got["active"] != false {
			t.Errorf("IN02: %s: %v", name, got)
		}
	}
	_, err := r.Introspect(t.Context(), r.form("client_id", "app", "token", res.AccessToken.Reveal()))
	wantCode(t, err, "invalid_client") // IN01: nobody asks without authentication
	r.clock.advance(5 * time.Minute)
	if got := r.introspect("rs", res.AccessToken); len(got) != 1 {
		t.Errorf("IN03: expired and still %v", got)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens()
	revoke := func(client string, tok secret.Value, more ...string) error {
		return r.Revoke(t.Context(), r.form(append([]string{"client_id", client, "token", tok.Reveal()}, more...)...))
	}
	wantCode(t, revoke("other", res.AccessToken), "unauthorized_client")
	wantCode(t, revoke("other", res.RefreshToken), "unauthorized_client")
	wantCode(t, revoke("nobody", res.RefreshToken), "invalid_client")
	if !r.active(res.AccessToken) {
		t.Fatal("RV01: another client's request had an effect")
	}
	for _, dead := range []secret.Value{secret.New("unknown"), secret.NewHandle(secret.RefreshToken), secret.NewHandle(secret.AccessToken)} {
		if err := revoke("app", dead); err != nil {
			t.Errorf("RV02: unknown token: %v", err)
		}
	}
	wantCode(t, revoke("app", secret.NewHandle(secret.ClientSecret)), "unsupported_token_type") // RV04
	if err := revoke("app", res.AccessToken, "token_type_hint", "refresh_token"); err != nil {
		t.Fatal("RV04: a wrong hint hides the token:", err)
	}
	if r.active(res.AccessToken) {
		t.Error("revoked and still active when the answer is sent")
	}
	next, err := r.refresh(res.RefreshToken)
	if err != nil {
		t.Fatal("the grant outlives one access token:", err)
	}
	if err := revoke("app", next.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if r.active(next.AccessToken) {
		t.Error("RV03: the access token outlives the refresh token")
	}
	if err := revoke("other", next.RefreshToken); err != nil {
		t.Errorf("RV02: another client's dead refresh token differs from an unknown one: %v", err)
	}
	if err := revoke("other", next.AccessToken); err != nil {
		t.Errorf("RV02: another client's dead access token differs from an unknown one: %v", err)
	}
	_, err = r.refresh(next.RefreshToken)
	var e *oauth.Error
	if !errors.As(err, &e) || e.Code != "invalid_grant" || e.Reason != "revoked_by_client" {
		t.Errorf("refresh after revocation: %v", err)
	}
}

func TestUserInfo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	get := func(scope string) (string, error) {
		answer, err := r.UserInfo(t.Context(), bearer(r.tokens("scope", scope).AccessToken))
		if err != nil {
			return "", err
		}
		return string(answer.Body), nil
	}
	if got, err := get("openid"); err != nil || got != `{"sub":"`+r.user.ID+`"}` {
		t.Errorf("ID06: openid alone gives %s, %v", got, err)
	}
	if got, err := get("openid profile email"); err != nil || !strings.Contains(got, `"email_verified":true`) || !strings.Contains(got, `"name":"Ada L."`) {
		t.Errorf("%s, %v", got, err)
	}
	_, err := get("catalog.read")
	wantCode(t, err, "insufficient_scope") // ID05
	_, err = r.UserInfo(t.Context(), oauth.Request{})
	wantCode(t, err, "")
	_, err = r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer x", "Bearer y"}})
	wantCode(t, err, "invalid_request")
	_, err = r.UserInfo(t.Context(), bearer(secret.NewHandle(secret.AccessToken)))
	wantCode(t, err, "invalid_token")
}

func TestStaleFeedFailsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens()
	r.clock.advance(11 * time.Second) // nobody has read the feed meanwhile
	_, err := r.Introspect(t.Context(), r.form("client_id", "rs", "client_secret", "yes", "token", res.AccessToken.Reveal()))
	wantCode(t, err, "temporarily_unavailable")
	_, err = r.refresh(res.RefreshToken)
	wantCode(t, err, "temporarily_unavailable")
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.refresh(res.RefreshToken); err != nil {
		t.Errorf("refusing has spent the refresh token: %v", err)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res, err := r.redeem(r.code("client_id", "web"), "client_id", "web", "client_secret", r.secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	bye, hint := "https://app.example.com/bye", res.IDToken.Reveal()
	r.clock.advance(time.Hour) // RV11: an expired hint is still a hint
	foreign := *r.session
	foreign.UserID = "somebody"
	for name, c := range map[string]struct {
		pairs   []string
		session *oauth.Session
		want    oauth.LogoutView
		page    bool
	}{
		"RV11 right hint":      {pairs: []string{"id_token_hint", hint}, session: r.session, want: oauth.LogoutView{ClientName: "web"}},
		"RV11 no hint":         {session: r.session, want: oauth.LogoutView{Confirm: true}},
		"RV11 somebody else":   {pairs: []string{"id_token_hint", hint}, session: &foreign, want: oauth.LogoutView{Confirm: true, ClientName: "web"}},
		"nobody":               {want: oauth.LogoutView{}},
		"RV11 a hint alone":    {pairs: []string{"id_token_hint", hint}, want: oauth.LogoutView{ClientName: "web"}},
		"RV12 redirect":        {pairs: []string{"id_token_hint", hint, "post_logout_redirect_uri", bye, "state", "s"}, session: r.session, want: oauth.LogoutView{ClientName: "web", Location: bye + "?state=s"}},
		"RV12 no hint":         {pairs: []string{"client_id", "web", "post_logout_redirect_uri", bye}, session: r.session, want: oauth.LogoutView{Confirm: true}},
		"RV12 query added":     {pairs: []string{"id_token_hint", hint, "post_logout_redirect_uri", bye + "?x=1"}, session: r.session, page: true},
		"RV12 other URI":       {pairs: []string{"id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example/"}, session: r.session, page: true},
		"RV12 other client":    {pairs: []string{"id_token_hint", hint, "client_id", "app"}, session: r.session, page: true},
		"forged hint":          {pairs: []string{"id_token_hint", hint[:len(hint)-4] + "AAAA"}, session: r.session, page: true},
		"access token as hint": {pairs: []string{"id_token_hint", res.AccessToken.Reveal()}, session: r.session, page: true},
		"repeated":             {pairs: []string{"state", "a", "state", "b"}, session: r.session, page: true},
	} {
		got, err := r.Logout(t.Context(), r.form(c.pairs...).Params, c.session)
		if !c.page && c.session != nil {
			c.want.SIDs = []secret.ID{r.session.SID}
		}
		var page *oauth.PageError
		if c.page != errors.As(err, &page) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestAT_HashAndScopesOfTiers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for scope, want := range map[string]int64{"weather.read": 3600, "catalog.read": 600, "pay": 300, "openid pay weather.read": 300, "openid": 600} {
		res := r.mustSend(with(r.redemption("app", r.code("scope", scope)), r.newKey().proof()))
		if got := res.ExpiresInSeconds; got != want {
			t.Errorf("T031: scope %q lives %d s, want %d", scope, got, want)
		}
	}
}

func TestMetadataTellsTheTruth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var m map[string]any
	if err := json.Unmarshal(r.Metadata(), &m); err != nil {
		t.Fatal(err)
	}
	if m["issuer"] != issuer {
		t.Errorf("MD01: issuer = %v", m["issuer"])
	}
	if b, _ := json.Marshal(m["code_challenge_methods_supported"]); string(b) != `["S256"]` {
		t.Errorf("T136: %s", b)
	}
	t.Run("TK19", func(t *testing.T) {
		b, _ := json.Marshal(m["grant_types_supported"])
		for name, want := range map[string]bool{"authorization_code": true, "refresh_token": true, "client_credentials": true, "password": false, "implicit": false} {
			if strings.Contains(string(b), `"`+name+`"`) != want {
				t.Errorf("%s is in %s: want %v", name, b, want)
			}
		}
	})
}

// Disabling and enabling in one second must not hand out tokens that are dead.
func TestTokensOfTheSecondOfARevocationLive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now, keep := r.clock.now(), r.clock.now().Add(time.Hour)
	admin := r.store.OAuth()
	if err := admin.AddClient(t.Context(), oauth.Client{
		ID: "stored", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}, CreatedAt: now,
	}); err != nil {
		t.Fatal(err)
	}
	get := func() *oauth.TokenResponse {
		res, err := r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "stored", "client_secret", "yes"))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	before := get()
	for _, disabled := range []bool{true, false} {
		if err := admin.SetClientDisabled(t.Context(), "stored", disabled, now, keep); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ForgetClient("stored")
	if after := get(); r.active(before.AccessToken) || !r.active(after.AccessToken) {
		t.Errorf("active before %v, after %v; want the old one dead and the new one alive", r.active(before.AccessToken), r.active(after.AccessToken))
	}
}

// What ends a person or a client ends by identity, not by time: tokens that were
// made while it was being written down are dead too, whatever the clocks say.
func TestRV08EndingDoesNotRestOnClocks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.store.OAuth()
	if err := admin.AddClient(t.Context(), oauth.Client{
		ID: "stored", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: r.secret.Hash()}}, CreatedAt: r.clock.now(),
	}); err != nil {
		t.Fatal(err)
	}
	began, keep := r.clock.now(), r.clock.now().Add(2*time.Hour) // the command has read the time
	r.clock.advance(5 * time.Second)                             // and then waited for a lock
	if err := r.feed.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	person, err := r.refresh(r.tokens().RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	client, err := r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "stored", "client_secret", "yes"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // disabled, enabled, disabled, all at once
		if err := r.store.Account().SetDisabled(t.Context(), r.user.ID, true, began, keep); err != nil {
			t.Fatal(err)
		}
		if err := admin.SetClientDisabled(t.Context(), "stored", true, began, keep); err != nil {
			t.Fatal(err)
		}
		if err := r.feed.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.ForgetClient("stored")
		if r.active(person.AccessToken) || r.active(client.AccessToken) {
			t.Errorf("alive after disabling: person %v, client %v", r.active(person.AccessToken), r.active(client.AccessToken))
		}
		if err := r.store.Account().SetDisabled(t.Context(), r.user.ID, false, began, keep); err != nil {
			t.Fatal(err)
		}
		if err := admin.SetClientDisabled(t.Context(), "stored", false, began, keep); err != nil {
			t.Fatal(err)
		}
		r.ForgetClient("stored")
		r.signIn()
		person = r.tokens()
		if client, err = r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "stored", "client_secret", "yes")); err != nil {
			t.Fatal(err)
		}
		if !r.active(person.AccessToken) || !r.active(client.AccessToken) {
			t.Errorf("dead after enabling: person %v, client %v", !r.active(person.AccessToken), !r.active(client.AccessToken))
		}
	}
}
