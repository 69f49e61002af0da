package notify

import (
	"net"
	"strconv"
	"testing"
	"time"

	"sallyport/internal/outbound/tlstest"
)

func TestT147MailServersMustSpeakGoodTLS(t *testing.T) {
	t.Parallel()
	tlstest.Holds(t, func(address string) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewMailer(MailOptions{Host: host, Port: n, Implicit: true, From: "a@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.send(t.Context(), "b@example.com", "id", "subject", "text", time.Now()); err == nil {
			t.Error("it is sent")
		}
	}, nil)
}
