package oauth_test

import (
	"strings"
	"testing"

	"sallyport/internal/oauth"
	"sallyport/internal/token"
)

func TestPR14ResourceIsAKnownAbsoluteURI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, uri := range map[string]string{
		"relative": "/catalog", "a word": "catalog", "a fragment": catalog + "#x", "an empty fragment": catalog + "#", "unknown": "https://api.example.com/else",
		"someone else's": "https://api.evil.example/catalog", "a slash more": catalog + "/", "a path below": catalog + "/items", "other letters": strings.ToUpper(catalog),
		"http": strings.Replace(catalog, "https", "http", 1), "a port": strings.Replace(catalog, ".com", ".com:443", 1), "a query": catalog + "?a=b", "two in one": catalog + " " + weather,
		"not asked for by the scope": weather, "of a tier that the scope does not reach": pay, "escaped": strings.Replace(catalog, "catalog", "c%61talog", 1), "too long": catalog + strings.Repeat("x", 600),
	} {
		if code, why := authorizeError(t, r, "resource", uri); code != oauth.InvalidTarget {
			t.Errorf("%s at the authorization endpoint: %q %s", name, code, why)
		}
		code := r.code()
		_, err := r.redeem(code, "resource", uri)
		wantCode(t, err, oauth.InvalidTarget)
		res, err := r.redeem(code)
		if err != nil {
			t.Errorf("%s has used up the code: %v", name, err)
			continue
		}
		_, err = r.refresh(res.RefreshToken, "resource", uri)
		wantCode(t, err, oauth.InvalidTarget)
		if _, err = r.refresh(res.RefreshToken); err != nil {
			t.Errorf("%s has spent the refresh token: %v", name, err)
		}
		if uri == weather {
			continue // which the service client may have
		}
		_, err = r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes", "resource", uri))
		wantCode(t, err, oauth.InvalidTarget)
	}
	many := authorizeParams()
	for range 11 {
		many.Add("resource", catalog)
	}
	if _, err := r.Authorize(t.Context(), many); err != nil {
		t.Errorf("one resource, eleven times: %v", err)
	}
}

func TestPR14OneResourceGivesOneAudience(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens("scope", "openid profile offline_access catalog.read weather.read", "resource", catalog)
	if a := r.opened(res.AccessToken); a.Audience != catalog || a.Scope != "offline_access catalog.read" || res.Scope != a.Scope {
		t.Errorf("audience %q, scope %q, answered %q", a.Audience, a.Scope, res.Scope)
	}
	if res.IDToken.IsZero() {
		t.Error("who signed in is not said")
	}
	job, err := r.Token(t.Context(), r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "yes", "resource", weather))
	if err != nil {
		t.Fatal(err)
	}
	if a := r.opened(job.AccessToken); a.Audience != weather || a.Scope != "weather.read" || a.Tier != token.TierLow {
		t.Errorf("a service client gets %+v", a)
	}
}

func TestPR15TwoResourcesTwoTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := authorizeParams("scope", "openid catalog.read weather.read", "resource", catalog)
	p.Add("resource", weather)
	a, err := r.Authorize(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := r.Approve(t.Context(), a, r.session)
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.redeem(query(t, outcome.Location).Get("code"), "resource", catalog)
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.refresh(first.RefreshToken, "resource", weather)
	if err != nil {
		t.Fatal(err)
	}
	both, err := r.refresh(second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	info, err := r.refresh(both.RefreshToken, "resource", issuer)
	if err != nil {
		t.Fatal(err)
	}
	for name, tok := range map[string]struct {
		res             *oauth.TokenResponse
		audience, scope string
	}{
		"the first": {first, catalog, "catalog.read"}, "the second": {second, weather, "weather.read"},
		"without one, both": {both, catalog + " " + weather, "catalog.read weather.read"}, "for userinfo": {info, issuer, "openid"},
	} {
		if got := r.opened(tok.res.AccessToken); got.Audience != tok.audience || got.Scope != tok.scope || tok.res.Scope != tok.scope {
			t.Errorf("%s: audience %q, scope %q", name, got.Audience, got.Scope)
		}
	}
	if _, err := r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer " + info.AccessToken.Reveal()}}); err != nil {
		t.Errorf("userinfo: %v", err)
	}
	_, err = r.UserInfo(t.Context(), oauth.Request{Authorization: []string{"Bearer " + first.AccessToken.Reveal()}})
	wantCode(t, err, oauth.InsufficientScope)
}

