package oauth_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

func TestPP14TokensAreBoundToTheKeyOfTheProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for client, scope := range map[string]string{"app": "openid catalog.read", "web": "openid catalog.read", "job": "catalog.read"} {
		key := r.newKey()
		first := func(proofs ...string) oauth.Request {
			if client == "job" {
				return with(r.form("grant_type", "client_credentials", "client_id", client, "client_secret", "yes", "scope", scope), proofs...)
			}
			return with(r.redemption(client, r.code("client_id", client, "scope", scope)), proofs...)
		}
		answers := map[string]*oauth.TokenResponse{"first": r.mustSend(first(key.proof()))}
		if client != "job" {
			answers["refreshed"] = r.mustSend(with(r.refreshment(client, answers["first"].RefreshToken), key.proof()))
		}
		for which, res := range answers {
			if res.TokenType != "DPoP" || r.opened(res.AccessToken).Confirm != key.confirmation() {
				t.Errorf("%s, %s: token_type %q, bound to %v", client, which, res.TokenType, r.opened(res.AccessToken).Confirm)
			}
			var body map[string]any
			if err := json.Unmarshal(res.AppendJSON(nil), &body); err != nil || body["token_type"] != "DPoP" {
				t.Errorf("%s, %s: %v %v", client, which, body["token_type"], err)
			}
			seen := r.introspect("rs", res.AccessToken)
			if cnf, _ := seen["cnf"].(map[string]any); seen["token_type"] != "DPoP" || len(cnf) != 1 || cnf["jkt"] != key.jkt() {
				t.Errorf("%s, %s: introspection says %v", client, which, seen)
			}
		}
		bare := r.mustSend(first())
		seen := r.introspect("rs", bare.AccessToken)
		if _, bound := seen["cnf"]; bare.TokenType != "Bearer" || seen["token_type"] != "Bearer" || bound {
			t.Errorf("%s without a proof: %q, introspection says %v", client, bare.TokenType, seen)
		}
	}
}

func TestProofsAreJudgedAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, now := r.newKey(), r.clock.now().Unix()
	used := key.proof()
	r.mustSend(with(r.redemption("app", r.code()), used))
	code := r.code()
	good := key.proof()
	for name, lines := range map[string][]string{
		"PP01 two headers":               {key.proof(), key.proof()},
		"PP01 two in one header":         {key.proof() + ", " + key.proof()},
		"PP01 no JWT":                    {"x"},
		"PP02 another typ":               {key.sign(map[string]any{"typ": "JWT", "alg": "ES256", "jwk": key.jwk()}, nil)},
		"PP03 none":                      {key.sign(map[string]any{"typ": "dpop+jwt", "alg": "none", "jwk": key.jwk()}, nil)},
		"PP04 another key's signature":   {key.sign(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": r.newKey().jwk()}, nil)},
		"PP05 no jti":                    {key.proof("jti", nil)},
		"PP06 another method":            {key.proof("htm", "GET")},
		"PP06 the method in small":       {key.proof("htm", "post")},
		"PP07 another endpoint":          {key.proof("htu", issuer+"/oauth/userinfo")},
		"PP07 another host":              {key.proof("htu", "https://evil.example/oauth/token")},
		"PP08 an hour old":               {key.proof("iat", now-3600)},
		"PP08 an hour ahead":             {key.proof("iat", now+3600)},
		"PP08 no time":                   {key.proof("iat", nil)},
		"PP09 J094 used before":          {used},
		"an empty header":                {""},
		"a proof in an access token":     {r.tokens().AccessToken.Reveal()},
		"PP04 cut by a character":        {good[:len(good)-1]},
		"PP09 used, and one that is not": {used, key.proof()},
	} {
		_, err := r.send(with(r.redemption("app", code), lines...))
		if wantCode(t, err, "invalid_dpop_proof"); t.Failed() {
			t.Fatal(name)
		}
	}
	// None of them spent the code, and nothing else is wrong with the request.
	if res := r.mustSend(with(r.redemption("app", code), good)); res.TokenType != "DPoP" {
		t.Errorf("token_type %q", res.TokenType)
	}
}

func TestPP13TierHighNeedsANonceOfTheIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	other, err := token.NewProofs(token.ProofOptions{Ring: r.ring, Replay: token.NewReplayTable(0, r.clock.now), Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	old := r.proofs.Nonce(token.NonceIssuer)
	r.later(10 * time.Minute)
	r.signIn()
	code := r.code("scope", "pay")
	for name, nonce := range map[string]any{"missing": nil, "stale": old, "the gateway's": r.proofs.Nonce(token.NonceGateway), "invented": b64(secret.Random(36))} {
		_, err := r.send(with(r.redemption("app", code), key.proof("nonce", nonce)))
		var e *oauth.Error
		if wantCode(t, err, "use_dpop_nonce"); !errors.As(err, &e) || e.Nonce == "" {
			t.Fatalf("%s: %v", name, err)
		}
		if old = e.Nonce; old != r.proofs.Nonce(token.NonceIssuer) {
			t.Errorf("%s: the nonce sent is not the current one", name)
		}
	}
	_, err = r.send(r.redemption("app", code))
	wantCode(t, err, "invalid_dpop_proof") // tier high gives no bearer token
	res := r.mustSend(with(r.redemption("app", code), key.proof("nonce", other.Nonce(token.NonceIssuer))))
	if res.Nonce != "" {
		t.Error("a fresh nonce was replaced")
	}
	nonce := r.proofs.Nonce(token.NonceIssuer)
	r.later(4 * time.Minute)
	if res = r.mustSend(with(r.refreshment("app", res.RefreshToken), key.proof("nonce", nonce))); res.Nonce == "" || res.Nonce == nonce {
		t.Error("a nonce that ends soon was not replaced")
	}
	r.mustSend(with(r.redemption("app", r.code()), key.proof("nonce", nil))) // tier standard
}

func TestPP15DPoPJKTBindsTheCode(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	code := r.code("dpop_jkt", key.jkt())
	_, err := r.send(with(r.redemption("app", code), r.newKey().proof()))
	wantCode(t, err, "invalid_grant")
	_, err = r.send(r.redemption("app", code))
	wantCode(t, err, "invalid_dpop_proof")
	if res := r.mustSend(with(r.redemption("app", code), key.proof())); r.opened(res.AccessToken).Confirm != key.confirmation() {
		t.Error("not bound to the key of the request")
	}
	for name, jkt := range map[string]string{
		"short": key.jkt()[:42], "long": key.jkt() + "A", "padded": key.jkt() + "=", "not base64url": "+" + key.jkt()[1:], "loose bits": key.jkt()[:42] + "B",
	} {
		_, err := r.Authorize(t.Context(), authorizeParams("dpop_jkt", jkt))
		var back *oauth.RedirectError
		if !errors.As(err, &back) || back.Code != "invalid_request" {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := authorizeParams("dpop_jkt", key.jkt())
	twice.Add("dpop_jkt", key.jkt())
	if _, err := r.Authorize(t.Context(), twice); err == nil {
		t.Error("two dpop_jkt are accepted")
	}
}

func TestPP16BoundClientsMustProve(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	code := r.code("client_id", "bound")
	_, err := r.send(r.redemption("bound", code))
	wantCode(t, err, "invalid_dpop_proof")
	res := r.mustSend(with(r.redemption("bound", code), key.proof()))
	_, err = r.send(r.refreshment("bound", res.RefreshToken))
	wantCode(t, err, "invalid_dpop_proof")
	r.mustSend(with(r.refreshment("bound", res.RefreshToken), key.proof()))
	job := r.form("grant_type", "client_credentials", "client_id", "bound-job", "client_secret", "yes", "scope", "catalog.read")
	_, err = r.send(with(job))
	wantCode(t, err, "invalid_dpop_proof")
	r.mustSend(with(job, key.proof()))
}

func TestPP17RefreshTokensOfPublicClientsAreBound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, thief := r.newKey(), r.newKey()
	res := r.mustSend(with(r.redemption("app", r.code()), key.proof()))
	for range 3 { // TK12: a copy without the key neither spends nor ends anything
		_, err := r.send(with(r.refreshment("app", res.RefreshToken), thief.proof()))
		wantCode(t, err, "invalid_grant")
		wantReason(t, err, "")
		_, err = r.send(r.refreshment("app", res.RefreshToken))
		wantCode(t, err, "invalid_dpop_proof")
	}
	next := r.mustSend(with(r.refreshment("app", res.RefreshToken), key.proof()))
	last := r.mustSend(with(r.refreshment("app", next.RefreshToken), key.proof()))
	_, err := r.send(with(r.refreshment("app", res.RefreshToken), thief.proof())) // an old one too
	wantCode(t, err, "invalid_grant")
	if !r.active(last.AccessToken) {
		t.Fatal("a stranger's request ended the grant")
	}
	_, err = r.send(with(r.refreshment("app", res.RefreshToken), key.proof())) // the app itself has been copied
	wantReason(t, err, token.ReasonReused)
	if r.active(last.AccessToken) {
		t.Error("TK13: reuse with the key did not end the grant")
	}
	// A confidential client proves itself; its key may change (RFC 9449 §5).
	res = r.mustSend(with(r.redemption("web", r.code("client_id", "web")), key.proof()))
	res = r.mustSend(with(r.refreshment("web", res.RefreshToken), thief.proof()))
	if r.opened(res.AccessToken).Confirm != thief.confirmation() {
		t.Error("the access token of a confidential client is not bound to its new key")
	}
}

func TestPP17FirstProofBindsTheGrant(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	before := r.mustSend(r.redemption("app", r.code()))
	after := r.mustSend(with(r.refreshment("app", before.RefreshToken), key.proof()))
	_, err := r.send(r.refreshment("app", after.RefreshToken))
	wantCode(t, err, "invalid_dpop_proof")
	_, err = r.send(with(r.refreshment("app", after.RefreshToken), r.newKey().proof()))
	wantCode(t, err, "invalid_grant")
	r.later(time.Hour)
	r.mustSend(with(r.refreshment("app", before.RefreshToken), key.proof())) // the answer was lost
	if !r.alive(after.RefreshToken) {
		t.Fatal("ended by the key that it is bound to")
	}
	// The token of before was a bearer token: who else has it has copied it.
	for name, proofs := range map[string][]string{"without a proof": nil, "by another key": {r.newKey().proof()}} {
		res := r.mustSend(r.redemption("app", r.code()))
		bound := r.mustSend(with(r.refreshment("app", res.RefreshToken), key.proof()))
		_, err := r.send(with(r.refreshment("app", res.RefreshToken), proofs...))
		wantReason(t, err, token.ReasonReused)
		if r.alive(bound.RefreshToken) {
			t.Errorf("%s: the grant lives on with whoever was first", name)
		}
	}
}

// alive reports whether the grant of a refresh token has not ended.
func (r *rig) alive(tok secret.Value) bool {
	r.t.Helper()
	parsed, err := token.ParseRefresh(tok.Reveal())
	if err != nil {
		r.t.Fatal(err)
	}
	g, err := r.store.OAuth().Grant(r.t.Context(), parsed.GrantID)
	if err != nil {
		r.t.Fatal(err)
	}
	return g.RevokedAt.IsZero()
}

func TestPP17LostAnswerIsRepeatedToTheKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	first := r.mustSend(with(r.redemption("app", r.code()), key.proof()))
	lost := r.mustSend(with(r.refreshment("app", first.RefreshToken), key.proof()))
	r.later(24 * time.Hour) // a bearer has a minute
	again := r.mustSend(with(r.refreshment("app", first.RefreshToken), key.proof()))
	if again.RefreshToken.Reveal() != lost.RefreshToken.Reveal() {
		t.Error("the lost answer was not repeated")
	}
	_, err := r.send(with(r.refreshment("app", first.RefreshToken), r.newKey().proof()))
	wantCode(t, err, "invalid_grant")
	r.mustSend(with(r.refreshment("app", again.RefreshToken), key.proof()))
	_, err = r.send(with(r.refreshment("app", first.RefreshToken), key.proof()))
	wantReason(t, err, token.ReasonReused)

	r.signIn()
	bearer := r.mustSend(r.redemption("app", r.code()))
	r.mustSend(r.refreshment("app", bearer.RefreshToken))
	r.later(61 * time.Second)
	_, err = r.send(r.refreshment("app", bearer.RefreshToken))
	wantReason(t, err, token.ReasonReused)
}

func TestC8RefreshTokensOfBoundConfidentialClientsStayInTierHigh(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	idle := token.TierHigh.Limits().RefreshIdle
	res := r.mustSend(with(r.redemption("web", r.code("client_id", "web", "scope", "pay")), key.proof()))
	for range 4 {
		r.later(idle - time.Minute)
		again := r.mustSend(with(r.refreshment("web", res.RefreshToken), key.proof()))
		if again.RefreshToken.Reveal() != res.RefreshToken.Reveal() {
			t.Fatal("rotated")
		}
	}
	// A node that remembers the grant from before must not think it unused.
	node := r.node(r.feed)
	if _, err := node.Token(t.Context(), with(r.refreshment("web", res.RefreshToken), key.proof())); err != nil {
		t.Fatal(err)
	}
	r.later(idle - time.Minute)
	r.mustSend(with(r.refreshment("web", res.RefreshToken), key.proof()))
	r.later(2 * time.Minute)
	if _, err := node.Token(t.Context(), with(r.refreshment("web", res.RefreshToken), key.proof())); err != nil {
		t.Errorf("after the other node used it: %v", err)
	}
	r.later(idle)
	_, err := r.send(with(r.refreshment("web", res.RefreshToken), key.proof()))
	wantReason(t, err, token.ReasonExpired)
	for name, c := range map[string][2]string{"a public client": {"app", "pay"}, "tier standard": {"web", "openid catalog.read"}} {
		res := r.mustSend(with(r.redemption(c[0], r.code("client_id", c[0], "scope", c[1])), key.proof()))
		if next := r.mustSend(with(r.refreshment(c[0], res.RefreshToken), key.proof())); next.RefreshToken.Reveal() == res.RefreshToken.Reveal() {
			t.Errorf("%s: not rotated", name)
		}
	}
}

func TestPP20TokensAreBoundToTheCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mine, other := r.certificate(), r.certificate()
	by := func(req oauth.Request, cert *x509.Certificate) oauth.Request { req.Certificate = cert; return req }
	job := with(r.form("grant_type", "client_credentials", "client_id", "cert-job", "client_secret", "yes", "scope", "catalog.read"))
	_, err := r.send(job)
	wantCode(t, err, "invalid_request")
	res := r.mustSend(by(job, mine))
	want := token.Confirmation{Method: token.ConfirmX5T, Digest: token.CertificateDigest(mine)}
	if got := r.opened(res.AccessToken).Confirm; got != want || res.TokenType != "Bearer" {
		t.Errorf("bound to %v, token_type %q", got, res.TokenType)
	}
	seen := r.introspect("rs", res.AccessToken)
	if cnf, _ := seen["cnf"].(map[string]any); len(cnf) != 1 || cnf["x5t#S256"] != b64(want.Digest[:]) {
		t.Errorf("introspection says %v", seen)
	}
	t.Run("J096 two methods at once", func(t *testing.T) {
		_, err := r.send(by(with(job, r.newKey().proof()), mine))
		wantCode(t, err, "invalid_request")
	})
	t.Run("a certificate nobody asked for binds nothing", func(t *testing.T) {
		res := r.mustSend(by(r.redemption("app", r.code()), mine))
		if r.opened(res.AccessToken).Confirm.Method != token.ConfirmNone {
			t.Error("bound")
		}
	})
	t.Run("a public client's refresh token is bound", func(t *testing.T) {
		res := r.mustSend(by(r.redemption("cert-app", r.code("client_id", "cert-app")), mine))
		for name, cert := range map[string]*x509.Certificate{"another": other, "none": nil} {
			if _, err := r.send(by(r.refreshment("cert-app", res.RefreshToken), cert)); err == nil {
				t.Errorf("refreshed with %s", name)
			}
		}
		r.mustSend(by(r.refreshment("cert-app", res.RefreshToken), mine))
	})
}

func TestJ096UserInfoWantsTheKeyOfTheToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	res := r.mustSend(with(r.redemption("app", r.code()), key.proof()))
	cert := r.certificate()
	certified := r.redemption("cert-app", r.code("client_id", "cert-app"))
	certified.Certificate = cert
	bound, plain := res.AccessToken, r.tokens().AccessToken
	certBound := r.mustSend(certified).AccessToken
	proof := func(k *deviceKey, tok secret.Value, change ...any) string {
		return k.proof(append([]any{"htm", "GET", "htu", issuer + "/oauth/userinfo", "ath", challenge(tok.Reveal())}, change...)...)
	}
	ask := func(scheme string, tok secret.Value, cert *x509.Certificate, proofs ...string) error {
		_, err := r.UserInfo(t.Context(), oauth.Request{
			Authorization: []string{scheme + " " + tok.Reveal()}, Method: "GET", URL: issuer + "/oauth/userinfo", DPoP: proofs, Certificate: cert,
		})
		return err
	}
	used := proof(key, bound)
	for name, err := range map[string]error{
		"DPoP":                      ask("DPoP", bound, nil, used),
		"PP12 scheme in lower case": ask("dpop", bound, nil, proof(key, bound)),
		"Bearer":                    ask("Bearer", plain, nil),
		"PP20 the certificate":      ask("Bearer", certBound, cert),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"PP12 a bound token as Bearer":                {ask("Bearer", bound, nil), "invalid_token"},
		"PP12 a bound token as Bearer with its proof": {ask("Bearer", bound, nil, proof(key, bound)), "invalid_token"},
		"PP12 a bearer token as DPoP":                 {ask("DPoP", plain, nil, proof(key, plain)), "invalid_token"},
		"no proof":                                    {ask("DPoP", bound, nil), "invalid_dpop_proof"},
		"PP09 J094 a proof twice":                     {ask("DPoP", bound, nil, used), "invalid_dpop_proof"},
		"PP10 no ath":                                 {ask("DPoP", bound, nil, proof(key, bound, "ath", nil)), "invalid_dpop_proof"},
		"PP10 ath of another token":                   {ask("DPoP", bound, nil, proof(key, plain)), "invalid_dpop_proof"},
		"PP11 another key":                            {ask("DPoP", bound, nil, proof(r.newKey(), bound)), "invalid_token"},
		"PP07 a proof for the token endpoint":         {ask("DPoP", bound, nil, proof(key, bound, "htu", tokenURL)), "invalid_dpop_proof"},
		"PP20 no certificate":                         {ask("Bearer", certBound, nil), "invalid_token"},
		"PP20 another certificate":                    {ask("Bearer", certBound, r.certificate()), "invalid_token"},
		"PP20 a proof instead of the certificate":     {ask("DPoP", certBound, cert, proof(key, certBound)), "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, c.err, c.code) })
	}
}

func TestStrangersSpendNoProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	proof, code := key.proof(), r.code()
	res := r.mustSend(with(r.redemption("app", r.code()), key.proof()))
	for name, req := range map[string]oauth.Request{
		"wrong code":          r.redemption("app", "x"),
		"another client":      r.redemption("other", code),
		"wrong secret":        r.form("grant_type", "client_credentials", "client_id", "job", "client_secret", "no"),
		"wrong refresh token": r.form("grant_type", "refresh_token", "client_id", "app", "refresh_token", "x"),
		"another's token":     r.refreshment("other", res.RefreshToken),
		"scope of others":     r.form("grant_type", "refresh_token", "client_id", "app", "refresh_token", res.RefreshToken.Reveal(), "scope", "x"),
	} {
		if _, err := r.send(with(req, proof)); err == nil {
			t.Errorf("%s passed", name)
		}
	}
	r.mustSend(with(r.redemption("app", code), proof))
	t.Run("J094 the whole request again", func(t *testing.T) {
		req := with(r.refreshment("app", res.RefreshToken), key.proof())
		next := r.mustSend(req)
		_, err := r.send(req)
		wantCode(t, err, "invalid_dpop_proof")
		r.mustSend(with(r.refreshment("app", next.RefreshToken), key.proof()))
	})
}

