package sallyport

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checked is one package of the product with its types.
type checked struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// checkPackages reads the types of the packages from what the compiler has
// written, so that it costs no second compilation.
func checkPackages(t *testing.T, patterns ...string) []checked {
	t.Helper()
	type listed struct {
		ImportPath, Dir, Export string
		DepOnly                 bool
		GoFiles                 []string
	}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,DepOnly,GoFiles"}, patterns...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	var ours []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			ours = append(ours, p)
		}
	}
	var list []checked
	fset := token.NewFileSet()
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	for _, p := range ours {
		c := checked{path: p.ImportPath, fset: fset, info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}}
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			c.files = append(c.files, f)
		}
		if _, err := config.Check(p.ImportPath, fset, c.files, c.info); err != nil {
			t.Fatalf("%s: %v", p.ImportPath, err)
		}
		list = append(list, c)
	}
	return list
}

// openCompare lists the functions that compare bytes without regard to time,
// and why nothing can be learnt from that.
var openCompare = map[string]string{
	"internal/gateway.answerAgain":     "digests of two requests of one caller, who has sent both",
	"internal/secret.DecodeInto":       "a checksum that anybody can compute",
	"internal/token.openLabelled":      "a label of ours, inside what has been authenticated",
	"internal/signals.same":            "what a receiver says of its own stream, and has been told",
	"internal/token.find":              "key IDs and nonces, which stand in the token in the open",
	"internal/token.dated":             "IDs of keys, to put them in order",
	"internal/token.UnmarshalText":     "names of tiers",
	"internal/token.checkTarget":       "the address of the request, which whoever asks knows",
	"internal/token/jose.sameClaim":    "claims and their copies in the same header",
	"internal/token/jose.judgeEd25519": "public keys",
	"cmd/sallyport.readTwice":          "a file of the operator, with itself a moment before",
}

// MACs, hashes and other digests are compared by hmac.Equal, by
// subtle.ConstantTimeCompare or by a method that uses one: a comparison that
// stops at the first difference tells, byte by byte, what would have been right.
func TestJ023KY10DigestsAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range checkPackages(t, "./internal/...", "./cmd/...") {
		if strings.Contains(p.path, "/storetest") {
			continue // a part of tests
		}
		for _, f := range p.files {
			for _, d := range f.Decls {
				where := strings.TrimPrefix(p.path, "sallyport/")
				if fn, ok := d.(*ast.FuncDecl); ok {
					where += "." + fn.Name.Name
				}
				ast.Inspect(d, func(n ast.Node) bool {
					what := p.openComparison(n)
					if what == "" {
						return true
					}
					if openCompare[where] != "" {
						used[where] = true
						return true
					}
					t.Errorf("%s: %s compares %s: use subtle.ConstantTimeCompare or say in openCompare why not", p.fset.Position(n.Pos()), where, what)
					return true
				})
			}
		}
	}
	for where := range openCompare {
		if !used[where] {
			t.Errorf("openCompare has a reason for %s, which compares nothing", where)
		}
	}
}

// openComparison says what n compares if it looks at bytes in the open.
func (p *checked) openComparison(n ast.Node) string {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if n.Op != token.EQL && n.Op != token.NEQ || isPublic(p, n.X) || isPublic(p, n.Y) {
			return ""
		}
		for _, x := range []ast.Expr{n.X, n.Y} {
			if isDigest(p.info.TypeOf(x)) {
				return "values of " + p.info.TypeOf(x).String()
			}
			if call, ok := ast.Unparen(x).(*ast.CallExpr); ok && len(call.Args) == 1 && p.info.Types[call.Fun].IsType() && isBytes(p.info.TypeOf(call.Args[0])) {
				return "bytes as a string"
			}
		}
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || p.info.Uses[sel.Sel] == nil || p.info.Uses[sel.Sel].Pkg() == nil {
			return ""
		}
		name := p.info.Uses[sel.Sel].Pkg().Path() + "." + sel.Sel.Name
		if slices.Contains([]string{"bytes.Equal", "bytes.Compare", "slices.Equal", "slices.Compare", "reflect.DeepEqual"}, name) && isBytes(p.info.TypeOf(n.Args[0])) {
			return "bytes by " + name
		}
	}
	return ""
}

// isDigest: an array of 16 bytes or more, but for secret.ID, which is no
// credential and no hash of one.
func isDigest(t types.Type) bool {
	if t == nil || strings.HasSuffix(t.String(), "internal/secret.ID") {
		return false
	}
	array, ok := t.Underlying().(*types.Array)
	return ok && array.Len() >= 16 && isByte(array.Elem())
}

func isBytes(t types.Type) bool {
	slice, ok := t.Underlying().(*types.Slice)
	return ok && isByte(slice.Elem())
}

func isByte(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Kind() == types.Uint8
}

// isPublic reports whether e is T{} or a constant: whether something is there at
// all is no secret, and neither is what stands in the source.
func isPublic(p *checked, e ast.Expr) bool {
	lit, ok := ast.Unparen(e).(*ast.CompositeLit)
	return ok && len(lit.Elts) == 0 || p.info.Types[e].Value != nil
}

// weakRandom lists the files that may use a generator that can be foreseen.
var weakRandom = map[string]string{
	"internal/gateway/flights.go": "how long those who were sent away are to wait",
	"internal/store/postgres.go":  "how long to wait before a transaction is tried again",
}

func TestKY09RandomnessIsTheSystems(t *testing.T) {
	t.Parallel()
	for _, name := range productFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		weak := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return strings.HasPrefix(i.Path.Value, `"math/rand`) })
		if weak != (weakRandom[name] != "") {
			t.Errorf("%s: imports math/rand: %v; the list says %q", name, weak, weakRandom[name])
		}
	}
}

// productFiles are the Go files of which the product is made.
func productFiles(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(files(t, "internal/*.go", "cmd/*.go", "sdk/*.go"), func(name string) bool {
		return strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") ||
			strings.Contains(name, "storetest/") || strings.Contains(name, "redistest/")
	})
}

// A switch that turns a check off is used in production sooner or later, or by
// somebody else (GO-2026-4703).
func TestJ027TL08NothingTurnsVerificationOff(t *testing.T) {
	t.Parallel()
	skip := regexp.MustCompile(`(?i)insecure|skip_?-?(?:tls|ssl|cert|verif|valid|auth|check|sign|nonce|issuer)|no_?-?(?:verif|valid|auth)|(?:disable|ignore|without)_?-?(?:tls|ssl|cert|verif|valid|auth|check|sign|exp|aud|iss)|allow_?-?(?:none|unsigned|any)|SigningMethodNone|UnsafeClaims|ParseUnverified`)
	harmless := regexp.MustCompile(`^(?:NoAuthority|withoutHandles)$`)
	for _, name := range productFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			word := ""
			switch n := n.(type) {
			case *ast.Ident:
				word = n.Name
			case *ast.BasicLit:
				if n.Kind == token.STRING && !strings.Contains(n.Value, " ") { // a name, not a sentence
					word = n.Value
				}
			}
			if skip.MatchString(word) && !harmless.MatchString(word) {
				t.Errorf("%s: %s sounds like a switch that turns a check off", name, word)
			}
			return true
		})
	}
	for _, word := range []string{"InsecureSkipVerify", `"insecure-skip-verify"`, "SkipVerify", `"SALLYPORT_DISABLE_AUTH"`, "UnsafeClaimsWithoutVerification"} {
		if !skip.MatchString(word) {
			t.Error(fmt.Sprint(word, " passes"))
		}
	}
}
