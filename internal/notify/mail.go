package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"sallyport/internal/secret"
)

// MailOptions say how mail leaves. Host, Port and From are needed.
type MailOptions struct {
	Host     string
	Port     int
	Implicit bool // TLS from the first byte (RFC 8314 §3.3); otherwise STARTTLS
	// Plain allows a server on this machine that has no TLS. Elsewhere a server
	// without it gets nothing.
	Plain    bool
	Username string // empty: no authentication
	Password secret.Value
	From     string // an address, with or without a name
	RootCAs  *x509.CertPool
}

// mailTimeout bounds a whole conversation with the server.
const mailTimeout = 30 * time.Second

// Mailer sends plain text mails. Safe for concurrent use.
type Mailer struct {
	o      MailOptions
	from   *netmail.Address
	domain string
}

// NewMailer checks the options.
func NewMailer(o MailOptions) (*Mailer, error) {
	from, err := netmail.ParseAddress(o.From)
	if err != nil {
		return nil, errors.New("mail: the sender is not an address")
	}
	m := &Mailer{o: o, from: from, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:]}
	_, err = m.client()
	return m, err
}

func (m *Mailer) client() (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(m.o.Port), mail.WithTimeout(mailTimeout), mail.WithHELO("sallyport.invalid"),
		mail.WithTLSConfig(&tls.Config{ServerName: m.o.Host, RootCAs: m.o.RootCAs, MinVersion: tls.VersionTLS12}),
	}
	switch {
	case m.o.Implicit:
		options = append(options, mail.WithSSL())
	case m.o.Plain:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.o.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.o.Username), mail.WithPassword(m.o.Password.Reveal()))
	}
	c, err := mail.NewClient(m.o.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return c, nil
}

// send returns when the server has taken the mail. id makes the Message-ID, so
// that a mail that is sent twice is known as one. The error never quotes text.
func (m *Mailer) send(ctx context.Context, to []string, id, subject, text string, now time.Time) error {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	for _, address := range to {
		if !plainAddress(address) {
			return errors.New("mail: a recipient is not a plain address")
		}
	}
	if err := msg.To(to...); err != nil {
		return errors.New("mail: a recipient is not an address")
	}
	msg.Subject(oneLine(subject))
	msg.SetMessageIDWithValue(id + "@" + m.domain)
	msg.SetDateWithValue(now)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody answers by itself
	msg.SetBodyString(mail.TypeTextPlain, text)
	c, err := m.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := c.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

// plainAddress is local@domain in visible ASCII, with nothing that ends a header
// or begins another address.
func plainAddress(s string) bool {
	a, err := netmail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s && len(s) <= 254 &&
		!strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`<>(),;:\"[]`, c) })
}

// ValidAddress reports whether mail can be sent to s.
func ValidAddress(s string) bool { return plainAddress(s) }
