package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

const mutualURL = "https://auth.example.com:8444"

const algs = `algs="ES256 EdDSA Ed25519 PS256"`

// passes calls with lines and wants the backend to be reached.
func (f *fixture) passes(t *testing.T, target string, lines ...string) seen {
	t.Helper()
	got := f.call("GET", target, lines...)
	calls := f.taken()
	if got.Status != 200 || len(calls) != 1 {
		t.Fatalf("status %d %s, %v, %d calls", got.Status, got.Code, f.reasons(), len(calls))
	}
	return calls[0]
}

// refused wants the answer, the reason in the log, and no call.
func (f *fixture) refused(t *testing.T, got answer, code, reason string) {
	t.Helper()
	if got.Status != 401 || got.Code != code {
		t.Errorf("got %d %s, want 401 %s", got.Status, got.Code, code)
	}
	if why := strings.Join(f.reasons(), ","); why != reason {
		t.Errorf("reason %q, want %q", why, reason)
	}
	if n := len(f.taken()); n != 0 {
		t.Errorf("the backend got %d calls", n)
	}
}

func TestPP10PP11PP12BoundTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d, thief := f.device(), f.device()
	tok, other := d.token(), d.token()
	bearer := f.seal(f.access())
	const invalid, proof = "invalid_token", "invalid_dpop_proof"
	for _, tt := range []struct {
		name         string
		lines        []string
		code, reason string
	}{
		{"PP10 ath of another token", []string{"Authorization: DPoP " + tok, "DPoP: " + d.proof(other)}, proof, "proof.refused proof_ath"},
		{"PP10 no ath", d.lines(tok, claim("ath", nil)), proof, "proof.refused proof_ath"},
		{"PP11 proof by another key", []string{"Authorization: DPoP " + tok, "DPoP: " + thief.proof(tok)}, invalid, "proof.refused proof_other_key"},
		{"PP11 J096 the right jwk, another signature", []string{"Authorization: DPoP " + tok, "DPoP: " + thief.proof(tok, header("jwk", d.jwk))}, proof, "proof.refused proof_jwt_signature"},
		{"PP12 J096 bound token as Bearer", []string{"Authorization: Bearer " + tok}, invalid, "request.refused dpop_token_as_bearer"},
		{"PP12 bound token as Bearer, with proof", []string{"Authorization: Bearer " + tok, "DPoP: " + d.proof(tok)}, invalid, "request.refused dpop_token_as_bearer"},
		{"PP12 Bearer token as DPoP", []string{"Authorization: DPoP " + bearer, "DPoP: " + d.proof(bearer)}, invalid, "request.refused bearer_token_as_dpop"},
		{"PP01 no proof", []string{"Authorization: DPoP " + tok}, proof, "proof.refused proof_missing"},
		{"PP01 two proofs", append(d.lines(tok), "DPoP: "+d.proof(tok)), proof, "proof.refused proof_repeated"},
		{"PP01 J141 comma list", []string{"Authorization: DPoP " + tok, "DPoP: " + d.proof(tok) + ", " + d.proof(tok)}, proof, "proof.refused proof_repeated"},
		{"PP18 proof in Proxy-Authorization", []string{"Proxy-Authorization: DPoP " + tok, "DPoP: " + d.proof(tok)}, "unauthorized", "request.refused no_credential"},
		{"J140 Basic", []string{"Authorization: Basic dTpw", "DPoP: " + d.proof(tok)}, "unauthorized", "request.refused basic_credential"},
		{"a proof alone", []string{"DPoP: " + d.proof(tok)}, "unauthorized", "request.refused no_credential"},
		{"expired, with a good proof", d.lines(d.token(func(a *token.Access) { a.IssuedAt -= 3600 })), invalid, "request.refused token_expired"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.refused(t, f.call("GET", "/catalog/items/1", tt.lines...), tt.code, tt.reason)
			f.passes(t, "/catalog/items/1", d.lines(tok)...)
		})
	}
	t.Run("PP12 both schemes at once", func(t *testing.T) {
		got := f.call("GET", "/catalog/items/1", append(d.lines(tok), "Authorization: Bearer "+tok)...)
		if got.Status != 400 || len(f.taken()) != 0 {
			t.Errorf("status %d", got.Status)
		}
	})
	t.Run("a bearer token is not hurt by a DPoP header", func(t *testing.T) {
		r := f.passes(t, "/catalog/items/1", "Authorization: Bearer "+bearer, "DPoP: nonsense")
		if r.Header["Dpop"] != nil {
			t.Error("the header reached the backend")
		}
	})
}

