package sallyport

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
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

var (
	attackID = regexp.MustCompile(`J\d{3}`)
	// A name of a test case begins with the ids that it proves: "J001 J002 none".
	caseName = regexp.MustCompile(`^(?:[A-Z]+\d+[ /,]*)*J\d{3}(?:[ /,]*[A-Z]+\d+)*`)
)

// says are calls whose text is a message and not the name of a case.
var says = []string{"Error", "Errorf", "Fatal", "Fatalf", "Log", "Logf", "Skip", "Skipf", "Sprintf", "Fprintf", "Println"}

// declaration is a function or variable of a package's tests: the attacks that
// it names and the other declarations that it uses.
type declaration struct {
	ids  map[string]bool
	uses map[string]bool
}

func readDeclaration(name string, n ast.Node) *declaration {
	d := &declaration{ids: map[string]bool{}, uses: map[string]bool{}}
	note := func(text string) {
		for _, id := range attackID.FindAllString(text, -1) {
			d.ids[id] = true
		}
	}
	note(name)
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains(says, f.Sel.Name) {
				return false
			}
		case *ast.Ident:
			d.uses[n.Name] = true
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				note(caseName.FindString(text))
			}
		}
		return true
	})
	return d
}

// readDeclarations returns what the test files declare, by folder and name.
func readDeclarations(t *testing.T) map[string]map[string]*declaration {
	t.Helper()
	found := map[string]map[string]*declaration{}
	for _, name := range files(t, "*_test.go") {
		if name == "attack_list_test.go" {
			continue
		}
		dir := path.Dir(name)
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if found[dir] == nil {
			found[dir] = map[string]*declaration{}
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				found[dir][d.Name.Name] = readDeclaration(d.Name.Name, d)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok {
						for _, n := range v.Names {
							found[dir][n.Name] = readDeclaration("", v)
						}
					}
				}
			}
		}
	}
	return found
}

// holders returns, for each attack, the tests that name it: in their own name,
// in a case, or in a table or function that they use. A table that no test
// reads holds nothing, and neither does a comment.
func holders(t *testing.T) map[string][]string {
	t.Helper()
	held := map[string][]string{}
	for dir, declared := range readDeclarations(t) {
		for name := range declared {
			if !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz") {
				continue
			}
			for id := range reach(declared, name) {
				held[id] = append(held[id], dir+" "+name)
			}
		}
	}
	for _, list := range held {
		slices.Sort(list)
	}
	return held
}

func reach(declared map[string]*declaration, start string) map[string]bool {
	ids, seen, next := map[string]bool{}, map[string]bool{start: true}, []string{start}
	for len(next) > 0 {
		d := declared[next[0]]
		next = next[1:]
		maps.Copy(ids, d.ids)
		for name := range d.uses {
			if declared[name] != nil && !seen[name] {
				seen[name], next = true, append(next, name)
			}
		}
	}
	return ids
}

func TestEveryAttackHasATest(t *testing.T) {
	t.Parallel()
	list, _ := readAttacks(t)
	held, reasons, known := holders(t), readReasons(), map[string]bool{}
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
	held, text, name := holders(t), read(t, "docs/threat-model.md"), regexp.MustCompile(`\bTest\w+…?`)
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
	held, reasons, class := holders(t), readReasons(), ""
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

// byFolder writes each folder once, before its tests.
func byFolder(tests []string) string {
	var out []string
	last := ""
	for _, test := range tests {
		dir, name, _ := strings.Cut(test, " ")
		if dir != last {
			last, name = dir, "`"+strings.TrimPrefix(dir, "internal/")+"` "+name
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}
