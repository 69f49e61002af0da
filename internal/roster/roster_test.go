package roster_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/passhash"
	"sallyport/internal/roster"
)

// read gives a line of words for each entry.
func read(t *testing.T, list string, o roster.Options) (got []string, err error) {
	t.Helper()
	err = roster.Read(strings.NewReader(list), o, func(p roster.Person, problem error) error {
		if problem != nil {
			var entry *roster.EntryError
			if !errors.As(problem, &entry) {
				t.Fatalf("%v is no EntryError", problem)
			}
			got = append(got, fmt.Sprintf("%d ERROR", entry.Line))
			return nil
		}
		created := ""
		if !p.CreatedAt.IsZero() {
			created = p.CreatedAt.Format(time.DateOnly)
		}
		got = append(got, fmt.Sprintf("%d id=%s user=%s name=%s email=%s/%t locale=%s off=%t %s hash=%s notes=%d",
			p.Line, p.ID, p.Username, p.Name, p.Email, p.EmailVerified, p.Locale, p.Disabled, created, p.Password.Scheme(), len(p.Notes)))
		return nil
	})
	return got, err
}

func file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func hashConfig(t *testing.T) *roster.HashConfig {
	t.Helper()
	c, err := roster.ReadHashConfig(strings.NewReader(file(t, "hash_config.txt")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExportsOfOtherSystems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file    string
		options roster.Options
		want    []string
	}{
		{"keycloak.json", roster.Options{Format: roster.Keycloak}, []string{
			"17 id=6f1b2c3d-0000-4000-8000-000000000001 user=ada name=Ada Lovelace email=ada@example.com/true locale=de off=false 2020-09-13 hash=pbkdf2-sha256 notes=1",
			"53 id=6f1b2c3d-0000-4000-8000-000000000002 user=bob name= email=/false locale= off=true 2020-09-13 hash= notes=1",
			"69 ERROR",
			"74 id= user=eve name= email=/false locale= off=false  hash=argon2id without a pepper notes=0",
			"85 id= user=mallory name= email=/false locale= off=false  hash= notes=1",
		}},
		{"auth0.ndjson", roster.Options{Format: roster.Auth0}, []string{
			"1 id=auth0|1 user=ada@example.com name=Ada Lovelace email=ada@example.com/true locale= off=false 2021-02-23 hash=bcrypt notes=0",
			"2 id= user=bob@example.com name= email=bob@example.com/false locale= off=false  hash=bcrypt notes=0",
			"4 ERROR",
			"5 id= user=sha@example.com name= email=sha@example.com/false locale= off=false  hash=sha256 notes=0",
			"6 id= user=phc@example.com name= email=phc@example.com/false locale= off=true  hash=pbkdf2-sha256 notes=0",
			"7 id= user=md4@example.com name= email=md4@example.com/false locale= off=false  hash= notes=2",
		}},
		{"auth0.json", roster.Options{Format: roster.Auth0}, []string{
			"2 id=auth0|1 user=ada@example.com name=Ada Lovelace email=ada@example.com/true locale= off=false 2021-02-23 hash=bcrypt notes=0",
			"10 id= user=bob@example.com name= email=bob@example.com/false locale= off=false  hash=bcrypt notes=0",
			"20 id= user=sha@example.com name= email=sha@example.com/false locale= off=false  hash=sha256 notes=0",
			"35 id= user=phc@example.com name= email=phc@example.com/false locale= off=true  hash=pbkdf2-sha256 notes=0",
			"46 id= user=md4@example.com name= email=md4@example.com/false locale= off=false  hash= notes=2",
		}},
		{"firebase.json", roster.Options{Format: roster.Firebase, HashConfig: hashConfig(t)}, []string{
			"3 id=LgqktpzdWSRDvbPMSTNB1uV0rzU2 user=user1@example.com name=User One email=user1@example.com/false locale= off=false 2017-07-14 hash=firebase-scrypt notes=0",
			"14 ERROR",
			"20 id=y user=user3@example.com name= email=user3@example.com/false locale= off=true 2017-07-14 hash= notes=0",
		}},
		{"firebase.csv", roster.Options{Format: roster.Firebase, HashConfig: hashConfig(t)}, []string{
			"1 id=LgqktpzdWSRDvbPMSTNB1uV0rzU2 user=user1@example.com name=User, One email=user1@example.com/false locale= off=false 2017-07-14 hash=firebase-scrypt notes=0",
			"2 ERROR",
		}},
		{"firebase.csv", roster.Options{Format: roster.Firebase}, []string{
			"1 id=LgqktpzdWSRDvbPMSTNB1uV0rzU2 user=user1@example.com name=User, One email=user1@example.com/false locale= off=false 2017-07-14 hash= notes=1",
			"2 ERROR",
		}},
	} {
		got, err := read(t, file(t, c.file), c.options)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
			t.Errorf("%s: got\n%s\nwant\n%s", c.file, g, w)
		}
	}
}

