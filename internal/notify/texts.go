package notify

import (
	"fmt"
	"strings"
	"time"

	"sallyport/internal/audit"
)

// kind is what people are told of a kind of credential.
type kind struct {
	name     string // with its article
	operator []string
	client   []string
	user     []string
}

// kinds is the table of texts: what it is called, and what each who is told
// does now, step by step.
var kinds = map[string]kind{
	"client_secret": {
		name: "a client secret",
		operator: []string{
			"Make a new secret: sallyport client rotate-secret CLIENT_ID. For a client of the configuration file, put a new secret into its secret_file and start the server again.",
			"Give it to those who run the client, over a way that is not the one on which it leaked.",
			"If somebody may have used the old one, end what people agreed to as well: sallyport client compromise-secret CLIENT_ID --kill-grants.",
		},
		client: []string{
			"Ask those who run this server for a new secret.",
			"Keep it where your program reads it at run time, not in code, images or logs.",
			"Remove the old one from where it was found. It is worthless now, but the place has leaked.",
		},
	},
	"api_key": {
		name: "an API key",
		operator: []string{
			"Make a new one for whoever looks after it: sallyport apikey show says who that is and what it was for, sallyport apikey create makes one.",
			"Better, give them a client, whose tokens live for minutes: sallyport client add --type service.",
			"Search the log for its client_id, key:…, to see what was done with it.",
		},
	},
	"access_token": {
		name:     "an access token",
		operator: []string{"Find out how it got there: a token belongs into the Authorization header and nowhere else.", "If the same client leaks more, disable it: sallyport client disable CLIENT_ID."},
		client:   []string{"Find where your app writes tokens: logs, crash reports, addresses, screenshots.", "Nothing else has to be done: the app gets a new token with its refresh token."},
		user:     []string{"Nothing has to be done: the token is worthless now, and the app gets a new one.", "If you put it there yourself, remove it."},
	},
	"refresh_token": {
		name:     "a refresh token",
		operator: []string{"Find out how it got there, and what was done with the grant meanwhile: search the log for grant_id.", "If the same client leaks more, disable it: sallyport client disable CLIENT_ID."},
		client:   []string{"Find where your app writes tokens, and keep refresh tokens in the Keychain or Keystore only.", "Send the person to sign in again."},
		user:     []string{"Sign in to the app again.", "Look whether something was done in your name that you did not do, and tell those who run the service."},
	},
	"authorization_code": {
		name:     "an authorization code",
		operator: []string{"Find out how it got there: a code is in the address of the callback for a moment, and in no log."},
		client:   []string{"Keep the query of the callback out of logs and of addresses that other sites see.", "Send the person to sign in again."},
		user:     []string{"Sign in to the app again."},
	},
	"device_code": {
		name:     "a device code",
		operator: []string{"Find out how it got there: a device code stays on the device and in requests of it."},
		client:   []string{"Find where your app writes device codes: people are shown the user code, never this one.", "Start again on the device."},
		user:     []string{"Connect the device again."},
	},
	"auth_req_id": {
		name:     "the auth_req_id of a request for somebody's consent",
		operator: []string{"Find out how it got there: it stays between the client's server and this one."},
		client:   []string{"Keep it out of logs, and out of what you show to people.", "Ask the person again."},
		user:     []string{"Start again in the app."},
	},
	"session_cookie": {
		name:     "a session cookie of the sign-in",
		operator: []string{"Find out how it got there: malware on the person's device, or a proxy that records traffic.", "Ask the person to change the password if the device may be infected."},
		user:     []string{"Sign in again.", "If you did not put it there, check your device for malware and change your password."},
	},
	"browser_session": {
		name:     "the session cookie of a browser app",
		operator: []string{"Find out how it got there: malware on the person's device, or a proxy that records traffic. No script of the app can read it."},
		client:   []string{"Look whether your app, or a proxy in front of it, logs the Cookie header.", "Nothing else has to be done: people sign in again."},
		user:     []string{"Sign in to the app again.", "If you did not put it there, check your device for malware."},
	},
	"id_token": {
		name:     "an ID token",
		operator: []string{"It gives no access, but it is personal data: ask for its removal where it was found."},
		client:   []string{"Find where your app writes ID tokens: they are personal data.", "Ask for its removal where it was found."},
		user:     []string{"Nothing has to be done: it gives no access. It names your account, and the app may have put more into it."},
	},
	"inner_token": {
		name:     "an inner token, which only a backend sees",
		operator: []string{"Find which backend of this API records the Authorization header, and stop it.", "Nothing has to be ended: it lived for a minute at most, and the gateway never takes it."},
	},
	"pending_sign_in": {
		name:     "a pending sign-in",
		operator: []string{"Nothing has to be ended: it opens a sign-in page and no more, and lives for minutes."},
	},
	"master_key": {
		name: "THE MASTER KEY of this server",
		operator: []string{
			"Take the database and its backups away from everybody who need not have them: with this key, whoever has a copy can make any token.",
			"Change it: sallyport key rewrap --generate. Then destroy every copy of the old one.",
			"If somebody may have had the database too, the keys in it are known: sallyport key list, then sallyport key compromise --purpose NAME for each purpose.",
			"Remove the key from where it was found, and find out who could read it.",
			"The guide has it in full: docs/guide/leaks.md.",
		},
	},
}

