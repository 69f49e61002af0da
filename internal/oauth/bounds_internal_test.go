package oauth

import (
	"strconv"
	"strings"
	"testing"

	"sallyport/internal/token/jose"
)

const clientKeys = `{"keys":[{"kty":"EC","use":"enc","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`

// J136: for however many clients we encrypt, what is remembered of them has an
// end, and so has what one of them may store.
func TestJ136RecipientsAreBounded(t *testing.T) {
	t.Parallel()
	var list recipients
	find := func(id string) *jose.Recipient {
		r, err := list.find(&Client{ID: id, Settings: Settings{JWKS: clientKeys}}, jose.ECDHES, "")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for i := range 2*maxRecipients + 1 {
		find(strconv.Itoa(i))
		if len(list.m) > maxRecipients {
			t.Fatalf("%d recipients are remembered, more than %d", len(list.m), maxRecipients)
		}
	}
	first := find("last")
	if again := find("last"); again != first {
		t.Error("the last one is forgotten")
	}
	if find("last") == find("other") {
		t.Error("two clients share one")
	}
}

func TestJ136KeySetsOfClientsAreBounded(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "", maxClientKeys - len(clientKeys): "", maxClientKeys - len(clientKeys) + 1: "jwks"} {
		r := Settings{JWKS: clientKeys + strings.Repeat(" ", n), IDTokenAlg: jose.ECDHES}
		if setting, why := r.encryptionProblem(); setting != want {
			t.Errorf("%d bytes: %q %q, want %q", len(r.JWKS), setting, why, want)
		}
	}
}

// A stranger makes us look for the keys of a client with each thing that he says
// it has signed: they are judged once, and what is remembered has an end.
func TestJ136KeysOfClientsAreReadOnce(t *testing.T) {
	t.Parallel()
	s := &Service{}
	find := func(id string) jose.KeySource {
		set, err := s.keysOf(&Client{ID: id, Settings: Settings{JWKS: clientKeys}})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	for i := range 2*maxKeySets + 1 {
		find(strconv.Itoa(i))
		if len(s.keySets.m) > maxKeySets {
			t.Fatalf("the keys of %d clients are remembered, more than %d", len(s.keySets.m), maxKeySets)
		}
	}
	if first := find("last"); find("last") != first {
		t.Error("the keys are judged each time")
	}
	if find("last") == find("other") {
		t.Error("two clients share one")
	}
}
