package token_test

import (
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// swap replaces a part of a compact JWS.
func swap(part int, with string) func(string) string {
	return func(jwt string) string {
		p := strings.Split(jwt, ".")
		p[part] = with
		return strings.Join(p, ".")
	}
}

func setHeader(name string, v any) func(*draft) {
	return func(d *draft) { d.header = with(d.header, name, v) }
}

func setClaim(name string, v any) func(*draft) {
	return func(d *draft) { d.claims = with(d.claims, name, v) }
}

func setJWK(name string, v any) func(*draft) {
	return func(d *draft) { d.header = with(d.header, "jwk", with(d.key.jwk, name, v)) }
}

func afterwards(f func(string) string) func(*draft) { return func(d *draft) { d.after = f } }

// signedBy has the proof signed by another key than the header says.
func signedBy(k appKey) func(*draft) { return func(d *draft) { d.key.sign = k.sign } }

func rawHeader(t *testing.T, json string) func(*draft) {
	t.Helper()
	return func(d *draft) {
		d.after = func(jwt string) string {
			p := strings.Split(jwt, ".")
			input := b64.EncodeToString([]byte(strings.ReplaceAll(json, "JWK", headerJWK(t, p[0])))) + "." + p[1]
			return input + "." + b64.EncodeToString(d.key.sign([]byte(input)))
		}
	}
}

// headerJWK is the jwk of an encoded header, as JSON.
func headerJWK(t *testing.T, header string) string {
	t.Helper()
	b, err := b64.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), `"jwk":`)
	return rest[:strings.IndexByte(rest, '}')+1]
}

