package signals

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

const (
	lookEvery = 500 * time.Millisecond // for what other processes write, and what is due again
	// claimFor is longer than a node works on a stream and one more request takes,
	// and how long the stream of a node that died waits.
	claimFor  = 15 * time.Second
	workFor   = 3 * time.Second
	batch     = 32
	senders   = 8
	mostPause = 5 * time.Minute
	expireFor = time.Minute
)

// Delivery says what became of one event, or of the attempt to send it.
type Delivery struct {
	Event    audit.Name // SignalSent or SignalRefused; empty: it will be tried again
	ClientID string
	Type     string
	Code     string // why the receiver refused it (RFC 8935 §2.4)
	Err      error
}

// Run delivers events until ctx ends. Any number may run on any number of nodes.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	hint, again := s.o.Store.Hint(), make(chan struct{}, 1)
	places := make(chan struct{}, senders)
	var work sync.WaitGroup
	defer work.Wait()
	defer s.news.end()
	var expired time.Time
	for {
		s.claim(ctx, places, &work, again)
		if now := s.o.Now(); now.Sub(expired).Abs() >= expireFor {
			expired = now
			s.expire(ctx, now)
		}
		select {
		case <-ctx.Done():
			return
		case <-hint:
			s.news.tell()
		case <-again:
		case <-tick.C:
		}
	}
}

// Close lets receivers that wait go, before a server stops.
func (s *Service) Close() { s.news.end() }

// claim starts work on each stream that is due, as long as there are places.
func (s *Service) claim(ctx context.Context, places chan struct{}, work *sync.WaitGroup, again chan<- struct{}) {
	for {
		select {
		case places <- struct{}{}:
		default:
			return // whoever is done says so
		}
		until := s.o.Now().Add(claimFor).Truncate(time.Second)
		stream, err := s.o.Store.ClaimStream(ctx, s.o.Now(), until)
		if err != nil {
			<-places
			if !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
				s.o.Report(Delivery{Err: fmt.Errorf("look for signals: %w", err)})
			}
			return
		}
		work.Go(func() {
			s.work(ctx, &stream, until)
			<-places
			select {
			case again <- struct{}{}:
			default:
			}
		})
	}
}

// work sends what waits in a stream, one event after the other: a receiver hears
// of things in the order in which they happened.
func (s *Service) work(ctx context.Context, stream *Stream, until time.Time) {
	begun, problem := s.o.Now(), error(nil)
	for problem == nil && s.o.Now().Sub(begun) < workFor {
		var waiting []Event
		if waiting, problem = s.o.Store.Waiting(ctx, stream.ID, batch); problem != nil || len(waiting) == 0 {
			break
		}
		for i := range waiting {
			if problem = s.send(ctx, stream, &waiting[i]); problem != nil || s.o.Now().Sub(begun) >= workFor {
				break
			}
		}
	}
	due, text := s.o.Now(), ""
	if problem != nil {
		stream.Attempts++
		due, text = due.Add(pause(stream.Attempts)), problem.Error()
	} else {
		stream.Attempts = 0
	}
	// A node that stops gives the stream back nevertheless.
	life, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.o.Store.ReleaseStream(life, stream.ID, until, due, stream.Attempts, text); err != nil {
		s.o.Report(Delivery{ClientID: stream.ClientID, Err: fmt.Errorf("give stream back: %w", err)})
	}
}

// pause is how long a stream rests after so many failures.
func pause(attempts int) time.Duration {
	return min(time.Second<<min(attempts-1, 16), mostPause)
}

// send delivers one event and settles it, or returns why it must be tried again.
func (s *Service) send(ctx context.Context, stream *Stream, e *Event) error {
	d := Delivery{ClientID: stream.ClientID, Type: e.Type}
	code, err := s.deliver(ctx, stream, e)
	switch {
	case err != nil:
		if ctx.Err() == nil {
			d.Err = err
			s.o.Report(d)
		}
		return err
	case code == skipped:
	case code != "":
		d.Event, d.Code = audit.SignalRefused, code
		s.o.Report(d)
	default:
		d.Event = audit.SignalSent
		s.o.Report(d)
	}
	if _, err := s.o.Store.Settle(ctx, stream.ID, []secret.ID{e.ID}); err != nil {
		return fmt.Errorf("settle event: %w", err)
	}
	return nil
}

// skipped is the code of an event that was not sent, because its subject was removed.
const skipped = "skipped"

// finalCodes are refusals that another attempt would meet too (RFC 8935 §2.4). The
// receiver may have mended the others meanwhile: it has read our keys anew, or
// accepts the header.
var finalCodes = map[string]bool{"invalid_request": true, "invalid_issuer": true, "invalid_audience": true, "access_denied": true}

// deliver returns the code of a refusal that is final.
func (s *Service) deliver(ctx context.Context, stream *Stream, e *Event) (code string, err error) {
	if alive, err := s.o.Receives(ctx, stream.ClientID); err != nil || !alive {
		if err == nil {
			err = errors.New("the client may not receive signals any more")
		}
		return "", err
	}
	jwt, err := s.sign(ctx, stream, e)
	if err != nil || jwt.IsZero() {
		return skipped, err
	}
	header := map[string]string{"Accept": "application/json", "Content-Type": "application/" + typeSET} // RFC 8935 §2.1
	if stream.Authorization != "" {
		plain, err := s.o.Ring.OpenStored(labelOf(stream.ID), stream.Authorization)
		if err != nil {
			return "", errors.New("the authorization header of the stream cannot be read: its receiver must set it again")
		}
		header["Authorization"] = string(plain)
	}
	status, answer, err := s.o.Post(ctx, stream.EndpointURL, header, []byte(jwt.Reveal()))
	switch {
	case err != nil:
		return "", err
	case status/100 == 2: // §2.2 says 202; the others mean it too
		return "", nil
	case status == 400: //nolint:usestdlibvars // no net/http here
		if m, err := readTexts(answer); err == nil && finalCodes[m["err"].text] {
			return m["err"].text, nil
		}
	}
	return "", fmt.Errorf("the receiver answers %d", status)
}

// expire removes what has waited for too long.
func (s *Service) expire(ctx context.Context, now time.Time) {
	lost, err := s.o.Store.ExpireEvents(ctx, now.Add(-s.o.Keep), now)
	if err != nil && ctx.Err() == nil {
		s.o.Report(Delivery{Err: fmt.Errorf("expire signals: %w", err)})
	}
	if lost > 0 {
		s.o.Report(Delivery{Event: audit.SignalsLost, Err: fmt.Errorf("%d events had waited for too long", lost)})
	}
}
