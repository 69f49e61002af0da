package notify_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/notify"
	"sallyport/internal/secret"
	"sallyport/test/rig"
)

// box is an outbox in memory, with the rules of the stored one that matter here.
type box struct {
	mu   sync.Mutex
	list []notify.Notice
	due  map[string]time.Time
}

func (b *box) Claim(_ context.Context, now, until time.Time, most int) ([]notify.Notice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var got []notify.Notice
	for i := range b.list {
		n := &b.list[i]
		if now.Before(n.Until) || now.Before(b.due[n.ID]) || len(got) > 0 && (n.To != got[0].To || n.Address != got[0].Address) || len(got) == most {
			continue
		}
		n.Until = until
		n.Attempts++
		got = append(got, *n)
	}
	return got, nil
}

func (b *box) Done(_ context.Context, list []notify.Notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = slices.DeleteFunc(b.list, func(n notify.Notice) bool {
		return slices.ContainsFunc(list, func(m notify.Notice) bool { return m.ID == n.ID })
	})
	return nil
}

func (b *box) Retry(_ context.Context, list []notify.Notice, due time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.list {
		for _, n := range list {
			if n.ID == b.list[i].ID {
				b.list[i].Until, b.due[n.ID] = time.Time{}, due
			}
		}
	}
	return nil
}

func (b *box) Split(ctx context.Context, list []notify.Notice, addresses []string, due time.Time) (int, error) {
	if err := b.Done(ctx, list); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range list {
		for _, a := range addresses {
			part := n
			part.ID, part.Address, part.Until, part.Attempts = n.ID+"."+a, a, time.Time{}, 0
			b.list, b.due[part.ID] = append(b.list, part), due
		}
	}
	return 0, nil
}

func (b *box) left() int { b.mu.Lock(); defer b.mu.Unlock(); return len(b.list) }

// people is a directory in memory.
type people map[string][]string

func (p people) Contacts(_ context.Context, id string) ([]string, error) {
	return p["client:"+id], nil
}

func (p people) Address(_ context.Context, id string) (string, error) {
	return strings.Join(p["user:"+id], ""), nil
}

// hall is a worker with what it stands on. Its clock runs a thousand times as fast.
type hall struct {
	t          *testing.T
	box        *box
	mu         sync.Mutex
	records    []audit.Leak
	deliveries []notify.Delivery
}

func run(t *testing.T, o notify.Options, notices ...notify.Notice) *hall {
	t.Helper()
	h := &hall{t: t, box: &box{list: notices, due: map[string]time.Time{}}}
	start := time.Now()
	o.Outbox, o.Issuer = h.box, "https://auth.example.com"
	o.Now = func() time.Time { return start.Add(1000 * time.Since(start)) }
	if o.Directory == nil {
		o.Directory = people{"client:shop": {"owner@example.com", "two@example.com"}, "user:u1": {"ada@example.com"}}
	}
	o.Record = func(l audit.Leak) { h.mu.Lock(); defer h.mu.Unlock(); h.records = append(h.records, l) }
	o.Report = func(d notify.Delivery) { h.mu.Lock(); defer h.mu.Unlock(); h.deliveries = append(h.deliveries, d) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); notify.NewWorker(o).Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return h
}

// outcome waits until nothing is left, and returns what became of it.
func (h *hall) outcome() []notify.Delivery {
	h.t.Helper()
	for limit := time.Now().Add(time.Minute); h.box.left() > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			h.t.Fatalf("%d notices are left; %+v", h.box.left(), h.deliveries)
		}
	}
	time.Sleep(20 * time.Millisecond) // what is done is reported next
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.deliveries)
}

var count int

func leakOf(kind, action string) audit.Leak {
	return audit.Leak{
		ID: "01incident", At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Event: audit.LeakFound, Kind: kind, HashPrefix: "3fa9b2c1", Action: action,
		ClientID: "shop", Subject: "u1", URL: "https://code.example/a.py#L10", Source: "git", Reporter: "partner",
	}
}

