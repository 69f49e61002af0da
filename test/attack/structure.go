package attack

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// structureGroups are the attacks on form and encoding.
var structureGroups = []group{
	{"J050", "number of parts", attackParts},
	{"J051", "dots", attackDots},
	{"J052", "JSON serialization", attackJSONSerialization},
	{"J053", "polyglots", attackPolyglot},
	{"J054", "detached payload", attackDetached},
	{"J055", "b64", attackB64},
	{"J056", "crit", attackCrit},
	{"J057", "other base64", attackPadding},
	{"J058", "white space", attackSpace},
	{"J059", "stray bits in the last character", attackTailBits},
	{"J060", "characters that are not base64", attackCharacters},
	{"J061", "not UTF-8", attackUTF8},
	{"J062", "members twice", attackDuplicates},
	{"J063", "names in another case", attackFolding},
	{"J064", "escaped names", attackEscapes},
	{"J065", "data after the value", attackTrailing},
	{"J066", "not an object", attackTopLevel},
	{"J067", "too deep, too many", attackDepth},
	{"J068", "claims in the header", attackHeaderClaims},
	{"J069", "typ", attackTyp},
	{"J070", "JWT in a JWT", attackNested},
	{"J071", "too long", attackSize},
	{"J072", "look-alikes", attackLookAlikes},
}

func (m *maker) parts() (h, p, s string) {
	q := strings.Split(m.sign(m.header(), m.claims()), ".")
	return q[0], q[1], q[2]
}

func attackParts(m *maker) {
	h, p, s := m.parts()
	for _, tok := range []string{
		"x", h, h + "." + p, h + "." + p + ".", h + ".." + s, "." + p + "." + s, "..", "...", "....", ".", h + "." + p + "." + s + ".", "." + h + "." + p + "." + s,
		h + "." + p + "." + s + "." + s, h + "." + p + "." + s + "." + s + "." + s, h + "." + p + "." + s + "....",
	} {
		m.bad(fmt.Sprintf("%.3q…%q, %d dots of %d", tok, tok[max(0, len(tok)-3):], strings.Count(tok, "."), len(tok)), tok)
	}
}

func attackDots(m *maker) {
	m.bad("8,000", strings.Repeat(".", 8000))
	m.bad("a million", strings.Repeat(".", 1_000_000))
	m.bad("8,000 after a header", b64.EncodeToString([]byte(m.header().String()))+strings.Repeat(".", 7900))
}

func attackJSONSerialization(m *maker) {
	h, p, s := m.parts()
	m.bad("flattened", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, p, h, s))
	m.bad("general", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q}]}`, p, h, s))
	m.bad("general, one of two valid", fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":"AA"},{"protected":%q,"signature":%q}]}`, p, h, h, s))
	m.bad("flattened, encoded", b64.EncodeToString(fmt.Appendf(nil, `{"payload":%q,"protected":%q,"signature":%q}`, p, h, s)))
}

func attackPolyglot(m *maker) {
	h, p, s := m.parts()
	forged := b64.EncodeToString([]byte(m.claims().with("sub", `"admin"`).String()))
	m.bad("JSON with a compact token inside", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q,"x":".%s."}`, h, p, s, forged))
	m.bad("compact token in quotes", `"`+h+"."+p+"."+s+`"`)
	m.bad("forged payload beside the signed", h+"."+forged+"."+s+"."+p)
}

func attackDetached(m *maker) {
	h, p, s := m.parts()
	m.bad("payload gone", h+".."+s)
	m.bad("payload behind", h+".."+s+"."+p)
	detached := m.t.Key.seal(h + ".")
	m.bad("signed over nothing", detached)
}

func attackB64(m *maker) {
	plain := m.claims().String()
	for _, h := range []object{m.header().with("b64", "false"), m.header().with("b64", "false").with("crit", `["b64"]`), m.header().with("b64", "true").with("crit", `["b64"]`)} {
		head := b64.EncodeToString([]byte(h.String()))
		m.bad("payload as it is "+fmt.Sprint(len(h.String())), m.t.Key.seal(head+"."+plain))
		m.bad("payload encoded "+fmt.Sprint(len(h.String())), m.sign(h, m.claims()))
	}
}

func attackCrit(m *maker) {
	for _, v := range []string{
		`["exp"]`, `["urn:example:unknown"]`, "[]", `"exp"`, `["exp","exp"]`, `["missing"]`, `["alg"]`, `["kid","typ"]`, `["b64"]`, "null", "{}", "true", "[1]", `[""]`, `["crit"]`,
	} {
		h := m.header().with("crit", v)
		m.bad(v, m.sign(h, m.claims()))
		if v == `["exp"]` || v == `["urn:example:unknown"]` {
			m.bad(v+" with the member", m.sign(h.with("exp", "1").with("urn:example:unknown", "1"), m.claims()))
		}
	}
}

func attackPadding(m *maker) {
	h, p, s := m.parts()
	pad := func(x string) string { return x + strings.Repeat("=", (4-len(x)%4)%4) }
	m.bad("padded signature", h+"."+p+"."+s+"==")
	m.bad("one =", h+"."+p+"."+s+"=")
	m.bad("padded header", h+"=."+p+"."+s)
	// A payload whose length leaves room for padding, signed as it is spelt.
	c := m.claims()
	for len(c.String())%3 == 0 {
		c = c.with("jti", quote("p"+strings.Trim(c[len(c)-1].value, `"`)))
	}
	m.bad("padded payload, signed so", m.t.Key.seal(h+"."+pad(b64.EncodeToString([]byte(c.String())))))
	std := func(x string) string { return base64.RawStdEncoding.EncodeToString([]byte(x)) }
	odd := m.claims().with("x", quote("\u00ff\u00fe\u00fb???>>>"))
	if e := std(odd.String()); strings.ContainsAny(e, "+/") {
		m.bad("standard alphabet, signed so", m.t.Key.seal(h+"."+e))
	}
	m.bad("percent encoded dot", h+"%2E"+p+"."+s)
	m.bad("percent encoded letter", "%65"+h[1:]+"."+p+"."+s)
}