// The passwords that were exported fit.
func TestAU03ExportedPasswordsFit(t *testing.T) {
	t.Parallel()
	cheap := passhash.Argon2Params{MemoryKiB: 64, Passes: 1, Threads: 1}
	const old = "pa55 wörd of old"
	typed := map[string]string{
		"ada": old, "ada@example.com": old, "bob@example.com": old, "sha@example.com": old, "phc@example.com": old, "eve": "password", "user1@example.com": "user1password",
	}
	fits := 0
	for name, f := range map[string]roster.Format{"keycloak.json": roster.Keycloak, "auth0.json": roster.Auth0, "firebase.json": roster.Firebase, "firebase.csv": roster.Firebase} {
		err := roster.Read(strings.NewReader(file(t, name)), roster.Options{Format: f, HashConfig: hashConfig(t)}, func(p roster.Person, _ error) error {
			h := p.Password.Hash
			if p.Password.Weak != nil {
				var err error
				if h, err = p.Password.Weak.Wrap(cheap, nil); err != nil {
					t.Error(err)
				}
			}
			if h == nil {
				return nil
			}
			if ok, err := passhash.Matches(h, typed[p.Username], nil, passhash.Here); !ok || err != nil {
				t.Errorf("%s: %s does not fit: %v", name, p.Username, err)
			}
			fits++
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if fits != 8 {
		t.Errorf("%d passwords, want 8", fits)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	f, err := passhash.ParseForeign("$2b$04$3kR6b9C79MUpil2SDPiR6.yCwgpKBd8iLOZw3aalFALvWpjbItgUG")
	if err != nil {
		t.Fatal(err)
	}
	want := roster.Person{
		Line: 1, ID: "u1", Username: "ada", Name: "Ada <Löve>", Email: "ada@example.com", EmailVerified: true, Locale: "de", Disabled: true,
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Password: f,
	}
	var out bytes.Buffer
	if err := roster.Write(&out, want); err != nil {
		t.Fatal(err)
	}
	err = roster.Read(&out, roster.Options{Format: roster.Sallyport}, func(p roster.Person, problem error) error {
		if fmt.Sprint(p) != fmt.Sprint(want) || problem != nil {
			t.Errorf("got %v, %v, want %v", p, problem, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Mistakes in an entry are of that entry; a file that is something else is refused whole.
func TestWhatIsWrongWithAList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format roster.Format
		list   string
		want   string
		whole  bool
	}{
		"unknown field":    {roster.Sallyport, `{"username":"ada","admin":true}`, "1 ERROR", false},
		"two in a line":    {roster.Sallyport, `{"username":"ada"}{"username":"bob"}`, "1 ERROR", false},
		"unusable hash":    {roster.Sallyport, "\n" + `{"username":"ada","password_hash":"$1$abc$def"}`, "2 ERROR", false},
		"no time":          {roster.Sallyport, `{"username":"ada","created_at":"yesterday"}`, "1 ERROR", false},
		"not an object":    {roster.Sallyport, `[]`, "1 ERROR", false},
		"endless line":     {roster.Sallyport, strings.Repeat("x", 2<<20), "", true},
		"no users":         {roster.Keycloak, `{"realm":"x","groups":[]}`, "", true},
		"cut":              {roster.Keycloak, `{"users":[{"username":"ada"},{"user`, "1 id= user=ada name= email=/false locale= off=false  hash= notes=0", true},
		"not JSON":         {roster.Keycloak, `<xml/>`, "", true},
		"endless entry":    {roster.Keycloak, `{"users":[{"username":"` + strings.Repeat("x", 8<<20) + `"}]}`, "", true},
		"wrong kind":       {roster.Keycloak, `{"users":[7]}`, "1 ERROR", false},
		"empty":            {roster.Auth0, "", "", true},
		"quotes":           {roster.Firebase, `a,"b`, "", true},
		"unknown format":   {"ldif", "", "", true},
		"one user himself": {roster.Keycloak, `[{"username":"ada"}]`, "1 id= user=ada name= email=/false locale= off=false  hash= notes=0", false},
	} {
		got, err := read(t, c.list, roster.Options{Format: c.format})
		if strings.Join(got, ";") != c.want || (err != nil) != c.whole {
			t.Errorf("%s: %q, %v, want %q, refused = %t", name, got, err, c.want, c.whole)
		}
	}
	for name, text := range map[string]string{"empty": "", "other algorithm": "algorithm: BCRYPT", "no key": "rounds: 8\nmem_cost: 14\nbase64_salt_separator: Bw=="} {
		if c, err := roster.ReadHashConfig(strings.NewReader(text)); err == nil {
			t.Errorf("hash_config %s: %+v", name, c)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"keycloak.json", "auth0.ndjson", "firebase.json", "firebase.csv"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(`{"id":"u","username":"a","created_at":"2026-01-01T00:00:00Z","password_hash":"{SSHA}6tRSk5XxI26hpG2+aASCsQba4o9zYWx0"}`)
	f.Fuzz(func(t *testing.T, list string) {
		for _, format := range roster.Formats {
			last := 0
			_ = roster.Read(strings.NewReader(list), roster.Options{Format: format, HashConfig: &roster.HashConfig{Rounds: 8, MemCost: 14, SignerKey: make([]byte, 64)}}, func(p roster.Person, problem error) error {
				if p.Line < last || p.Line > strings.Count(list, "\n")+1 {
					t.Fatalf("%s: line %d after %d", format, p.Line, last)
				}
				last = p.Line
				if problem == nil && p.Password.Weak != nil && p.Password.Weak.Check() != nil {
					t.Fatalf("%s: a weak hash that cannot be wrapped", format)
				}
				return nil
			})
		}
	})
}
