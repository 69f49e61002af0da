package sallyport

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// naming says which ids tests are looked through for. list is the file that
// defines them, which proves nothing.
type naming struct {
	id   *regexp.Regexp
	list string
}

// contract is where the tests of the store are that both engines pass; TestContract
// runs each table of them.
const contract = "internal/store/storetest"

// caseName is how a name of a test case begins with the ids that it proves:
// "J001 J002 none", "AZ05 TK04 a short verifier".
var caseName = regexp.MustCompile(`^[A-Z]+\d{2,3}(?:[ /,]*[A-Z]+\d{2,3})*\b`)

// says are calls whose text is a message and not the name of a case.
var says = []string{"Error", "Errorf", "Fatal", "Fatalf", "Log", "Logf", "Skip", "Skipf", "Sprintf", "Fprintf", "Println"}

// declaration is a function or variable of a package's tests: the ids that
// it names and the other declarations that it uses.
type declaration struct {
	ids  map[string]bool
	uses map[string]bool
}

func (n *naming) declaration(name string, node ast.Node) *declaration {
	d := &declaration{ids: map[string]bool{}, uses: map[string]bool{}}
	note := func(text string) {
		for _, id := range n.id.FindAllString(text, -1) {
			d.ids[id] = true
		}
	}
	note(name)
	ast.Inspect(node, func(part ast.Node) bool {
		switch part := part.(type) {
		case *ast.CallExpr:
			if f, ok := part.Fun.(*ast.SelectorExpr); ok && slices.Contains(says, f.Sel.Name) {
				return false
			}
		case *ast.Ident:
			d.uses[part.Name] = true
		case *ast.BasicLit:
			if text, err := strconv.Unquote(part.Value); err == nil && part.Kind == token.STRING {
				note(caseName.FindString(text))
			}
		}
		return true
	})
	return d
}

// readDeclarations returns what the test files declare, by folder and name.
func (n *naming) declarations(t *testing.T) map[string]map[string]*declaration {
	t.Helper()
	found := map[string]map[string]*declaration{}
	for _, name := range append(files(t, "*_test.go"), files(t, contract+"/*.go")...) {
		if name == n.list {
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
				found[dir][d.Name.Name] = n.declaration(d.Name.Name, d)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok {
						for _, name := range v.Names {
							found[dir][name.Name] = n.declaration("", v)
						}
					}
				}
			}
		}
	}
	return found
}

// holders returns, for each id, the tests that name it: in their own name,
// in a case, or in a table or function that they use. A table that no test
// reads holds nothing, and neither does a comment.
func holders(t *testing.T, n naming) map[string][]string {
	t.Helper()
	held := map[string][]string{}
	for dir, declared := range n.declarations(t) {
		for name := range declared {
			test := dir + " " + name
			switch {
			case dir == contract && strings.HasSuffix(name, "Tests"):
				test = path.Dir(contract) + " TestContract"
			case !strings.HasPrefix(name, "Test") && !strings.HasPrefix(name, "Fuzz"):
				continue
			}
			for id := range reach(declared, name) {
				held[id] = append(held[id], test)
			}
		}
	}
	for id, list := range held {
		slices.Sort(list)
		held[id] = slices.Compact(list)
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
