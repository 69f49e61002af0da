package passhash_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/passhash"
)

const password = "pa55 wörd of old"

var cheap = passhash.Argon2Params{MemoryKiB: 64, Passes: 1, Threads: 1}

// key is a pepper with one name.
type key string

func (k key) Make(sum []byte) (string, []byte, error) {
	keyed, err := k.By(string(k), sum)
	return string(k), keyed, err
}

func (k key) By(name string, sum []byte) ([]byte, error) {
	if name != string(k) {
		return nil, errors.New("no such key")
	}
	return append([]byte(name+": "), sum...)[:32], nil
}

func matches(t *testing.T, h passhash.Hash, password string, by passhash.Pepper) bool {
	t.Helper()
	ok, err := passhash.Matches(h, password, by, passhash.Here)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Made by the libraries of other systems: hashlib, bcrypt and the tools of Firebase.
var foreign = []struct{ name, text, scheme string }{
	{"PBKDF2 with SHA-1", "$pbkdf2$1000$AAECAwQFBgcICQoLDA0ODw$4j35KLcabMjcb3uL6ih5iCP83eY", "pbkdf2-sha1"},
	{"PBKDF2 with SHA-256", "$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7JgQrUNLFokVjXQTnY9G/h0yDLoQ5IsPy9LU", "pbkdf2-sha256"},
	{"PBKDF2 with SHA-512", "$pbkdf2-sha512$1000$AAECAwQFBgcICQoLDA0ODw$GjbFOxUMUeOFz9VD4uS9CmhYGPlISUSx335Yd68noe3gLEh7dUEVKR6BARW6XDZ5cTDR0RZ6X47xeeH.6RwoYQ", "pbkdf2-sha512"},
	{"PBKDF2 of two blocks", "$pbkdf2-sha256$27$AAECAwQFBgcICQoLDA0ODw$gUnwH1NrQji1CcaEQkCT45b1vIjdedtJe0XzqgUu5m4c9AlEkrEtCVie9melEd3yHdDadeDAuTJrfnxpu3TLtA", "pbkdf2-sha256"},
	{"Django's PBKDF2", "pbkdf2_sha256$1000$saltsalt$ApJrZEOvaptSSkYysoINqbgLKccYisi4XGUIFGNd5QM=", "pbkdf2-sha256"},
	{"scrypt", "$scrypt$ln=10,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE", "scrypt"},
	{"Django's scrypt", "scrypt$1024$saltsalt$8$5$7cnZpoOEhFkOpPiV3VTHVdSNkFdUx7fWXb9uJUTP+1BdTrxMrhcOzVO8TpWj2/6w3KfTS2zEUvmYsJGSlU5suQ==", "scrypt"},
	{"bcrypt 2b", "$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG", "bcrypt"},
	{"bcrypt 2a", "$2a$04$etJclR5JhQeu8k8RgAOEMuNxOfK2Lhb7tJEjTGFHADuqeW7p4rjaC", "bcrypt"},
	{"bcrypt 2y", "$2y$04$etJclR5JhQeu8k8RgAOEMuNxOfK2Lhb7tJEjTGFHADuqeW7p4rjaC", "bcrypt"},
	{"Django's bcrypt", "bcrypt$$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG", "bcrypt"},
	{"Django's bcrypt of SHA-256", "bcrypt_sha256$$2b$04$lma0HtyDayy7RvGb8E.edualVir0vDemwlsIDLGMck2XfRAcO6Ds6", "bcrypt"},
	{"bcrypt of LDAP", "{CRYPT}$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG", "bcrypt"},
	{"Django's MD5", "md5$salt$865f298ddf4b02d62e39e3e9566120d6", "md5"},
	{"Django's SHA-1", "sha1$salt$f637186b1e51eaafbac159a2a7229fd9150d106c", "sha1"},
	{"LDAP's salted SHA-1", "{SSHA}6tRSk5XxI26hpG2+aASCsQba4o9zYWx0", "sha1"},
	{"LDAP's SHA-1", "{SHA}OXFtot70G7HU70DO3XG3n0Ab0Fg=", "sha1"},
	{"LDAP's salted SHA-512", "{SSHA512}LM5xX4sL0rSvHH0fCTDGd7QZUD7hzWEYsj+dfB85lPwZ+A6YDIE6jcSdiFWH/ixz79L95txh4FRvle/fFcGXlXNhbHQ=", "sha512"},
}

func TestAU03HashesFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, c := range foreign {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := passhash.ParseForeign(c.text)
			if err != nil || f.Scheme() != c.scheme {
				t.Fatalf("scheme %q, %v, want %q", f.Scheme(), err, c.scheme)
			}
			h := f.Hash
			if f.Weak != nil { // never stored as it is
				if h, err = f.Weak.Wrap(cheap, key("k")); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(h.String(), "$sallyport$v=1$m=64,t=1,p=1,k=k,f="+c.scheme+":") || strings.Contains(h.String(), base64.RawStdEncoding.EncodeToString(f.Weak.Sum)) {
					t.Errorf("stored as %s", h)
				}
			}
			stored, err := passhash.Parse(h.String())
			if err != nil {
				t.Fatalf("%s: %v", h, err)
			}
			for typed, want := range map[string]bool{password: true, "Pa55 wörd of old": false, "": false, password + " ": false} {
				if got := matches(t, stored, typed, key("k")); got != want {
					t.Errorf("%q: %t, want %t", typed, got, want)
				}
			}
			if passhash.Current(stored, cheap, key("k")) {
				t.Error("it would not be renewed")
			}
		})
	}
}