func TestHundredBoundRefreshesOneSuccessor(t *testing.T) {
	t.Parallel()
	for name, bound := range map[string]bool{"bound by its code": true, "bound by the first of them": false} {
		r := newRig(t)
		key := r.newKey()
		var proofs []string
		if bound {
			proofs = []string{key.proof()}
		}
		res := r.mustSend(with(r.redemption("app", r.code()), proofs...))
		var wg sync.WaitGroup
		got := make([]string, 100)
		for i := range got {
			wg.Go(func() {
				if res, err := r.send(with(r.refreshment("app", res.RefreshToken), key.proof())); err == nil {
					got[i] = res.RefreshToken.Reveal()
				}
			})
		}
		wg.Wait()
		for _, tok := range got {
			if tok == "" || tok != got[0] {
				t.Fatalf("%s: answers differ, or one is missing", name)
			}
		}
	}
}

// A proof that cannot be remembered is not accepted, and nothing has happened.
func TestFullReplayTableFailsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.newKey()
	res := r.mustSend(with(r.redemption("app", r.code()), key.proof()))
	full, err := token.NewProofs(token.ProofOptions{Ring: r.ring, Replay: token.NewReplayTable(1, r.clock.now), Now: r.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	good := r.proofs
	r.proofs = full
	node := r.node(r.feed)
	if _, err := node.Token(t.Context(), with(r.redemption("app", r.code()), r.newKey().proof())); err != nil {
		t.Fatal(err)
	}
	_, err = node.Token(t.Context(), with(r.refreshment("app", res.RefreshToken), key.proof()))
	wantCode(t, err, "temporarily_unavailable")
	r.proofs = good
	r.mustSend(with(r.refreshment("app", res.RefreshToken), key.proof()))
}
