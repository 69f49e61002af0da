package outbound

import (
	"context"
	"io"
	"net/http"
)

// Post sends body with these headers, Content-Type among them, and succeeds with
// any 2xx answer, whose body is not read. Every error is an *Error. Nothing is
// tried twice.
func (c *Client) Post(ctx context.Context, rawURL string, header map[string]string, body []byte) error {
	h, err := headers(header)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPost, rawURL, h, body, func(_ context.Context, t *target, r *http.Response) error {
		if r.StatusCode < 200 || r.StatusCode > 299 {
			return badStatus(t, r.StatusCode)
		}
		return nil
	})
}

// maxAnswer is how much of an answer Send reads, in bytes.
const maxAnswer = 4 << 10

// Send is Post for those who must know why they were refused: it succeeds with any
// status but a redirect, and returns it with the start of the body.
func (c *Client) Send(ctx context.Context, rawURL string, header map[string]string, body []byte) (status int, answer []byte, err error) {
	h, err := headers(header)
	if err != nil {
		return 0, nil, err
	}
	err = c.do(ctx, http.MethodPost, rawURL, h, body, func(ctx context.Context, t *target, r *http.Response) error {
		if status = r.StatusCode; status >= 300 && status < 400 {
			return badStatus(t, status)
		}
		var err error
		if answer, err = io.ReadAll(io.LimitReader(r.Body, maxAnswer)); err != nil {
			return failed(ctx, t, ReasonResponse, err)
		}
		return nil
	})
	return status, answer, err
}

func headers(set map[string]string) (http.Header, error) {
	h := http.Header{}
	for name, value := range set {
		if !mayBeSet(name, value) {
			return nil, &Error{Reason: ReasonRequest, detail: "a header that cannot be set"}
		}
		h.Set(name, value)
	}
	return h, nil
}