// attackSpace puts bytes that some decoders skip where each part is, signed
// over exactly what is sent.
func attackSpace(m *maker) {
	h, p, _ := m.parts()
	mid := func(x, in string) string { return x[:len(x)/2] + in + x[len(x)/2:] }
	for _, in := range []string{" ", "\t", "\r", "\n", "\r\n", "\r\n ", "\x00", "\u00a0", "\v"} {
		m.bad(fmt.Sprintf("%q in the header", in), m.t.Key.seal(mid(h, in)+"."+p))
		m.bad(fmt.Sprintf("%q in the payload", in), m.t.Key.seal(h+"."+mid(p, in)))
		good := m.t.Key.seal(h + "." + p)
		dot := strings.LastIndexByte(good, '.') + 1
		m.bad(fmt.Sprintf("%q in the signature", in), good[:dot]+mid(good[dot:], in))
		m.bad(fmt.Sprintf("%q around a dot", in), good[:dot]+in+good[dot:])
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// stray sets the lowest of the bits that the last character does not use.
func stray(x string) string {
	return x[:len(x)-1] + string(alphabet[strings.IndexByte(alphabet, x[len(x)-1])^1])
}

func attackTailBits(m *maker) {
	h, p, s := m.parts()
	m.bad("signature", h+"."+p+"."+stray(s)) // 64 bytes always leave four
	c := m.claims()
	for len(c.String())%3 == 0 {
		c = c.with("jti", quote("t"+strings.Trim(c[len(c)-1].value, `"`)))
	}
	m.bad("payload, signed so", m.t.Key.seal(h+"."+stray(b64.EncodeToString([]byte(c.String())))))
	if len(m.header().String())%3 != 0 {
		m.bad("header, signed so", m.t.Key.seal(stray(h)+"."+p))
	}
}

func attackCharacters(m *maker) {
	h, p, _ := m.parts()
	for _, in := range []string{"?", "#", "!", "*", ",", ";", "/", "+", "~", "(", "\u00e9", "'"} {
		m.bad(in+" in the header", m.t.Key.seal(h[:8]+in+h[8:]+"."+p))
		m.bad(in+" in the payload", m.t.Key.seal(h+"."+p[:8]+in+p[8:]))
		m.bad(in+" behind", m.t.Key.seal(h+"."+p)+in)
	}
}

func attackUTF8(m *maker) {
	for _, b := range []string{"\xff", "\xc0\xae", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "a\x80", "\xe2\x82"} {
		m.bad(fmt.Sprintf("sub %q", b), m.sign(m.header(), m.claims().with("sub", `"`+b+`"`)))
	}
	m.bad("sub with a lone surrogate", m.sign(m.header(), m.claims().with("sub", `"\ud800"`)))
	m.bad("sub with a low surrogate", m.sign(m.header(), m.claims().with("sub", `"a\udc00b"`)))
	m.bad("member name", m.sign(m.header(), m.claims().with("x\xff", "1")))
	m.bad("header", m.sign(m.header().with("x", "\"\xff\""), m.claims()))
	m.bad("byte order mark before the payload", m.sign(m.header(), text("\ufeff"+m.claims().String())))
	m.bad("byte order mark before the header", m.sign(text("\ufeff"+m.header().String()), m.claims()))
	m.bad("UTF-16", m.sign(m.header(), text(utf16(m.claims().String()))))
}

func utf16(s string) string {
	b := []byte{0xff, 0xfe}
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return string(b)
}

func attackDuplicates(m *maker) {
	for _, name := range []string{"sub", "aud", "iss", "exp", "iat", "client_id", "scope", "jti"} {
		c := m.claims()
		var own string
		for _, f := range c {
			if f.name == name {
				own = f.value
			}
		}
		m.bad(name+", same value", m.sign(m.header(), c.and(name, own)))
		m.bad(name+", other value first", m.sign(m.header(), c.first(name, `"admin"`)))
	}
	m.bad("sub, other value last", m.sign(m.header(), m.claims().and("sub", `"admin"`)))
	for _, f := range m.header() {
		m.bad("header "+f.name, m.sign(m.header().and(f.name, f.value), m.claims()))
	}
	m.bad("alg none first", m.sign(m.header().first("alg", `"none"`), m.claims()))
	m.bad("alg none last, no signature", unsigned(m.header().and("alg", `"none"`), m.claims(), ""))
	m.bad("inside a claim", m.sign(m.header(), m.claims().with("x", `{"a":1,"a":2}`)))
}

func attackFolding(m *maker) {
	for _, to := range []string{"Sub", "SUB", "\u017fub", "sub\u0000", " sub"} {
		m.bad(fmt.Sprintf("%q for sub", to), m.sign(m.header(), m.claims().renamed("sub", strings.ReplaceAll(to, "\x00", `\u0000`))))
	}
	for from, to := range map[string]string{"iss": "i\u017fs", "exp": "Exp", "aud": "AUD", "iat": "IAT", "client_id": "Client_ID"} {
		m.bad(fmt.Sprintf("%q for %s", to, from), m.sign(m.header(), m.claims().renamed(from, to)))
	}
	m.bad("ALG for alg", m.sign(m.header().renamed("alg", "ALG"), m.claims()))
	m.bad("Typ for typ", m.sign(m.header().renamed("typ", "Typ"), m.claims()))
	m.bad("\u212aid for kid", m.sign(m.header().renamed("kid", "\u212aid"), m.claims()))
	m.bad("ALG none last", unsigned(m.header().and("ALG", `"none"`), m.claims(), ""))
}

func attackEscapes(m *maker) {
	m.bad("alg none", unsigned(m.header().without("alg").first(`\u0061lg`, `"none"`), m.claims(), ""))
	m.bad("alg twice", m.sign(m.header().and(`\u0061lg`, `"none"`), m.claims()))
	m.bad("sub twice", m.sign(m.header(), m.claims().and(`\u0073ub`, `"admin"`)))
	m.bad("sub twice, escaped first", m.sign(m.header(), m.claims().first(`s\u0075b`, `"admin"`)))
	m.bad("crit", m.sign(m.header().and(`cri\u0074`, `["x"]`), m.claims()))
	m.bad("broken escape", m.sign(m.header(), m.claims().and(`\u00zz`, "1")))
	m.bad("unknown escape", m.sign(m.header(), m.claims().with("sub", `"\x41"`)))
}

func attackTrailing(m *maker) {
	for _, tail := range []string{"{}", `{"sub":"admin"}`, "x", "\x00", "]", ",", "null", "//", "/**/"} {
		m.bad(tail+" after the payload", m.sign(m.header(), text(m.claims().String()+tail)))
		m.bad(tail+" after the header", m.sign(text(m.header().String()+tail), m.claims()))
	}
}

func attackTopLevel(m *maker) {
	c := m.claims().String()
	for _, v := range []string{
		"[]", "[" + c + "]", quote(c), "null", "1", "true", "", " ", "{", c[:len(c)-1], "{}", `{"sub":NaN}`, c[:len(c)-1] + ",}", c[:len(c)-1] + `,"x":Infinity}`,
		c[:len(c)-1] + `,"x":01}`, c[:len(c)-1] + `,"x":+1}`, c[:len(c)-1] + `,"x":.5}`, c[:len(c)-1] + `,x:1}`, c[:len(c)-1] + `,'x':1}`, c[:len(c)-1] + ",\"x\":\"a\nb\"}", "/* */" + c,
	} {
		m.bad(fmt.Sprintf("payload %.9q…%q", v, v[max(0, len(v)-12):]), m.sign(m.header(), text(v)))
	}
	for _, v := range []string{"[]", "null", "1", `""`, "", "{}", "{"} {
		m.bad(fmt.Sprintf("header %q", v), m.sign(text(v), m.claims()))
	}
}

// attackDepth is about bytes that nobody has signed: they must not cost much,
// and must not end the process.
func attackDepth(m *maker) {
	deep := strings.Repeat("[", 2500) + strings.Repeat("]", 2500)
	m.bad("header, 2,500 deep", unsigned(m.header().with("x", deep), m.claims(), "AA"))
	m.bad("payload, 2,500 deep", unsigned(m.header(), m.claims().with("x", deep), signatureOf(m.sign(m.header(), m.claims()))))
	m.bad("payload, 5,000 open", unsigned(m.header(), text(strings.Repeat("[", 5000)), signatureOf(m.sign(m.header(), m.claims()))))
	m.bad("payload, 700 objects open", unsigned(m.header(), text(strings.Repeat(`{"a":`, 700)), signatureOf(m.sign(m.header(), m.claims()))))
	many := m.header()
	for i := range 400 {
		many = many.and(fmt.Sprintf("m%d", i), "1")
	}
	m.bad("header of 400 members", unsigned(many, m.claims(), "AA"))
	m.bad("number of 4,000 digits", unsigned(m.header(), m.claims().with("exp", strings.Repeat("9", 4000)), "AA"))
}

func attackHeaderClaims(m *maker) {
	for _, f := range m.claims() {
		if f.name == "iss" || f.name == "sub" || f.name == "aud" || f.name == "exp" {
			m.bad(f.name+" only in the header", m.sign(m.header().and(f.name, f.value), m.claims().without(f.name)))
		}
	}
	m.bad("other iss in the header", m.sign(m.header().and("iss", `"https://other.example"`), m.claims()))
}

// otherTypes are the types of JWTs that are no credential for an API.
var otherTypes = []string{
	"JWT", "at+jwt", "application/at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "oauth-authz-req+jwt", "client-authentication+jwt",
	"token-introspection+jwt", "oauth-client-attestation+jwt", "oauth-client-attestation-pop+jwt", "JOSE", "JOSE+JSON", "jose", "jwk-set+json", "jwk-set+jwt",
	"entity-statement+jwt", "kb+jwt", "vc+jwt", "passport",
}

func attackTyp(m *maker) {
	typ := m.t.Type
	m.bad("missing", m.sign(m.header().without("typ"), m.claims()))
	for _, v := range []string{
		`""`, "null", "0", "true", "[" + quote(typ) + "]", "{}", quote(typ + "; x=y"), quote(typ + " "), quote(" " + typ), quote("x" + typ), quote(typ + "x"),
		quote(strings.TrimSuffix(typ, "+jwt")), quote("text/" + typ), quote("application/application/" + typ), quote(typ + "," + typ),
	} {
		m.bad(v, m.sign(m.header().with("typ", v), m.claims()))
	}
}

func attackNested(m *maker) {
	inner := text(m.sign(m.header(), m.claims()))
	for i := range 6 {
		outer := m.sign(m.header().with("cty", `"JWT"`), inner)
		m.bad(fmt.Sprintf("%d levels, cty", i+2), outer)
		inner = text(m.sign(m.header(), inner))
		m.bad(fmt.Sprintf("%d levels", i+2), inner.String())
	}
	m.bad("cty over claims", m.sign(m.header().with("cty", `"JWT"`), m.claims()))
}

func attackSize(m *maker) {
	filled := func(n int) object { return m.claims().with("x", quote(strings.Repeat("a", n))) }
	m.good("7 KiB", m.sign(m.header(), filled(5000)))
	m.bad("9 KiB", m.sign(m.header(), filled(6500)))
	m.bad("11 KiB", m.sign(m.header(), filled(8000)))
	m.bad("64 KiB", m.sign(m.header(), filled(48<<10)))
	m.bad("2 MiB", m.sign(m.header(), filled(3<<19)))
	m.bad("header over 2 KiB", m.sign(m.header().with("x", quote(strings.Repeat("a", 2500))), m.claims()))
	m.bad("header over 2 KiB, not signed", unsigned(m.header().with("x", quote(strings.Repeat("a", 5000))), m.claims(), "AA"))
}

func attackLookAlikes(m *maker) {
	swap := func(s string) string { return strings.Replace(strings.Replace(s, "a", "\u0430", 1), "e", "\u0435", 1) }
	m.bad("iss", m.sign(m.header(), m.claims().with("iss", quote(swap(m.t.Issuer)))))
	m.bad("aud", m.sign(m.header(), m.claims().with("aud", quote(swap(m.t.Audience)))))
	m.bad("iss, full width", m.sign(m.header(), m.claims().with("iss", quote(strings.Replace(m.t.Issuer, "/", "\uff0f", 1)))))
	m.bad("aud, zero width space", m.sign(m.header(), m.claims().with("aud", quote(m.t.Audience+"\u200b"))))
	m.bad("typ", m.sign(m.header().with("typ", quote(swap(m.t.Type))), m.claims()))
	m.good("sub outside of ASCII", m.sign(m.header(), m.claims().with("sub", quoteUTF8("zo\u00eb-\u65e5\u672c-\U0001f511"))))
}

// quoteUTF8 quotes without an escape for what needs none.
func quoteUTF8(s string) string { return `"` + s + `"` }
