package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// Not parallel: the setting is the process's.
func TestCollectorIsTunedUnlessSomebodyChose(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	for name, tc := range map[string]struct {
		env  []string
		want int
	}{
		"nobody chose":         {nil, collectorPercent},
		"empty is no choice":   {[]string{"GOGC=", "GOMEMLIMIT="}, collectorPercent},
		"GOGC is a choice":     {[]string{"GOGC=100"}, 100},
		"a limit is one too":   {[]string{"GOMEMLIMIT=64MiB"}, 100},
		"other variables none": {[]string{"GODEBUG=x"}, collectorPercent},
	} {
		debug.SetGCPercent(100)
		tuneCollector(tc.env)
		if got := debug.SetGCPercent(100); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

func TestStateProblemSaysWhatToDo(t *testing.T) {
	t.Parallel()
	got := stateProblem("make the state folder", &os.PathError{Op: "mkdir", Path: "/x", Err: os.ErrPermission}).Error()
	if want := "make the state folder: mkdir /x: permission denied: choose a folder that you may write to with --state"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Only SQLite gets its schema from serve.
func TestLacksSchemaFitsTheEngine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte("postgres://u:p@db/x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		c     config
		serve bool
	}{
		"SQLite":               {config{Store: "sqlite:x.db"}, true},
		"PostgreSQL":           {config{Store: "postgres://db/x"}, false},
		"PostgreSQL in a file": {config{StoreFile: file}, false},
	} {
		got := tc.c.lacksSchema().Error()
		if strings.Contains(got, "sallyport serve") != tc.serve || !strings.Contains(got, "run sallyport migrate") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
