package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sallyport/internal/audit"
)

const (
	// postmen bounds the recipients that are sent to at a time. One that is slow
	// has one of them, for deliverIn at most.
	postmen = 16
	// bag is how many messages one recipient is sent in a row.
	bag = 10
)

// Run sends until ctx ends, and lets what is under way end with it.
func (p *Postman) Run(ctx context.Context) {
	rounds(ctx, postmen, func(ctx context.Context) ([]Post, error) {
		now := p.o.Now()
		return p.o.Posts.ClaimPosts(ctx, now, now.Add(claimFor), bag)
	}, p.deliver, func(err error) {
		p.o.Report(Delivery{Err: fmt.Errorf("read the posts: %w", err)})
	})
}

// deliver sends to one recipient, one after another, and settles each.
func (p *Postman) deliver(ctx context.Context, list []Post) {
	settle := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(ctx, deliverIn)
	defer cancel()
	var done, again []Post
	var lost, failed error
	sent, gone := 0, 0
	for i, x := range list {
		err := p.one(ctx, x)
		switch {
		case err == nil:
			sent++
			done = append(done, x)
			continue
		case errors.Is(err, ErrNothing):
			done = append(done, x)
			continue
		case errors.Is(err, ErrFinal) || !p.o.Now().Before(x.GiveUp):
			done, lost = append(done, x), err
			gone++
			continue
		}
		again, failed = append(again, x), err
		if errors.Is(err, ErrAway) || ctx.Err() != nil {
			again = append(again, list[i+1:]...)
			break
		}
	}
	to := list[0].To
	if len(done) > 0 { // what cannot be removed is sent again when the claim ends
		if err := p.o.Posts.DonePosts(settle, done); err != nil {
			p.o.Report(Delivery{To: to, Notices: len(done), Err: err})
		}
	}
	p.report(audit.PostSent, to, sent, nil)
	p.report(audit.PostLost, to, gone, lost)
	if len(again) > 0 {
		p.o.Report(Delivery{To: to, Notices: len(again), Err: errors.Join(failed, p.putBack(settle, again))})
	}
}

func (p *Postman) one(ctx context.Context, x Post) error {
	r, err := p.o.Make(ctx, x)
	if err != nil {
		return err
	}
	return p.o.Send(ctx, r)
}

func (p *Postman) report(event audit.Name, to string, n int, err error) {
	if n > 0 {
		p.o.Report(Delivery{Event: event, To: to, Notices: n, Err: err})
	}
}

// putBack tries each again after a pause of its own, and once more when its time
// is up.
func (p *Postman) putBack(ctx context.Context, list []Post) error {
	now := p.o.Now()
	due := map[time.Time][]Post{}
	for _, x := range list {
		at := now.Add(pauses[min(max(x.Attempts, 1), len(pauses))-1])
		if at.After(x.GiveUp) && now.Before(x.GiveUp) {
			at = x.GiveUp
		}
		due[at] = append(due[at], x)
	}
	var err error
	for at, part := range due {
		err = errors.Join(err, p.o.Posts.RetryPosts(ctx, part, at))
	}
	return err
}
