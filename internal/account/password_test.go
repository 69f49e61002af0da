package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/account"
	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

func TestAU01AU02NewPasswords(t *testing.T) {
	t.Parallel()
	unicode100 := strings.Repeat("žluťoučký kůň ", 8)[:100]
	for name, c := range map[string]struct {
		password string
		ok       bool
	}{
		"AU01 a sentence":                        {good, true},
		"AU01 fifteen characters":                {"kfjwpqzmvbntxhd", true},
		"AU01 fourteen characters":               {"kfjwpqzmvbntxh", false},
		"AU01 fifteen characters, not bytes":     {"äöüßéèçñøåæœđł", false},
		"AU01 a hundred characters of Unicode":   {unicode100 + "xx", true},
		"AU01 1024 characters":                   {strings.Repeat("otter juggles 31 ", 61)[:1024], true},
		"AU01 1025 characters":                   {strings.Repeat("otter juggles 31 ", 61)[:1024] + "x", false},
		"AU01 digits alone":                      {"830174652983710", true},
		"AU01 lower case alone":                  {"violetgiraffehouseboat", true},
		"AU01 spaces at the ends":                {"  violet giraffe  ", true},
		"AU03 empty":                             {"", false},
		"AU03 NUL":                               {"violet\x00giraffe boat", false},
		"AU01 not UTF-8":                         {"violet giraffe \xff\xfe", false},
		"AU02 a common word and digits":          {"Password123456!", false},
		"AU02 the same in disguise":              {"P@ssw0rd!P@ssw0rd!", false},
		"AU02 common and long":                   {"correct horse battery staple", false},
		"AU02 doubled":                           {"qwertyuiopqwertyuiop", false},
		"AU02 our name":                          {"Sallyport-Sallyport-1", false},
		"AU02 the user name":                     {"ada.lovelace.1815", false},
		"AU02 the user name in parts":            {"lovelace_ada!!1815", false},
		"AU02 the address":                       {"engine@example.com", false},
		"AU02 the name":                          {"AugustaKing-2026", false},
		"AU02 one character":                     {strings.Repeat("a", 20), false},
		"AU02 four characters":                   {strings.Repeat("abcd", 5), false},
		"AU02 a run of digits":                   {"12345678901234567", false},
		"AU02 a run of letters":                  {"abcdefghijklmnopqrst", false},
		"AU02 stolen elsewhere":                  {"thisismypassword", false},
		"AU02 stolen, in disguise":               {"TH1SismyP@ssword", false},
		"AU02 a common word in a real sentence":  {"monkey wrenches outlive plumbers", true},
		"AU02 the user name in a real sentence":  {"lovelace wrote the first program", true},
		"AU02 a word that contains a common one": {"masterful cabbage opera", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, newMemory())
			_, err := h.AddUser(t.Context(), account.NewUser{
				Username: "ada.lovelace", Name: "Augusta King", Email: "engine@example.com", Password: secret.New(c.password),
			})
			var invalid *account.InvalidError
			if c.ok && err != nil || !c.ok && (!errors.As(err, &invalid) || invalid.Field != "password") {
				t.Errorf("%q: %v, want ok = %v", c.password, err, c.ok)
			}
			if _, _, err := h.signIn(t.Context(), "ada.lovelace", c.password, "192.0.2.1"); (err == nil) != c.ok {
				t.Errorf("sign in with %q: %v, want ok = %v", c.password, err, c.ok)
			}
		})
	}
}

func TestAU01TheWholePasswordCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory())
	long := strings.Repeat("otter juggles 31 ", 20)
	if _, err := h.AddUser(t.Context(), account.NewUser{Username: "ada", Password: secret.New(long)}); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name, password string
		ok             bool
	}{
		{"as set", long, true},
		{"cut after 72 bytes", long[:72], false},
		{"last character missing", long[:len(long)-1], false},
		{"last character changed", long[:len(long)-1] + "x", false},
		{"upper case", strings.ToUpper(long), false},
		{"a character more", long + " ", false},
		{"a NUL more", long + "\x00", false},
	} {
		if _, _, err := h.signIn(t.Context(), "ada", c.password, fmt.Sprintf("192.0.2.%d", i)); (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok = %v", c.name, err, c.ok)
		}
	}
}

