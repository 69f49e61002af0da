package jose

import (
	"fmt"
	"strings"
	"testing"
)

const soundJWK = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"`

// Keys come inside of proofs from whoever likes to send some: what is kept of
// them has an end, and what was refused is not kept at all.
func TestJ131J136KeysOutOfTokensAreBounded(t *testing.T) {
	t.Parallel()
	var c keyCache
	largest := func() (n int) {
		for i := range c.shards {
			n = max(n, len(c.shards[i].m))
		}
		return n
	}
	// The numbers are at the end, where they do not choose the shard.
	last := ""
	for i := range 3 * cacheMax {
		last = soundJWK + fmt.Sprintf(`,"pad":"%s","num":%d}`, strings.Repeat("x", 100), 100000+i)
		if _, err := c.key(last); err != nil {
			t.Fatal(err)
		}
		if n := largest(); n > cacheMax {
			t.Fatalf("%d keys in a shard, more than %d", n, cacheMax)
		}
	}
	before := largest()
	if before < cacheMax/4 {
		t.Fatalf("only %d keys in the largest shard: the test does not fill one", before)
	}
	k, err := c.key(last)
	if again, _ := c.key(last); err != nil || k == nil || again != k {
		t.Errorf("the last one was forgotten: %v", err)
	}
	for i := range 100 {
		if _, err := c.key(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA","num":%d}`, i)); err == nil {
			t.Fatal("a key off the curve passes")
		}
	}
	if n := largest(); n != before {
		t.Errorf("keys that were refused are kept: %d, then %d", before, n)
	}
}

// lines is a table of members that must be refused, and why.
type lines map[string]struct {
	id     string
	value  string
	reason Reason
}

// Each member that would choose a key or change what the bytes mean is refused,
// whatever else is right; the same header with a member that means nothing is
// read. A line that is taken from the product's table, or added to it, must
// change here too.
func TestJ030J031J032J055J056J068J115J116RefusedMembersOfAJWS(t *testing.T) {
	t.Parallel()
	want := lines{
		"jku": {"J031", `"https://evil.example/k"`, ReasonHeaderKey}, "x5u": {"J032", `"https://evil.example/c"`, ReasonHeaderKey},
		"x5c": {"J032", `["MIIB"]`, ReasonHeaderKey}, "crit": {"J056", `["exp"]`, ReasonCritical}, "b64": {"J055", `true`, ReasonCritical},
		"zip": {"J115", `"DEF"`, ReasonHeader}, "p2c": {"J116", `1`, ReasonHeader}, "p2s": {"J116", `"AAAA"`, ReasonHeader},
		"enc": {"J110", `"A256GCM"`, ReasonHeader}, "epk": {"J110", `{"kty":"EC"}`, ReasonHeader}, "iv": {"J110", `"AAAA"`, ReasonHeader},
		"tag": {"J110", `"AAAA"`, ReasonHeader}, "apu": {"J110", `"AAAA"`, ReasonHeader}, "apv": {"J110", `"AAAA"`, ReasonHeader},
		"iss": {"J068", `"https://auth.example.com"`, ReasonHeader}, "sub": {"J068", `"alice"`, ReasonHeader},
		"aud": {"J068", `"https://api.example.com"`, ReasonHeader}, "exp": {"J068", `1`, ReasonHeader},
	}
	want.check(t, refused, func(member string) error {
		_, err := parseHeader([]byte(`{"alg":"ES256","kid":"k1","typ":"at+jwt"` + member + `}`))
		return err
	})
	// A jwk is read for proofs, and refused by every other purpose.
	h, err := parseHeader([]byte(`{"alg":"ES256","typ":"dpop+jwt","jwk":` + soundJWK + `}}`))
	if err != nil || h.jwk != soundJWK+"}" {
		t.Errorf("J030 jwk: %q %v", h.jwk, err)
	}
}

func TestJ030J031J032J055J056J115J116RefusedMembersOfAJWE(t *testing.T) {
	t.Parallel()
	want := lines{
		"jwk": {"J030", soundJWK + "}", ReasonHeaderKey}, "jku": {"J031", `"https://evil.example/k"`, ReasonHeaderKey},
		"x5u": {"J032", `"https://evil.example/c"`, ReasonHeaderKey}, "x5c": {"J032", `["MIIB"]`, ReasonHeaderKey},
		"x5t": {"J032", `"AAAA"`, ReasonHeaderKey}, "x5t#S256": {"J032", `"AAAA"`, ReasonHeaderKey},
		"crit": {"J056", `["exp"]`, ReasonCritical}, "b64": {"J055", `true`, ReasonCritical}, "zip": {"J115", `"DEF"`, ReasonCompressed},
		"p2s": {"J116", `"AAAA"`, ReasonAlgorithm}, "p2c": {"J116", `1`, ReasonAlgorithm},
		"iv": {"J113", `"AAAA"`, ReasonAlgorithm}, "tag": {"J113", `"AAAA"`, ReasonAlgorithm},
	}
	want.check(t, refusedJWE, func(member string) error {
		_, err := readJWEHeader([]byte(`{"alg":"ECDH-ES","enc":"A256GCM","kid":"k1","cty":"JWT"` + member + `}`))
		return err
	})
}

func (want lines) check(t *testing.T, table map[string]Reason, read func(member string) error) {
	t.Helper()
	for _, pair := range []string{"", `,"x":"AAAA"`, `,"name":{"a":[1]}`} {
		if err := read(pair); err != nil {
			t.Errorf("the pair, with %q: %v", pair, err)
		}
	}
	for name := range table {
		if _, known := want[name]; !known {
			t.Errorf("%s is refused, and no test says so", name)
		}
	}
	for name, c := range want {
		t.Run(c.id+" "+name, func(t *testing.T) {
			if err := read(fmt.Sprintf(`,%q:%s`, name, c.value)); ReasonOf(err) != c.reason {
				t.Errorf("%v, want a refusal for %s", err, c.reason)
			}
		})
	}
}
