package sallyport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sallyport "sallyport/sdk/go"
	"sallyport/test/attack"
)

func TestT064AttackList(t *testing.T) {
	for _, alg := range []string{"EdDSA", "ES256"} {
		g := newGateway(t, alg)
		v := g.verifier(t)
		reasons := map[sallyport.Reason]int{}
		for _, c := range g.List() {
			t.Run(c.String()+" "+alg, func(t *testing.T) {
				who, err := v.Verify(t.Context(), c.Token)
				if c.Valid != (err == nil) || err == nil && who.Subject == "" {
					t.Fatalf("valid %v, got %v for %.300q", c.Valid, err, c.Token)
				}
				if err == nil {
					return
				}
				if !errors.Is(err, sallyport.ErrInvalid) {
					t.Errorf("%v is no ErrInvalid", err)
				}
				reasons[reason(err)]++
			})
		}
		if n := g.fetches.Load(); n != 1 {
			t.Errorf("%d fetches of the key set for the whole list, want 1", n)
		}
		if len(reasons) < 11 {
			t.Errorf("only %d reasons were needed: %v", len(reasons), reasons)
		}
	}
}

func TestT064AttackedKeySets(t *testing.T) {
	for _, alg := range []string{"EdDSA", "ES256"} {
		g := newGateway(t, alg)
		for _, s := range g.KeySets() {
			t.Run(s.ID+" "+s.Name+" "+alg, func(t *testing.T) {
				g.publish(s.Set(g.Target), nil)
				v := g.verifier(t)
				for _, c := range s.Cases {
					if _, err := v.Verify(t.Context(), c.Token); err == nil {
						t.Errorf("%s was taken", c)
					}
				}
				_, err := v.Verify(t.Context(), g.Valid("pair"))
				if s.Usable && err != nil {
					t.Errorf("the good key: %v", err)
				}
				if err != nil && !errors.Is(err, sallyport.ErrKeysUnavailable) {
					t.Errorf("a refused set must read as no keys, got %v", err)
				}
				g.publish(attack.Set(g.Key.JWK()), nil)
				if _, err := g.verifier(t).Verify(t.Context(), g.Valid("pair")); err != nil {
					t.Errorf("pair: %v", err)
				}
			})
		}
	}
}

