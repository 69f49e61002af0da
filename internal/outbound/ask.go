package outbound

import (
	"context"
	"io"
	"net/http"
)

// GetWith is Get with these headers, such as Authorization. Every error is an *Error.
func (c *Client) GetWith(ctx context.Context, rawURL string, header map[string]string) ([]byte, error) {
	h, err := headers(header)
	if err != nil {
		return nil, err
	}
	if h.Get("Accept") == "" {
		h.Set("Accept", acceptJSON)
	}
	var body []byte
	err = c.do(ctx, http.MethodGet, rawURL, h, nil, func(ctx context.Context, t *target, r *http.Response) error {
		if r.StatusCode != http.StatusOK {
			return badStatus(t, r.StatusCode)
		}
		if err := judgeHead(t, r.Header, isJSON); err != nil {
			return err
		}
		var err error
		body, err = c.read(ctx, t, r)
		return err
	})
	return body, err
}

// Ask sends a form and returns the JSON that answers it, whatever its status but a
// redirect: the token endpoint of another server says no in JSON too (RFC 6749
// §5.2). An answer that is no JSON is an error, with its status if that is one.
// Every error is an *Error. Nothing is tried twice.
func (c *Client) Ask(ctx context.Context, rawURL string, header map[string]string, form []byte) (status int, answer []byte, err error) {
	h, err := headers(header)
	if err != nil {
		return 0, nil, err
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("Accept", "application/json")
	err = c.do(ctx, http.MethodPost, rawURL, h, form, func(ctx context.Context, t *target, r *http.Response) error {
		status = r.StatusCode
		if status >= 300 && status < 400 {
			return badStatus(t, status)
		}
		if err := judgeHead(t, r.Header, isJSON); err != nil {
			if status >= 400 {
				_, _ = io.CopyN(io.Discard, r.Body, maxAnswer)
				return badStatus(t, status)
			}
			return err
		}
		var err error
		answer, err = c.read(ctx, t, r)
		return err
	})
	return status, answer, err
}
