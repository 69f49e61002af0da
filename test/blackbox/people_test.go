package blackbox_test

import (
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sallyport/test/rig"
)

// demoMail is how the demo sends mail: into a folder.
var demoMail = regexp.MustCompile(`(?m)^mail: .*$`)

// peopleHouse serves with a mail server that is not ours, and lets people sign up.
func peopleHouse(t *testing.T) (*rig.Server, *rig.MailServer) {
	t.Helper()
	s := rig.Start(t, rig.Options{})
	wantExit(t, s, 0)
	post := rig.StartMail(t, rig.MailSettings{Implicit: true})
	text, err := os.ReadFile(filepath.Join(s.State, "sallyport.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !demoMail.Match(text) {
		t.Fatal("the demo's mail has changed")
	}
	config := demoMail.ReplaceAllString(string(text), fmt.Sprintf("mail: {server: \"smtps://127.0.0.1:%s\", ca_file: %q, from: Sallyport <auth@example.com>}", post.Port, post.CAFile))
	file := filepath.Join(s.State, "serve.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.Serve(t, file), post
}

// read is the subject and the text of a mail as its reader sees them.
func read(t *testing.T, m rig.Mail) (subject, text string) {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(m.Raw))
	if err != nil {
		t.Fatalf("%v: %q", err, m.Raw)
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	var body io.Reader = msg.Body
	if strings.EqualFold(msg.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return subject, string(b)
}

// A person signs up and recovers by letters that a real mail server has taken, in
// their language; a code by mail alone recovers nothing (AU12).
func TestAU11AU12AU16LettersByRealMail(t *testing.T) {
	s, post := peopleHouse(t)
	const address = "grace@example.com"
	code := regexp.MustCompile(`\b\d{4} ?\d{4}\b`)
	got := 0
	next := func(about string) (subject, text string) {
		t.Helper()
		for {
			list := post.Wait(t, func(list []rig.Mail) bool { return len(list) > got })
			got++
			if subject, text = read(t, list[got-1]); strings.Contains(text, about) && list[got-1].TLS && strings.Contains(list[got-1].To, address) {
				return subject, text
			}
		}
	}
	p := s.Person(t)
	page := p.Go(t, s.Issuer+"/account", "")
	link := regexp.MustCompile(`id="sign_up" href="([^"]*)"`).FindStringSubmatch(page.Body)
	if link == nil {
		t.Fatalf("nobody can sign up:\n%s", page.Body)
	}
	page = p.Go(t, s.Issuer+strings.ReplaceAll(link[1], "&amp;", "&"), "")
	page = p.Press(t, page, "go_on", url.Values{"address": {address}}, "")
	subject, text := next("")
	digits := code.FindString(text)
	if digits == "" || strings.Contains(subject, digits) {
		t.Fatalf("AU16 the code is not in the text alone: %q\n%s", subject, text)
	}
	page = p.Press(t, page, "go_on", url.Values{"code": {digits}}, "")
	page = p.Press(t, page, "sign_up", url.Values{"username": {"grace"}, "password": {"nine quiet herons at dusk"}}, "")
	if page.URL.Path != "/account" || !strings.Contains(page.Body, "grace") {
		t.Fatalf("signing up ends at %s:\n%s", page.URL, page.Body)
	}

	// The password is forgotten. Mail alone is one proof, and there is no other.
	q := s.Person(t)
	page = q.Go(t, s.Issuer+"/login/recover", "")
	page = q.Press(t, page, "go_on", url.Values{"name": {"grace"}}, "")
	_, text = next(s.Issuer)
	for code.FindString(text) == "" {
		_, text = next(s.Issuer)
	}
	page = q.Press(t, page, "go_on", url.Values{"code": {code.FindString(text)}}, "")
	if strings.Contains(page.Body, `id="set_password"`) || !strings.Contains(page.Body, `id="wait"`) {
		t.Errorf("AU12 after a code by mail alone:\n%s", page.Body)
	}
	if page := q.Go(t, s.Issuer+"/account", ""); page.URL.Path == "/account" {
		t.Error("AU12 a code by mail signs somebody in")
	}
	if page := p.Go(t, s.Issuer+"/account", ""); page.URL.Path != "/account" || page.Status != http.StatusOK {
		t.Errorf("somebody who asks to recover an account signs its owner out: %d %s", page.Status, page.URL)
	}
}

// Whoever is disabled or deleted by a command of another process loses every token,
// session and refresh token within the limit of the tier.
func TestRV08DisabledAndDeletedPeopleLoseEverythingInTime(t *testing.T) {
	for act, command := range map[string][]string{"disabled": {"user", "disable"}, "deleted": {"user", "delete"}} {
		t.Run(act, func(t *testing.T) {
			s := rig.Start(t, rig.Options{})
			p := s.Person(t)
			catalog, weather := p.Tokens(t, "openid catalog.read"), p.Tokens(t, "openid weather.read")
			calls := map[string]struct {
				address, token string
				within         time.Duration
			}{
				"standard": {s.API(t, "catalog").Item("1"), catalog.AccessToken, 10 * time.Second},
				"low":      {s.API(t, "weather").URL + "/forecast/bremen", weather.AccessToken, time.Minute},
			}
			for tier, c := range calls {
				if status, _, body := s.Call(t, http.MethodGet, c.address, c.token); status != http.StatusOK {
					t.Fatalf("tier %s before: %d %s", tier, status, body)
				}
			}
			args := append(command, s.Username, "-c", filepath.Join(s.State, "sallyport.yaml"))
			if out, err := exec.CommandContext(t.Context(), rig.Binary(t), args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			began := time.Now()
			for tier, c := range calls {
				for {
					status, _, _ := s.Call(t, http.MethodGet, c.address, c.token)
					if status == http.StatusUnauthorized {
						break
					}
					if time.Since(began) > c.within {
						t.Fatalf("tier %s: %d after %s", tier, status, c.within)
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
			for _, tok := range []rig.Tokens{catalog, weather} {
				if again, err := s.Refresh(tok.RefreshToken); err != nil || again.Error != "invalid_grant" {
					t.Errorf("a refresh token: %v %+v", err, again)
				}
			}
			if page := p.Go(t, s.Issuer+"/account", ""); page.URL.Path == "/account" {
				t.Error("the browser is still signed in")
			}
			address, _ := s.AuthorizeURL("openid")
			if page := p.SignIn(t, p.Go(t, address, s.RedirectURI), s.RedirectURI); page.Status != http.StatusUnauthorized {
				t.Errorf("signing in again: %d at %s", page.Status, page.URL)
			}
		})
	}
}
