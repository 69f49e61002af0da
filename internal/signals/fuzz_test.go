package signals_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"sallyport/internal/oauth"
	"sallyport/internal/outbound"
	"sallyport/internal/secret"
	"sallyport/internal/signals"
	"sallyport/internal/token"
)

// nowhere is a store with one stream, which never keeps what is changed.
type nowhere struct {
	signals.Store
	stream signals.Stream
}

func (n nowhere) AddStream(context.Context, signals.Stream) error { return nil }

func (n nowhere) Stream(context.Context, secret.ID, string) (signals.Stream, error) {
	return n.stream, nil
}

func (n nowhere) ChangeStream(_ context.Context, _ secret.ID, _ string, f func(*signals.Stream) error) (signals.Stream, error) {
	s := n.stream
	return s, f(&s)
}

func (n nowhere) SetStatus(_ context.Context, _ secret.ID, _ string, status signals.Status, reason string, _ bool, _ time.Time) (signals.Stream, error) {
	s := n.stream
	s.Status, s.Reason = status, reason
	return s, nil
}

func (n nowhere) SetSubject(context.Context, secret.ID, string, string, bool) error { return nil }

func (n nowhere) AddEvent(context.Context, secret.ID, string, signals.Event, time.Time) error {
	return nil
}

func (n nowhere) Waiting(context.Context, secret.ID, int) ([]signals.Event, error) { return nil, nil }

func (n nowhere) Settle(context.Context, secret.ID, []secret.ID) (int64, error) { return 0, nil }

// keys is a store with no keys but those that are added.
type keys struct{ list *[]token.KeyRecord }

func (k keys) Keys(context.Context) ([]token.KeyRecord, error) { return *k.list, nil }

func (k keys) AddFirstKey(_ context.Context, r token.KeyRecord) error {
	*k.list = append(*k.list, r)
	return nil
}

func service(t testing.TB, store signals.Store) *signals.Service {
	t.Helper()
	master, err := token.NewMaster(secret.NewHandle(secret.MasterKey))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }
	ring, err := token.OpenRing(t.Context(), keys{new([]token.KeyRecord)}, master, now)
	if err != nil {
		t.Fatal(err)
	}
	s, err := signals.New(signals.Options{
		Issuer: "https://i.example", Store: store, Ring: ring, Keep: time.Hour, Now: now, Check: outbound.NewClient(outbound.Options{}).Check,
		Post:     func(context.Context, string, map[string]string, []byte) (int, []byte, error) { return 202, nil, nil },
		Receives: func(context.Context, string) (bool, error) { return true, nil },
		Person:   func(_ context.Context, _, userID string) (string, string, error) { return userID, "", nil },
		Session:  func(_ context.Context, _ string, sid secret.ID) (string, error) { return sid.String(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever a receiver sends, it gets an answer or is told what is wrong with it.
func FuzzRequests(f *testing.F) {
	id := secret.NewID(time.Unix(1, 0))
	s := service(f, nowhere{stream: signals.Stream{ID: id, ClientID: "rx", Method: signals.Poll, Status: signals.Enabled}})
	for _, seed := range []string{
		`{"stream_id":"` + id.String() + `","iss":"https://i.example","aud":["rx"],"events_requested":["https://x/y"],"description":"d","format":"email","events_delivered":[]}`,
		`{"stream_id":"` + id.String() + `","delivery":{"method":"urn:ietf:rfc:8935","endpoint_url":"https://rx.example/","authorization_header":"Bearer x"}}`,
		`{"stream_id":"` + id.String() + `","status":"paused","reason":"r"}`,
		`{"stream_id":"` + id.String() + `","subject":{"format":"complex","user":{"format":"iss_sub","iss":"https://i.example","sub":"u"}},"verified":false}`,
		`{"stream_id":"` + id.String() + `","state":"s"}`,
		`{"maxEvents":3,"returnImmediately":true,"ack":["` + id.String() + `"],"setErrs":{"` + id.String() + `":{"err":"invalid_key"}}}`,
		`{"a":1,"a":2}`, `[]`, `{"events_requested":[null]}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // no poll waits
		for name, call := range map[string]func() error{
			"create":  func() error { _, err := s.Create(ctx, "rx", body); return err },
			"update":  func() error { _, err := s.Update(ctx, "rx", body, false); return err },
			"replace": func() error { _, err := s.Update(ctx, "rx", body, true); return err },
			"status":  func() error { _, err := s.SetStatus(ctx, "rx", body); return err },
			"subject": func() error { return s.SetSubject(ctx, "rx", body, false) },
			"verify":  func() error { return s.Verify(ctx, "rx", body) },
			"poll":    func() error { _, err := s.Poll(ctx, "rx", id.String(), body); return err },
		} {
			var told *oauth.Error
			if err := call(); err != nil && !errors.As(err, &told) && !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
