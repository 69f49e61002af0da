package attack

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // RSA-OAEP of RFC 7518 §4.3 is defined with it
	"crypto/sha256"
	"fmt"
	"strings"
)

// encryptedGroups send a JWE where a JWS is expected: encryption with a public
// key, or with bytes that everybody knows, proves nothing.
var encryptedGroups = []group{
	{"J110", "JWE for a JWS", attackEncrypted},
	{"J111", "JWE around claims that nobody signed", attackEncryptedPlain},
	{"J115", "zip", attackZip},
	{"J116", "PBES2", attackPBES2},
	{"J120", "JSON serialization of a JWE", attackEncryptedJSON},
}

// encrypt makes a compact JWE with A256GCM under cek.
func encrypt(header string, encryptedKey, cek []byte, plaintext string) string {
	block, err := aes.NewCipher(cek)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	iv := make([]byte, aead.NonceSize())
	_, _ = rand.Read(iv)
	head := b64.EncodeToString([]byte(header))
	sealed := aead.Seal(nil, iv, []byte(plaintext), []byte(head))
	at := len(sealed) - aead.Overhead()
	return strings.Join([]string{
		head, b64.EncodeToString(encryptedKey), b64.EncodeToString(iv), b64.EncodeToString(sealed[:at]), b64.EncodeToString(sealed[at:]),
	}, ".")
}

// direct encrypts with the bytes of the public key as the shared secret.
func (m *maker) direct(header object, plaintext string) string {
	raw := rawPublic(m.t.Key)
	if len(raw) != 32 {
		sum := sha256.Sum256(raw)
		raw = sum[:]
	}
	return encrypt(header.String(), nil, raw, plaintext)
}

func (m *maker) jweHeader(alg string) object {
	return m.header().with("alg", quote(alg)).with("enc", `"A256GCM"`)
}

func attackEncrypted(m *maker) {
	jws := m.sign(m.header(), m.claims())
	m.bad("dir with the public key, nested", m.direct(m.jweHeader("dir").with("cty", `"JWT"`), jws))
	cek := make([]byte, 32)
	_, _ = rand.Read(cek)
	public := otherRSA.Private.Public().(*rsa.PublicKey)
	key, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, cek, nil)
	if err != nil {
		panic(err)
	}
	m.bad("RSA-OAEP, nested", encrypt(m.jweHeader("RSA-OAEP").with("cty", `"JWT"`).String(), key, cek, jws))
	m.bad("ECDH-ES without epk", encrypt(m.jweHeader("ECDH-ES").String(), nil, cek, jws))
	m.bad("alg of a signature", encrypt(m.header().with("enc", `"A256GCM"`).String(), nil, cek, jws))
	m.bad("five parts of a JWS", jws+".AA.AA")
	m.bad("enc in the header of a JWS", m.sign(m.header().with("enc", `"A256GCM"`), m.claims()))
}

func attackEncryptedPlain(m *maker) {
	m.bad("claims", m.direct(m.jweHeader("dir"), m.claims().String()))
	m.bad("alg none inside", m.direct(m.jweHeader("dir").with("cty", `"JWT"`), unsigned(m.header().with("alg", `"none"`), m.claims(), "")))
	m.bad("no algorithm", m.direct(m.header().without("alg").with("enc", `"A256GCM"`), m.claims().String()))
}

func attackZip(m *maker) {
	var buf bytes.Buffer
	w, _ := flate.NewWriter(&buf, flate.BestCompression)
	const bomb = 1 << 20 // deflates to 1 KiB
	_, _ = w.Write(make([]byte, bomb))
	_ = w.Close()
	m.bad("JWE, a megabyte in a kilobyte", m.direct(m.jweHeader("dir").with("zip", `"DEF"`), buf.String()))
	m.bad("JWS with zip", m.sign(m.header().with("zip", `"DEF"`), m.claims()))
}

func attackPBES2(m *maker) {
	for _, p2c := range []string{"2147483647", "1", "-1", `"1"`} {
		h := m.jweHeader("PBES2-HS256+A128KW").with("p2c", p2c).with("p2s", `""`)
		m.bad("p2c "+p2c, encrypt(h.String(), make([]byte, 40), make([]byte, 32), m.claims().String()))
	}
}

func attackEncryptedJSON(m *maker) {
	p := strings.Split(m.direct(m.jweHeader("dir"), m.claims().String()), ".")
	m.bad("flattened", fmt.Sprintf(`{"protected":%q,"iv":%q,"ciphertext":%q,"tag":%q}`, p[0], p[2], p[3], p[4]))
	m.bad("many recipients", fmt.Sprintf(`{"protected":%q,"recipients":[{},{}],"iv":%q,"ciphertext":%q,"tag":%q}`, p[0], p[2], p[3], p[4]))
}