func TestPP12SchemeInAnyCase(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d := f.device()
	for _, scheme := range []string{"DPoP", "dpop", "DPOP"} {
		tok := d.token()
		r := f.passes(t, "/catalog/items/1", "Authorization: "+scheme+" "+tok, "dpop: "+d.proof(tok))
		if r.Header["Dpop"] != nil {
			t.Error("GW18 the proof reached the backend")
		}
		inner := verified(t, f.keys(), r.Header.Get("Authorization"))
		if _, there := inner["cnf"]; there {
			t.Error("the inner token asks the backend for a proof that the gateway cannot give")
		}
	}
}

// htu is held against what the configuration says, whatever the request says of
// itself.
func TestPP07AddressIsConfigured(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, func(o *gateway.Options) { o.MutualTLS = mutualURL })
	d := f.device()
	const path = "/catalog/items/1"
	for _, tt := range []struct {
		name, htu, target string
		host              string
		more              []string
		pass              bool
	}{
		{name: "of the audience", htu: "https://api.example.com" + path, host: "api.example.com", pass: true},
		{name: "default port in Host", htu: "https://api.example.com" + path, host: "API.example.com:443", pass: true},
		{name: "upper case and port in htu", htu: "HTTPS://API.EXAMPLE.COM:443" + path, host: "api.example.com", pass: true},
		{name: "query does not count", htu: "https://api.example.com" + path, target: path + "?a=b", host: "api.example.com", pass: true},
		{name: "query in htu does not count", htu: "https://api.example.com" + path + "?c=d#e", target: path + "?a=b", host: "api.example.com", pass: true},
		{name: "of the issuer", htu: "https://auth.example.com" + path, host: "auth.example.com", pass: true},
		{name: "where certificates are asked for", htu: mutualURL + path, host: "auth.example.com:8444", pass: true},
		{name: "where certificates are asked for, at the API's host", htu: "https://api.example.com:8444" + path, host: "api.example.com:8444", pass: true},
		{name: "another port", htu: "https://api.example.com:8445" + path, host: "api.example.com:8445"},
		{name: "of the issuer, at the other host", htu: "https://auth.example.com" + path, host: "api.example.com"},
		{name: "another Host", htu: "https://evil.example" + path, host: "evil.example"},
		{name: "X-Forwarded-Host", htu: "https://evil.example" + path, host: "api.example.com", more: []string{"X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"}},
		{name: "X-Forwarded-Proto", htu: "http://api.example.com" + path, host: "api.example.com", more: []string{"X-Forwarded-Proto: http"}},
		{name: "X-Forwarded-Prefix", htu: "https://api.example.com/x" + path, host: "api.example.com", more: []string{"X-Forwarded-Prefix: /x"}},
		{name: "another item", htu: "https://api.example.com/catalog/items/2", host: "api.example.com"},
		{name: "encoded slash", htu: "https://api.example.com/catalog%2Fitems/1", host: "api.example.com"},
		{name: "escapes in either case", htu: "https://api.example.com/catalog/items/%c3%a9", target: "/catalog/items/%C3%A9", host: "api.example.com", pass: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tok, target := d.token(), tt.target
			if target == "" {
				target = path
			}
			got := f.raw(slices.Concat([]string{"GET " + target + " HTTP/1.1", "Host: " + tt.host, "Connection: close"}, d.lines(tok, claim("htu", tt.htu)), tt.more)...)
			if !tt.pass {
				f.refused(t, got, "invalid_dpop_proof", "proof.refused proof_htu")
			} else if got.Status != 200 || len(f.taken()) != 1 {
				t.Errorf("status %d %v", got.Status, f.reasons())
			}
		})
	}
}

