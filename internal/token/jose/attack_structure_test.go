package jose_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sallyport/internal/token/jose"
)

// Group C: structure and encoding.
func TestStructureAttacks(t *testing.T) {
	t.Parallel()
	pair := good()
	p := parts(pair)
	body, sign := claims(nil), es(ecKey, crypto.SHA256)
	var list []attack
	add := func(name, token string, r jose.Reason) { list = append(list, attack{name, token, r}) }

	for name, token := range map[string]string{
		"no part": "", "one part": p[0], "two parts": p[0] + "." + p[1], "four parts": pair + "." + p[2], "five parts": pair + "." + p[2] + "." + p[2],
		"six parts": pair + ".a.b.c", "leading dot": "." + pair, "trailing dot": pair + ".", "empty header": "." + p[1] + "." + p[2],
		"dots alone": "..", "one dot": ".",
	} {
		add("J050 "+name, token, jose.ReasonForm)
	}
	add("J050 an empty payload", raw(goodHeader, "", sign), jose.ReasonClaims)
	add("J051 a million dots", strings.Repeat(".", 1<<20), jose.ReasonSize)
	add("J051 dots up to the limit", strings.Repeat(".", 8<<10), jose.ReasonForm)
	flat := string(must(json.Marshal(map[string]string{"protected": p[0], "payload": p[1], "signature": p[2]})))
	general := `{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"},{"protected":"` + p[0] + `","signature":"AAAA"}]}`
	add("J052 flattened JSON", flat, jose.ReasonForm)
	add("J052 general JSON", general, jose.ReasonForm)
	add("J053 JSON that also splits into three", `{"protected":"`+p[0]+`.`+p[1]+`.`+p[2]+`"}`, jose.ReasonEncoding)
	add("J054 detached payload", p[0]+".."+p[2], jose.ReasonSignature)
	add("J055 b64 false with crit", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","b64":false,"crit":["b64"]}`, body, sign), jose.ReasonCritical)
	add("J055 b64 false without crit", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","b64":false}`, body, sign), jose.ReasonCritical)
	for _, crit := range []string{`["exp"]`, `[]`, `"exp"`, `["exp","exp"]`, `["alg"]`, `["x-unknown"]`, `null`, `[1]`} {
		add("J056 crit "+crit, raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","x-unknown":1,"crit":`+crit+`}`, body, sign), jose.ReasonCritical)
	}
	for i, part := range []string{"header", "payload", "signature"} {
		change := func(f func(string) string) string {
			q := parts(pair)
			q[i] = f(q[i])
			return strings.Join(q, ".")
		}
		middle := func(insert string) func(string) string {
			return func(s string) string { return s[:4] + insert + s[4:] }
		}
		add("J057 padding in the "+part, change(func(s string) string { return s + "=" }), jose.ReasonEncoding)
		add("J057 percent-encoding in the "+part, change(middle("%41")), jose.ReasonEncoding)
		for name, c := range map[string]string{"plus": "+", "slash": "/"} {
			add("J057 "+name+" in the "+part, change(middle(c)), jose.ReasonEncoding)
		}
		for name, c := range map[string]string{"space": " ", "tab": "\t", "CR": "\r", "LF": "\n", "CRLF": "\r\n", "NUL": "\x00"} {
			add("J058 "+name+" in the "+part, change(middle(c)), jose.ReasonEncoding)
			add("J058 "+name+" after the "+part, change(func(s string) string { return s + c }), jose.ReasonEncoding)
		}
		for _, c := range []string{"?", "#", "*", "\u00e9", "\xff", "\u200b"} {
			add("J060 "+c+" in the "+part, change(middle(c)), jose.ReasonEncoding)
		}
	}
	// 64 bytes leave four bits over in the last character: they must be zero.
	last := p[2][len(p[2])-1]
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := strings.IndexByte(alphabet, last)
	add("J059 stray bits at the end", pair[:len(pair)-1]+string(alphabet[at+1]), jose.ReasonEncoding)
	run(t, profile(nil), pair, list)
}

// What is not one strict JSON object is not read, in the header or the payload.
func TestJSONAttacks(t *testing.T) {
	t.Parallel()
	sign := es(ecKey, crypto.SHA256)
	type member = struct{ name, value string }
	cases := map[string]string{
		"J061 UTF-16":                  "\xff\xfe{\x00}\x00",
		"J061 BOM":                     "\xef\xbb\xbfOBJECT",
		"J061 overlong":                `HEAD,"x":"` + "\xc0\xaf" + `"}`,
		"J061 invalid bytes":           `HEAD,"x":"` + "\xff" + `"}`,
		"J061 lone surrogate":          `HEAD,"x":"\ud800"}`,
		"J061 low surrogate first":     `HEAD,"x":"\udc00\ud800"}`,
		"J061 CESU surrogate":          `HEAD,"x":"` + "\xed\xa0\x80" + `"}`,
		"J062 duplicate member":        `HEAD,"x":1,"x":2}`,
		"J062 duplicate in an inner":   `HEAD,"x":{"y":1,"y":2}}`,
		"J064 escaped name":            `HEAD,"\u0078":1}`,
		"J064 escaped duplicate":       `HEAD,"x":1,"\u0078":2}`,
		"J065 data after the value":    `OBJECT x`,
		"J065 two values":              `OBJECT{}`,
		"J065 NUL after the value":     "OBJECT\x00",
		"J066 array":                   `[OBJECT]`,
		"J066 string":                  `"x"`,
		"J066 null":                    `null`,
		"J066 number":                  `7`,
		"J066 NaN":                     `HEAD,"x":NaN}`,
		"J066 Infinity":                `HEAD,"x":-Infinity}`,
		"J066 comment":                 `HEAD/**/,"x":1}`,
		"J066 trailing comma":          `HEAD,}`,
		"J066 single quotes":           `HEAD,'x':1}`,
		"J066 leading zero":            `HEAD,"x":01}`,
		"J066 plus sign":               `HEAD,"x":+1}`,
		"J066 bare point":              `HEAD,"x":1.}`,
		"J066 control character":       "HEAD,\"x\":\"\x01\"}",
		"J066 unknown escape":          `HEAD,"x":"\q"}`,
		"J066 unfinished":              `HEAD,"x":`,
		"J067 nine levels":             `HEAD,"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + `}`,
		"J067 nine levels of objects":  `HEAD,"x":` + strings.Repeat(`{"x":`, 8) + "1" + strings.Repeat("}", 8) + `}`,
		"J067 a number of 1 KB":        `HEAD,"x":` + strings.Repeat("9", 1000) + `}`,
		"J067 a number of 41 places":   `HEAD,"x":` + strings.Repeat("9", 41) + `}`,
		"J067 an exponent of 1 KB":     `HEAD,"x":1e` + strings.Repeat("9", 1000) + `}`,
		"J067 a depth of 900 brackets": `HEAD,"x":` + strings.Repeat("[", 900) + `}`,
	}
	fill := func(pattern, object string) string {
		s := strings.ReplaceAll(pattern, "OBJECT", object)
		return strings.ReplaceAll(s, "HEAD", strings.TrimSuffix(object, "}"))
	}
	var list []attack
	for name, pattern := range cases {
		list = append(list,
			attack{name + " (header)", raw(fill(pattern, goodHeader), claims(nil), sign), jose.ReasonHeader},
			attack{name + " (payload)", raw(goodHeader, fill(pattern, claims(nil)), sign), jose.ReasonClaims})
	}
	var many strings.Builder
	for i := range 200 {
		many.WriteString(`,"m` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `":1`)
	}
	list = append(list,
		attack{"J067 200 members", raw(goodHeader, fill(`HEAD`+many.String()+`}`, claims(nil)), sign), jose.ReasonClaims},
		attack{"J067 10,001 levels", raw(goodHeader, fill(`HEAD,"x":`+strings.Repeat("[", 10001)+`}`, claims(nil)), sign), jose.ReasonSize},
		attack{"J071 over 8 KiB", raw(goodHeader, claims(map[string]any{"pad": strings.Repeat("x", 8<<10)}), sign), jose.ReasonSize},
		attack{"J071 header over 2 KiB", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","x":"`+strings.Repeat("x", 2<<10)+`"}`, claims(nil), sign), jose.ReasonSize},
	)
	for _, m := range []member{{"ALG", `"none"`}, {"Alg", `"none"`}, {"\u212aid", `"k2"`}} {
		list = append(list, attack{"J063 header has only " + m.name, raw(`{"kid":"k1","typ":"at+jwt","`+m.name+`":`+m.value+`}`, claims(nil), sign), jose.ReasonAlgorithm})
	}
	list = append(list,
		attack{"J063 Sub is not sub", raw(goodHeader, with("sub", "null")[:0]+claims(map[string]any{"sub": remove, "Sub": "alice"}), sign), jose.ReasonMissing},
		attack{"J063 i\u017fs is not iss", raw(goodHeader, claims(map[string]any{"iss": remove, "i\u017fs": issuer}), sign), jose.ReasonIssuer},
		attack{"J063 EXP is not exp", raw(goodHeader, claims(map[string]any{"exp": remove, "EXP": now.Unix() + 60}), sign), jose.ReasonExpiry},
		attack{"J068 claims in the header of a JWS", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","iss":"https://evil.example"}`, claims(nil), sign), jose.ReasonHeader},
		attack{"J070 a nested token where claims are expected", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","cty":"JWT"}`, good(), sign), jose.ReasonNested},
		attack{"J070 a nested token without cty", raw(goodHeader, good(), sign), jose.ReasonClaims},
		attack{"J115 zip", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","zip":"DEF"}`, claims(nil), sign), jose.ReasonHeader},
		attack{"J116 p2c", raw(`{"alg":"ES256","kid":"k1","typ":"at+jwt","p2c":2147483647}`, claims(nil), sign), jose.ReasonHeader},
		attack{"J110 a JWE where a JWS is expected", "eyJhbGciOiJFQ0RILUVTIn0..AAAA.AAAA.AAAA", jose.ReasonForm},
	)
	run(t, profile(nil), good(), list)
	t.Run("white space and other members pass", func(t *testing.T) {
		t.Parallel()
		token := raw("{ \"alg\" : \"ES256\",\n\t\"kid\":\"k1\", \"typ\":\"at+jwt\", \"x5t\":\"dGh1bWI\", \"x\":{\"y\":[1,-0.5e+3,true,null]} }", claims(map[string]any{"name": "Zoë \U0001F600", "n": 1.5}), sign)
		c, err := profile(nil).Verify(context.Background(), token)
		if err != nil {
			t.Fatal(err)
		}
		if name, err := c.String("name"); err != nil || name != "Zoë \U0001F600" {
			t.Errorf("name is %q, %v", name, err)
		}
	})
}

// typ is a media type: case does not count, nor application/ before it.
func TestJ069Types(t *testing.T) {
	t.Parallel()
	at := func(typ string) string {
		return raw(`{"alg":"ES256","kid":"k1","typ":`+typ+`}`, claims(nil), es(ecKey, crypto.SHA256))
	}
	for _, typ := range []string{`"at+jwt"`, `"AT+JWT"`, `"application/at+jwt"`, `"Application/AT+jwt"`} {
		if _, err := profile(nil).Verify(context.Background(), at(typ)); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	list := []attack{
		{"missing", raw(`{"alg":"ES256","kid":"k1"}`, claims(nil), es(ecKey, crypto.SHA256)), jose.ReasonType},
		{"array", at(`["at+jwt"]`), jose.ReasonHeader},
		{"null", at(`null`), jose.ReasonHeader},
	}
	for _, typ := range []string{
		"", "JWT", "at+jwt; x=y", "at+jwt ", " at+jwt", "application/application/at+jwt", "at+jwt\\u0000", "\u0430t+jwt", "dpop+jwt", "sallyport-inner+jwt",
		"logout+jwt", "secevent+jwt", "oauth-authz-req+jwt", "token-introspection+jwt", "client-authentication+jwt", "jose",
	} {
		list = append(list, attack{"J092 " + typ, at(`"` + typ + `"`), jose.ReasonType})
	}
	run(t, profile(nil), good(), list)
	// Only a profile that says so lets typ be missing.
	lax := profile(func(p *jose.Profile) { p.Types = []string{"jwt", ""} })
	run(t, lax, raw(`{"alg":"ES256","kid":"k1"}`, claims(nil), es(ecKey, crypto.SHA256)), []attack{{"other typ", at(`"at+jwt"`), jose.ReasonType}, {"empty typ", at(`""`), jose.ReasonType}})
}

func TestVerifierLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	whole := jose.Profile{
		Purpose: "access token", Types: []string{"at+jwt"}, Algorithms: []jose.Algorithm{jose.ES256}, Keys: setOf(),
		Issuer: jose.Exactly(issuer), Audience: jose.Exactly(audience), MaxLife: 1e11, Now: clock,
	}
	if _, err := jose.NewVerifier(whole); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*jose.Profile){
		"purpose": func(p *jose.Profile) { p.Purpose = "" }, "types": func(p *jose.Profile) { p.Types = nil },
		"algorithms": func(p *jose.Profile) { p.Algorithms = nil }, "none": func(p *jose.Profile) { p.Algorithms = []jose.Algorithm{"none"} },
		"keys": func(p *jose.Profile) { p.Keys = nil }, "issuer": func(p *jose.Profile) { p.Issuer = jose.Expect{} },
		"issuer empty": func(p *jose.Profile) { p.Issuer = jose.Exactly("") }, "issuer among": func(p *jose.Profile) { p.Issuer = jose.Includes(issuer) },
		"audience": func(p *jose.Profile) { p.Audience = jose.Expect{} }, "audience of none": func(p *jose.Profile) { p.Audience = jose.OneOf() },
		"times": func(p *jose.Profile) { p.MaxLife = 0 }, "skew": func(p *jose.Profile) { p.Skew = 2e11 }, "clock": func(p *jose.Profile) { p.Now = nil },
	} {
		p := whole
		f(&p)
		if _, err := jose.NewVerifier(p); err == nil {
			t.Errorf("a profile without %s is accepted", name)
		}
	}
	if errors.Is(errors.New("x"), jose.ErrInvalid) {
		t.Error("every error is ErrInvalid")
	}
}
