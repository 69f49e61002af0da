package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/oauth"
	"sallyport/internal/secret"
	"sallyport/internal/token"
	"sallyport/internal/token/jose"
)

const (
	maxPolled = 100 // events in one answer
	maxAcked  = 1000
	// pollFor is how long a poll waits for events (RFC 8936 §2.5), and pollAgain
	// after what it looks by itself: what another process writes is not always told.
	pollFor   = 20 * time.Second
	pollAgain = 500 * time.Millisecond
)

// poll is the body of a poll request (RFC 8936 §2.2).
type poll struct {
	most    int
	at      bool // returnImmediately
	settled []secret.ID
	failed  int // of settled, those that the receiver could not use
}

// Poll settles events that the receiver has acknowledged or reports as unusable,
// and returns the ones that wait (RFC 8936 §2.5): those that were not acknowledged
// again. It waits for one to come unless it was asked not to.
func (s *Service) Poll(ctx context.Context, clientID, streamID string, body []byte) ([]byte, error) {
	stream, err := s.find(ctx, clientID, streamID)
	if err != nil {
		return nil, err
	}
	if stream.Method != Poll {
		return nil, errStream
	}
	p, perr := readPoll(body)
	if perr != nil {
		return nil, perr
	}
	if len(p.settled) > 0 {
		if _, err := s.o.Store.Settle(ctx, stream.ID, p.settled); err != nil {
			return nil, explain("acknowledge events", err)
		}
	}
	if p.failed > 0 {
		note(ctx, audit.SignalRefused, clientID, "set_errs")
	}
	if p.most == 0 {
		return showSets(nil, false), nil
	}
	return s.waitFor(ctx, clientID, &stream, p)
}

func (s *Service) waitFor(ctx context.Context, clientID string, stream *Stream, p poll) ([]byte, error) {
	wait := !p.at && s.news.enter(clientID)
	if wait {
		defer s.news.leave(clientID)
	}
	limit := time.NewTimer(pollFor)
	defer limit.Stop()
	again := time.NewTicker(pollAgain)
	defer again.Stop()
	for {
		news, open := s.news.wait() // before looking, so that nothing falls between
		sets, more, err := s.collect(ctx, stream, p.most)
		if err != nil {
			return nil, err
		}
		if len(sets) > 0 || !wait || !open {
			return showSets(sets, more), nil
		}
		select {
		case <-news:
		case <-again.C:
		case <-limit.C:
			return showSets(nil, false), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("poll: %w", ctx.Err())
		}
		// Client and stream may have been changed meanwhile, or be gone.
		if alive, err := s.o.Receives(ctx, clientID); err != nil || !alive {
			return showSets(nil, false), err
		}
		if *stream, err = s.o.Store.Stream(ctx, stream.ID, clientID); err != nil {
			return nil, explain("find stream", err)
		}
	}
}

type signed struct {
	id  secret.ID
	jwt secret.Value
}

// collect signs what waits. Events of removed subjects are settled on the way.
func (s *Service) collect(ctx context.Context, stream *Stream, most int) (sets []signed, more bool, err error) {
	for {
		waiting, err := s.o.Store.Waiting(ctx, stream.ID, most+1)
		if err != nil {
			return nil, false, explain("read events", err)
		}
		sets, more = nil, len(waiting) > most
		var removed []secret.ID
		for i := range waiting[:min(most, len(waiting))] {
			jwt, err := s.sign(ctx, stream, &waiting[i])
			switch {
			case err != nil:
				return nil, false, err
			case jwt.IsZero():
				removed = append(removed, waiting[i].ID)
			default:
				sets = append(sets, signed{waiting[i].ID, jwt})
			}
		}
		if len(removed) == 0 {
			return sets, more, nil
		}
		if _, err := s.o.Store.Settle(ctx, stream.ID, removed); err != nil {
			return nil, false, explain("leave events out", err)
		}
	}
}

// showSets writes the answer, oldest first.
func showSets(sets []signed, more bool) []byte {
	b := []byte(`{"sets":{`)
	for i, set := range sets {
		if i > 0 {
			b = append(b, ',')
		}
		b = token.AppendJSONString(b, set.id.String())
		b = token.AppendJSONString(append(b, ':'), set.jwt.Reveal())
	}
	b = append(b, '}')
	if more {
		b = append(b, `,"moreAvailable":true`...)
	}
	return append(b, '}')
}

func readPoll(body []byte) (poll, *oauth.Error) {
	p := poll{most: maxPolled}
	r, err := readRequest(body)
	if err != nil {
		return p, err
	}
	if m, ok := r["maxEvents"]; ok {
		n, err := strconv.ParseUint(string(m.raw), 10, 31)
		if err != nil {
			return p, bad("maxEvents is not a number of events")
		}
		p.most = min(int(n), maxPolled)
	}
	if m, ok := r["returnImmediately"]; ok {
		if p.at = string(m.raw) == "true"; !p.at && string(m.raw) != "false" {
			return p, bad("returnImmediately is not a boolean")
		}
	}
	if err := p.readAck(r); err != nil {
		return p, err
	}
	return p, p.readErrors(r)
}

// readAck reads what was received. An ID that is none of ours settles nothing.
func (p *poll) readAck(r request) *oauth.Error {
	m, ok := r["ack"]
	if !ok {
		return nil
	}
	var list []string
	if m.raw[0] != '[' || json.Unmarshal(m.raw, &list) != nil || len(list) > maxAcked {
		return bad("ack is not a list of at most 1000 jti")
	}
	for _, text := range list {
		if id, err := secret.ParseID(text); err == nil {
			p.settled = append(p.settled, id)
		}
	}
	return nil
}

// readErrors reads setErrs (RFC 8936 §2.6). Sending such an event again would end
// the same way, so it is settled.
func (p *poll) readErrors(r request) *oauth.Error {
	m, ok := r["setErrs"]
	if !ok {
		return nil
	}
	wrong := bad("setErrs is not an object of objects with err")
	err := jose.ScanObject(m.raw, func(name string, value []byte) error {
		e, err := readTexts(value)
		if err != nil {
			return err
		}
		if e["err"].text == "" {
			return wrong
		}
		if id, err := secret.ParseID(name); err == nil {
			p.settled = append(p.settled, id)
			p.failed++
		}
		return nil
	})
	if err != nil {
		return wrong
	}
	return nil
}
