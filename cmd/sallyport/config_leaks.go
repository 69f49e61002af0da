package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"

	"sallyport/internal/notify"
	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
)

type mailConfig struct {
	Server       string `yaml:"server" example:"smtps://mail.example.com" doc:"Where mail is handed in: smtps://HOST for TLS from the start (port 465), smtp://HOST for STARTTLS (port 587). Without TLS nothing is sent, but to this machine."`
	Username     string `yaml:"username" example:"sallyport" doc:"Name to authenticate with. Without it there is no authentication."`
	PasswordFile string `yaml:"password_file" example:"mail.password" doc:"File with the password."`
	From         string `yaml:"from" example:"Sallyport <auth@example.com>" doc:"The sender."`
	Folder       string `yaml:"folder" example:"mail" doc:"Folder into which mails are written as files, instead of sending them: for trying out. Everybody who reads them can sign in as those that they are for."`
	CAFile       string `yaml:"ca_file" file:"policy" example:"mail-ca.pem" doc:"PEM file with the authorities that the server's certificate leads to, instead of the system's."`
}

type leaksConfig struct {
	Notify            []string `yaml:"notify" example:"[security@example.com]" doc:"E-mail addresses of those who run the server: they are told of every leak."`
	Webhook           string   `yaml:"webhook" example:"https://hooks.example.com/sallyport" doc:"Address that is called with every leak, signed. https, or http on this machine."`
	WebhookSecretFile string   `yaml:"webhook_secret_file" example:"webhook.secret" doc:"File with the secret that signs the calls, at least 43 characters."`
	WebhookNetworks   []string `yaml:"webhook_networks" example:"[10.0.0.0/8]" doc:"Private networks that the webhook may be in. Otherwise it must have a public address."`
}

// maxContacts bounds the addresses of one client.
const maxContacts = 5

// sends reports whether people can be written to.
func (m *mailConfig) sends() bool { return m.Server != "" || m.Folder != "" }

// mailServer is where mail is handed in.
func (m *mailConfig) mailServer() (notify.MailOptions, error) {
	u, err := url.Parse(m.Server)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return notify.MailOptions{}, errors.New("is not smtps://HOST, smtp://HOST or one of them with a port")
	}
	o := notify.MailOptions{Host: u.Hostname(), Username: m.Username, From: m.From}
	switch u.Scheme {
	case "smtps":
		o.Port, o.Implicit = 465, true
	case "smtp":
		o.Port, o.Plain = 587, isLoopback(u.Hostname())
	default:
		return o, errors.New("has another scheme than smtps and smtp")
	}
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return o, errors.New("has a port that is none")
		}
		o.Port = int(port)
	}
	return o, nil
}

func checkMail(j *judge) {
	m := &j.c.Mail
	for i, c := range j.c.Clients {
		for _, p := range contactProblems(c.Contacts) {
			j.failf(fmt.Sprintf("clients[%d].%s", i, p.Path), "%s", p.Text)
		}
		if why := j.c.unheardProblem(c.client()); why != "" {
			j.warnf(fmt.Sprintf("clients[%d].contacts", i), "%s", why)
		}
	}
	for i, a := range j.c.Leaks.Notify {
		if !notify.ValidAddress(a) {
			j.failf(fmt.Sprintf("leaks.notify[%d]", i), "%q is not a plain address like security@example.com", a)
		}
	}
	if m.Folder != "" {
		j.mailFolder()
		return
	}
	if m.Server == "" {
		if *m != (mailConfig{}) {
			j.failf("mail.server", "is missing beside the other settings of mail")
		} else if len(j.c.Leaks.Notify) > 0 {
			j.failf("leaks.notify", "needs mail.server")
		}
		return
	}
	o, err := m.mailServer()
	if err != nil {
		j.failf("mail.server", "%s %v", outbound.Show(m.Server), err)
	}
	if _, err := netmail.ParseAddress(m.From); err != nil {
		j.failf("mail.from", "%q is not an address: write for example Sallyport <auth@example.com>", m.From)
	}
	if (m.Username == "") != (m.PasswordFile == "") {
		j.failf("mail.password_file", "username and password_file belong together")
	} else if m.PasswordFile != "" {
		if _, err := readSecret(j.c.file(m.PasswordFile)); err != nil {
			j.failf("mail.password_file", "%v", err)
		}
	}
	if _, err := j.c.mailRoots(); err != nil {
		j.failf("mail.ca_file", "%v", err)
	}
	if o.Plain {
		j.warnf("mail.server", "is this machine, so TLS is used if it is offered and nothing insists on it")
	}
	if len(j.c.Leaks.Notify) == 0 {
		j.warnf("leaks.notify", "is empty, so nobody who runs the server is told of a leak")
	}
}

// mailFolder judges mail that is written into a folder.
func (j *judge) mailFolder() {
	m := &j.c.Mail
	if m.Server != "" {
		j.failf("mail.folder", "and mail.server exclude each other")
	}
	if _, err := netmail.ParseAddress(m.From); err != nil {
		j.failf("mail.from", "%q is not an address: write for example Sallyport <auth@example.com>", m.From)
	}
	j.warnf("mail.folder", "means that no mail is sent: everybody who can read the folder can use the codes in it")
}

