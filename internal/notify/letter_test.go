package notify_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/notify"
	"sallyport/internal/secret"
)

func letterNotice(t *testing.T, l audit.Letter) notify.Notice {
	t.Helper()
	count++
	l.ID = fmt.Sprintf("01letter%d", count)
	if l.At.IsZero() {
		l.At = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	}
	body, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return notify.Notice{ID: l.ID + ".0", To: "letter:u1", Address: notify.AddressKey(l.Address), Body: body, CreatedAt: time.Now()}
}

// posted runs the letters and returns each mail as its reader sees it.
func posted(t *testing.T, list ...notify.Notice) (mails []*netmail.Message, texts []string, outcome []notify.Delivery) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mail")
	m, err := notify.NewMailer(notify.MailOptions{Folder: dir, From: "Sallyport <auth@example.com>"})
	if err != nil {
		t.Fatal(err)
	}
	h := run(t, notify.Options{Mailer: m, OpenLetter: func(_, sealed string) (secret.Value, error) {
		if sealed != "sealed" {
			return secret.Value{}, fmt.Errorf("cannot")
		}
		return secret.New("12345678"), nil
	}}, list...)
	outcome = h.outcome()
	names, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		msg, err := netmail.ReadMessage(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
		if err != nil {
			t.Fatal(err)
		}
		mails, texts = append(mails, msg), append(texts, string(text))
	}
	return mails, texts, outcome
}

func TestLettersAreInTheLanguageOfThePerson(t *testing.T) {
	for tag, want := range map[string][2]string{
		"en": {"Your password was changed", "Device: Firefox on Linux"},
		"de": {"Ihr Passwort wurde geändert", "Gerät: Firefox"},
		"ar": {"تم تغيير كلمة مرورك", "الجهاز: Firefox"},
	} {
		mails, texts, _ := posted(t, letterNotice(t, audit.Letter{
			Address: "ada@example.com", Kind: "password_changed", Locale: tag, Until: farAhead(), Params: map[string]string{"device": "Firefox on Linux"},
		}))
		if len(mails) != 1 {
			t.Fatalf("%s: %d mails", tag, len(mails))
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(mails[0].Header.Get("Subject"))
		if err != nil || subject != want[0] || !strings.Contains(texts[0], want[1]) {
			t.Errorf("%s: %q %v\n%s", tag, subject, err, texts[0])
		}
		if strings.Contains(texts[0], "{") || strings.Contains(texts[0], "letter.") {
			t.Errorf("%s: something is not filled:\n%s", tag, texts[0])
		}
		if got := mails[0].Header.Get("Content-Language"); got != tag {
			t.Errorf("Content-Language %q", got)
		}
		for name, list := range mails[0].Header {
			for _, v := range list {
				if strings.ContainsFunc(v, func(c rune) bool { return c >= 0x7f }) {
					t.Errorf("the header %s is not ASCII: %q", name, v)
				}
			}
		}
	}
}

// A code is in the text alone: subjects are shown on locked screens.
func TestTheSubjectOfALetterHasNoSecret(t *testing.T) {
	for _, kind := range []string{"sign_in_code", "sign_up_code", "address_code", "recover_code", "invitation", "reset", "recovery_waiting"} {
		mails, texts, _ := posted(t, letterNotice(t, audit.Letter{Address: "ada@example.com", Kind: kind, Locale: "en", Sealed: "sealed", Until: farAhead()}))
		if len(mails) != 1 || !strings.Contains(texts[0], "12345678") || strings.Contains(texts[0], "{") {
			t.Fatalf("%s: %q", kind, texts)
		}
		for name, list := range mails[0].Header {
			if strings.Contains(strings.Join(list, " "), "12345678") {
				t.Errorf("%s: the header %s has the secret", kind, name)
			}
		}
	}
}

// What a stranger chooses, such as the name of a device, writes no lines of its own.
func TestNothingInALetterWritesLinesOfItsOwn(t *testing.T) {
	_, texts, _ := posted(t, letterNotice(t, audit.Letter{
		Address: "ada@example.com", Kind: "password_changed", Locale: "de", Until: farAhead(),
		Params: map[string]string{"device": "Ä\r\nBcc: eve@example.com\n\nCall 0900\u2028now\u202e{site}", "place": strings.Repeat("ß", 9999)},
	}))
	if len(texts) != 1 || strings.Contains(texts[0], "\nBcc:") || strings.Contains(texts[0], "\nCall") || strings.ContainsAny(texts[0], "\u2028\u202e") ||
		!strings.Contains(texts[0], "ÄBcc: eve@example.comCall 0900now{site}") || len(texts[0]) > 3000 {
		t.Errorf("%q", texts)
	}
}

func TestALetterThatIsTooOldIsDropped(t *testing.T) {
	mails, _, outcome := posted(t, letterNotice(t, audit.Letter{Address: "ada@example.com", Kind: "sign_in_code", Locale: "en", Sealed: "sealed", Until: time.Now().Add(-time.Second)}))
	if len(mails) != 0 {
		t.Errorf("%d mails, %+v", len(mails), outcome)
	}
}

func TestALetterThatCannotBeOpenedIsLostAtOnce(t *testing.T) {
	mails, _, outcome := posted(t, letterNotice(t, audit.Letter{Address: "ada@example.com", Kind: "sign_in_code", Locale: "en", Sealed: "other", Until: farAhead()}))
	if len(mails) != 0 || len(outcome) != 1 || outcome[0].Event != audit.NoticeLost || strings.Contains(fmt.Sprint(outcome[0].Err), "example.com") {
		t.Errorf("%d mails, %+v", len(mails), outcome)
	}
}
