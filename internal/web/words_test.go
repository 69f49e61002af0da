package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	tree "text/template/parse"
	"unicode"

	"sallyport/internal/locale"
)

// sameInAllLanguages are the words that a template may have: what developers call
// the thing, in every language.
var sameInAllLanguages = []string{"client_id"}

var (
	markup   = regexp.MustCompile(`(?s)<(?:!doctype|/?[a-z][a-z0-9]*)\b[^<>]*>`)
	spoken   = regexp.MustCompile(`\s(aria-label|alt|title|placeholder|content)="([^"]*)"`)
	keyShape = regexp.MustCompile(`^[a-z_]+(\.[a-z0-9_]+)+$`)
)

// literal is the text of a template outside of actions. A mark stands where an
// action does, so that a tag whose attributes have actions stays whole.
func literal(n tree.Node, text *strings.Builder) {
	switch n := n.(type) {
	case *tree.ListNode:
		if n == nil {
			return
		}
		for _, m := range n.Nodes {
			literal(m, text)
		}
	case *tree.TextNode:
		text.Write(n.Text)
	case *tree.IfNode:
		literal(n.List, text)
		literal(n.ElseList, text)
	case *tree.WithNode:
		literal(n.List, text)
		literal(n.ElseList, text)
	case *tree.RangeNode:
		literal(n.List, text)
		literal(n.ElseList, text)
	case *tree.ActionNode, *tree.TemplateNode:
		text.WriteByte('\x00')
	}
}

// wordsOf are the words of a template that no catalogue holds.
func wordsOf(text string) []string {
	var found []string
	for _, m := range spoken.FindAllStringSubmatch(text, -1) {
		if m[1] == "content" { // of <meta>
			continue
		}
		found = append(found, strings.FieldsFunc(m[2], func(c rune) bool { return !unicode.IsLetter(c) && c != '_' })...)
	}
	plain := markup.ReplaceAllString(text, " ")
	found = append(found, strings.FieldsFunc(plain, func(c rune) bool { return !unicode.IsLetter(c) && c != '_' })...)
	return slices.DeleteFunc(found, func(w string) bool { return slices.Contains(sameInAllLanguages, w) })
}

func TestTemplatesHaveNoWordsOfTheirOwn(t *testing.T) {
	for name, page := range templates {
		for _, part := range page.Templates() {
			if part.Tree == nil {
				continue
			}
			var text strings.Builder
			literal(part.Tree.Root, &text)
			if words := wordsOf(text.String()); len(words) > 0 {
				t.Errorf("%s: %s says %q itself: put it into internal/locale/catalog", name, part.Name(), words)
			}
		}
	}
	for text, want := range map[string]int{"<p class=\"x\">Hello</p>": 1, "<img alt=\"A cat\">": 2, "<a href=\"\x00\">\x00</a>": 0, "client_id <code>\x00</code>": 0} {
		if got := wordsOf(text); len(got) != want {
			t.Errorf("%q has the words %q, want %d", text, got, want)
		}
	}
}

// keysSaid are all strings in Go files and templates that could be keys, and the
// prefixes of keys that are put together.
func keysSaid(t *testing.T, have map[string]bool) (keys, prefixes map[string]string) {
	t.Helper()
	keys, prefixes = map[string]string{}, map[string]string{}
	for _, dir := range []string{".", "../account", "../locale", "../notify", "../passkey", "../../cmd/sallyport"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				lit, ok := n.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				s, err := strconv.Unquote(lit.Value)
				switch {
				case err != nil:
				case have[s] || keyShape.MatchString(s):
					keys[s] = file
				case strings.HasSuffix(s, ".") && keyShape.MatchString(s+"x"):
					prefixes[s] = file
				}
				return true
			})
		}
	}
	pages, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`\.[TH] "([^"]*)"`)
	built := regexp.MustCompile(`print(?:f)? "([a-z_.]+\.)`)
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllStringSubmatch(string(b), -1) {
			keys[m[1]] = page
		}
		for _, m := range built.FindAllStringSubmatch(string(b), -1) {
			prefixes[m[1]] = page
		}
	}
	return keys, prefixes
}

func catalogue(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../locale/catalog/" + locale.Default.Tag + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(file, err)
		}
		for key := range m {
			all[key] = true
		}
	}
	return all
}

// awaited are keys of pages that are being built.
var awaited = []string{"event.", "password."}

// Every key that is used is in the catalogue, and nothing else is.
func TestKeysAndCatalogueAreTheSame(t *testing.T) {
	have := catalogue(t)
	keys, prefixes := keysSaid(t, have)
	for _, prefix := range awaited {
		prefixes[prefix] = "awaited"
	}
	parts := map[string]bool{}
	for key := range have {
		part, _, _ := strings.Cut(key, ".")
		parts[part] = true
	}
	for key, file := range keys {
		part, _, _ := strings.Cut(key, ".")
		if isPage := strings.HasSuffix(file, ".html"); !have[key] && (isPage || parts[part] && !strings.HasPrefix(file, "../")) {
			t.Errorf("%s says %s, which is in no catalogue", file, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		used := keys[key] != ""
		for prefix := range prefixes {
			used = used || strings.HasPrefix(key, prefix)
		}
		if !used {
			t.Errorf("nothing says %s", key)
		}
	}
}

// forMakers are descriptions that only whoever makes an app or a request by hand
// can act on: pages show them in English, below a sentence in their own language.
var forMakers = []string{
	"more than one Authorization header", "a GET request has no body", "parameters belong into the body, not into the URL",
	"the body ended early", "too many parameters", "the parameters are not form-urlencoded", "a parameter is not UTF-8 text", "the request is too long",
	"the access token belongs into the Authorization header", "stream_id is missing in the query", "this method is not served here",
	"this origin is not registered", "the query is too long", "this host is not served here", "the body is too large",
	"the token is not revoked yet; try again", "no client attestations are accepted here", "client_id is repeated", "redirect_uri is repeated",
	"id_token_hint is not an ID token of this issuer", "client_id is not the one that id_token_hint was issued to", "state is too long", "this form asks for nothing that is done here",
	"the logout_token is not valid", "the logout_token was used before",
}

// descriptions are the literals that may be shown on the error page: those of the
// edge, and of the core's PageError.
func descriptions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	note := func(file string, e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				found[s] = file
			}
		}
	}
	for _, dir := range []string{".", "../oauth"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					if name, ok := n.Fun.(*ast.Ident); ok && name.Name == "bad" && len(n.Args) == 1 && dir == "." {
						note(file, n.Args[0])
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "description" && dir == "." {
						note(file, n.Value)
					}
				case *ast.CompositeLit:
					if name, ok := n.Type.(*ast.Ident); ok && name.Name == "PageError" && len(n.Elts) == 2 {
						note(file, n.Elts[1])
					}
				}
				return true
			})
		}
	}
	return found
}

func TestWhatGoesWrongIsSaidInEachLanguage(t *testing.T) {
	said := map[string]bool{"problem.other": true}
	for text, file := range descriptions(t) {
		key, translated := locale.Default.Key("problem.", sentence(text))
		said[key] = true
		if translated == slices.Contains(forMakers, text) {
			t.Errorf("%s: %q: either a line in catalog/*/problem.json, or, if only makers of apps can act on it, one in forMakers", file, text)
		}
	}
	for key := range catalogue(t) {
		if strings.HasPrefix(key, "problem.") && !said[key] {
			t.Errorf("nothing goes wrong like %s", key)
		}
	}
}
