package egress

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sallyport/internal/secret"
	"sallyport/internal/token/jose"
)

// Asker sends a form to a token endpoint; outbound.Client is one.
type Asker interface {
	Ask(ctx context.Context, rawURL string, header map[string]string, form []byte) (status int, answer []byte, err error)
}

// Bounds of what token endpoints say.
const (
	defaultLife = 5 * time.Minute  // of a token without expires_in (RFC 6749 §5.1 leaves it open)
	longestLife = time.Hour        // that a token is used for, whatever is said
	shortLife   = 10 * time.Second // of a token that says less: one fetch for each call would be worse
	maxToken    = 8 << 10
	fetchLimit  = 10 * time.Second
	againAfter  = 2 * time.Second  // a refusal is answered from memory for that long
	renewEvery  = 10 * time.Second // a 401 makes the token new at most that often
)

var (
	errFetch   = &credentialError{"egress_token_endpoint"} // it could not be asked
	errRefused = &credentialError{"egress_token_refused"}  // it says no
	errForm    = &credentialError{"egress_token_form"}     // what it says is no token
)

// fetched keeps the access token that a secret was exchanged for. Each call looks at
// the secret first: one that was compromised or changed ends its token with it. One
// call fetches, the others wait for it; near its end a token is renewed while it is
// still used. Safe for concurrent use.
type fetched struct {
	secrets Secrets
	name    string // of the secret
	now     func() time.Time
	// exchange asks the endpoint for a token of a secret.
	exchange func(ctx context.Context, s secret.Value) (issued, error)

	mu      sync.Mutex
	have    *issued
	running *errand
	failed  failure
	renewed time.Time
}

// issued is an access token.
type issued struct {
	token      secret.Value
	life       time.Duration
	of         secret.Value // that it came from
	from, ends time.Time
}

type errand struct {
	of   secret.Value
	done chan struct{}
	got  *issued
	err  error
}

type failure struct {
	of  secret.Value
	at  time.Time
	err error
}

// fresh reports whether it may be used, and early whether it is time for the next one.
// A clock that went back makes it neither.
func (i *issued) fresh(of secret.Value, now time.Time) bool {
	return i != nil && i.of.Equal(of) && now.Before(i.ends) && !now.Before(i.from)
}

func (i *issued) early(now time.Time) bool { return i.ends.Sub(now) < i.life/5 }

// get returns a token that is good now.
func (f *fetched) get(ctx context.Context) (secret.Value, error) {
	s, err := f.secrets.Secret(ctx, f.name)
	if err != nil {
		return secret.Value{}, err
	}
	now := f.now()
	f.mu.Lock()
	have := f.have
	fresh := have.fresh(s, now)
	if fresh && !have.early(now) {
		f.mu.Unlock()
		return have.token, nil
	}
	failed := f.failed.err != nil && f.failed.of.Equal(s) && now.Sub(f.failed.at).Abs() < againAfter
	var run *errand
	if !failed {
		run = f.begin(ctx, s)
	}
	err = f.failed.err
	f.mu.Unlock()
	switch {
	case fresh:
		return have.token, nil
	case failed:
		return secret.Value{}, err
	}
	select {
	case <-run.done:
	case <-ctx.Done():
		return secret.Value{}, ctx.Err()
	}
	if run.err != nil {
		return secret.Value{}, run.err
	}
	return run.got.token, nil
}

// begin starts a fetch, or finds the one that is under way for this secret. It does not
// end with the call that needed it first: others wait for it. f.mu is held.
func (f *fetched) begin(ctx context.Context, of secret.Value) *errand {
	if f.running != nil && f.running.of.Equal(of) {
		return f.running
	}
	run := &errand{of: of, done: make(chan struct{})}
	f.running = run
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchLimit)
		defer cancel()
		began := f.now()
		got, err := f.exchange(ctx, of)
		got.of, got.from, got.ends = of, began, began.Add(got.life)
		f.mu.Lock()
		defer f.mu.Unlock()
		if err == nil {
			run.got = &got
		}
		run.err = err
		if f.running == run { // otherwise the secret has changed meanwhile, and a later fetch counts
			f.running = nil
			if err == nil {
				f.have, f.failed = &got, failure{}
			} else {
				f.failed = failure{of, f.now(), err}
			}
		}
		close(run.done)
	}()
	return run
}

// forget drops a token that the upstream refuses. It reports whether to ask for
// another: an upstream that refuses everything does not make us ask each time.
func (f *fetched) forget(sent []secret.Value) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	switch {
	case f.have == nil || !slices.ContainsFunc(sent, f.have.token.Equal):
		return true // another call was first
	case now.Sub(f.renewed).Abs() < renewEvery:
		return false
	}
	f.have, f.renewed = nil, now
	return true
}

// askToken sends a form to a token endpoint and reads the answer (RFC 6749 §5.1).
func askToken(ctx context.Context, door Asker, address string, header map[string]string, form url.Values) (issued, error) {
	status, body, err := door.Ask(ctx, address, header, []byte(form.Encode()))
	switch {
	case err != nil:
		return issued{}, errors.Join(errFetch, err)
	case status >= 400 && status < 500 && status != 429:
		return issued{}, errRefused
	case status != 200:
		return issued{}, errFetch
	}
	return parseToken(body)
}

// parseToken reads what an endpoint says, strictly: it is somebody else's.
func parseToken(body []byte) (issued, error) {
	var token, kind string
	seconds := int64(defaultLife / time.Second)
	err := jose.ScanObject(body, func(name string, value []byte) error {
		switch name {
		case "access_token":
			return json.Unmarshal(value, &token)
		case "token_type":
			return json.Unmarshal(value, &kind)
		case "expires_in":
			return json.Unmarshal(value, &seconds)
		}
		return nil
	})
	if err != nil || !strings.EqualFold(kind, "Bearer") || len(token) < MinSecret || len(token) > maxToken || seconds <= 0 {
		return issued{}, errForm
	}
	for i := range len(token) {
		if token[i] <= 0x20 || token[i] >= 0x7f {
			return issued{}, errForm
		}
	}
	life := longestLife
	if seconds < int64(longestLife/time.Second) {
		life = max(shortLife, time.Duration(seconds)*time.Second)
	}
	return issued{token: secret.New(token), life: life}, nil
}
