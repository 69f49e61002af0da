package spelling_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/test/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const serveHead = `issuer: %[1]s
listen: "%[2]s"
metrics_listen: "%[3]s"
tls: {cert_file: cert.pem, key_file: key.pem}
store: sqlite:sallyport.db
master_key_file: master.key
scopes: {go.read: Read, node.read: Read, nginx.read: Read, go.admin: Admin, node.admin: Admin, nginx.admin: Admin}
clients:
  - {client_id: demo-service, type: service, secret_file: demo-service.secret, scope: go.read node.read nginx.read go.admin node.admin nginx.admin}
apis:
`

const serveAPI = `  - name: %[2]s
    audience: %[1]s/%[2]s
    path: /%[2]s
    upstream: %[3]s
    tier: standard
    operations:
      - {match: "GET /items/{id}", scope: %[2]s.read}
      - {match: "GET /{section}", scope: %[2]s.read}
      - {match: "GET /{section}/{page}", scope: %[2]s.read}
      - {match: "GET /{section}/{page}/{part}", scope: %[2]s.read}
      - {match: "GET /admin/keys", scope: %[2]s.admin}
      - {match: "GET /admin/keys/{part}", scope: %[2]s.admin}
      - {match: "DELETE /items/{id}", scope: %[2]s.admin}
`

// smuggled ends a second request, for whoever takes the body of the first for one.
const smuggled = "\r\nX-Smuggled: yes\r\n\r\n"

// attacker speaks on a socket of its own, and opens a new one when it must.
type attacker struct {
	addr string
	conf *tls.Config
	conn *tls.Conn
	in   *bufio.Reader
}

// send writes one request as it is and returns the status, 0 if there was none.
// Whatever the server says behind its answer ends the connection.
func (a *attacker) send(request string) (int, error) {
	for retry := true; retry; {
		if retry = a.conn != nil; !retry { // else the server may just have closed it
			conn, err := tls.Dial("tcp", a.addr, a.conf)
			if err != nil {
				return 0, err
			}
			a.conn, a.in = conn, bufio.NewReader(conn)
		}
		_ = a.conn.SetDeadline(time.Now().Add(3 * time.Second))
		_, err := io.WriteString(a.conn, request)
		var res *http.Response
		if err == nil {
			method, _, _ := strings.Cut(request, " ")
			res, err = http.ReadResponse(a.in, &http.Request{Method: method})
		}
		if err != nil {
			a.close()
			continue
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err != nil || res.Close || res.StatusCode == http.StatusBadRequest || a.in.Buffered() > 0 || strings.Contains(request, smuggled) {
			a.close()
		}
		return res.StatusCode, nil
	}
	return 0, nil
}

func (a *attacker) close() {
	if a.conn != nil {
		_ = a.conn.Close()
	}
	a.conn = nil
}

// TestGW14GW16GW22NeverAnotherOperation writes 2,000 spellings of one address in
// front of each backend, and then each method and each shape of the header; with
// SALLYPORT_SPELLINGS=full every spelling with each of them.
func TestGW14GW16GW22NeverAnotherOperation(t *testing.T) {
	full := os.Getenv("SALLYPORT_SPELLINGS") == "full"
	s := rig.Start(t, rig.Options{})
	if code := s.Stop(t); code != 0 {
		t.Fatalf("exit status %d", code)
	}
	backends := []*backend{goBackend(t), nodeBackend(t), nginxBackend(t)}
	config := fmt.Sprintf(serveHead, s.Issuer, s.Listen, rig.FreeAddr(t))
	for _, b := range backends {
		config += fmt.Sprintf(serveAPI, s.Issuer, b.name, b.url)
	}
	server := s.ServeText(t, config)
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			attack(t, server, b, full)
		})
	}
}

