package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/gateway"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// In tier high an echo ends the answer; where it comes early, nothing is given.
func TestEG03TierHighBlocksAnEcho(t *testing.T) {
	t.Parallel()
	late := strings.Repeat(" ", ahead)
	for name, tt := range map[string]struct {
		body          string
		refused, ends bool
	}{
		"no echo":          {`{"ok":true}`, false, false},
		"a long answer":    {`{"k":` + late + `"x"}`, false, false},
		"an echo":          {`{"k":"` + key + `"}`, true, false},
		"one that is late": {`{"k":` + late + `"` + key + `"}`, false, true},
	} {
		for _, tier := range []token.Tier{token.TierStandard, token.TierHigh} {
			high := tier == token.TierHigh
			upstream := &url.URL{Scheme: "https", Host: "maps.example.net"}
			c, err := New(Options{Name: "maps", Upstream: upstream, Now: time.Now, State: NewState(nil, time.Now)})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			rec, left := &audit.Record{}, false
			x := &exchange{
				c: c, r: &http.Request{Method: "GET", URL: upstream, Header: http.Header{}}, by: gateway.Caller{Tier: tier}, rec: rec, ctx: ctx, cancel: cancel,
				sent: []secret.Value{secret.New(key)}, done: func() { left = true },
			}
			res, err := x.answer(&http.Response{
				StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(tt.body)), Body: io.NopCloser(strings.NewReader(tt.body)),
			})
			var no *gateway.Refused
			if errors.As(err, &no) != (tt.refused && high) {
				t.Errorf("%s, %s: %v", name, tier, err)
			}
			if err != nil {
				continue
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			switch {
			case (err != nil) != (tt.ends && high):
				t.Errorf("%s, %s: %v", name, tier, err)
			case strings.Contains(string(got), key[:gram]) || !left:
				t.Errorf("%s, %s: left %v: %.100s", name, tier, left, got)
			case len(rec.Events()) > 0 != strings.Contains(tt.body, key):
				t.Errorf("%s, %s: %v", name, tier, rec.Events())
			}
		}
	}
}