func TestTK12TK17RefreshMayNarrowOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens("scope", "openid catalog.read catalog.write weather.read", "resource", catalog)
	for name, change := range map[string][]string{
		"TK12 PR15 one that was never granted": {"resource", weather},
		"TK12 another one":                     {"resource", pay},
		"TK17 a wider scope":                   {"scope", "openid catalog.read weather.read"},
		"TK17 a scope that was dropped":        {"scope", "weather.read"},
		"TK17 a scope of another API":          {"scope", "pay"},
		"PR15 a resource without a scope":      {"scope", "openid", "resource", catalog},
	} {
		if _, err := r.refresh(res.RefreshToken, change...); err == nil {
			t.Errorf("%s is given", name)
		}
	}
	_, err := r.refresh(res.RefreshToken, "client_id", "other")
	wantCode(t, err, oauth.InvalidGrant)
	narrow, err := r.refresh(res.RefreshToken, "scope", "catalog.read")
	if err != nil || narrow.Scope != "catalog.read" {
		t.Fatalf("narrower: %+v, %v", narrow, err)
	}
	if _, err := r.refresh(narrow.RefreshToken, "scope", "catalog.read pay"); err == nil {
		t.Error("TK17 narrow, then wider than the grant")
	}
	whole, err := r.refresh(narrow.RefreshToken)
	if err != nil || whole.Scope != "catalog.read catalog.write" {
		t.Fatalf("TK17 the refresh token has kept %+v, %v", whole, err)
	}
	person, err := r.refresh(whole.RefreshToken, "scope", "openid")
	if err != nil {
		t.Fatal(err)
	}
	if got := r.opened(person.AccessToken); got.Audience != issuer || got.Scope != "openid" {
		t.Errorf("openid alone gives %+v", got)
	}
}

// APIs of which each has tokens that only it can read, in one consent.
func TestPR15APIsThatNoOneTokenCanServe(t *testing.T) {
	t.Parallel()
	r := newFormatRig(t, nil).rig
	const scope = "openid ledger.read catalog.read"
	if code, _ := authorizeError(t, r, "scope", scope); code != oauth.InvalidScope {
		t.Errorf("without resource: %q", code)
	}
	p := authorizeParams("scope", scope)
	p["resource"] = []string{ledger, catalog}
	a, err := r.Authorize(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := r.Approve(t.Context(), a, r.session)
	if err != nil {
		t.Fatal(err)
	}
	code := query(t, outcome.Location).Get("code")
	if _, err := r.redeem(code); err == nil {
		t.Fatal("one token for both")
	}
	if res, err := r.redeem(code, "resource", catalog); err != nil || res.Scope != "catalog.read" {
		t.Errorf("for one: %+v, %v", res, err)
	}
}

func TestAZ21ScopesThatAreNotHeldAreLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	res := r.tokens("scope", "openid address profile phone email catalog.read")
	if res.Scope != "openid profile email catalog.read" {
		t.Errorf("the answer's scope is %q", res.Scope)
	}
	for name, scope := range map[string]string{
		"an unregistered scope": "openid stock.read", "a newline": "openid\ncatalog.read", "ten thousand scopes": strings.Repeat("openid ", 10000) + "openid", "two spaces": "openid  profile",
		"nothing but what is not held": "address phone",
	} {
		if code, _ := authorizeError(t, r, "scope", scope); code != oauth.InvalidScope {
			t.Errorf("%s: %q", name, code)
		}
	}
	if res := r.tokens("scope", "openid openid catalog.read catalog.read"); res.Scope != "openid catalog.read" {
		t.Errorf("a scope twice gives %q", res.Scope)
	}
	if strings.Contains(string(r.Metadata()), `"address"`) || strings.Contains(string(r.Metadata()), `"phone"`) {
		t.Error("metadata lists scopes of data that is not held")
	}
}
