package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
)

const foreign = "Cfg0SecretThatAnOperatorMadeWithOpenssl/0123456789ab+=="

// withForeign is a node whose configuration has a secret that we did not make.
func (r *rig) withForeign(value string) *oauth.Service {
	r.t.Helper()
	return r.node(r.feed, func(o *oauth.Options) {
		o.Clients = append(o.Clients, oauth.Client{ID: "legacy", Type: oauth.ServiceClient, Scope: "catalog.read", Secrets: []oauth.ClientSecret{{Hash: secret.New(value).Hash()}}})
	})
}

func reportOf(t *testing.T, texts ...string) []byte {
	t.Helper()
	list := []map[string]string{}
	for _, x := range texts {
		list = append(list, map[string]string{"secret": x})
	}
	b, err := json.Marshal(map[string]any{"found": list})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A secret of the configuration is known wherever lines of configuration, code
// and logs have secrets.
func TestT035ForeignSecretsAreFoundInTheirLines(t *testing.T) {
	t.Parallel()
	hard := "Cfg0&SecretThatAnOperator@Made|With%Openssl?!#0123456789"
	for _, c := range []struct{ name, value, text string }{
		{"alone", foreign, foreign},
		{"in a form", foreign, "a=b&client_secret=" + foreign + "&scope=x"},
		{"in an address", foreign, "https://legacy:" + foreign + "@auth.example.com/token"},
		{"behind an escaped =", foreign, "client_secret%3D" + foreign},
		{"behind = as JSON escapes it", foreign, `client_secret\u003d` + foreign + `\u0026scope`},
		{"behind = in hex", foreign, `client_secret\x3d` + foreign + `\x26scope`},
		{"between escaped line breaks", foreign, `secret\n` + foreign + `\n`},
		{"behind a backslash", foreign, `dir\` + foreign},
		{"in a table", foreign, "|" + foreign + "|"},
		{"in a table of many columns", foreign, strings.Repeat("a=b|", 50) + foreign + strings.Repeat("|a=b", 50)},
		{"word 65 of a line", foreign, strings.Repeat("x ", 64) + foreign},
		{"word 65 of long ones", foreign, strings.Repeat(strings.Repeat("x", 50)+" ", 64) + foreign},
		{"in brackets", foreign, "f([{<" + foreign + ">}])"},
		{"in quotes", foreign, "k='" + foreign + "'; j"},
		{"before a colon", foreign, "legacy:" + foreign + ":1000:1000"},
		{"in a comment", foreign, "#" + foreign},
		{"behind more = than cuts", foreign, strings.Repeat("a=", 40) + foreign},
		{"in a long word", foreign, strings.Repeat("x", 5000) + "=" + foreign + "&" + strings.Repeat("y", 5000)},
		{"with every character in it, alone", hard, hard},
		{"with every character in it, quoted", hard, `"` + hard + `"`},
	} {
		r := newRig(t)
		got, err := r.withForeign(c.value).Leaked(t.Context(), []oauth.Found{{Secret: secret.New(c.text)}})
		if err != nil || len(got) != 1 || got[0].ClientID != "legacy" || !got[0].Alive {
			t.Errorf("%s: %+v %v", c.name, got, err)
		}
	}
	for _, text := range []string{foreign[1:], "x" + foreign, foreign[:52] + "x", foreign[:20]} {
		r := newRig(t)
		if got, err := r.withForeign(foreign[:53]).Leaked(t.Context(), []oauth.Found{{Secret: secret.New(text)}}); err != nil || len(got) != 0 {
			t.Errorf("%q is taken for it: %+v %v", text, got, err)
		}
	}
}

// The work is linear in the text, also in one that was made to be slow.
func TestT035WorkOnWordsIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 60)
	for name, piece := range map[string]string{
		"=": "=", ":": ":", "x=": "x=", "=x": "=x", "a long piece and =": long + "=", "a long piece and ==": long + "===", "%": "%3D", `\`: `\n`, `\u`: `\u003d` + long, "&": "a=b&", "long &": long + "=" + long + "&", "one word": "x",
		"almost a word": strings.Repeat("x", 500) + "= ", "all": "=:&@|%", "cuts in a word": strings.Repeat("a=", 20) + long + " ",
	} {
		for _, n := range []int{8 << 10, 128 << 10} {
			text := strings.Repeat(piece, n/len(piece))
			words := oauth.WordsIn(text)
			size := 0
			for _, w := range words {
				size += len(w)
				if len(w) < 43 || len(w) > 512 {
					t.Fatalf("%s: a word of %d bytes", name, len(w))
				}
			}
			if most := oauth.WorkPerByte * len(text); size > most {
				t.Errorf("%s: %d bytes are tried of %d, want at most %d", name, size, len(text), most)
			}
			if most := oauth.WorkPerByte * len(text) / 43; len(words) > most {
				t.Errorf("%s: %d hashes of %d bytes, want at most %d", name, len(words), len(text), most)
			}
		}
	}
}

func FuzzWordsIn(f *testing.F) {
	for _, s := range []string{"a=b&c=" + foreign + "&", `\u003d` + foreign, "%3D" + foreign + "%", strings.Repeat("=", 100), foreign + "==:" + foreign} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size := 0
		for _, w := range oauth.WordsIn(text) {
			if len(w) < 43 || len(w) > 512 || !strings.Contains(text, w) {
				t.Errorf("%q of %q", w, text)
			}
			size += len(w)
		}
		if size > oauth.WorkPerByte*len(text) {
			t.Errorf("%d bytes of %q", size, text)
		}
		if words := oauth.WordsIn(" " + foreign + " " + text); !slices.Contains(words, foreign) {
			t.Errorf("a secret is missed before %q", text)
		}
	})
}

// A search ends when nobody waits any more.
func TestT035SearchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.withForeign(foreign).Leaked(ctx, []oauth.Found{{Secret: secret.New(strings.Repeat(foreign+" ", 5000))}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// How many credentials a report has, and how long its answer is held, follow from
// form alone: a guess that is a secret of the configuration shows in neither.
func TestT035LimitAndHoldTellNoSecretOfTheConfiguration(t *testing.T) {
	t.Parallel()
	var handles []string
	for range 2000 {
		handles = append(handles, secret.NewHandle(secret.ClientSecret).Reveal())
	}
	full := func(n int) (texts []string) {
		for i := 0; i < n; i += 100 {
			texts = append(texts, strings.Join(handles[i:min(n, i+100)], " "))
		}
		return texts
	}
	for _, c := range []struct {
		name    string
		with    []string
		refused bool
	}{
		{"beside one handle", full(1), false}, {"beside 1998", full(1998), false}, {"beside 1999", full(1999), true}, // with and without its padding, it is two
	} {
		answers := map[string]bool{}
		for _, guess := range []string{foreign, strings.ToLower(foreign)} {
			r := newRig(t)
			n, hold, err := r.withForeign(foreign).ReportLeaks(t.Context(), "partner", reportOf(t, append([]string{guess}, c.with...)...))
			answers[fmt.Sprint(n, hold, err)] = true
			if (err != nil) != c.refused {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if len(answers) != 1 {
			t.Errorf("%s: ours and not ours are told apart: %v", c.name, answers)
		}
	}
}

// When the outbox is full for everybody, the record is kept and what was lost is
// in the event of the request.
func TestT044AFullOutboxKeepsTheRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var list []oauth.Notice
	for _, to := range []string{oauth.ToRecord, oauth.ToOperator, oauth.ToWebhook, oauth.ToClient + "app", oauth.ToUser + r.user.ID} {
		for range 10_000 {
			list = append(list, oauth.Notice{ID: secret.NewID(r.clock.now()), To: to, Body: []byte(`{}`)})
		}
	}
	if lost, err := r.store.OAuth().Tell(t.Context(), list); err != nil || lost != 0 {
		t.Fatalf("%d %v", lost, err)
	}
	rec := &audit.Record{}
	ctx := audit.WithRecord(t.Context(), rec)
	if _, _, err := r.ReportLeaks(ctx, "partner", reportOf(t, r.tokens().RefreshToken.Reveal())); err != nil {
		t.Fatal(err)
	}
	lost := slices.IndexFunc(rec.Events(), func(e audit.Event) bool { return e.Name == audit.NoticeLost && e.Reason == "outbox_full" })
	if lost < 0 || !strings.Contains(fmt.Sprint(rec.Attrs()), "notices_lost=4") {
		t.Errorf("the event does not say what was lost: %+v %v", rec.Events(), rec.Attrs())
	}
	got := r.leaked(r.tokens().RefreshToken.Reveal())
	if len(got) != 1 || got[0].Lost != 4 {
		t.Errorf("the finding: %+v", got)
	}
	r.clock.advance(10 * time.Second)
	records := 0
	for {
		claimed, err := r.store.Outbox().Claim(t.Context(), r.clock.now(), r.clock.now().Add(time.Hour), 20_000)
		if err != nil || len(claimed) == 0 {
			break
		}
		if claimed[0].To == oauth.ToRecord {
			records += len(claimed)
		}
	}
	if records != 10_000+2 {
		t.Errorf("%d records, want one for each leak beside those that wait", records)
	}
}
