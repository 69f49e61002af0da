package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sallyport/internal/audit"
	"sallyport/internal/secret"
)

// Directory knows where people are reached. It returns nothing for who has no
// address or is not there.
type Directory interface {
	Contacts(ctx context.Context, clientID string) ([]string, error)
	Address(ctx context.Context, userID string) (string, error)
}

// Options of a Worker. Outbox, Directory, Issuer, Now, Record and Report are needed.
type Options struct {
	Outbox    Outbox
	Directory Directory
	Issuer    string
	Operators []string // addresses of those who run it
	Mailer    *Mailer  // nil: no mail is sent
	Webhook   *Webhook // nil: nothing is called
	Now       func() time.Time
	Record    func(audit.Leak) // writes the record of one leak, each once
	Report    func(Delivery)   // what became of notices to people and machines
	// OpenLetter opens what a letter has sealed, by its ID; nil: no letter has anything.
	OpenLetter func(id, sealed string) (secret.Value, error)
}

// Delivery says what became of notices to one recipient.
type Delivery struct {
	Event   audit.Name // NoticeSent, NoticeLost, PostSent or PostLost; empty: it will be tried again
	To      string
	Notices int
	Err     error
}

// Worker sends what is in the outbox. Any number may run on any number of nodes.
type Worker struct{ o Options }

// NewWorker returns a worker; Run makes it work.
func NewWorker(o Options) *Worker { return &Worker{o} }

const (
	pollEvery = time.Second
	// claimFor is longer than a delivery may take with settling it; who takes longer
	// has died, and another node sends the notice a second time.
	claimFor  = time.Minute
	deliverIn = 40 * time.Second
	// batch is how many leaks one mail tells of.
	batch = 20
	// senders bounds the deliveries at a time.
	senders = 4
	// giveUp is for how long a notice is tried.
	giveUp = 72 * time.Hour
)

// pauses are between attempts; the last repeats.
var pauses = []time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// Run sends until ctx ends, and lets deliveries under way end with it.
func (w *Worker) Run(ctx context.Context) {
	rounds(ctx, senders, func(ctx context.Context) ([]Notice, error) {
		now := w.o.Now()
		return w.o.Outbox.Claim(ctx, now, now.Add(claimFor), batch)
	}, w.deliver, func(err error) {
		w.o.Report(Delivery{Err: fmt.Errorf("read the outbox: %w", err)})
	})
}

// errNobody: there is no way to the recipient, and there will be none.
var errNobody = errors.New("there is no address")

// errUnreadable: the keys that a letter was sealed with are gone.
var errUnreadable = errors.New("it cannot be opened")

// deliver sends one batch and settles it in the outbox.
func (w *Worker) deliver(ctx context.Context, list []Notice) {
	to := list[0].To
	settle := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(ctx, deliverIn)
	defer cancel()
	if w.split(ctx, list) {
		return
	}
	sent, err := w.send(ctx, to, list)
	if len(sent) > 0 {
		if derr := w.o.Outbox.Done(settle, sent); derr != nil { // it is sent again when the claim ends
			w.o.Report(Delivery{To: to, Notices: len(sent), Err: derr})
		} else if to != toRecord {
			w.o.Report(Delivery{Event: audit.NoticeSent, To: to, Notices: len(sent)})
		}
	}
	if err == nil {
		return
	}
	var lost, again []Notice
	for _, n := range list[len(sent):] {
		if errors.Is(err, errNobody) || errors.Is(err, errRefused) || errors.Is(err, errUnreadable) || w.o.Now().Sub(n.CreatedAt) >= giveUp {
			lost = append(lost, n)
		} else {
			again = append(again, n)
		}
	}
	if len(lost) > 0 {
		w.o.Report(Delivery{Event: audit.NoticeLost, To: to, Notices: len(lost), Err: errors.Join(err, w.o.Outbox.Done(settle, lost))})
	}
	if len(again) > 0 {
		pause := pauses[min(max(again[0].Attempts, 1), len(pauses))-1]
		w.o.Report(Delivery{To: to, Notices: len(again), Err: errors.Join(err, w.o.Outbox.Retry(settle, again, w.o.Now().Add(pause)))})
	}
}

