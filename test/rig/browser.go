package rig

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TrustCA makes a home folder whose certificate store has a CA and nothing else,
// for a Chromium that is started with it as HOME.
func TrustCA(t testing.TB, home, caFile string) {
	t.Helper()
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-N", "--empty-password"},
		{"-A", "-t", "C,,", "-n", "sallyport", "-i", caFile},
	} {
		if out, err := exec.CommandContext(t.Context(), "certutil", append([]string{"-d", "sql:" + db}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("certutil %v: %v: %s", args, err, out)
		}
	}
}