// The example of Firebase's own scrypt tool.
func TestAU03FirebaseScrypt(t *testing.T) {
	t.Parallel()
	raw := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	f, err := passhash.FirebaseScrypt(14, 8,
		raw("jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="), raw("Bw=="),
		raw("42xEC+ixf3L2lw=="), raw("lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="))
	if err != nil {
		t.Fatal(err)
	}
	if !matches(t, f.Hash, "user1password", nil) || matches(t, f.Hash, "user2password", nil) {
		t.Error("the example does not fit, or another password does")
	}
}

// bcrypt has never looked behind 72 bytes; a hash of ours always does.
func TestAU01BcryptTruncates(t *testing.T) {
	t.Parallel()
	h, err := passhash.Parse("$2b$04$XYIBPgu7qLF34BGFJQZpFutnZEuEx7veVPdFIhStSMYtegSCsyzJy")
	if err != nil {
		t.Fatal(err)
	}
	whole := strings.Repeat("0123456789", 8)
	if !matches(t, h, whole, nil) || !matches(t, h, whole[:72], nil) || matches(t, h, whole[:71], nil) {
		t.Error("it does not compare as bcrypt does")
	}
	if !passhash.Truncates(h, whole) || passhash.Truncates(h, whole[:72]) {
		t.Error("it does not say so")
	}
	ours, err := passhash.New(cheap, nil, whole, passhash.Here)
	if err != nil || matches(t, ours, whole[:72], nil) || passhash.Truncates(ours, whole) {
		t.Errorf("ours: %v", err)
	}
}

// AU03: without the key, the hash is nothing to guess at; the parameters can be read.
func TestAU03Pepper(t *testing.T) {
	t.Parallel()
	h, err := passhash.New(cheap, key("k1"), password, passhash.Here)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(h.String(), "$sallyport$v=1$m=64,t=1,p=1,k=k1$") {
		t.Errorf("stored as %s", h)
	}
	stored, err := passhash.Parse(h.String())
	if err != nil || !matches(t, stored, password, key("k1")) || matches(t, stored, "another", key("k1")) {
		t.Errorf("%v, or the wrong one fits", err)
	}
	for _, by := range []passhash.Pepper{nil, key("k2")} {
		if ok, err := passhash.Matches(stored, password, by, passhash.Here); ok || err == nil {
			t.Errorf("with %v it fits: %t, %v", by, ok, err)
		}
	}
	bare, err := passhash.Parse(strings.Replace(strings.Replace(h.String(), "$sallyport$v=1$", "$argon2id$v=19$", 1), ",k=k1", "", 1))
	if err != nil || matches(t, bare, password, nil) {
		t.Errorf("without its key it is the hash of the password: %v", err)
	}
	if !passhash.Current(stored, cheap, key("k1")) || passhash.Current(stored, cheap, nil) || passhash.Current(bare, cheap, key("k1")) {
		t.Error("what is to be renewed is wrong")
	}
}

