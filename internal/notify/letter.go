package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"sallyport/internal/audit"
	"sallyport/internal/locale"
	"sallyport/internal/secret"
)

// ToLetter is for a letter to an address of a person, whose ID follows; nothing
// follows where the address is nobody's.
const ToLetter = "letter:"

// letters sends each by itself: no two have the same text. What is too old is
// dropped, and all of it where there is no mail.
func (w *Worker) letters(ctx context.Context, list []Notice) ([]Notice, error) {
	for i, n := range list {
		var l audit.Letter
		if err := json.Unmarshal(n.Body, &l); err != nil {
			return list[:i], fmt.Errorf("read letter %s: %w", n.ID, err)
		}
		if w.o.Mailer == nil || !w.o.Now().Before(l.Until) {
			continue
		}
		var within secret.Value
		if l.Sealed != "" {
			var err error
			if within, err = w.o.OpenLetter(l.ID, l.Sealed); err != nil {
				return list[:i], fmt.Errorf("%w: letter %s", errUnreadable, n.ID)
			}
		}
		m := writeLetter(w.o.Issuer, &l, within)
		m.to, m.id, m.at = l.Address, n.ID, w.o.Now()
		if err := w.o.Mailer.hand(ctx, m); err != nil {
			return list[:i], fmt.Errorf("letter %s: %w", l.Kind, err)
		}
	}
	return list, nil
}

// writeLetter fills the texts of a letter. Only the text gets the secret: subjects
// are shown on locked screens.
func writeLetter(issuer string, l *audit.Letter, within secret.Value) message {
	lang := locale.For(l.Locale)
	args := []any{"site", strings.TrimPrefix(issuer, "https://"), "when", lang.Moment(l.At), "until", lang.Moment(l.Until)}
	if l.Params["place"] == "" {
		args = append(args, "place", lang.Text("letter.unknown"))
	}
	args = append(args, "device", line(lang.Device(l.Params["device"])))
	for name, value := range l.Params {
		if value != "" && name != "device" {
			args = append(args, name, line(value))
		}
	}
	key := "letter." + l.Kind
	text := lang.Text(key+".text", append(args, "secret", within.Reveal())...)
	return message{
		subject: line(lang.Text(key+".subject", args...)), language: lang.Tag,
		text: text + "\n\n" + lang.Text("letter.foot", args...) + "\n",
	}
}

// line keeps the letters of every language, and nothing that ends a line, is not
// seen or turns the direction of writing.
func line(s string) string {
	const most = 300
	var b strings.Builder
	for _, c := range s {
		if c == utf8.RuneError || unicode.In(c, unicode.C, unicode.Zl, unicode.Zp) {
			continue
		}
		if b.Len()+utf8.RuneLen(c) > most {
			break
		}
		b.WriteRune(c)
	}
	return b.String()
}