func TestPP06MethodIsExact(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d := f.device()
	write := func(a *token.Access) { a.Scope = "catalog.read catalog.write" }
	tok := d.token(write)
	if got := f.call("PUT", "/catalog/items/1", append(d.lines(tok, claim("htm", "PUT")), "Content-Length: 0")...); got.Status != 200 {
		t.Errorf("PUT: %d %v", got.Status, f.reasons())
	}
	if got := f.call("HEAD", "/catalog/items/1", d.lines(tok, claim("htm", "HEAD"))...); got.Status != 200 {
		t.Errorf("HEAD: %d %v", got.Status, f.reasons())
	}
	f.taken()
	for _, htm := range []string{"GET", "put"} {
		f.refused(t, f.call("PUT", "/catalog/items/1", append(d.lines(tok, claim("htm", htm)), "Content-Length: 0")...), "invalid_dpop_proof", "proof.refused proof_htm")
	}
	got := f.call("GET", "/catalog/items/1", append(d.lines(tok, claim("htm", "PUT")), "X-HTTP-Method-Override: PUT")...)
	if got.Status != 400 || len(f.taken()) != 0 {
		t.Errorf("override: %d", got.Status)
	}
}

func TestPP09J094ProofsAreSpentAtTheGateway(t *testing.T) {
	t.Parallel()
	replay := token.NewReplayTable(0, time.Now)
	var ring *token.Ring
	shared := func(o *gateway.Options) {
		if ring == nil {
			ring = o.Ring
		}
		proofs, err := token.NewProofs(token.ProofOptions{Ring: o.Ring, Replay: replay, Now: o.Now})
		if err != nil {
			t.Fatal(err)
		}
		o.Proofs = proofs
	}
	f := newFixture(t, nil, shared)
	// The other node has the same ring and asks the same store.
	node := newFixture(t, nil, func(o *gateway.Options) { o.Ring = ring }, shared)
	d := f.device()
	tok := d.token()
	lines := d.lines(tok)
	f.passes(t, "/catalog/items/1", lines...)
	f.refused(t, f.call("GET", "/catalog/items/1", lines...), "invalid_dpop_proof", "proof.refused proof_replayed")
	node.refused(t, node.call("GET", "/catalog/items/1", lines...), "invalid_dpop_proof", "proof.refused proof_replayed")
	node.passes(t, "/catalog/items/1", d.lines(tok)...)
}

// Whatever refuses a call, the proof is good for the next one.
func TestARefusedCallSpendsNoProof(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d := f.device()
	tok := d.token()
	lines := d.lines(tok)
	thief := f.seal(f.access())
	for name, got := range map[string]answer{
		"a thief's own token":   f.call("GET", "/catalog/items/1", "Authorization: DPoP "+thief, lines[1]),
		"another path":          f.call("GET", "/catalog/items/2", lines...),
		"another method":        f.call("PUT", "/catalog/items/1", append(lines, "Content-Length: 0")...),
		"as Bearer":             f.call("GET", "/catalog/items/1", "Authorization: Bearer "+tok, lines[1]),
		"a scope that it lacks": f.call("GET", "/catalog/items/1", d.lines(d.token(func(a *token.Access) { a.Scope = "openid" }))...),
	} {
		if got.Status < 400 {
			t.Errorf("%s: status %d", name, got.Status)
		}
	}
	f.taken()
	f.passes(t, "/catalog/items/1", lines...)
}

type brokenReplay struct{ err error }

func (b brokenReplay) Spend(context.Context, [32]byte, time.Time) (bool, error) { return false, b.err }

func TestPP09AStoreThatCannotBeAskedRefuses(t *testing.T) {
	t.Parallel()
	for reason, err := range map[string]error{"replay_full": token.ErrReplayFull, "replay_unavailable": errors.New("connection refused")} {
		f := newFixture(t, nil, func(o *gateway.Options) {
			o.Proofs, _ = token.NewProofs(token.ProofOptions{Ring: o.Ring, Replay: brokenReplay{err}, Now: o.Now})
		})
		d := f.device()
		got := f.call("GET", "/catalog/items/1", d.lines(d.token())...)
		if got.Status != 503 || got.Header.Get("Retry-After") == "" || strings.Join(f.reasons(), ",") != "request.refused "+reason || len(f.taken()) != 0 {
			t.Errorf("%d %v", got.Status, f.reasons())
		}
		if got := f.get("/catalog/items/1", f.bearer()); got.Status != 200 {
			t.Errorf("bearer tokens need no store: %d", got.Status)
		}
	}
}

