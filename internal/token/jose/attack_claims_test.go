package jose_test

import (
	"context"
	"crypto"
	"strings"
	"testing"
	"time"

	"sallyport/internal/token/jose"
)

func signed(body string) string { return raw(goodHeader, body, es(ecKey, crypto.SHA256)) }

// Group D: claims. The signature is right every time.
func TestClaimAttacks(t *testing.T) {
	t.Parallel()
	var list []attack
	add := func(name, body string, r jose.Reason) { list = append(list, attack{name, signed(body), r}) }
	u := now.Unix()

	for _, v := range []string{`null`, `"1772600767"`, `1.5`, `1e3`, `-1`, `0`, `true`, `[1]`, `1e30`, `1e400`, `9223372036854775807`, `9223372036854775808`, `253402300800`, `1772600767000`} {
		id := "J080"
		if len(v) > 3 && v[0] != '"' && v != "null" && v != "true" && v != "1.5" {
			id = "J081"
		}
		add(id+" exp "+v, with("exp", v), jose.ReasonExpiry)
		add(id+" iat "+v, with("iat", v), jose.ReasonIssuedAt)
		add(id+" nbf "+v, with("nbf", v), jose.ReasonNotBefore)
	}
	add("J080 exp missing", claims(map[string]any{"exp": remove}), jose.ReasonExpiry)
	add("J081 exp in the year 9999", claims(map[string]any{"exp": 253402300799}), jose.ReasonLifetime)
	add("J082 exp is now", claims(map[string]any{"exp": u, "iat": u - 60}), jose.ReasonExpired)
	add("J082 exp a second ago", claims(map[string]any{"exp": u - 1, "iat": u - 60}), jose.ReasonExpired)
	add("J083 nbf ahead", claims(map[string]any{"nbf": u + 11}), jose.ReasonNotBefore)
	add("J083 iat ahead", claims(map[string]any{"iat": u + 11}), jose.ReasonIssuedAt)
	add("J083 iat after exp", claims(map[string]any{"iat": u + 9, "exp": u + 8}), jose.ReasonLifetime)
	add("J083 nbf after exp", claims(map[string]any{"nbf": u + 9, "exp": u + 8}), jose.ReasonLifetime)
	add("J083 lives too long", claims(map[string]any{"exp": u + 601}), jose.ReasonLifetime)
	add("J083 lives too long, without iat", claims(map[string]any{"exp": u + 601, "iat": remove}), jose.ReasonLifetime)

	for _, iss := range []string{
		issuer + "/", "https://AUTH.example.com", "http://auth.example.com", issuer + ":443", "https://user@auth.example.com", issuer + "/tenant",
		issuer + "?x", "https://auth.example.co", "https://auth.example.com.evil.example", "https://auth.ex\u0430mple.com", " " + issuer, issuer + " ", "auth.example.com",
	} {
		r := jose.ReasonIssuer
		add("J084 J072 iss "+iss, claims(map[string]any{"iss": iss}), r)
	}
	for _, v := range []string{`null`, `""`, `1`, `["` + issuer + `"]`, `{}`} {
		add("J084 iss "+v, with("iss", v), jose.ReasonIssuer)
	}
	add("J084 iss missing", claims(map[string]any{"iss": remove}), jose.ReasonIssuer)

	add("J085 aud missing", claims(map[string]any{"aud": remove}), jose.ReasonAudience)
	for _, v := range []string{
		`""`, `[]`, `[null]`, `[1]`, `[[]]`, `7`, `{}`, `null`, `[["` + audience + `"]]`, `["` + audience + `",null]`, `["` + audience + `",""]`, `["` + audience + `",7]`,
		`"` + audience + `/"`, `"` + audience[:len(audience)-1] + `"`, `"` + audience + `x"`, `"*"`, `"https://api.example.com/*"`, `"HTTPS://api.example.com/catalog"`,
		`"https://api.example.com/Catalog"`, `["https://api.example.com/payments"]`, `"` + audience + ` https://api.example.com/payments"`,
	} {
		add("J085 aud "+v, with("aud", v), jose.ReasonAudience)
	}
	add("J086 ours and another", claims(map[string]any{"aud": []string{audience, "https://api.example.com/payments"}}), jose.ReasonAudience)
	add("J087 the same audience of another deployment", claims(map[string]any{"iss": "https://stage.example.com"}), jose.ReasonIssuer)
	many := make([]string, 17)
	for i := range many {
		many[i] = audience
	}
	add("J085 17 audiences", claims(map[string]any{"aud": many}), jose.ReasonAudience)

	add("J088 sub missing", claims(map[string]any{"sub": remove}), jose.ReasonMissing)
	for _, v := range []string{`""`, `7`, `null`, `" "`, `" alice"`, `"alice "`, `["alice"]`, `"al\u0000ice"`, `"al\ufffdice"`, `"al\nice"`} {
		add("J088 sub "+v, with("sub", v), jose.ReasonSubject)
	}
	add("J090 client_id missing", claims(map[string]any{"client_id": remove}), jose.ReasonMissing)
	for _, v := range []string{`""`, `7`, `null`, `["shop"]`} {
		add("J090 client_id "+v, with("client_id", v), jose.ReasonMissing)
	}
	for _, v := range []string{`""`, `7`, `null`} {
		add("J094 jti "+v, with("jti", v), jose.ReasonTokenID)
	}
	add("J094 jti missing", claims(map[string]any{"jti": remove}), jose.ReasonMissing)
	add("claims empty", `{}`, jose.ReasonIssuer)
	run(t, profile(nil), good(), list)
}

