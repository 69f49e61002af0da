package sallyport

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// standard is one requirement: what must hold, and where that stands.
type standard struct{ subject, id, text, source string }

var standardID = regexp.MustCompile(`(?:AZ|PR|TK|CL|PP|IN|RV|MD|ID)\d{2}`)

var standardNames = naming{id: standardID, list: "standards_list_test.go"}

func readStandards(t *testing.T) (list []standard, subjects map[string]string) {
	t.Helper()
	subjects = map[string]string{}
	subject := ""
	for line := range strings.Lines(standards) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if len(word) == 2 {
			subject, subjects[word] = word, rest
			continue
		}
		if word == "" {
			continue
		}
		text, source, found := strings.Cut(rest, " | ")
		if !found || !standardID.MatchString(word) || word[:2] != subject {
			t.Fatalf("the list is out of order at %q", line)
		}
		list = append(list, standard{subject, word, text, source})
	}
	return list, subjects
}

func readNotMet() map[string]string {
	reasons := map[string]string{}
	for line := range strings.Lines(notMet) {
		if id, why, _ := strings.Cut(strings.TrimSpace(line), " "); id != "" {
			reasons[id] = why
		}
	}
	return reasons
}

func TestEveryStandardIsHeldOrHasAReason(t *testing.T) {
	t.Parallel()
	list, _ := readStandards(t)
	held, reasons, known := holders(t, standardNames), readNotMet(), map[string]bool{}
	for _, s := range list {
		known[s.id] = true
		if why, partly := reasons[s.id], strings.HasPrefix(reasons[s.id], "in part: "); len(held[s.id]) == 0 && (why == "" || partly) {
			t.Errorf("%s (%s) has neither a test nor a reason why not", s.id, s.text)
		} else if len(held[s.id]) > 0 && why != "" && !partly {
			t.Errorf("%s has a reason to have no test, and a test: %s", s.id, held[s.id][0])
		}
	}
	for id := range reasons {
		if !known[id] {
			t.Errorf("there is a reason for %s, which is not in the list", id)
		}
	}
	for id, tests := range held {
		if !known[id] {
			t.Errorf("%s names %s, which is not in the list", tests[0], id)
		}
	}
}

func TestStandardsReferenceIsFresh(t *testing.T) {
	t.Parallel()
	const name = "docs/reference/standards.md"
	want := standardsPage(t)
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if read(t, name) != want {
		t.Errorf("%s is out of date: go test . -run Reference -update", name)
	}
}

// document is the standard that a source begins with: "RFC 9126 §2, 2.1".
var document = regexp.MustCompile(`^(.+?) §`)

func standardsPage(t *testing.T) string {
	t.Helper()
	list, subjects := readStandards(t)
	held, reasons, subject := holders(t, standardNames), readNotMet(), ""
	var b strings.Builder
	b.WriteString("# Standards\n\nGenerated from `standards_list_test.go` and from the names of tests and their cases.\n" +
		"What the standards ask of the authorization server and of the gateway, and the tests that hold it.\n")
	b.WriteString("\n## By document\n\n| Document | Requirements | Held by tests |\n|---|---|---|\n")
	for _, d := range byDocument(list, held) {
		fmt.Fprintf(&b, "| %s | %s | %d of %d |\n", d.name, strings.Join(d.ids, ", "), d.held, len(d.ids))
	}
	for _, s := range list {
		if s.subject != subject {
			subject = s.subject
			fmt.Fprintf(&b, "\n## %s: %s\n\n| ID | What | Source | Held by |\n|---|---|---|---|\n", subject, subjects[subject])
		}
		by := ""
		if len(held[s.id]) > 0 {
			by = byFolder(held[s.id])
		}
		switch why := reasons[s.id]; {
		case by == "":
			by = "not here: " + why
		case why != "":
			by += "; " + why
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.id, cell(s.text), cell(s.source), cell(by))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

type requirements struct {
	name string
	ids  []string
	held int
}

// byDocument groups the requirements by the documents that they come from.
func byDocument(list []standard, held map[string][]string) []requirements {
	var docs []requirements
	for _, s := range list {
		var seen []string
		for part := range strings.SplitSeq(s.source, "; ") {
			m := document.FindStringSubmatch(part)
			if m == nil || slices.Contains(seen, m[1]) {
				continue
			}
			seen = append(seen, m[1])
			i := slices.IndexFunc(docs, func(d requirements) bool { return d.name == m[1] })
			if i < 0 {
				i, docs = len(docs), append(docs, requirements{name: m[1]})
			}
			docs[i].ids = append(docs[i].ids, s.id)
			if len(held[s.id]) > 0 {
				docs[i].held++
			}
		}
	}
	slices.SortStableFunc(docs, func(a, b requirements) int { return strings.Compare(order(a.name), order(b.name)) })
	return docs
}

// order sorts RFCs by number, before everything else.
func order(name string) string {
	var n int
	if _, err := fmt.Sscanf(name, "RFC %d", &n); err == nil {
		return fmt.Sprintf("0 %06d %s", n, name)
	}
	return "1 " + name
}
