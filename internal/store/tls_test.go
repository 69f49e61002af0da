package store_test

import (
	"io"
	"net"
	"testing"
	"time"

	"sallyport/internal/outbound/tlstest"
	"sallyport/internal/store"
)

func TestT147PostgreSQLMustSpeakGoodTLS(t *testing.T) {
	t.Parallel()
	tlstest.Holds(t, func(address string) {
		if s, err := store.Open(t.Context(), "postgres://u:p@"+address+"/d?sslmode=verify-full&connect_timeout=5", store.Options{Now: time.Now}); err == nil {
			_ = s.Close()
			t.Error("it opens")
		}
	}, func(c net.Conn) error { // SSLRequest, and yes
		if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
			return err
		}
		_, err := c.Write([]byte("S"))
		return err
	})
}
