package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sallyport/internal/ratelimit"
	"sallyport/internal/signals"
)

// receiverCall is what a receiver of signals asks.
type receiverCall struct {
	clientID string
	streamID string // of the query
	body     []byte
}

// receiverRoute is one call: who may make it, and what it answers.
type receiverRoute struct {
	looks  bool // ssf.read is enough
	status int  // of success
	serve  func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error)
}

// receiverRoutes are the calls of receivers (SSF 1.0 §8.1, RFC 8936 §2) by method
// and path.
var receiverRoutes = map[string]receiverRoute{
	"POST " + signals.StreamPath: {false, http.StatusCreated, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.Create(ctx, c.clientID, c.body)
	}},
	"GET " + signals.StreamPath: {true, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.Read(ctx, c.clientID, c.streamID)
	}},
	"PATCH " + signals.StreamPath: {false, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.Update(ctx, c.clientID, c.body, false)
	}},
	"PUT " + signals.StreamPath: {false, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.Update(ctx, c.clientID, c.body, true)
	}},
	"DELETE " + signals.StreamPath: {false, http.StatusNoContent, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return nil, s.Delete(ctx, c.clientID, c.streamID)
	}},
	"GET " + signals.StatusPath: {true, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.Status(ctx, c.clientID, c.streamID)
	}},
	"POST " + signals.StatusPath: {false, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.SetStatus(ctx, c.clientID, c.body)
	}},
	"POST " + signals.AddSubjectPath: {false, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return nil, s.SetSubject(ctx, c.clientID, c.body, true)
	}},
	"POST " + signals.RemoveSubjectPath: {false, http.StatusNoContent, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return nil, s.SetSubject(ctx, c.clientID, c.body, false)
	}},
	"POST " + signals.VerificationPath: {false, http.StatusNoContent, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return nil, s.Verify(ctx, c.clientID, c.body)
	}},
	"POST " + signals.PollPath: {false, http.StatusOK, func(ctx context.Context, s *signals.Service, c receiverCall) ([]byte, error) {
		return s.Poll(ctx, c.clientID, c.streamID, c.body)
	}},
}

// receiver serves every call of receivers: the token is judged before the body is
// read.
func (s *site) receiver(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if s.signals == nil {
		return errNotFound
	}
	route := receiverRoutes[r.Method+" "+r.URL.Path[len(s.prefix):]]
	id, err := s.oauth.Receiver(r.Context(), s.protocolRequest(r, nil), signals.ScopeFor(route.looks)...)
	if err != nil {
		return err
	}
	client(r, id)
	if err := s.allow(w, r, ratelimit.Signals, ratelimit.Key(id), "calls"); err != nil {
		return err
	}
	c := receiverCall{clientID: id}
	q, err := readQuery(r)
	if err == nil {
		q, err = tidy(q, true)
	}
	if err != nil {
		return err
	}
	c.streamID = q.Get("stream_id")
	if r.Method != http.MethodGet && r.Method != http.MethodDelete {
		if c.body, err = readJSON(w, r, signals.MaxRequest, formTimeout); err != nil {
			return err
		}
		// A poll may wait for longer than a body may take.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	if needsStream(r) && c.streamID == "" {
		return bad("stream_id is missing in the query")
	}
	body, err := route.serve(r.Context(), s.signals, c)
	if err != nil {
		return err
	}
	if body == nil {
		if route.status == http.StatusOK {
			w.Header().Set("Content-Length", "0")
		}
		w.WriteHeader(route.status)
		return nil
	}
	writeJSON(w, r, route.status, body)
	return nil
}

// needsStream: without it, reading lists the streams of the receiver.
func needsStream(r *http.Request) bool {
	return r.Method == http.MethodDelete || r.Method == http.MethodGet && !hasSuffix(r, signals.StreamPath) || hasSuffix(r, signals.PollPath)
}

func hasSuffix(r *http.Request, path string) bool {
	return len(r.URL.Path) >= len(path) && r.URL.Path[len(r.URL.Path)-len(path):] == path
}

// serveSignalsMetadata serves what receivers configure themselves with (SSF 1.0 §7.2).
func (s *site) serveSignalsMetadata(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if s.signals == nil {
		return errNotFound
	}
	d := newDocument(jsonType, s.signals.Metadata())
	return d.serve(w, r)
}

// serveSignalsKeys serves the keys of security event tokens, those of this moment.
func (s *site) serveSignalsKeys(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	if s.signals == nil {
		return errNotFound
	}
	keys, err := s.signals.JWKS()
	if err != nil {
		return fmt.Errorf("key set of signals: %w", err)
	}
	d := newDocument("application/jwk-set+json", keys)
	return d.serve(w, r)
}
