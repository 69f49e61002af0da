package attack

import "crypto/ed25519"

// KeySet is a set in which something is wrong beside the target's own key, with
// tokens that a verifier who reads it must refuse. Whether it refuses the whole
// set or only the one key is its business, unless Usable says that the rest of
// the set must go on to work.
type KeySet struct {
	ID, Name string
	Usable   bool
	JWKs     []string // what stands beside the target's key
	Cases    []Case   // each of them must be refused
}

// Set is the JWK Set: the target's key and what is wrong.
func (s KeySet) Set(t Target) []byte { return Set(append([]string{t.Key.JWK()}, s.JWKs...)...) }

// KeySets returns the attacks on a set. Tokens that are valid stay so for 50
// seconds from Now.
func (t Target) KeySets() []KeySet {
	m := &maker{t: t}
	return []KeySet{
		m.neighbours(), m.otherUse(), m.wrongAlg(), m.symmetric(), m.private(), m.twice(), m.smallOrder(), m.foreignFamily(),
	}
}

// under signs valid claims with k, whose kid and algorithm the header has.
func (m *maker) under(k Key, more ...string) string {
	h := m.header().with("kid", quote(k.ID)).with("alg", quote(k.Algorithm))
	for i := 0; i+1 < len(more); i += 2 {
		h = h.with(more[i], more[i+1])
	}
	return k.compact(h.String(), m.claims().String())
}

// start makes a set whose cases m collects; done takes them.
func (m *maker) start(id, name string) { m.id, m.name, m.cases = id, name, nil }

func (m *maker) done(usable bool, jwks ...string) KeySet {
	return KeySet{ID: m.id, Name: m.name, Usable: usable, JWKs: jwks, Cases: m.cases}
}

func (m *maker) neighbours() KeySet {
	m.start("J042", "keys that nobody knows")
	m.bad("unknown kty, alg none", unsigned(m.header().with("alg", `"none"`).with("kid", `"pq"`), m.claims(), ""))
	m.bad("kid of the unknown key", m.sign(m.header().with("kid", `"pq"`), m.claims()))
	return m.done(true, `{"kty":"AKP","alg":"ML-DSA-65","kid":"pq","pub":"AAAA"}`, `{"kty":"LMS","kid":"lms"}`,
		`{"kty":"OKP","crv":"Ed448","kid":"448","use":"sig","x":"AAAA"}`)
}

func (m *maker) otherUse() KeySet {
	m.start("J037", "keys for another use")
	enc, ops := NewKey(m.t.Key.Algorithm, "enc"), NewKey(m.t.Key.Algorithm, "ops")
	m.bad("use enc", m.under(enc))
	m.bad("key_ops without verify", m.under(ops))
	return m.done(true, enc.JWK("use", `"enc"`), ops.JWK("use", "", "key_ops", `["encrypt"]`))
}

func (m *maker) wrongAlg() KeySet {
	m.start("J044", "alg of the key is another")
	a, b := NewKey(m.t.Key.Algorithm, "alg-rs"), NewKey(m.t.Key.Algorithm, "alg-hs")
	m.bad("RS256", m.under(a))
	m.bad("HS256", m.under(b))
	m.bad("HS256, public key as secret", hmacOf("HS256", rawPublic(b), m.header().with("kid", `"alg-hs"`).with("alg", `"HS256"`).String(), m.claims().String()))
	return m.done(false, a.JWK("alg", `"RS256"`), b.JWK("alg", `"HS256"`))
}

func (m *maker) symmetric() KeySet {
	m.start("J041", "symmetric key")
	const k = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
	secret, err := b64.DecodeString(k)
	if err != nil {
		panic(err)
	}
	h := m.header().with("kid", `"oct"`).with("alg", `"HS256"`)
	m.bad("HS256", hmacOf("HS256", secret, h.String(), m.claims().String()))
	m.bad("HMAC under our alg", hmacOf("HS256", secret, m.header().with("kid", `"oct"`).String(), m.claims().String()))
	return m.done(false, `{"kty":"oct","kid":"oct","alg":"HS256","use":"sig","k":"`+k+`"}`)
}

func (m *maker) private() KeySet {
	m.start("J041", "private key")
	k := NewKey("EdDSA", "burnt")
	m.bad("whoever reads the set can sign", m.under(k))
	return m.done(false, k.JWK("d", quote(b64.EncodeToString(k.Private.(ed25519.PrivateKey).Seed()))))
}

func (m *maker) twice() KeySet {
	m.start("J041", "kid twice")
	a, b := NewKey(m.t.Key.Algorithm, "twin"), NewKey(m.t.Key.Algorithm, "twin")
	m.bad("the first", m.under(a))
	m.bad("the second", m.under(b))
	return m.done(false, a.JWK(), b.JWK())
}

// smallOrder is the neutral point of Ed25519 as a key: R the neutral point and
// S zero is a signature of anything under it (RFC 8032 §5.1.7 allows it).
func (m *maker) smallOrder() KeySet {
	m.start("J019", "key of small order")
	point := append([]byte{1}, make([]byte, 31)...)
	h := m.header().with("kid", `"small"`).with("alg", `"EdDSA"`)
	m.bad("signature that fits any message", unsigned(h, m.claims(), b64.EncodeToString(append(append([]byte(nil), point...), make([]byte, 32)...))))
	return m.done(false, `{"kty":"OKP","crv":"Ed25519","kid":"small","alg":"EdDSA","use":"sig","x":`+quote(b64.EncodeToString(point))+`}`)
}

// foreignFamily are good keys for algorithms that the verifier does not take.
func (m *maker) foreignFamily() KeySet {
	m.start("J007", "keys of algorithms that are not expected")
	var jwks []string
	for _, alg := range []string{"RS256", "PS256", "ES384"} {
		k := NewKey(alg, "other-"+alg)
		jwks = append(jwks, k.JWK())
		m.bad(alg, m.under(k))
		m.bad(alg+" under our alg", m.under(k, "alg", quote(m.t.Key.Algorithm)))
	}
	return m.done(true, jwks...)
}
