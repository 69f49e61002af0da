package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/notify"
	"sallyport/internal/secret"
)

// sack is an outbox of messages in memory, with the rules of the stored one that
// matter here.
type sack struct {
	mu   sync.Mutex
	list []notify.Post
	due  map[string]time.Time
}

func (s *sack) ClaimPosts(_ context.Context, now, until time.Time, most int) ([]notify.Post, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := map[string]bool{}
	for _, p := range s.list {
		busy[p.To] = busy[p.To] || now.Before(p.Until)
	}
	var got []notify.Post
	for i := range s.list {
		p := &s.list[i]
		if busy[p.To] || now.Before(s.due[p.ID]) || len(got) > 0 && p.To != got[0].To || len(got) == most {
			continue
		}
		p.Until = until
		p.Attempts++
		got = append(got, *p)
	}
	return got, nil
}

func (s *sack) DonePosts(_ context.Context, list []notify.Post) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(p notify.Post) bool {
		return slices.ContainsFunc(list, func(q notify.Post) bool { return q.ID == p.ID })
	})
	return nil
}

func (s *sack) RetryPosts(_ context.Context, list []notify.Post, due time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.list {
		for _, q := range list {
			if q.ID == s.list[i].ID {
				s.list[i].Until, s.due[q.ID] = time.Time{}, due
			}
		}
	}
	return nil
}

// attempt is one call of Send.
type attempt struct {
	body string
	at   time.Duration
}

// deliver runs a postman in a bubble of its own time until it has nothing left.
func deliver(t *testing.T, posts []notify.Post, send func(body string, n int) error) (attempts []attempt, deliveries []notify.Delivery) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &sack{due: map[string]time.Time{}}
		for i, p := range posts {
			p.ID, p.CreatedAt = fmt.Sprintf("%02d", i), start
			if p.GiveUp.IsZero() {
				p.GiveUp = start.Add(time.Hour)
			}
			s.list = append(s.list, p)
		}
		var mu sync.Mutex
		tries := map[string]int{}
		p := notify.NewPostman(notify.PostOptions{
			Posts: s, Now: time.Now,
			Make: func(_ context.Context, p notify.Post) (notify.PostRequest, error) {
				if string(p.Payload) == "gone" {
					return notify.PostRequest{}, notify.ErrNothing
				}
				return notify.PostRequest{URL: "https://" + p.To, Body: secret.New(string(p.Payload))}, nil
			},
			Send: func(_ context.Context, r notify.PostRequest) error {
				mu.Lock()
				body := r.Body.Reveal()
				tries[body]++
				n := tries[body]
				attempts = append(attempts, attempt{body, time.Since(start)})
				mu.Unlock()
				return send(body, n)
			},
			Report: func(d notify.Delivery) { mu.Lock(); deliveries = append(deliveries, d); mu.Unlock() },
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		for {
			time.Sleep(time.Second)
			s.mu.Lock()
			left := len(s.list)
			s.mu.Unlock()
			if left == 0 || time.Since(start) > 3*time.Hour {
				break
			}
		}
		cancel()
		<-done
		if len(s.list) > 0 {
			t.Errorf("%d are left", len(s.list))
		}
	})
	return attempts, deliveries
}

func reported(deliveries []notify.Delivery, event audit.Name) (n int) {
	for _, d := range deliveries {
		if d.Event == event {
			n += d.Notices
		}
	}
	return n
}

func TestRV14MessagesAreTriedAgainAndGivenUp(t *testing.T) {
	attempts, deliveries := deliver(t, []notify.Post{{To: "a", Payload: []byte("lost answer")}, {To: "b", Payload: []byte("down")}, {To: "c", Payload: []byte("no")}, {To: "d", Payload: []byte("gone")}},
		func(body string, n int) error {
			switch {
			case body == "down":
				return notify.ErrAway
			case body == "no":
				return notify.ErrFinal
			case n < 3:
				return errors.New("503")
			}
			return nil
		})
	of := map[string][]time.Duration{}
	for _, a := range attempts {
		of[a.body] = append(of[a.body], a.at.Round(5*time.Second))
	}
	if len(of["lost answer"]) != 3 || len(of["no"]) != 1 || len(of["gone"]) != 0 {
		t.Errorf("attempts %v, want three, a refusal once, and nothing to who has gone", of)
	}
	down := of["down"]
	if len(down) < 5 || len(down) > 10 || down[len(down)-1] < 59*time.Minute || down[len(down)-1] > 61*time.Minute {
		t.Errorf("a receiver that is away was tried at %v, want a few times with growing pauses, and last after an hour", down)
	}
	if sent, lost := reported(deliveries, audit.PostSent), reported(deliveries, audit.PostLost); sent != 1 || lost != 2 {
		t.Errorf("%d sent and %d lost are reported, want 1 and 2: %+v", sent, lost, deliveries)
	}
}

func TestRV14OneThatFailsDelaysNoOther(t *testing.T) {
	var posts []notify.Post
	for i := range 15 {
		posts = append(posts, notify.Post{To: fmt.Sprint("slow", i), Payload: []byte("slow")})
	}
	posts = append(posts, notify.Post{To: "good", Payload: []byte("broken")}, notify.Post{To: "good", Payload: []byte("whole")})
	attempts, _ := deliver(t, posts, func(body string, n int) error {
		if body == "slow" && n <= 15 {
			time.Sleep(10 * time.Second)
			return notify.ErrAway
		}
		if body == "broken" && n < 3 {
			return errors.New("500")
		}
		return nil
	})
	for _, a := range attempts {
		if a.body == "whole" && a.at > 2*time.Second {
			t.Errorf("what follows a broken message, beside 15 slow receivers, was sent after %v", a.at)
		}
	}
}
