package gateway

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// onResponse are called with the answer of the upstream before it is written,
// in order, after what the upstream has no say in was removed. They may change
// its header and replace its body; a refusal is answered in its place.
type onResponse func(*http.Response) refusal

// onEnd are called once when the call is over, the last one first, however it
// ended: no is what was answered instead of the upstream's answer.
type onEnd func(no refusal)

// clean makes the answer of the upstream ready for the client.
func (c *call) clean(res *http.Response) refusal {
	dropNominated(res.Header, res.Header["Connection"])
	for name := range res.Header {
		if hopByHop[name] || c.api.backend.drop.drops(name) {
			delete(res.Header, name)
		}
	}
	if no := c.cleanMeaning(res); no.refused() {
		return no
	}
	keepPrivate(res.Header)
	c.setCORS(res.Header)
	c.setNonce(res.Header)
	c.setRate(res.Header)
	for _, see := range c.onResponse {
		if no := see(res); no.refused() {
			return no
		}
	}
	if c.upgrade && !c.stand() {
		return tooManyStreams
	}
	if !c.upgrade && isStream(res) {
		if isEvents(res) && !c.stand() {
			return tooManyStreams
		}
		if !c.watch() {
			return c.failure(context.Cause(c.Context))
		}
		if isEvents(res) && !c.g.state.streams.keepsOn(c) {
			return c.failure(context.Cause(c.Context))
		}
		c.unlimitTime()
	}
	c.paceAnswer(res)
	return handled
}

// answer writes the answer of the upstream. Half an answer must not look whole:
// it ends the connection.
func (c *call) answer(res *http.Response) {
	h := c.w.Header()
	for name, lines := range res.Header {
		h[name] = lines
	}
	for name := range res.Trailer { // announced: the values come later
		if !c.api.backend.drop.drops(name) {
			h.Add("Trailer", name)
		}
	}
	c.w.WriteHeader(res.StatusCode)
	if len(h["Trailer"]) > 0 || isEvents(res) || c.isGRPC() {
		// A short answer would get a length, and no trailer; and who waits for events,
		// or says more when the answer has begun, may wait long for the first byte.
		_ = c.w.flush()
	}
	if err := c.copyBody(res); err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = res.Body.Close() // now the trailer is complete
	for name, lines := range res.Trailer {
		if c.api.backend.drop.drops(name) {
			continue
		}
		h[http.TrailerPrefix+name] = lines
	}
	c.complete = true
}

// copyBody passes the body on, at once where the client may be waiting for what
// has come so far.
func (c *call) copyBody(res *http.Response) error {
	if res.Body == nil || res.Body == http.NoBody {
		return nil
	}
	atOnce := res.ContentLength < 0 || isEvents(res)
	if isEvents(res) { // the first event may be long in coming
		if err := c.w.flush(); err != nil {
			return err
		}
	}
	buf := buffers.Get().(*[bufferSize]byte) //nolint:errcheck,forcetypeassert // nothing else is in it
	defer buffers.Put(buf)
	for {
		n, err := res.Body.Read(buf[:])
		if n > 0 {
			if _, err := c.w.Write(buf[:n]); err != nil {
				return err
			}
			if atOnce && err == nil {
				if err := c.w.flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF { //nolint:errorlint // readers return it bare
			return nil
		}
		if err != nil {
			return err
		}
	}
}

const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}
