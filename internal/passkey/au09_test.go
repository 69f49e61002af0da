package passkey_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/fxamacker/cbor/v2"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
	"sallyport/internal/store"
	"sallyport/internal/token"
)

const password = "seven brown otters juggle"

// house is accounts over a real store, with people who have no passkey yet.
type house struct {
	*account.Service
	now      time.Time
	ada, bob account.User
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return h.now }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Now: clock})
	must(err)
	t.Cleanup(func() { _ = st.Close() })
	must(st.Migrate(t.Context()))
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	must(err)
	ring, err := token.OpenRing(t.Context(), st.Keys(), master, clock)
	must(err)
	h.Service = account.New(account.Options{Store: st.Account(), Now: clock, Ring: ring, WebAuthn: party(t), Params: account.Argon2Params{MemoryKiB: 64, Passes: 1, Threads: 1}})
	h.ada, err = h.AddUser(t.Context(), account.NewUser{Username: "ada", Password: secret.New(password)})
	must(err)
	h.bob, err = h.AddUser(t.Context(), account.NewUser{Username: "bob", Password: secret.New(password)})
	must(err)
	return h
}

func visit(browser string) account.Visit {
	return account.Visit{Remote: netip.MustParseAddr("192.0.2.7"), Browser: secret.New(browser), Demand: account.Demand{Tier: token.TierStandard}}
}