func attack(t *testing.T, s *rig.Server, b *backend, full bool) {
	host := strings.TrimPrefix(s.Issuer, "https://")
	token := s.ServiceToken(t, b.name+".read").AccessToken
	request := func(method, target, shape, token string) string {
		target = strings.ReplaceAll(target, "HOST", host)
		text := method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.ReplaceAll(shape, "TOKEN", token) + "\r\n"
		if strings.Contains(shape, "Content-Length") || strings.Contains(shape, "Transfer-Encoding") {
			text += "0\r\n\r\nGET " + hidden + " HTTP/1.1\r\nHost: " + host + smuggled
		}
		return text
	}
	admin := s.ServiceToken(t, b.name+".admin").AccessToken
	conf := s.Transport.TLSClientConfig.Clone()
	conf.NextProtos, conf.ClientSessionCache = []string{"http/1.1"}, tls.NewLRUClientSessionCache(64)

	// The pair: who may is let through, once, and the backend ran that.
	one := &attacker{addr: s.Listen, conf: conf}
	for _, c := range []struct{ method, target, operation string }{{"GET", hidden, "admin"}, {"DELETE", "/items/1", "remove"}} {
		if status, err := one.send(request(c.method, "/"+b.name+c.target, shapes[0], admin)); status != 200 || err != nil {
			t.Fatalf("%s %s with the right scope: %d %v", c.method, c.target, status, err)
		}
	}
	lines := b.settled(t, 2)
	if lines[0].Operation != "admin" || lines[1].Operation != "remove" {
		t.Fatalf("the backend ran %+v", lines)
	}
	asked := requests(b.name, full)
	passed := 0
	sent := map[string]bool{} // targets that were let through, as they were written
	var mu sync.Mutex
	var work sync.WaitGroup
	next := make(chan [3]string)
	for range 4 {
		work.Go(func() {
			a := &attacker{addr: s.Listen, conf: conf}
			defer a.close()
			for r := range next {
				status, err := a.send(request(r[0], r[1], r[2], token))
				if err != nil {
					t.Errorf("the server is gone: %v", err)
				}
				if status >= 500 && status != http.StatusNotImplemented {
					t.Errorf("%q: status %d", r, status)
				}
				if status == http.StatusOK {
					mu.Lock()
					passed++
					sent[strings.TrimPrefix(r[1], "/"+b.name)] = true
					mu.Unlock()
				}
			}
		})
	}
	for _, r := range asked {
		next <- r
	}
	close(next)
	work.Wait()
	lines = b.settled(t, 2+passed)[2:]
	for _, l := range lines {
		switch {
		case l.Operation != "read" || l.Method != http.MethodGet && l.Method != http.MethodHead:
			t.Errorf("the backend ran %s: %s %q", l.Operation, l.Method, l.Target)
		case !sent[l.Target]:
			t.Errorf("the backend was asked for %q, which nobody was let through with", l.Target)
		case l.Forged != "" && l.Forged != "x-pad" || l.Twice: // x-pad is nobody's
			t.Errorf("the backend believed a header of the client: %+v", l)
		}
	}
	t.Logf("%d requests, %d passed as a call that was allowed", len(asked), passed)
	if passed < 10 {
		t.Error("hardly anything passed, so this proves nothing")
	}
}

// settled is the log when it has at least n lines and no more come.
func (b *backend) settled(t *testing.T, n int) []ran {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		lines := b.log()
		time.Sleep(30 * time.Millisecond)
		if again := b.log(); len(lines) >= n && len(again) == len(lines) {
			if len(lines) != n {
				t.Errorf("the backend ran %d calls, and %d were let through", len(lines), n)
			}
			return lines
		}
		if time.Now().After(limit) {
			t.Fatalf("the backend logged %d calls of %d", len(lines), n)
		}
	}
}

// requests lists method, target and header of each attack.
func requests(name string, full bool) (list [][3]string) {
	all := spellings("/"+name, 2000)
	for _, target := range all {
		list = append(list, [3]string{"GET", target, shapes[0]})
	}
	few := []string{"/" + name + hidden, "/" + name + "/items/1", "/" + name + "/items/1?a=b"}
	if full {
		few = append(few, all...)
	}
	for _, target := range few {
		for _, method := range methods {
			list = append(list, [3]string{method, target, shapes[0]})
		}
		for _, shape := range shapes {
			list = append(list, [3]string{"GET", target, shape})
		}
	}
	return list
}
