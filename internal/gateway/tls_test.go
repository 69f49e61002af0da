package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/http1"
	"sallyport/internal/outbound/tlstest"
)

func TestT147UpstreamsMustSpeakGoodTLS(t *testing.T) {
	t.Parallel()
	for name, rt := range map[string]http.RoundTripper{"HTTP/1.1": http1.NewTransport(http1.Options{}), "HTTP/2": gateway.NewTransport(time.Second)} {
		t.Run(name, func(t *testing.T) {
			tlstest.Holds(t, func(address string) {
				req, err := http.NewRequest(http.MethodGet, "https://"+address+"/", nil)
				if err != nil {
					t.Fatal(err)
				}
				if res, err := rt.RoundTrip(req); err == nil { // nobody trusts the certificate
					_ = res.Body.Close()
					t.Error("it answers")
				}
			}, nil)
		})
	}
}
