package sallyport

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files lists what is in the tree, or would be with the next commit.
func files(t *testing.T, patterns ...string) []string {
	t.Helper()
	args := append([]string{"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"}, patterns...)
	out, err := exec.CommandContext(t.Context(), "git", args...).Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var list []string
	for name := range strings.SplitSeq(string(out), "\x00") {
		if info, err := os.Lstat(name); name != "" && err == nil && info.Mode().IsRegular() {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no file matches %v", patterns)
	}
	return list
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func lineOf(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }

// A package comment says what the package decides: a name alone says nothing.
func TestEveryPackageHasAComment(t *testing.T) {
	const least = 60 // bytes after the name
	for _, p := range listPackages(t, "./...") {
		var doc string
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			doc += f.Doc.Text()
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command " + path.Base(p.ImportPath) + " "
		}
		if !strings.HasPrefix(doc, want) {
			t.Errorf("%s: the package comment must begin with %q, it is %.60q", p.ImportPath, want, doc)
		} else if len(doc) < len(want)+least {
			t.Errorf("%s: the package comment is too short to say what is decided here: %q", p.ImportPath, doc)
		}
	}
}

func TestModuleIsTidy(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "mod", "tidy", "-e", "-diff")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if diff := strings.TrimSpace(stdout.String()); diff != "" {
		t.Errorf("run go mod tidy -e; it would change:\n%s", diff)
	}
	// A test of modernc.org/sqlite needs a module that is not always to be had;
	// -e goes on without it. Anything else that is missing is a fault of ours.
	for entry := range strings.SplitSeq("\n"+stderr.String(), "\ngo: ") {
		chain, _, _ := strings.Cut(entry, "\n")
		if (strings.HasSuffix(chain, " imports") || strings.HasSuffix(chain, " tested by")) && !strings.Contains(entry, "modernc.org/") {
			t.Errorf("go mod tidy: %s", entry)
		}
	}
}

func TestTODOsCarryAnIssue(t *testing.T) {
	todo := regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME|XX` + `X)\b(?:\(#\d+\))?`)
	for _, name := range files(t, "*.go", "*.mjs", "*.js", "*.css", "*.html", "*.sql", "*.sh", "*.yml", "*.yaml", "Makefile", ".ci/run") {
		text := read(t, name)
		for _, m := range todo.FindAllStringIndex(text, -1) {
			if !strings.HasSuffix(text[m[0]:m[1]], ")") {
				t.Errorf("%s:%d: a TO"+"DO carries an issue: TO"+"DO(#214)", name, lineOf(text, m[0]))
			}
		}
	}
}

// Paths of the machine where something was written mean nothing on another one.
func TestNoPathsOfOneMachine(t *testing.T) {
	local := regexp.MustCompile(`(?:^|[^\w./-])/(?:work|tmp|root|home)/\w`)
	for _, name := range files(t) {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") || strings.Contains(name, "testdata/") {
			continue
		}
		text := read(t, name)
		for _, m := range local.FindAllStringIndex(text, -1) {
			t.Errorf("%s:%d: names a path of one machine: %q", name, lineOf(text, m[0]), text[m[0]:m[1]])
		}
	}
}

func TestLockFilesNameNoRegistry(t *testing.T) {
	for _, name := range files(t, "*package-lock.json") {
		if strings.Contains(read(t, name), `"resolved":`) {
			t.Errorf("%s has \"resolved\" addresses: set omit-lockfile-registry-resolved", name)
		}
	}
}

var (
	inlineLink = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)`)
	namedLink  = regexp.MustCompile(`(?m)^\[[^\]]+\]:\s+(\S+)`)
	codeFence  = regexp.MustCompile("(?ms)^```.*?^```[^\n]*$")
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	heading    = regexp.MustCompile(`(?m)^#{1,6}\s+(.+?)\s*#*$`)
	notSlug    = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// blank keeps line numbers and removes the rest.
func blank(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) }

// anchors returns the fragments that a page's headings can be reached by.
func anchors(text string) map[string]bool {
	seen := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeFence.ReplaceAllStringFunc(text, blank), -1) {
		slug := notSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		seen[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return seen
}

func TestDocumentLinksResolve(t *testing.T) {
	for _, name := range files(t, "*.md") {
		text := read(t, name)
		prose := codeSpan.ReplaceAllStringFunc(codeFence.ReplaceAllStringFunc(text, blank), blank)
		for _, re := range []*regexp.Regexp{inlineLink, namedLink} {
			for _, m := range re.FindAllStringSubmatchIndex(prose, -1) {
				checkLink(t, name, lineOf(prose, m[0]), prose[m[2]:m[3]])
			}
		}
	}
}

func checkLink(t *testing.T, name string, line int, link string) {
	t.Helper()
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return
	}
	file, fragment, _ := strings.Cut(link, "#")
	target := name
	if file != "" {
		target = path.Join(path.Dir(name), file)
	}
	info, err := os.Stat(target)
	if err != nil {
		t.Errorf("%s:%d: link to %s, which does not exist", name, line, link)
		return
	}
	if fragment != "" && !info.IsDir() && strings.HasSuffix(target, ".md") && !anchors(read(t, target))[fragment] {
		t.Errorf("%s:%d: link to %s, but no heading there has that name", name, line, link)
	}
}

func TestEveryMakeTargetIsDocumented(t *testing.T) {
	text := read(t, "Makefile")
	target := regexp.MustCompile(`(?m)^([A-Za-z][\w-]*)\s*:(?:[^=\n].*|)$`)
	documented := regexp.MustCompile(`^[\w-]+\s*:.*##\s+\S`)
	phony := strings.Fields(regexp.MustCompile(`(?m)^\.PHONY:(.*)$`).FindStringSubmatch(text)[1])
	for _, m := range target.FindAllStringSubmatch(text, -1) {
		if !documented.MatchString(m[0]) {
			t.Errorf("make %s has no \"## what it does\"", m[1])
		}
		if !slices.Contains(phony, m[1]) {
			t.Errorf("make %s is not in .PHONY", m[1])
		}
	}
	for _, name := range phony {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `\s*:`).MatchString(text) {
			t.Errorf(".PHONY names %s, which does not exist", name)
		}
	}
}
