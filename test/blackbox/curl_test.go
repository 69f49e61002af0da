package blackbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/test/rig"
)

// welcome starts dev as a person does and returns the text that it prints
// when it is ready.
func welcome(t *testing.T, args ...string) string {
	t.Helper()
	printed := filepath.Join(t.TempDir(), "stdout")
	out, err := os.Create(printed)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(rig.Binary(t), append([]string{"dev"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("dev ended with %v\n%s", err, &stderr)
		}
	})
	const pause = 200 * time.Millisecond // the text comes in one piece
	for before, end := "", time.Now().Add(30*time.Second); time.Now().Before(end); time.Sleep(pause) {
		b, err := os.ReadFile(printed)
		if err != nil {
			t.Fatal(err)
		}
		if before != "" && before == string(b) {
			return before
		}
		before = string(b)
	}
	t.Fatal("dev printed nothing")
	return ""
}

// step is one comment of the welcome text with the commands below it.
type step struct{ comment, command string }

func steps(text string) []step {
	var list []step
	rig.Lines(text, func(line string) {
		if comment, ok := strings.CutPrefix(line, "# "); ok {
			list = append(list, step{comment: comment})
		} else if len(list) > 0 && line != "" {
			list[len(list)-1].command += line + "\n"
		}
	})
	return list
}

var statusInComment = regexp.MustCompile(`\b[2-5][0-9]{2}\b`)

// TestPrintedCommandsDoWhatTheySay pastes all of them into one shell, in a
// folder whose name needs quoting.
func TestPrintedCommandsDoWhatTheySay(t *testing.T) {
	state := filepath.Join(t.TempDir(), "it's a folder")
	list := steps(welcome(t, "--listen", rig.FreeAddr(t), "--state", state))
	if len(list) < 5 {
		t.Fatalf("only %d commands are printed", len(list))
	}
	const mark = "----8<----"
	var script strings.Builder
	for _, s := range list {
		script.WriteString(s.command + "echo; echo \"" + mark + " $?\"\n")
	}
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	answers := strings.Split(string(out), mark)
	if len(answers) != len(list)+1 {
		t.Fatalf("%d answers to %d commands:\n%s", len(answers)-1, len(list), out)
	}
	for i, s := range list {
		t.Run(s.comment, func(t *testing.T) {
			if !strings.HasPrefix(answers[i+1], " 0\n") {
				t.Errorf("%sends with %.3q", s.command, answers[i+1])
			}
			_, answer, _ := strings.Cut(answers[i], "\n") // past the status of the one before
			checkStep(t, s, answer)
		})
	}
}

func checkStep(t *testing.T, s step, answer string) {
	t.Helper()
	for _, status := range statusInComment.FindAllString(s.comment, -1) {
		if !regexp.MustCompile(`(?m)^HTTP/\S+ ` + status).MatchString(answer) {
			t.Errorf("%sanswered, want %s:\n%s", s.command, status, answer)
		}
	}
	if strings.HasSuffix(s.comment, ": active") && !strings.Contains(answer, `"active":true`) {
		t.Errorf("%sanswered:\n%s", s.command, answer)
	}
	if strings.Contains(answer, "curl:") || strings.Contains(answer, "command not found") || strings.Contains(answer, "No such file") {
		t.Errorf("%sanswered:\n%s", s.command, answer)
	}
	if strings.Contains(s.comment, "what the backend saw") && !strings.Contains(answer, `"client_id":`) {
		t.Errorf("%sdoes not show what the backend saw:\n%s", s.command, answer)
	}
}
