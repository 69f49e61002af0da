package passkey_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"sallyport/internal/account"
)

// What strangers send as an answer never does more than be refused, and everything
// that is wrong with it is a *account.WebAuthnError.
func FuzzAnswers(f *testing.F) {
	p, challenge, g := party(f), make([]byte, 32), newGadget()
	create, err := p.Creation(challenge, account.PasskeyOwner{Handle: []byte("handle"), Name: "ada", DisplayName: "Ada"}, nil)
	if err != nil {
		f.Fatal(err)
	}
	get, err := p.Request(challenge, nil)
	if err != nil {
		f.Fatal(err)
	}
	made, err := p.Created(g.create(f, create), challenge)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "{}", "null", strings.Repeat("[", 200), g.create(f, create), g.sign(f, get),
		g.create(f, create, func(c *ceremony) { c.format = "packed" }),
		g.create(f, create, func(c *ceremony) { c.key = []byte{0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }), // an array of 2^63-1
		g.create(f, create, func(c *ceremony) { c.flags |= 1 << 7; c.key = append(c.key, 0xa1, 0x61, 0x61, 0x5b, 0x7f) }),
		g.create(f, create, func(c *ceremony) { c.format = "compound" }),
		g.sign(f, get, func(c *ceremony) { c.flags |= 1 << 7 }),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, response string) {
		_, err1 := p.Created(response, challenge)
		id, handle, err2 := p.Named(response)
		_, err3 := p.Signed(response, challenge, made)
		for _, err := range []error{err1, err2, err3} {
			var wrong *account.WebAuthnError
			if err != nil && (!errors.As(err, &wrong) || wrong.Reason == "") {
				t.Errorf("%v", err)
			}
		}
		if err2 == nil && (id == "" || len(handle) > 64) {
			t.Errorf("id %q, handle of %d bytes", id, len(handle))
		}
	})
}

// The most that an answer can make the parsers allocate.
func TestHostileAnswersCostLittle(t *testing.T) {
	p, challenge, g := party(t), make([]byte, 32), newGadget()
	create, err := p.Creation(challenge, account.PasskeyOwner{Handle: []byte("handle"), Name: "ada", DisplayName: "Ada"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	array := func(items int) []byte { // of items nulls
		return append([]byte{0x9a, 0, 0, byte(items >> 8), byte(items)}, []byte(strings.Repeat("\xf6", items))...)
	}
	for name, key := range map[string][]byte{
		"a length without items": {0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a long byte string":     {0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"many items":             array(5000),
		"deep":                   []byte(strings.Repeat("\x81", 5000)),
	} {
		answer := g.create(t, create, func(c *ceremony) { c.key = key })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := p.Created(answer, challenge); err == nil {
			t.Errorf("%s: taken", name)
		}
		runtime.ReadMemStats(&after)
		cost := after.TotalAlloc - before.TotalAlloc
		if cost > 1<<20 {
			t.Errorf("%s: %d bytes for an answer of %d", name, cost, len(answer))
		}
	}
}