// high makes the API one of tier high.
func high(o *gateway.Options) { o.APIs[0].Tier = token.TierHigh }

func strong(a *token.Access) { a.ACR, a.Lifetime = token.ACRMFA, 300 }

func TestPP13NoncesInTierHigh(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("DPoP-Nonce", "of the backend") }, high)
	call := func(d *device, edits ...edit) answer {
		f.catchUp()
		return f.call("GET", "/catalog/items/1", d.lines(d.token(strong), edits...)...)
	}
	d := f.device()
	foreign := newProofs(t, newRing(t), f.now)
	own := newProofs(t, f.ring, f.now)
	for name, nonce := range map[string]any{
		"none": nil, "of the issuer": own.Nonce(token.NonceIssuer), "of a stranger": foreign.Nonce(token.NonceGateway), "nonsense": "abc",
	} {
		got := call(d, claim("nonce", nonce))
		reason := "request.refused proof_nonce_stale"
		if nonce == nil {
			reason = "request.refused proof_nonce_missing"
		}
		f.refused(t, got, "use_dpop_nonce", reason)
		if c := got.Header["Www-Authenticate"]; len(c) != 1 || !strings.HasPrefix(c[0], `DPoP error="use_dpop_nonce", `+algs) {
			t.Errorf("%s: challenge %q", name, c)
		}
		nonces := got.Header["Dpop-Nonce"]
		if len(nonces) != 1 || got.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d nonces", name, len(nonces))
		}
		// The client retries once.
		again := call(d, claim("nonce", nonces[0]))
		if again.Status != 200 || len(again.Header["Dpop-Nonce"]) != 0 {
			t.Errorf("%s: retried: %d %v, nonces %q", name, again.Status, f.reasons(), again.Header["Dpop-Nonce"])
		}
		f.taken()
	}
	nonce := own.Nonce(token.NonceGateway) // another node's, as far as this gateway knows
	f.ahead.Store(int64(200 * time.Second))
	f.catchUp()
	got := call(d, claim("nonce", nonce))
	next := got.Header["Dpop-Nonce"]
	if got.Status != 200 || len(next) != 1 || next[0] == nonce || next[0] == "of the backend" {
		t.Errorf("an old nonce: %d, next %q", got.Status, next)
	}
	if got := call(d, claim("nonce", next[0])); got.Status != 200 {
		t.Errorf("the next: %d", got.Status)
	}
	f.ahead.Store(int64(6 * time.Minute))
	if got := call(d, claim("nonce", nonce)); got.Code != "use_dpop_nonce" || len(got.Header["Dpop-Nonce"]) != 1 {
		t.Errorf("stale: %d %s", got.Status, got.Code)
	}
	if got := f.get("/catalog/items/1", ""); got.Status != 401 || len(got.Header["Dpop-Nonce"]) != 1 {
		t.Errorf("without credential: %d, nonces %q", got.Status, got.Header["Dpop-Nonce"])
	}
}

func TestPP13TheFirstNonceComesWithTheFirstRefusal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil, high)
	d := f.device()
	first := f.get("/catalog/items/1", "")
	f.catchUp()
	got := f.call("GET", "/catalog/items/1", d.lines(d.token(strong), claim("nonce", first.Header.Get("DPoP-Nonce")))...)
	if got.Status != 200 {
		t.Errorf("%d %v", got.Status, f.reasons())
	}
	standard := newFixture(t, nil)
	if got := standard.get("/catalog/items/1", ""); got.Header["Dpop-Nonce"] != nil {
		t.Error("a nonce where none is needed")
	}
}

