package main

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
)

// crowd is the process that signs in.
type crowd struct {
	stdin        io.WriteCloser
	queued, over chan struct{} // closed when all requests are written, and when all are answered
	answers      string        // valid when over is closed
}

// startCrowd starts it and returns when each of n has its sign-in page.
func (d *deployment) startCrowd(ctx context.Context, n int) (*crowd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", self, "-crowd", "-people", strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	c := &crowd{queued: make(chan struct{}), over: make(chan struct{})}
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(c.stdin).Encode(d); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return nil, errors.Join(errors.New("the crowd did not come"), cmd.Wait())
	}
	go func() {
		defer close(c.over)
		lines.Scan()
		close(c.queued)
		lines.Scan()
		c.answers = lines.Text()
		_ = cmd.Wait()
	}()
	return c, nil
}

// send makes all of them sign in at once.
func (c *crowd) send() error {
	_, err := fmt.Fprintln(c.stdin, "now")
	return err
}

// beCrowd is what the process does: a line of standard input says where, the next
// one when; it says when it is ready, when all requests are written, and what came.
func beCrowd(n int) error {
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return errors.New("nobody said where")
	}
	d := &deployment{roots: x509.NewCertPool()}
	if err := json.Unmarshal(in.Bytes(), d); err != nil {
		return err
	}
	ca, err := os.ReadFile(d.CAFile)
	if err != nil || !d.roots.AppendCertsFromPEM(ca) {
		return errors.Join(err, errors.New("no CA"))
	}
	people, err := d.people(n)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in.Scan()
	var counts [600]atomic.Int64
	var wrote, all sync.WaitGroup
	wrote.Add(n)
	for _, signIn := range people {
		all.Go(func() {
			once := sync.OnceFunc(wrote.Done)
			defer once()
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once() }})
			counts[signIn(ctx)].Add(1)
		})
	}
	wrote.Wait()
	fmt.Println("queued")
	all.Wait()
	for status := range counts {
		if c := counts[status].Load(); c > 0 {
			fmt.Printf("%d answered %d  ", c, status)
		}
	}
	fmt.Println()
	return nil
}
