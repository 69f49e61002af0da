package gateway_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/internal/revocation"
	"sallyport/internal/token"
)

// jwt is a header line with a good token in the JWT form, changed by mods.
func (f *fixture) jwt(mods ...func(*token.Access)) string {
	f.t.Helper()
	a := f.access()
	for _, m := range mods {
		m(&a)
	}
	v, err := f.ring.SignAccess(&a, issuer)
	if err != nil {
		f.t.Fatal(err)
	}
	return "Bearer " + v.Reveal()
}

func TestTheJWTFormPasses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for name, line := range map[string]string{
		"one audience":         f.jwt(),
		"among other audience": f.jwt(func(a *token.Access) { a.Audience = issuer + " " + audience }),
		"of a client itself": f.jwt(func(a *token.Access) {
			a.Subject, a.AuthTime, a.ACR, a.AMR = token.ClientSubject(a.ClientID), 0, "", ""
		}),
	} {
		if got := f.get("/catalog/items/1", line); got.Status != http.StatusOK {
			t.Errorf("%s: %d %s %v", name, got.Status, got.Body, f.reasons())
		}
	}
	for _, call := range f.taken() {
		c := verified(t, f.keys(), call.Header.Get("Authorization"))
		if c["aud"] != audience || c["client_id"] != "shop-app" || c["scope"] != "catalog.read" {
			t.Errorf("the backend got %v", c)
		}
	}
	if got := f.get("/catalog/strong", f.jwt()); got.Code != "insufficient_user_authentication" {
		t.Errorf("an operation with acr: %d %s", got.Status, got.Code)
	}
	if got := f.get("/catalog/items/secret", f.jwt()); got.Code != "insufficient_scope" {
		t.Errorf("an operation with another scope: %d %s", got.Status, got.Code)
	}
}

