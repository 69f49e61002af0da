package blackbox_test

import (
	"net/http"
	"testing"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func wantItem(t *testing.T, s *rig.Server, want int, accessToken string) {
	t.Helper()
	got, _, body := s.Call(t, http.MethodGet, s.API(t, "catalog").Item("1"), accessToken)
	if got != want {
		t.Fatalf("GET item: status %d, want %d: %s", got, want, body)
	}
}

func wantExit(t *testing.T, s *rig.Server, want int) {
	t.Helper()
	if got := s.Stop(t); got != want {
		stdout, stderr := s.Output()
		t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", got, want, stdout, stderr)
	}
}
