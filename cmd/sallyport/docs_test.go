package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The threat model names the tests that hold its lines; each must be there.
func TestThreatModelNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	var code strings.Builder
	for _, dir := range []string{"internal", "test", "cmd", "sdk"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			code.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(text), "## Lines of defence")
	lines, _, _ = strings.Cut(lines, "## Known gaps")
	name := regexp.MustCompile(`Test\w+…?`)
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		found := name.FindAllString(line, -1)
		if strings.HasPrefix(line, "| Attack ") || strings.HasPrefix(line, "|---") {
			continue
		}
		if len(found) == 0 {
			t.Errorf("no test holds the line: %s", line)
		}
		for _, f := range found {
			prefix, any := strings.CutSuffix(f, "…")
			if !any {
				prefix += "("
			}
			if !strings.Contains(code.String(), "func "+prefix) {
				t.Errorf("there is no test %s: %s", f, line)
			}
		}
	}
}
