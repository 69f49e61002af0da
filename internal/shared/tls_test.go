package shared_test

import (
	"testing"
	"time"

	"sallyport/internal/outbound/tlstest"
	"sallyport/internal/shared"
)

func TestT147SharedStateMustSpeakGoodTLS(t *testing.T) {
	t.Parallel()
	tlstest.Holds(t, func(address string) {
		at, err := shared.ParseAddress("rediss://" + address)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := shared.Open(t.Context(), shared.Options{Address: at, Deployment: "d", Now: time.Now}); err == nil {
			s.Close()
			t.Error("it opens")
		}
	}, nil)
}