// The last moment that passes beside the first that does not.
func TestJ082J083Boundaries(t *testing.T) {
	t.Parallel()
	u := now.Unix()
	skewed := profile(func(p *jose.Profile) { p.Skew = time.Minute })
	aged := profile(func(p *jose.Profile) { p.MaxAge, p.MaxLife = time.Minute, 0 })
	for name, tc := range map[string]struct {
		v    *jose.Verifier
		body string
	}{
		"exp in a second":          {profile(nil), claims(map[string]any{"exp": u + 1})},
		"exp the skew ago":         {skewed, claims(map[string]any{"exp": u - 59, "iat": u - 200})},
		"iat ten seconds ahead":    {profile(nil), claims(map[string]any{"iat": u + 10})},
		"nbf ten seconds ahead":    {profile(nil), claims(map[string]any{"nbf": u + 10})},
		"the longest life":         {profile(nil), claims(map[string]any{"exp": u + 600})},
		"without iat":              {profile(nil), claims(map[string]any{"iat": remove})},
		"an age of exactly 60 s":   {aged, claims(map[string]any{"iat": u - 60, "exp": remove})},
		"an audience in an array":  {profile(nil), claims(map[string]any{"aud": []string{audience}})},
		"ours among others, by OK": {profile(func(p *jose.Profile) { p.Audience = jose.Includes(audience) }), claims(map[string]any{"aud": []string{"https://x.example", audience}})},
		"expired, for a hint":      {profile(func(p *jose.Profile) { p.AllowExpired = true }), claims(map[string]any{"iat": u - 9e6, "exp": u - 9e6 + 300})},
	} {
		if _, err := tc.v.Verify(context.Background(), signed(tc.body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	run(t, skewed, good(), []attack{{"exp at the end of the skew", signed(claims(map[string]any{"exp": u - 60, "iat": u - 200})), jose.ReasonExpired}})
	run(t, aged, good(), []attack{
		{"61 s old", signed(claims(map[string]any{"iat": u - 61, "exp": remove})), jose.ReasonAge},
		{"iat missing", signed(claims(map[string]any{"iat": remove})), jose.ReasonIssuedAt},
		{"expired by its own word", signed(claims(map[string]any{"iat": u - 30, "exp": u - 1})), jose.ReasonExpired},
	})
	run(t, profile(func(p *jose.Profile) { p.Issuer, p.Audience = jose.Absent(), jose.Absent() }),
		signed(claims(map[string]any{"iss": remove, "aud": remove})), []attack{
			{"iss where none belongs", signed(claims(map[string]any{"aud": remove})), jose.ReasonIssuer},
			{"aud where none belongs", signed(claims(map[string]any{"iss": remove})), jose.ReasonAudience},
		})
}

// Claims that callers read have one type.
func TestJ089J091J098TypedClaims(t *testing.T) {
	t.Parallel()
	c := must(profile(nil).Verify(context.Background(), signed(strings.TrimSuffix(claims(map[string]any{"scope": remove}), "}")+
		`,"scope":["catalog.read"],"email_verified":"true","roles":"admin","auth_time":"7","amr":"pwd","act":"mallory","big":12345678901234567890,"null":null,"ok":["a","b"],"n":7}`)))
	for _, name := range []string{"scope", "null", "n", "ok"} {
		if s, err := c.String(name); err == nil {
			t.Errorf("String(%s) = %q, nil", name, s)
		}
	}
	for _, name := range []string{"roles", "amr", "act", "null", "n"} {
		if s, err := c.Strings(name); err == nil {
			t.Errorf("Strings(%s) = %q, nil", name, s)
		}
	}
	for _, name := range []string{"auth_time", "email_verified", "big", "null", "ok"} {
		if n, err := c.Int(name); err == nil {
			t.Errorf("Int(%s) = %d, nil", name, n)
		}
	}
	if list, err := c.Strings("ok"); err != nil || strings.Join(list, ",") != "a,b" {
		t.Errorf("Strings(ok) = %q, %v", list, err)
	}
	if n, err := c.Int("n"); err != nil || n != 7 {
		t.Errorf("Int(n) = %d, %v", n, err)
	}
	if s, err := c.String("missing"); err != nil || s != "" {
		t.Errorf("String(missing) = %q, %v", s, err)
	}
}
