package account_test

import (
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/secret"
)

// AU03: hashes from elsewhere are good for one sign-in, which makes one of ours.
func TestAU03ImportedHashesAreRenewedAtTheNextSignIn(t *testing.T) {
	t.Parallel()
	const typed = "pa55 wörd of old"
	for name, hash := range map[string]string{
		"bcrypt": "$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG",
		"PBKDF2": "$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7JgQrUNLFokVjXQTnY9G/h0yDLoQ5IsPy9LU",
		"scrypt": "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, store account.Store) {
				u := account.User{ID: "u1", Username: "ada", PasswordHash: hash, CreatedAt: start}
				if err := store.AddUser(t.Context(), u); err != nil {
					t.Fatal(err)
				}
				h := newHouse(t, store)
				if _, _, err := h.signIn(t.Context(), "ada", "pa55 word of old", "192.0.2.1"); err == nil {
					t.Fatal("a wrong password fits")
				}
				for range 2 {
					if _, _, err := h.signIn(t.Context(), "ada", typed, "192.0.2.1"); err != nil {
						t.Fatal(err)
					}
					u, err := store.UserByID(t.Context(), "u1")
					if err != nil || !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=64,t=1,p=1$") {
						t.Errorf("kept as %s, %v", u.PasswordHash, err)
					}
				}
			})
		})
	}
}

// A hash from elsewhere was made of what the person typed there, which need not be
// NFC; ours is, and then both ways of typing fit.
func TestAU01ImportedHashesOfDecomposedPasswords(t *testing.T) {
	t.Parallel()
	store := newMemory()
	const decomposed = "pa55 wo\u0308rd of old"
	store.users["u1"] = account.User{ID: "u1", Username: "ada", PasswordHash: "$2b$04$VS5YwscQlb4XIu4gmw0ozuw1AAaK0ipRBKL1tz/anOmdcZQdUBWWq"}
	h := newHouse(t, store)
	if _, _, err := h.signIn(t.Context(), "ada", decomposed, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.signIn(t.Context(), "ada", "pa55 w\u00f6rd of old", "192.0.2.1"); err != nil {
		t.Errorf("composed, after renewal: %v", err)
	}
}

// bcrypt has not compared what is behind 72 bytes: the person gets in, is told, and
// no hash is made of what nobody has checked.
func TestAU01ImportedBcryptOfALongPassword(t *testing.T) {
	t.Parallel()
	const hash = "$2b$04$XYIBPgu7qLF34BGFJQZpFutnZEuEx7veVPdFIhStSMYtegSCsyzJy"
	store := newMemory()
	store.users["u1"] = account.User{ID: "u1", Username: "ada", PasswordHash: hash}
	h := newHouse(t, store)
	long := strings.Repeat("0123456789", 8)
	for _, c := range []struct {
		password string
		renewed  bool
	}{{long, false}, {long[:72] + "anything", false}, {long[:72], true}} {
		p, err := h.SignIn(t.Context(), from("192.0.2.1"), "ada", secret.New(c.password))
		if err != nil || !p.Done() || !p.PasswordDue { // a run of digits is no good password anyway
			t.Errorf("%q: done = %t, due = %t, %v", c.password, p.Done(), p.PasswordDue, err)
		}
		if renewed := store.users["u1"].PasswordHash != hash; renewed != c.renewed {
			t.Errorf("%q: renewed = %t", c.password, renewed)
		}
	}
	h.add(t, "bob")
	if p, err := h.SignIn(t.Context(), from("192.0.2.1"), "bob", secret.New(good)); err != nil || p.PasswordDue {
		t.Errorf("a good password is due: %v", err)
	}
}

// AU03: the pepper is in the key ring and not in the database. Hashes without it are
// renewed, and without its key nothing fits, which looks like a wrong password.
func TestAU03PepperIsInTheKeys(t *testing.T) {
	t.Parallel()
	store := newMemory()
	plain := newHouse(t, store)
	u := plain.add(t, "ada")
	if !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
		t.Fatalf("kept as %s", u.PasswordHash)
	}
	ring := newRing(t)
	h := newHouse(t, store, func(o *account.Options) { o.Ring = ring })
	if _, _, err := h.signIn(t.Context(), "ada", good, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	peppered := store.users[u.ID].PasswordHash
	if !strings.HasPrefix(peppered, "$sallyport$v=1$m=64,t=1,p=1,k=") {
		t.Fatalf("kept as %s", peppered)
	}
	for name, c := range map[string]struct {
		house *house
		fits  bool
	}{
		"the same ring": {h, true},
		"no ring":       {plain, false},
		"another ring":  {newHouse(t, store, func(o *account.Options) { o.Ring = newRing(t) }), false},
	} {
		before := c.house.Hashes()
		_, _, err := c.house.signIn(t.Context(), "ada", good, "192.0.2.1")
		if c.fits != (err == nil) || !c.fits && err != account.ErrWrongCredentials || c.house.Hashes() != before+1 { //nolint:errorlint // itself
			t.Errorf("%s: %v, %d hashes", name, err, c.house.Hashes()-before)
		}
	}
	if store.users[u.ID].PasswordHash != peppered {
		t.Error("the hash has changed")
	}
}

// AU17: a new deployment has no account, so no name and no password opens it.
func TestAU17NobodyIsThereFromTheStart(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		if list, err := store.Users(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("%d people, %v", len(list), err)
		}
		h := newHouse(t, store)
		for _, name := range []string{"admin", "root", "sallyport", "demo", ""} {
			for _, password := range []string{name, "admin", "password", ""} {
				if _, _, err := h.signIn(t.Context(), name, password, ""); err == nil {
					t.Errorf("%q with %q gets in", name, password)
				}
			}
			h.clock.advance(time.Hour)
		}
	})
}
