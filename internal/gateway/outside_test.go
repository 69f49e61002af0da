package gateway_test

import (
	"net/http"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

func TestScreensAndTransportsRefuseInTheWordsOfTheGateway(t *testing.T) {
	t.Parallel()
	var by gateway.Caller
	var known bool
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		by, known = gateway.CallerOf(r.Context())
		return nil, &gateway.Refused{Answer: gateway.AnswerTooMany, Reason: "used_up", RetryAfter: 90*time.Second + 1}
	})
	f := newFixture(t, nil, func(o *gateway.Options) {
		o.APIs[0].Transport = transport
		o.APIs[0].Screen = func(_ *http.Request, query string, _ gateway.Caller) *gateway.Refused {
			if query == "bad=1" {
				return &gateway.Refused{Answer: gateway.AnswerType, Reason: "screened"}
			}
			return nil
		}
	})
	if a := f.get("/catalog/items/1?bad=1", f.bearer()); a.Status != 415 || known {
		t.Errorf("a screened call: %d, reached the transport: %v", a.Status, known)
	}
	a := f.get("/catalog/items/1", f.bearer())
	if a.Status != 429 || a.Header.Get("Retry-After") != "91" {
		t.Errorf("a call that the transport refuses: %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	want := gateway.Caller{API: "catalog", Label: "GET /items/{id}", Subject: by.Subject, ClientID: by.ClientID, Person: true, Tier: token.TierStandard}
	if !known || by != want || by.Subject == "" || by.ClientID == "" {
		t.Errorf("the caller is %+v, want %+v", by, want)
	}
	if a := f.get("/catalog/items/1?bad=1", ""); a.Status != 401 {
		t.Errorf("a screen is not for strangers: %d", a.Status)
	}
}