func notice(t *testing.T, to string, l audit.Leak) notify.Notice {
	t.Helper()
	body, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	count++
	return notify.Notice{ID: fmt.Sprintf("01notice%d", count), To: to, Body: body, CreatedAt: time.Now()}
}

func mailerTo(t *testing.T, s *rig.MailServer, change func(*notify.MailOptions)) *notify.Mailer {
	t.Helper()
	port, err := strconv.Atoi(s.Port)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	o := notify.MailOptions{Host: "127.0.0.1", Port: port, From: "Sallyport <auth@example.com>", RootCAs: x509.NewCertPool()}
	o.RootCAs.AppendCertsFromPEM(pem)
	if change != nil {
		change(&o)
	}
	m, err := notify.NewMailer(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestT037MailTellsEachWhatConcernsThem(t *testing.T) {
	s := rig.StartMail(t, rig.MailSettings{User: "me", Pass: "let me in"})
	m := mailerTo(t, s, func(o *notify.MailOptions) { o.Username, o.Password = "me", secret.New("let me in") })
	h := run(t, notify.Options{Mailer: m, Operators: []string{"ops@example.com"}},
		notice(t, "client:shop", leakOf("client_secret", audit.ActionSecretEnded)),
		notice(t, "user:u1", leakOf("refresh_token", audit.ActionGrantRevoked)),
		notice(t, "operator", leakOf("access_token", audit.ActionTokenRevoked)),
		notice(t, "operator", leakOf("session_cookie", audit.ActionSessionEnded)),
		notice(t, "record", leakOf("access_token", audit.ActionTokenRevoked)))
	for _, d := range h.outcome() {
		if d.Event != audit.NoticeSent {
			t.Errorf("%+v", d)
		}
	}
	mails := map[string]rig.Mail{}
	for _, x := range s.Mails() {
		if !x.TLS || x.User != "me" || x.From != "auth@example.com" {
			t.Errorf("a mail over TLS %t as %q from %s", x.TLS, x.User, x.From)
		}
		mails[x.To] = x
	}
	if len(mails) != 4 || len(h.records) != 1 {
		t.Fatalf("mails to %d, %d records", len(mails), len(h.records))
	}
	for to, words := range map[string][]string{
		"owner@example.com": {"Subject: Sallyport: client secret has leaked: client shop", "A client secret was found", "3fa9b2c1", "https://code.example/a.py#L10", "without overlap", "1. Ask those who run this server for a new secret."},
		"ada@example.com":   {"A refresh token of your account was found", "1. Sign in to the app again."},
		"ops@example.com":   {"Subject: Sallyport: 2 credentials have leaked", "1. An access token was found", "2. A session cookie", "Reported by:   partner"},
	} {
		text := strings.ReplaceAll(mails[to].Raw, "=\r\n", "")
		for _, w := range append(words, "Auto-Submitted: auto-generated", "Message-ID: <01notice", "What to do now:") {
			if !strings.Contains(text, w) {
				t.Errorf("the mail to %s lacks %q:\n%s", to, w, text)
			}
		}
	}
	if strings.Contains(mails["ada@example.com"].Raw, "partner") {
		t.Error("the person learns who reported it")
	}
}

func TestMailNeedsTLS(t *testing.T) {
	for name, c := range map[string]struct {
		server rig.MailSettings
		change func(*notify.MailOptions)
		sent   bool
	}{
		"STARTTLS":                     {rig.MailSettings{}, nil, true},
		"TLS from the start":           {rig.MailSettings{Implicit: true}, func(o *notify.MailOptions) { o.Implicit = true }, true},
		"no TLS":                       {rig.MailSettings{Plain: true}, nil, false},
		"no TLS on this machine":       {rig.MailSettings{Plain: true}, func(o *notify.MailOptions) { o.Plain = true }, true},
		"a certificate nobody trusts":  {rig.MailSettings{}, func(o *notify.MailOptions) { o.RootCAs = x509.NewCertPool() }, false},
		"a certificate of another":     {rig.MailSettings{Implicit: true}, func(o *notify.MailOptions) { o.Implicit, o.Host = true, "127.0.0.2" }, false},
		"a wrong password":             {rig.MailSettings{User: "me", Pass: "right"}, func(o *notify.MailOptions) { o.Username, o.Password = "me", secret.New("wrong") }, false},
		"it is put off, and sent then": {rig.MailSettings{Refuse: "2"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := rig.StartMail(t, c.server)
			n := notice(t, "operator", leakOf("access_token", audit.ActionTokenRevoked))
			h := run(t, notify.Options{Mailer: mailerTo(t, s, c.change), Operators: []string{"ops@example.com"}}, n)
			if !c.sent { // it is given up after three days, which are minutes here
				h.waitTries(2)
				if len(s.Mails()) > 0 {
					t.Error("it was sent")
				}
				return
			}
			out := h.outcome()
			if len(s.Mails()) != 1 || out[len(out)-1].Event != audit.NoticeSent {
				t.Errorf("%d mails, %+v", len(s.Mails()), out)
			}
		})
	}
}

// waitTries waits for failed deliveries, none of which quotes what was to be told.
func (h *hall) waitTries(n int) {
	h.t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		h.mu.Lock()
		tried := len(h.deliveries)
		h.mu.Unlock()
		if tried >= n {
			break
		}
		if time.Now().After(limit) {
			h.t.Fatalf("tried %d times", tried)
		}
	}
	for _, d := range h.outcomeNow() {
		if d.Err == nil || d.Event == audit.NoticeSent || strings.Contains(fmt.Sprint(d.Err), "code.example") {
			h.t.Errorf("%+v", d)
		}
	}
}

func (h *hall) outcomeNow() []notify.Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.deliveries)
}