// Each is refused with one answer, and never reaches the backend.
func TestTheJWTFormIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	good := strings.TrimPrefix(f.jwt(), "Bearer ")
	parts := strings.Split(good, ".")
	resigned := func(p token.Purpose, typ string, change func(string) string) string {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		jwt, err := f.ring.Signer(p).Sign(typ, []byte(change(string(raw))))
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + jwt
	}
	same := func(s string) string { return s }
	replace := func(old, now string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q is not in %s", old, s)
			}
			return strings.Replace(s, old, now, 1)
		}
	}
	if got := f.get("/catalog/items/1", resigned(token.SignAccess, "at+jwt", same)); got.Status != http.StatusOK {
		t.Fatalf("the same token, not attacked: %d %v", got.Status, f.reasons())
	}
	flipped := flip(parts[2]) // still of the alphabet
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	bound := func(m token.ConfirmationMethod) func(*token.Access) {
		return func(a *token.Access) { a.Confirm = token.Confirmation{Method: m, Digest: [32]byte{1}} }
	}
	f.taken()
	for name, line := range map[string]string{
		"T062 a bit flipped":             "Bearer " + parts[0] + "." + parts[1] + "." + flipped,
		"alg none":                       "Bearer " + none + "." + parts[1] + ".",
		"J092 signed as an ID token":     resigned(token.SignIDToken, "at+jwt", same),
		"J092 typ of an ID token":        resigned(token.SignAccess, "JWT", same),
		"J092 an inner token":            resigned(token.SignInner, token.TypeInner, same),
		"J092 the inner key":             resigned(token.SignInner, "at+jwt", same),
		"RV20 the key of events":         resigned(token.SignSET, "at+jwt", same),
		"RV16 a security event token":    resigned(token.SignSET, "secevent+jwt", same),
		"J084 another issuer":            resigned(token.SignAccess, "at+jwt", replace(issuer, issuer+"/")),
		"J085 another audience":          f.jwt(func(a *token.Access) { a.Audience = audience + "/" }),
		"J085 only the issuer":           f.jwt(func(a *token.Access) { a.Audience = issuer }),
		"J082 expired":                   f.jwt(func(a *token.Access) { a.IssuedAt -= 1200 }),
		"J083 from the future":           f.jwt(func(a *token.Access) { a.IssuedAt += 120 }),
		"J090 no client_id":              resigned(token.SignAccess, "at+jwt", replace(`"client_id"`, `"client"`)),
		"no scope":                       resigned(token.SignAccess, "at+jwt", replace(`"scope"`, `"scp"`)),
		"no jti":                         resigned(token.SignAccess, "at+jwt", replace(`"jti":"`, `"jti":"x`)),
		"J098 amr as a string":           resigned(token.SignAccess, "at+jwt", replace(`["pwd"]`, `"pwd"`)),
		"J062 two sub":                   resigned(token.SignAccess, "at+jwt", replace(`"sub"`, `"sub":"x","sub"`)),
		"J096 bound to a DPoP key":       f.jwt(bound(token.ConfirmJKT)),
		"J096 bound to a certificate":    f.jwt(bound(token.ConfirmX5T)),
		"J096 bound in an unknown way":   resigned(token.SignAccess, "at+jwt", replace(`"sub"`, `"cnf":{"kid":"x"},"sub"`)),
		"J096 bound by nothing":          resigned(token.SignAccess, "at+jwt", replace(`"sub"`, `"cnf":{},"sub"`)),
		"J096 jkt of another hash":       resigned(token.SignAccess, "at+jwt", replace(`"sub"`, `"cnf":{"jkt":"AAAA"},"sub"`)),
		"J110 five parts":                "Bearer " + good + ".AAAA.AAAA",
		"a life longer than any tier's":  f.jwt(func(a *token.Access) { a.Lifetime = 7200 }),
		"a sealed prefix before the JWT": "Bearer spat_" + good,
	} {
		got := f.get("/catalog/items/1", line)
		if got.Status != http.StatusUnauthorized || got.Code != "invalid_token" {
			t.Errorf("%s: %d %s", name, got.Status, got.Code)
		}
	}
	if calls := f.taken(); len(calls) != 0 {
		t.Errorf("%d calls reached the backend", len(calls))
	}
}

// J095: a JWT ends by its serial and by its grant, as a sealed token does.
func TestJ095RV07TheJWTFormIsRevoked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for name, entry := range map[string]func(token.Access) revocation.Entry{
		"serial": func(a token.Access) revocation.Entry {
			return revocation.Entry{Kind: revocation.Serial, ID: a.Serial.String()}
		},
		"grant": func(a token.Access) revocation.Entry {
			return revocation.Entry{Kind: revocation.Grant, ID: a.GrantID.String()}
		},
	} {
		a := f.access()
		line := f.jwt(func(b *token.Access) { *b = a })
		if got := f.get("/catalog/items/1", line); got.Status != http.StatusOK {
			t.Fatalf("%s: before: %d", name, got.Status)
		}
		e := entry(a)
		e.ExpiresAt = f.now().Add(time.Hour)
		f.log.add(e)
		f.catchUp()
		if got := f.get("/catalog/items/1", line); got.Status != http.StatusUnauthorized {
			t.Errorf("%s: after: %d", name, got.Status)
		}
	}
}

