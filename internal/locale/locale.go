package locale

import (
	"embed"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

//go:embed catalog
var files embed.FS

// Language is one language in which everything can be said. It is never
// changed, and safe for concurrent use.
type Language struct {
	Tag  string // BCP 47
	Dir  string // ltr or rtl
	Name string // in the language itself

	tag      language.Tag
	messages map[string]message
}

// message is one text, or one for each plural form of the number n.
type message struct {
	text  string
	forms map[string]string // by CLDR category: zero, one, two, few, many, other
}

// Languages lists every language, the one that stands in for all others first.
var Languages = []*Language{
	load("en", "ltr", "English"),
	load("de", "ltr", "Deutsch"),
	load("ar", "rtl", "العربية"),
}

// Default is the language of whoever asks for none that is here.
var Default = Languages[0]

var matcher = func() language.Matcher {
	tags := make([]language.Tag, len(Languages))
	for i, l := range Languages {
		tags[i] = l.tag
	}
	return language.NewMatcher(tags)
}()

// load reads the files of a language; a mistake in one of them ends every test.
func load(tag, dir, name string) *Language {
	l := &Language{Tag: tag, Dir: dir, Name: name, tag: language.MustParse(tag), messages: map[string]message{}}
	list, err := fs.Glob(files, path.Join("catalog", tag, "*.json"))
	if err != nil {
		panic(err)
	}
	for _, name := range list {
		b, err := files.ReadFile(name)
		if err == nil {
			err = l.read(b)
		}
		if err != nil {
			panic(fmt.Sprintf("locale: %s: %v", name, err))
		}
	}
	return l
}

func (l *Language) read(b []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	for key, raw := range m {
		if _, twice := l.messages[key]; twice {
			return fmt.Errorf("%s is there twice", key)
		}
		var text message
		into := any(&text.text)
		if raw[0] == '{' {
			into = &text.forms
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		l.messages[key] = text
	}
	return nil
}

// For returns the language that fits best. Each of wanted is an Accept-Language
// header, a list of tags with spaces as in ui_locales, or one tag; the first that
// names a language which is here decides.
func For(wanted ...string) *Language {
	const most = 512 // bytes that are looked at
	for _, w := range wanted {
		w = strings.Join(strings.Fields(w[:min(len(w), most)]), ",")
		tags, _, err := language.ParseAcceptLanguage(w)
		if err != nil || len(tags) == 0 {
			continue
		}
		if _, i, confidence := matcher.Match(tags...); confidence > language.No {
			return Languages[i]
		}
	}
	return Default
}

// Named returns the language with exactly this tag.
func Named(tag string) (*Language, bool) {
	for _, l := range Languages {
		if l.Tag == tag {
			return l, true
		}
	}
	return nil, false
}

// Text returns a message with its placeholders filled: args are names and
// values, so that Text("login.wait", "for", "2 minutes") fills {for}. A message
// with plural forms is chosen by the integer n. What the language lacks is said
// in the default one; a key that nobody knows comes back as it is.
func (l *Language) Text(key string, args ...any) string {
	return fill(l.find(key, args), args, func(s string) string { return s })
}

// HTML is Text for a message with markup. The message is ours and trusted; what
// fills its placeholders is not: it is escaped, and isolated so that its direction
// of writing turns nothing around it.
func (l *Language) HTML(key string, args ...any) template.HTML {
	return template.HTML(fill(l.find(key, args), args, func(s string) string { //nolint:gosec // the catalogue's, with escaped values
		return "<bdi>" + html.EscapeString(s) + "</bdi>"
	}))
}

// Key finds the message with this prefix of its key and exactly this text, so that
// a sentence which is written down elsewhere can be said in another language.
func (l *Language) Key(prefix, text string) (string, bool) {
	for key, m := range l.messages {
		if m.text == text && strings.HasPrefix(key, prefix) {
			return key, true
		}
	}
	return "", false
}

func (l *Language) find(key string, args []any) string {
	m, ok := l.messages[key]
	if !ok && l != Default {
		return Default.find(key, args)
	}
	if !ok {
		return key
	}
	if m.forms == nil {
		return m.text
	}
	if text, ok := m.forms[l.form(args)]; ok {
		return text
	}
	return m.forms["other"]
}

var formNames = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other",
}

func (l *Language) form(args []any) string {
	for i := 0; i+1 < len(args); i += 2 {
		if n, ok := args[i+1].(int); ok && args[i] == "n" {
			return formNames[plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0)]
		}
	}
	return "other"
}

func fill(text string, args []any, show func(string) string) string {
	if len(args) == 0 || !strings.Contains(text, "{") {
		return text
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, fmt.Sprintf("{%v}", args[i]), show(fmt.Sprint(args[i+1])))
	}
	return strings.NewReplacer(pairs...).Replace(text) // one pass: a value is never filled again
}