// TestProofs goes through the checks of RFC 9449 §4.3. Each row is one change to
// a proof that passes, and says what the log has for it; rows with reason ""
// pass. Before each row the proof without its change passes.
func TestProofs(t *testing.T) {
	t.Parallel()
	other, rs, p384 := es256(t), rsaKey(t, 2048, "RS256"), ecKey(t, elliptic.P384(), "ES384")
	hour := int64(3600)
	for _, tt := range []struct {
		name   string
		change func(*draft)
		reason string
	}{
		{"PP01 two parts", afterwards(func(j string) string { return j[:strings.LastIndexByte(j, '.')] }), "proof_jwt_form"},
		{"PP01 no signature", afterwards(swap(2, "")), "proof_jwt_form"},
		{"PP01 four parts", afterwards(func(j string) string { return j + ".x" }), "proof_jwt_form"},
		{"PP01 JSON serialization", afterwards(func(j string) string {
			p := strings.Split(j, ".")
			return `{"protected":"` + p[0] + `";"payload":"` + p[1] + `";"signature":"` + p[2] + `"}`
		}), "proof_jwt_form"},
		{"PP01 padding", afterwards(func(j string) string { return j + "==" }), "proof_jwt_encoding"},
		{"PP01 a space before it", afterwards(func(j string) string { return " " + j }), "proof_jwt_encoding"},
		{"PP01 a line break within", afterwards(func(j string) string { return j[:20] + "\n" + j[20:] }), "proof_jwt_encoding"},
		{"PP01 comma list", afterwards(func(j string) string { return j + "," + j }), "proof_repeated"},
		{"PP01 comma and nothing", afterwards(func(j string) string { return j + "," }), "proof_repeated"},
		{"PP01 empty", afterwards(func(string) string { return "" }), "proof_jwt_form"},
		{"PP01 longer than 8 KiB", setClaim("pad", strings.Repeat("x", 8<<10)), "proof_jwt_size"},

		{"PP02 no typ", setHeader("typ", nil), "proof_jwt_typ"},
		{"PP02 JWT", setHeader("typ", "JWT"), "proof_jwt_typ"},
		{"PP02 at+jwt", setHeader("typ", "at+jwt"), "proof_jwt_typ"},
		{"PP02 media type in full", setHeader("typ", "application/dpop+jwt"), "proof_jwt_typ"},
		{"PP02 other case", setHeader("typ", "DPoP+JWT"), "proof_jwt_typ"},
		{"PP02 longer", setHeader("typ", "dpop+jwt+x"), "proof_jwt_typ"},
		{"PP02 not a string", setHeader("typ", []string{"dpop+jwt"}), "proof_jwt_header"},

		{"PP03 none", func(d *draft) {
			d.header = with(d.header, "alg", "none")
			d.key.sign = func([]byte) []byte { return []byte{0} }
		}, "proof_jwt_alg"},
		{"PP03 no alg", setHeader("alg", nil), "proof_jwt_alg"},
		{"PP03 HS256", setHeader("alg", "HS256"), "proof_jwt_alg"},
		{"PP03 ES256K", setHeader("alg", "ES256K"), "proof_jwt_alg"},
		{"PP03 case", setHeader("alg", "es256"), "proof_jwt_alg"},
		{"PP03 RS256", func(d *draft) { *d = *newDraft(rs) }, "proof_jwt_alg"},
		{"J134 ES384 costs too much", func(d *draft) { *d = *newDraft(p384) }, "proof_jwt_alg"},
		{"PP03 PS256 with a curve key", setHeader("alg", "PS256"), "proof_jwt_key"},

		{"PP04 no jwk", setHeader("jwk", nil), "proof_jwt_headerkey"},
		{"PP04 kid instead of jwk", func(d *draft) { d.header = with(with(d.header, "jwk", nil), "kid", "k1") }, "proof_jwt_headerkey"},
		{"PP04 jku instead of jwk", func(d *draft) { d.header = with(with(d.header, "jwk", nil), "jku", "https://evil.example/jwks") }, "proof_jwt_headerkey"},
		{"PP04 x5c instead of jwk", func(d *draft) { d.header = with(with(d.header, "jwk", nil), "x5c", []string{"MIIB"}) }, "proof_jwt_headerkey"},
		{"PP04 jku beside jwk", setHeader("jku", "https://evil.example/jwks"), "proof_jwt_headerkey"},
		{"PP04 x5c beside jwk", setHeader("x5c", []string{"MIIB"}), "proof_jwt_headerkey"},
		{"PP04 private key", setJWK("d", b64.EncodeToString(make([]byte, 32))), "proof_jwt_key"},
		{"PP04 symmetric key", setHeader("jwk", map[string]any{"kty": "oct", "k": "c2VjcmV0"}), "proof_jwt_key"},
		{"PP04 point off the curve", setJWK("y", b64.EncodeToString(make([]byte, 32))), "proof_jwt_key"},
		{"PP04 coordinate too short", setJWK("x", b64.EncodeToString(make([]byte, 31))), "proof_jwt_key"},
		{"PP04 a list of keys", setHeader("jwk", []any{map[string]any{"kty": "EC"}}), "proof_jwt_header"},
		{"PP04 jwk is null", rawHeader(t, `{"typ":"dpop+jwt","alg":"ES256","jwk":null}`), "proof_jwt_header"},
		{"PP04 two jwks", rawHeader(t, `{"typ":"dpop+jwt","alg":"ES256","jwk":JWK,"jwk":JWK}`), "proof_jwt_header"},
		{"PP04 key of another use", setJWK("use", "enc"), "proof_jwt_key"},
		{"PP04 signed by another key", signedBy(other), "proof_jwt_signature"},
		{"PP04 altered claims", afterwards(func(j string) string { return swap(1, segment(t, newDraft(other).claims))(j) }), "proof_jwt_signature"},
		{"PP04 crit", setHeader("crit", []string{"exp"}), "proof_jwt_crit"},

		{"PP05 no jti", setClaim("jti", nil), "proof_claim_missing"},
		{"PP05 jti empty", setClaim("jti", ""), "proof_claim_jti"},
		{"PP05 jti a number", setClaim("jti", 1), "proof_claim_jti"},
		{"PP05 jti of 257 bytes", setClaim("jti", strings.Repeat("j", 257)), "proof_jti"},
		{"PP05 jti of 256 bytes", setClaim("jti", strings.Repeat("j", 256)), ""},
		{"PP05 jti of 100 KB", setClaim("jti", strings.Repeat("j", 100<<10)), "proof_jwt_size"},
		{"PP05 no htm", setClaim("htm", nil), "proof_claim_missing"},
		{"PP05 htm a list", setClaim("htm", []string{"GET"}), "proof_claim_missing"},
		{"PP05 no htu", setClaim("htu", nil), "proof_claim_missing"},
		{"PP05 htu an object", setClaim("htu", map[string]any{}), "proof_claim_missing"},
		{"PP05 iat a string", setClaim("iat", "1795521600"), "proof_claim_iat"},

		{"PP06 lower case", setClaim("htm", "get"), "proof_htm"},
		{"PP06 another method", setClaim("htm", "PUT"), "proof_htm"},

		{"PP07 upper-case scheme and host, default port", setClaim("htu", "HTTPS://API.Example.COM:443/catalog/items/1"), ""},
		{"PP07 escapes that need not be", setClaim("htu", "https://api.example.com/%63atalog/items/1"), ""},
		{"PP07 another path", setClaim("htu", resource+"0"), "proof_htu"},
		{"PP07 path in another case", setClaim("htu", "https://api.example.com/Catalog/items/1"), "proof_htu"},
		{"PP07 slash at the end", setClaim("htu", resource+"/"), "proof_htu"},
		{"PP07 http", setClaim("htu", "http://api.example.com/catalog/items/1"), "proof_htu"},
		{"PP07 wss", setClaim("htu", "wss://api.example.com/catalog/items/1"), "proof_htu"},
		{"PP07 another host", setClaim("htu", "https://evil.example/catalog/items/1"), "proof_htu"},
		{"PP07 another port", setClaim("htu", "https://api.example.com:8443/catalog/items/1"), "proof_htu"},
		{"PP07 user information", setClaim("htu", "https://api.example.com@evil.example/catalog/items/1"), "proof_htu"},
		{"PP07 user information, our host", setClaim("htu", "https://u@api.example.com/catalog/items/1"), "proof_htu"},
		{"PP07 encoded slash", setClaim("htu", "https://api.example.com/catalog%2Fitems/1"), "proof_htu"},
		{"PP07 dot segments", setClaim("htu", "https://api.example.com/catalog/x/../items/1"), "proof_htu"},
		{"PP07 relative", setClaim("htu", "/catalog/items/1"), "proof_htu"},

		{"PP08 now", setClaim("iat", now.Unix()), ""},
		{"PP08 60 s ago", setClaim("iat", now.Unix()-60), ""},
		{"PP08 61 s ago", setClaim("iat", now.Unix()-61), "proof_claim_age"},
		{"PP08 10 s ahead", setClaim("iat", now.Unix()+10), ""},
		{"PP08 11 s ahead", setClaim("iat", now.Unix()+11), "proof_claim_iat"},
		{"PP08 an hour ago", setClaim("iat", now.Unix()-hour), "proof_claim_age"},
		{"PP08 an hour ahead", setClaim("iat", now.Unix()+hour), "proof_claim_iat"},
		{"PP08 no iat", setClaim("iat", nil), "proof_claim_iat"},
		{"PP08 in milliseconds", setClaim("iat", now.UnixMilli()), "proof_claim_iat"},

		{"PP10 no ath", setClaim("ath", nil), "proof_ath"},
		{"PP10 of another token", setClaim("ath", ath(secret.New("spat_other"))), "proof_ath"},
		{"PP10 hex", setClaim("ath", hex.EncodeToString(make([]byte, 32))), "proof_ath"},
		{"PP10 padded", setClaim("ath", ath(boundToken)+"="), "proof_ath"},
		{"PP10 a number", setClaim("ath", 1), "proof_ath"},

		{"J092 a client assertion", func(d *draft) { d.header = with(d.header, "typ", "JWT"); d.claims = with(d.claims, "aud", "x") }, "proof_jwt_typ"},
		{"J092 an iss", setClaim("iss", "https://auth.example.com"), "proof_claim_iss"},
		{"J092 an aud", setClaim("aud", "https://api.example.com"), "proof_claim_aud"},
		{"unknown members are ignored", func(d *draft) {
			d.header, d.claims = with(d.header, "tx_id", 1), with(d.claims, "tx_id_key", 1)
		}, ""},
		{"a kid beside the jwk is ignored", setHeader("kid", "k1"), ""},
		{"members of the jwk that name it are ignored", func(d *draft) {
			d.header = with(d.header, "jwk", with(with(with(d.key.jwk, "kid", "k"), "use", "sig"), "alg", "ES256"))
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, _ := newProofs(t, &proofClock{now})
			key := es256(t)
			if _, err := p.Verify(t.Context(), newDraft(key).request(t)); err != nil {
				t.Fatalf("the proof without the change: %v", err)
			}
			d := newDraft(key)
			tt.change(d)
			_, err := p.Verify(t.Context(), d.request(t))
			checkReason(t, err, tt.reason)
		})
	}
}

