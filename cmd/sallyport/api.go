package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/internal/token"
)

var apiName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

func (p *program) apiCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "api", Short: "Decide how an API is to be protected",
		Example: "  sallyport api advise",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.adviseCommand())
	return cmd
}

// question is one of those that decide how an API is to be protected.
type question struct {
	flag, text string
	answers    []choice
}

// choice is a word for flags and a sentence for people.
type choice struct{ word, text string }

var questions = []question{
	{"data", "What does the API handle?", []choice{
		{"public", "what anybody may know: weather, opening hours"},
		{"personal", "what belongs to somebody: orders, messages, places"},
		{"sensitive", "what harms somebody when it leaks or is forged: money, health, keys"},
	}},
	{"effect", "What can its calls do?", []choice{
		{"read", "only read"},
		{"write", "change what can be changed back"},
		{"commit", "what cannot be undone: pay, send, delete"},
	}},
	{"app", "What calls it?", []choice{
		{"native", "an app on a phone or a desktop"},
		{"browser", "a script in a browser"},
		{"server", "a web server, for the person who uses it"},
		{"service", "a program for itself, without a person"},
	}},
	{"stay", "How long are people to stay signed in?", []choice{
		{"visit", "while they use it"},
		{"weeks", "for weeks, without a password in between"},
	}},
	{"reach", "Where does the backend run?", []choice{
		{"machine", "on this machine"},
		{"network", "on another machine"},
	}},
}

func (p *program) adviseCommand() *cobra.Command {
	given := make([]string, len(questions))
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "advise",
		Short: "Answer five questions, get tier, grant, storage and a block for sallyport.yaml",
		Long: "Advise asks five questions, or takes their answers as flags, and prints what protects such an API, with the reasons, as\n" +
			"a block for sallyport.yaml that keeps the rules of sallyport check. A weaker tier later on does not: data says what is handled.",
		Example: "  sallyport api advise\n" +
			"  sallyport api advise --name payments --data sensitive --effect commit --app native --stay weeks --reach network",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := p.answer(given); err != nil {
				return err
			}
			if !apiName.MatchString(name) {
				return fmt.Errorf("%q is no name for an API: write lower-case letters, digits and hyphens", name)
			}
			return p.advise(newAdvice(name, given), asJSON)
		},
	}
	for i, q := range questions {
		cmd.Flags().StringVar(&given[i], q.flag, "", strings.ToLower(q.text[:1])+strings.TrimSuffix(q.text[1:], "?")+": "+strings.Join(q.words(), ", "))
	}
	cmd.Flags().StringVar(&name, "name", "api", "short `NAME` of the API")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the advice as JSON")
	return cmd
}

func (q *question) words() []string {
	var words []string
	for _, a := range q.answers {
		words = append(words, a.word)
	}
	return words
}

// answer asks what the flags have left open, if there is somebody to ask.
func (p *program) answer(given []string) error {
	_, asks := terminal(p.stdin)
	in := bufio.NewScanner(p.stdin)
	for i := range questions {
		q := &questions[i]
		if given[i] == "" && asks {
			fmt.Fprintln(p.stderr, q.text)
			for k, a := range q.answers {
				fmt.Fprintf(p.stderr, "  %d  %s: %s\n", k+1, a.word, a.text)
			}
			fmt.Fprint(p.stderr, "> ")
			if !in.Scan() {
				return errors.Join(in.Err(), errors.New("interrupted"))
			}
			given[i] = q.read(in.Text())
		}
		if given[i] == "" {
			return fmt.Errorf("%s There is no terminal to ask at: answer with --%s %s", q.text, q.flag, strings.Join(q.words(), ", "))
		}
		if !slices.Contains(q.words(), given[i]) {
			return fmt.Errorf("%q is no answer to --%s: use %s", given[i], q.flag, strings.Join(q.words(), ", "))
		}
	}
	return nil
}

// read takes a number or a word.
func (q *question) read(typed string) string {
	typed = strings.TrimSpace(typed)
	for i, a := range q.answers {
		if typed == fmt.Sprint(i+1) {
			return a.word
		}
	}
	return typed
}

// advice is what the answers lead to.
type advice struct {
	Name       string            `json:"name"`
	Answers    map[string]string `json:"answers"`
	Tier       token.Tier        `json:"tier"`
	WriteTier  token.Tier        `json:"write_tier"` // of what changes something
	Grant      string            `json:"grant"`
	Credential string            `json:"credential"`
	Storage    string            `json:"storage"`
	Reasons    []string          `json:"reasons"`
	YAML       string            `json:"yaml"`
}

// dataTiers are the lowest tiers for what an API handles: rule CF14 holds files to them.
var dataTiers = map[string]token.Tier{"public": token.TierLow, "personal": token.TierStandard, "sensitive": token.TierHigh}

func newAdvice(name string, given []string) *advice {
	a := &advice{Name: name, Answers: map[string]string{}}
	for i, q := range questions {
		a.Answers[q.flag] = given[i]
	}
	a.chooseTier()
	a.chooseGrant()
	a.YAML = a.write()
	return a
}

func (a *advice) because(format string, args ...any) {
	a.Reasons = append(a.Reasons, fmt.Sprintf(format, args...))
}

