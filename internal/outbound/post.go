package outbound

import (
	"context"
	"net/http"
)

// Post sends body with these headers, Content-Type among them, and succeeds with
// any 2xx answer, whose body is not read. Every error is an *Error. Nothing is
// tried twice.
func (c *Client) Post(ctx context.Context, rawURL string, header map[string]string, body []byte) error {
	h := http.Header{}
	for name, value := range header {
		if !mayBeSet(name, value) {
			return &Error{Reason: ReasonRequest, detail: "a header that cannot be set"}
		}
		h.Set(name, value)
	}
	return c.do(ctx, http.MethodPost, rawURL, h, body, func(_ context.Context, t *target, r *http.Response) error {
		if r.StatusCode < 200 || r.StatusCode > 299 {
			return badStatus(t, r.StatusCode)
		}
		return nil
	})
}
