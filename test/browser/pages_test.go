package browser_test

import (
	"os"
	"os/exec"
	"testing"

	"sallyport/test/rig"
)

// The tests of the edge walk to every page; here a browser looks at each of them,
// in every language, light and dark, wide and narrow, with axe-core.
func TestEveryPageIsAccessible(t *testing.T) {
	pages := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "^TestPagesForLooking$", "sallyport/internal/web", "-args", "-pages", pages)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the pages are not there: %v\n%s", err, out)
	}
	env := []string{"HOME=" + t.TempDir(), "SALLYPORT_SCREENSHOTS=" + screenshots(t), "SALLYPORT_PICTURES=" + os.Getenv("SALLYPORT_PICTURES")}
	rig.RunNode(t, "browser-pages.mjs", map[string]string{"pages": pages}, env, func(map[string]string) any { return nil })
}