func TestAU01ComposedAndDecomposedAreOnePassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, newMemory())
	const composed, decomposed = "caf\u00e9 in the old h\u00f4tel", "cafe\u0301 in the old ho\u0302tel"
	if _, err := h.AddUser(t.Context(), account.NewUser{Username: "ada", Password: secret.New(composed)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.signIn(t.Context(), "ada", decomposed, "192.0.2.1"); err != nil {
		t.Errorf("decomposed: %v", err)
	}
}

// The known answer of the reference implementation, and what is not exactly a
// hash string within bounds.
func TestAU03StoredHashes(t *testing.T) {
	t.Parallel()
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, c := range map[string]struct {
		hash string
		ok   bool
	}{
		"reference":              {reference, true},
		"empty":                  {"", false},
		"4 GiB":                  {strings.Replace(reference, "m=65536", "m=4194304", 1), false},
		"overflowing memory":     {strings.Replace(reference, "m=65536", "m=4295032832", 1), false},
		"a million passes":       {strings.Replace(reference, "t=2", "t=1000000", 1), false},
		"no passes":              {strings.Replace(reference, "t=2", "t=0", 1), false},
		"no threads":             {strings.Replace(reference, "p=1", "p=0", 1), false},
		"257 threads":            {strings.Replace(reference, "p=1", "p=257", 1), false},
		"argon2i":                {strings.Replace(reference, "argon2id", "argon2i", 1), false},
		"old version":            {strings.Replace(reference, "v=19", "v=16", 1), false},
		"leading zero":           {strings.Replace(reference, "t=2", "t=02", 1), false},
		"plus sign":              {strings.Replace(reference, "t=2", "t=+2", 1), false},
		"other order":            {strings.Replace(reference, "m=65536,t=2", "t=2,m=65536", 1), false},
		"trailing newline":       {reference + "\n", false},
		"newline inside":         {reference[:50] + "\n" + reference[50:], false},
		"padded":                 {reference + "=", false},
		"empty hash":             {"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$", false},
		"short hash":             {"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXP", false},
		"no salt":                {"$argon2id$v=19$m=65536,t=2,p=1$$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", false},
		"a field more":           {reference + "$x", false},
		"the password itself":    {"password", false},
		"bcrypt of cost 31":      {"$2a$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", false},
		"a very long one":        {reference + strings.Repeat("A", 1<<20), false},
		"a keyid between fields": {strings.Replace(reference, ",p=1", ",p=1,keyid=AA", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMemory()
			store.users["u1"] = account.User{ID: "u1", Username: "ada", PasswordHash: c.hash}
			h := newHouse(t, store)
			began := time.Now()
			_, _, err := h.signIn(t.Context(), "ada", "password", "192.0.2.1")
			if c.ok && err != nil || !c.ok && !errors.Is(err, account.ErrWrongCredentials) {
				t.Errorf("%v, want ok = %v", err, c.ok)
			}
			if !c.ok && (h.Hashes() != 1 || time.Since(began) > time.Second) {
				t.Errorf("%d hashes in %s, want one cheap one", h.Hashes(), time.Since(began))
			}
			if c.ok {
				if u := store.users["u1"]; !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=64,t=1,p=1$") {
					t.Errorf("hash %q is not renewed", u.PasswordHash)
				}
				if _, _, err := h.signIn(t.Context(), "ada", "password", "192.0.2.1"); err != nil || h.Hashes() != 3 {
					t.Errorf("after renewal: %v, %d hashes, want 3", err, h.Hashes())
				}
			}
		})
	}
}

func TestAU03DefaultParameters(t *testing.T) {
	t.Parallel()
	store := newMemory()
	h := newHouse(t, store, func(o *account.Options) { o.Params = account.Argon2Params{} })
	u := h.add(t, "ada")
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(u.PasswordHash, want) {
		t.Errorf("hash %q, want %s…", u.PasswordHash, want)
	}
	if other := h.add(t, "bob"); other.PasswordHash == u.PasswordHash {
		t.Error("two people with one password have one hash: no salt")
	}
}

// No one has an empty password, also not who has none, nor by a NUL.
func TestAU03NullPasswordNeverFits(t *testing.T) {
	t.Parallel()
	store := newMemory()
	store.users["u1"] = account.User{ID: "u1", Username: "none"}
	// The hash of the empty string, planted with the parameters in use.
	store.users["u2"] = account.User{ID: "u2", Username: "planted", PasswordHash: emptyHash}
	h := newHouse(t, store)
	h.add(t, "ada")
	for _, name := range []string{"none", "planted", "ada", "nobody", ""} {
		for _, v := range []secret.Value{{}, secret.New(""), secret.New("\x00")} {
			if _, err := h.SignIn(t.Context(), account.Visit{Remote: start0}, name, v); !errors.Is(err, account.ErrWrongCredentials) {
				t.Errorf("%q with nothing: %v, want ErrWrongCredentials", name, err)
			}
		}
	}
}