// What a hostile or damaged row, or file, asks for is refused before it is computed.
func TestAU03ParametersAreBounded(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for name, text := range map[string]string{
		"bcrypt at 2^31":                 "$2b$31$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG",
		"bcrypt too short":               "$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgU",
		"bcrypt with another letter":     "$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItg!G",
		"bcrypt 2x":                      "$2x$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG",
		"PBKDF2 with 2^31 iterations":    "$pbkdf2-sha256$2147483648$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7JgQrUNLFokVjXQTnY9G/h0yDLoQ5IsPy9LU",
		"PBKDF2 with none":               "$pbkdf2-sha256$0$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7JgQrUNLFokVjXQTnY9G/h0yDLoQ5IsPy9LU",
		"PBKDF2 with MD5":                "$pbkdf2-md5$1000$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7JgQrUNLFokVjXQTnY9G/h0yDLoQ5IsPy9LU",
		"PBKDF2 with too short a result": "$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7",
		"PBKDF2, many blocks":            "$pbkdf2-sha256$3000000$AAECAwQFBgcICQoLDA0ODw$gUnwH1NrQji1CcaEQkCT45b1vIjdedtJe0XzqgUu5m4c9AlEkrEtCVie9melEd3yHdDadeDAuTJrfnxpu3TLtA",
		"PBKDF2 with a plus":             "$pbkdf2-sha256$+1000$AAECAwQFBgcICQoLDA0ODw$fo9mx7O7JgQrUNLFokVjXQTnY9G/h0yDLoQ5IsPy9LU",
		"scrypt with 1 GiB":              "$scrypt$ln=20,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE",
		"scrypt at 2^63":                 "$scrypt$ln=63,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE",
		"scrypt, r of a million":         "$scrypt$ln=10,r=1000000,p=1$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE",
		"scrypt, p of a thousand":        "$scrypt$ln=10,r=8,p=1000$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE",
		"scrypt, negative":               "$scrypt$ln=-1,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$CIOvPkweEiuHR5gHmMllR+enQihduI/1WMGoDtOgUpE",
		"scrypt of Django, N no power":   "scrypt$1000$saltsalt$8$5$7cnZpoOEhFkOpPiV3VTHVdSNkFdUx7fWXb9uJUTP+1BdTrxMrhcOzVO8TpWj2/6w3KfTS2zEUvmYsJGSlU5suQ==",
		"argon2id with 4 GiB":            "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"argon2i":                        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"of a function that is none":     "$sallyport$v=1$m=64,t=1,p=1,f=rot13:first:AA$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"of an order that is none":       "$sallyport$v=1$m=64,t=1,p=1,f=md5:around:AA$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"an HMAC without a key":          "$sallyport$v=1$m=64,t=1,p=1,f=hmac-md5:first:AA$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"our form without any reason":    "$sallyport$v=1$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"MD5 of another length":          "md5$salt$865f298ddf4b02d62e39e3e9566120",
		"a salt of a kilobyte":           "md5$" + strings.Repeat("x", 600) + "$865f298ddf4b02d62e39e3e9566120d6",
		"LDAP, too short":                "{SSHA}6tRSk5Xx",
		"the password itself":            password,
		"DES crypt":                      "{CRYPT}rl0uE0cH6J7bs",
		"very long":                      "$2b$04$" + strings.Repeat("x", 1<<20),
		"nothing":                        "",
	} {
		if f, err := passhash.ParseForeign(text); err == nil {
			t.Errorf("%s is taken: %+v", name, f)
		}
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWeakHashesInTheirVariants(t *testing.T) {
	t.Parallel()
	for _, w := range []passhash.Weak{
		{Function: "sha512", Sum: make([]byte, 64)},
		{Function: "hmac-sha256", Key: []byte("k"), Salt: []byte("s"), SaltLast: true, Sum: make([]byte, 32)},
	} {
		f, err := passhash.WeakHash(w)
		if err != nil {
			t.Fatal(err)
		}
		h, err := f.Weak.Wrap(cheap, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := passhash.Parse(h.String()); err != nil || again.Scheme() != "argon2id of "+w.Function {
			t.Errorf("%s: %v", h, err)
		}
	}
	for _, w := range []passhash.Weak{{Function: "md4", Sum: make([]byte, 16)}, {Function: "md5", Sum: make([]byte, 15)}, {Function: "hmac-md5", Sum: make([]byte, 16)}, {}} {
		if _, err := passhash.WeakHash(w); err == nil {
			t.Errorf("%+v is taken", w)
		}
	}
}

// FuzzParse: whatever is taken is stored as it was read, and costs little.
func FuzzParse(f *testing.F) {
	for _, c := range foreign {
		f.Add(c.text)
	}
	f.Add("$sallyport$v=1$m=64,t=1,p=1,k=x,f=hmac-sha1:last:AA:AA$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$firebase-scrypt$ln=14,r=8,k=AAAAAAAAAAAAAAAAAAAAAA,s=Bw$AA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := passhash.ParseForeign(text)
		if err != nil {
			return
		}
		if (read.Hash == nil) == (read.Weak == nil) {
			t.Fatalf("%q is %+v", text, read)
		}
		if read.Hash != nil {
			if again, err := passhash.Parse(read.Hash.String()); err != nil || again.String() != read.Hash.String() {
				t.Fatalf("%q is stored as %q: %v", text, read.Hash, err)
			}
		} else if !bytes.Equal(read.Weak.Sum, bytes.Clone(read.Weak.Sum)) || read.Weak.Check() != nil {
			t.Fatalf("%q is %+v", text, read.Weak)
		}
	})
}
