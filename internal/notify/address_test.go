package notify_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"sallyport/internal/audit"
	"sallyport/internal/notify"
)

// post is a mail server that says what a test wants to one address.
type post struct {
	mu    sync.Mutex
	taken []string
	tries map[string]int
}

// rcpt answers RCPT for an address on its nth try.
func startPost(t *testing.T, rcpt func(address string, n int) string) (*post, *notify.Mailer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &post{tries: map[string]int{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, rcpt)
		}
	}()
	m, err := notify.NewMailer(notify.MailOptions{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Plain: true, From: "auth@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return p, m
}

func (p *post) serve(c net.Conn, rcpt func(string, int) string) {
	defer c.Close()
	r := bufio.NewReader(c)
	say := func(s string) { fmt.Fprint(c, s+"\r\n") }
	say("220 mx")
	to, data := "", false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch {
		case data && line == ".\r\n":
			data = false
			p.mu.Lock()
			p.taken = append(p.taken, to)
			p.mu.Unlock()
			say("250 ok")
		case data:
		case verb == "RCPT":
			_, rest, _ := strings.Cut(line, "<")
			to, _, _ = strings.Cut(rest, ">")
			p.mu.Lock()
			p.tries[to]++
			n := p.tries[to]
			p.mu.Unlock()
			say(rcpt(to, n))
		case verb == "DATA":
			data = true
			say("354 go")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 mx")
		}
	}
}

// One address that is dead, or away for a while, costs the others nothing, and no
// error names one.
func TestT037LG03EachAddressIsSettledAlone(t *testing.T) {
	p, m := startPost(t, func(address string, n int) string {
		switch {
		case address == "gone@example.com":
			return "550 5.1.1 <gone@example.com> no such user"
		case address == "away@example.com" && n < 3:
			return "451 4.7.1 <away@example.com> try later"
		}
		return "250 ok"
	})
	all := []string{"ops@example.com", "gone@example.com", "away@example.com", "chief@example.com"}
	h := run(t, notify.Options{Mailer: m, Operators: all, Directory: people{"client:shop": all[1:2]}},
		notice(t, "operator", leakOf("access_token", audit.ActionTokenRevoked)), notice(t, "client:shop", leakOf("access_token", audit.ActionTokenRevoked)))
	counts := map[audit.Name]int{}
	for _, d := range h.outcome() {
		counts[d.Event]++
		if d.Err != nil && strings.Contains(d.Err.Error(), "example.com") {
			t.Errorf("the error names an address: %v", d.Err)
		}
		if d.Event == audit.NoticeLost && d.Err == nil {
			t.Errorf("lost without a reason: %+v", d)
		}
	}
	if counts[audit.NoticeSent] != 3 || counts[audit.NoticeLost] != 2 || counts[""] != 2 {
		t.Errorf("%v, want 3 sent, the dead address lost for both recipients, the slow one tried again twice", counts)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.taken)
	if want := []string{"away@example.com", "chief@example.com", "ops@example.com"}; !slices.Equal(p.taken, want) {
		t.Errorf("taken for %v, want each once: %v", p.taken, want)
	}
	if p.tries["gone@example.com"] != 2 || p.tries["away@example.com"] != 3 {
		t.Errorf("tries %v, want that a refusal is final and a delay is not", p.tries)
	}
}
