package signals

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
)

// Options of a Service. All but Report are needed.
type Options struct {
	Issuer string
	Store  Store
	Ring   *token.Ring
	Keep   time.Duration // how long an event waits; at most token.EventLifetime
	Now    func() time.Time
	// Check judges an address without asking it.
	Check func(url string) error
	// Post asks an address of a receiver, by the strictest rules, and returns the
	// status of the answer and the start of its body.
	Post func(ctx context.Context, url string, header map[string]string, body []byte) (status int, answer []byte, err error)
	// Receives reports whether a client may receive signals now.
	Receives func(ctx context.Context, clientID string) (bool, error)
	// Person returns the subject by which a client knows a person, and their address
	// if it is verified; one who is gone still has a subject.
	Person func(ctx context.Context, clientID, userID string) (sub, email string, err error)
	// Session returns the sid by which a client knows a session.
	Session func(ctx context.Context, clientID string, sid secret.ID) (string, error)
	Report  func(Delivery) // what became of events; nil: nobody is told
}

// verifyEvery is min_verification_interval (SSF 1.0 §8.1.1).
const verifyEvery = 5 * time.Second

// Service is the transmitter. Its methods that take a clientID are for a receiver
// that has proven to be that client; every error of theirs that is no *oauth.Error
// is a fault of ours. Safe for concurrent use.
type Service struct {
	o        Options
	news     *news
	metadata []byte
}

// New returns a Service, or an error that says what is missing.
func New(o Options) (*Service, error) {
	if o.Issuer == "" || o.Store == nil || o.Ring == nil || o.Now == nil || o.Check == nil || o.Post == nil || o.Receives == nil || o.Person == nil || o.Session == nil {
		return nil, errors.New("signals: incomplete options")
	}
	if o.Keep <= 0 || o.Keep > token.EventLifetime {
		return nil, fmt.Errorf("signals: events are kept for a time up to %s", token.EventLifetime)
	}
	if o.Report == nil {
		o.Report = func(Delivery) {}
	}
	s := &Service{o: o, news: newNews()}
	var err error
	s.metadata, err = s.buildMetadata()
	return s, err
}

func note(ctx context.Context, name audit.Name, clientID, reason string) {
	audit.FromContext(ctx).Add(audit.Event{Name: name, Client: clientID, Reason: reason})
}

// explain turns what a store says into what the receiver is told.
func explain(doing string, err error) error {
	var known *oauth.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, ErrNotFound):
		return errStream
	case errors.Is(err, ErrExists):
		return &oauth.Error{Code: oauth.StreamExists, Description: "this client has a stream already: read, change or delete that one"}
	case errors.Is(err, ErrTooSoon):
		return &oauth.Error{Code: oauth.TooManyRequests, Description: "wait for min_verification_interval before the next verification"}
	case errors.Is(err, ErrFull):
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "too many subjects are removed from this stream"}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Create makes the stream of a receiver (SSF 1.0 §8.1.1.1) and returns its
// configuration.
func (s *Service) Create(ctx context.Context, clientID string, body []byte) ([]byte, error) {
	r, rerr := readRequest(body)
	if rerr != nil {
		return nil, rerr
	}
	now := s.o.Now()
	stream := Stream{ID: secret.NewID(now), ClientID: clientID, CreatedAt: now, Status: Enabled}
	if err := s.change(&stream, r, true); err != nil {
		return nil, err
	}
	if err := s.o.Store.AddStream(ctx, stream); err != nil {
		return nil, explain("add stream", err)
	}
	note(ctx, audit.StreamCreated, clientID, stream.Method)
	return json.Marshal(s.show(&stream))
}

// Read returns the configuration of a stream, or with an empty streamID a list of
// those of the receiver (§8.1.1.2).
func (s *Service) Read(ctx context.Context, clientID, streamID string) ([]byte, error) {
	if streamID != "" {
		stream, err := s.find(ctx, clientID, streamID)
		if err != nil {
			return nil, err
		}
		return json.Marshal(s.show(&stream))
	}
	streams, err := s.o.Store.Streams(ctx, clientID)
	if err != nil {
		return nil, explain("list streams", err)
	}
	list := []config{}
	for i := range streams {
		list = append(list, s.show(&streams[i]))
	}
	return json.Marshal(list)
}