// Whom a notice is for, as the outbox has it.
const (
	toRecord   = "record"
	toOperator = "operator"
	toWebhook  = "webhook"
	toClient   = "client:"
	toUser     = "user:"
)

// send returns what it has sent, in order, and why it stopped.
func (w *Worker) send(ctx context.Context, to string, list []Notice) ([]Notice, error) {
	if strings.HasPrefix(to, ToLetter) {
		return w.letters(ctx, list)
	}
	if strings.HasPrefix(to, toAsk) {
		return w.ask(ctx, to, list)
	}
	leaks := make([]audit.Leak, len(list))
	for i, n := range list {
		if err := json.Unmarshal(n.Body, &leaks[i]); err != nil {
			return nil, fmt.Errorf("read notice %s: %w", n.ID, err)
		}
	}
	switch to {
	case toRecord:
		for _, l := range leaks {
			w.o.Record(l)
		}
		return list, nil
	case toWebhook:
		return w.call(ctx, list)
	}
	address, which, err := w.address(ctx, to, list[0].Address)
	if err != nil {
		return nil, err
	}
	subject, text := write(w.o.Issuer, to, leaks)
	if err := w.o.Mailer.send(ctx, address, list[0].ID, subject, text, w.o.Now()); err != nil {
		return nil, fmt.Errorf("%s: %w", which, err)
	}
	return list, nil
}

// address finds the one address that a notice goes to, and says which of the
// recipient's it is. A notice that is not split has to have one only.
func (w *Worker) address(ctx context.Context, to, key string) (address, which string, err error) {
	all, err := w.addresses(ctx, to)
	if err != nil {
		return "", "", err
	}
	for i, a := range all {
		if w.o.Mailer != nil && (key == AddressKey(a) || key == "" && len(all) == 1) {
			return a, fmt.Sprintf("address %d of %d", i+1, len(all)), nil
		}
	}
	return "", "", errNobody
}

// AddressKey tells the addresses of a recipient apart without naming them.
func AddressKey(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:8])
}

// split makes one notice for each address of a recipient that has several. It
// reports whether it has taken care of the list.
func (w *Worker) split(ctx context.Context, list []Notice) bool {
	to := list[0].To
	if list[0].Address != "" || w.o.Mailer == nil {
		return false
	}
	all, err := w.addresses(ctx, to)
	if err != nil || len(all) < 2 {
		return false // send says what is wrong
	}
	var keys []string
	for _, a := range all {
		if k := AddressKey(a); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	lost, err := w.o.Outbox.Split(ctx, list, keys, w.o.Now())
	switch {
	case err != nil: // they are taken again when the claim ends
		w.o.Report(Delivery{To: to, Notices: len(list), Err: err})
	case lost > 0:
		w.o.Report(Delivery{Event: audit.NoticeLost, To: to, Notices: lost, Err: errFull})
	}
	return true
}

// errFull: too many wait for the same address.
var errFull = errors.New("the outbox is full")

func (w *Worker) addresses(ctx context.Context, to string) ([]string, error) {
	if clientID, ok := strings.CutPrefix(to, toClient); ok {
		return w.o.Directory.Contacts(ctx, clientID)
	}
	if userID, ok := strings.CutPrefix(to, toUser); ok {
		address, err := w.o.Directory.Address(ctx, userID)
		if err != nil || address == "" {
			return nil, err
		}
		return []string{address}, nil
	}
	if to == toOperator {
		return w.o.Operators, nil
	}
	return nil, errNobody
}

func (w *Worker) call(ctx context.Context, list []Notice) ([]Notice, error) {
	if w.o.Webhook == nil {
		return nil, errNobody
	}
	for i, n := range list {
		if err := w.o.Webhook.call(ctx, n, w.o.Now()); err != nil {
			return list[:i], err
		}
	}
	return list, nil
}