// done says what the server did.
var done = map[string]string{
	audit.ActionTokenRevoked: "The token was revoked and is refused everywhere. The rest of its grant lives on.",
	audit.ActionGrantRevoked: "The grant was revoked: every token that came from it is refused everywhere.",
	audit.ActionSessionEnded: "The session was ended, and every grant that came from it.",
	audit.ActionSecretEnded:  "The secret was ended without overlap, and every token that the client had for itself. Grants of people live on.",
	audit.ActionSecretsEnded: "All secrets of the client were ended without overlap, and every token that it had for itself; a new secret was made. Grants of people live on.",
	audit.ActionAllEnded:     "All secrets of the client were ended without overlap, with every token that it had for itself and every grant that people gave it; a new secret was made.",
	audit.ActionNone:         "Nothing: there is nothing that could be revoked.",
	audit.ActionNotPossible:  "NOTHING WAS ENDED: no server can do it by itself. You must act now.",
}

// write makes the mail that tells one recipient of leaks. Nothing in it comes
// from the credential but the first characters of its hash.
func write(issuer, to string, leaks []audit.Leak) (subject, text string) {
	names := map[string]bool{}
	var b strings.Builder
	fmt.Fprintf(&b, "This is %s.\n", oneLine(issuer))
	for i, l := range leaks {
		k := kinds[l.Kind]
		names[k.name] = true
		b.WriteString("\n")
		if len(leaks) > 1 {
			fmt.Fprintf(&b, "%d. ", i+1)
		}
		b.WriteString(sentence(l, k.name, to) + "\n\n")
		for _, line := range [][2]string{
			{"What", strings.TrimSpace(strings.ReplaceAll(l.Kind, "_", " ") + " " + hashText(l.HashPrefix))},
			{"Client", l.ClientID},
			{"Found at", l.URL},
			{"Kind of place", l.Source},
			{"Reported by", l.Reporter},
			{"When", l.At.UTC().Format(time.DateTime) + " UTC"},
			{"Incident", l.ID},
			{"Done", done[l.Action]},
		} {
			if line[1] != "" && !(strings.HasPrefix(to, toUser) && line[0] == "Reported by") {
				fmt.Fprintf(&b, "  %-14s %s\n", line[0]+":", oneLine(line[1]))
			}
		}
	}
	b.WriteString("\nWhat to do now:\n")
	told := map[string]bool{}
	n := 0
	for _, l := range leaks {
		if told[l.Kind] {
			continue
		}
		told[l.Kind] = true
		for _, step := range kinds[l.Kind].steps(to) {
			n++
			fmt.Fprintf(&b, "  %d. %s\n", n, step)
		}
	}
	b.WriteString("\nNobody will ask you for a password or a secret because of this mail.\n")
	return subjectOf(to, leaks), b.String()
}

func sentence(l audit.Leak, name, to string) string {
	verb := " was found where others can read it."
	if l.Event == audit.SecretCompromised {
		verb = " was declared compromised by an operator."
	}
	if strings.HasPrefix(to, toUser) {
		name += " of your account"
	}
	if name == "" {
		name = "a credential"
	}
	return strings.ToUpper(name[:1]) + name[1:] + verb
}

func subjectOf(to string, leaks []audit.Leak) string {
	for _, l := range leaks {
		if l.Event == audit.LeakMasterKey {
			return "ALARM: the master key of Sallyport has leaked"
		}
	}
	what := fmt.Sprintf("%d credentials have leaked", len(leaks))
	if len(leaks) == 1 {
		what = strings.ReplaceAll(leaks[0].Kind, "_", " ") + " has leaked"
	}
	if id, ok := strings.CutPrefix(to, toClient); ok {
		what += ": client " + id
	}
	return "Sallyport: " + what
}

func hashText(prefix string) string {
	if prefix == "" {
		return ""
	}
	return "(SHA-256 begins with " + prefix + ")"
}

func (k kind) steps(to string) []string {
	switch {
	case strings.HasPrefix(to, toClient):
		return k.client
	case strings.HasPrefix(to, toUser):
		return k.user
	}
	return k.operator
}

// oneLine keeps visible ASCII, so that nothing can end a header or fake a line.
func oneLine(s string) string {
	const most = 400
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f {
			return -1
		}
		return c
	}, s)
	return s[:min(len(s), most)]
}