func (a *advice) chooseTier() {
	a.Tier = dataTiers[a.Answers["data"]]
	a.because("tier %s: the data is %s", a.Tier, a.Answers["data"])
	a.WriteTier = a.Tier
	switch effect := a.Answers["effect"]; {
	case effect == "write":
		a.WriteTier = max(a.Tier, token.TierStandard)
	case effect == "commit":
		a.WriteTier = token.TierHigh
	}
	if a.WriteTier > a.Tier {
		a.because("tier %s for what changes something: %s", a.WriteTier, map[string]string{
			"write": "somebody must be answerable for it", "commit": "a stolen token must not be enough for what cannot be undone",
		}[a.Answers["effect"]])
	}
	l := a.WriteTier.Limits()
	a.because("tokens live for %s, and a revoked one is refused after %s at the latest", period(l.AccessToken), period(l.RevocationMaxAge))
}

func (a *advice) chooseGrant() {
	high := a.WriteTier == token.TierHigh
	a.Credential = "a bearer token"
	if high {
		a.Credential = "a token that is bound to a key of the client (DPoP)"
		a.because("DPoP: a token of tier high is worth nothing without the key")
	}
	switch a.Answers["app"] {
	case "native":
		a.Grant, a.Storage = "authorization code with PKCE, in the system browser", "the refresh token in Keychain or Keystore, access tokens in memory"
		if !high {
			a.Credential = "a token that is bound to a key on the device (DPoP)"
			a.because("DPoP: a phone has a store for keys, so a stolen token is worth nothing elsewhere")
		}
	case "browser":
		a.Grant, a.Storage = "authorization code with PKCE", "access tokens in memory, nothing in localStorage or sessionStorage"
		a.because("a script can be made to give away what it can read: keep the lifetime short and the page free of foreign scripts")
	case "server":
		a.Grant, a.Storage = "authorization code with PKCE and a client secret", "tokens on the server, by the session of the person"
	case "service":
		a.Grant, a.Storage = "client credentials", "the secret in a file that only the program can read, access tokens in memory"
	}
	if a.person() && high {
		a.because("a second factor: %s is the weakest sign-in for tier high", token.TierHigh.Limits().ACR)
	}
	if a.Answers["stay"] == "weeks" && a.person() {
		l := a.Tier.Limits()
		a.because("people stay signed in for %s at most, %s without use: the tier decides, and a refresh token makes it comfortable", period(l.RefreshAbsolute), period(l.RefreshIdle))
	}
}

func (a *advice) person() bool { return a.Answers["app"] != "service" }

func (p *program) advise(a *advice, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(a)
	}
	_, err := fmt.Fprint(p.stdout, a.YAML)
	return err
}

// write is the block for the file: comments say why.
func (a *advice) write() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Grant: %s.", a.Grant)
	line("# Credential: %s.", a.Credential)
	line("# Storage: %s.", a.Storage)
	for _, r := range a.Reasons {
		line("# - %s.", r)
	}
	scope := a.Name + ".read"
	line("scopes:\n  %s: See what is yours # in the words of people", scope)
	if a.Answers["effect"] != "read" {
		line("  %s.write: Change it", a.Name)
		scope += " " + a.Name + ".write"
	}
	line("apis:\n  - name: %s\n    audience: https://api.example.com/%[1]s # each API has its own\n    path: /%[1]s", a.Name)
	if a.Answers["reach"] == "network" {
		line("    upstream: https://%s.internal.example.com", a.Name)
	} else {
		line("    upstream: http://127.0.0.1:9000")
	}
	line("    data: %s\n    tier: %s\n    operations:\n      - {match: \"GET /items/{id}\", scope: %s.read}", a.Answers["data"], a.Tier, a.Name)
	if a.Answers["effect"] != "read" {
		line("      - {match: \"POST /items\", scope: %s.write%s}", a.Name, a.demands())
	}
	line("clients:\n  - client_id: %s-app\n    name: The app\n    type: %s\n    scope: %q", a.Name, a.Answers["app"], a.scopes(scope))
	switch a.Answers["app"] {
	case "native":
		line("    redirect_uris: [\"com.example.%s:/callback\"]", strings.ReplaceAll(a.Name, "-", ""))
	case "browser", "server":
		line("    redirect_uris: [\"https://app.example.com/callback\"]")
	}
	if a.Answers["app"] == "server" || a.Answers["app"] == "service" {
		line("    secret_file: %s-app.secret # umask 077; openssl rand -base64 33 > %[1]s-app.secret", a.Name)
	}
	if strings.Contains(a.Credential, "DPoP") {
		line("    dpop_bound_access_tokens: true")
	}
	return b.String()
}

// demands are what an operation that changes something asks besides.
func (a *advice) demands() string {
	out := ""
	if a.WriteTier > a.Tier {
		out += ", tier: " + a.WriteTier.String()
	}
	if a.person() && a.WriteTier == token.TierHigh {
		out += ", max_age: 15m"
	}
	return out
}

func (a *advice) scopes(own string) string {
	if !a.person() {
		return own
	}
	if a.Answers["stay"] == "weeks" {
		return "openid offline_access " + own
	}
	return "openid " + own
}