func TestPP19Challenges(t *testing.T) {
	t.Parallel()
	const link = `resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/catalog"`
	dpop := "DPoP " + algs + ", " + link
	bearer := "Bearer " + link
	mutual := func(o *gateway.Options) { o.MutualTLS = mutualURL }
	for _, tt := range []struct {
		name    string
		changes []change
		want    []string
	}{
		{"standard", nil, []string{bearer, dpop}},
		{"high", []change{high}, []string{dpop}},
		{"high, with certificates", []change{high, mutual}, []string{dpop, bearer}},
	} {
		f := newFixture(t, nil, tt.changes...)
		for _, authorization := range []string{"", "Basic dTpw"} {
			if got := f.get("/catalog/items/1", authorization).Header["Www-Authenticate"]; !slices.Equal(got, tt.want) {
				t.Errorf("%s, %q: %q", tt.name, authorization, got)
			}
		}
	}
	f := newFixture(t, nil)
	d := f.device()
	with := func(code, more string) string { return `DPoP error="` + code + `", ` + more + algs + ", " + link }
	for name, tt := range map[string]struct {
		got  answer
		want string
	}{
		"proof":     {f.call("GET", "/catalog/items/1", "Authorization: DPoP "+d.token()), with("invalid_dpop_proof", "")},
		"token":     {f.call("GET", "/catalog/items/1", "Authorization: DPoP spat_x", "DPoP: x"), with("invalid_token", "")},
		"form":      {f.call("GET", "/catalog/items/1", "Authorization: DPoP"), with("invalid_request", "")},
		"scope":     {f.call("PUT", "/catalog/items/1", append(d.lines(d.token(), claim("htm", "PUT")), "Content-Length: 0")...), with("insufficient_scope", `scope="catalog.write", `)},
		"other key": {f.call("GET", "/catalog/items/1", d.lines(f.device().token())...), with("invalid_token", "")},
	} {
		if got := tt.got.Header["Www-Authenticate"]; !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A wrong proof has one answer, whatever is wrong with it.
func TestLG08ProofsHaveOneAnswerAndManyReasons(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d := f.device()
	tok := d.token()
	var first answer
	reasons := map[string]bool{}
	for _, e := range []edit{
		header("typ", "JWT"), header("alg", "none"), header("jwk", nil), claim("jti", nil), claim("htm", "PUT"),
		claim("htu", "x"), claim("iat", 1), claim("ath", "x"), claim("iss", "x"),
	} {
		got := f.call("GET", "/catalog/items/1", d.lines(tok, e)...)
		got.Header.Del("Date")
		if first.Status == 0 {
			first = got
		}
		if got.Body != first.Body || got.Status != 401 || got.Header.Get("WWW-Authenticate") != first.Header.Get("WWW-Authenticate") || len(got.Header) != len(first.Header) {
			t.Errorf("the answer tells which check failed: %v", got)
		}
		reasons[strings.Join(f.reasons(), ",")] = true
	}
	if len(reasons) != 9 {
		t.Errorf("%d reasons for 9 faults: %v", len(reasons), reasons)
	}
}

func TestPP22EveryRequestIsProved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, streaming(t))
	d := f.device()
	tok := d.token()
	live := claim("htu", "https://api.example.com/catalog/items/live")
	for _, upgrade := range []bool{true, false} {
		want := map[bool]int{true: 101, false: 200}[upgrade]
		for name, line := range map[string]string{
			"no proof":                 "X-Nothing: x",
			"a proof for another path": "DPoP: " + d.proof(tok),
			"another key":              "DPoP: " + f.device().proof(tok, live),
		} {
			if got := open(t, f, "DPoP "+tok, upgrade, line).head.StatusCode; got != 401 {
				t.Errorf("upgrade %v, %s: status %d", upgrade, name, got)
			}
		}
		if got := open(t, f, "Bearer "+tok, upgrade).head.StatusCode; got != 401 {
			t.Errorf("upgrade %v as Bearer: status %d", upgrade, got)
		}
		if n := len(f.taken()); n != 0 {
			t.Errorf("the backend got %d calls", n)
		}
		proof := "DPoP: " + d.proof(tok, live)
		if got := open(t, f, "DPoP "+tok, upgrade, proof).head.StatusCode; got != want {
			t.Errorf("upgrade %v with a proof: status %d %v", upgrade, got, f.reasons())
		}
		if got := open(t, f, "DPoP "+tok, upgrade, proof).head.StatusCode; got != 401 {
			t.Errorf("upgrade %v with the same proof: status %d", upgrade, got)
		}
		f.taken()
	}
	t.Run("J140 a proof in the sub-protocol is none", func(t *testing.T) {
		if got := open(t, f, "DPoP "+tok, true, "Sec-WebSocket-Protocol: dpop, "+d.proof(tok, live)).head.StatusCode; got != 401 {
			t.Errorf("status %d", got)
		}
	})
}

