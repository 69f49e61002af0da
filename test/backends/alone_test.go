package backends_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sallyport/test/attack"
)

var update = flag.Bool("update", false, "rewrite the table of the guide")

// question is a token and the key set to judge it by.
type question struct {
	attack.Case
	jwks []byte
	set  bool // the attack is on the key set
}

func questions(tg attack.Target) []question {
	var list []question
	for _, c := range tg.List() {
		list = append(list, question{c, attack.Set(tg.Key.JWK()), false})
	}
	for _, s := range tg.KeySets() {
		for _, c := range s.Cases {
			list = append(list, question{c, s.Set(tg), true})
		}
	}
	return list
}

// library is one that was told issuer, audience and algorithm, and no more. Its
// answers are "taken", "refused", or "crashed" and an error that is not one of
// its own.
type library struct {
	name   string
	answer func(t *testing.T, tg attack.Target, list []question) []string
}

func libraries(t *testing.T) []library {
	jars := filepath.Join(must(t, inTree(t, "examples", "backends", "java", "target", "lib")), "*")
	packages := filepath.Dir(must(t, inTree(t, "examples", "backends", "node", "node_modules")))
	return []library{
		{"go-jose", goJOSE},
		{"jose", program([]string{"PACKAGES=" + packages}, "node", "alone/with_jose.mjs")},
		{"PyJWT", program(nil, python(t), "alone/with_pyjwt.py")},
		{"joserfc", program(nil, python(t), "-W", "ignore", "alone/with_joserfc.py")},
		{"Nimbus", program(nil, "java", "-cp", jars, "alone/WithNimbus.java")},
	}
}

// program asks one of the programs in alone, a line for each question.
func program(env []string, name string, args ...string) func(*testing.T, attack.Target, []question) []string {
	return func(t *testing.T, tg attack.Target, list []question) []string {
		t.Helper()
		var in, stderr bytes.Buffer
		for _, q := range list {
			if err := json.NewEncoder(&in).Encode(map[string]string{"token": q.Token, "jwks": string(q.jwks)}); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(name, args...)
		cmd.Stdin, cmd.Stderr = &in, &stderr
		cmd.Env = append(append(os.Environ(), "ISSUER="+tg.Issuer, "AUDIENCE="+tg.Audience), env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, &stderr)
		}
		var answers []string
		for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
			answers = append(answers, sc.Text())
		}
		if len(answers) != len(list) {
			t.Fatalf("%s: %d answers to %d questions\n%s", args, len(answers), len(list), &stderr)
		}
		return answers
	}
}

// goJOSE is go-jose as its documentation shows it.
func goJOSE(_ *testing.T, tg attack.Target, list []question) []string {
	taken := func(q question) bool {
		var set jose.JSONWebKeySet
		if json.Unmarshal(q.jwks, &set) != nil {
			return false
		}
		tok, err := jwt.ParseSigned(q.Token, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			return false
		}
		var c jwt.Claims
		return tok.Claims(set, &c) == nil && c.Validate(jwt.Expected{Issuer: tg.Issuer, AnyAudience: jwt.Audience{tg.Audience}, Time: time.Now()}) == nil
	}
	answers := make([]string, len(list))
	for i, q := range list {
		if answers[i] = "refused"; taken(q) {
			answers[i] = "taken"
		}
	}
	return answers
}

// row counts what the libraries took of one attack.
type row struct {
	id, name string
	of       int
	taken    []int
	crashed  []int
}

func TestT070LibrariesAloneAreAsTheGuideSays(t *testing.T) {
	t.Parallel()
	tg := attack.Target{
		Issuer: "https://issuer.example", Audience: "https://issuer.example/catalog", Type: "sallyport-inner+jwt",
		Key: attack.NewKey("EdDSA", "current"), Retired: attack.NewKey("EdDSA", "retired"), Foreign: attack.NewKey("EdDSA", "current"),
		JWKSURL: "https://issuer.example/jwks.json",
	}
	libs := libraries(t)
	var rows []*row
	index := map[string]*row{}
	var attacks int
	for n, lib := range libs {
		tg.Now = time.Now() // a slow program before must not let the tokens expire
		list := questions(tg)
		attacks = 0
		for i, answer := range lib.answer(t, tg, list) {
			q := list[i]
			if q.Valid {
				if answer != "taken" {
					t.Errorf("%s: the pair %s: %s", lib.name, q, answer)
				}
				continue
			}
			attacks++
			name, _, _ := strings.Cut(q.Name, ": ")
			if q.set {
				name += " (key set)"
			}
			r := index[q.ID+name]
			if r == nil {
				r = &row{id: q.ID, name: name, taken: make([]int, len(libs)), crashed: make([]int, len(libs))}
				index[q.ID+name], rows = r, append(rows, r)
			}
			if n == 0 {
				r.of++
			}
			switch {
			case answer == "taken":
				r.taken[n]++
			case strings.HasPrefix(answer, "crashed"):
				r.crashed[n]++
				t.Logf("%s: %s: %s", lib.name, q, answer)
			}
		}
	}
	compare(t, table(libs, rows, attacks))
}

// table is in the guide between its marks: only attacks that some library took.
func table(libs []library, rows []*row, attacks int) string {
	var b strings.Builder
	b.WriteString("| Attack | tokens |")
	rule := "|---|---|"
	for _, l := range libs {
		fmt.Fprintf(&b, " %s |", l.name)
		rule += "---|"
	}
	b.WriteString("\n" + rule + "\n")
	total, fell := make([]int, len(libs)), make([]int, len(libs))
	for _, r := range rows {
		line, any := fmt.Sprintf("| %s %s | %d |", r.id, r.name, r.of), false
		for n := range libs {
			total[n] += r.taken[n]
			fell[n] += r.crashed[n]
			cell := ""
			if r.taken[n] > 0 {
				cell, any = fmt.Sprint(r.taken[n]), true
			}
			if r.crashed[n] > 0 {
				cell, any = strings.TrimSpace(cell+fmt.Sprintf(" %d†", r.crashed[n])), true
			}
			line += " " + cell + " |"
		}
		if any {
			b.WriteString(line + "\n")
		}
	}
	fmt.Fprintf(&b, "| **all** | %d |", attacks)
	for n := range libs {
		cell := fmt.Sprintf("**%d**", total[n])
		if fell[n] > 0 {
			cell += fmt.Sprintf(" %d†", fell[n])
		}
		fmt.Fprintf(&b, " %s |", cell)
	}
	return b.String() + "\n"
}

func compare(t *testing.T, got string) {
	t.Helper()
	const begin, end = "<!-- measured: go test ./test/backends -run Libraries -update -->\n", "<!-- end of measured -->"
	file := inTree(t, "docs", "guide", "backend.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(text), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no measured table", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(head+begin+"\n"+got+"\n"+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if strings.TrimSpace(old) != strings.TrimSpace(got) {
		t.Errorf("the guide has another table; measured now:\n%s", got)
	}
}
