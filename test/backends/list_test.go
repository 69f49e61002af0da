package backends_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/test/attack"
	"sallyport/test/rig"
)

// ask sends a token as the gateway would and returns the status and sub.
func ask(t testing.TB, p *process, token string) (status int, sub string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return do(t, p, req)
}

func do(t testing.TB, p *process, req *http.Request) (status int, sub string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%v (alive: %v)\n%s", err, p.alive(), p.log)
	}
	body := rig.ReadBody(t, res)
	var who struct{ Sub string }
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal([]byte(body), &who); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	}
	return res.StatusCode, who.Sub
}

// askRaw sends what no client of HTTP would. 0 is an end without an answer.
func askRaw(t testing.TB, p *process, token string) (status int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatalf("%v (alive: %v)\n%s", err, p.alive(), p.log)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	// The server may hang up in the middle of it.
	_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: backend\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n\r\n"))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// usable are the sets with keys that a verifier passes over.
func usable(t attack.Target) []attack.KeySet {
	return slices.DeleteFunc(t.KeySets(), func(s attack.KeySet) bool { return !s.Usable })
}

func neighbours(k attack.Key, sets []attack.KeySet) []byte {
	jwks := []string{k.JWK()}
	for _, s := range sets {
		jwks = append(jwks, s.JWKs...)
	}
	return attack.Set(jwks...)
}

func TestT064ExamplesHoldAgainstTheAttackList(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var sets []attack.KeySet
			i := newIssuer(t, func(tg attack.Target) []byte {
				sets = usable(tg)
				return neighbours(tg.Key, sets)
			})
			p := i.run(t, e)
			if status, sub := ask(t, p, i.token(i.Key)); status != 200 || sub != attack.Subject {
				t.Fatalf("before the list: status %d, sub %q: %s", status, sub, p.log)
			}
			i.each(func(c attack.Case) { t.Run(c.String(), func(t *testing.T) { judge(t, p, c) }) })
			for _, s := range sets {
				for _, c := range s.Cases {
					t.Run(c.String(), func(t *testing.T) { judge(t, p, c) })
				}
			}
			for _, q := range attack.Placements(p.url+"/", i.token(i.Key)) {
				t.Run(q.ID+" "+q.Name, func(t *testing.T) {
					if status, sub := do(t, p, q.Request); q.Valid && (status != 200 || sub != attack.Subject) || !q.Valid && status != 401 {
						t.Errorf("valid %v, got %d", q.Valid, status)
					}
				})
			}
			if n := i.fetches.Load(); n > 2 {
				t.Errorf("the list made it fetch the keys %d times", n)
			}
			if status, _ := ask(t, p, i.token(i.Key)); status != 200 || !p.alive() {
				t.Errorf("after the list: status %d, alive %v: %s", status, p.alive(), p.log)
			}
			if text := p.log.String(); strings.Contains(text, "eyJ") {
				t.Errorf("the log holds a token: %.500s", text)
			}
		})
	}
}

// each calls f with the whole list. Tokens that live for a minute are made anew
// before a busy machine lets them expire.
func (i *issuer) each(f func(attack.Case)) {
	const stale = 15 * time.Second
	i.Now = time.Now()
	list := i.List()
	for n := range list {
		c := list[n]
		if time.Since(i.Now) > stale {
			i.Now = time.Now()
			again := i.List()
			for m := range again {
				if again[m].String() == c.String() {
					c = again[m]
				}
			}
			if len(again) == len(list) {
				list = again
			}
		}
		f(c)
	}
}

// judge asks once. What HTTP itself cannot carry may be refused by HTTP itself.
func judge(t *testing.T, p *process, c attack.Case) {
	t.Helper()
	if !c.Sendable() {
		if status := askRaw(t, p, c.Token); status != 0 && (status < 400 || status > 499) {
			t.Errorf("got %d", status)
		}
		return
	}
	status, sub := ask(t, p, c.Token)
	switch {
	case c.Valid && (status != 200 || sub == ""):
		t.Errorf("the pair: got %d, sub %q", status, sub)
	case !c.Valid && status != 401 && (len(c.Token) <= 8<<10 || status < 400 || status > 499):
		t.Errorf("got %d, sub %q for %.200q", status, sub, c.Token)
	}
}

// smallOrder is what only the Go example refuses: the others take a key of the
// gateway's set as it is. The guide says so.
const smallOrder = "J019 key of small order: signature that fits any message"

// A process for each set: one fault could make it refuse the whole set and so
// hide that it takes another.
func TestT064ExamplesHoldAgainstAttackedKeySets(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, func(tg attack.Target) []byte { return attack.Set(tg.Key.JWK()) })
			for n, s := range i.KeySets() {
				if s.Usable {
					continue // in the test of the list
				}
				t.Run(s.ID+" "+s.Name, func(t *testing.T) {
					p := i.run(t, e)
					i.Now = time.Now()
					s := i.KeySets()[n] // tokens of now, and the keys that go with them
					i.publish(s.Set(i.Target))
					for _, c := range s.Cases {
						status, _ := ask(t, p, c.Token)
						if trusted := e.name != "go" && c.String() == smallOrder; status == 200 != trusted {
							t.Errorf("%s: got %d: %s", c, status, p.log)
						}
					}
				})
			}
		})
	}
}