// T143: the JWT form in a URL is as leaked as a sealed token there; other JWTs
// may be what an API is about.
func TestT143AJWTInAURL(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	line := f.jwt()
	tok := strings.TrimPrefix(line, "Bearer ")
	for _, target := range []string{"/catalog/items/" + tok, "/catalog/items/1?jwt=" + tok, "/catalog/items/1?a=b&q=x" + tok} {
		if got := f.get(target, line); got.Status != http.StatusBadRequest || strings.Join(f.reasons(), ",") != "token.in_url token_in_url" {
			t.Errorf("%.60s: %d %v", target, got.Status, f.reasons())
		}
	}
	other, err := f.ring.Signer(token.SignIDToken).Sign("JWT", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.get("/catalog/items/1?signed="+other, line); got.Status != http.StatusOK {
		t.Errorf("another JWT: %d %v", got.Status, f.reasons())
	}
}

// Outside all failures look alike; inside each says which check was the first.
func TestT067LG08EachFailureOfAJWTHasItsOwnReason(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	good := strings.TrimPrefix(f.jwt(), "Bearer ")
	parts := strings.Split(good, ".")
	resigned := func(p token.Purpose, typ, old, now string) string {
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || !strings.Contains(string(raw), old) {
			t.Fatalf("%q is not in %s: %v", old, raw, err)
		}
		jwt, err := f.ring.Signer(p).Sign(typ, []byte(strings.Replace(string(raw), old, now, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return jwt
	}
	answers := map[string]bool{}
	for _, c := range []struct{ name, jwt, reason string }{
		{"signature", parts[0] + "." + parts[1] + "." + flip(parts[2]), "jwt_signature"},
		{"type", resigned(token.SignAccess, "JWT", "", ""), "jwt_typ"},
		{"key of another purpose", resigned(token.SignInner, "at+jwt", "", ""), "jwt_alg"},
		{"key unknown", resigned(token.SignIDToken, "at+jwt", "", ""), "jwt_kid"},
		{"issuer", resigned(token.SignAccess, "at+jwt", issuer, issuer+"/"), "claim_iss"},
		{"audience empty", resigned(token.SignAccess, "at+jwt", `"aud":"`+audience+`"`, `"aud":[]`), "claim_aud"},
		{"audience", f.jwt(func(a *token.Access) { a.Audience = audience + "/" })[len("Bearer "):], "token_audience"},
		{"subject", resigned(token.SignAccess, "at+jwt", `"sub":"`, `"sub":" `), "claim_sub"},
		{"client_id", resigned(token.SignAccess, "at+jwt", `"client_id"`, `"client"`), "claim_missing"},
		{"duplicate", resigned(token.SignAccess, "at+jwt", `"sub"`, `"sub":"x","sub"`), "jwt_claims"},
		{"exp", resigned(token.SignAccess, "at+jwt", `"exp":`, `"exp":-`), "claim_exp"},
		{"expired", f.jwt(func(a *token.Access) { a.IssuedAt -= 1200 })[len("Bearer "):], "token_expired"},
		{"iat", f.jwt(func(a *token.Access) { a.IssuedAt += 120 })[len("Bearer "):], "claim_iat"},
		{"life", f.jwt(func(a *token.Access) { a.Lifetime = 7200 })[len("Bearer "):], "claim_lifetime"},
		{"encoding", parts[0] + "." + parts[1] + "=." + parts[2], "malformed_credential"},
	} {
		got := f.get("/catalog/items/1", "Bearer "+c.jwt)
		if reasons := f.reasons(); len(reasons) != 1 || reasons[0] != "request.refused "+c.reason {
			t.Errorf("%s: reasons are %v, want %s", c.name, reasons, c.reason)
		}
		if got.Status == http.StatusUnauthorized {
			answers[got.Body+got.Header.Get("WWW-Authenticate")] = true
		}
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers, want one: %v", len(answers), answers)
	}
}

// Between the end of a compromised key and the reading of its successor nobody
// can tell a good JWT from a bad one: that is no verdict about the token.
func TestKY08AJWTWithoutAnyKeyIsNotCalledInvalid(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	line := f.jwt()
	if got := f.get("/catalog/items/1", line); got.Status != http.StatusOK {
		t.Fatalf("with the key: %d", got.Status)
	}
	for _, r := range f.stored.rows {
		if r.Purpose == token.SignAccess {
			f.ring.Drop(r.ID)
		}
	}
	if got := f.get("/catalog/items/1", line); got.Status != http.StatusServiceUnavailable {
		t.Errorf("without any: %d %v, want 503", got.Status, f.reasons())
	}
}
