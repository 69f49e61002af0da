package main

import (
	"strings"
	"testing"

	"sallyport/internal/secret"
)

// What was given as an argument by mistake is not printed once more.
func TestLG03CredentialsAsArgumentsAreNotEchoed(t *testing.T) {
	found := secret.NewHandle(secret.ClientSecret).Reveal()
	for _, args := range [][]string{
		{"leak", "report", found},
		{"leak", "report", "x=" + found},
		{"leak", "report", "found.txt", found},
		{"leak", found},
		{"key", "compromise", found},
		{"key", "rotate", found},
		{"client", "compromise-secret", found},
		{"client", "show", "a", found},
		{"user", "show", found},
		{"--" + found},
		{"leak", "report", "--url", "https://a/?t=" + found},
		{found},
	} {
		status, stdout, stderr := execute(t, "", args...)
		if status != exitFailed || strings.Contains(stdout+stderr, found) || strings.Contains(stdout+stderr, found[10:30]) {
			t.Errorf("%s: %d %s%s", strings.ReplaceAll(strings.Join(args, " "), found, "…"), status, stdout, stderr)
		}
		if !strings.Contains(stderr, "history of the shell") || !strings.Contains(stderr, "standard input") {
			t.Errorf("it does not say what to do: %s", stderr)
		}
	}
}