func members(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"m%d":1`, i)
	}
	return strings.Join(list, ",")
}

// What the shared list leaves open, because a verifier may be stricter.
func TestWhatElseIsTakenAndRefused(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	at := g.Now.Unix()
	for _, c := range []struct {
		name, header, claims string
		valid                bool
	}{
		{"as it is", "", "", true},
		{"J069 typ in upper case", `"typ":"SALLYPORT-INNER+JWT"`, "", true},
		{"J069 typ with application/", `"typ":"application/sallyport-inner+jwt"`, "", true},
		{"J069 typ with the Kelvin sign", `"typ":"sallyport-inner+jwt` + "\u212a" + `"`, "", false},
		{"unknown header member", `"x":1`, "", true},
		{"J085 aud in an array of one", "", `"aud":["https://issuer.example/catalog"]`, true},
		{"J064 escaped name alone", "", `"\u0073ub":"x"`, true},
		{"J067 nine deep", "", `"x":[[[[[[[[1]]]]]]]]`, false},
		{"J067 eight deep", "", `"x":[[[[[[[1]]]]]]]`, true},
		{"J067 128 members", "", `"x":{` + members(128) + `}`, true},
		{"J067 129 members", "", `"x":{` + members(129) + `}`, false},
		{"J080 exp with a fraction", "", `"exp":1800000030.5`, false},
		{"J082 exp one second within the skew", "", `"iat":1799999940,"exp":1799999991`, true},
		{"J082 exp at the skew", "", `"iat":1799999940,"exp":1799999990`, false},
		{"J083 iat ten seconds ahead", "", `"iat":1800000010`, true},
		{"J083 iat eleven seconds ahead", "", `"iat":1800000011`, false},
		{"J083 nbf eleven seconds ahead", "", `"nbf":1800000011`, false},
		{"J098 amr is a string", "", `"amr":"pwd"`, false},
		{"J098 acr is a number", "", `"acr":1`, false},
		{"J098 auth_time is a string", "", `"auth_time":"1"`, false},
		{"J061 sub with U+FFFD", "", `"sub":"a` + "\ufffd" + `"`, false},
		{"J061 sub with a pair of surrogates", "", `"sub":"\ud83d\ude00"`, true},
		{"J097 act", "", `"act":{"sub":"client:orders","act":{"sub":"client:shop"}}`, true},
		{"J097 act is a string", "", `"act":"client:orders"`, false},
		{"J097 act without sub", "", `"act":{"client_id":"orders"}`, false},
		{"J097 act in act without sub", "", `"act":{"sub":"client:orders","act":{}}`, false},
		{"authorization_details", "", `"authorization_details":[{"type":"t"}]`, true},
		{"authorization_details is an object", "", `"authorization_details":{"type":"t"}`, false},
		{"authorization_details of strings", "", `"authorization_details":["t"]`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok := g.With(c.header, c.claims)
			if _, err := v.Verify(t.Context(), tok); c.valid != (err == nil) {
				t.Errorf("valid %v at %d, got %v", c.valid, at, err)
			}
		})
	}
}

func TestJ097ActorsAndDetailsOfACaller(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	who, err := v.Verify(t.Context(), g.With("", `"act":{"sub":"client:orders","act":{"sub":"client:shop"}},"authorization_details":[{"type":"t"}]`))
	if err != nil || strings.Join(who.Actors, " ") != "client:orders client:shop" || string(who.Details) != `[{"type":"t"}]` {
		t.Errorf("%q, %s, %v", who.Actors, who.Details, err)
	}
	if plain, err := v.Verify(t.Context(), g.Valid("x")); err != nil || plain.Actors != nil || plain.Details != nil || who.Subject != plain.Subject {
		t.Errorf("%+v, %v", plain, err)
	}
}

func TestReasonsAreDistinctInsideAndHoldNoToken(t *testing.T) {
	g := newGateway(t, "EdDSA")
	v := g.verifier(t)
	unsigned := g.With("", `"sub":"y"`)
	for want, tok := range map[sallyport.Reason]string{
		sallyport.ReasonForm:      "a.b",
		sallyport.ReasonJOSE:      g.With(`"crit":["x"]`, ""),
		sallyport.ReasonAlgorithm: g.With(`"alg":"none"`, ""),
		sallyport.ReasonType:      g.With(`"typ":"JWT"`, ""),
		sallyport.ReasonKey:       g.With(`"kid":"other"`, ""),
		sallyport.ReasonSignature: unsigned[:len(unsigned)-86] + g.Valid("x")[len(g.Valid("x"))-86:],
		sallyport.ReasonClaims:    g.With("", `"sub":""`),
		sallyport.ReasonIssuer:    g.With("", `"iss":"https://secret-tenant.example"`),
		sallyport.ReasonAudience:  g.With("", `"aud":"x"`),
		sallyport.ReasonExpired:   g.With("", `"iat":1,"exp":60`),
		sallyport.ReasonNotYet:    g.With("", `"nbf":1900000000`),
		sallyport.ReasonLifetime:  g.With("", `"exp":1800003600`),
	} {
		_, err := v.Verify(t.Context(), tok)
		if reason(err) != want {
			t.Errorf("got %v, want reason %s", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret-tenant") || strings.Contains(err.Error(), tok)) {
			t.Errorf("%v holds a part of the token", err)
		}
	}
}

func TestCallerHasWhatTheGatewayFoundOut(t *testing.T) {
	g := newGateway(t, "EdDSA")
	who, err := g.verifier(t).Verify(t.Context(), g.With("", `"acr":"mfa","amr":["pwd","otp"],"auth_time":1799999000,"grant":"g1","scope":"a b","patient_id":7`))
	if err != nil {
		t.Fatal(err)
	}
	if who.Subject != attack.Subject || who.ClientID != "shop-app" || who.ACR != "mfa" || len(who.AMR) != 2 || who.Grant != "g1" ||
		!who.AuthTime.Equal(time.Unix(1799999000, 0)) || who.Issuer != g.Issuer || who.ID == "" || who.IsClient() {
		t.Errorf("got %+v", who)
	}
	if !who.HasScope("a") || !who.HasScope("b") || who.HasScope("a b") || who.HasScope("") || who.HasScope("A") {
		t.Errorf("scopes: %q", who.Scopes)
	}
	if string(who.Claim("patient_id")) != "7" || who.Claim("other") != nil {
		t.Errorf("further claims: %q", who.Claim("patient_id"))
	}
}

func TestOptionsAreJudged(t *testing.T) {
	good := sallyport.Options{Issuer: "https://i.example", Audience: "a"}
	for name, change := range map[string]func(*sallyport.Options){
		"no issuer":               func(o *sallyport.Options) { o.Issuer = "" },
		"no audience":             func(o *sallyport.Options) { o.Audience = "" },
		"http":                    func(o *sallyport.Options) { o.JWKSURL = "http://i.example/jwks" },
		"http to loopback":        func(o *sallyport.Options) { o.JWKSURL = "http://127.0.0.1/jwks" },
		"http although loopback":  func(o *sallyport.Options) { o.JWKSURL = "http://127.0.0.1.example/"; o.AllowLoopbackHTTP = true },
		"file":                    func(o *sallyport.Options) { o.JWKSURL = "file:///jwks" },
		"userinfo":                func(o *sallyport.Options) { o.JWKSURL = "https://u@i.example/jwks" },
		"two minutes of skew":     func(o *sallyport.Options) { o.Skew = 2 * time.Minute },
		"a skew that is negative": func(o *sallyport.Options) { o.Skew = -1 },
	} {
		o := good
		change(&o)
		if _, err := sallyport.NewVerifier(o); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := sallyport.NewVerifier(good); err != nil {
		t.Error(err)
	}
}
