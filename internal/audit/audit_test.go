package audit_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"sallyport/internal/audit"
)

// LG11: what the code can emit is what the table, and so the reference, lists.
func TestLG11EveryEventIsListed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[audit.Name]bool{}
	for _, e := range audit.Events {
		if listed[e.Name] || e.Meaning == "" || e.Do == "" {
			t.Errorf("%s is listed twice or without words", e.Name)
		}
		listed[e.Name] = true
		if !regexp.MustCompile(`^[a-z]+\.[a-z_]+$`).MatchString(string(e.Name)) {
			t.Errorf("%s is not noun.verb", e.Name)
		}
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Name" {
			return true
		}
		for _, v := range spec.Values {
			name, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if !listed[audit.Name(name)] {
				t.Errorf("%s has no line in Events", name)
			}
		}
		return true
	})
	if found != len(audit.Events) {
		t.Errorf("%d events declared, %d listed", found, len(audit.Events))
	}
}

func TestRecordKeepsTheLastValueAndAllEvents(t *testing.T) {
	t.Parallel()
	rec := &audit.Record{}
	ctx := audit.WithRecord(context.Background(), rec)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { audit.FromContext(ctx).Add(audit.Event{Name: audit.TokenIssued}) })
	}
	wg.Wait()
	audit.FromContext(ctx).Set(slog.String("a", "1"), slog.String("b", "2"))
	audit.FromContext(ctx).Set(slog.String("a", "3"))
	if got := len(rec.Events()); got != 20 {
		t.Errorf("%d events, want 20", got)
	}
	attrs := rec.Attrs()
	if len(attrs) != 2 || attrs[0].Key != "a" || attrs[0].Value.String() != "3" {
		t.Errorf("attributes %v", attrs)
	}
}

// Code that runs outside of a request has no record and must not care.
func TestNoRecordIsNoFault(t *testing.T) {
	t.Parallel()
	rec := audit.FromContext(context.Background())
	rec.Set(slog.String("a", "1"))
	rec.Add(audit.Event{Name: audit.TokenIssued})
	if rec.Attrs() != nil || rec.Events() != nil {
		t.Error("nobody's record holds something")
	}
}