// The blocks of the OpenID Foundation's DPoP negative tests for FAPI 2.0, at
// tier standard. Each ends with the check that a correct proof still works.
func TestPP23ConformanceBlocks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d := f.device()
	tok := d.token()
	hour := int64(3600)
	now := f.now().Unix()
	upper := "HTTPS://API.EXAMPLE.COM/catalog/items/1"
	auth := "Authorization: DPoP " + tok
	cut := func(p string) string { return p[:strings.LastIndexByte(p, '.')] }
	renamed := func(p string) string {
		head, rest, _ := strings.Cut(p, ".")
		b, _ := b64.DecodeString(head)
		return b64.EncodeToString([]byte(strings.ReplaceAll(string(b), `"alg"`, `"alg2"`))) + "." + rest
	}
	reused := d.lines(tok)
	for _, tt := range []struct {
		name  string
		lines []string
		pass  bool
	}{
		{"upper-case header name", []string{auth, "DPOP: " + d.proof(tok)}, true},
		{"more than one header", append(d.lines(tok), "DPoP: "+d.proof(tok)), false},
		{"not well-formed", []string{auth, "DPoP: " + cut(d.proof(tok))}, false},
		{"typ missing", d.lines(tok, header("typ", nil)), false},
		{"alg missing", []string{auth, "DPoP: " + renamed(d.proof(tok))}, false},
		{"jwk missing", d.lines(tok, header("jwk", nil)), false},
		{"jti missing", d.lines(tok, claim("jti", nil)), false},
		{"htm missing", d.lines(tok, claim("htm", nil)), false},
		{"htu missing", d.lines(tok, claim("htu", nil)), false},
		{"iat missing", d.lines(tok, claim("iat", nil)), false},
		{"ath missing", d.lines(tok, claim("ath", nil)), false},
		{"typ invalid", d.lines(tok, header("typ", "dpop+jwt+wrongyousee")), false},
		{"RS256", d.lines(tok, header("alg", "RS256")), false},
		{"none", []string{auth, "DPoP: " + b64.EncodeToString([]byte(`{"alg": "none", "typ": "dpop+jwt"}`)) + "." + strings.Split(d.proof(tok), ".")[1] + "."}, false},
		{"signature invalid", []string{auth, "DPoP: " + flipLast(d.proof(tok))}, false},
		{"private key in jwk", d.lines(tok, func(h, _ map[string]any) {
			h["jwk"] = map[string]any{"kty": "EC", "crv": "P-256", "x": d.jwk["x"], "y": d.jwk["y"], "d": b64.EncodeToString(make([]byte, 32))}
		}), false},
		{"htm incorrect", d.lines(tok, claim("htm", "PUT")), false},
		{"htu with query and fragment", d.lines(tok, claim("htu", "https://api.example.com/catalog/items/1?all#that")), true},
		{"htu without query and fragment", d.lines(tok), true},
		{"htu of a different URL", d.lines(tok, claim("htu", "https://api.example.com/catalog/items/1x")), false},
		{"iat an hour ahead", d.lines(tok, claim("iat", now+hour)), false},
		{"iat an hour ago", d.lines(tok, claim("iat", now-hour)), false},
		{"first use of a jti", reused, true},
		{"second use of a jti", reused, false},
		{"ath incorrect", d.lines(tok, claim("ath", b64.EncodeToString(make([]byte, 32)))), false},
		{"another key", []string{auth, "DPoP: " + f.device().proof(tok)}, false},
		{"unknown members", d.lines(tok, header("tx_id", now), claim("tx_id_key", now)), true},
		{"htu in upper case", d.lines(tok, claim("htu", upper)), true},
		{"htu with the default port", d.lines(tok, claim("htu", "https://api.example.com:443/catalog/items/1")), true},
		{"no proof", []string{auth}, false},
		{"no proof, as Bearer", []string{"Authorization: Bearer " + tok}, false},
		{"a correct proof still works", d.lines(tok), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := f.call("GET", "/catalog/items/1", tt.lines...)
			if ok := got.Status == 200; ok != tt.pass || !ok && got.Status != 401 {
				t.Errorf("status %d %v", got.Status, f.reasons())
			}
			if n := len(f.taken()); (n == 1) != tt.pass {
				t.Errorf("the backend got %d calls", n)
			}
			if !tt.pass {
				f.passes(t, "/catalog/items/1", d.lines(tok)...)
			}
		})
	}
}

