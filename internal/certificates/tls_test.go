package certificates_test

import (
	"context"
	"testing"
	"time"

	"sallyport/internal/certificates"
	"sallyport/internal/outbound/tlstest"
)

func TestT147AnAuthorityMustSpeakGoodTLS(t *testing.T) {
	t.Parallel()
	tlstest.Holds(t, func(address string) {
		m := certificates.New(certificates.Options{
			Hosts: []string{"a.example.com"}, Directory: "https://" + address + "/dir", Store: &memory{}, Ring: newRing(t), Now: time.Now, Agent: "test",
		})
		ctx, cancel := context.WithCancel(t.Context())
		go m.Run(ctx, func(states []certificates.State) {
			if ctx.Err() == nil && states[0].Err == nil {
				t.Error("there is a certificate")
			}
		})
		t.Cleanup(cancel)
	}, nil)
}