func checkReason(t *testing.T, err error, want string) {
	t.Helper()
	var refused *token.ProofError
	got := ""
	if errors.As(err, &refused) {
		got = refused.Reason
	} else if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("reason %q, want %q (%v)", got, want, err)
	}
	if want != "" && errors.Is(err, token.ErrProof) == errors.Is(err, token.ErrUseNonce) {
		t.Errorf("%v must be one of the two answers", err)
	}
	for _, r := range token.ProofReasons {
		if r.Reason == got {
			return
		}
	}
	if got != "" {
		t.Errorf("reason %q is not in the table", got)
	}
}

func TestPP01OneHeaderLine(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	d := newDraft(es256(t))
	r := d.request(t)
	one := r.Lines[0]
	for _, tt := range []struct {
		name   string
		lines  []string
		reason string
	}{
		{"none", nil, "proof_missing"},
		{"two", []string{one, newDraft(d.key).jwt(t)}, "proof_repeated"},
		{"J141 the same twice", []string{one, one}, "proof_repeated"},
		{"one and an empty one", []string{one, ""}, "proof_repeated"},
		{"one", []string{one}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.Lines = tt.lines
			_, err := p.Verify(t.Context(), r)
			checkReason(t, err, tt.reason)
		})
	}
}

func TestPP03EachAlgorithmOfTheMetadata(t *testing.T) {
	t.Parallel()
	keys := map[string]appKey{"ES256": es256(t), "EdDSA": edKey(t, "EdDSA"), "Ed25519": edKey(t, "Ed25519"), "PS256": rsaKey(t, 2048, "PS256")}
	for _, alg := range token.ProofAlgorithms {
		key, ok := keys[string(alg)]
		if !ok {
			t.Fatalf("no key for %s", alg)
		}
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			p, _ := newProofs(t, &proofClock{now})
			d := newDraft(key)
			if _, err := p.Verify(t.Context(), d.request(t)); err != nil {
				t.Error(err)
			}
			d = newDraft(key)
			d.key.sign = func(in []byte) []byte { sig := key.sign(in); sig[5] ^= 1; return sig }
			_, err := p.Verify(t.Context(), d.request(t))
			checkReason(t, err, "proof_jwt_signature")
		})
	}
}

