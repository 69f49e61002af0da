package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"sallyport/internal/idempotency"
)

// keptHeaders are those of an answer that are given again. Cookies, challenges
// and the like have gone before.
var keptHeaders = []string{
	"Content-Type", "Content-Language", "Content-Encoding", "Content-Disposition", "Content-Location", "Location", "Etag", "Last-Modified",
	"Cache-Control", "Link", "Vary", "X-Content-Type-Options", "Content-Security-Policy",
}

// keepAnswer remembers the answer before any of it is sent: the client may be
// gone. An answer that says that nothing was done gives the key free.
func (c *call) keepAnswer(res *http.Response) refusal {
	switch {
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable:
		c.settle(func(ctx context.Context, key idempotency.Key) error { return c.g.records.Forget(ctx, key) })
		return handled
	case isEvents(res):
		c.finish(idempotency.Record{State: idempotency.Gone})
		return handled
	}
	a := idempotency.Answer{Status: res.StatusCode}
	if res.Body != nil && res.Body != http.NoBody {
		body, err := io.ReadAll(io.LimitReader(res.Body, maxKept+1))
		if err != nil {
			return c.failure(err)
		}
		if len(body) > maxKept {
			res.Body = joined{io.MultiReader(bytes.NewReader(body), res.Body), res.Body}
			c.finish(idempotency.Record{State: idempotency.Gone})
			return handled
		}
		res.Body, res.ContentLength, a.Body = joined{bytes.NewReader(body), res.Body}, int64(len(body)), body
	}
	for _, name := range keptHeaders {
		for _, line := range res.Header[name] {
			if line == "Origin" {
				continue // of Vary: whoever asks again may come from another
			}
			a.Header = append(a.Header, [2]string{name, line})
		}
	}
	c.finish(idempotency.Record{State: idempotency.Done, Answer: a})
	return handled
}

func (c *call) finish(r idempotency.Record) {
	r.Request = c.claim.request
	c.settle(func(ctx context.Context, key idempotency.Key) error { return c.g.records.Finish(ctx, key, r) })
}

// settleTime is for telling what came of a call, whatever has happened to it.
const settleTime = 5 * time.Second

// settle tells once. If that fails the key stays as if the call were being made,
// which allows nothing.
func (c *call) settle(tell func(context.Context, idempotency.Key) error) {
	if c.claim.done {
		return
	}
	c.claim.done = true
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), settleTime)
	defer cancel()
	if tell(ctx, c.claim.key) != nil {
		c.rec.Set(slog.String("idempotency", "unsettled"))
	}
}

// endClaim tells of a call that ended without an answer: it gives the key free
// if nothing can have happened, and else nobody knows.
func (c *call) endClaim(no refusal) {
	defer c.claim.close()
	switch {
	case c.claim.done:
	case c.res != nil: // there was one, and it was not fit to be passed on
		c.finish(idempotency.Record{State: idempotency.Gone})
	case c.hadNoEffect(no):
		c.settle(func(ctx context.Context, key idempotency.Key) error { return c.g.records.Forget(ctx, key) })
	default:
		c.finish(idempotency.Record{State: idempotency.Lost})
	}
}

// hadNoEffect reports whether the upstream cannot have seen the request.
func (c *call) hadNoEffect(no refusal) bool {
	if !c.sent || no.reason == "upstream_dial" || no.reason == "upstream_name" {
		return true
	}
	return no.refused() && no.problem.status < http.StatusInternalServerError && no.problem != clientGone || no.problem == unavailable
}

// replay gives an answer again.
func (c *call) replay(a *idempotency.Answer) {
	c.note()
	h := c.w.Header()
	for _, line := range a.Header {
		h.Add(line[0], line[1])
	}
	c.setCORS(h)
	c.setNonce(h)
	h.Set("Idempotent-Replayed", "true")
	if a.Status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	c.w.WriteHeader(a.Status)
	_, _ = c.w.Write(a.Body)
	c.answered = true
	c.rec.Set(slog.String("idempotency", "replayed"))
}