// Work and answer are alike, whatever is wrong: one hash, one error.
func TestAU05EveryFailureCostsOneHashAndSaysTheSame(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store account.Store) {
		h := newHouse(t, store)
		h.add(t, "right")
		off := h.add(t, "disabled")
		if err := h.SetDisabled(t.Context(), off.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := store.AddUser(t.Context(), account.User{ID: "x", Username: "passwordless", CreatedAt: start}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ name, user, password, reason string }{
			{"wrong password", "right", "seven brown otters juggl", "wrong_password"},
			{"unknown name", "nobody", good, "unknown_user"},
			{"disabled, right password", "disabled", good, "disabled"},
			{"disabled, wrong password", "disabled", "x", "disabled"},
			{"no password", "passwordless", good, "no_password"},
			{"a name that nobody can have", "a b\x00", good, "unknown_user"},
			{"empty name", "", good, "unknown_user"},
			{"empty password", "right", "", "wrong_password"},
			{"endless password", "right", strings.Repeat("x", 1<<20), "wrong_password"},
			{"not text", "right", "\xff\xfe", "wrong_password"},
		} {
			record := &audit.Record{}
			before := h.Hashes()
			session, cookie, err := h.signIn(audit.WithRecord(t.Context(), record), c.user, c.password, "192.0.2.1")
			if err != account.ErrWrongCredentials { //nolint:errorlint // not even wrapped in something else
				t.Errorf("%s: error %v, want ErrWrongCredentials itself", c.name, err)
			}
			if n := h.Hashes() - before; n != 1 {
				t.Errorf("%s: %d hashes, want 1", c.name, n)
			}
			if !cookie.IsZero() || session != (account.Session{}) {
				t.Errorf("%s: a session came with the error", c.name)
			}
			if got, want := fmt.Sprint(reasons(record)), "[login.failed:"+c.reason+"]"; got != want {
				t.Errorf("%s: noted %s, want %s", c.name, got, want)
			}
		}
	})
}

// AU05: the time of a sign-in tells nobody whether a name exists. Known and unknown
// names take turns, so that what else the machine does meets both; the middle of the
// differences within each pair must be less than a tenth of what a sign-in takes.
// One of five rounds must show that: noise makes rounds differ, a missing hash
// makes all of them fail by a factor of a hundred. Not parallel, for quiet.
func TestAU05TimingTellsNoNames(t *testing.T) {
	const bound, pairs = 0.10, 40
	h := newHouse(t, newMemory(), func(o *account.Options) { o.Params = account.Argon2Params{MemoryKiB: 4 << 10, Passes: 1, Threads: 1} })
	h.add(t, "ada")
	address := 0
	took := func(name string) time.Duration {
		address++
		began := time.Now()
		if _, _, err := h.signIn(t.Context(), name, "wrong", fmt.Sprintf("10.%d.%d.1", address/250, address%250)); !errors.Is(err, account.ErrWrongCredentials) {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	var seen []string
	for range 5 {
		var differences, all []time.Duration
		for i := range pairs {
			var known, unknown time.Duration
			if i%2 == 0 {
				known, unknown = took("ada"), took(fmt.Sprint("nobody", address))
			} else {
				unknown, known = took(fmt.Sprint("nobody", address)), took("ada")
			}
			differences, all = append(differences, known-unknown), append(all, known, unknown)
			h.clock.advance(time.Minute) // nobody is throttled
		}
		slices.Sort(differences)
		slices.Sort(all)
		apart := float64(differences[pairs/2].Abs()) / float64(all[pairs])
		if apart < bound {
			return
		}
		seen = append(seen, fmt.Sprintf("%.0f %%", 100*apart))
	}
	t.Errorf("known and unknown names are apart by %s of a sign-in, want less than %.0f %% once", strings.Join(seen, ", "), 100*bound)
}

func TestBusyWhenTheQueueIsFull(t *testing.T) {
	t.Parallel()
	const room = 1 + 128
	h := newHouse(t, newMemory(), func(o *account.Options) {
		o.HashesAtOnce, o.HashesWaiting, o.Params = 1, 128, account.Argon2Params{MemoryKiB: 64 << 10, Passes: 8, Threads: 1}
	})
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 200)
	for i := range 200 {
		go func() {
			_, _, err := h.signIn(ctx, fmt.Sprint("user", i), good, fmt.Sprintf("10.%d.2.1", i))
			errs <- err
		}()
	}
	// So many find room. The others must not wait for them.
	for range 200 - room - 1 {
		if err := <-errs; !errors.Is(err, account.ErrBusy) {
			t.Fatalf("%v, want ErrBusy", err)
		}
	}
	// Who waits for a hash stops when the browser has gone.
	cancel()
	busy := 0
	for range room + 1 {
		if err := <-errs; errors.Is(err, account.ErrBusy) {
			busy++
		}
	}
	if busy < room-2 {
		t.Errorf("%d of the waiting gave up, want all but the running one", busy)
	}
}