// add gives a person a passkey.
func (h *house) add(t *testing.T, u account.User, g *gadget) account.Credential {
	t.Helper()
	c, err := h.AskNewPasskey(t.Context(), visit("a"), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	made, err := h.AddPasskey(t.Context(), visit("a"), u.ID, c.State, g.create(t, c.Options), "Mine")
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (h *house) ask(t *testing.T) account.Ceremony {
	t.Helper()
	c, err := h.AskPasskey(t.Context(), visit("a"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answered signs in and returns what the log says of it.
func (h *house) answered(t *testing.T, v account.Visit, state secret.Value, response string) (account.Progress, string) {
	t.Helper()
	ctx, record := recorded(t)
	p, err := h.WithPasskey(ctx, v, state, response)
	reason := ""
	for _, e := range record.Events() {
		if e.Name == audit.LoginFailed {
			reason = strings.TrimPrefix(e.Reason, "passkey_")
		}
	}
	if (reason != "") != errors.Is(err, account.ErrWrongCredentials) || err == nil != p.Done() {
		t.Errorf("reason %q, error %v, done %v", reason, err, p.Done())
	}
	return p, reason
}

func (h *house) signsIn(t *testing.T, g *gadget, want account.User) {
	t.Helper()
	c := h.ask(t)
	p, reason := h.answered(t, visit("a"), c.State, g.sign(t, c.Options))
	if !p.Done() || p.User.ID != want.ID || p.Session.ACR != token.ACRPhishing {
		t.Errorf("the same passkey, not attacked: done %v as %q, acr %q, reason %q", p.Done(), p.User.Username, p.Session.ACR, reason)
	}
}

// Each answer that is wrong in one thing is refused for that, outside all alike;
// the same passkey signs in right after.
func TestAU09WrongAnswersAreRefused(t *testing.T) {
	h := newHouse(t)
	g, others := newGadget(), newGadget()
	h.add(t, h.ada, g)
	h.add(t, h.bob, others)
	for reason, attacks := range map[string]map[string]func(*ceremony){
		"origin": {
			"cross-origin":             func(c *ceremony) { c.Origin = "https://evil.example" },
			"another port of the host": func(c *ceremony) { c.Origin = "https://auth.example.com" },
			"another spelling":         func(c *ceremony) { c.Origin = "HTTPS://auth.example.com:8443" },
			"a subdomain":              func(c *ceremony) { c.Origin = "https://x.auth.example.com:8443" },
			"an app":                   func(c *ceremony) { c.Origin = "android:apk-key-hash:abc" },
		},
		"cross_origin": {
			"in a frame of another site": func(c *ceremony) { c.CrossOrigin = true },
			"below another page":         func(c *ceremony) { c.CrossOrigin, c.TopOrigin = true, "https://evil.example" },
		},
		"type":           {"a creation": func(c *ceremony) { c.Type = "webauthn.create" }, "a payment": func(c *ceremony) { c.Type = "payment.get" }},
		"challenge":      {"another": func(c *ceremony) { c.Challenge = encode(make([]byte, 32)) }, "none": func(c *ceremony) { c.Challenge = "" }},
		"rp_id":          {"wrong rpIdHash": func(c *ceremony) { c.rpID = "example.com" }},
		"user_present":   {"UP missing": func(c *ceremony) { c.flags &^= up }},
		"user_verified":  {"UV missing": func(c *ceremony) { c.flags &^= uv }},
		"backup_flags":   {"BS without BE": func(c *ceremony) { c.flags |= bs }, "BE has changed": func(c *ceremony) { c.flags |= be }},
		"signature":      {"of something else": func(c *ceremony) { c.spoil = true }},
		"user_handle":    {"of another person": func(c *ceremony) { c.handle = others.handle }, "too short": func(c *ceremony) { c.handle = c.handle[1:] }},
		"no_user_handle": {"none": func(c *ceremony) { c.handle = nil }},
		"unknown":        {"a credential that nobody has": func(c *ceremony) { c.id = []byte("unknown") }},
		"size":           {"user handle": func(c *ceremony) { c.handle = make([]byte, 65) }, "challenge": func(c *ceremony) { c.Challenge = strings.Repeat("A", 3000) }},
	} {
		for name, attack := range attacks {
			t.Run("AU09 "+reason+" "+name, func(t *testing.T) {
				c := h.ask(t)
				if _, got := h.answered(t, visit("a"), c.State, g.sign(t, c.Options, attack)); got != reason {
					t.Errorf("reason %q, want %q", got, reason)
				}
				h.signsIn(t, g, h.ada)
			})
		}
	}
	t.Run("AU09 credential of another user with this one's handle", func(t *testing.T) {
		c := h.ask(t)
		if _, got := h.answered(t, visit("a"), c.State, others.sign(t, c.Options, func(c *ceremony) { c.handle = g.handle })); got != "user_handle" {
			t.Errorf("reason %q", got)
		}
		h.signsIn(t, others, h.bob)
	})
	t.Run("AU09 key of another credential", func(t *testing.T) {
		c := h.ask(t)
		if _, got := h.answered(t, visit("a"), c.State, others.sign(t, c.Options, func(c *ceremony) { c.id, c.handle = g.cred.ID, g.handle })); got != "signature" {
			t.Errorf("reason %q", got)
		}
	})
	t.Run("AU09 not an answer", func(t *testing.T) {
		for _, response := range []string{"", "{}", "null", "[", `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`, strings.Repeat("[", 10000)} {
			if _, got := h.answered(t, visit("a"), h.ask(t).State, response); got != "form" {
				t.Errorf("%.40s: reason %q", response, got)
			}
		}
		if _, got := h.answered(t, visit("a"), h.ask(t).State, strings.Repeat(" ", 17<<10)); got != "size" {
			t.Errorf("17 KiB: reason %q", got)
		}
	})
}

// A challenge counts for one thing, in one browser, for five minutes, once.
func TestAU09Challenges(t *testing.T) {
	h := newHouse(t)
	g := newGadget()
	h.add(t, h.ada, g)
	refused := func(t *testing.T, want string, v account.Visit, state secret.Value, response string) {
		t.Helper()
		if _, got := h.answered(t, v, state, response); got != want {
			t.Errorf("reason %q, want %q", got, want)
		}
		h.signsIn(t, g, h.ada)
	}
	t.Run("AU09 challenge replay", func(t *testing.T) {
		c := h.ask(t)
		response := g.sign(t, c.Options)
		if p, _ := h.answered(t, visit("a"), c.State, response); !p.Done() {
			t.Fatal("the first time it counts")
		}
		refused(t, "replayed", visit("a"), c.State, response)
		refused(t, "replayed", visit("a"), c.State, g.sign(t, c.Options)) // a new signature of the old challenge
	})
	t.Run("AU09 other browser's challenge", func(t *testing.T) {
		c := h.ask(t)
		refused(t, "other_browser", visit("b"), c.State, g.sign(t, c.Options))
	})
	t.Run("AU09 other purpose's challenge", func(t *testing.T) {
		c, err := h.AskNewPasskey(t.Context(), visit("a"), h.ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "purpose", visit("a"), c.State, g.sign(t, c.Options))
	})
	t.Run("AU09 expired", func(t *testing.T) {
		c := h.ask(t)
		response := g.sign(t, c.Options)
		h.now = h.now.Add(5 * time.Minute)
		refused(t, "expired", visit("a"), c.State, response)
		c = h.ask(t)
		response = g.sign(t, c.Options)
		h.now = h.now.Add(5*time.Minute - time.Second)
		if p, reason := h.answered(t, visit("a"), c.State, response); !p.Done() {
			t.Errorf("a second earlier: %q", reason)
		}
	})
	t.Run("AU09 state of nobody", func(t *testing.T) {
		refused(t, "state", visit("a"), secret.New("spfl_AAAA"), g.sign(t, h.ask(t).Options))
	})
	t.Run("AU09 challenges are 256 random bits", func(t *testing.T) {
		a, b := g.ceremony(t, "", h.ask(t).Options), g.ceremony(t, "", h.ask(t).Options)
		if a.Challenge == b.Challenge || len(decode(t, a.Challenge)) != 32 {
			t.Errorf("%s, %s", a.Challenge, b.Challenge)
		}
	})
}

// A counter that does not go up may mean a copy: the signature is refused, and the
// operator hears of it. Authenticators without one always say zero.
func TestAU09CounterRegression(t *testing.T) {
	h := newHouse(t)
	g := newGadget()
	h.add(t, h.ada, g)
	h.signsIn(t, g, h.ada)
	for _, counter := range []uint32{0, 1, 2} {
		c := h.ask(t)
		ctx, record := recorded(t)
		_, err := h.WithPasskey(ctx, visit("a"), c.State, g.sign(t, c.Options, func(c *ceremony) { c.counter = counter }))
		if !errors.Is(err, account.ErrWrongCredentials) || !slices.ContainsFunc(record.Events(), func(e audit.Event) bool { return e.Name == audit.PasskeyRegressed && e.Subject == h.ada.ID }) {
			t.Errorf("counter %d after 2: %v, events %v", counter, err, record.Events())
		}
	}
	h.signsIn(t, g, h.ada)

	zero := newGadget()
	c, err := h.AskNewPasskey(t.Context(), visit("a"), h.bob.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddPasskey(t.Context(), visit("a"), h.bob.ID, c.State, zero.create(t, c.Options, func(c *ceremony) { c.counter = 0 }), "Zero"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c := h.ask(t)
		if p, reason := h.answered(t, visit("a"), c.State, zero.sign(t, c.Options, func(c *ceremony) { c.counter = 0 })); !p.Done() {
			t.Errorf("always zero: %q", reason)
		}
	}
}

// What is wrong with a new passkey, each beside one that is right.
func TestAU09NewPasskeys(t *testing.T) {
	h := newHouse(t)
	taken := newGadget()
	h.add(t, h.bob, taken)
	key := func(fields map[int]any) []byte {
		b, err := cbor.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rsa := func(bytes int) []byte {
		n := make([]byte, bytes)
		n[0], n[bytes-1] = 0x80, 1
		return key(map[int]any{1: 3, 3: -257, -1: n, -2: []byte{1, 0, 1}})
	}
	for reason, attacks := range map[string]map[string]func(*ceremony){
		"origin":        {"cross-origin": func(c *ceremony) { c.Origin = "https://evil.example" }},
		"cross_origin":  {"framed": func(c *ceremony) { c.CrossOrigin = true }},
		"type":          {"a signature": func(c *ceremony) { c.Type = "webauthn.get" }},
		"challenge":     {"another": func(c *ceremony) { c.Challenge = encode(make([]byte, 32)) }},
		"rp_id":         {"wrong rpIdHash": func(c *ceremony) { c.rpID = "example.com" }},
		"user_present":  {"UP missing": func(c *ceremony) { c.flags &^= up }},
		"user_verified": {"UV missing": func(c *ceremony) { c.flags &^= uv }},
		"backup_flags":  {"BS without BE": func(c *ceremony) { c.flags |= bs }},
		"form":          {"no key": func(c *ceremony) { c.flags &^= at }, "a key that is no CBOR": func(c *ceremony) { c.key = []byte{0xff} }},
		"alg": {
			"ES384": func(c *ceremony) {
				c.key = key(map[int]any{1: 2, 3: -35, -1: 2, -2: make([]byte, 48), -3: make([]byte, 48)})
			},
			"off the curve": func(c *ceremony) {
				c.key = key(map[int]any{1: 2, 3: -7, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)})
			},
			"RS256 of 1024": func(c *ceremony) { c.key = rsa(128) },
			"RS256 of 8192": func(c *ceremony) { c.key = rsa(1024) },
			"RS1": func(c *ceremony) {
				c.key = key(map[int]any{1: 3, 3: -65535, -1: make([]byte, 256), -2: []byte{1, 0, 1}})
			},
			"EC key as EdDSA": func(c *ceremony) {
				c.key = key(map[int]any{1: 2, 3: -8, -1: 1, -2: make([]byte, 32), -3: make([]byte, 32)})
			},
			"symmetric HS256": func(c *ceremony) { c.key = key(map[int]any{1: 4, 3: 5, -1: make([]byte, 32)}) },
			"no algorithm":    func(c *ceremony) { c.key = key(map[int]any{1: 2}) },
			"secp256k1 ES256K": func(c *ceremony) {
				c.key = key(map[int]any{1: 2, 3: -47, -1: 8, -2: make([]byte, 32), -3: make([]byte, 32)})
			},
		},
		"attestation": {
			"none with a statement":       func(c *ceremony) { c.statement = map[string]any{"sig": []byte("x")} },
			"packed, signature of nobody": func(c *ceremony) { c.format, c.spoil = "packed", true },
			"packed, other alg":           func(c *ceremony) { c.format, c.statement = "packed", map[string]any{"alg": -257, "sig": []byte("x")} },
			"packed, malformed":           func(c *ceremony) { c.format, c.statement = "packed", map[string]any{"alg": "x", "sig": 1} },
			"packed with certificates": func(c *ceremony) {
				c.format, c.statement = "packed", map[string]any{"alg": -7, "sig": []byte("x"), "x5c": []any{[]byte("x")}}
			},
			"tpm":     func(c *ceremony) { c.format = "tpm" },
			"unknown": func(c *ceremony) { c.format = "made-up" },
		},
		"replayed": {"credential ID of another person": func(c *ceremony) { c.id = taken.cred.ID }},
	} {
		for name, attack := range attacks {
			t.Run("AU09 "+reason+" "+name, func(t *testing.T) {
				g := newGadget()
				c, err := h.AskNewPasskey(t.Context(), visit("a"), h.ada.ID)
				if err != nil {
					t.Fatal(err)
				}
				ctx, record := recorded(t)
				_, err = h.AddPasskey(ctx, visit("a"), h.ada.ID, c.State, g.create(t, c.Options, attack), "Mine")
				if e := record.Events(); !errors.Is(err, account.ErrWrongCredentials) || len(e) != 1 || e[0].Name != audit.PasskeyRefused || e[0].Reason != reason {
					t.Errorf("%v, events %v; want reason %q", err, e, reason)
				}
			})
		}
	}
	for name, change := range map[string]func(*ceremony){
		"none":                     func(*ceremony) {},
		"packed by the key itself": func(c *ceremony) { c.format = "packed" },
	} {
		t.Run("AU09 attestation let in: "+name, func(t *testing.T) {
			g := newGadget()
			c, err := h.AskNewPasskey(t.Context(), visit("a"), h.ada.ID)
			if err != nil {
				t.Fatal(err)
			}
			made, err := h.AddPasskey(t.Context(), visit("a"), h.ada.ID, c.State, g.create(t, c.Options, change), "Mine")
			if err != nil || !slices.Equal(made.Transports, []string{"internal"}) {
				t.Fatal(made, err)
			}
			h.signsIn(t, g, h.ada)
		})
	}
	t.Run("AU09 challenge of another person, browser and purpose", func(t *testing.T) {
		g := newGadget()
		for name, ask := range map[string]func() (account.Ceremony, error){
			"person":  func() (account.Ceremony, error) { return h.AskNewPasskey(t.Context(), visit("a"), h.bob.ID) },
			"browser": func() (account.Ceremony, error) { return h.AskNewPasskey(t.Context(), visit("b"), h.ada.ID) },
			"purpose": func() (account.Ceremony, error) { return h.AskPasskey(t.Context(), visit("a")) },
		} {
			c, err := ask()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.AddPasskey(t.Context(), visit("a"), h.ada.ID, c.State, g.create(t, c.Options), "Mine"); !errors.Is(err, account.ErrWrongCredentials) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Other people's authenticators work: one written by somebody else, RSA too.
func TestAU09AuthenticatorsOfOthers(t *testing.T) {
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		h := newHouse(t)
		rp := virtualwebauthn.RelyingParty{ID: "auth.example.com", Name: "x", Origin: origin}
		cred := newCredential(kind)
		c, err := h.AskNewPasskey(t.Context(), visit("a"), h.ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		create, err := virtualwebauthn.ParseAttestationOptions(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		device := virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: []byte(create.UserID), BackupEligible: true, BackupState: true})
		made, err := h.AddPasskey(t.Context(), visit("a"), h.ada.ID, c.State, virtualwebauthn.CreateAttestationResponse(rp, device, cred, *create), "Phone")
		if err != nil || !made.BackedUp || made.Method() != account.PasskeySync {
			t.Fatal(kind, made, err)
		}
		c = h.ask(t)
		get, err := virtualwebauthn.ParseAssertionOptions(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		p, reason := h.answered(t, visit("a"), c.State, virtualwebauthn.CreateAssertionResponse(rp, device, cred, *get))
		if !p.Done() || p.Session.AMR != "swk user mfa" {
			t.Errorf("%s: %q, amr %q", kind, reason, p.Session.AMR)
		}
	}
}

func recorded(t *testing.T) (context.Context, *audit.Record) {
	t.Helper()
	record := &audit.Record{}
	return audit.WithRecord(t.Context(), record), record
}