func TestWhatCannotBeToldIsReported(t *testing.T) {
	old := notice(t, "webhook", leakOf("access_token", audit.ActionTokenRevoked))
	old.CreatedAt = time.Now().Add(-80 * time.Hour)
	fails := notify.NewWebhook("https://x/", secret.New("k"), func(context.Context, string, map[string]string, []byte) error { return errors.New("down") })
	h := run(t, notify.Options{Directory: people{}, Webhook: fails},
		notice(t, "client:shop", leakOf("client_secret", audit.ActionSecretEnded)), notice(t, "user:u1", leakOf("client_secret", audit.ActionSecretEnded)),
		notice(t, "operator", leakOf("client_secret", audit.ActionSecretEnded)), old)
	out := h.outcome()
	if len(out) != 4 {
		t.Errorf("%+v", out)
	}
	for _, d := range out {
		if d.Event != audit.NoticeLost || d.Err == nil {
			t.Errorf("%+v", d)
		}
	}
}

// Nothing that a leak says can end a header, add one, or fake a line of ours.
func TestHeadersCannotBeInjected(t *testing.T) {
	s := rig.StartMail(t, rig.MailSettings{})
	evil := "x\r\nBcc: victim@example.com\r\n\r\nbody\n  Done: nothing"
	l := audit.Leak{Kind: evil, HashPrefix: evil, Action: evil, ClientID: evil, Subject: evil, URL: evil, Source: evil, Reporter: evil, ID: evil}
	to := people{"client:" + evil: {"owner@example.com"}, "client:two": {"a@example.com\r\nBcc: b@example.com"}, "client:three": {"a@example.com, b@example.com"}, "client:four": {"X <a@example.com>"}}
	h := run(t, notify.Options{Mailer: mailerTo(t, s, nil), Directory: to},
		notice(t, "client:"+evil, l), notice(t, "client:two", l), notice(t, "client:three", l), notice(t, "client:four", l))
	h.waitTries2(4)
	got := s.Mails()
	if len(got) != 1 || got[0].To != "owner@example.com" {
		t.Fatalf("%+v", got)
	}
	head, _, _ := strings.Cut(got[0].Raw, "\r\n\r\n")
	for _, line := range strings.Split(got[0].Raw, "\r\n") {
		if strings.HasPrefix(line, "Bcc:") || strings.HasPrefix(line, "  Done: nothing") || strings.HasPrefix(line, "body") {
			t.Errorf("a line was added: %q", line)
		}
	}
	for _, line := range strings.Split(head, "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") && !slices.Contains([]string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"}, name) {
			t.Errorf("header %s", line)
		}
	}
}

