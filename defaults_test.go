package sallyport

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sallyport/internal/secret"
)

var (
	// PEM, JWK and handles are the forms in which keys and secrets of ours lie about.
	pemKey = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{30}`)
	jwkKey = regexp.MustCompile(`"(?:d|k)"\s*:\s*"[A-Za-z0-9_-]{32,}"`)
	handle = regexp.MustCompile(`[a-z]{4}_[A-Za-z0-9_-]{20,}`)
)

// keysIn returns the keys and secrets in a text.
func keysIn(text string) []string {
	found := pemKey.FindAllString(text, -1)
	found = append(found, jwkKey.FindAllString(text, -1)...)
	for _, s := range handle.FindAllString(text, -1) {
		if _, ours := secret.Kind(s); ours { // the checksum says so
			found = append(found, s)
		}
	}
	return found
}

// Whoever reads the source or the binary must not learn a key that some
// deployment uses (CVE-2023-22463, CVE-2025-30206, CVE-2025-15107).
func TestJ022KY07NothingIsBakedIn(t *testing.T) {
	t.Parallel()
	t.Run("J022 the files of the product", func(t *testing.T) {
		for _, name := range files(t) {
			if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") || strings.HasPrefix(name, "test/") {
				continue // published vectors and keys of tests
			}
			for _, key := range keysIn(read(t, name)) {
				t.Errorf("%s holds a key: %.40q", name, key)
			}
		}
	})
	t.Run("J022 the binary", func(t *testing.T) {
		bin := filepath.Join(t.TempDir(), "sallyport")
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/sallyport").CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		for _, key := range keysIn(read(t, bin)) {
			t.Errorf("the binary holds a key: %.40q", key)
		}
		first, second := initialised(t, bin), initialised(t, bin)
		for _, key := range first {
			for _, other := range second {
				if key == other {
					t.Errorf("two runs of init write the same key: %.12q", key)
				}
			}
		}
	})
	t.Run("what is looked for is found", func(t *testing.T) {
		for _, text := range []string{
			"master: " + secret.NewHandle(secret.MasterKey).Reveal(), `{"kty":"EC","d":"` + strings.Repeat("A", 43) + `"}`,
			"-----BEGIN EC PRIVATE KEY-----\n" + strings.Repeat("A", 64) + "\n",
		} {
			if len(keysIn(text)) != 1 {
				t.Errorf("%.30q passes as no key", text)
			}
		}
	})
}

// initialised runs init in an empty folder and returns the keys that it wrote.
func initialised(t *testing.T, bin string) (keys []string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), bin, "init")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		keys = append(keys, keysIn(read(t, filepath.Join(dir, e.Name())))...)
	}
	if len(keys) == 0 {
		t.Fatal("init wrote no key: " + fmt.Sprint(entries))
	}
	return keys
}
