package blackbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/test/rig"
)

// TestPP20GuideCommandsDoWhatTheySay pastes the commands of the guide into one
// shell, beside a dev of the test.
func TestPP20GuideCommandsDoWhatTheySay(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "sender-constrained-tokens.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```sh\n")
	block, _, found := strings.Cut(block, "```")
	if !found {
		t.Fatal("the guide has no commands")
	}
	s := rig.Start(t, rig.Options{})
	dir := t.TempDir()
	if err := os.Symlink(rig.Binary(t), filepath.Join(dir, "sallyport")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.State, filepath.Join(dir, ".sallyport")); err != nil {
		t.Fatal(err)
	}
	list := steps("# settings\n" + strings.Replace(block, "https://localhost:8443", s.Issuer, 1))
	const mark = "----8<----"
	var script strings.Builder
	for _, one := range list {
		script.WriteString(one.command + "echo; echo \"" + mark + " $?\"\n")
	}
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script.String())
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	answers := strings.Split(string(out), mark)
	if len(list) < 6 || len(answers) != len(list)+1 {
		t.Fatalf("%d answers to %d commands:\n%s", len(answers)-1, len(list), out)
	}
	for i, one := range list {
		_, answer, _ := strings.Cut(answers[i], "\n")
		if i == 0 {
			answer = answers[0]
		}
		checkStep(t, one, answer)
	}
}
