package sallyport

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the generated pages anew")

type attack struct{ class, id, title string }

// readAttacks reads the list: a class of one letter, then its attacks.
func readAttacks(t *testing.T) (list []attack, classes map[string]string) {
	t.Helper()
	classes = map[string]string{}
	class := ""
	for line := range strings.Lines(attacks) {
		word, title, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case len(word) == 1:
			class, classes[word] = word, title
		case word != "":
			if n := len(list); !attackID.MatchString(word) || title == "" || n > 0 && list[n-1].id >= word {
				t.Fatalf("the list is out of order at %q", line)
			}
			list = append(list, attack{class, word, title})
		}
	}
	return list, classes
}

func readReasons() map[string]string {
	reasons := map[string]string{}
	for line := range strings.Lines(withoutTest) {
		if id, why, _ := strings.Cut(strings.TrimSpace(line), " "); id != "" {
			reasons[id] = why
		}
	}
	return reasons
}

var attackID = regexp.MustCompile(`J\d{3}`)

var attackNames = naming{id: attackID, list: "attack_list_test.go"}

func TestEveryAttackHasATest(t *testing.T) {
	t.Parallel()
	list, _ := readAttacks(t)
	held, reasons, known := holders(t, attackNames), readReasons(), map[string]bool{}
	for _, a := range list {
		known[a.id] = true
		switch why := reasons[a.id]; {
		case len(held[a.id]) == 0 && why == "":
			t.Errorf("%s (%s) has neither a test nor a reason why not", a.id, a.title)
		case len(held[a.id]) > 0 && why != "":
			t.Errorf("%s has a reason to have no test, and a test: %s", a.id, held[a.id][0])
		}
	}
	for id := range reasons {
		if !known[id] {
			t.Errorf("there is a reason for %s, which is no attack of the list", id)
		}
	}
	for id, tests := range held {
		if !known[id] {
			t.Errorf("%s names %s, which is no attack of the list", tests[0], id)
		}
	}
}

// Each class of attacks has a line in the threat model, and at least one of
// the tests on it holds an attack of the class.
func TestThreatModelCoversEachClassOfAttacks(t *testing.T) {
	t.Parallel()
	list, classes := readAttacks(t)
	held, text, name := holders(t, attackNames), read(t, "docs/threat-model.md"), regexp.MustCompile(`\bTest\w+…?`)
	for class, title := range classes {
		line := regexp.MustCompile(`(?m)^\| \w+, ` + class + `: .*$`).FindString(text)
		if line == "" {
			t.Errorf("docs/threat-model.md has no line \"tokens, %s: …\" for the class %s", class, title)
			continue
		}
		holds := false
		for _, a := range list {
			for _, test := range held[a.id] {
				_, test, _ = strings.Cut(test, " ")
				for _, named := range name.FindAllString(line, -1) {
					prefix, open := strings.CutSuffix(named, "…")
					holds = holds || a.class == class && (test == named || open && strings.HasPrefix(test, prefix))
				}
			}
		}
		if !holds {
			t.Errorf("docs/threat-model.md: no test on the line of class %s holds an attack of it", class)
		}
	}
}

func TestAttackReferenceIsFresh(t *testing.T) {
	t.Parallel()
	const name = "docs/reference/attacks.md"
	want := attacksPage(t)
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, name) != want {
		t.Errorf("%s is out of date: go test . -run Reference -update", name)
	}
}

func attacksPage(t *testing.T) string {
	t.Helper()
	list, classes := readAttacks(t)
	held, reasons, class := holders(t, attackNames), readReasons(), ""
	var b strings.Builder
	b.WriteString("# Attacks\n\nGenerated from `attack_list_test.go` and from the names of tests and their cases.\n" +
		"What is tried against tokens, keys and key sets, and the tests that hold against it.\n")
	for _, a := range list {
		if a.class != class {
			class = a.class
			fmt.Fprintf(&b, "\n## %s. %s\n\n| ID | Attack | Held by |\n|---|---|---|\n", class, classes[class])
		}
		by := "nothing yet; waits for " + reasons[a.id]
		if len(held[a.id]) > 0 {
			by = byFolder(held[a.id])
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.id, a.title, by)
	}
	return b.String()
}