func (h *hall) waitTries2(n int) {
	h.t.Helper()
	for limit := time.Now().Add(time.Minute); len(h.outcomeNow()) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			h.t.Fatalf("%+v", h.outcomeNow())
		}
	}
}

// Every kind and action that oauth can say has its texts.
func TestEveryKindHasWords(t *testing.T) {
	s := rig.StartMail(t, rig.MailSettings{})
	kinds := []string{"access_token", "refresh_token", "authorization_code", "device_code", "auth_req_id", "pending_sign_in", "client_secret", "session_cookie", "browser_session", "master_key", "id_token", "inner_token", "api_key"}
	var list []notify.Notice
	for _, k := range kinds {
		list = append(list, notice(t, "operator", leakOf(k, audit.ActionNone)))
	}
	run(t, notify.Options{Mailer: mailerTo(t, s, nil), Operators: []string{"ops@example.com"}}, list...).outcome()
	text := strings.ReplaceAll(s.Mails()[0].Raw, "=\r\n", "")
	if strings.Contains(text, " . ") || strings.Contains(text, "A credential") {
		t.Errorf("a kind has no words:\n%s", text)
	}
	if n := strings.Count(text, "was found where others can read it"); n != len(kinds) {
		t.Errorf("%d of %d kinds:\n%s", n, len(kinds), text)
	}
}

func TestWebhookIsSignedAndTriedAgain(t *testing.T) {
	key := secret.New("what both sides know")
	type call struct{ id, signature, body string }
	var mu sync.Mutex
	var calls []call
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call{r.Header.Get(notify.DeliveryHeader), r.Header.Get(notify.SignatureHeader), string(body)})
		if len(calls) == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer hook.Close()
	post := func(ctx context.Context, url string, header map[string]string, body []byte) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(string(body)))
		if err != nil {
			return err
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode/100 != 2 {
			return errors.New(res.Status)
		}
		return nil
	}
	first, second := notice(t, "webhook", leakOf("access_token", audit.ActionTokenRevoked)), notice(t, "webhook", leakOf("id_token", audit.ActionNone))
	h := run(t, notify.Options{Webhook: notify.NewWebhook(hook.URL, key, post)}, first, second)
	h.outcome()
	if len(calls) != 3 || calls[0].id != first.ID || calls[1].id != second.ID || calls[2].id != second.ID {
		t.Fatalf("%+v, want the first once and the second twice", calls)
	}
	for _, c := range calls {
		seconds, _, _ := strings.Cut(strings.TrimPrefix(c.signature, "t="), ",")
		unix, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil || c.signature != notify.Sign(key, []byte(c.body), time.Unix(unix, 0)) {
			t.Errorf("signature %s of %s", c.signature, c.body)
		}
	}
}

// The example of docs/guide/leaks.md.
func TestSignKnownAnswer(t *testing.T) {
	got := notify.Sign(secret.New("what both sides know"), []byte(`{"id":"1"}`), time.Unix(1790000000, 0))
	const want = "t=1790000000,v1=6bec3363fa120107a8001dbbe6d57a76b41aa4013613a1ba26926679848fd8d2"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