func (s *Service) find(ctx context.Context, clientID, streamID string) (Stream, error) {
	id, perr := parseStream(streamID)
	if perr != nil {
		return Stream{}, perr
	}
	stream, err := s.o.Store.Stream(ctx, id, clientID)
	return stream, explain("find stream", err)
}

// Update changes the properties that body has (§8.1.1.3), or replaces all of them
// (§8.1.1.4), and returns the whole configuration.
func (s *Service) Update(ctx context.Context, clientID string, body []byte, replace bool) ([]byte, error) {
	r, id, rerr := readStreamRequest(body)
	if rerr != nil {
		return nil, rerr
	}
	stream, err := s.o.Store.ChangeStream(ctx, id, clientID, func(stream *Stream) error {
		before := *stream
		if err := s.change(stream, r, replace); err != nil {
			return err
		}
		if err := s.expect(&before, stream, r); err != nil { // a nil *oauth.Error is an error that is not nil
			return err
		}
		return nil
	})
	if err != nil {
		return nil, explain("change stream", err)
	}
	note(ctx, audit.StreamChanged, clientID, stream.Method)
	return json.Marshal(s.show(&stream))
}

// Delete removes a stream and what waits in it (§8.1.1.5).
func (s *Service) Delete(ctx context.Context, clientID, streamID string) error {
	id, perr := parseStream(streamID)
	if perr != nil {
		return perr
	}
	if err := s.o.Store.DeleteStream(ctx, id, clientID); err != nil {
		return explain("delete stream", err)
	}
	note(ctx, audit.StreamDeleted, clientID, "")
	return nil
}

// Status returns the status of a stream (§8.1.2.1).
func (s *Service) Status(ctx context.Context, clientID, streamID string) ([]byte, error) {
	stream, err := s.find(ctx, clientID, streamID)
	if err != nil {
		return nil, err
	}
	return showStatus(&stream)
}

// SetStatus changes the status of a stream for its receiver (§8.1.2.2).
func (s *Service) SetStatus(ctx context.Context, clientID string, body []byte) ([]byte, error) {
	r, id, rerr := readStreamRequest(body)
	if rerr != nil {
		return nil, rerr
	}
	if _, one := r["subject"]; one {
		return nil, bad("the status of one subject is not kept: remove the subject from the stream")
	}
	text, _, rerr := r.text("status", 64)
	status := Status(text)
	if rerr != nil || status != Enabled && status != Paused && status != Disabled {
		return nil, bad("status is not enabled, paused or disabled")
	}
	reason, _, rerr := r.text("reason", maxReason)
	if rerr != nil {
		return nil, rerr
	}
	stream, err := s.o.Store.SetStatus(ctx, id, clientID, status, reason, false, s.o.Now())
	if err != nil {
		return nil, explain("set status", err)
	}
	note(ctx, audit.StreamChanged, clientID, text)
	return showStatus(&stream)
}

// SetSubject removes a person from a stream, or adds them again (§8.1.3). All
// subjects are in a stream until they are removed. Whether a person exists makes
// no difference.
func (s *Service) SetSubject(ctx context.Context, clientID string, body []byte, included bool) error {
	r, id, rerr := readStreamRequest(body)
	if rerr != nil {
		return rerr
	}
	if v, ok := r["verified"]; ok && string(v.raw) != "true" && string(v.raw) != "false" {
		return bad("verified is not a boolean")
	}
	m, ok := r["subject"]
	if !ok {
		return bad("subject is missing")
	}
	name, rerr := s.readSubject(m.raw)
	if rerr != nil {
		return rerr
	}
	if name == "" {
		_, err := s.o.Store.Stream(ctx, id, clientID)
		return explain("find stream", err)
	}
	return explain("set subject", s.o.Store.SetSubject(ctx, id, clientID, name, included))
}

// Verify puts a verification event into a stream (§8.1.4.2).
func (s *Service) Verify(ctx context.Context, clientID string, body []byte) error {
	r, id, rerr := readStreamRequest(body)
	if rerr != nil {
		return rerr
	}
	state, _, rerr := r.text("state", maxState)
	if rerr != nil {
		return rerr
	}
	now := s.o.Now()
	return explain("verify stream", s.o.Store.AddEvent(ctx, id, clientID, verification(state, now), now.Add(-verifyEvery)))
}