// unheardProblem says that the contacts of a client are told nothing.
func (c *config) unheardProblem(client oauth.Client) string {
	if len(client.Contacts) == 0 || c.Mail.Server != "" || c.unclear("mail") {
		return ""
	}
	return "nobody is told of a leak without mail.server"
}

// contactProblems judges the addresses of a client from wherever it came.
func contactProblems(contacts []string) []problem {
	r := &reader{}
	if len(contacts) > maxContacts {
		r.addf(0, "contacts", "has more than %d addresses", maxContacts)
	}
	for i, a := range contacts {
		if !notify.ValidAddress(a) {
			r.addf(0, fmt.Sprintf("contacts[%d]", i), "%q is not a plain address like owner@example.com", a)
		}
	}
	return r.problems
}

func checkWebhook(j *judge) {
	l := &j.c.Leaks
	for i, text := range l.WebhookNetworks {
		if _, err := outbound.ParseNetwork(text); err != nil {
			j.failf(fmt.Sprintf("leaks.webhook_networks[%d]", i), "%q %v", text, err)
		}
	}
	if l.Webhook == "" {
		if l.WebhookSecretFile != "" || len(l.WebhookNetworks) > 0 {
			j.failf("leaks.webhook", "is missing beside the other settings of the webhook")
		}
		return
	}
	u, err := url.Parse(l.Webhook)
	switch {
	case err != nil || u.Hostname() == "" || u.Fragment != "":
		j.failf("leaks.webhook", "is not an address like https://hooks.example.com/sallyport")
	case u.User != nil:
		j.failf("leaks.webhook", "has a user in it: the signature proves who calls")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		j.failf("leaks.webhook", "must begin with https://: calls say which credentials have leaked")
	default:
		if why := unaskedProblem(l.door(u), l.Webhook, "leaks.webhook_networks"); why != "" {
			j.failf("leaks.webhook", "%s", why)
		}
	}
	if l.WebhookSecretFile == "" {
		j.failf("leaks.webhook_secret_file", "is missing: without it nobody can tell a call of ours from another")
		return
	}
	text, err := readSecret(j.c.file(l.WebhookSecretFile))
	if err != nil {
		j.failf("leaks.webhook_secret_file", "%v", err)
	} else if why := secretProblem(text); why != "" {
		j.failf("leaks.webhook_secret_file", "%s %s", l.WebhookSecretFile, why)
	}
}

func (c *config) mailRoots() (*x509.CertPool, error) {
	if c.Mail.CAFile == "" {
		return nil, nil //nolint:nilnil // nil means the system's
	}
	return readAuthorities(c.file(c.Mail.CAFile))
}

// mailer is nil where no mail is sent.
func (c *config) mailer() (*notify.Mailer, error) {
	if c.Mail.Folder != "" {
		return notify.NewMailer(notify.MailOptions{Folder: c.file(c.Mail.Folder), From: c.Mail.From})
	}
	if c.Mail.Server == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	o, err := c.Mail.mailServer()
	if err != nil {
		return nil, fmt.Errorf("mail.server %w", err)
	}
	if o.RootCAs, err = c.mailRoots(); err != nil {
		return nil, err
	}
	if c.Mail.PasswordFile != "" {
		text, err := readSecret(c.file(c.Mail.PasswordFile))
		if err != nil {
			return nil, fmt.Errorf("password of the mail server: %w", err)
		}
		o.Password = secret.New(text)
	}
	return notify.NewMailer(o)
}

// isMaster reports whether v is the master key as the file has it now, or one of
// the two while it is being changed.
func (c *config) isMaster(v secret.Value) bool {
	text, err := readSecret(c.file(c.MasterKeyFile))
	ours := false
	for word := range strings.FieldsSeq(text) {
		ours = v.Equal(secret.New(word)) || ours
	}
	return err == nil && ours
}

// deadSentence says that a secret of the file is refused.
func (c *config) deadSentence(i int) string {
	return fmt.Sprintf("the secret of %s in %s was compromised and is refused: put a new one there and start the server again",
		c.Clients[i].ClientID, c.Clients[i].SecretFile)
}

// deadSecrets lists the clients of the file whose secret is refused, by index.
func (c *config) deadSecrets(isDead func(secret.Hash) (bool, error)) ([]int, error) {
	clients, err := c.oauthClients()
	if err != nil {
		return nil, err
	}
	var list []int
	for i, client := range clients {
		for _, s := range client.Secrets {
			dead, err := isDead(s.Hash)
			if err != nil {
				return nil, err
			}
			if dead {
				list = append(list, i)
			}
		}
	}
	return list, nil
}

// partnerScopeProblem: only a service client is a partner.
func partnerScopeProblem(client oauth.Client, scope string) string {
	if client.Type != oauth.ServiceClient {
		return fmt.Sprintf("%q is for service clients: no person can grant it", scope)
	}
	return ""
}

// door is how the webhook at u may be called.
func (l *leaksConfig) door(u *url.URL) outbound.Options {
	return outbound.Options{AllowLoopback: isLoopback(u.Hostname()), Ports: []uint16{webhookPort(u)}, AllowNetworks: networks(l.WebhookNetworks)}
}

// webhookPort is where the webhook listens.
func webhookPort(u *url.URL) uint16 {
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil && port > 0 {
		return uint16(port)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
