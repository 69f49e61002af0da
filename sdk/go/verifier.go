package sallyport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// typeInner is the typ of inner tokens. No other JWT of the issuer has it.
const typeInner = "sallyport-inner+jwt"

const (
	maxLife     = time.Minute      // exp - iat of an inner token
	defaultSkew = 10 * time.Second // between the gateway's clock and ours
	maxSkew     = time.Minute
)

// JWKSPath is where the gateway publishes its keys, below the issuer.
const JWKSPath = "/.well-known/sallyport-gateway/jwks.json"

// Options say which tokens a backend takes.
type Options struct {
	Issuer   string // exactly as the gateway's configuration has it
	Audience string // of this API, likewise

	// JWKSURL is where the gateway's keys are. Empty: Issuer and JWKSPath. It must
	// be https, or http to a loopback address if AllowLoopbackHTTP is set.
	JWKSURL           string
	AllowLoopbackHTTP bool

	// Skew is how far clocks may be apart, 10 s if zero, at most a minute.
	Skew time.Duration

	// Refused, if not nil, is called with each refusal, for the log. The error
	// holds no part of the token.
	Refused func(r *http.Request, err error)

	// HTTPClient fetches the keys; nil: one of our own. Redirects are never followed.
	HTTPClient *http.Client

	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Verifier judges inner tokens. Safe for concurrent use. It starts no goroutine
// but the fetch that a token waits for.
type Verifier struct {
	issuer, audience string
	skew             time.Duration
	refused          func(*http.Request, error)
	now              func() time.Time
	keys             *keyCache
}

// NewVerifier checks the options. It asks for no key yet, so that a backend may
// start before the gateway.
func NewVerifier(o Options) (*Verifier, error) {
	if o.Issuer == "" || o.Audience == "" {
		return nil, errors.New("sallyport: Issuer and Audience must be set")
	}
	if o.JWKSURL == "" {
		o.JWKSURL = strings.TrimSuffix(o.Issuer, "/") + JWKSPath
	}
	if err := judgeURL(o.JWKSURL, o.AllowLoopbackHTTP); err != nil {
		return nil, err
	}
	if o.Skew == 0 {
		o.Skew = defaultSkew
	}
	if o.Skew < 0 || o.Skew > maxSkew {
		return nil, fmt.Errorf("sallyport: Skew must be between 0 and %s", maxSkew)
	}
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of a library; everything else takes it from here
	}
	client := &http.Client{Timeout: fetchTimeout}
	if o.HTTPClient != nil {
		*client = *o.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Verifier{
		issuer: o.Issuer, audience: o.Audience, skew: o.Skew, refused: o.Refused, now: o.Now,
		keys: &keyCache{url: o.JWKSURL, client: client, now: o.Now},
	}, nil
}

func judgeURL(address string, loopback bool) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("sallyport: JWKSURL is not an absolute URL")
	}
	if u.Scheme == "https" {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && loopback && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("sallyport: JWKSURL must be https")
}

// Verify returns who sent the token. The error is ErrInvalid (an *Error with the
// reason) or ErrKeysUnavailable.
func (v *Verifier) Verify(ctx context.Context, token string) (Caller, error) {
	t, err := parseJWS(token)
	if err != nil {
		return Caller{}, err
	}
	k, err := v.keys.key(ctx, t.kid)
	if errors.Is(err, errNoKey) {
		return Caller{}, refuse(ReasonKey)
	}
	if err != nil {
		return Caller{}, err
	}
	// One key, one algorithm: the header has no say (RFC 8725 §3.1).
	if t.alg != k.alg {
		return Caller{}, refuse(ReasonAlgorithm)
	}
	if !k.verify(t.input, t.sig) {
		return Caller{}, refuse(ReasonSignature)
	}
	c, err := parseClaims(t.payload)
	if err != nil {
		return Caller{}, err
	}
	if err := v.judge(c); err != nil {
		return Caller{}, err
	}
	return c.Caller, nil
}

func (v *Verifier) judge(c *claims) error {
	now, skew := v.now().Unix(), int64(v.skew/time.Second)
	switch {
	case c.Issuer != v.issuer:
		return refuse(ReasonIssuer)
	case c.audience != v.audience:
		return refuse(ReasonAudience)
	case now >= c.exp+skew:
		return refuse(ReasonExpired)
	case c.iat > now+skew || c.nbf > now+skew:
		return refuse(ReasonNotYet)
	case c.exp <= c.iat || c.exp-c.iat > int64(maxLife/time.Second):
		return refuse(ReasonLifetime)
	}
	return nil
}
