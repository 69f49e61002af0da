package attack

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Target is what the verifier under test was told.
type Target struct {
	Issuer   string
	Audience string
	Type     string // the typ header that it expects
	Key      Key    // signs what is valid; published to the verifier
	Retired  Key    // was published once and is no longer
	Foreign  Key    // of another issuer, which gives it the ID of Key
	Now      time.Time
	JWKSURL  string // where the verifier reads its keys; only ever used as a text
}

// Case is one token and what a verifier has to make of it.
type Case struct {
	ID    string // of the attack, "J001"
	Name  string // unique within an ID
	Token string // what stands after "Bearer "; not always a legal field value
	Valid bool   // the pair: must pass
}

// String names the case as a test does.
func (c Case) String() string { return c.ID + " " + c.Name }

// Sendable reports whether the token can stand in a header field at all and in
// one that common servers take (RFC 9110 §5.5: visible characters, inner spaces
// and tabs; 12 KiB).
func (c Case) Sendable() bool {
	const most = 12 << 10
	for i := range len(c.Token) {
		if b := c.Token[i]; b < ' ' && b != '\t' || b >= 0x7f {
			return false
		}
	}
	edge := func(b byte) bool { return b == ' ' || b == '\t' }
	return len(c.Token) <= most && c.Token != "" && !edge(c.Token[0]) && !edge(c.Token[len(c.Token)-1])
}

// group makes all cases of one attack.
type group struct {
	id, name string
	make     func(*maker)
}

// List returns the whole list, in the order of the IDs. Tokens that are valid
// stay so for 50 seconds from Now.
func (t Target) List() []Case {
	m := &maker{t: t}
	for _, groups := range [][]group{algorithmGroups, keyGroups, structureGroups, claimGroups, encryptedGroups} {
		for _, g := range groups {
			m.id, m.name = g.id, g.name
			m.good("not attacked", m.sign(m.header(), m.claims()))
			g.make(m)
		}
	}
	return m.cases
}

// Valid returns a token that passes, with a jti of its own.
func (t Target) Valid(name string) string {
	m := &maker{t: t, id: name}
	return m.sign(m.header(), m.claims())
}

// With returns a token whose header and claims have these members, written as
// in JSON ("a":1,"b":2) and perhaps empty, in place of those of the same name.
func (t Target) With(header, claims string) string {
	m := &maker{t: t, id: "with"}
	return m.sign(m.header().override(header), m.claims().override(claims))
}

// maker collects cases.
type maker struct {
	t        Target
	id, name string // of the group
	cases    []Case
}

func (m *maker) bad(name, token string) {
	m.cases = append(m.cases, Case{m.id, m.name + ": " + name, token, false})
}

func (m *maker) good(name, token string) {
	m.cases = append(m.cases, Case{m.id, m.name + ": " + name, token, true})
}

// header is the JOSE header of a valid token.
func (m *maker) header() object {
	return object{{"alg", quote(m.t.Key.Algorithm)}, {"kid", quote(m.t.Key.ID)}, {"typ", quote(m.t.Type)}}
}

// life is how long a valid token lives here, of the 60 s that it may.
const life = 55 * time.Second

// claims are those of a valid token.
func (m *maker) claims() object {
	return object{
		{"iss", quote(m.t.Issuer)},
		{"aud", quote(m.t.Audience)},
		{"sub", quote(Subject)},
		{"client_id", quote("shop-app")},
		{"scope", quote("catalog.read")},
		{"iat", m.at(-time.Second)},
		{"exp", m.at(life)},
		{"jti", quote(fmt.Sprintf("%s-%d", m.id, len(m.cases)))},
	}
}

// Subject is the sub of every valid token that does not say otherwise.
const Subject = "0vpm0gsb8g9lqd2rsj7r4f5e1c"

// at is a NumericDate, d from now.
func (m *maker) at(d time.Duration) string { return strconv.FormatInt(m.t.Now.Add(d).Unix(), 10) }

// sign makes the compact JWS of header and payload, signed by the target's key
// whatever the header says.
func (m *maker) sign(header, payload fmt.Stringer) string {
	return m.t.Key.compact(header.String(), payload.String())
}

// text is JSON, or what is to be taken for it, as it stands.
type text string

func (t text) String() string { return string(t) }

// object is a JSON object whose spelling and order are kept.
type object []member

// member has its name as it stands between the quotes, and its value as JSON.
type member struct{ name, value string }

func (o object) String() string {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(append(b, '"'), f.name...), `":`...), f.value...)
	}
	return string(append(b, '}'))
}

// with returns a copy in which name has the value, at its old place or last.
func (o object) with(name, value string) object {
	c := append(object(nil), o...)
	for i := range c {
		if c[i].name == name {
			c[i].value = value
			return c
		}
	}
	return append(c, member{name, value})
}

// override replaces members by those of a list as in JSON. Names are compared as
// they are once unescaped.
func (o object) override(list string) object {
	c := append(object(nil), o...)
	dec := json.NewDecoder(strings.NewReader("{" + list + "}"))
	_, _ = dec.Token()
	for dec.More() {
		start := dec.InputOffset()
		name, _ := dec.Token()
		spelt := strings.TrimLeft(list[start-1:dec.InputOffset()-1], ", ")
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			panic(err)
		}
		c = c.without(name.(string)).and(strings.Trim(spelt, `"`), string(value))
	}
	return c
}

// without returns a copy that lacks name.
func (o object) without(name string) object {
	var c object
	for _, f := range o {
		if f.name != name {
			c = append(c, f)
		}
	}
	return c
}

// renamed returns a copy in which one member has another name.
func (o object) renamed(from, to string) object {
	c := append(object(nil), o...)
	for i := range c {
		if c[i].name == from {
			c[i].name = to
		}
	}
	return c
}

// and returns a copy with one more member, even if the name is there.
func (o object) and(name, value string) object {
	return append(append(object(nil), o...), member{name, value})
}

// first returns a copy with one more member in front.
func (o object) first(name, value string) object { return append(object{{name, value}}, o...) }

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
