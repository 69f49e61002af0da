package jose

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// What the scanner takes, encoding/json takes too and reads the same; nothing
// is taken that has two meanings.
func FuzzScanObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , -0.5e+3 , true , null , "x\u00e9\ud83d\ude00\n" ] , "b" : {} } `, `{"a":1,"a":2}`, `{"\u0061":1}`,
		`{"a":"` + "\xff" + `"}`, `{"a":01}`, `{"a":1}x`, `[`, `{"a":[[[[[[[[1]]]]]]]]}`, `{"a":1e5,}`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		type pair struct{ name, value string }
		var got []pair
		if ScanObject(b, func(name string, value []byte) error {
			got = append(got, pair{name, string(value)})
			return nil
		}) != nil {
			return
		}
		if !utf8.Valid(b) {
			t.Fatal("not UTF-8")
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", b, err)
		}
		if len(want) != len(got) {
			t.Fatalf("%d members, encoding/json has %d", len(got), len(want))
		}
		for _, p := range got {
			if !bytes.Equal(bytes.TrimSpace(want[p.name]), bytes.TrimSpace([]byte(p.value))) {
				t.Fatalf("%s is %q, want %q", p.name, p.value, want[p.name])
			}
			if s, ok := unquote(p.value); ok {
				var ref string
				if err := json.Unmarshal([]byte(p.value), &ref); err != nil || ref != s {
					t.Fatalf("string %q, want %q, %v", s, ref, err)
				}
			}
		}
	})
}

func FuzzParseKeySet(f *testing.F) {
	for _, s := range []string{
		`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}]}`,
		`{"keys":[{"kty":"RSA","n":"` + n7517 + `","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","key_ops":["verify"]}]}`,
		`{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[null,7,[],{}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := ParseKeySet(b)
		if err != nil {
			return
		}
		for _, k := range set.Keys() {
			again, err := ParseKey(k.AppendJWK(nil))
			if err != nil || again.Thumbprint() != k.Thumbprint() {
				t.Fatalf("key %q does not come back: %v", k.ID, err)
			}
		}
	})
}

// No input panics, and what is accepted has exactly one spelling.
func FuzzVerify(f *testing.F) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	key, err := NewKey("k", EdDSA, "sig", private.Public())
	if err != nil {
		f.Fatal(err)
	}
	set, err := NewKeySet(key)
	if err != nil {
		f.Fatal(err)
	}
	v, err := NewVerifier(Profile{
		Purpose: "fuzzed token", Types: []string{"jwt", ""}, Algorithms: []Algorithm{EdDSA}, Keys: set,
		Issuer: Any(), Audience: Any(), MaxLife: time.Hour, Now: func() time.Time { return time.Unix(1000, 0) },
	})
	if err != nil {
		f.Fatal(err)
	}
	sign := func(header, payload string) string {
		input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
		return input + "." + b64.EncodeToString(ed25519.Sign(private, []byte(input)))
	}
	f.Add(sign(`{"alg":"EdDSA","kid":"k","typ":"JWT"}`, `{"iss":"a","aud":["b"],"exp":2000}`))
	f.Add("a.b.c")
	f.Add(sign(`{"alg":"EdDSA"}`, `{"exp":2000,"exp":3000}`))
	f.Fuzz(func(t *testing.T, compact string) {
		// As it is, and with its first two parts signed, so that the payload is reached.
		for _, token := range []string{compact, func() string {
			h, p, ok := strings.Cut(compact, ".")
			if !ok {
				return ""
			}
			return sign(h, p)
		}()} {
			c, err := v.Verify(context.Background(), token)
			if err != nil {
				continue
			}
			s, err := split(token)
			if err != nil || b64.EncodeToString(s.payload) != strings.Split(token, ".")[1] || c.ExpiresAt <= 1000 {
				t.Fatalf("%q is accepted: %v", token, err)
			}
		}
	})
}

// What an unverified token says of itself is what it says once it is verified.
func FuzzReadUnverified(f *testing.F) {
	f.Add(`{"iss":"a","sub":"b"}`)
	f.Add(`{"sub":"\u0062","exp":1}`)
	f.Add(`{"sub":"b","sub":"c"}`)
	f.Fuzz(func(t *testing.T, payload string) {
		got, err := ReadUnverified(b64.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + b64.EncodeToString([]byte(payload)) + ".AAAA")
		if err != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(payload), &want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", payload, err)
		}
		text := func(name string) string { s, _ := want[name].(string); return s }
		if text("iss") != got.Issuer || text("sub") != got.Subject {
			t.Fatalf("%q is read as %+v", payload, got)
		}
	})
}
