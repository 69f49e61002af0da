package passkey_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/fxamacker/cbor/v2"
)

// Flags of authenticator data (WebAuthn §6.1).
const (
	up, uv, be, bs, at = 1 << 0, 1 << 2, 1 << 3, 1 << 4, 1 << 6
)

const origin = "https://auth.example.com:8443"

// gadget is an authenticator made of software, and the browser before it, that
// can be told to do anything wrong.
type gadget struct {
	cred   virtualwebauthn.Credential
	handle []byte
	flags  byte
}

// ceremony is everything that an answer says.
type ceremony struct {
	Type        string `json:"type"`
	Challenge   string `json:"challenge"`
	Origin      string `json:"origin"`
	CrossOrigin bool   `json:"crossOrigin"`
	TopOrigin   string `json:"topOrigin,omitempty"`

	rpID    string
	flags   byte
	counter uint32
	id      []byte
	handle  []byte
	spoil   bool // the signature

	key       []byte // COSE
	format    string
	statement map[string]any // nil: of the format
}

func newGadget() *gadget {
	return &gadget{cred: newCredential(virtualwebauthn.KeyTypeEC2), flags: up | uv}
}

// newCredential leaves out the keys of which the library cuts a leading zero off a
// coordinate, one in 128: their form is wrong.
func newCredential(kind virtualwebauthn.KeyType) virtualwebauthn.Credential {
	const ec2 = 77 // bytes of a whole key
	for {
		c := virtualwebauthn.NewCredential(kind)
		if kind != virtualwebauthn.KeyTypeEC2 || len(c.Key.AttestationData()) == ec2 {
			return c
		}
	}
}

func (g *gadget) ceremony(t testing.TB, kind, options string) ceremony {
	t.Helper()
	var o struct {
		Challenge string
		User      struct{ ID string }
	}
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		t.Fatal(err)
	}
	if o.User.ID != "" {
		g.handle = decode(t, o.User.ID)
	}
	g.cred.Counter++
	return ceremony{
		Type: kind, Challenge: o.Challenge, Origin: origin, rpID: "auth.example.com", flags: g.flags, counter: g.cred.Counter,
		id: g.cred.ID, handle: g.handle, key: g.cred.Key.AttestationData(), format: "none",
	}
}

func (c *ceremony) clientData(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c *ceremony) authData() []byte {
	h := sha256.Sum256([]byte(c.rpID))
	b := binary.BigEndian.AppendUint32(append(h[:], c.flags), c.counter)
	if c.flags&at != 0 {
		b = append(b, make([]byte, 16)...) // AAGUID
		b = binary.BigEndian.AppendUint16(b, uint16(len(c.id)))
		b = append(append(b, c.id...), c.key...)
	}
	return b
}

func (g *gadget) signature(t testing.TB, c *ceremony, auth, client []byte) []byte {
	t.Helper()
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(auth[:len(auth):len(auth)], hash[:]...))
	if c.spoil {
		sum[0] ^= 1
	}
	sig, err := g.cred.Key.Sign(sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// sign answers a request; change spoils it.
func (g *gadget) sign(t testing.TB, options string, change ...func(*ceremony)) string {
	t.Helper()
	c := g.ceremony(t, "webauthn.get", options)
	for _, f := range change {
		f(&c)
	}
	client, auth := c.clientData(t), c.authData()
	return answer(t, c.id, map[string]any{
		"clientDataJSON": encode(client), "authenticatorData": encode(auth), "signature": encode(g.signature(t, &c, auth, client)), "userHandle": encode(c.handle),
	})
}

// create answers a request for a new passkey.
func (g *gadget) create(t testing.TB, options string, change ...func(*ceremony)) string {
	t.Helper()
	c := g.ceremony(t, "webauthn.create", options)
	c.flags |= at
	for _, f := range change {
		f(&c)
	}
	client, auth := c.clientData(t), c.authData()
	statement := c.statement
	if statement == nil {
		statement = map[string]any{}
		if c.format == "packed" {
			statement = map[string]any{"alg": -7, "sig": g.signature(t, &c, auth, client)}
		}
	}
	object, err := cbor.Marshal(map[string]any{"fmt": c.format, "attStmt": statement, "authData": auth})
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, c.id, map[string]any{"clientDataJSON": encode(client), "attestationObject": encode(object), "transports": []string{"internal", "NOT ONE"}})
}

func answer(t testing.TB, id []byte, response map[string]any) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"id": encode(id), "rawId": encode(id), "type": "public-key", "response": response})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
