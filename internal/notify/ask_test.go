package notify_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/notify"
	"sallyport/test/rig"
)

func askNotice(t *testing.T, to, app string, until time.Time) notify.Notice {
	t.Helper()
	count++
	body, err := json.Marshal(audit.Ask{App: app, URL: fmt.Sprintf("https://auth.example.com/ciba?request=r%d", count), Until: until})
	if err != nil {
		t.Fatal(err)
	}
	return notify.Notice{ID: fmt.Sprintf("01ask%d", count), To: to, Body: body, CreatedAt: time.Now()}
}

// farAhead is beyond what the fast clock of a test reaches.
func farAhead() time.Time { return time.Now().Add(1000 * time.Hour) }

// A person is told where something waits and who asks, once for all that waits;
// what the client wrote is on the page alone.
func TestWhoIsAskedForConsentGetsAMail(t *testing.T) {
	s := rig.StartMail(t, rig.MailSettings{})
	h := run(t, notify.Options{Mailer: mailerTo(t, s, nil)},
		askNotice(t, "ask:u1", "Bank", farAhead()), askNotice(t, "ask:u1", "Shop", farAhead()), askNotice(t, "ask:u1", "Late", time.Now().Add(-time.Minute)))
	for _, d := range h.outcome() {
		if d.Event != audit.NoticeSent {
			t.Errorf("%+v", d)
		}
	}
	mails := s.Mails()
	if len(mails) != 1 || mails[0].To != "ada@example.com" || !mails[0].TLS {
		t.Fatalf("%+v", mails)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(mails[0].Raw, "=\r\n", ""), "=3D", "=")
	for _, want := range []string{
		"Subject: Your consent is asked for", "App: Bank\r\nOpen: https://auth.example.com/ciba?request=r", "App: Shop", "Auto-Submitted: auto-generated",
		"Allow it only if you have just started this yourself",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the mail lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Late") {
		t.Errorf("what has expired is mailed:\n%s", text)
	}
}

func TestNobodyIsMailedInVain(t *testing.T) {
	s := rig.StartMail(t, rig.MailSettings{})
	m := mailerTo(t, s, nil)
	for name, c := range map[string]struct {
		mailer *notify.Mailer
		notice notify.Notice
	}{
		"it has expired":                          {m, askNotice(t, "ask:u1", "Bank", time.Now().Add(-time.Minute))},
		"the person has no address":               {m, askNotice(t, "ask:u2", "Bank", farAhead())},
		"there is no mail: it is on the page too": {nil, askNotice(t, "ask:u1", "Bank", farAhead())},
	} {
		t.Run(name, func(t *testing.T) {
			h := run(t, notify.Options{Mailer: c.mailer}, c.notice)
			h.outcome()
			if got := s.Mails(); len(got) != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The name of an app is what its client has registered: it writes no lines and no
// headers of its own.
func TestNamesOfAppsStayOnTheirLine(t *testing.T) {
	s := rig.StartMail(t, rig.MailSettings{})
	run(t, notify.Options{Mailer: mailerTo(t, s, nil)}, askNotice(t, "ask:u1", "Bank\r\n.\r\nBcc: eve@example.com\nOpen: https://evil.example/\u2028x\u202e", farAhead())).outcome()
	mails := s.Mails()
	if len(mails) != 1 || mails[0].To != "ada@example.com" {
		t.Fatalf("%+v", mails)
	}
	text := strings.ReplaceAll(mails[0].Raw, "=\r\n", "")
	for _, never := range []string{"\nBcc:", "\nOpen: https://evil.example", "\u2028", "\u202e", "=E2=80=A8", "=E2=80=AE"} {
		if strings.Contains(text, never) {
			t.Errorf("the mail has %q:\n%s", never, text)
		}
	}
	if n := strings.Count(text, "\nOpen: "); n != 1 {
		t.Errorf("%d lines that say where to go:\n%s", n, text)
	}
}