func flipLast(s string) string {
	b := []byte(s)
	if i := len(b) - 10; b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

func TestPP19MetadataAndCORS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                  string
		changes               []change
		required, certificate bool
	}{
		{"standard", nil, false, false},
		{"high", []change{high}, true, false},
		{"high, with certificates", []change{high, func(o *gateway.Options) { o.MutualTLS = mutualURL }}, false, true},
	} {
		f := newFixture(t, nil, tt.changes...)
		var doc struct {
			Algs        []string `json:"dpop_signing_alg_values_supported"`
			Required    *bool    `json:"dpop_bound_access_tokens_required"`
			Certificate *bool    `json:"tls_client_certificate_bound_access_tokens"`
		}
		if err := json.Unmarshal([]byte(f.get("/.well-known/oauth-protected-resource/catalog", "").Body), &doc); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(doc.Algs, []string{"ES256", "EdDSA", "Ed25519", "PS256"}) || doc.Required == nil || *doc.Required != tt.required || doc.Certificate == nil || *doc.Certificate != tt.certificate {
			t.Errorf("%s: %+v", tt.name, doc)
		}
	}
	f := newFixture(t, nil)
	got := f.call("OPTIONS", "/catalog/items/1", "Origin: https://app.example.com", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization,dpop,cookie")
	if got.Status != 204 || got.Header.Get("Access-Control-Allow-Headers") != "authorization, dpop" {
		t.Errorf("preflight: %d %v", got.Status, got.Header)
	}
	got = f.call("GET", "/catalog/items/1", "Origin: https://app.example.com")
	for _, name := range []string{"DPoP-Nonce", "WWW-Authenticate"} {
		if !strings.Contains(got.Header.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("%s is not exposed", name)
		}
	}
}

func TestDPoPOverHTTP2(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	front := httptest.NewUnstartedServer(f.handler())
	front.EnableHTTP2 = true
	front.StartTLS()
	t.Cleanup(front.Close)
	d := f.device()
	tok := d.token()
	one := d.proof(tok)
	for _, tt := range []struct {
		name   string
		proofs []string
		status int
	}{
		{"PP01 two", []string{d.proof(tok), d.proof(tok)}, 401},
		{"one", []string{one}, 200},
		{"PP09 again", []string{one}, 401},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", front.URL+"/catalog/items/1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "api.example.com"
		req.Header = http.Header{"Authorization": {"DPoP " + tok}, "Dpop": tt.proofs}
		res, err := front.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, res); got.Status != tt.status || res.ProtoMajor != 2 {
			t.Errorf("%s: status %d, HTTP/%d, %v", tt.name, got.Status, res.ProtoMajor, f.reasons())
		}
	}
}

func TestJ141TokensAndProofsDoNotMix(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	d := f.device()
	tok := d.token()
	for name, target := range map[string]string{
		"query": "/catalog/items/1?access_token=" + tok, "another name": "/catalog/items/1?dpop=" + tok,
	} {
		if got := f.call("GET", target, d.lines(tok)...); got.Status != 400 || len(f.taken()) != 0 {
			t.Errorf("J140 %s: %d", name, got.Status)
		}
	}
	f.refused(t, f.call("GET", "/catalog/items/1", "Cookie: dpop="+tok, "DPoP: "+d.proof(tok)), "unauthorized", "request.refused no_credential")
	if got := f.call("GET", "/catalog/items/1", append(d.lines(tok), "Connection: dpop, authorization")...); got.Status != 200 {
		t.Errorf("J142 hop-by-hop: %d %v", got.Status, f.reasons())
	}
	if got := f.call("GET", "/catalog/items/1", "Authorization: DPoP "+tok, "DPoP : "+d.proof(tok)); got.Status != 400 {
		t.Errorf("J142 space before the colon: %d", got.Status)
	}
	for _, lines := range [][]string{
		{"Authorization: DPoP " + tok + ", DPoP " + tok}, {"Authorization: DPoP  " + tok}, {"Authorization: DPoP " + tok + " " + secret.NewID(f.now()).String()},
	} {
		if got := f.call("GET", "/catalog/items/1", append(lines, "DPoP: "+d.proof(tok))...); got.Status != 400 {
			t.Errorf("%q: %d", lines, got.Status)
		}
	}
}
