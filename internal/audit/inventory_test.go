package audit_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sallyport/internal/audit"
)

var update = flag.Bool("update", false, "write the reference page anew")

// emitted is what the source can write to the log.
type emitted struct {
	keys, messages map[string]string // to where
	texts          []string          // all string literals
}

var root = filepath.Join("..", "..")

func readSource(t *testing.T) *emitted {
	t.Helper()
	e := &emitted{keys: map[string]string{}, messages: map[string]string{}}
	for _, dir := range []string{"internal", filepath.Join("cmd", "sallyport")} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			f, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			if filepath.Base(path) != "inventory.go" {
				e.read(files, f)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e *emitted) read(files *token.FileSet, f *ast.File) {
	usesSlog := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"log/slog"` })
	for _, decl := range f.Decls {
		var logsVar string // a variable whose values are messages
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				e.texts = append(e.texts, text(n))
			case *ast.CallExpr:
				fun, ok := n.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				at := files.Position(n.Pos()).String()
				if x, ok := fun.X.(*ast.Ident); ok && x.Name == "slog" && len(n.Args) == 2 || fun.Sel.Name == "SetCount" {
					if key := text(n.Args[0]); key != "" {
						e.keys[key] = at
					}
					return true
				}
				if !usesSlog {
					return true
				}
				switch what := messageOf(fun.Sel.Name, n.Args).(type) {
				case nil:
				case *ast.Ident:
					logsVar = what.Name
				default:
					if m := text(what); m != "" {
						e.messages[m] = at
					}
				}
			}
			return true
		})
		if logsVar == "" {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
				for i := range a.Lhs {
					if x, ok := a.Lhs[i].(*ast.Ident); ok && x.Name == logsVar && text(a.Rhs[i]) != "" {
						e.messages[text(a.Rhs[i])] = files.Position(a.Pos()).String()
					}
				}
			}
			return true
		})
	}
}

// messageOf is the argument of a call that is the text of a line, or nil.
func messageOf(method string, args []ast.Expr) ast.Expr {
	at := map[string]int{
		"Debug": 0, "Info": 0, "Warn": 0, "Error": 0,
		"DebugContext": 1, "InfoContext": 1, "WarnContext": 1, "ErrorContext": 1, "LogAttrs": 2, "Log": 2, "NewRecord": 2, "about": 2,
	}
	if i, ok := at[method]; ok && len(args) > i {
		return args[i]
	}
	return nil
}

// text is the value of a string that is written out, with … for what follows a
// part that is on another line.
func text(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.BasicLit:
		if x.Kind == token.STRING {
			s, _ := strconv.Unquote(x.Value)
			return s
		}
	case *ast.BinaryExpr:
		return text(x.X) + text(x.Y)
	}
	return ""
}

// LG11: the inventory of the log is what the code writes, no more and no less.
func TestLG11TheInventoryIsWhatTheCodeWrites(t *testing.T) {
	t.Parallel()
	e := readSource(t)
	if len(e.keys) < 20 || len(e.messages) < 10 {
		t.Fatalf("%d keys and %d messages found: this test looks in the wrong place", len(e.keys), len(e.messages))
	}
	listed := map[string]bool{}
	for _, f := range audit.Fields {
		if listed[f.Key] || f.Meaning == "" {
			t.Errorf("%s is listed twice or without words", f.Key)
		}
		listed[f.Key] = true
		if e.keys[f.Key] == "" {
			t.Errorf("nobody writes the field %s", f.Key)
		}
	}
	for key, at := range e.keys {
		if !listed[key] {
			t.Errorf("%s: the field %s is not in the inventory", at, key)
		}
	}
	for _, m := range audit.Messages {
		begin, open := strings.CutSuffix(m.Text, "…")
		if !slices.ContainsFunc(e.texts, func(s string) bool { return s == m.Text || open && strings.HasPrefix(s, begin) }) {
			t.Errorf("nobody writes %q", m.Text)
		}
	}
	for text, at := range e.messages {
		if !slices.ContainsFunc(audit.Messages, func(m audit.Message) bool {
			begin, open := strings.CutSuffix(m.Text, "…")
			return m.Text == text || open && strings.HasPrefix(text, begin)
		}) {
			t.Errorf("%s: the line %q is not in the inventory", at, text)
		}
	}
}

func TestLogReferenceIsFresh(t *testing.T) {
	t.Parallel()
	path := filepath.Join(root, "docs", "reference", "log.md")
	if *update {
		if err := os.WriteFile(path, []byte(logPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != logPage() {
		t.Error("log.md is out of date: go test ./internal/audit -run Reference -update")
	}
}

func logPage() string {
	var b strings.Builder
	b.WriteString("# The log\n\nGenerated from `internal/audit/inventory.go`. One line of JSON for each request when it has ended, and few others, on standard error. " +
		"`time` is UTC with milliseconds or finer, `level` and `msg` are what they say.\n\n" +
		"`log.access` says which requests have a line. In any case those have one that were refused or failed, that had a security event, or that were of tier high. " +
		"Refused requests of strangers are bounded for each network and in all; what is left out is counted in `lines_left_out`, and in the [metrics](metrics.md).\n\n" +
		"No token, code, verifier, secret, password, cookie, key or assertion is in it at any level, and no query, header or body. " +
		"Control characters, line separators and marks that turn the writing become spaces, values end after 512 characters, and what looks like a credential is replaced by `[redacted]` wherever it stands.\n\n" +
		"## Fields\n\n| Field | In | Says |\n|---|---|---|\n")
	for _, f := range audit.Fields {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Key, f.Where, f.Meaning)
	}
	b.WriteString("\n## Lines\n\n| msg | Level | Do |\n|---|---|---|\n")
	for _, m := range audit.Messages {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Text, m.Level, m.Do)
	}
	return b.String()
}
