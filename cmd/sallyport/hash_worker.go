package main

import (
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"sallyport/internal/hashworker"
)

// hashWorkerCommand is for the server itself, which starts it: see newHashWorkers.
func (p *program) hashWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "hash-worker", Hidden: true, Args: cobra.NoArgs,
		Short: "Compute password hashes for a server, which starts this command itself",
		Long: "Hash-worker reads work on standard input and answers on standard output, until its input ends. The server starts as\n" +
			"many as passwords may be hashed at once, at the lowest priority, so that sign-ins do not slow calls of an API.",
		Example: "  sallyport hash-worker < /dev/null",
		RunE:    func(*cobra.Command, []string) error { return hashworker.Serve(p.stdin, p.stdout) },
	}
}

// newHashWorkers returns workers that are this program itself. On Linux it is the
// very file that runs, even if a newer one has been put in its place.
func newHashWorkers() (*hashworker.Pool, error) {
	path := "/proc/self/exe"
	if _, err := os.Stat(path); err != nil {
		if path, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	pool := hashworker.New(func() *exec.Cmd {
		return &exec.Cmd{
			Path: path, Args: []string{"sallyport", "hash-worker"}, Stderr: os.Stderr,
			Env: []string{"GOMAXPROCS=1"}, // nothing of ours: the master key may be there
		}
	})
	return pool, pool.Start()
}
