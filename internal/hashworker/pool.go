package hashworker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"

	"sallyport/internal/passhash"
)

// Pool starts workers as they are needed and keeps those that are idle. It does not
// bound how many there are: who calls does. Safe for concurrent use.
type Pool struct {
	command func() *exec.Cmd

	mu     sync.Mutex
	idle   []*worker
	closed bool
}

// worker is one process, which has one piece of work at a time.
type worker struct {
	cmd  *exec.Cmd
	to   io.WriteCloser
	from *bufio.Reader
}

// New returns a pool of what command makes: programs that call Serve with their
// standard input and output. They end when their input does, which is also when this
// process ends.
func New(command func() *exec.Cmd) *Pool { return &Pool{command: command} }

// errDied: the process has ended, or does not speak our language.
var errDied = errors.New("the process that hashes passwords has ended")

var errClosed = errors.New("passwords are no longer hashed: the program ends")

// Start starts a worker, so that a machine that does not allow it is noticed early.
func (p *Pool) Start() error {
	w, err := p.take()
	if err == nil {
		p.put(w)
	}
	return err
}

// Compute is a passhash.Compute. If a worker dies, for instance because memory was
// short, it tries once more with another.
func (p *Pool) Compute(work passhash.Work) ([]byte, error) {
	result, err := p.once(work)
	if errors.Is(err, errDied) {
		result, err = p.once(work)
	}
	return result, err
}

func (p *Pool) once(work passhash.Work) ([]byte, error) {
	w, err := p.take()
	if err != nil {
		return nil, err
	}
	result, err := w.do(work)
	if errors.Is(err, errDied) {
		w.end()
		return nil, err
	}
	p.put(w)
	return result, err
}

func (w *worker) do(work passhash.Work) ([]byte, error) {
	if err := writeTexts(w.to, nil, []byte(work.Hash), []byte(work.Password)); err != nil {
		if errors.Is(err, errTooLong) {
			return nil, err
		}
		return nil, errors.Join(errDied, err)
	}
	ok, err := w.from.ReadByte()
	if err != nil {
		return nil, errors.Join(errDied, err)
	}
	answer, err := readText(w.from)
	switch {
	case err != nil:
		return nil, errors.Join(errDied, err)
	case ok == 1:
		return answer, nil
	}
	return nil, passhash.ErrHash
}

func (p *Pool) take() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return w, nil
	}
	return start(p.command())
}

func (p *Pool) put(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		w.end()
		return
	}
	p.idle = append(p.idle, w)
}

func start(cmd *exec.Cmd) (*worker, error) {
	to, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a process that hashes passwords: %w", err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a process that hashes passwords: %w", err)
	}
	if err := startLast(cmd); err != nil {
		return nil, fmt.Errorf("start a process that hashes passwords: %w", err)
	}
	return &worker{cmd, to, bufio.NewReader(from)}, nil
}

// end lets the process end and waits for it, so that none is left behind.
func (w *worker) end() {
	_ = w.to.Close()
	go func() { _ = w.cmd.Wait() }() // how it ended is of no use: its answers say whether it works
}

// Close ends all workers; those that compute end afterwards.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, w := range p.idle {
		w.end()
	}
	p.idle = nil
	return nil
}
