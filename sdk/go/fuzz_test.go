package sallyport

import (
	"bytes"
	"encoding/json"
	"testing"
)

// What the strict reader takes, encoding/json takes too and reads alike.
func FuzzScanObject(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, ` { "a" : [ 1 , {"b":null} ] , "c":"\u00e9\ud83d\ude00\n" } `, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":-0.5e+7}`,
		`{"a":01}`, `{"a":"\ud800"}`, `{"a":[[[[[[[[[]]]]]]]]]}`, `{"a":tru}`, "{\"a\":\"\xff\"}", `{"a":1}{}`, `{"a":1,}`, `[1]`, "{\"a\x00\":1}", `{"":""}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]json.RawMessage{}
		err := scanObject(b, func(name string, value []byte) error { got[name] = bytes.Clone(value); return nil })
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil || len(want) != len(got) {
			t.Fatalf("%q: encoding/json says %v and %d members, we %d", b, err, len(want), len(got))
		}
		for name, w := range want {
			if !bytes.Equal(w, got[name]) {
				t.Fatalf("%q: member %q is %q, we read %q", b, name, w, got[name])
			}
			var text string
			if s, err := stringValue(w); err == nil && (json.Unmarshal(w, &text) != nil || text != s) {
				t.Fatalf("%q is %q, we read %q", w, text, s)
			}
		}
	})
}

// No bytes end the process, and nothing that is parsed is past the limits.
func FuzzToken(f *testing.F) {
	f.Add("eyJhbGciOiJFZERTQSIsImtpZCI6ImsiLCJ0eXAiOiJzYWxseXBvcnQtaW5uZXIrand0In0.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("..")
	f.Add("eyJ.e30.AA\n")
	f.Fuzz(func(t *testing.T, token string) {
		j, err := parseJWS(token)
		if err != nil {
			return
		}
		if len(j.sig) != 64 || j.kid == "" || len(token) > maxToken || j.input+"."+b64.EncodeToString(j.sig) != token {
			t.Fatalf("took %q", token)
		}
		_, _ = parseClaims(j.payload)
	})
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"i","aud":["a"],"sub":"s","client_id":"c","scope":"x y","iat":1,"exp":2,"jti":"j","amr":["pwd"],"auth_time":3}`))
	f.Add([]byte(`{"exp":1e400}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseClaims(payload)
		if err == nil && (c.Subject == "" || c.ClientID == "" || c.ID == "" || c.iat <= 0) {
			t.Fatalf("took %q", payload)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"AA","y":"AA"},{"kty":"oct","k":"AA"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, err := parseKeySet(b)
		for kid, k := range set {
			if err != nil || kid == "" || k == nil || k.edwards == nil && k.p256 == nil {
				t.Fatalf("took %q", b)
			}
		}
	})
}
