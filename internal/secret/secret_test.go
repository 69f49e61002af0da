package secret_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"sallyport/internal/secret"
)

func TestValueEqual(t *testing.T) {
	t.Parallel()
	a, b := secret.New("same"), secret.New("same")
	if !a.Equal(b) || a.Equal(secret.New("other")) || a.Equal(secret.Value{}) {
		t.Error("Equal compares something else than the content")
	}
	if !(secret.Value{}).IsZero() || a.IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestHandleRoundTrip(t *testing.T) {
	t.Parallel()
	for _, p := range secret.Prefixes {
		for n := range 70 {
			payload := secret.Random(n)
			h := secret.Encode(p, payload).Reveal()
			got, err := secret.Decode(p, h)
			if err != nil || !bytes.Equal(got, payload) {
				t.Fatalf("Decode(%s) = %x, %v; want %x", h, got, err, payload)
			}
			if kind, ok := secret.Kind(h); !ok || kind != p {
				t.Errorf("Kind(%s) = %q, %v", h, kind, ok)
			}
		}
	}
}

func TestHandleKnownAnswer(t *testing.T) {
	t.Parallel()
	payload := make([]byte, 32)
	for i := range payload {
		payload[i] = byte(i)
	}
	const want = "spcs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh81Fo8v1"
	if got := secret.Encode(secret.ClientSecret, payload).Reveal(); got != want {
		t.Errorf("Encode = %q, want %q", got, want)
	}
}

// Every single-character change of a handle must be refused, so that a scanner
// has no false alarm and a typing error no second meaning.
func TestHandleRefusesEveryChange(t *testing.T) {
	t.Parallel()
	good := secret.NewHandle(secret.AccessToken).Reveal()
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n\r\t.%\x00\xff"
	for i := range len(good) {
		for _, c := range []byte(alphabet) {
			if good[i] == c {
				continue
			}
			bad := good[:i] + string(c) + good[i+1:]
			if _, err := secret.Decode(secret.AccessToken, bad); !errors.Is(err, secret.ErrMalformed) {
				t.Fatalf("Decode(%q) = %v, want ErrMalformed", bad, err)
			}
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "prefix only": "spat_", "other prefix": "sprt" + good[4:], "cut": good[:len(good)-1],
		"longer": good + "A", "newline inside": good[:10] + "\n" + good[10:], "return inside": good[:10] + "\r\n" + good[10:],
		"space before": " " + good, "too long": "spat_" + strings.Repeat("A", secret.MaxHandle),
	} {
		if _, err := secret.Decode(secret.AccessToken, bad); !errors.Is(err, secret.ErrMalformed) {
			t.Errorf("%s: Decode = %v, want ErrMalformed", name, err)
		}
	}
}

func TestIDSortsByTimeAndParses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	last := ""
	for i := range 1000 {
		id := secret.NewID(now.Add(time.Duration(i) * time.Millisecond))
		s := id.String()
		if s <= last {
			t.Fatalf("%s does not sort after %s", s, last)
		}
		last = s
		if back, err := secret.ParseID(s); err != nil || back != id {
			t.Fatalf("ParseID(%s) = %v, %v", s, back, err)
		}
	}
	for _, bad := range []string{"", last[:25], last + "0", strings.ToUpper(last), "w" + last[1:], last[:25] + "1"} {
		if _, err := secret.ParseID(bad); bad != last && err == nil {
			t.Errorf("ParseID(%q) is accepted", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(secret.NewHandle(secret.AccessToken).Reveal())
	f.Add("spat_")
	f.Add("spat_AAAA\n000000")
	f.Fuzz(func(t *testing.T, s string) {
		payload, err := secret.Decode(secret.AccessToken, s)
		if err == nil && secret.Encode(secret.AccessToken, payload).Reveal() != s {
			t.Errorf("%q has two spellings", s)
		}
	})
}