func TestPP04WeakKeys(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	p, _ := newProofs(t, &proofClock{now})
	big := rsaKey(t, 2048, "PS256")
	for _, tt := range []struct {
		name string
		key  appKey
	}{
		{"RSA-1024", rsaKey(t, 1024, "PS256")},
		// Signing is not needed: the size is refused before the signature is looked at.
		{"J134 RSA-8192", appKey{"PS256", with(big.jwk, "n", b64.EncodeToString(append([]byte{0xff}, secret.Random(1023)...))), big.sign}},
		{"e=3", appKey{"PS256", with(big.jwk, "e", "Aw"), big.sign}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := p.Verify(t.Context(), newDraft(tt.key).request(t))
			var refused *token.ProofError
			if !errors.As(err, &refused) || refused.Reason != "proof_jwt_key" && refused.Reason != "proof_jwt_size" {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := p.Verify(t.Context(), newDraft(big).request(t)); err != nil {
		t.Errorf("RSA-2048: %v", err)
	}
}

// With A and R the identity and S zero, Go's Ed25519 verifies any message.
func TestJ019SmallOrderKey(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	identity := append([]byte{1}, make([]byte, 31)...)
	key := edKey(t, "EdDSA")
	d := newDraft(key)
	if _, err := p.Verify(t.Context(), d.request(t)); err != nil {
		t.Errorf("not attacked: %v", err)
	}
	d = newDraft(appKey{
		"EdDSA",
		map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64.EncodeToString(identity)},
		func([]byte) []byte { return append(append([]byte(nil), identity...), make([]byte, 32)...) },
	})
	_, err := p.Verify(t.Context(), d.request(t))
	checkReason(t, err, "proof_jwt_key")
}

// The signature of a proof can be rewritten without its key. It is the same
// proof still.
func TestJ018OtherSignatureIsTheSameProof(t *testing.T) {
	t.Parallel()
	key := es256(t)
	flipped := func(jwt string) string {
		i := strings.LastIndexByte(jwt, '.') + 1
		sig, err := b64.DecodeString(jwt[i:])
		if err != nil {
			t.Fatal(err)
		}
		return jwt[:i] + b64.EncodeToString(flipS(sig))
	}
	for _, first := range []bool{true, false} {
		p, _ := newProofs(t, &proofClock{now})
		r := newDraft(key).request(t)
		as := []string{r.Lines[0], flipped(r.Lines[0])}
		if !first {
			as[0], as[1] = as[1], as[0]
		}
		r.Lines = as[:1]
		if _, err := p.Verify(t.Context(), r); err != nil {
			t.Fatalf("first: %v", err)
		}
		r.Lines = as[1:]
		_, err := p.Verify(t.Context(), r)
		checkReason(t, err, "proof_replayed")
	}
}

func TestPP09J094JTIIsUsedOnce(t *testing.T) {
	t.Parallel()
	c := &proofClock{now}
	p, _ := newProofs(t, c)
	key := es256(t)
	jti := setClaim("jti", "j1")
	send := func(key appKey, url string, changes ...func(*draft)) error {
		d := newDraft(key)
		jti(d)
		setClaim("htu", url)(d)
		for _, f := range changes {
			f(d)
		}
		r := d.request(t)
		r.URL = url
		_, err := p.Verify(t.Context(), r)
		return err
	}
	checkReason(t, send(key, resource), "")
	checkReason(t, send(key, resource), "proof_replayed")
	checkReason(t, send(key, resource, setClaim("iat", now.Unix()+1)), "proof_replayed") // signed anew
	checkReason(t, send(key, resource, setClaim("htu", "https://API.example.com:443/catalog/items/1")), "proof_replayed")
	checkReason(t, send(es256(t), resource), "")    // another key's jti is another
	checkReason(t, send(key, resource+"/more"), "") // and so is another address's
	checkReason(t, send(key, resource+"/more"), "proof_replayed")
	c.at = now.Add(60 * time.Second)
	checkReason(t, send(key, resource), "proof_replayed")
	c.at = now.Add(61 * time.Second)
	checkReason(t, send(key, resource), "proof_claim_age")
	c.at = now.Add(71 * time.Second)
	checkReason(t, send(key, resource, setClaim("iat", c.at.Unix())), "") // forgotten when nothing can come of it
}

func TestARequestThatIsRefusedSpendsNothing(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	good := newDraft(es256(t)).request(t)
	for name, change := range map[string]func(*token.ProofRequest){
		"another method": func(r *token.ProofRequest) { r.Method = "PUT" },
		"another URL":    func(r *token.ProofRequest) { r.URL += "0" },
		"another token":  func(r *token.ProofRequest) { r.Token = secret.New("x") },
		"needs a nonce":  func(r *token.ProofRequest) { r.NeedNonce = true },
		"signature":      func(r *token.ProofRequest) { r.Lines = []string{good.Lines[0][:len(good.Lines[0])-8] + "AAAAAAAA"} },
	} {
		r := good
		change(&r)
		if _, err := p.Verify(t.Context(), r); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
	if _, err := p.Verify(t.Context(), good); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// RFC 9449 §4.2, §7.1 and §6.1.
func TestPP23ExamplesOfRFC9449(t *testing.T) {
	t.Parallel()
	const (
		tokenProof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
			"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj" +
			"oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg" +
			"4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
		resourceProof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
			"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj" +
			"oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF" +
			"c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
		thumbprint  = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
		accessToken = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	)
	if got := ath(secret.New(accessToken)); got != "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" {
		t.Errorf("ath %s", got)
	}
	for name, r := range map[string]token.ProofRequest{
		"§4.2 at the token endpoint": {Lines: []string{tokenProof}, Method: "POST", URL: "https://server.example.com/token", NonceFor: token.NonceIssuer},
		"§7.1 at a resource": {
			Lines: []string{resourceProof}, Method: "GET", URL: "https://resource.example.org/protectedresource",
			Token: secret.New(accessToken), NonceFor: token.NonceGateway,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newProofs(t, &proofClock{time.Unix(1562262620, 0)})
			jkt, err := p.Verify(t.Context(), r)
			if err != nil || b64.EncodeToString(jkt[:]) != thumbprint {
				t.Errorf("%s, %v", b64.EncodeToString(jkt[:]), err)
			}
			late, _ := newProofs(t, &proofClock{now})
			_, err = late.Verify(t.Context(), r)
			checkReason(t, err, "proof_claim_age")
		})
	}
}

func TestPP11ThumbprintIsOverTheRequiredMembers(t *testing.T) {
	t.Parallel()
	p, _ := newProofs(t, &proofClock{now})
	key := es256(t)
	plain, err := p.Verify(t.Context(), newDraft(key).request(t))
	if err != nil {
		t.Fatal(err)
	}
	d := newDraft(key)
	d.header = with(d.header, "jwk", with(with(key.jwk, "kid", "k"), "extra", "x"))
	more, err := p.Verify(t.Context(), d.request(t))
	if err != nil || plain != more {
		t.Errorf("%x, %x: %v", plain, more, err)
	}
	if other, err := p.Verify(t.Context(), newDraft(es256(t)).request(t)); err != nil || other == plain {
		t.Errorf("another key: %x, %v", other, err)
	}
}

func TestProofReasonsAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range token.ProofReasons {
		if seen[r.Reason] || r.Meaning == "" || r.Source == "" {
			t.Errorf("LG08 %q: twice, or without meaning", r.Reason)
		}
		seen[r.Reason] = true
	}
}

func TestNewProofsNeedsEverything(t *testing.T) {
	t.Parallel()
	ring, _, _ := newRing(t)
	table := token.NewReplayTable(0, clock)
	for name, o := range map[string]token.ProofOptions{
		"no ring":   {Replay: table, Now: clock},
		"no replay": {Ring: ring, Now: clock},
		"no clock":  {Ring: ring, Replay: table},
	} {
		if _, err := token.NewProofs(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
