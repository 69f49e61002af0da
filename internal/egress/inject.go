package egress

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"

	"sallyport/internal/secret"
)

// Injector puts a credential into a request to the upstream, when everything
// else of it is as it will be sent. It may change header and RawQuery, and
// nothing else but, if it is a Former, the body. Safe for concurrent use.
type Injector interface {
	// Inject returns every value that must never come back. body is all of the
	// body. Its errors are not told to anybody: they may wrap one that says
	// EgressReason() string, a word for the log.
	Inject(ctx context.Context, r *http.Request, body []byte) (sent []secret.Value, err error)
}

// Renewer is an Injector whose credential may end before its time.
type Renewer interface {
	Injector
	// Renew is told of a 401 and reports whether to try once more, with another
	// credential.
	Renew(ctx context.Context, status int, sent []secret.Value) (again bool)
}

// Owner is an Injector that says which names are its own, so that nothing that
// a client sends comes near them.
type Owner interface {
	Injector
	Owns() Owned
}

// Owned are names of a request that belong to a credential.
type Owned struct{ Headers, Parameters []string }

// Secrets returns values by name, as of now: one that was rotated is new at the
// next call. Safe for concurrent use.
type Secrets interface {
	Secret(ctx context.Context, name string) (secret.Value, error)
}

// MinSecret is the shortest credential that is sent, in bytes. A shorter one
// could not be found again in an answer without finding it everywhere.
const MinSecret = 8

var errUnusable = &credentialError{"egress_secret_unusable"}

type credentialError struct{ reason string }

func (e *credentialError) Error() string        { return "the credential cannot be used: " + e.reason }
func (e *credentialError) EgressReason() string { return e.reason }

// reasonOf is the word for an error of an Injector.
func reasonOf(err error) string {
	var told interface{ EgressReason() string }
	if errors.As(err, &told) {
		return told.EgressReason()
	}
	return "egress_credential"
}

// versions are Secrets that know those before too, while they may still be in use.
type versions interface {
	Values(ctx context.Context, name string) ([]secret.Value, error)
}

// echoable are all values of a secret that could come back: an upstream may have
// kept an answer from before a rotation.
func echoable(ctx context.Context, s Secrets, name string, sent ...secret.Value) []secret.Value {
	if v, can := s.(versions); can {
		if more, err := v.Values(ctx, name); err == nil && len(more) > 1 {
			return append(sent, more[1:]...)
		}
	}
	return sent
}

// fetch returns a secret that can be sent: visible ASCII (RFC 9110 §5.5), and
// long enough to be found again.
func fetch(ctx context.Context, s Secrets, name string) (secret.Value, error) {
	v, err := s.Secret(ctx, name)
	if err != nil {
		return secret.Value{}, err
	}
	text := v.Reveal()
	if len(text) < MinSecret {
		return secret.Value{}, errUnusable
	}
	for i := range len(text) {
		if text[i] < 0x20 || text[i] >= 0x7f {
			return secret.Value{}, errUnusable
		}
	}
	return v, nil
}

// HeaderInjector sends a secret in a header, after a prefix such as "Bearer ".
type HeaderInjector struct {
	Secrets              Secrets
	Name, Secret, Prefix string
}

// Owns implements Owner.
func (h *HeaderInjector) Owns() Owned { return Owned{Headers: []string{h.Name}} }

// Inject implements Injector.
func (h *HeaderInjector) Inject(ctx context.Context, r *http.Request, _ []byte) ([]secret.Value, error) {
	v, err := fetch(ctx, h.Secrets, h.Secret)
	if err != nil {
		return nil, err
	}
	r.Header[http.CanonicalHeaderKey(h.Name)] = []string{h.Prefix + v.Reveal()}
	return echoable(ctx, h.Secrets, h.Secret, v), nil
}

// QueryInjector sends a secret as a parameter of the query, the last one.
type QueryInjector struct {
	Secrets      Secrets
	Name, Secret string
}

// Owns implements Owner.
func (q *QueryInjector) Owns() Owned { return Owned{Parameters: []string{q.Name}} }

// Inject implements Injector.
func (q *QueryInjector) Inject(ctx context.Context, r *http.Request, _ []byte) ([]secret.Value, error) {
	v, err := fetch(ctx, q.Secrets, q.Secret)
	if err != nil {
		return nil, err
	}
	if r.URL.RawQuery != "" {
		r.URL.RawQuery += "&"
	}
	r.URL.RawQuery += url.QueryEscape(q.Name) + "=" + url.QueryEscape(v.Reveal())
	return echoable(ctx, q.Secrets, q.Secret, v), nil
}

// BasicInjector sends HTTP Basic (RFC 7617), for upstreams that know nothing else.
type BasicInjector struct {
	Secrets          Secrets
	Username, Secret string
}

// Owns implements Owner.
func (b *BasicInjector) Owns() Owned { return Owned{Headers: []string{"Authorization"}} }

// Inject implements Injector.
func (b *BasicInjector) Inject(ctx context.Context, r *http.Request, _ []byte) ([]secret.Value, error) {
	v, err := fetch(ctx, b.Secrets, b.Secret)
	if err != nil {
		return nil, err
	}
	pair := base64.StdEncoding.EncodeToString([]byte(b.Username + ":" + v.Reveal()))
	r.Header["Authorization"] = []string{"Basic " + pair}
	return echoable(ctx, b.Secrets, b.Secret, v, secret.New(pair)), nil
}
