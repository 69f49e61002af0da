package egress

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sallyport/internal/gateway"
)

// How much a node keeps of answers that may be given again.
const (
	maxCached     = 16 << 20  // bytes, of all
	maxCachedEach = 256 << 10 // bytes, of one
	cachedExtra   = 1 << 10   // what an entry takes besides its body
)

// cache holds answers, each for the one person who has had it. Safe for
// concurrent use.
type cache struct {
	mu      sync.Mutex
	entries map[[32]byte]*entry
	size    int
}

type entry struct {
	header http.Header
	body   []byte
	at     time.Time
	until  time.Time
}

// keyOf names an answer: connector, who asked for whom, and all of the request
// that the upstream sees. No two lists of parts give the same name.
func (x *Connector) keyOf(r *http.Request, by gateway.Caller) (key [32]byte) {
	parts := []string{x.o.Name, x.o.Upstream.String(), by.Subject, by.ClientID, by.Label, r.Method, r.URL.EscapedPath(), r.URL.RawQuery}
	for name := range x.headers {
		if name == "Content-Type" {
			continue
		}
		if lines := r.Header[name]; len(lines) > 0 {
			parts = append(parts, name+"\x00"+strings.Join(lines, "\x00"))
		}
	}
	slices.Sort(parts[8:])
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(p))))
		_, _ = h.Write([]byte(p))
	}
	h.Sum(key[:0])
	return key
}

// lookup returns an answer that this person has had, or the name under which to
// keep the one that comes.
func (x *Connector) lookup(r *http.Request, by gateway.Caller) (key [32]byte, res *http.Response) {
	if x.o.CacheFor == 0 || r.Method != http.MethodGet {
		return key, nil
	}
	key = x.keyOf(r, by)
	now := x.o.Now()
	c := &x.o.State.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || !now.Before(e.until) || now.Sub(e.at) >= x.o.CacheFor {
		return key, nil
	}
	h := e.header.Clone()
	h.Set("Age", strconv.FormatInt(int64(now.Sub(e.at)/time.Second), 10))
	h.Set("Content-Length", strconv.Itoa(len(e.body)))
	return key, &http.Response{
		StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(bytes.NewReader(e.body)), ContentLength: int64(len(e.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
	}
}

// remember keeps an answer when all of it was given.
func (x *exchange) remember(out *http.Response) {
	body, whole := out.Body.(*answerBody)
	if x.key == ([32]byte{}) || !whole || out.StatusCode != http.StatusOK || out.ContentLength > maxCachedEach {
		return
	}
	for _, line := range out.Header["Cache-Control"] {
		if strings.Contains(strings.ToLower(line), "no-store") {
			return
		}
	}
	body.Reader = &kept{src: body.Reader, body: body, header: out.Header.Clone()}
}

// kept copies a body, and keeps it at its end.
type kept struct {
	src    io.Reader
	body   *answerBody
	header http.Header
	copied []byte
	over   bool
}

// Read implements io.Reader.
func (k *kept) Read(p []byte) (int, error) {
	n, err := k.src.Read(p)
	if len(k.copied)+n > maxCachedEach {
		k.over, k.copied = true, nil
	}
	if !k.over {
		k.copied = append(k.copied, p[:n]...)
	}
	if err == io.EOF && !k.over && !k.body.found { //nolint:errorlint // readers return it bare
		x := k.body.x
		now := x.c.o.Now()
		x.c.o.State.cache.put(x.key, &entry{header: k.header, body: k.copied, at: now, until: now.Add(x.c.o.CacheFor)}, now)
		k.over = true
	}
	return n, err
}

func (c *cache) put(key [32]byte, e *entry, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	if c.size+len(e.body)+cachedExtra > maxCached {
		for k, old := range c.entries {
			if !now.Before(old.until) {
				c.drop(k)
			}
		}
	}
	for k := range c.entries { // at random: what is used often comes back soon
		if c.size+len(e.body)+cachedExtra <= maxCached {
			break
		}
		c.drop(k)
	}
	c.entries[key] = e
	c.size += len(e.body) + cachedExtra
}

// drop wants mu.
func (c *cache) drop(key [32]byte) {
	if e := c.entries[key]; e != nil {
		c.size -= len(e.body) + cachedExtra
		delete(c.entries, key)
	}
}
