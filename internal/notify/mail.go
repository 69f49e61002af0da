package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"sallyport/internal/outbound"
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
	// Folder takes mails as files, and no server is asked: then Host and Port are not
	// needed.
	Folder string
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
	if o.Folder == "" {
		_, err = m.client()
	}
	return m, err
}

func (m *Mailer) client() (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(m.o.Port), mail.WithTimeout(mailTimeout), mail.WithHELO("sallyport.invalid"),
		mail.WithTLSConfig(&tls.Config{ServerName: m.o.Host, RootCAs: m.o.RootCAs, MinVersion: tls.VersionTLS12, CipherSuites: outbound.CipherSuites}),
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

// errRefused: the server says that it will never take mail for the address.
var errRefused = errors.New("the mail server refuses the address for good")

// message is a mail to one address. id makes the Message-ID, so that a mail that is
// sent twice is known as one.
type message struct {
	to, id, subject, text string
	language              string // BCP 47; empty: not said
	at                    time.Time
}

// send is hand for a text in English, of which the subject is ASCII.
func (m *Mailer) send(ctx context.Context, to, id, subject, text string, now time.Time) error {
	return m.hand(ctx, message{to: to, id: id, subject: oneLine(subject), text: text, at: now})
}

// hand returns when the server has taken the mail to one address: in a mail to
// several, one that is dead would silence the others. The error is errRefused, or
// is worth another attempt; it quotes neither text nor address.
func (m *Mailer) hand(ctx context.Context, one message) error {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	if !plainAddress(one.to) || msg.To(one.to) != nil {
		return fmt.Errorf("%w: it is not a plain address", errRefused)
	}
	msg.Subject(one.subject)
	msg.SetMessageIDWithValue(one.id + "@" + m.domain)
	msg.SetDateWithValue(one.at)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: nobody answers by itself
	if one.language != "" {
		msg.SetGenHeader("Content-Language", one.language)
	}
	msg.SetBodyString(mail.TypeTextPlain, one.text)
	if m.o.Folder != "" {
		return m.file(msg, one.id)
	}
	c, err := m.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	if err := c.DialAndSendWithContext(ctx, msg); err != nil && !msg.IsDelivered() {
		return mailProblem(err)
	}
	return nil
}

// file writes a mail into the folder, for who tries things out without a server.
func (m *Mailer) file(msg *mail.Msg, id string) error {
	if err := os.MkdirAll(m.o.Folder, 0o700); err != nil {
		return fmt.Errorf("folder of mails: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(m.o.Folder, id+".eml"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // the folder is the operator's, the name our own ID
	if err != nil {
		return fmt.Errorf("write mail: %w", err)
	}
	_, err = msg.WriteTo(f)
	return errors.Join(err, f.Close())
}

// mailProblem keeps the codes of what the server said: its words may quote the
// address (LG03).
func mailProblem(err error) error {
	var failed *mail.SendError
	var answer *textproto.Error
	switch {
	case errors.As(err, &failed):
		code := failed.ErrorCode()
		if failed.Reason == mail.ErrSMTPRcptTo && code/100 == 5 { // RFC 5321 §4.2.1: permanent
			return fmt.Errorf("%w: %d %s", errRefused, code, failed.EnhancedStatusCode())
		}
		return fmt.Errorf("send mail: %s: code %d %s", failed.Reason, code, failed.EnhancedStatusCode())
	case errors.As(err, &answer):
		return fmt.Errorf("send mail: the server answers with code %d", answer.Code)
	}
	return fmt.Errorf("send mail: %w", err)
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
