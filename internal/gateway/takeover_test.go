package gateway_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/gateway"
	"sallyport/internal/token"
)

// A changed policy ends the streams that it would not allow as they are, and no
// other.
func TestGW27StreamsUnderAChangedPolicy(t *testing.T) {
	t.Parallel()
	high := token.TierHigh
	elsewhere, _ := url.Parse("http://127.0.0.1:9")
	item := func(change func(*gateway.Operation)) func(*gateway.API) {
		return func(a *gateway.API) { change(&a.Operations[0]) }
	}
	for name, tt := range map[string]struct {
		change func(*gateway.API)
		lives  bool
	}{
		"the same":                      {func(*gateway.API) {}, true},
		"another name and another tier": {func(a *gateway.API) { a.Name, a.Tier = "other", token.TierLow }, true},
		"one more operation": {func(a *gateway.API) {
			a.Operations = append(a.Operations, gateway.Operation{Method: "GET", Path: "/new", Scope: "new"})
		}, true},
		"another scope that the token has": {item(func(o *gateway.Operation) { o.Scope = "catalog.write" }), true},
		"gone":                             {func(a *gateway.API) { a.Operations = a.Operations[1:2] }, false},
		"another path":                     {func(a *gateway.API) { a.Path = "/other" }, false},
		"tier high":                        {item(func(o *gateway.Operation) { o.Tier = &high }), false},
		"a scope that the token lacks":     {item(func(o *gateway.Operation) { o.Scope = "catalog.admin" }), false},
		"a stronger sign-in":               {item(func(o *gateway.Operation) { o.ACR = token.ACRMFA }), false},
		"a younger sign-in":                {item(func(o *gateway.Operation) { o.MaxAge = time.Minute }), false},
		"another upstream":                 {func(a *gateway.API) { a.Upstream = elsewhere }, false},
		"another audience":                 {func(a *gateway.API) { a.Audience += "/v2" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o gateway.Options
			f := newFixture(t, streaming(t), func(first *gateway.Options) {
				first.State = gateway.NewState()
				o = *first
				o.APIs = []gateway.API{first.APIs[0]}
				o.APIs[0].Operations = operations()
			})
			f.gateway.TakeOver()
			s := open(t, f, f.bearer(func(a *token.Access) { a.Scope = "catalog.read catalog.write" }), false)
			s.alive(t, false)
			tt.change(&o.APIs[0])
			next, err := gateway.New(o)
			if err != nil {
				t.Fatal(err)
			}
			next.TakeOver()
			if tt.lives {
				s.alive(t, false)
				time.Sleep(100 * time.Millisecond)
				s.alive(t, false)
				next.Close() // it has the streams of the one before
			}
			if took := s.ends(t); took > 3*time.Second {
				t.Errorf("it ended after %v", took)
			}
			// A stream that the old gateway was just about to open.
			if !tt.lives {
				late := open(t, f, f.bearer(), false)
				if took := late.ends(t); took > 3*time.Second {
					t.Errorf("a late one ended after %v", took)
				}
				if strings.Contains(late.head.Status, "500") {
					t.Errorf("a late one gets %s", late.head.Status)
				}
			}
		})
	}
}
